// Batches in parts: of full size and filled up, with shared inputs and outputs, on several threads.
#include "backends/parts.hpp"

#include <gtest/gtest.h>

#include "program/batch.hpp"

namespace tapegrad {
namespace {

constexpr std::int64_t kLanes = 4;

// x * w and w + w for a number x, w shared; guarded by w > 0.
std::unique_ptr<Recording> product() {
  auto made = std::make_unique<Recording>();
  Builder b(made->tape, Passes());
  const Term x = b.input({DType::f64, {}}), w = b.input({DType::f64, {}});
  made->inputs = {x.id, w.id};
  made->outputs = {b.operand(x * w), b.operand(w + w)};
  made->guards.push_back({b.operand(w > Term(0.0)), Array::scalar(true), 0});
  made->lines = b.lines();
  return made;
}

struct Outcome {
  std::int64_t failed;
  std::vector<double> products;
  double doubled;
};

Outcome run(std::int64_t count, double w, int threads) {
  const auto source = product();
  const Batch batch = batched(*source, {true, false}, kLanes, Passes());
  const Executable program(make_plan(*batch.recording, Passes()));
  std::vector<double> x(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i);
  Outcome found{0, std::vector<double>(x.size()), 0};
  const Instances inputs[] = {{reinterpret_cast<char*>(x.data()), 8},
                              {reinterpret_cast<char*>(&w), 0}};
  const Instances outputs[] = {{reinterpret_cast<char*>(found.products.data()), 8},
                               {reinterpret_cast<char*>(&found.doubled), 0}};
  found.failed = run_parts(program, inputs, outputs, count, kLanes, threads);
  return found;
}

TEST(Parts, AnyCount) {
  for (std::int64_t count : {1, 3, 4, 5, 8, 11})
    for (int threads : {1, 2, 5}) {
      const Outcome found = run(count, 3.0, threads);
      EXPECT_EQ(found.failed, Executable::kAllHold);
      EXPECT_EQ(found.doubled, 6.0);
      for (std::int64_t i = 0; i < count; ++i)
        EXPECT_EQ(found.products[static_cast<std::size_t>(i)], 3.0 * static_cast<double>(i));
    }
}

TEST(Parts, AGuardThatAllShare) {
  EXPECT_EQ(run(9, -1.0, 1).failed, 0);
  EXPECT_EQ(run(9, -1.0, 2).failed, 0);
}

}  // namespace
}  // namespace tapegrad
