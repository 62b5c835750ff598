// The table as C++: Formula<op> holds value and partials, generic in the scalar type. Plain types
// are handled here, duals, probes, terms and Var in headers of their own that read the same table.
#pragma once

#include "base/dtype.hpp"
#include "ops/op.hpp"
#include "ops/plain.hpp"
#include "ops/special.hpp"

namespace tapegrad::math {

// First all functions of the table are declared for plain types, because formulas use each other.
#define UNARY(name, ...) \
  double name(double x); \
  float name(float x);   \
  Complex name(Complex x);
#define BINARY(name, ...)          \
  double name(double x, double y); \
  float name(float x, float y);    \
  Complex name(Complex x, Complex y);
#include "ops/elementwise.def"

template <class T>
constexpr T select(bool condition, const T& a, const T& b) {
  return condition ? a : b;
}
template <class T>
T over(const T& a, const T& b) {
  return select(b == T(0), T(0), a / select(b == T(0), T(1), b));
}

// R: real only, C: complex too. S and SC are the same for functions whose loop in SciPy, where
// there is one, also serves the formulas that use them.
enum class Field : std::uint8_t { R, C, S, SC };
constexpr bool takes_complex(Field field) { return field == Field::C || field == Field::SC; }
constexpr bool is_borrowed(Field field) { return field == Field::S || field == Field::SC; }

// The loop of one such function for one type, in NumPy's convention; null without SciPy.
struct Borrowed {
  void (*loop)(char** args, const std::intptr_t* count, const std::intptr_t* strides,
               void* data) = nullptr;
  void* data = nullptr;
};
template <class T>
inline Borrowed borrowed[static_cast<int>(Op::count)] = {};

template <Op op>
struct Formula;

#define UNARY(name, field, value_, dx_, low, high)                                     \
  template <>                                                                          \
  struct Formula<Op::name> {                                                           \
    static constexpr bool complex = takes_complex(Field::field);                       \
    static constexpr bool borrowed = is_borrowed(Field::field);                        \
    template <class T>                                                                 \
    static T value(const T& x) {                                                       \
      return value_;                                                                   \
    }                                                                                  \
    template <int operand, class T>                                                    \
    static constexpr T partial([[maybe_unused]] const T& x, [[maybe_unused]] const T&, \
                               [[maybe_unused]] const T& r) {                          \
      return dx_;                                                                      \
    }                                                                                  \
  };
#define BINARY(name, field, value_, dx_, dy_, lowx, highx, lowy, highy)                  \
  template <>                                                                            \
  struct Formula<Op::name> {                                                             \
    static constexpr bool complex = takes_complex(Field::field);                         \
    static constexpr bool borrowed = is_borrowed(Field::field);                          \
    template <class T>                                                                   \
    static T value(const T& x, [[maybe_unused]] const T& y) {                            \
      return value_;                                                                     \
    }                                                                                    \
    template <int operand, class T>                                                      \
    static constexpr T partial([[maybe_unused]] const T& x, [[maybe_unused]] const T& y, \
                               [[maybe_unused]] const T& r) {                            \
      if constexpr (operand == 0) return dx_;                                            \
      else return dy_;                                                                   \
    }                                                                                    \
  };
#include "ops/elementwise.def"

inline constexpr bool kBorrowed[] = {
#define UNARY(name, field, ...) is_borrowed(Field::field),
#define BINARY(name, field, ...) is_borrowed(Field::field),
#define COMPARISON(name, ...) false,
#define PREDICATE(name, ...) false,
#include "ops/elementwise.def"
#define STRUCTURED(name, arity, family) std::string_view(#family) == "parametric",
#include "ops/structured.def"
    false,
    false,
    false,
    false,
};

// A formula that is real only is never reached with complex arguments: the registry says so first.
template <Op op, class T, class... Args>
T value(const Args&... args) {
  if constexpr (std::is_same_v<T, Complex> && !Formula<op>::complex) return T(nan);
  else return Formula<op>::value(args...);
}

// The value as formulas use it: by SciPy's loop if that is borrowed.
template <Op op, class T, class... Args>
TAPEGRAD_CALL T lent(Args... args) {
  const Borrowed& found = borrowed<T>[static_cast<int>(op)];
  if (!found.loop) return value<op, T>(args...);
  T result;
  char* at[] = {reinterpret_cast<char*>(&args)..., reinterpret_cast<char*>(&result)};
  constexpr std::intptr_t count = 1, strides[sizeof...(Args) + 1] = {};
  found.loop(at, &count, strides, found.data);
  return result;
}
template <Op op, class T, class... Args>
T called(Args... args) {
  if constexpr (Formula<op>::borrowed) return lent<op, T>(args...);
  else return value<op, T>(args...);
}

#define UNARY(name, ...)                                               \
  inline double name(double x) { return called<Op::name, double>(x); } \
  inline float name(float x) { return called<Op::name, float>(x); }    \
  inline Complex name(Complex x) { return called<Op::name, Complex>(x); }
#define BINARY(name, ...)                                                           \
  inline double name(double x, double y) { return called<Op::name, double>(x, y); } \
  inline float name(float x, float y) { return called<Op::name, float>(x, y); }     \
  inline Complex name(Complex x, Complex y) { return called<Op::name, Complex>(x, y); }
#include "ops/elementwise.def"

}  // namespace tapegrad::math

namespace tapegrad {

// What a partial reads, found by evaluating its formula once, at compile time, on probes.
enum Needs : unsigned { kNeedsX = 1, kNeedsY = 2, kNeedsResult = 4 };

struct Probe {
  unsigned needs = 0;
  bool literal = false;
  double value = 0;
  constexpr Probe() = default;
  constexpr explicit Probe(unsigned mask) : needs(mask) {}
  constexpr explicit Probe(int v) : literal(true), value(v) {}
  constexpr explicit Probe(double v) : literal(true), value(v) {}
};
template <class... Probes>
constexpr Probe unite(const Probes&... p) {
  return Probe((p.needs | ...));
}
constexpr Probe operator-(Probe a) { return a.literal ? Probe(-a.value) : unite(a); }
constexpr Probe operator+(Probe a, Probe b) { return unite(a, b); }
constexpr Probe operator-(Probe a, Probe b) { return unite(a, b); }
constexpr Probe operator*(Probe a, Probe b) { return unite(a, b); }
constexpr Probe operator/(Probe a, Probe b) { return unite(a, b); }
constexpr Probe operator==(Probe a, Probe b) { return unite(a, b); }
constexpr Probe operator>(Probe a, Probe b) { return unite(a, b); }
constexpr Probe operator<(Probe a, Probe b) { return unite(a, b); }
constexpr Probe select(Probe c, Probe a, Probe b) { return unite(c, a, b); }
constexpr Probe over(Probe a, Probe b) { return unite(a, b); }
#define UNARY(name, ...) \
  constexpr Probe name(Probe x) { return unite(x); }
#define BINARY(name, ...) \
  constexpr Probe name(Probe x, Probe y) { return unite(x, y); }
#include "ops/elementwise.def"

template <Op op, int operand>
inline constexpr Probe probe = math::Formula<op>::template partial<operand>(
    Probe(unsigned{kNeedsX}), Probe(unsigned{kNeedsY}), Probe(unsigned{kNeedsResult}));

}  // namespace tapegrad
