// tapegrad::Var as the scalar type of ordinary code.
#include "tapegrad/var.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <sstream>
#include <type_traits>
#include <vector>

#include "ops/table.hpp"
#include "tapegrad/tapegrad.hpp"

namespace tapegrad {
namespace {

using Vars = std::vector<Var>;

// Value and slopes of f(x, y) at (1.5, 0.7).
struct Slopes {
  double value, dx, dy;
};
Slopes slopes(const std::function<Var(const Var&, const Var&)>& f) {
  const auto [value, g] =
      value_and_gradient([&f](const Vars& x) { return f(x[0], x[1]); }, {1.5, 0.7});
  return {value, g[0], g[1]};
}
void expect(const Slopes& got, double value, double dx, double dy) {
  EXPECT_DOUBLE_EQ(got.value, value);
  EXPECT_DOUBLE_EQ(got.dx, dx);
  EXPECT_DOUBLE_EQ(got.dy, dy);
}

TEST(Var, ArithmeticWithVar) {
  expect(slopes([](const Var& x, const Var& y) { return x + y; }), 2.2, 1, 1);
  expect(slopes([](const Var& x, const Var& y) { return x - y; }), 0.8, 1, -1);
  expect(slopes([](const Var& x, const Var& y) { return x * y; }), 1.05, 0.7, 1.5);
  expect(slopes([](const Var& x, const Var& y) { return x / y; }), 1.5 / 0.7, 1 / 0.7, -1.5 / 0.49);
  expect(slopes([](const Var& x, const Var& y) { return -x + +y; }), -0.8, -1, 1);
}

TEST(Var, ArithmeticWithDouble) {
  expect(slopes([](const Var& x, const Var&) { return x + 2.0; }), 3.5, 1, 0);
  expect(slopes([](const Var& x, const Var&) { return 2.0 + x; }), 3.5, 1, 0);
  expect(slopes([](const Var& x, const Var&) { return x - 2.0; }), -0.5, 1, 0);
  expect(slopes([](const Var& x, const Var&) { return 2.0 - x; }), 0.5, -1, 0);
  expect(slopes([](const Var& x, const Var&) { return x * 2.0; }), 3.0, 2, 0);
  expect(slopes([](const Var& x, const Var&) { return 2.0 * x; }), 3.0, 2, 0);
  expect(slopes([](const Var& x, const Var&) { return x / 2.0; }), 0.75, 0.5, 0);
  expect(slopes([](const Var& x, const Var&) { return 3.0 / x; }), 2.0, -3.0 / 2.25, 0);
}

TEST(Var, ArithmeticWithIntegersAndFloats) {
  expect(slopes([](const Var& x, const Var&) { return 2 * x + 1; }), 4.0, 2, 0);
  expect(slopes([](const Var& x, const Var&) { return x * 0.5f - 1u; }), -0.25, 0.5, 0);
  expect(slopes([](const Var& x, const Var&) { return 3 / x; }), 2.0, -3.0 / 2.25, 0);
}

TEST(Var, CompoundAssignment) {
  expect(slopes([](Var x, const Var& y) {
           x += y;
           x *= y;
           x -= 1.0;
           x /= 2;
           return x;
         }),
         (2.2 * 0.7 - 1) / 2, 0.35, (1.5 + 1.4) / 2);
}

TEST(Var, CompoundAssignmentWithItself) {
  expect(slopes([](Var x, const Var&) { return x *= x; }), 2.25, 3, 0);
  expect(slopes([](Var x, const Var&) { return x += x; }), 3.0, 2, 0);
  expect(slopes([](Var x, const Var&) { return x -= x; }), 0.0, 0, 0);
  expect(slopes([](Var x, const Var&) { return x /= x; }), 1.0, 0, 0);
}

TEST(Var, ComparisonsLookAtValues) {
  const Var a = 1.0;
  const Var b = 2.0;
  EXPECT_TRUE(a < b && a <= b && b > a && b >= a && a != b && a == a);
  EXPECT_FALSE(b < a || b <= a || a > b || a >= b || a == b || a != a);
  EXPECT_TRUE(a < 1.5 && 1.5 < b && a == 1.0 && 1 == a && a != 2);
}

TEST(Var, BranchesDifferentiateTheSideTaken) {
  const auto f = [](const auto& x) { return x[0] > 0.0 ? x[0] * x[0] : -3.0 * x[0]; };
  EXPECT_EQ(gradient(f, {2.0})[0], 4.0);
  EXPECT_EQ(gradient(f, {-2.0})[0], -3.0);
}

TEST(Var, ConstantsRecordNothing) {
  Tape tape;
  const Recording recording(tape);
  const Var a = 2.0;
  const Var b = exp(a) * 3.0 + a;
  EXPECT_FALSE(b.active());
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_DOUBLE_EQ(b.value(), std::exp(2.0) * 3.0 + 2.0);
  const Vars x = inputs(tape, {1.0});
  EXPECT_TRUE((x[0] + b).active());
  EXPECT_EQ(tape.size(), 2u);
}

TEST(Var, AConstantNeedsNoRecording) {
  EXPECT_DOUBLE_EQ((sin(Var(0.5)) + 1.0).value(), std::sin(0.5) + 1.0);
  EXPECT_EQ(Var().value(), 0.0);
}

TEST(Var, ConvertsToDoubleOnlyWhenAsked) {
  EXPECT_FALSE((std::is_convertible_v<Var, double>));
  EXPECT_TRUE((std::is_convertible_v<double, Var>));
  EXPECT_EQ(static_cast<double>(Var(2.5)), 2.5);
}

TEST(Var, IsSmallAndTriviallyCopyable) {
  EXPECT_LE(sizeof(Var), 16u);
  EXPECT_TRUE(std::is_trivially_copyable_v<Var>);
}

TEST(Var, PrintsItsValue) {
  std::ostringstream out;
  out << Var(2.5);
  EXPECT_EQ(out.str(), "2.5");
}

TEST(Var, HasTheLimitsOfDouble) {
  EXPECT_EQ(std::numeric_limits<Var>::epsilon(), std::numeric_limits<double>::epsilon());
  EXPECT_TRUE(isinf(Var(std::numeric_limits<Var>::infinity())));
  EXPECT_TRUE(isnan(Var(std::nan(""))));
  EXPECT_TRUE(isfinite(Var(1.0)));
}

TEST(Var, LivesInStandardContainersAndAlgorithms) {
  const auto f = [](const Vars& x) {
    Vars sorted = x;
    std::sort(sorted.begin(), sorted.end());
    const Var total = std::accumulate(x.begin(), x.end(), Var(0.0));
    return sorted.back() * sorted.front() +
           total * std::inner_product(x.begin(), x.end(), x.begin(), Var(0.0));
  };
  const std::vector<double> x0{3.0, 1.0, 2.0};
  const std::vector<double> g = gradient(f, x0);
  const double total = 6.0;
  const double squares = 14.0;
  EXPECT_DOUBLE_EQ(g[0], 1.0 + squares + 2 * total * 3.0);
  EXPECT_DOUBLE_EQ(g[1], 3.0 + squares + 2 * total * 1.0);
  EXPECT_DOUBLE_EQ(g[2], squares + 2 * total * 2.0);
}

// One instantiation with double, one with Var: `using std::f` and argument-dependent lookup.
template <class T>
std::vector<T> cmath(const T& x) {
  using std::abs, std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atanh, std::cbrt,
      std::ceil, std::cos, std::cosh, std::erf, std::erfc, std::exp, std::exp2, std::expm1,
      std::fabs, std::floor, std::log, std::log10, std::log1p, std::log2, std::sin, std::sinh,
      std::sqrt, std::tan, std::tanh, std::trunc;
  return {abs(x),  acos(x),  acosh(x + 1.0), asin(x),  asinh(x), atan(x),  atanh(x),
          cbrt(x), ceil(x),  cos(x),         cosh(x),  erf(x),   erfc(x),  exp(x),
          exp2(x), expm1(x), fabs(x),        floor(x), log(x),   log10(x), log1p(x),
          log2(x), sin(x),   sinh(x),        sqrt(x),  tan(x),   tanh(x),  trunc(x)};
}
template <class T>
std::vector<T> cmath2(const T& x, const T& y) {
  using std::atan2, std::copysign, std::fmax, std::fmin, std::fmod, std::hypot, std::max, std::min,
      std::pow;
  return {atan2(x, y), copysign(x, y), fmax(x, y), fmin(x, y),    fmod(x, y),
          hypot(x, y), max(x, y),      min(x, y),  pow(x, y),     pow(x, 2),
          pow(x, 2.5), pow(2.0, y),    pow(x, -1), atan2(x, T(2))};
}

template <class F>
void expect_follows_double(const F& f, const std::vector<double>& x0) {
  const auto values = f(x0);
  const auto jacobian_rows = jacobian(f, x0);
  ASSERT_EQ(jacobian_rows.size(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < x0.size(); ++j) {
      const double expected = testing::difference_quotient(
          [&](double h) {
            std::vector<double> x = x0;
            x[j] += h;
            return f(x)[i];
          },
          1e-3);
      EXPECT_NEAR(jacobian_rows[i][j], expected, 1e-8 * (1 + std::abs(expected)))
          << "function " << i << ", argument " << j;
    }
  }
}

TEST(Cmath, FollowsTheFunctionsOfDouble) {
  expect_follows_double([](const auto& x) { return cmath(x[0]); }, {0.37});
  expect_follows_double([](const auto& x) { return cmath2(x[0], x[1]); }, {1.37, 0.81});
}

// The overload of every op of the table, against the table's own partials.
TEST(Overloads, OfTheWholeTable) {
  using Overload = std::function<Var(const Var&, const Var&)>;
  const Overload overloads[] = {
#define UNARY(name, ...) [](const Var& x, const Var&) { return name(x); },
#define BINARY(name, ...) [](const Var& x, const Var& y) { return name(x, y); },
#include "ops/elementwise.def"
  };
  std::size_t at = 0;
  for (const testing::TableRow& row : testing::table()) {
    const Overload& f = overloads[at++];
    for (const auto& [x, y] : testing::samples(row)) {
      const auto [value, g] =
          value_and_gradient([&f](const Vars& v) { return f(v[0], v[1]); }, {x, y});
      for (int k = 0; k < row.arity; ++k) {
        if (!row.differentiable_in(k)) continue;
        EXPECT_EQ(g[static_cast<std::size_t>(k)],
                  row.partial[static_cast<std::size_t>(k)](x, y, value))
            << op_name(row.op) << ", operand " << k;
      }
      if (row.arity == 1) {
        EXPECT_EQ(g[1], 0.0);
      }
    }
  }
}

TEST(Overloads, TakeDoublesOnEitherSide) {
  expect(slopes([](const Var& x, const Var&) { return hypot(x, 2.0); }), 2.5, 0.6, 0);
  expect(slopes([](const Var&, const Var& y) { return maximum(0.1, y); }), 0.7, 0, 1);
}

TEST(Gradient, AZeroAdjointStopsAnInfinitePartial) {
  const auto f = [](const auto& x) { return 0.0 * sqrt(x[0]) + x[0]; };
  EXPECT_EQ(gradient(f, {0.0})[0], 1.0);
}

}  // namespace
}  // namespace tapegrad
