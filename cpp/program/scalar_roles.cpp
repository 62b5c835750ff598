// Roles of nodes by hashing, and the components of their dependences by Tarjan's algorithm.
#include <algorithm>

#include "program/scalar_schedule.hpp"

namespace tapegrad::scalar {
namespace {

// Ops this deep are compared. Deeper tells more roles apart, and more of a loop's first steps from
// the rest.
constexpr int kDepth = 4;
// Programs with more roles than this, and fewer than two ops in each, are said to have none.
constexpr std::size_t kManyRoles = 2000;

std::uint32_t mix(std::uint32_t code, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
  std::uint64_t h = (code + 1) * 0x9e3779b97f4a7c15ull ^ a * 0xbf58476d1ce4e5b9ull;
  h += b * 0x94d049bb133111ebull ^ c * 0xd6e8feb86659fd93ull;
  return static_cast<std::uint32_t>((h ^ (h >> 29)) * 0x9e3779b97f4a7c15ull >> 32);
}

// How each value was made. Of externals only this is known: whether much is computed from them
// (parameters) or little (data).
std::vector<std::uint32_t> hash_values(const Nodes& n) {
  const auto count = static_cast<NodeIndex>(n.nodes.size());
  std::vector<std::uint32_t> now(n.none + 1, 0), next(n.none + 1, 0);
  const std::uint32_t many = std::max<std::uint32_t>(8, count / 256);
  for (ValueId v = 0; v < n.externals; ++v) now[v] = next[v] = n.uses[v] > many;
  for (NodeIndex i = 0; i < count; ++i) now[n.externals + i] = mix(n.nodes[i].code, 0, 0, 0);
  for (int depth = 1; depth < kDepth; ++depth) {
    for (NodeIndex i = 0; i < count; ++i) {
      const ScalarNode& node = n.nodes[i];
      next[n.externals + i] = mix(node.code, now[node.in[0]], now[node.in[1]], now[node.in[2]]);
    }
    now.swap(next);
  }
  return now;
}

// Numbers the distinct (hash, code) of live nodes in order of appearance. False if that is no use.
bool number_roles(const Nodes& n, const std::vector<std::uint32_t>& hash, Roles& roles,
                  std::vector<std::uint32_t>& code) {
  struct Entry {
    std::uint32_t hash, role;
  };
  std::size_t mask = 1023;
  std::vector<Entry> table(mask + 1, {0, kDead});
  roles.role.assign(n.nodes.size(), kDead);
  const auto find = [&](std::uint32_t h, std::uint32_t c) -> Entry& {
    std::size_t at = h & mask;
    while (table[at].role != kDead && (table[at].hash != h || code[table[at].role] != c))
      at = (at + 1) & mask;
    return table[at];
  };
  const auto grow = [&] {
    std::vector<Entry> old(2 * table.size(), {0, kDead});
    old.swap(table);
    mask = table.size() - 1;
    for (const Entry& e : old)
      if (e.role != kDead) find(e.hash, code[e.role]) = e;
  };
  std::size_t seen = 0;
  for (NodeIndex i = 0; i < n.nodes.size(); ++i) {
    const std::uint32_t c = n.nodes[i].code;
    if (c == kDead) continue;
    ++seen;
    Entry& e = find(hash[n.externals + i], c);
    const bool fresh = e.role == kDead;
    if (fresh) {
      e = {hash[n.externals + i], static_cast<std::uint32_t>(code.size())};
      code.push_back(c);
      roles.size.push_back(0);
    }
    ++roles.size[roles.role[i] = e.role];
    if (fresh && 2 * code.size() > table.size()) {
      if (code.size() > 8 * kManyRoles && 2 * code.size() > seen) return false;
      grow();
    }
  }
  return code.size() < kManyRoles || 2 * code.size() < seen;
}

// Which roles a role reads. An edge that the role's node before had too is not entered again, so in
// a loop there are few.
struct Edges {
  std::vector<std::uint32_t> begins, to;
  std::vector<bool> self;
};
Edges role_edges(const Nodes& n, const Roles& roles) {
  const auto count = static_cast<std::uint32_t>(roles.size.size());
  std::vector<std::uint32_t> from, to, before(3 * std::size_t{count}, kDead);
  Edges edges;
  edges.self.assign(count, false);
  for (NodeIndex i = 0; i < n.nodes.size(); ++i) {
    const std::uint32_t r = roles.role[i];
    if (r == kDead) continue;
    for (int k = 0; k < 3; ++k) {
      const ValueId v = n.nodes[i].in[k];
      if (!n.is_node(v)) continue;
      const std::uint32_t s = roles.role[v - n.externals];
      std::uint32_t& last = before[3 * std::size_t{r} + k];
      if (last == s) continue;
      last = s;
      if (s == r) {
        edges.self[r] = true;
      } else {
        from.push_back(r);
        to.push_back(s);
      }
    }
  }
  for (const std::uint32_t e : order_by_key(from, count, edges.begins)) edges.to.push_back(to[e]);
  return edges;
}

// Tarjan's strongly connected components, without recursion. A component is complete when all that
// it reads is, so their numbers are an order of execution.
class Components {
 public:
  Components(const Edges& edges, Roles& roles) : edges_(edges), roles_(roles) {}

