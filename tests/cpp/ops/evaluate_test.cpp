// Values of ops on arrays: promotion, broadcasting, views, writing in place, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/copy.hpp"
#include "ops/rules.hpp"

namespace tapegrad {
namespace {

using Numbers = std::vector<double>;

Array array(const Dims& shape, const Numbers& values) {
  const Array a = Array::empty(DType::f64, shape);
  std::copy(values.begin(), values.end(), a.ptr<double>());
  return a;
}
Array indices(const std::vector<std::int64_t>& values) {
  const Array a = Array::empty(DType::i64, {static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), a.ptr<std::int64_t>());
  return a;
}
Numbers numbers(const Array& a) {
  const Array flat = contiguous(a);
  return {flat.ptr<double>(), flat.ptr<double>() + flat.size()};
}
Array apply(Op op, std::vector<Array> in, const std::vector<std::int64_t>& attrs = {}) {
  return evaluate(op, std::span<Array>(in), attrs);
}
void expect(const Array& a, const Dims& shape, const Numbers& values) {
  EXPECT_EQ(a.shape(), shape) << a.shape().str();
  EXPECT_EQ(a.dtype(), DType::f64);
  EXPECT_EQ(numbers(a), values);
}

const Array kMatrix = array({2, 3}, {1, 2, 3, 4, 5, 6});

TEST(Evaluate, PromotesAndBroadcastsElementwiseOperands) {
  expect(apply(Op::add, {kMatrix, Array::full(DType::i64, {2, 1}, 10)}), {2, 3},
         {11, 12, 13, 14, 15, 16});
  EXPECT_EQ(apply(Op::add, {Array::full(DType::f32, {2}, 1), Array::scalar(Complex(1, 1))}).dtype(),
            DType::c128);
  EXPECT_EQ(apply(Op::sqrt, {Array::full(DType::i64, {2}, 4)}).dtype(), DType::f64);
  EXPECT_EQ(apply(Op::greater, {kMatrix, Array::scalar(3.0)}).dtype(), DType::b8);
}

std::vector<std::int64_t> integers(const Array& a) {
  EXPECT_EQ(a.dtype(), DType::i64);
  const Array flat = contiguous(a);
  return {flat.ptr<std::int64_t>(), flat.ptr<std::int64_t>() + flat.size()};
}
using Integers = std::vector<std::int64_t>;

TEST(Evaluate, KeepsIntegersWhereAnOpHasAKernelForThem) {
  const Array a = indices({-7, 7, 5}), b = indices({2, -2, 0});
  EXPECT_EQ(integers(apply(Op::add, {a, b})), (Integers{-5, 5, 5}));
  EXPECT_EQ(integers(apply(Op::floor_divide, {a, b})), (Integers{-4, -4, 0}));
  EXPECT_EQ(integers(apply(Op::remainder, {a, b})), (Integers{1, -1, 0}));
  EXPECT_EQ(integers(apply(Op::fmod, {a, b})), (Integers{-1, 1, 0}));
  EXPECT_EQ(integers(apply(Op::absolute, {a})), (Integers{7, 7, 5}));
  EXPECT_EQ(apply(Op::divide, {a, b}).dtype(), DType::f64);
}

TEST(Evaluate, AnswersQuestionsInBooleans) {
  const Array x = array({4}, {0.0, std::nan(""), -1.0, std::numeric_limits<double>::infinity()});
  const auto bools = [](const Array& a) {
    EXPECT_EQ(a.dtype(), DType::b8);
    return std::vector<bool>(a.ptr<bool>(), a.ptr<bool>() + a.size());
  };
  using Bools = std::vector<bool>;
  EXPECT_EQ(bools(apply(Op::isnan, {x})), (Bools{false, true, false, false}));
  EXPECT_EQ(bools(apply(Op::isinf, {x})), (Bools{false, false, false, true}));
  EXPECT_EQ(bools(apply(Op::isfinite, {x})), (Bools{true, false, true, false}));
  EXPECT_EQ(bools(apply(Op::signbit, {x})), (Bools{false, false, true, false}));
  EXPECT_EQ(bools(apply(Op::logical_not, {x})), (Bools{true, false, false, false}));
  EXPECT_EQ(bools(apply(Op::logical_and, {x, array({4}, {1, 1, 0, 1})})),
            (Bools{false, true, false, true}));
  EXPECT_EQ(bools(apply(Op::logical_xor, {indices({2, 0}), indices({3, 1})})),
            (Bools{false, true}));
  EXPECT_EQ(bools(apply(Op::max, {Array::full(DType::b8, {2, 2}, 1)}, {0, 1})),
            (Bools{true, true}));
}

TEST(Evaluate, FindsPositions) {
  const double nan = std::nan("");
  const Array m = array({2, 3}, {3, 1, 3, nan, 5, 0});
  EXPECT_EQ(integers(apply(Op::argmax, {m}, {1})), (Integers{0, 0}));
  EXPECT_EQ(integers(apply(Op::argmin, {m}, {0})), (Integers{1, 0, 1}));
  EXPECT_EQ(integers(apply(Op::argsort, {m}, {1, 1})), (Integers{1, 0, 2, 2, 1, 0}));
  EXPECT_EQ(integers(apply(Op::argsort, {m}, {0, 1})), (Integers{0, 0, 1, 1, 1, 0}));
  EXPECT_EQ(integers(apply(Op::argsort, {m}, {1, 1, 0})), (Integers{1, 0, 2, 5, 4, 3}));
  EXPECT_EQ(integers(apply(Op::argsort, {m}, {0, 1, 0})), (Integers{0, 1, 5, 3, 4, 2}));
  const Array stack = apply(Op::reshape, {m}, {2, 1, 3});
  EXPECT_EQ(integers(apply(Op::argsort, {stack}, {2, 1, 1})), (Integers{1, 0, 2, 2, 1, 0}));
  EXPECT_EQ(integers(apply(Op::argmax, {apply(Op::transpose, {m}, {1, 0})}, {0})),
            (Integers{0, 0}));
  EXPECT_THROW(apply(Op::argmax, {array({0}, {})}, {0}), Error);
  EXPECT_THROW(apply(Op::argsort, {m}, {2, 0}), Error);
}

TEST(Evaluate, SortsAlongAnyAxis) {
  const Array m = array({2, 3}, {3, 1, 3, 2, 5, 0});
  expect(apply(Op::sort, {m}, {1, 0}), {2, 3}, {1, 3, 3, 0, 2, 5});
  expect(apply(Op::sort, {m}, {0, 1}), {2, 3}, {2, 1, 0, 3, 5, 3});
  expect(m, {2, 3}, {3, 1, 3, 2, 5, 0});
  const Array nan = apply(Op::sort, {array({3}, {std::nan(""), 2, 1})}, {0, 0});
  expect(apply(Op::slice, {nan}, {0, 1, 2}), {2}, {1, 2});
  EXPECT_TRUE(std::isnan(nan.at<double>(2)));
  EXPECT_THROW(apply(Op::sort, {m}, {2, 0}), Error);
}

TEST(Evaluate, RefusesShapesThatDoNotBroadcast) {
  EXPECT_THROW(apply(Op::add, {kMatrix, array({2}, {1, 2})}), Error);
  EXPECT_THROW(apply(Op::matmul, {kMatrix, kMatrix}), Error);
}

TEST(Evaluate, ViewsShareTheMemory) {
  const Array t = apply(Op::transpose, {kMatrix}, {1, 0});
  EXPECT_TRUE(t.same_block(kMatrix));
  expect(t, {3, 2}, {1, 4, 2, 5, 3, 6});
  const Array part = apply(Op::slice, {kMatrix}, {1, -1, 2, 0, 2, 2});
  expect(part, {2, 2}, {4, 6, 1, 3});
  EXPECT_FALSE(part.exclusive());
  expect(apply(Op::broadcast_to, {array({2, 1}, {1, 2})}, {2, 2, 2}), {2, 2, 2},
         {1, 1, 2, 2, 1, 1, 2, 2});
  expect(apply(Op::reshape, {t}, {6}), {6}, {1, 4, 2, 5, 3, 6});
}

TEST(Evaluate, UpdatesLeaveASharedBaseAlone) {
  const Array base = array({4}, {1, 2, 3, 4});
  const Array changed = apply(Op::item_set, {base, Array::scalar(9.0)}, {2});
  expect(base, {4}, {1, 2, 3, 4});
  expect(changed, {4}, {1, 2, 9, 4});
}

TEST(Evaluate, UpdatesWriteInPlaceIntoABaseThatWasGivenUp) {
  Array in[] = {array({4}, {1, 2, 3, 4}), Array::scalar(9.0)};
  const char* memory = in[0].data();
  const std::int64_t index[] = {2};
  const Array changed = evaluate(Op::item_set, std::span<Array>(in), index);
  EXPECT_EQ(changed.data(), memory);
  expect(changed, {4}, {1, 2, 9, 4});
}

TEST(Evaluate, Selections) {
  Array condition = Array::empty(DType::b8, {3});
  for (int i = 0; i < 3; ++i) condition.at<bool>(i) = i == 1;
  expect(apply(Op::where, {condition, kMatrix, Array::scalar(0.0)}), {2, 3}, {0, 2, 0, 0, 5, 0});
  expect(apply(Op::cast, {Array::scalar(Complex(3, 4))}, {0}), {}, {3});
  expect(apply(Op::imag, {Array::scalar(Complex(3, 4))}), {}, {4});
}

TEST(Evaluate, Indexing) {
  expect(apply(Op::item, {kMatrix}, {4}), {}, {5});
  expect(apply(Op::gather, {kMatrix, indices({5, 0, 0})}), {3}, {6, 1, 1});
  expect(apply(Op::scatter_add, {array({3}, {1, 2, 4}), indices({1, 3, 1})}, {2, 2}), {2, 2},
         {0, 5, 0, 2});
  expect(apply(Op::put, {kMatrix, array({2}, {-1, -2}), indices({5, 0})}), {2, 3},
         {-2, 2, 3, 4, 5, -1});
  expect(apply(Op::slice_set, {kMatrix, array({2, 1}, {8, 9})}, {0, 1, 2, 2, 1, 1}), {2, 3},
         {1, 2, 8, 4, 5, 9});
  expect(apply(Op::unslice, {array({2}, {1, 2})}, {3, -2, 4}), {4}, {0, 2, 0, 1});
  expect(apply(Op::concatenate, {kMatrix, array({2, 1}, {7, 8})}, {1}), {2, 4},
         {1, 2, 3, 7, 4, 5, 6, 8});
}

TEST(Evaluate, Reductions) {
  expect(apply(Op::sum, {kMatrix}, {0, 0}), {3}, {5, 7, 9});
  expect(apply(Op::sum, {kMatrix}, {1, 0, 1}), {1, 1}, {21});
  expect(apply(Op::prod, {kMatrix}, {0, 1}), {2}, {6, 120});
  expect(apply(Op::max, {kMatrix}, {0, 0, 1}), {}, {6});
  expect(apply(Op::min, {kMatrix}, {1, 1}), {2, 1}, {1, 4});
  expect(apply(Op::cumsum, {kMatrix}, {1, 0}), {2, 3}, {1, 3, 6, 4, 9, 15});
  expect(apply(Op::cumsum, {kMatrix}, {0, 1}), {2, 3}, {5, 7, 9, 4, 5, 6});
}

TEST(Evaluate, ReductionsOfNothing) {
  const Array nothing = Array::empty(DType::f64, {0, 2});
  expect(apply(Op::sum, {nothing}, {0, 0}), {2}, {0, 0});
  expect(apply(Op::prod, {nothing}, {0, 0}), {2}, {1, 1});
  EXPECT_THROW(apply(Op::max, {nothing}, {0, 0}), Error);
}

TEST(Evaluate, Products) {
  expect(apply(Op::matmul, {kMatrix, array({3}, {1, 0, -1})}), {2}, {-2, -2});
  expect(apply(Op::matmul, {kMatrix, array({3, 2}, {1, 0, 0, 1, 1, 1})}), {2, 2}, {4, 5, 10, 11});
  const Array stack = array({2, 1, 2}, {1, 2, 3, 4});
  expect(apply(Op::matmul, {stack, array({2, 1}, {1, 1})}), {2, 1, 1}, {3, 7});
  expect(apply(Op::matmul, {Array::empty(DType::f64, {2, 0}), Array::empty(DType::f64, {0, 2})}),
         {2, 2}, {0, 0, 0, 0});
}

TEST(Evaluate, LinearAlgebraSaysThatItNeedsLapack) {
  try {
    apply(Op::inv, {array({2, 2}, {1, 0, 0, 1})});
    FAIL();
  } catch (const Unsupported& e) {
    EXPECT_NE(std::string(e.what()).find("LAPACK"), std::string::npos);
  }
}

}  // namespace
}  // namespace tapegrad
