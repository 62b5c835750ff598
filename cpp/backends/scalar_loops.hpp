// The value of an inline op, and the loops of scalar code: vectors of independent ops, chains of
// dependent ones. For backends/scalar.cpp.
#pragma once

#include "ops/formula.hpp"
#include "program/scalar_code.hpp"
#include "program/scalar_format.hpp"

namespace tapegrad::scalar {

template <Op op>
inline bool holds([[maybe_unused]] double x, [[maybe_unused]] double y) {
#define COMPARISON(name, value) \
  if constexpr (op == Op::name) return value;
#define PREDICATE(name, value) COMPARISON(name, value)
#include "ops/elementwise.def"
  return false;
}

template <Op op>
inline double value(double x, [[maybe_unused]] double y, [[maybe_unused]] double z) {
  if constexpr (op == Op::where) return x != 0 ? y : z;
  else if constexpr (kind_of(op) == OpKind::unary) return math::value<op, double>(x);
  else if constexpr (kind_of(op) == OpKind::binary) return math::value<op, double>(x, y);
  else return holds<op>(x, y) ? 1.0 : 0.0;
}

template <std::uint32_t code>
inline double evaluate(double x, double y, double z) {
  constexpr InlineRow row = kInlineRows[code];
  if constexpr (row.side == Side::none) {
    return value<row.outer>(x, y, z);
  } else {
    const double inner = value<row.inner>(x, y, 0);
    const double other = arity_of(row.inner) == 1 ? y : z;
    if constexpr (row.side == Side::left) return value<row.outer>(inner, other, 0);
    else return value<row.outer>(other, inner, 0);
  }
}

// Each runs the instruction at `pc` and returns the next one's place.
const std::uint32_t* run_call(const std::uint32_t* pc, double* slots);
const std::uint32_t* run_vector(const std::uint32_t* pc, double* slots);
const std::uint32_t* run_chain(const std::uint32_t* pc, double* slots);

}  // namespace tapegrad::scalar
