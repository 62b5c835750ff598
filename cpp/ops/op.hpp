// The names of all ops as one enumeration, made from the two tables.
#pragma once

#include <cstdint>
#include <string_view>

namespace tapegrad {

enum class Op : std::uint16_t {
#define UNARY(name, ...) name,
#define BINARY(name, ...) name,
#define COMPARISON(name, value) name,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) name,
#include "ops/structured.def"
  input,     // a leaf that derivatives are taken to
  alias,     // the same value under another id: the input of a nested derivative
  constant,  // an array that depends on no input
  count
};

enum class OpKind : std::uint8_t { unary, binary, comparison, structured, leaf };

constexpr OpKind kind_of(Op op) {
  constexpr OpKind kinds[] = {
#define UNARY(name, ...) OpKind::unary,
#define BINARY(name, ...) OpKind::binary,
#define COMPARISON(name, value) OpKind::comparison,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) OpKind::structured,
#include "ops/structured.def"
      OpKind::leaf,
      OpKind::leaf,
      OpKind::leaf,
  };
  return kinds[static_cast<int>(op)];
}
constexpr bool is_elementwise(Op op) { return kind_of(op) <= OpKind::comparison; }

constexpr std::string_view op_name(Op op) {
  constexpr std::string_view names[] = {
#define UNARY(name, ...) #name,
#define BINARY(name, ...) #name,
#define COMPARISON(name, value) #name,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) #name,
#include "ops/structured.def"
      "input", "alias", "constant"};
  return names[static_cast<int>(op)];
}

// Operands of a structured op; -1 for any number.
constexpr int arity_of(Op op) {
  constexpr int arities[] = {
#define UNARY(name, ...) 1,
#define BINARY(name, ...) 2,
#define COMPARISON(name, value) 2,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) arity,
#include "ops/structured.def"
      0, 1, 0};
  return arities[static_cast<int>(op)];
}

}  // namespace tapegrad