  void find() {
    const std::size_t count = roles_.size.size();
    index_.assign(count, 0);
    low_.assign(count, 0);
    roles_.component.assign(count, kDead);
    for (std::uint32_t r = 0; r < count; ++r)
      if (index_[r] == 0) visit(r);
  }

 private:
  struct Frame {
    std::uint32_t role, edge;
  };
  void enter(std::uint32_t r) {
    index_[r] = low_[r] = ++time_;
    open_.push_back(r);
    frames_.push_back({r, edges_.begins[r]});
  }
  void visit(std::uint32_t root) {
    enter(root);
    while (!frames_.empty()) {
      const std::uint32_t r = frames_.back().role;
      if (frames_.back().edge < edges_.begins[r + 1]) {
        const std::uint32_t s = edges_.to[frames_.back().edge++];
        if (index_[s] == 0) enter(s);
        else if (roles_.component[s] == kDead) low_[r] = std::min(low_[r], index_[s]);
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) {
        std::uint32_t& low = low_[frames_.back().role];
        low = std::min(low, low_[r]);
      }
      if (low_[r] == index_[r]) close(r);
    }
  }
  void close(std::uint32_t r) {
    const auto number = static_cast<std::uint32_t>(roles_.cyclic.size());
    roles_.cyclic.push_back(open_.back() != r || edges_.self[r]);
    std::uint32_t s;
    do {
      s = open_.back();
      open_.pop_back();
      roles_.component[s] = number;
    } while (s != r);
  }

  const Edges& edges_;
  Roles& roles_;
  std::uint32_t time_ = 0;
  std::vector<std::uint32_t> index_, low_, open_;
  std::vector<Frame> frames_;
};

}  // namespace

std::vector<std::uint32_t> order_by_key(std::span<const std::uint32_t> keys, std::uint32_t count,
                                        std::vector<std::uint32_t>& begins) {
  begins.assign(count + 1, 0);
  for (const std::uint32_t k : keys) ++begins[k + 1];
  for (std::uint32_t k = 0; k < count; ++k) begins[k + 1] += begins[k];
  std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1), order(keys.size());
  for (std::uint32_t i = 0; i < keys.size(); ++i) order[next[keys[i]]++] = i;
  return order;
}

Roles find_roles(const Nodes& n) {
  Roles roles;
  std::vector<std::uint32_t> code;
  roles.found = number_roles(n, hash_values(n), roles, code);
  if (!roles.found) return roles;
  const Edges edges = role_edges(n, roles);
  Components(edges, roles).find();
  return roles;
}

}  // namespace tapegrad::scalar
