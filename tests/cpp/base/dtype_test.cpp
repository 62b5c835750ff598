#include "base/dtype.hpp"

#include <gtest/gtest.h>

namespace tapegrad {
namespace {

constexpr DType kAll[] = {DType::f64, DType::f32, DType::c128, DType::b8, DType::i64};

TEST(DType, DispatchGivesTheTypeOfThatDtype) {
  for (const DType t : kAll) {
    dispatch(t, [t](auto zero) {
      using T = decltype(zero);
      EXPECT_EQ(dtype_of<T>(), t);
      EXPECT_EQ(itemsize(t), static_cast<std::int64_t>(sizeof(T)));
    });
  }
}

TEST(DType, FloatDispatchRefusesTheOthers) {
  const auto ignore = [](auto) {};
  EXPECT_NO_THROW(dispatch_float(DType::f32, ignore));
  EXPECT_THROW(dispatch_float(DType::b8, ignore), std::logic_error);
  EXPECT_THROW(dispatch_float(DType::i64, ignore), std::logic_error);
}

TEST(DType, PromotionIsCommutativeAndKeepsItsArguments) {
  for (const DType a : kAll) {
    EXPECT_EQ(promote(a, a), a);
    for (const DType b : kAll) {
      EXPECT_EQ(promote(a, b), promote(b, a));
      EXPECT_EQ(promote(promote(a, b), a), promote(a, b)) << dtype_name(a) << dtype_name(b);
    }
  }
}

TEST(DType, PromotionIsNumPys) {
  EXPECT_EQ(promote(DType::f32, DType::f64), DType::f64);
  EXPECT_EQ(promote(DType::f32, DType::i64), DType::f64);
  EXPECT_EQ(promote(DType::f32, DType::b8), DType::f32);
  EXPECT_EQ(promote(DType::i64, DType::b8), DType::i64);
  EXPECT_EQ(promote(DType::f32, DType::c128), DType::c128);
}

TEST(DType, OnlyInexactTypesAreDifferentiable) {
  for (const DType t : kAll) {
    EXPECT_EQ(is_differentiable(t), t != DType::b8 && t != DType::i64) << dtype_name(t);
  }
}

}  // namespace
}  // namespace tapegrad
