// Every line of elementwise.def: its partials against its value, in numbers, in complex numbers and
// in dual numbers; its kernels against its formulas.
#include "ops/elementwise.hpp"

#include <gtest/gtest.h>

#include <string>

#include "table.hpp"

namespace tapegrad {
namespace {

using testing::samples;
using testing::table;
using testing::TableRow;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<TableRow> complex_rows() {
  std::vector<TableRow> rows = table();
  std::erase_if(rows, [](const TableRow& row) { return !row.complex; });
  return rows;
}
std::string row_name(const ::testing::TestParamInfo<TableRow>& info) {
  return std::string(op_name(info.param.op));
}

class Elementwise : public ::testing::TestWithParam<TableRow> {};
INSTANTIATE_TEST_SUITE_P(Table, Elementwise, ::testing::ValuesIn(table()), row_name);

class ComplexElementwise : public ::testing::TestWithParam<TableRow> {};
INSTANTIATE_TEST_SUITE_P(Table, ComplexElementwise, ::testing::ValuesIn(complex_rows()), row_name);

template <class T>
T value(Op op, T x, T y) {
  std::array<Array, 2> in{Array::scalar(x), Array::scalar(y)};
  return elementwise_value(op, std::span<const Array>(in.data(), arity_of(op))).at<T>();
}

// The partial by the kernel: a pull of adjoint 1.
template <class T>
T partial(Op op, int operand, T x, T y) {
  const Array out = Array::zeros(dtype_of<T>(), {});
  pull({op,
        operand,
        Array::scalar(T(1)),
        Array::scalar(x),
        Array::scalar(y),
        Array::scalar(value(op, x, y)),
        {},
        {},
        {},
        {}},
       out, false);
  return out.at<T>();
}

// d value / d operand without the table's partials: by the complex step where formulas are
// analytic, else by differences.
double slope(const TableRow& row, int operand, double x, double y) {
  if (row.complex) {
    const double h = 1e-30;
    const Complex step(0, h);
    const Complex cx = operand == 0 ? x + step : x;
    const Complex cy = operand == 1 ? y + step : y;
    return value<Complex>(row.op, cx, cy).imag() / h;
  }
  return testing::difference_quotient(
      [&](double h) { return value(row.op, operand == 0 ? x + h : x, operand == 1 ? y + h : y); },
      1e-2);
}

TEST_P(Elementwise, PartialsAreTheSlopesOfTheValue) {
  const TableRow& row = GetParam();
  if (row.op == Op::nextafter) return;  // steps the size of rounding: slope 0 by convention
  const double tolerance = row.complex ? 1e-13 : 1e-9;
  for (const auto& [x, y] : samples(row)) {
    for (int k = 0; k < row.arity; ++k) {
      if (!row.differentiable_in(k)) continue;
      const double expected = slope(row, k, x, y);
      EXPECT_NEAR(partial(row.op, k, x, y), expected, tolerance * (1 + std::abs(expected)))
          << "operand " << k << " at (" << x << ", " << y << ")";
    }
  }
}

TEST_P(ComplexElementwise, PartialsAreTheSlopesOfTheValue) {
  const TableRow& row = GetParam();
  for (const auto& [x, y] : samples(row)) {
    const Complex z(x, 0.3);
    const Complex w(y, -0.2);
    for (int k = 0; k < row.arity; ++k) {
      if (!row.differentiable_in(k)) continue;
      const Complex expected = testing::difference_quotient(
          [&](double h) { return value<Complex>(row.op, k == 0 ? z + h : z, k == 1 ? w + h : w); },
          1e-2);
      const Complex got = partial<Complex>(row.op, k, z, w);
      EXPECT_LE(std::abs(got - expected), 1e-8 * (1 + std::abs(expected)))
          << "operand " << k << " at " << z << ", " << w << ": " << got << " for " << expected;
    }
  }
}

TEST_P(Elementwise, SinglePrecisionKernelsFollowDoubles) {
  const TableRow& row = GetParam();
  for (const auto& [x, y] : samples(row)) {
    const auto fx = static_cast<float>(x);
    const auto fy = static_cast<float>(y);
    const double expected = value<double>(row.op, fx, fy);
    EXPECT_NEAR(value(row.op, fx, fy), expected, 2e-6 * (1 + std::abs(expected)));
    for (int k = 0; k < row.arity; ++k) {
      if (!row.differentiable_in(k)) continue;
      const double slope = partial<double>(row.op, k, fx, fy);
      EXPECT_NEAR(partial(row.op, k, fx, fy), slope, 3e-5 * (1 + std::abs(slope)));
    }
  }
}

// The tangent of a pull is the slope of the partial: along x and y at once, as 1 and -0.5.
TEST_P(Elementwise, DualPullsAreSlopesOfPartials) {
  const TableRow& row = GetParam();
  for (const auto& [x, y] : samples(row)) {
    const double x_t = row.differentiable_in(0) ? 1.0 : 0.0;
    const double y_t = row.arity == 2 && row.differentiable_in(1) ? -0.5 : 0.0;
    double r_t = x_t == 0.0 ? 0.0 : partial(row.op, 0, x, y) * x_t;
    if (y_t != 0.0) r_t += partial(row.op, 1, x, y) * y_t;
    for (int k = 0; k < row.arity; ++k) {
      if (!row.differentiable_in(k)) continue;
      const Array out = Array::zeros(DType::f64, {});
      const Array out_t = Array::zeros(DType::f64, {});
      pull_dual({row.op,
                 k,
                 Array::scalar(1.0),
                 Array::scalar(x),
                 Array::scalar(y),
                 Array::scalar(value(row.op, x, y)),
                 {},
                 Array::scalar(x_t),
                 Array::scalar(y_t),
                 Array::scalar(r_t)},
                out, out_t, false);
      EXPECT_DOUBLE_EQ(out.at<double>(), partial(row.op, k, x, y));
      const double expected = testing::difference_quotient(
          [&](double h) { return partial(row.op, k, x + h * x_t, y + h * y_t); }, 1e-2);
      EXPECT_NEAR(out_t.at<double>(), expected, 1e-7 * (1 + std::abs(expected)))
          << "operand " << k << " at (" << x << ", " << y << ")";
    }
  }
}

TEST_P(Elementwise, PartialsReadOnlyWhatTheySay) {
  const TableRow& row = GetParam();
  for (const auto& [x, y] : samples(row)) {
    const double r = value(row.op, x, y);
    for (int k = 0; k < row.arity; ++k) {
      if (!row.differentiable_in(k)) continue;
      const unsigned needs = partial_info(row.op).needs[k];
      const auto kept = [needs](unsigned need, double v) { return needs & need ? v : kNan; };
      const double expected = row.partial[k](x, y, r);
      EXPECT_EQ(row.partial[k](kept(kNeedsX, x), kept(kNeedsY, y), kept(kNeedsResult, r)),
                expected);
      if (partial_info(row.op).constant[k]) {
        EXPECT_EQ(partial_info(row.op).value[k], expected);
        EXPECT_EQ(needs, 0u);
      }
    }
  }
}

TEST_P(Elementwise, AZeroAdjointStops) {
  const TableRow& row = GetParam();
  const Array nan = Array::scalar(kNan);
  for (int k = 0; k < row.arity; ++k) {
    const Array out = Array::scalar(1.5);
    pull({row.op, k, Array::scalar(0.0), nan, nan, nan, {}, {}, {}, {}}, out, true);
    EXPECT_EQ(out.at<double>(), 1.5);
  }
}

// Arrays of three samples, each of x, y, result and adjoint contiguous, reversed or repeated.
enum class Layout { contiguous, reversed, repeated };

Array laid_out(const std::array<double, 3>& v, Layout layout) {
  const Array a = Array::empty(DType::f64, {3});
  for (int i = 0; i < 3; ++i) {
    a.at<double>(i) = layout == Layout::repeated ? v[0] : v[layout == Layout::reversed ? 2 - i : i];
  }
  if (layout == Layout::reversed) return a.view({3}, {-8}, a.data() + 16);
  if (layout == Layout::repeated) return a.view({3}, {0}, a.data());
  return a;
}
double element(const Array& a, int i) {
  return *reinterpret_cast<double*>(a.data() + i * a.strides()[0]);
}

TEST_P(Elementwise, PullsTakeAnyStridesAndAccumulate) {
  const TableRow& row = GetParam();
  const auto points = samples(row);
  const std::array<double, 3> xs{points[0][0], points[2][0], points[4][0]};
  const std::array<double, 3> ys{points[0][1], points[2][1], points[4][1]};
  for (const Layout lx : {Layout::contiguous, Layout::reversed, Layout::repeated}) {
    for (const Layout ly : {Layout::contiguous, Layout::reversed, Layout::repeated}) {
      const Array x = laid_out(xs, lx);
      const Array y = laid_out(ys, ly);
      const std::array<Array, 2> in{x, y};
      const Array r = elementwise_value(row.op, std::span<const Array>(in.data(), row.arity));
      const Array adjoint = laid_out({0.5, -1.0, 2.0}, ly);
      for (int k = 0; k < row.arity; ++k) {
        if (!row.differentiable_in(k)) continue;
        const Array out = Array::full(DType::f64, {3}, 10.0);
        pull({row.op, k, adjoint, x, y, r, {}, {}, {}, {}}, out, true);
        for (int i = 0; i < 3; ++i) {
          const double p = partial(row.op, k, element(x, i), element(y, i));
          EXPECT_NEAR(out.at<double>(i), 10.0 + element(adjoint, i) * p, 1e-12 * (1 + std::abs(p)));
        }
      }
    }
  }
}

struct Kink {
  Op op;
  double x, y;
  std::array<double, 2> partials;
};
TEST(Kinks, FollowTheConventionsOfTheTable) {
  const Kink kinks[] = {
      {Op::maximum, 2, 2, {0.5, 0.5}}, {Op::minimum, 2, 2, {0.5, 0.5}},
      {Op::fmax, -1, -1, {0.5, 0.5}},  {Op::fmin, -1, -1, {0.5, 0.5}},
      {Op::maximum, 3, 2, {1, 0}},     {Op::minimum, 3, 2, {0, 1}},
      {Op::fmax, kNan, 2, {0, 1}},     {Op::fmin, 2, kNan, {1, 0}},
      {Op::absolute, 0, 0, {0, 0}},    {Op::sign, 0, 0, {0, 0}},
      {Op::hypot, 0, 0, {0, 0}},       {Op::arctan2, 0, 0, {0, 0}},
      {Op::power, 0, 2, {0, 0}},       {Op::power, 0, 0, {0, 0}},
      {Op::power, 0, 1, {1, 0}},       {Op::power, -2, 3, {12, kNan}},
      {Op::floor, 2, 0, {0, 0}},       {Op::heaviside, 0, 0.5, {0, 1}},
      {Op::sinc, 0, 0, {0, 0}},        {Op::i0, 0, 0, {0, 0}},
      {Op::logaddexp, 1e4, 0, {1, 0}}, {Op::expit, -1e4, 0, {0, 0}},
  };
  for (const Kink& kink : kinks) {
    for (int k = 0; k < arity_of(kink.op); ++k) {
      const double got = partial(kink.op, k, kink.x, kink.y);
      if (std::isnan(kink.partials[k])) {
        EXPECT_TRUE(std::isnan(got)) << op_name(kink.op);
      } else {
        EXPECT_EQ(got, kink.partials[k])
            << op_name(kink.op) << " of (" << kink.x << ", " << kink.y << "), operand " << k;
      }
    }
  }
}

TEST(ElementwiseValue, BroadcastsAndReuses) {
  const Array column = Array::full(DType::f64, {2, 1}, 3.0);
  const Array row = Array::full(DType::f64, {4}, 5.0);
  const std::array<Array, 2> in{column, row};
  const Array sum = elementwise_value(Op::add, in);
  EXPECT_EQ(sum.shape(), (Dims{2, 4}));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(sum.at<double>(i), 8.0);
  const std::array<Array, 2> same{sum, row};
  const Array reuse = Array::empty(DType::f64, {2, 4});
  EXPECT_TRUE(elementwise_value(Op::multiply, same, reuse).same_block(reuse));
  EXPECT_EQ(reuse.at<double>(7), 40.0);
}

TEST(ElementwiseValue, ComparisonsGiveBooleans) {
  const std::array<Array, 2> in{Array::scalar(1.0), Array::scalar(2.0)};
  const Array less = elementwise_value(Op::less, in);
  EXPECT_EQ(less.dtype(), DType::b8);
  EXPECT_TRUE(less.at<bool>());
  EXPECT_FALSE(elementwise_value(Op::equal, in).at<bool>());
}

TEST(ElementwiseDType, IntegersComputeInDoublesButForArithmetic) {
  EXPECT_EQ(elementwise_dtype(Op::sin, DType::i64), DType::f64);
  EXPECT_EQ(elementwise_dtype(Op::add, DType::i64), DType::i64);
  EXPECT_EQ(elementwise_dtype(Op::add, DType::b8), DType::f64);
  EXPECT_EQ(elementwise_dtype(Op::signbit, DType::b8), DType::b8);
  EXPECT_EQ(elementwise_dtype(Op::sin, DType::f32), DType::f32);
  EXPECT_EQ(elementwise_dtype(Op::less, DType::i64), DType::i64);
}

TEST(ElementwiseDType, WhatHasNoComplexFormulaIsRefusedByName) {
  try {
    elementwise_dtype(Op::floor, DType::c128);
    FAIL();
  } catch (const Unsupported& e) {
    EXPECT_NE(std::string(e.what()).find("floor"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("complex128"), std::string::npos);
  }
}

}  // namespace
}  // namespace tapegrad
