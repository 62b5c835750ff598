#include "base/flat.hpp"

#include <gtest/gtest.h>

namespace tapegrad {
namespace {

TEST(Flat, KeepsItsRecordsWhileGrowing) {
  Flat<std::size_t> flat;
  constexpr std::size_t n = 100000;
  for (std::size_t i = 0; i < n; ++i) flat.push(i);
  ASSERT_EQ(flat.size(), n);
  for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(flat[i], i);
  EXPECT_EQ(flat.back(), n - 1);
}

TEST(Flat, ExtendReturnsTheFirstOfTheRoom) {
  Flat<int> flat;
  flat.push(1);
  int* room = flat.extend(1000);
  EXPECT_EQ(room, flat.data() + 1);
  EXPECT_EQ(flat.size(), 1001u);
  EXPECT_EQ(flat[0], 1);
}

TEST(Flat, TruncateKeepsTheMemoryForTheNextRecording) {
  Flat<int> flat;
  flat.extend(5000);
  const std::size_t held = flat.capacity_bytes();
  const int* first = flat.data();
  flat.truncate(0);
  flat.extend(5000);
  EXPECT_EQ(flat.capacity_bytes(), held);
  EXPECT_EQ(flat.data(), first);
}

TEST(Flat, ShrinkGivesBackOnlyWhenEmptyAndLarge) {
  Flat<int> flat;
  flat.extend(5000);
  flat.shrink(0);
  EXPECT_EQ(flat.size(), 5000u);
  flat.truncate(0);
  flat.shrink(flat.capacity_bytes());
  EXPECT_GT(flat.capacity_bytes(), 0u);
  flat.shrink(64);
  EXPECT_EQ(flat.capacity_bytes(), 0u);
  flat.push(3);
  EXPECT_EQ(flat.back(), 3);
}

TEST(Flat, MoveTakesTheMemory) {
  Flat<int> source;
  source.push(4);
  const Flat<int> moved = std::move(source);
  EXPECT_EQ(moved[0], 4);
  EXPECT_EQ(source.size(), 0u);  // NOLINT(bugprone-use-after-move): what is left is specified
}

}  // namespace
}  // namespace tapegrad
