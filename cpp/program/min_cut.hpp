// The cheapest set of edges that separates a source from a sink: Edmonds and Karp's maximum flow.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace tapegrad {

class MinCut {
 public:
  static constexpr double kInfinite = 1e30;

  explicit MinCut(std::size_t vertices) : newest_(vertices, kNone) {}

  void add(std::size_t from, std::size_t to, double capacity) {
    edges_.push_back({to, newest_[from], capacity});
    newest_[from] = edges_.size() - 1;
    edges_.push_back({from, newest_[to], 0});
    newest_[to] = edges_.size() - 1;
  }

  // Of each vertex: whether it is on the source's side, which is as small as possible.
  std::vector<bool> separate(std::size_t source, std::size_t sink) {
    while (search(source), is_reached(sink)) {
      double flow = std::numeric_limits<double>::infinity();
      for (std::size_t v = sink; v != source; v = from(v))
        flow = std::min(flow, edges_[entered_[v]].left);
      for (std::size_t v = sink; v != source; v = from(v)) {
        edges_[entered_[v]].left -= flow;
        edges_[entered_[v] ^ 1].left += flow;
      }
      if (flow >= kInfinite / 2) break;  // nothing separates them
    }
    std::vector<bool> side(newest_.size());
    for (std::size_t v = 0; v < side.size(); ++v) side[v] = is_reached(v);
    return side;
  }

 private:
  struct Edge {  // followed by its reverse
    std::size_t to;
    std::size_t older;  // that starts from the same vertex
    double left;        // of the capacity
  };
  static constexpr std::size_t kNone = ~std::size_t{0}, kStart = kNone - 1;
  static constexpr double kSlack = 1e-9;

  bool is_reached(std::size_t v) const { return entered_[v] != kNone; }
  std::size_t from(std::size_t v) const { return edges_[entered_[v] ^ 1].to; }

  // Breadth first, over the edges with capacity left.
  void search(std::size_t source) {
    entered_.assign(newest_.size(), kNone);
    entered_[source] = kStart;
    queue_.assign(1, source);
    for (std::size_t i = 0; i < queue_.size(); ++i)
      for (std::size_t e = newest_[queue_[i]]; e != kNone; e = edges_[e].older) {
        const std::size_t to = edges_[e].to;
        if (is_reached(to) || edges_[e].left <= kSlack) continue;
        entered_[to] = e;
        queue_.push_back(to);
      }
  }

  std::vector<Edge> edges_;
  std::vector<std::size_t> newest_;  // edge from each vertex
  std::vector<std::size_t> queue_;
  std::vector<std::size_t> entered_;  // of each vertex: the edge by which the search came
};

}  // namespace tapegrad
