// The names of all ops as one enumeration, made from the two tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tapegrad {

enum class Op : std::uint16_t {
#define UNARY(name, ...) name,
#define BINARY(name, ...) name,
#define COMPARISON(name, value) name,
#define PREDICATE(name, value) name,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) name,
#include "ops/structured.def"
  input,          // a leaf that derivatives are taken to
  alias,          // the same value under another id: the input of a nested derivative
  stop_gradient,  // the same value without derivative
  constant,       // an array that depends on no input
  count
};

// comparison: one or two arguments of any dtype (`arity_of`), result bool, no derivative.
enum class OpKind : std::uint8_t { unary, binary, comparison, structured, leaf };

inline constexpr OpKind kOpKinds[] = {
#define UNARY(name, ...) OpKind::unary,
#define BINARY(name, ...) OpKind::binary,
#define COMPARISON(name, value) OpKind::comparison,
#define PREDICATE(name, value) OpKind::comparison,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) OpKind::structured,
#include "ops/structured.def"
    OpKind::leaf,
    OpKind::leaf,
    OpKind::leaf,
    OpKind::leaf,
};
constexpr OpKind kind_of(Op op) { return kOpKinds[static_cast<int>(op)]; }
constexpr bool is_elementwise(Op op) { return kind_of(op) <= OpKind::comparison; }
// Reductions that a loop over the elements computes, in any order of the axes.
constexpr bool is_fold(Op op) {
  return op == Op::sum || op == Op::prod || op == Op::max || op == Op::min;
}

inline constexpr std::string_view kOpNames[] = {
#define UNARY(name, ...) #name,
#define BINARY(name, ...) #name,
#define COMPARISON(name, value) #name,
#define PREDICATE(name, value) #name,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) #name,
#include "ops/structured.def"
    "input", "alias", "stop_gradient", "constant"};
constexpr std::string_view op_name(Op op) { return kOpNames[static_cast<int>(op)]; }

inline constexpr int kArities[] = {
#define UNARY(name, ...) 1,
#define BINARY(name, ...) 2,
#define COMPARISON(name, value) 2,
#define PREDICATE(name, value) 1,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) arity,
#include "ops/structured.def"
    0, 1, 1, 0};
// Operands of an op; -1 for any number.
constexpr int arity_of(Op op) { return kArities[static_cast<int>(op)]; }

// The operands [first, last) of `count` that are computed with in one common dtype: all of them,
// but for the condition of `where`, indices, sparsity patterns, the part of a complex number and
// what outside functions take.
struct PromotedOperands {
  std::size_t first, last;
};
constexpr PromotedOperands promoted_operands(Op op, std::size_t count) {
  switch (op) {
    case Op::where: return {1, count};
    case Op::gather:
    case Op::scatter_add:
    case Op::part_set: return {0, 1};
    case Op::put:
    case Op::sparse_matmul:
    case Op::sparse_sample:
    case Op::sparse_solve: return {0, 2};
    case Op::custom: return {0, 0};
    default: return {0, count};
  }
}

}  // namespace tapegrad
