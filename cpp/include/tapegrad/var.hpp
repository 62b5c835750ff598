// tapegrad::Var: a double that records itself. Operators and math functions come from the table of
// elementwise ops; found by argument-dependent lookup, so templated code needs no change.
#pragma once

#include <limits>
#include <ostream>

#include "ops/formula.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

namespace detail {
inline thread_local Tape* current_tape = nullptr;
}

// Makes a tape this thread's current one for its lifetime. Recordings nest.
class Recording {
 public:
  explicit Recording(Tape& tape) : outer_(detail::current_tape) { detail::current_tape = &tape; }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  ~Recording() { detail::current_tape = outer_; }

 private:
  Tape* outer_;
};

class Var {
 public:
  Var() = default;
  Var(double value) : value_(value) {}  // NOLINT: constants convert, as for double
  Var(double value, NodeId id, const Tape& tape) : value_(value), id_(id), serial_(tape.serial()) {}

  double value() const { return value_; }
  NodeId id() const { return id_; }
  // False for constants: nothing that touches only constants is recorded.
  bool active() const { return id_ != kNoOperand; }
  bool belongs_to(const Tape& tape) const { return serial_ == tape.serial(); }

  explicit operator double() const { return value_; }

  Var& operator+=(const Var& o);
  Var& operator-=(const Var& o);
  Var& operator*=(const Var& o);
  Var& operator/=(const Var& o);

 private:
  double value_ = 0;
  NodeId id_ = kNoOperand;
  std::uint32_t serial_ = 0;
};

namespace detail {

// Raises Error for a Var of another tape, or of a recording that has been cleared.
inline NodeId node_of(const Tape& tape, const Var& v) {
  require(v.belongs_to(tape),
          "a Var of another recording was used: its tape is not the current one, or was cleared");
  return v.id();
}
inline Operand operand(Tape& tape, const Var& v) {
  return v.active() ? node_of(tape, v) : tape.add_constant(v.value());
}
inline Tape& tape_of() {
  require(current_tape != nullptr, "a recorded Var was used while no Recording is alive");
  return *current_tape;
}
inline Var record(Op op, double value, const Var& x) {
  if (!x.active()) return value;
  Tape& tape = tape_of();
  return {value, tape.add_scalar(op, node_of(tape, x), kNoOperand, value), tape};
}
inline Var record(Op op, double value, const Var& x, const Var& y) {
  if (!x.active() && !y.active()) return value;
  Tape& tape = tape_of();
  const Operand a = operand(tape, x), b = operand(tape, y);
  return {value, tape.add_scalar(op, a, b, value), tape};
}

}  // namespace detail

#define UNARY(name, ...) \
  inline Var name(const Var& x) { return detail::record(Op::name, math::name(x.value()), x); }
#define BINARY(name, ...)                                                    \
  inline Var name(const Var& x, const Var& y) {                              \
    return detail::record(Op::name, math::name(x.value(), y.value()), x, y); \
  }                                                                          \
  inline Var name(const Var& x, double y) { return name(x, Var(y)); }        \
  inline Var name(double x, const Var& y) { return name(Var(x), y); }
#include "ops/elementwise.def"

inline Var operator-(const Var& x) { return negative(x); }
inline Var operator+(const Var& x) { return x; }
inline Var operator+(const Var& x, const Var& y) { return add(x, y); }
inline Var operator-(const Var& x, const Var& y) { return subtract(x, y); }
inline Var operator*(const Var& x, const Var& y) { return multiply(x, y); }
inline Var operator/(const Var& x, const Var& y) { return divide(x, y); }
inline Var& Var::operator+=(const Var& o) { return *this = *this + o; }
inline Var& Var::operator-=(const Var& o) { return *this = *this - o; }
inline Var& Var::operator*=(const Var& o) { return *this = *this * o; }
inline Var& Var::operator/=(const Var& o) { return *this = *this / o; }

// Comparisons look at values; the branch taken is the one that is differentiated.
inline bool operator==(const Var& x, const Var& y) { return x.value() == y.value(); }
inline bool operator!=(const Var& x, const Var& y) { return x.value() != y.value(); }
inline bool operator<(const Var& x, const Var& y) { return x.value() < y.value(); }
inline bool operator<=(const Var& x, const Var& y) { return x.value() <= y.value(); }
inline bool operator>(const Var& x, const Var& y) { return x.value() > y.value(); }
inline bool operator>=(const Var& x, const Var& y) { return x.value() >= y.value(); }

// The names of <cmath>, where they differ from NumPy's.
inline Var abs(const Var& x) { return absolute(x); }
inline Var asin(const Var& x) { return arcsin(x); }
inline Var acos(const Var& x) { return arccos(x); }
inline Var atan(const Var& x) { return arctan(x); }
inline Var asinh(const Var& x) { return arcsinh(x); }
inline Var acosh(const Var& x) { return arccosh(x); }
inline Var atanh(const Var& x) { return arctanh(x); }
inline Var atan2(const Var& y, const Var& x) { return arctan2(y, x); }
inline Var pow(const Var& x, const Var& y) {
  if (!y.active() && y.value() == 2) return square(x);
  return power(x, y);
}
inline Var pow(const Var& x, double y) { return pow(x, Var(y)); }
inline Var pow(double x, const Var& y) { return pow(Var(x), y); }
inline Var max(const Var& x, const Var& y) { return maximum(x, y); }
inline Var min(const Var& x, const Var& y) { return minimum(x, y); }
inline bool isnan(const Var& x) { return std::isnan(x.value()); }
inline bool isinf(const Var& x) { return std::isinf(x.value()); }
inline bool isfinite(const Var& x) { return std::isfinite(x.value()); }
inline std::ostream& operator<<(std::ostream& os, const Var& x) { return os << x.value(); }

}  // namespace tapegrad

template <>
class std::numeric_limits<tapegrad::Var> : public std::numeric_limits<double> {};
