// gradient, jvp, vjp, hvp and jacobian: against the complex step, against each other, and by the
// order at which differences converge. The functions are those of the benchmarks.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "reference.hpp"
#include "tapegrad/tapegrad.hpp"
#include "workloads.hpp"

namespace tapegrad {
namespace {

using Vector = std::vector<double>;

Vector direction(std::size_t n, std::uint64_t seed) { return bench::noise(n, seed); }

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
double dot_of_sizes(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(),
                            [](double x, double y) { return std::abs(x * y); });
}
Vector moved(const Vector& x, const Vector& v, double h) {
  Vector sum = x;
  for (std::size_t i = 0; i < x.size(); ++i) sum[i] += h * v[i];
  return sum;
}
Vector unit(std::size_t n, std::size_t i) {
  Vector e(n, 0.0);
  e[i] = 1.0;
  return e;
}

// Calls check(name, f, x) for each function of the benchmarks at small size.
template <class Check>
void for_each_function(Check&& check) {
  bench::for_each_workload(/*small=*/true, [&](const std::string& name, const auto& f, Vector x) {
    SCOPED_TRACE(name);
    check(f, x);
  });
}

TEST(Gradient, IsTheComplexStepInEveryCoordinate) {
  for_each_function([](const auto& f, const Vector& x) {
    const auto [value, g] = value_and_gradient(f, x);
    EXPECT_DOUBLE_EQ(value, f(x));
    ASSERT_EQ(g.size(), x.size());
    const double size = std::sqrt(dot(g, g));
    for (std::size_t i = 0; i < std::min<std::size_t>(x.size(), 40); ++i) {
      EXPECT_NEAR(g[i], bench::complex_step(f, x, unit(x.size(), i)), 1e-12 * size) << i;
    }
  });
}

TEST(Jvp, IsTheGradientAlongTheDirection) {
  for_each_function([](const auto& f, const Vector& x) {
    const Vector v = direction(x.size(), 3);
    const Vector g = gradient(f, x);
    const Vector slope = jvp(f, x, v);
    ASSERT_EQ(slope.size(), 1u);
    EXPECT_NEAR(slope[0], dot(g, v), 1e-13 * dot_of_sizes(g, v));
  });
}

TEST(Vjp, IsTheGradientTimesTheCotangent) {
  for_each_function([](const auto& f, const Vector& x) {
    const Vector g = gradient(f, x);
    const Vector scaled = vjp(f, x, {-2.0});
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_DOUBLE_EQ(scaled[i], -2.0 * g[i]);
  });
}

// Central differences of the gradient approach H v with error c h^2: halving h divides it by 4.
TEST(Hvp, IsTheLimitOfDifferencesAtSecondOrder) {
  for_each_function([](const auto& f, const Vector& x) {
    const Vector v = direction(x.size(), 4);
    const Vector product = hvp(f, x, v);
    const auto error = [&](double h) {
      const Vector up = gradient(f, moved(x, v, h));
      const Vector down = gradient(f, moved(x, v, -h));
      double sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        sum += std::pow((up[i] - down[i]) / (2 * h) - product[i], 2);
      }
      return std::sqrt(sum);
    };
    const double coarse = error(2e-3);
    const double fine = error(1e-3);
    const double floor = 1e-9 * (1 + std::sqrt(dot(product, product)));
    EXPECT_LE(fine, std::max(0.3 * coarse, floor));
    if (coarse > 100 * floor) {
      EXPECT_NEAR(std::log2(coarse / fine), 2.0, 0.1);
    }
  });
}

TEST(Hvp, IsSymmetric) {
  for_each_function([](const auto& f, const Vector& x) {
    const Vector u = direction(x.size(), 5);
    const Vector v = direction(x.size(), 6);
    const Vector hu = hvp(f, x, u);
    const Vector hv = hvp(f, x, v);
    EXPECT_NEAR(dot(hu, v), dot(hv, u), 1e-12 * (dot_of_sizes(hu, v) + dot_of_sizes(hv, u)));
  });
}

