// Where values lie: results in the caller's arrays or in the workspace, whose blocks are used again
// once nobody reads them. Called by the planner.
#pragma once

#include <map>
#include <unordered_map>

#include "program/schedule.hpp"

namespace tapegrad {

class Layout {
 public:
  Layout(const Recording& recording, const Schedule& schedule, const Passes& passes, Plan& plan);

  Location location(Operand o) const;
  // Where a group of this shape writes the node: a copy is walked in the shape of its source.
  Location stored(NodeId id, const Dims& shape) const;
  // A scalar truth that is kept as 0.0 or 1.0.
  bool is_truth(Operand o) const;

  SlotIndex constant_slot(double value);
  SlotIndex scalar_end() const { return scalar_end_; }
  void set_scalar_end(SlotIndex end) { scalar_end_ = end; }
  void place_scalar(NodeId id, SlotIndex slot) {
    places_[id] = {Plan::kWorkspace, static_cast<std::int64_t>(slot) * 8};
  }
  // Outputs, guards, constants and the size of the workspace, once everything is placed.
  void finish(Plan& plan);

 private:
  struct Block {
    std::int64_t offset, bytes;
  };
  void place_leaves(Plan& plan);
  void place_outputs(Plan& plan);
  void place_results();
  Operand taken_over(NodeId id, std::uint32_t s, const std::vector<NodeId>& dying) const;
  std::int64_t take(std::int64_t bytes);
  void give(std::int64_t offset, std::int64_t bytes);
  void count_constants();

  const Tape& tape_;
  const Recording& recording_;
  const Schedule& schedule_;
  const Passes& passes_;
  Plan& plan_;
  std::vector<Place> places_;
  std::vector<bool> placed_;
  std::vector<Block> free_;
  std::int64_t top_ = 0;
  SlotIndex scalar_end_ = 0;
  std::map<std::uint64_t, SlotIndex> constant_slots_;
  std::vector<std::size_t> direct_output_;  // of each node, or kNone
  static constexpr std::size_t kNone = ~std::size_t{0};
};

}  // namespace tapegrad
