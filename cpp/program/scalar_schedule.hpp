// How scalar code is ordered: between the nodes that are chosen first and the words that are
// written last. Private to the compiler of scalar code (scalar_*.cpp).
//
// Ops that compute alike form a role: the same op on operands that were made alike, a few ops deep.
// A Python loop gives one role for each op of its body. Roles that depend on themselves, directly
// or around a cycle, are the recurrences of the loop and run in order; all ops of any other role
// are independent and run as one vector. This is loop distribution (Allen and Kennedy), with roles
// for statements and a program for the loops that it once had.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/scalar_code.hpp"
#include "program/scalar_format.hpp"

namespace tapegrad::scalar {

using ValueId = std::uint32_t;  // as in ScalarProblem: externals, then ops
using NodeIndex = std::uint32_t;

// An op of the problem, or two of them fused into the later one.
struct ScalarNode {
  std::uint32_t code;  // see scalar_format.hpp
  ValueId in[3];       // Nodes::none for an absent operand
};
inline constexpr std::uint32_t kDead = 0xffffffffu;  // code of a node that nobody needs any more

struct Nodes {
  std::uint32_t externals;
  std::vector<ScalarNode> nodes;    // one an op
  std::vector<std::uint32_t> uses;  // by value
  std::span<const SlotIndex> pinned;
  ValueId none;  // one past the last value

  bool is_node(ValueId v) const { return v >= externals && v != none; }
  bool temporary(NodeIndex i) const { return pinned[i] == kTemporary; }
  int arity(NodeIndex i) const { return arity_of_code(nodes[i].code); }
};

struct ScalarStep {
  enum class Kind : std::uint8_t { serial, vector, chain };
  Kind kind;
  std::uint8_t which = 0;    // chain: the operand that is the result before
  std::uint32_t begin, end;  // of ScalarSchedule::order
};

struct ScalarSchedule {
  std::vector<NodeIndex> order;  // of the live nodes
  std::vector<ScalarStep> steps;
  std::vector<std::uint32_t> role;       // by node; empty for short programs
  std::vector<std::uint32_t> role_size;  // by role
};

// Roles, and components of roles that depend on each other, numbered in an order of execution.
struct Roles {
  std::vector<std::uint32_t> role;       // by node
  std::vector<std::uint32_t> size;       // by role
  std::vector<std::uint32_t> component;  // by role
  std::vector<bool> cyclic;              // by component: its ops depend on one another
  bool found = true;  // false: almost every op is a role of its own, and nothing else is filled in
};

Nodes select_nodes(const ScalarProblem& problem);
Roles find_roles(const Nodes& nodes);

// Reorders live nodes by the agenda; returns where each group of ready ops of one code ends.
std::vector<std::size_t> order_by_agenda(const Nodes& nodes, std::span<NodeIndex> order);

ScalarSchedule schedule_scalars(const Nodes& nodes);
ScalarCode emit_scalars(const ScalarProblem& problem, const Nodes& nodes,
                        const ScalarSchedule& schedule);

// Positions 0 .. keys.size() ordered by key, equal keys in order of position; `begins` gets where
// each key starts, and one past the end.
std::vector<std::uint32_t> order_by_key(std::span<const std::uint32_t> keys, std::uint32_t count,
                                        std::vector<std::uint32_t>& begins);

}  // namespace tapegrad::scalar