// R^5 -> R^m with a dense Jacobian.
struct Map {
  std::size_t outputs;

  template <class T>
  std::vector<T> operator()(const std::vector<T>& x) const {
    using std::exp;
    using std::sin;
    std::vector<T> y;
    for (std::size_t i = 0; i < outputs; ++i) {
      T sum = 0.1 * static_cast<double>(i);
      for (std::size_t j = 0; j < x.size(); ++j) {
        sum += sin(x[j] * (1.0 + static_cast<double>(i))) * exp(0.3 * x[(i + j) % x.size()]);
      }
      y.push_back(sum);
    }
    return y;
  }
};
const Vector kPoint{0.3, -0.7, 1.1, 0.2, -0.4};

// Fewer outputs than inputs, more, and more of either than lanes of one sweep.
class JacobianOf : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Outputs, JacobianOf, ::testing::Values(1, 3, 5, 8, 9, 20));

TEST_P(JacobianOf, HasTheComplexStepsAsEntries) {
  const Map f{GetParam()};
  const auto j = jacobian(f, kPoint);
  ASSERT_EQ(j.size(), GetParam());
  for (std::size_t row = 0; row < j.size(); ++row) {
    ASSERT_EQ(j[row].size(), kPoint.size());
    const auto component = [&](const auto& x) { return f(x)[row]; };
    for (std::size_t column = 0; column < kPoint.size(); ++column) {
      const double expected = bench::complex_step(component, kPoint, unit(kPoint.size(), column));
      EXPECT_NEAR(j[row][column], expected, 1e-13 * (1 + std::abs(expected)));
    }
  }
}

TEST_P(JacobianOf, AgreesWithItsProducts) {
  const Map f{GetParam()};
  const auto j = jacobian(f, kPoint);
  const Vector v = direction(kPoint.size(), 7);
  const Vector w = direction(GetParam(), 8);
  const Vector pushed = jvp(f, kPoint, v);
  const Vector pulled = vjp(f, kPoint, w);
  Vector expected_pull(kPoint.size(), 0.0);
  for (std::size_t row = 0; row < j.size(); ++row) {
    EXPECT_NEAR(pushed[row], dot(j[row], v), 1e-13 * (1 + std::abs(pushed[row])));
    for (std::size_t i = 0; i < kPoint.size(); ++i) expected_pull[i] += w[row] * j[row][i];
  }
  for (std::size_t i = 0; i < kPoint.size(); ++i) {
    EXPECT_NEAR(pulled[i], expected_pull[i], 1e-13 * (1 + std::abs(pulled[i])));
  }
  EXPECT_NEAR(dot(w, pushed), dot(pulled, v), 1e-13 * dot_of_sizes(pulled, v));
}

TEST(Jacobian, OfConstantsAndOfInputsThemselves) {
  const auto f = [](const auto& x) {
    using T = std::decay_t<decltype(x[0])>;
    return std::vector<T>{x[1], T(4.0), x[0], x[0]};
  };
  const std::vector<Vector> expected{{0, 1}, {0, 0}, {1, 0}, {1, 0}};
  EXPECT_EQ(jacobian(f, {2.0, 3.0}), expected);
  EXPECT_EQ(jvp(f, {2.0, 3.0}, {5.0, 7.0}), (Vector{7, 0, 5, 5}));
  EXPECT_EQ(vjp(f, {2.0, 3.0}, {1.0, 10.0, 100.0, 1000.0}), (Vector{1100, 1}));
}

TEST(Derivatives, OfAConstantAreZero) {
  const auto f = [](const auto& x) {
    using T = std::decay_t<decltype(x[0])>;
    return T(3.0);
  };
  EXPECT_EQ(value_and_gradient(f, {1.0, 2.0}), (std::pair<double, Vector>{3.0, {0.0, 0.0}}));
  EXPECT_EQ(hvp(f, {1.0, 2.0}, {1.0, 1.0}), (Vector{0.0, 0.0}));
  EXPECT_EQ(jvp(f, {1.0, 2.0}, {1.0, 1.0}), Vector{0.0});
}

