// Value kernels of the elementwise ops that NumPy computes in integers: recorded indices and
// counts.
#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

using Int = std::int64_t;
using Bits = std::uint64_t;  // whose arithmetic wraps around, as NumPy's does

template <class F>
void unary(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    *reinterpret_cast<Int*>(p[1] + i * s[1]) = F()(loops::load<Int>(p[0] + i * s[0]));
}
template <class F>
void binary(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    *reinterpret_cast<Int*>(p[2] + i * s[2]) =
        F()(loops::load<Int>(p[0] + i * s[0]), loops::load<Int>(p[1] + i * s[1]));
}

Int wrapped(Bits x) { return static_cast<Int>(x); }
Int negated(Int x) { return wrapped(Bits{0} - static_cast<Bits>(x)); }

// By zero the quotient and the remainder are 0; the smallest integer over -1 wraps around.
Int quotient(Int x, Int y) {
  if (y == 0) return 0;
  if (y == -1) return negated(x);
  return x / y - (x % y != 0 && (x < 0) != (y < 0));
}
Int truncated_remainder(Int x, Int y) { return y == 0 || y == -1 ? 0 : x % y; }
Int floored_remainder(Int x, Int y) {
  const Int r = truncated_remainder(x, y);
  return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

}  // namespace

void fill_integers(Kernel* column) {
  auto one = [&]<class F>(Op op, F) { column[static_cast<int>(op)].value = unary<F>; };
  auto two = [&]<class F>(Op op, F) { column[static_cast<int>(op)].value = binary<F>; };
  one(Op::negative, [](Int x) { return negated(x); });
  one(Op::positive, [](Int x) { return x; });
  one(Op::square, [](Int x) { return wrapped(static_cast<Bits>(x) * static_cast<Bits>(x)); });
  one(Op::absolute, [](Int x) { return x < 0 ? negated(x) : x; });
  one(Op::sign, [](Int x) { return Int{x > 0} - Int{x < 0}; });
  two(Op::add, [](Int x, Int y) { return wrapped(static_cast<Bits>(x) + static_cast<Bits>(y)); });
  two(Op::subtract,
      [](Int x, Int y) { return wrapped(static_cast<Bits>(x) - static_cast<Bits>(y)); });
  two(Op::multiply,
      [](Int x, Int y) { return wrapped(static_cast<Bits>(x) * static_cast<Bits>(y)); });
  two(Op::maximum, [](Int x, Int y) { return std::max(x, y); });
  two(Op::minimum, [](Int x, Int y) { return std::min(x, y); });
  two(Op::fmax, [](Int x, Int y) { return std::max(x, y); });
  two(Op::fmin, [](Int x, Int y) { return std::min(x, y); });
  two(Op::floor_divide, [](Int x, Int y) { return quotient(x, y); });
  two(Op::remainder, [](Int x, Int y) { return floored_remainder(x, y); });
  two(Op::fmod, [](Int x, Int y) { return truncated_remainder(x, y); });
}

}  // namespace tapegrad
