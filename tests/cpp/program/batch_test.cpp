// Batches of small recordings, run op by op against one instance after the other; guards and
// results that are the same for all instances.
#include "program/batch.hpp"

#include <gtest/gtest.h>

#include "backends/executable.hpp"

namespace tapegrad {
namespace {

constexpr std::int64_t kCount = 3;

// f(x, w) = where(x0 > 0, x . w, x0), and w + w; guarded by x1 > 1.
std::unique_ptr<Recording> example() {
  auto made = std::make_unique<Recording>();
  Builder b(made->tape, Passes());
  const Term x = b.input({DType::f64, {2}}), w = b.input({DType::f64, {2}});
  made->inputs = {x.id, w.id};
  const std::int64_t zero[] = {0}, one[] = {1};
  const Term x0 = b.apply(Op::item, {x}, zero), x1 = b.apply(Op::item, {x}, one);
  const Term dot = matmul(x, w);
  made->outputs = {b.operand(select(x0 > Term(0.0), dot, x0)), b.operand(w + w)};
  made->guards.push_back({b.operand(x1 > Term(1.0)), Array::scalar(true), 0});
  made->lines = b.lines();
  return made;
}

struct Results {
  double values[kCount], doubled[2], failed[kCount];
};

Results run(const Batch& batch, const double* x, const double* w) {
  const Executable program(make_plan(*batch.recording, Passes()));
  Results found;
  const void* inputs[] = {x, w};
  void* outputs[] = {found.values, found.doubled, found.failed};
  EXPECT_EQ(program.run(inputs, outputs), Executable::kAllHold);
  return found;
}

TEST(Batch, OneInputBatched) {
  const auto source = example();
  const Batch batch = batched(*source, {true, false}, kCount, Passes());
  EXPECT_EQ(batch.carries, (std::vector<bool>{true, false}));
  EXPECT_TRUE(batch.checks);
  EXPECT_TRUE(batch.guards.empty());
  const double x[] = {1, 2, -1, 0, 3, 4}, w[] = {10, 100};
  const Results found = run(batch, x, w);
  const double values[] = {210, -1, 430}, failed[] = {-1, 0, -1};
  for (int k = 0; k < kCount; ++k) {
    EXPECT_EQ(found.values[k], values[k]);
    EXPECT_EQ(found.failed[k], failed[k]);
  }
  EXPECT_EQ(found.doubled[0], 20);
  EXPECT_EQ(found.doubled[1], 200);
}

TEST(Batch, GuardsThatAllInstancesShareStayGuards) {
  const auto source = example();
  const Batch batch = batched(*source, {false, true}, kCount, Passes());
  EXPECT_EQ(batch.carries, (std::vector<bool>{true, true}));
  EXPECT_FALSE(batch.checks);
  EXPECT_EQ(batch.guards, (std::vector<std::size_t>{0}));
  EXPECT_EQ(batch.recording->guards.size(), 1u);
  EXPECT_EQ(batch.recording->outputs.size(), 2u);
}

TEST(Batch, Errors) {
  const auto source = example();
  EXPECT_THROW(batched(*source, {true}, kCount, Passes()), Error);
  EXPECT_THROW(batched(*source, {true, false}, 0, Passes()), Error);
}

// The Jacobian of (x0 x1, x0 + x1) by x in one call, forward and in reverse.
TEST(Directions, UnitSeedsAreConstants) {
  Recording source;
  Builder b(source.tape, Passes());
  const Term x = b.input({DType::f64, {2}});
  source.inputs = {x.id};
  const std::int64_t zero[] = {0}, one[] = {1};
  const Term x0 = b.apply(Op::item, {x}, zero), x1 = b.apply(Op::item, {x}, one);
  source.outputs = {b.operand(x0 * x1), b.operand(x0 + x1)};
  const double at[] = {3, 5};
  const void* inputs[] = {at};
  double values[2], first[2], second[2], rows[4];

  const auto tangents = tangent_of(source, {{0}, 2, true}, Passes());
  EXPECT_EQ(tangents->inputs.size(), 1u);
  void* forward[] = {&values[0], &values[1], first, second};
  Executable(make_plan(*tangents, Passes())).run(inputs, forward);
  EXPECT_EQ(values[0], 15);
  EXPECT_EQ(first[0], 5);
  EXPECT_EQ(first[1], 3);
  EXPECT_EQ(second[0], 1);
  EXPECT_EQ(second[1], 1);

  const auto adjoints = adjoint_of(source, {{0}, 2, true}, Passes());
  void* reverse[] = {&values[0], &values[1], rows};
  Executable(make_plan(*adjoints, Passes())).run(inputs, reverse);
  const double jacobian[] = {5, 3, 1, 1};
  for (int k = 0; k < 4; ++k) EXPECT_EQ(rows[k], jacobian[k]);
  EXPECT_THROW(tangent_of(source, {{0}, 3, true}, Passes()), Error);
}

}  // namespace
}  // namespace tapegrad
