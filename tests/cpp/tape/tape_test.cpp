#include "tape/tape.hpp"

#include <gtest/gtest.h>

#include "recording.hpp"

namespace tapegrad {
namespace {

using testing::constant;
using testing::input;
using testing::record;
using testing::Value;

Array vector3(double a, double b, double c) {
  const Array v = Array::empty(DType::f64, {3});
  v.at<double>(0) = a;
  v.at<double>(1) = b;
  v.at<double>(2) = c;
  return v;
}

TEST(Tape, ScalarsLieInTheirNodes) {
  Tape tape;
  const NodeId x = tape.add_scalar_input(3.0);
  const Operand two = tape.add_constant(2.0);
  const NodeId y = tape.add_scalar(Op::multiply, two, x, 6.0);
  EXPECT_EQ(tape.size(), 2u);
  EXPECT_TRUE(is_constant(two));
  EXPECT_EQ(tape.scalar(two), 2.0);
  EXPECT_EQ(tape.scalar(y), 6.0);
  EXPECT_TRUE(tape[y].has(Node::kScalar));
  EXPECT_TRUE(tape[y].has(Node::kFastPath));
  EXPECT_EQ(tape.operand(tape[y], 0), two);
  EXPECT_EQ(tape.operand(tape[y], 1), x);
  EXPECT_EQ(tape.slot_count(), 0u);
}

TEST(Tape, AScalarOperationTakesAtMost48Bytes) {
  Tape tape;
  NodeId x = tape.add_scalar_input(1.0);
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    x = tape.add_scalar(Op::multiply, x, tape.add_constant(1.0 + i), 1.0);
  }
  EXPECT_LE(tape.bytes(), 48u * n);
}

TEST(Tape, ThatOfAProgramKeepsConstantsAndOnDemandTheRest) {
  Tape tape;
  tape.record_program();
  tape.keep_for_sweeps(false);
  const Value x = input(tape, vector3(1, 2, 3)), c = constant(tape, vector3(4, 5, 6));
  record(tape, Op::multiply, {x, c});
  EXPECT_FALSE(tape.has_value(x.operand));
  EXPECT_TRUE(tape.has_value(c.operand));
  tape.keep_for_sweeps(true);
  record(tape, Op::multiply, {x, x});
  EXPECT_TRUE(tape.has_value(x.operand));
  tape.clear();
  EXPECT_FALSE(tape.is_program());
}

TEST(Tape, ClearKeepsMemoryAndForgetsTheRest) {
  Tape tape;
  const Value x = input(tape, vector3(1, 2, 3));
  record(tape, Op::exp, {x});
  tape.add_constant(2.0);
  tape.clear();
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_EQ(tape.bytes(), 0u);
  EXPECT_EQ(tape.slot_count(), 0u);
  EXPECT_EQ(tape.add_scalar_input(5.0), 0u);
}

TEST(Tape, ClearGivesBackWhatItHeld) {
  Tape tape;
  Value y = record(tape, Op::exp, {input(tape, vector3(1, 2, 3))});
  EXPECT_FALSE(y.array.exclusive());
  tape.clear();
  EXPECT_TRUE(y.array.exclusive());
}

TEST(Tape, DestructionGivesBackWhatItHeld) {
  Value y;
  {
    Tape tape;
    y = record(tape, Op::exp, {input(tape, vector3(1, 2, 3))});
  }
  EXPECT_TRUE(y.array.exclusive());
}

TEST(Tape, KeepsOnlyTheValuesThatPartialsRead) {
  Tape tape;
  const Value x = input(tape, vector3(1, 2, 3));
  const Value exp = record(tape, Op::exp, {x});         // reads its result
  const Value sin = record(tape, Op::sin, {exp});       // reads its argument
  const Value sum = record(tape, Op::add, {sin, exp});  // reads nothing
  EXPECT_FALSE(tape.has_value(x.operand));
  EXPECT_TRUE(tape.has_value(exp.operand));
  EXPECT_FALSE(tape.has_value(sin.operand));
  EXPECT_FALSE(tape.has_value(sum.operand));
  EXPECT_TRUE(sum.array.exclusive());
}

TEST(Tape, KeepsAFactorOnlyIfTheOtherIsActive) {
  Tape tape;
  const Value x = input(tape, vector3(1, 2, 3));
  const Value c = constant(tape, vector3(4, 5, 6));
  record(tape, Op::multiply, {x, c});
  EXPECT_TRUE(tape.has_value(c.operand));
  EXPECT_FALSE(tape.has_value(x.operand));
}

TEST(Tape, ValueIsTheVeryArray) {
  Tape tape;
  const Value y = record(tape, Op::exp, {input(tape, vector3(1, 2, 3))});
  EXPECT_TRUE(tape.value(y.operand).same_block(y.array));
  EXPECT_THROW(tape.value(input(tape, vector3(1, 2, 3)).operand), std::logic_error);
}

TEST(Tape, MetaIsShapeAndDtype) {
  Tape tape;
  const Value x = input(tape, Array::zeros(DType::f32, {2, 0, 5}));
  EXPECT_EQ(tape.meta(x.operand).dtype, DType::f32);
  EXPECT_EQ(tape.meta(x.operand).shape, (Dims{2, 0, 5}));
  const Operand c = tape.add_constant(1.0);
  EXPECT_EQ(tape.meta(c).shape, Dims());
  EXPECT_EQ(tape.meta(tape.add_scalar_input(1.0)).dtype, DType::f64);
}

TEST(Tape, ManyShapesStayApart) {
  Tape tape;
  std::vector<Value> values;
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t n = 0; n < 20; ++n) {
      values.push_back(input(tape, Array::zeros(DType::f64, {n, 2})));
    }
  }
  for (const Value& v : values) EXPECT_EQ(tape.meta(v.operand).shape, v.array.shape());
}

