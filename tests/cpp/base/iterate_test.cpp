#include "base/iterate.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace tapegrad {
namespace {

Array counting(const Dims& shape) {
  const Array a = Array::empty(DType::f64, shape);
  for (std::int64_t i = 0; i < a.size(); ++i) a.at<double>(i) = static_cast<double>(i);
  return a;
}

struct Walked {
  std::vector<double> values;
  int runs = 0;
};
Walked read(const Array& a, const Dims& shape) {
  Walked walked;
  for_each_run<1>(shape, {walk(a, shape)}, [&](char** p, std::intptr_t n, const std::intptr_t* s) {
    ++walked.runs;
    for (std::intptr_t i = 0; i < n; ++i) {
      walked.values.push_back(*reinterpret_cast<double*>(p[0] + i * s[0]));
    }
  });
  return walked;
}

TEST(Broadcast, CommonShapeIsNumPys) {
  EXPECT_EQ(broadcast_shapes({3, 1}, {4}), (Dims{3, 4}));
  EXPECT_EQ(broadcast_shapes({}, {2, 5}), (Dims{2, 5}));
  EXPECT_EQ(broadcast_shapes({2, 5}, {}), (Dims{2, 5}));
  EXPECT_EQ(broadcast_shapes({1, 3}, {0, 1}), (Dims{0, 3}));
}

TEST(Broadcast, ErrorNamesBothShapes) {
  try {
    broadcast_shapes({2, 3}, {4});
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("(2, 3) (4,)"), std::string::npos) << e.what();
  }
}

// Axes are walked in the order of memory, so only what is met together is promised.
std::vector<double> sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

TEST(ForEachRun, AContiguousArrayIsOneRun) {
  const Walked walked = read(counting({2, 3, 4}), {2, 3, 4});
  EXPECT_EQ(walked.runs, 1);
  for (std::size_t i = 0; i < 24; ++i) EXPECT_EQ(walked.values[i], static_cast<double>(i));
}

TEST(ForEachRun, AScalarIsARunOfOne) {
  EXPECT_EQ(read(counting({}), {}).values, std::vector<double>{0.0});
}

TEST(ForEachRun, NothingIsWalkedWhenAnAxisIsEmpty) {
  EXPECT_EQ(read(counting({3, 0}), {3, 0}).runs, 0);
}

TEST(ForEachRun, ATransposedArrayIsReadAsItLiesInMemory) {
  const Array a = counting({2, 3});
  const Array t = a.view({3, 2}, {8, 24}, a.data());
  const Walked walked = read(t, {3, 2});
  EXPECT_EQ(walked.runs, 1);
  EXPECT_EQ(walked.values, (std::vector<double>{0, 1, 2, 3, 4, 5}));
}

TEST(ForEachRun, NegativeStridesAreReadBackwards) {
  const Array a = counting({4});
  const Array reversed = a.view({4}, {-8}, a.data() + 24);
  EXPECT_EQ(read(reversed, {4}).values, (std::vector<double>{3, 2, 1, 0}));
}

TEST(ForEachRun, BroadcastAxesRepeat) {
  const Array column = counting({3, 1});
  EXPECT_EQ(sorted(read(column, {3, 2}).values), (std::vector<double>{0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(sorted(read(counting({2}), {2, 1, 2}).values), (std::vector<double>{0, 0, 1, 1}));
}

// The slow way: every index of the shape, each array addressed by its own strides.
TEST(ForEachRun, SeveralArraysWalkTogether) {
  const Dims shape{2, 3, 2, 3};
  const Array a = counting({3, 1, 3});
  const Array base = counting({2, 2, 3, 3});
  const Array b = base.view({2, 3, 2, 3}, {144, 24, 72, 8}, base.data());
  std::vector<double> sums;
  for_each_run<2>(shape, {walk(a, shape), walk(b, shape)},
                  [&](char** p, std::intptr_t n, const std::intptr_t* s) {
                    for (std::intptr_t i = 0; i < n; ++i) {
                      sums.push_back(*reinterpret_cast<double*>(p[0] + i * s[0]) +
                                     100 * *reinterpret_cast<double*>(p[1] + i * s[1]));
                    }
                  });
  std::vector<double> expected;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 2; ++k)
        for (int l = 0; l < 3; ++l)
          expected.push_back((3 * j + l) + 100.0 * (18 * i + 9 * k + 3 * j + l));
  EXPECT_EQ(sorted(sums), sorted(expected));
}

}  // namespace
}  // namespace tapegrad
