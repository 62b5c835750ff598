// Program and Function: the one-shot derivatives are the reference, for recordings are replayed
// with the same operations in the same order.
#include "tapegrad/program.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>
#include <sstream>
#include <thread>

#include "allocations.hpp"
#include "workloads.hpp"

namespace tapegrad {
namespace {

using Vector = std::vector<double>;
using Vars = std::vector<Var>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
double norm(const Vector& a) { return std::sqrt(dot(a, a)); }

// As far apart as sums in another order may be.
void expect_close(const Vector& got, const Vector& expected) {
  ASSERT_EQ(got.size(), expected.size());
  const double size = norm(expected);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-12 * size) << i;
}

Vector moved(Vector x, double by) {
  const Vector v = bench::noise(x.size(), 77);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += by * v[i];
  return x;
}

// R^n -> R^m with a dense Jacobian.
struct Map {
  std::size_t outputs;

  template <class T>
  std::vector<T> operator()(const std::vector<T>& x) const {
    using std::exp, std::sin;
    std::vector<T> y;
    for (std::size_t i = 0; i < outputs; ++i) {
      T sum = 0.1 * static_cast<double>(i);
      for (std::size_t j = 0; j < x.size(); ++j)
        sum += sin(x[j] * (1.0 + static_cast<double>(i))) * exp(0.3 * x[(i + j) % x.size()]);
      y.push_back(sum);
    }
    return y;
  }
};
const Vector kPoint{0.3, -0.7, 1.1, 0.2, -0.4};
const Vector kElsewhere{1.3, 0.2, -0.6, 0.9, 0.1};

Vector flat(const std::vector<Vector>& rows) {
  Vector all;
  for (const Vector& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// ---- the same numbers as in one shot ----

TEST(Program, AgreesWithOneShotDerivativesAtOtherPoints) {
  bench::for_each_workload(/*small=*/true, [](const std::string& name, const auto& f, Vector x0) {
    SCOPED_TRACE(name);
    const Program program(f, x0);
    EXPECT_EQ(program.inputs(), x0.size());
    EXPECT_EQ(program.outputs(), 1u);
    for (const double by : {0.0, 1e-3}) {  // too near to change the order of what is sorted
      const Vector x = moved(x0, by), v = bench::noise(x.size(), 5);
      Vector g(x.size());
      EXPECT_NEAR(program.value_and_gradient(x, g), f(x), 1e-13 * std::abs(f(x)));
      EXPECT_NEAR(program.value(x), f(x), 1e-13 * std::abs(f(x)));
      const Vector expected = gradient(f, x);
      expect_close(g, expected);
      expect_close(program.gradient(x), expected);
      expect_close(program.jacobian(x), expected);
      expect_close(program.vjp(x, Vector{-2.0}), vjp(f, x, {-2.0}));
      expect_close(program.hvp(x, v), hvp(f, x, v));
      EXPECT_NEAR(program.jvp(x, v)[0], dot(expected, v), 1e-12 * norm(expected) * norm(v));
    }
  });
}

class ProgramOfAMap : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Outputs, ProgramOfAMap, ::testing::Values(1, 2, 5, 9));

TEST_P(ProgramOfAMap, HasTheOneShotDerivatives) {
  const Map f{GetParam()};
  const Program program(f, kPoint);
  ASSERT_EQ(program.outputs(), GetParam());
  const Vector v = bench::noise(kPoint.size(), 7), w = bench::noise(GetParam(), 8);
  Vector y(GetParam());
  program.value(kElsewhere, y);
  expect_close(y, f(kElsewhere));
  expect_close(program.jvp(kElsewhere, v), jvp(f, kElsewhere, v));
  expect_close(program.vjp(kElsewhere, w), vjp(f, kElsewhere, w));
  expect_close(program.jacobian(kElsewhere), flat(jacobian(f, kElsewhere)));
}

TEST(Program, OfConstantsAndOfInputsThemselves) {
  const auto f = [](const Vars& x) { return Vars{x[1], Var(4.0), x[0], x[0]}; };
  const Program program(f, Vector{1.0, 1.0});
  const Vector x{2.0, 3.0};
  Vector y(4);
  program.value(x, y);
  EXPECT_EQ(y, (Vector{3, 4, 2, 2}));
  EXPECT_EQ(program.jacobian(x), (Vector{0, 1, 0, 0, 1, 0, 1, 0}));
  EXPECT_EQ(program.jvp(x, Vector{5.0, 7.0}), (Vector{7, 0, 5, 5}));
  EXPECT_EQ(program.vjp(x, Vector{1.0, 10.0, 100.0, 1000.0}), (Vector{1100, 1}));
}

TEST(Program, OfAConstant) {
  const Program program([](const Vars&) { return 3.0; }, Vector{1.0, 2.0});
  const Vector x{5.0, 6.0};
  EXPECT_EQ(program.value(x), 3.0);
  EXPECT_EQ(program.gradient(x), (Vector{0, 0}));
  EXPECT_EQ(program.hvp(x, x), (Vector{0, 0}));
  EXPECT_EQ(program.jacobian(x), (Vector{0, 0}));
}

TEST(Program, OfNoInputs) {
  const Program program([](const Vars&) { return Var(2.0); }, Vector{});
  EXPECT_EQ(program.inputs(), 0u);
  EXPECT_EQ(program.value(Vector{}), 2.0);
  EXPECT_TRUE(program.gradient(Vector{}).empty());
  EXPECT_TRUE(program.hvp(Vector{}, Vector{}).empty());
  EXPECT_TRUE(program.jacobian(Vector{}).empty());
  EXPECT_EQ(program.jvp(Vector{}, Vector{}), Vector{0});
}

TEST(Program, OfNoOutputs) {
  const Program program([](const Vars&) { return Vars{}; }, Vector{1.0, 2.0});
  const Vector x{1.0, 2.0};
  EXPECT_EQ(program.outputs(), 0u);
  EXPECT_TRUE(program.jvp(x, x).empty());
  EXPECT_EQ(program.vjp(x, Vector{}), (Vector{0, 0}));
  EXPECT_TRUE(program.jacobian(x).empty());
}

TEST(Program, OfNoInputsToSeveralOutputs) {
  const Program program([](const Vars&) { return Vars{Var(1.0), Var(2.0)}; }, Vector{});
  Vector y(2);
  program.value(Vector{}, y);
  EXPECT_EQ(y, (Vector{1, 2}));
  EXPECT_EQ(program.jvp(Vector{}, Vector{}), (Vector{0, 0}));
  EXPECT_TRUE(program.vjp(Vector{}, y).empty());
  EXPECT_TRUE(program.jacobian(Vector{}).empty());
}

TEST(Program, TakesAnyRangeOfOutputs) {
  const Program program([](const Vars& x) { return std::array<Var, 2>{x[0] * x[1], x[0]}; },
                        Vector{1.0, 2.0});
  EXPECT_EQ(program.jacobian(Vector{3.0, 4.0}), (Vector{4, 3, 1, 0}));
}

TEST(Program, TakesFunctionsOfSpans) {
  const auto f = [](std::span<const Var> x) { return x[0] * x[1]; };
  EXPECT_EQ(Program(f, Vector{1.0, 2.0}).gradient(Vector{3.0, 4.0}), (Vector{4, 3}));
}

TEST(Program, RunsTheFunctionOnce) {
  int calls = 0;
  const Program program(
      [&calls](const Vars& x) {
        ++calls;
        return exp(x[0]);
      },
      Vector{1.0});
  const Program copy = program;
  program.gradient(Vector{2.0});
  EXPECT_EQ(copy.value(Vector{0.0}), 1.0);
  EXPECT_EQ(calls, 1);
}

// ---- guards ----

Var folded(const Vars& x) { return x[0] < x[1] ? x[0] * x[1] : x[0] - 3.0 * x[1]; }

TEST(Program, RefusesAnotherBranch) {
  const Program program(folded, Vector{1.0, 2.0});
  EXPECT_EQ(program.guards(), 1u);
  EXPECT_EQ(program.value(Vector{2.0, 5.0}), 10.0);
  const Vector other{3.0, 2.0};
  EXPECT_THROW(program.value(other), BranchChanged);
  EXPECT_THROW(program.gradient(other), BranchChanged);
  EXPECT_THROW(program.jvp(other, other), BranchChanged);
  EXPECT_THROW(program.vjp(other, Vector{1.0}), BranchChanged);
  EXPECT_THROW(program.hvp(other, other), BranchChanged);
  EXPECT_THROW(program.jacobian(other), BranchChanged);
  EXPECT_EQ(program.value(Vector{2.0, 5.0}), 10.0);
}

TEST(Program, NamesTheComparisonThatChanged) {
  const auto f = [](const Vars& x) {
    Var sum = 0.0;
    for (const Var& v : x) sum += v > 0.0 ? v : -v;
    return sum;
  };
  const Program program(f, Vector{1.0, 1.0, -1.0});
  try {
    program.value(Vector{1.0, -1.0, -1.0});
    FAIL() << "the second comparison comes out otherwise";
  } catch (const BranchChanged& e) {
    EXPECT_EQ(e.which, 1u);
  }
}

TEST(Program, GuardsEveryWayToLookAtANumber) {
  const Vector one{1.0}, two{2.0}, nan{std::nan("")}, negative{-1.0};
  const auto changes = [&](const auto& look, const Vector& at) {
    const Program program([&](const Vars& x) { return look(x[0]) ? x[0] : 2.0 * x[0]; }, one);
    program.value(one);
    EXPECT_THROW(program.value(at), BranchChanged);
  };
  changes([](const Var& x) { return x == 1.0; }, two);
  changes([](const Var& x) { return x != 1.0; }, two);
  changes([](const Var& x) { return x < 1.5; }, two);
  changes([](const Var& x) { return x <= 1.5; }, two);
  changes([](const Var& x) { return x > 1.5; }, two);
  changes([](const Var& x) { return 1.5 >= x; }, two);
  changes([](const Var& x) { return x < 5.0; }, nan);
  changes([](const Var& x) { return isnan(x); }, nan);
  changes([](const Var& x) { return isfinite(x); }, nan);
  changes([](const Var& x) { return isinf(x); }, Vector{HUGE_VAL});
  changes([](const Var& x) { return signbit(x); }, negative);
  changes([](const Var& x) { return x.value() > 0; }, two);
  changes([](const Var& x) { return static_cast<double>(x) > 0; }, two);
}

TEST(Program, GuardsWhatAlgorithmsOfTheStandardLibraryCompare) {
  const auto f = [](const Vars& x) {
    Vars sorted = x;
    std::sort(sorted.begin(), sorted.end());
    return sorted.back() * sorted.front();
  };
  const Program program(f, Vector{3.0, 1.0, 2.0});
  EXPECT_EQ(program.gradient(Vector{5.0, -1.0, 2.0}), (Vector{-1, 5, 0}));
  EXPECT_THROW(program.value(Vector{1.0, 2.0, 3.0}), BranchChanged);
}

TEST(Program, DoesNotGuardConstantsPrintingOrRepetitions) {
  const auto f = [](const Vars& x) {
    std::ostringstream out;
    out << x[0];
    const Var constant = 2.0;
    if (constant < 3.0 && x[0] < 10.0 && x[0] < 10.0) return x[0];
    return constant;
  };
  EXPECT_EQ(Program(f, Vector{1.0}).guards(), 1u);
}

TEST(Program, OutsideOfItsRecordingAVarIsNotLookedAt) {
  Var escaped;
  const Program program([&escaped](const Vars& x) { return escaped = x[0]; }, Vector{1.0});
  EXPECT_THROW(escaped.value(), Error);
  EXPECT_THROW((void)(escaped < 2.0), Error);
  EXPECT_THROW(escaped * 2.0, Error);
}

TEST(Program, WithinAnotherRecording) {
  const auto inner = [](const Vars& u) { return u[0] > 0.0 ? exp(u[0]) : u[0]; };
  const auto outer = [&inner](const Vars& x) {
    const double slope = Program(inner, Vector{0.5}).gradient(Vector{0.5})[0];
    return x[0] > 1.0 ? slope * x[0] * x[0] : gradient(inner, {0.25})[0] * x[0];
  };
  const Program program(outer, Vector{2.0});
  EXPECT_EQ(program.guards(), 1u);
  EXPECT_DOUBLE_EQ(program.gradient(Vector{3.0})[0], 6.0 * std::exp(0.5));
  EXPECT_DOUBLE_EQ(gradient(outer, {3.0})[0], 6.0 * std::exp(0.5));
}

TEST(Program, AnInnerRecordingLooksAtTheOuterOne) {
  const auto outer = [](const Vars& x) {
    const auto inner = [&x](const Vars& u) { return x[0] > 1.0 ? u[0] * u[0] : u[0]; };
    return gradient(inner, {0.5})[0] * x[0];
  };
  const Program program(outer, Vector{2.0});
  EXPECT_EQ(program.value(Vector{3.0}), 3.0);
  EXPECT_THROW(program.value(Vector{0.5}), BranchChanged);
}

TEST(Program, LeavesNothingBehindWhenTheFunctionThrows) {
  const auto thrower = [](const Vars& x) -> Var {
    if (x[0] > 0.0) throw std::runtime_error("out of range");
    return x[0];
  };
  EXPECT_THROW(Program(thrower, Vector{1.0}), std::runtime_error);
  EXPECT_EQ(Program(thrower, Vector{-1.0}).value(Vector{-2.0}), -2.0);
}

// ---- threads, memory, errors ----

TEST(Program, ThreadsShareOne) {
  const Vector x0 = bench::around(0.0, 0.5, bench::GaussianMixture::parameters());
  const bench::GaussianMixture f{20};
  const Vector x = moved(x0, 1e-3), v = bench::noise(x.size(), 3);
  const Program reference(f, x0);
  const Vector expected_g = reference.gradient(x), expected_h = reference.hvp(x, v);
  const Program program(f, x0);  // its derivatives are made while the threads run
  std::vector<std::thread> threads;
  std::vector<int> equal(8, 0);
  for (int& count : equal)
    threads.emplace_back([&] {
      Vector g(x.size()), h(x.size());
      for (int k = 0; k < 50; ++k) {
        program.gradient(x, g);
        program.hvp(x, v, h);
        count += g == expected_g && h == expected_h;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(equal, std::vector<int>(8, 50));
}

TEST(Program, ReplaysTakeNothingFromTheHeap) {
  const Vector x = bench::around(0.5, 1.0, 30), v = bench::noise(30, 4);
  const Program program(bench::Rosenbrock{}, x);
  Vector out(30), y(1);
  const auto replay = [&] {
    program.value(x);
    program.value_and_gradient(x, out);
    program.jvp(x, v, y);
    program.vjp(x, y, out);
    program.hvp(x, v, out);
    program.jacobian(x, out);
  };
  replay();
  const std::size_t before = testing::allocations();
  for (int k = 0; k < 10; ++k) replay();
  EXPECT_EQ(testing::allocations(), before);
}

TEST(Program, RefusesSizesThatDoNotFit) {
  const Program one([](const Vars& x) { return x[0] * x[1]; }, Vector{1.0, 2.0});
  const Program several(Map{3}, kPoint);
  const Vector x{1.0, 2.0}, short_one{1.0};
  Vector out(2), longer(3);
  EXPECT_THROW(one.value(short_one), Error);
  EXPECT_THROW(one.gradient(x, longer), Error);
  EXPECT_THROW(one.gradient(short_one, out), Error);
  EXPECT_THROW(one.jvp(x, short_one), Error);
  EXPECT_THROW(one.vjp(x, x), Error);
  EXPECT_THROW(one.hvp(x, x, longer), Error);
  EXPECT_THROW(one.jacobian(x, longer), Error);
  EXPECT_THROW(several.value(kPoint), Error);
  EXPECT_THROW(several.gradient(kPoint), Error);
  EXPECT_THROW(several.hvp(kPoint, kPoint), Error);
}

// ---- Function ----

TEST(Function, RecordsOnceABranch) {
  const Function f(folded, Vector{1.0, 2.0});
  for (int k = 0; k < 3; ++k) {
    EXPECT_EQ(f.value(Vector{2.0, 5.0}), 10.0);
    EXPECT_EQ(f.value(Vector{5.0, 2.0}), -1.0);
    EXPECT_EQ(f.gradient(Vector{5.0, 2.0}), (Vector{1, -3}));
  }
  EXPECT_EQ(f.recordings(), 2u);
  EXPECT_EQ(f.traces(), 2u);
}

TEST(Function, ForgetsTheTraceThatWasNotUsedForLongest) {
  int calls = 0;
  const auto steps = [&calls](const Vars& x) {
    ++calls;
    return floor(x[0]).value() * x[0];
  };
  const Function f(steps, Vector{0.5}, 2);
  const auto slope = [&f](double x) { return f.gradient(Vector{x})[0]; };
  EXPECT_EQ(slope(1.5), 1.0);  // 0 1
  EXPECT_EQ(slope(0.5), 0.0);
  EXPECT_EQ(slope(2.5), 2.0);  // 0 2
  EXPECT_EQ(slope(0.25), 0.0);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(slope(1.5), 1.0);
  EXPECT_EQ(calls, 4);
  EXPECT_EQ(f.recordings(), 4u);
  EXPECT_EQ(f.traces(), 2u);
}

TEST(Function, ThreadsShareOne) {
  const Function f(folded, Vector{1.0, 2.0});
  std::vector<std::thread> threads;
  std::vector<int> right(8, 0);
  for (std::size_t t = 0; t < right.size(); ++t)
    threads.emplace_back([&f, &count = right[t], t] {
      for (int k = 0; k < 100; ++k) {
        const double a = static_cast<double>(t), b = static_cast<double>(k % 8);
        const Vector expected = a < b ? Vector{b, a} : Vector{1.0, -3.0};
        count += f.gradient(Vector{a, b}) == expected;
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(right, std::vector<int>(8, 100));
  EXPECT_LE(f.recordings(), 16u);  // threads may record the same branch at once
}

TEST(Function, RefusesABranchWithAnotherNumberOfOutputs) {
  const auto growing = [](const Vars& x) { return x[0] < 0.0 ? Vars{x[0]} : Vars{x[0], x[0]}; };
  const Function f(growing, Vector{-1.0});
  EXPECT_EQ(f.value(Vector{-2.0}), -2.0);
  EXPECT_THROW(f.value(Vector{1.0}), Error);
}

}  // namespace
}  // namespace tapegrad