TEST(Tape, ManyOperandsLieInAList) {
  Tape tape;
  std::vector<Value> parts;
  for (int i = 0; i < 5; ++i) parts.push_back(input(tape, vector3(i, i, i)));
  const std::int64_t axis[] = {0};
  const Value all = record(tape, Op::concatenate, parts, axis);
  const Node& n = tape[all.operand];
  ASSERT_EQ(tape.operand_count(n), 5);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(tape.operand(n, i), parts[i].operand);
  EXPECT_EQ(tape.meta(all.operand).shape, (Dims{15}));
}

TEST(Tape, AttributesComeBack) {
  Tape tape;
  const Value x = input(tape, Array::zeros(DType::f64, {4, 6}));
  const std::int64_t wanted[] = {1, 2, 2, 5, -1, 3};
  const Value part = record(tape, Op::slice, {x}, wanted);
  std::int64_t immediate = 0;
  const Attrs attrs = tape.attrs(tape[part.operand], immediate);
  EXPECT_TRUE(std::equal(attrs.begin(), attrs.end(), std::begin(wanted), std::end(wanted)));
  const NodeId item = tape.add_item(x.operand, 7, 0.0);
  const Attrs index = tape.attrs(tape[item], immediate);
  ASSERT_EQ(index.size(), 1u);
  EXPECT_EQ(index[0], 7);
}

TEST(Tape, ScalarResultsOfArraysAreScalarsButNotOnTheFastPath) {
  Tape tape;
  const Value x = input(tape, vector3(1, 2, 3));
  const std::int64_t all_axes[] = {0, 0};
  const Value sum = record(tape, Op::sum, {x}, all_axes);
  EXPECT_TRUE(tape[sum.operand].has(Node::kScalar));
  EXPECT_FALSE(tape[sum.operand].has(Node::kFastPath));
  EXPECT_EQ(tape.scalar(sum.operand), 6.0);
  const Value log = record(tape, Op::log, {sum});
  EXPECT_TRUE(tape[log.operand].has(Node::kFastPath));
}

}  // namespace
}  // namespace tapegrad