TEST(Derivatives, OfAnInputItself) {
  const auto f = [](const auto& x) { return x[1]; };
  EXPECT_EQ(value_and_gradient(f, {1.0, 2.0}), (std::pair<double, Vector>{2.0, {0.0, 1.0}}));
}

TEST(Derivatives, OfNoInputs) {
  const auto f = [](const auto& x) {
    using T = typename std::decay_t<decltype(x)>::value_type;
    return T(1.0);
  };
  EXPECT_TRUE(gradient(f, Vector{}).empty());
}

// An adjoint that vanishes at an infinite slope: the slope is lost, unless the element was left
// out.
TEST(Derivatives, AreNanWhereASlopeIsLost) {
  const auto lost = [](const auto& x) {
    using std::sqrt;
    return sqrt(x[0]) * sqrt(x[0]) + x[1];
  };
  EXPECT_TRUE(std::isnan(gradient(lost, {0.0, 1.0})[0]));
  EXPECT_EQ(gradient(lost, {0.0, 1.0})[1], 1.0);
  EXPECT_TRUE(std::isnan(hvp(lost, {0.0, 1.0}, {1.0, 1.0})[0]));
  EXPECT_EQ(gradient(lost, {4.0, 1.0}), (Vector{1.0, 1.0}));

  const auto rows = [](const auto& x) {
    using std::sqrt;
    using T = std::decay_t<decltype(x[0])>;
    return std::vector<T>{sqrt(x[0]) * sqrt(x[0]), x[1] * x[1]};
  };
  const auto j = jacobian(rows, {0.0, 3.0});
  EXPECT_TRUE(std::isnan(j[0][0]));
  EXPECT_EQ(j[0][1], 0.0);
  EXPECT_EQ(j[1], (Vector{0.0, 6.0}));
}

TEST(Derivatives, HandNothingToWhatWasLeftOut) {
  const auto larger = [](const auto& x) {
    using std::max;
    using std::sqrt;
    using T = std::decay_t<decltype(x[0])>;
    return max(sqrt(x[0]), T(1.0)) + sqrt(max(x[1], T(0.0))) + 0.0 * sqrt(x[0]);
  };
  EXPECT_EQ(gradient(larger, {0.0, -1.0}), (Vector{0.0, 0.0}));
  EXPECT_EQ(hvp(larger, {0.0, -1.0}, {0.0, 0.0}), (Vector{0.0, 0.0}));
}

TEST(Derivatives, OfANormWrittenOutAreZeroAtTheOrigin) {
  const auto norm = [](const auto& x) {
    using std::sqrt;
    return sqrt(x[0] * x[0] + x[1] * x[1]);
  };
  EXPECT_EQ(gradient(norm, {0.0, 0.0}), (Vector{0.0, 0.0}));
  EXPECT_EQ(jvp(norm, {0.0, 0.0}, {1.0, 2.0}), Vector{0.0});
  EXPECT_EQ(hvp(norm, {0.0, 0.0}, {1.0, 2.0}), (Vector{0.0, 0.0}));
  EXPECT_DOUBLE_EQ(gradient(norm, {3.0, 4.0})[0], 0.6);
}

TEST(Derivatives, RefuseSizesThatDoNotFit) {
  const auto f = [](const auto& x) { return x[0] * x[1]; };
  const Map several{3};
  EXPECT_THROW(jvp(f, {1.0, 2.0}, {1.0}), Error);
  EXPECT_THROW(vjp(f, {1.0, 2.0}, {1.0, 1.0}), Error);
  EXPECT_THROW(hvp(f, {1.0, 2.0}, {1.0, 1.0, 1.0}), Error);
  EXPECT_THROW(gradient(several, kPoint), Error);
  EXPECT_THROW(hvp(several, kPoint, kPoint), Error);
}

}  // namespace
}  // namespace tapegrad
