// Choosing instructions: dead ops go, pairs of ops become one where the first is read only there.
#include "base/error.hpp"
#include "program/scalar_schedule.hpp"

namespace tapegrad::scalar {
namespace {

constexpr std::size_t kOps = static_cast<std::size_t>(Op::count);

// The tables of scalar_ops.def, to look up by op.
struct Selection {
  std::uint32_t code[kOps];
  std::uint32_t fused[2][kInline][kInline] = {};  // [right][outer][inner]; 0: no such pair
  bool fuses[kInline] = {};                       // as the outer op of some pair

  Selection() {
    for (std::size_t op = 0; op < kOps; ++op) code[op] = kInline + static_cast<std::uint32_t>(op);
    for (std::uint32_t k = 0; k < kInline; ++k) {
      const InlineRow row = kInlineRows[k];
      if (row.side == Side::none) {
        code[static_cast<std::size_t>(row.outer)] = k;
        continue;
      }
      const std::uint32_t outer = code[static_cast<std::size_t>(row.outer)];
      const std::uint32_t inner = code[static_cast<std::size_t>(row.inner)];
      fuses[outer] = true;
      fused[row.side == Side::right][outer][inner] = k;
      if (row.outer == Op::add || row.outer == Op::multiply) fused[1][outer][inner] = k;
    }
  }
};

const Selection& selection() {
  static const Selection tables;
  return tables;
}

// Fuses node i with the node that computes its operand `side`, if it may.
bool fuse(Nodes& n, NodeIndex i, int side) {
  ScalarNode& outer = n.nodes[i];
  const ValueId v = outer.in[side];
  if (!n.is_node(v) || n.uses[v] != 1 || !n.temporary(v - n.externals)) return false;
  ScalarNode& inner = n.nodes[v - n.externals];
  if (inner.code >= kInline) return false;
  const std::uint32_t code = selection().fused[side][outer.code][inner.code];
  if (code == 0) return false;
  const ValueId other = outer.in[1 - side];
  outer = {code, {inner.in[0], inner.in[1], other}};
  if (arity_of_code(inner.code) == 1) outer = {code, {inner.in[0], other, n.none}};
  inner.code = kDead;
  n.uses[v] = 0;
  return true;
}

}  // namespace

Nodes select_nodes(const ScalarProblem& problem) {
  const std::size_t count = problem.ops.size();
  ensure(problem.pinned.size() == count, "every scalar op is pinned or not");
  Nodes n{static_cast<std::uint32_t>(problem.external.size()), {}, {}, problem.pinned, 0};
  n.none = n.externals + static_cast<std::uint32_t>(count);
  n.nodes.resize(count);
  n.uses.assign(n.none + 1, 0);
  const Selection& tables = selection();
  for (std::size_t i = count; i-- > 0;) {
    const auto& op = problem.ops[i];
    if (n.uses[n.externals + i] == 0 && n.temporary(static_cast<NodeIndex>(i))) {
      n.nodes[i] = {kDead, {n.none, n.none, n.none}};
      continue;
    }
    ScalarNode node{tables.code[static_cast<std::size_t>(op.op)], {n.none, n.none, n.none}};
    for (int k = 0; k < arity_of_code(node.code); ++k) ++n.uses[node.in[k] = op.in[k]];
    n.nodes[i] = node;
  }
  for (NodeIndex i = 0; i < count; ++i) {
    const std::uint32_t code = n.nodes[i].code;
    if (code < kInline && tables.fuses[code] && !fuse(n, i, 1)) fuse(n, i, 0);
  }
  return n;
}

}  // namespace tapegrad::scalar
