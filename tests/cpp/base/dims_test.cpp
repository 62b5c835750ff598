#include "base/dims.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace tapegrad {
namespace {

Dims counting(std::size_t n) {
  Dims d(n);
  std::iota(d.begin(), d.end(), std::int64_t{1});
  return d;
}

// Six entries are inline; the seventh moves to the heap.
class DimsOfLength : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(InlineAndHeap, DimsOfLength, testing::Values(0, 1, 5, 6, 7, 40));

TEST_P(DimsOfLength, CopiesAreIndependent) {
  const Dims original = counting(GetParam());
  Dims copy = original;
  EXPECT_EQ(copy, original);
  copy.push_back(99);
  EXPECT_EQ(copy.size(), original.size() + 1);
  EXPECT_EQ(original, counting(GetParam()));
}

TEST_P(DimsOfLength, MoveKeepsTheEntries) {
  Dims source = counting(GetParam());
  const Dims moved = std::move(source);
  EXPECT_EQ(moved, counting(GetParam()));
}

TEST_P(DimsOfLength, AssignmentReplacesEntries) {
  Dims target{7, 7, 7, 7, 7, 7, 7, 7};
  target = counting(GetParam());
  EXPECT_EQ(target, counting(GetParam()));
  const Dims& same = target;
  target = same;
  EXPECT_EQ(target, counting(GetParam()));
}

TEST_P(DimsOfLength, InsertThenEraseIsNothing) {
  for (std::size_t at = 0; at <= GetParam(); ++at) {
    Dims d = counting(GetParam());
    d.insert(at, -1);
    EXPECT_EQ(d[at], -1);
    d.erase(at);
    EXPECT_EQ(d, counting(GetParam()));
  }
}

TEST(Dims, ProductOfNothingIsOne) {
  EXPECT_EQ(Dims().product(), 1);
  EXPECT_EQ((Dims{2, 3, 4}).product(), 24);
  EXPECT_EQ((Dims{5, 0}).product(), 0);
}

TEST(Dims, ShrinkingAndGrowingKeepsThePrefix) {
  Dims d = counting(9);
  d.resize(3);
  d.resize(8);
  d.resize(3);
  EXPECT_EQ(d, counting(3));
}

TEST(Dims, LengthDistinguishes) {
  EXPECT_FALSE((Dims{1, 2}) == (Dims{1, 2, 1}));
  EXPECT_FALSE((Dims{1, 2}) == (Dims{1, 3}));
}

TEST(Dims, PrintsAsPythonDoes) {
  EXPECT_EQ(Dims().str(), "()");
  EXPECT_EQ((Dims{3}).str(), "(3,)");
  EXPECT_EQ((Dims{3, 4}).str(), "(3, 4)");
}

}  // namespace
}  // namespace tapegrad
