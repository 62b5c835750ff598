// Tapes that are kept, recordings that nest, and what goes wrong between them.
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <thread>

#include "tapegrad/tapegrad.hpp"
#include "workloads.hpp"

namespace tapegrad {
namespace {

using Vars = std::vector<Var>;
using Vector = std::vector<double>;

Vector gradient_on(Tape& tape, const Vector& at) {
  tape.clear();
  const Recording recording(tape);
  const Vars x = inputs(tape, at);
  const Var y = bench::Rosenbrock{}(x);
  return gradient(tape, y, x);
}

TEST(Tape, IsReusedWithoutATraceOfTheRecordingBefore) {
  Tape tape;
  const Vector small{0.5, -0.3};
  const Vector large = bench::around(0.5, 1.0, 200);
  const Vector expected = gradient(bench::Rosenbrock{}, small);
  EXPECT_EQ(gradient_on(tape, small), expected);
  gradient_on(tape, large);
  EXPECT_EQ(gradient_on(tape, small), expected);
  EXPECT_EQ(gradient_on(tape, large), gradient(bench::Rosenbrock{}, large));
}

TEST(Tape, OneRecordingServesManySweeps) {
  Tape tape;
  const Recording recording(tape);
  const Vars x = inputs(tape, {2.0, 3.0});
  const Var product = x[0] * x[1];
  const Var sum = x[0] + product;
  const NodeId nodes = tape.size();
  EXPECT_EQ(gradient(tape, sum, x), (Vector{4.0, 2.0}));
  EXPECT_EQ(gradient(tape, product, x), (Vector{3.0, 2.0}));
  EXPECT_EQ(adjoint(tape, {product, sum}, {10.0, 1.0}, x), (Vector{34.0, 22.0}));
  EXPECT_EQ(gradient(tape, sum, {product, x[1]}), (Vector{1.0, 2.0}));
  EXPECT_EQ(tape.size(), nodes);
}

TEST(Tape, TakesInputsLater) {
  Tape tape;
  const Recording recording(tape);
  const Vars x = inputs(tape, {2.0});
  const Var y = x[0] * x[0];
  const Vars z = inputs(tape, {5.0});
  const Var f = y * z[0];
  EXPECT_EQ(gradient(tape, f, {x[0], z[0]}), (Vector{20.0, 4.0}));
}

TEST(Recording, EndsWithItsScope) {
  Tape tape;
  Var x;
  {
    const Recording recording(tape);
    x = inputs(tape, {1.0})[0];
  }
  EXPECT_THROW(x * x, Error);
  EXPECT_EQ(x.value(), 1.0);
}

TEST(Recording, EndsWhenTheFunctionThrows) {
  const auto thrower = [](const Vars& x) -> Var {
    if (x[0] > 0.0) throw std::runtime_error("out of range");
    return x[0];
  };
  EXPECT_THROW(gradient(thrower, {1.0}), std::runtime_error);
  EXPECT_EQ(gradient(thrower, {-1.0}), Vector{1.0});
  EXPECT_EQ(gradient([](const Vars& x) { return x[0] * x[0]; }, {3.0}), Vector{6.0});
}

TEST(Recording, NestsAndReturnsToTheOuterTape) {
  Tape outer_tape;
  Tape inner_tape;
  const Recording outer(outer_tape);
  const Vars x = inputs(outer_tape, {3.0});
  const Var before = x[0] * x[0];
  {
    const Recording inner(inner_tape);
    const Vars u = inputs(inner_tape, {2.0});
    EXPECT_EQ(gradient(inner_tape, sin(u[0]), u)[0], std::cos(2.0));
  }
  const Var after = before * x[0];
  EXPECT_EQ(gradient(outer_tape, after, x)[0], 27.0);
}

// The inner derivative is a number: what it contributes is constant to the outer one.
TEST(Recording, AGradientWithinAGradient) {
  const auto inner = [](const auto& u) { return exp(u[0]) * u[0]; };
  const auto outer = [&inner](const Vars& x) { return x[0] * gradient(inner, {x[0].value()})[0]; };
  EXPECT_DOUBLE_EQ(gradient(outer, {0.5})[0], gradient(inner, {0.5})[0]);
}

TEST(Recording, TheSameFunctionWithinItself) {
  struct Recursive {
    Var operator()(const Vars& x) const {
      if (x[0] < 1.0) return x[0] * x[0];
      return x[0] * gradient(*this, {x[0].value() - 1.0})[0];
    }
  };
  EXPECT_DOUBLE_EQ(gradient(Recursive{}, {1.25})[0], 0.5);
  EXPECT_DOUBLE_EQ(gradient(Recursive{}, {0.25})[0], 0.5);
}

TEST(Recording, ThreadsAreIndependent) {
  const Vector at = bench::around(0.5, 1.0, 300);
  const Vector expected = gradient(bench::Rosenbrock{}, at);
  std::vector<std::thread> threads;
  std::vector<Vector> got(8);
  for (Vector& g : got) {
    threads.emplace_back([&g, &at] {
      for (int i = 0; i < 20; ++i) g = gradient(bench::Rosenbrock{}, at);
    });
  }
  for (std::thread& t : threads) t.join();
  for (const Vector& g : got) EXPECT_EQ(g, expected);
}

}  // namespace
}  // namespace tapegrad
