#include "base/copy.hpp"

#include <gtest/gtest.h>

namespace tapegrad {
namespace {

Array counting(const Dims& shape) {
  const Array a = Array::empty(DType::f64, shape);
  for (std::int64_t i = 0; i < a.size(); ++i) a.at<double>(i) = static_cast<double>(i);
  return a;
}
Array transposed(const Array& a) {
  return a.view({a.shape()[1], a.shape()[0]}, {a.strides()[1], a.strides()[0]}, a.data());
}

TEST(CopyInto, BroadcastsToTheTarget) {
  const Array to = Array::zeros(DType::f64, {2, 3});
  copy_into(counting({3}), to);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(to.at<double>(i), i % 3);
  copy_into(Array::scalar(7.0), to);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(to.at<double>(i), 7.0);
}

TEST(CopyInto, WritesThroughAnyStrides) {
  const Array memory = Array::zeros(DType::f64, {3, 2});
  copy_into(counting({2, 3}), transposed(memory));
  const double expected[] = {0, 3, 1, 4, 2, 5};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(memory.at<double>(i), expected[i]);
}

TEST(CopyInto, TakesEveryDtype) {
  for (const DType t : {DType::f64, DType::f32, DType::c128, DType::b8, DType::i64}) {
    const Array from = Array::full(t, {3, 1}, 1.0);
    const Array to = Array::zeros(t, {3, 4});
    copy_into(from, to);
    dispatch(t, [&to](auto zero) {
      using T = decltype(zero);
      for (int i = 0; i < 12; ++i) EXPECT_EQ(to.at<T>(i), static_cast<T>(1));
    });
  }
}

TEST(CopyInto, RefusesShapesThatDoNotBroadcast) {
  EXPECT_THROW(copy_into(counting({4}), Array::zeros(DType::f64, {2, 3})), Error);
  EXPECT_THROW(copy_into(counting({2, 3}), Array::zeros(DType::f64, {3})), Error);
}

TEST(CopyInto, NothingIntoNothing) {
  EXPECT_NO_THROW(copy_into(counting({0, 3}), Array::zeros(DType::f64, {0, 3})));
}

TEST(Contiguous, IsTheArrayItselfOrACopy) {
  const Array a = counting({2, 3});
  EXPECT_TRUE(contiguous(a).same_block(a));
  const Array t = contiguous(transposed(a));
  EXPECT_TRUE(t.contiguous());
  EXPECT_FALSE(t.same_block(a));
  EXPECT_EQ(t.shape(), (Dims{3, 2}));
  EXPECT_EQ(t.at<double>(1), 3.0);
}

}  // namespace
}  // namespace tapegrad
