// tapegrad::Var: a double that records itself. Operators and math functions come from the table of
// elementwise ops; found by argument-dependent lookup, so templated code needs no change.
#pragma once

#include <limits>
#include <ostream>
#include <utility>
#include <vector>

#include "ops/formula.hpp"
#include "tape/observation.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

class Var;

namespace detail {

inline thread_local Tape* current_tape = nullptr;

double number(const Var& x);
bool in_program(const Var& x, const Var& y);
template <class Look>
auto observed(Op op, Var x, Var y, Look look);

}  // namespace detail

// (The core has a Recording too: the tape of a program.)
inline namespace variables {

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

}  // namespace variables

class Var {
 public:
  Var() = default;
  Var(double value) : value_(value) {}  // NOLINT: constants convert, as for double
  Var(double value, NodeId id, const Tape& tape) : value_(value), id_(id), serial_(tape.serial()) {}

  // In the recording of a program the replays must find this value again: better compare Vars.
  double value() const;
  NodeId id() const { return id_; }
  // False for constants: nothing that touches only constants is recorded.
  bool active() const { return id_ != kNoOperand; }
  bool belongs_to(const Tape& tape) const { return serial_ == tape.serial(); }

  explicit operator double() const { return value(); }

  Var& operator+=(const Var& o);
  Var& operator-=(const Var& o);
  Var& operator*=(const Var& o);
  Var& operator/=(const Var& o);

 private:
  friend double detail::number(const Var& x);
  friend bool detail::in_program(const Var& x, const Var& y);

  double value_ = 0;
  NodeId id_ = kNoOperand;
  std::uint32_t serial_ = 0;
};

namespace detail {

// The value, for those who record what they do with it.
inline double number(const Var& x) { return x.value_; }

inline bool in_program(const Var& x, const Var& y) {
  return (x.serial_ | y.serial_) & Tape::kProgramSerial;
}

// Notes what is looked at while a program is recorded on a tape. Recordings nest.
class Observer {
 public:
  Observer(Tape& tape, std::vector<Observation>& seen)
      : tape_(tape), seen_(seen), outer_(std::exchange(innermost, this)) {}
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  ~Observer() { innermost = outer_; }

  static Observer* of(const Var& x, const Var& y) {
    Observer* o = innermost;
    while (o && !(o->knows(x) && o->knows(y))) o = o->outer_;
    return o;
  }
  void note(Op op, const Var& x, const Var& y, double seen) {
    seen_.push_back({op, operand(x), operand(y), seen});
  }

 private:
  bool knows(const Var& x) const { return !x.active() || x.belongs_to(tape_); }
  Operand operand(const Var& x) { return x.active() ? x.id() : tape_.add_constant(number(x)); }

  static inline thread_local Observer* innermost = nullptr;
  Tape& tape_;
  std::vector<Observation>& seen_;
  Observer* const outer_;
};

#if defined(__GNUC__)
#define TAPEGRAD_COLD [[gnu::noinline, gnu::cold]]
#else
#define TAPEGRAD_COLD
#endif

// What `look` sees in the values, noted. Out of the way of code that records no program: takes Vars
// by value, so that they stay in registers, and looks itself, so that comparisons stay branches.
template <class Look>
TAPEGRAD_COLD auto observed(Op op, Var x, Var y, Look look) {
  Observer* observer = Observer::of(x, y);
  require(observer != nullptr,
          "a Var was looked at outside of the recording of a program that it belongs to");
  const auto seen = look(number(x), number(y));
  observer->note(op, x, y, seen);
  return seen;
}

#undef TAPEGRAD_COLD

}  // namespace detail

inline double Var::value() const {
  if (detail::in_program(*this, *this)) [[unlikely]]
    return detail::observed(Op::positive, *this, *this, [](double a, double) { return a; });
  return value_;
}

namespace detail {

// Raises Error for a Var of another tape, or of a recording that has been cleared.
inline NodeId node_of(const Tape& tape, const Var& v) {
  require(v.belongs_to(tape),
          "a Var of another recording was used: its tape is not the current one, or was cleared");
  return v.id();
}
inline Operand operand(Tape& tape, const Var& v) {
  return v.active() ? node_of(tape, v) : tape.add_constant(number(v));
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

#define UNARY(name, ...)                                               \
  inline Var name(const Var& x) {                                      \
    return detail::record(Op::name, math::name(detail::number(x)), x); \
  }
#define BINARY(name, ...)                                                                    \
  inline Var name(const Var& x, const Var& y) {                                              \
    return detail::record(Op::name, math::name(detail::number(x), detail::number(y)), x, y); \
  }                                                                                          \
  inline Var name(const Var& x, double y) { return name(x, Var(y)); }                        \
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

// Comparisons look at values; the branch taken is the one that is differentiated, and the only one
// that a program replays.
#define COMPARISON_OPERATOR(name, op)                            \
  inline bool operator op(const Var& x, const Var& y) {          \
    const auto look = [](double a, double b) { return a op b; }; \
    if (detail::in_program(x, y)) [[unlikely]]                   \
      return detail::observed(Op::name, x, y, look);             \
    return look(detail::number(x), detail::number(y));           \
  }
COMPARISON_OPERATOR(equal, ==)
COMPARISON_OPERATOR(not_equal, !=)
COMPARISON_OPERATOR(less, <)
COMPARISON_OPERATOR(less_equal, <=)
COMPARISON_OPERATOR(greater, >)
COMPARISON_OPERATOR(greater_equal, >=)
#undef COMPARISON_OPERATOR

#define QUESTION(name)                                               \
  inline bool name(const Var& x) {                                   \
    const auto look = [](double a, double) { return std::name(a); }; \
    if (detail::in_program(x, x)) [[unlikely]]                       \
      return detail::observed(Op::name, x, x, look);                 \
    return std::name(detail::number(x));                             \
  }
QUESTION(isnan)
QUESTION(isinf)
QUESTION(isfinite)
QUESTION(signbit)
#undef QUESTION

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
inline std::ostream& operator<<(std::ostream& os, const Var& x) { return os << detail::number(x); }

}  // namespace tapegrad

template <>
class std::numeric_limits<tapegrad::Var> : public std::numeric_limits<double> {};
