// Scalar code against an interpreter of the table: every op alone, in vectors and in chains, random
// programs, loops as Python code records them. All bit for bit.
#include <gtest/gtest.h>

#include "scalar_programs.hpp"

namespace tapegrad {
namespace {

using testing::add_random;
using testing::Draft;
using testing::faults;
using testing::random_program;
using testing::scalar_ops;

class ScalarOp : public ::testing::TestWithParam<Op> {};
INSTANTIATE_TEST_SUITE_P(Table, ScalarOp, ::testing::ValuesIn(scalar_ops()),
                         [](const auto& info) { return std::string(op_name(info.param)); });

TEST_P(ScalarOp, AloneAndManyGiveTheTablesValues) {
  for (const int count : {1, 3, 300, 700}) {
    std::mt19937 random(7);
    std::uniform_real_distribution<double> number(-3, 3);
    Draft draft;
    draft.input(1.0);
    draft.input(2.0);
    for (const double special : {0.0, -0.0, HUGE_VAL, -HUGE_VAL, nan}) draft.input(special);
    for (int i = 0; i < 200; ++i) draft.input(number(random));
    for (int i = 0; i < count; ++i)
      draft.keep(add_random(draft, GetParam(), [&] {
        return static_cast<Draft::Value>(random() % draft.inputs.size());
      }));
    EXPECT_EQ(faults(draft), 0) << count;
  }
}

bool has_order(Op op) {
  return kind_of(op) == OpKind::binary && std::isnan(partial_info(op).value[0]);
}

// x = op(x, a) again and again, through each operand.
TEST_P(ScalarOp, AChainGivesTheTablesValues) {
  const Op op = GetParam();
  for (int which = 0; which < arity_of(op); ++which) {
    Draft draft;
    for (int i = 0; i < 400; ++i) draft.input(1.0 + (i % 7) * (i % 5 == 0 ? 1.0 : 0.125));
    Draft::Value x = 5;
    for (Draft::Value i = 0; i < 400; ++i) {
      Draft::Value in[3] = {i, (i * 7) % 400, 399 - i};
      if (has_order(op) || op == Op::ldexp) in[0] = in[1] = 0;
      else in[which] = x;
      x = draft.add(op, in[0], in[1], in[2]);
      if (i % 100 == 99) draft.keep(x);
    }
    draft.keep(x);
    EXPECT_EQ(faults(draft), 0) << "through operand " << which;
  }
}

class RandomScalars : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomScalars, ::testing::Range(0u, 12u));

TEST_P(RandomScalars, EveryOpOfTheTable) {
  for (const std::uint32_t count : {1u, 20u, 191u, 192u, 3000u})
    EXPECT_EQ(faults(random_program(GetParam(), count, 30, scalar_ops())), 0) << count;
}
TEST_P(RandomScalars, DeepAndWide) {
  const std::vector<Op> ops{Op::add,    Op::subtract, Op::multiply, Op::scale,
                            Op::square, Op::maximum,  Op::less,     Op::where};
  for (const std::uint32_t reach : {1u, 2u, 10u, 300u, 5000u})
    EXPECT_EQ(faults(random_program(GetParam(), 10000, reach, ops)), 0) << reach;
}
// Few kinds of ops, so that roles are large, cyclic and tangled.
TEST_P(RandomScalars, FewRoles) {
  for (const std::uint32_t reach : {1u, 3u, 60u, 1000u}) {
    EXPECT_EQ(faults(random_program(GetParam(), 8000, reach, {Op::add})), 0) << reach;
    EXPECT_EQ(faults(random_program(GetParam(), 8000, reach, {Op::multiply, Op::add})), 0) << reach;
    EXPECT_EQ(faults(random_program(GetParam(), 3000, reach, {Op::tanh, Op::scale})), 0) << reach;
  }
}

// GARCH(1, 1): v' = omega + alpha e^2 + beta v; loss += log v + e^2 / v, and the way back.
Draft garch(std::uint32_t steps) {
  Draft draft;
  const auto omega = draft.input(0.1), alpha = draft.input(0.05), beta = draft.input(0.9);
  const auto zero = draft.input(0.0), one = draft.input(1.0);
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  std::vector<Draft::Value> e2, v{one};
  for (std::uint32_t t = 0; t < steps; ++t) {
    const double e = normal(random);
    e2.push_back(draft.input(e * e));
  }
  auto loss = zero, carried = zero, to_beta = zero;
  for (const auto e : e2) {
    const auto news = draft.add(Op::add, omega, draft.add(Op::multiply, alpha, e));
    v.push_back(draft.add(Op::add, news, draft.add(Op::multiply, beta, v.back())));
    const auto term =
        draft.add(Op::add, draft.add(Op::log, v.back()), draft.add(Op::divide, e, v.back()));
    loss = draft.add(Op::add, loss, term);
  }
  for (std::uint32_t t = steps; t-- > 0;) {
    const auto r = draft.add(Op::reciprocal, v[t + 1]);
    const auto direct =
        draft.add(Op::subtract, r, draft.add(Op::multiply, e2[t], draft.add(Op::square, r)));
    carried = draft.add(Op::add, draft.add(Op::scale, carried, beta), direct);
    to_beta = draft.add(Op::add, to_beta, draft.add(Op::scale, carried, v[t]));
  }
  for (const auto x : {loss, carried, to_beta}) draft.keep(x);
  return draft;
}

TEST(Scalars, ALoopBecomesVectorsAndChains) {
  const Draft draft = garch(3000);
  const ScalarCode code = compile_scalars(draft.problem);
  EXPECT_EQ(faults(draft, code), 0);
  EXPECT_LT(code.words.size(), 1000u);  // not words for each of 45,000 ops
}

TEST(Scalars, ShortLoops) {
  for (std::uint32_t steps = 1; steps < 80; ++steps) EXPECT_EQ(faults(garch(steps)), 0) << steps;
}

// Two states that need each other, beside sums that only read them.
TEST(Scalars, CoupledRecurrences) {
  Draft draft;
  const auto a = draft.input(0.3), b = draft.input(-0.2), zero = draft.input(0.0);
  auto x = draft.input(1.0), y = draft.input(0.5), sum = zero, other = zero;
  for (int t = 0; t < 2000; ++t) {
    const auto next =
        draft.add(Op::subtract, draft.add(Op::multiply, a, x), draft.add(Op::multiply, b, y));
    y = draft.add(Op::add, draft.add(Op::multiply, b, x), draft.add(Op::multiply, a, y));
    x = draft.add(Op::divide, next, draft.add(Op::maximum, draft.add(Op::absolute, next), a));
    sum = draft.add(Op::add, sum, draft.add(Op::exp, draft.add(Op::negative, x)));
    other = draft.add(Op::subtract, other, y);
  }
  for (const auto v : {x, y, sum, other}) draft.keep(v);
  EXPECT_EQ(faults(draft), 0);
}

// Dynamic programming: the anti-diagonals are the vectors.
TEST(Scalars, AWavefront) {
  Draft draft;
  constexpr int n = 100;
  for (int i = 0; i < 2 * n; ++i) draft.input(0.01 * ((i * 37) % 100));
  std::vector<Draft::Value> before(n), now(n);
  for (Draft::Value i = 0; i < n; ++i) {
    for (Draft::Value j = 0; j < n; ++j) {
      auto cost = draft.add(Op::square, draft.add(Op::subtract, i, n + j));
      if (i && j) {
        const auto least = draft.add(Op::minimum, before[j], now[j - 1]);
        cost = draft.add(Op::add, cost, draft.add(Op::minimum, before[j - 1], least));
      }
      now[j] = cost;
    }
    before = now;
  }
  draft.keep(now[n - 1]);
  const ScalarCode code = compile_scalars(draft.problem);
  EXPECT_EQ(faults(draft, code), 0);
  EXPECT_LT(code.words.size(), draft.problem.ops.size());
}

TEST(Scalars, ManyChainsSideBySide) {
  for (const int chains : {1, 2, 7, 30, 70, 200}) {
    Draft draft;
    for (int i = 0; i < chains + 50; ++i) draft.input(0.1 * i);
    std::vector<Draft::Value> last;
    for (int c = 0; c < chains; ++c) last.push_back(static_cast<Draft::Value>(c));
    for (int t = 0; t < 100; ++t)
      for (auto& x : last)
        x = draft.add(Op::add, x, static_cast<Draft::Value>((t * 7 + x) % draft.inputs.size()));
    for (const auto x : last) draft.keep(x);
    EXPECT_EQ(faults(draft), 0) << chains;
  }
}

TEST(Scalars, CallsOnTwoWorkspacesDoNotMeet) {
  const Draft draft = garch(500);
  const ScalarCode code = compile_scalars(draft.problem);
  std::vector<double> one = testing::workspace_of(draft, code), two = one;
  run_scalars(code, one.data());
  run_scalars(code, two.data());
  run_scalars(code, two.data());
  EXPECT_EQ(0, std::memcmp(one.data(), two.data(), one.size() * sizeof(double)));
}

}  // namespace
}  // namespace tapegrad
