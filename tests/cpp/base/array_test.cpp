#include "base/array.hpp"

#include <gtest/gtest.h>

namespace tapegrad {
namespace {

TEST(Array, OwnMemoryIsContiguousAndExclusive) {
  const Array a = Array::zeros(DType::f64, {2, 3});
  EXPECT_EQ(a.shape(), (Dims{2, 3}));
  EXPECT_EQ(a.strides(), (Dims{24, 8}));
  EXPECT_EQ(a.size(), 6);
  EXPECT_EQ(a.nbytes(), 48);
  EXPECT_TRUE(a.contiguous());
  EXPECT_TRUE(a.exclusive());
  for (int i = 0; i < 6; ++i) EXPECT_EQ(a.at<double>(i), 0.0);
}

TEST(Array, AScalarHasTheEmptyShape) {
  const Array a = Array::scalar(2.5);
  EXPECT_EQ(a.ndim(), 0);
  EXPECT_EQ(a.size(), 1);
  EXPECT_EQ(a.at<double>(), 2.5);
  EXPECT_EQ(Array::scalar(Complex(1, 2)).dtype(), DType::c128);
}

TEST(Array, FullConvertsToEveryDtype) {
  for (const DType t : {DType::f64, DType::f32, DType::c128, DType::b8, DType::i64}) {
    const Array a = Array::full(t, {3}, 1.0);
    dispatch(t, [&a](auto zero) {
      using T = decltype(zero);
      for (int i = 0; i < 3; ++i) EXPECT_EQ(a.at<T>(i), static_cast<T>(1));
    });
  }
}

TEST(Array, AZeroSizedAxisIsContiguous) {
  const Array a = Array::empty(DType::f32, {4, 0, 2});
  EXPECT_EQ(a.size(), 0);
  EXPECT_TRUE(a.contiguous());
}

TEST(Array, HandlesShareAndAreNotExclusive) {
  Array a = Array::zeros(DType::f64, {4});
  {
    const Array b = a;
    EXPECT_TRUE(a.same_block(b));
    EXPECT_FALSE(a.exclusive());
    EXPECT_FALSE(b.exclusive());
  }
  EXPECT_TRUE(a.exclusive());
  const Array moved = std::move(a);
  EXPECT_TRUE(moved.exclusive());
}

TEST(Array, AViewKeepsTheMemoryAlive) {
  Array tail;
  {
    const Array a = Array::full(DType::f64, {6}, 7.0);
    tail = a.view({2}, {16}, a.data() + 8);
    EXPECT_FALSE(a.exclusive());
  }
  EXPECT_FALSE(tail.contiguous());
  EXPECT_FALSE(tail.exclusive());
  EXPECT_EQ(*tail.ptr<double>(), 7.0);
}

TEST(Array, AViewOfAViewHoldsTheOwnerOnly) {
  Array a = Array::full(DType::f64, {2, 2}, 1.0);
  Array row = a.view({2}, {8}, a.data() + 16);
  Array item = row.view({}, {}, row.data() + 8);
  row = Array();
  EXPECT_FALSE(a.exclusive());
  item = Array();
  EXPECT_TRUE(a.exclusive());
}

TEST(Array, ForeignMemoryIsReleasedOnceByTheLastHandle) {
  int released = 0;
  double memory[3] = {1, 2, 3};
  {
    const Array a = Array::foreign(DType::f64, {3}, {8}, memory, &released,
                                   [](void* owner) { ++*static_cast<int*>(owner); });
    EXPECT_FALSE(a.exclusive());
    const Array view = a.view({1}, {8}, a.data() + 16);
    const Array copy = view;
    EXPECT_EQ(copy.at<double>(), 3.0);
  }
  EXPECT_EQ(released, 1);
}

TEST(Array, LeakAndAdoptKeepTheCount) {
  Array a = Array::scalar(1.0);
  Array b = a;
  void* bare = b.leak();
  EXPECT_FALSE(static_cast<bool>(b));
  EXPECT_FALSE(a.exclusive());
  { const Array borrowed = Array::borrow(bare); }
  EXPECT_FALSE(a.exclusive());
  { const Array adopted = Array::adopt(bare); }
  EXPECT_TRUE(a.exclusive());
}

TEST(Array, ContiguityIgnoresAxesOfLengthOne) {
  EXPECT_TRUE(Array::is_contiguous({2, 1, 3}, {24, 999, 8}, 8));
  EXPECT_FALSE(Array::is_contiguous({2, 3}, {8, 16}, 8));
  EXPECT_FALSE(Array::is_contiguous({3}, {-8}, 8));
  EXPECT_TRUE(Array::is_contiguous({}, {}, 8));
}

}  // namespace
}  // namespace tapegrad
