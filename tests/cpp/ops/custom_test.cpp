// The op `custom`: rules by number, their lifetime, and programs that name them.
#include "ops/custom.hpp"

#include <gtest/gtest.h>

#include "backends/executable.hpp"
#include "ops/polynomial_rule.hpp"
#include "ops/structured_cases.hpp"
#include "program/listing.hpp"
#include "program/recording.hpp"
#include "program/serialise.hpp"

namespace tapegrad {
namespace {

using testing::drawn;
using testing::square_times;

TEST(CustomTest, a_number_names_a_rule_while_somebody_keeps_it) {
  CustomRule::Handle rule = square_times();
  const std::int64_t id = rule->id();
  EXPECT_EQ(CustomRule::find(id), rule);
  rule.reset();
  EXPECT_THROW(CustomRule::find(id), std::logic_error);
}

TEST(CustomTest, shapes_come_from_attributes_that_are_checked) {
  const auto shape = [](std::vector<std::int64_t> attrs) {
    return rules_of(Op::custom).shape({}, attrs);
  };
  EXPECT_EQ(shape({7, 1, 2, 3}).shape, (Dims{2, 3}));
  EXPECT_EQ(shape({7, 1, 2, 3}).dtype, DType::f32);
  EXPECT_THROW(shape({7}), Error);
  EXPECT_THROW(shape({7, 9}), Error);
  EXPECT_THROW(shape({7, 0, -1}), Error);
}

TEST(CustomTest, a_tape_keeps_the_rules_that_its_nodes_name) {
  CustomRule::Handle rule = square_times();
  const std::weak_ptr<CustomRule> seen = rule;
  Tape tape;
  const Array x = drawn({3}), y = drawn({3}, DType::f64, 2);
  const std::vector<Operand> operands{tape.add_leaf(Op::input, x), tape.add_leaf(Op::input, y)};
  const std::vector<Array> in{x, y};
  const Dims attrs = custom_attrs(*rule, x.meta());
  for (int k = 0; k < 3; ++k) tape.add(Op::custom, operands, in, attrs, x);
  rule.reset();
  EXPECT_EQ(tape.rules().size(), 1u);
  EXPECT_FALSE(seen.expired());
  tape.clear();
  EXPECT_TRUE(seen.expired());
}

// d(x0 x0 x1) by both, through a program whose source is gone before it runs.
TEST(CustomTest, programs_call_rules_and_keep_them) {
  std::unique_ptr<Executable> program;
  const Array x = drawn({3}), y = drawn({3}, DType::f64, 2), g = drawn({3}, DType::f64, 3);
  {
    Recording source;
    Builder builder(source.tape, {});
    const Term a = builder.input(x.meta()), b = builder.input(y.meta());
    source.inputs = {a.id, b.id};
    const auto rule = square_times();
    const Term in[] = {a, b};
    source.outputs = {
        builder.operand(builder.apply(Op::custom, in, custom_attrs(*rule, x.meta())))};
    EXPECT_NE(listing(source).find("custom %0 %1 {polynomial}"), std::string::npos);
    const auto adjoint = adjoint_of(source, {{0, 1}}, {});
    program = std::make_unique<Executable>(make_plan(*adjoint, {}));
  }
  const Array out = Array::zeros(DType::f64, {3, 3});
  const void* inputs[] = {x.data(), y.data(), g.data()};
  void* outputs[] = {out.ptr<double>(), out.ptr<double>() + 3, out.ptr<double>() + 6};
  ASSERT_EQ(program->run(inputs, outputs), Executable::kAllHold);
  for (std::int64_t i = 0; i < 3; ++i) {
    const double u = x.at<double>(i), v = y.at<double>(i), w = g.at<double>(i);
    EXPECT_DOUBLE_EQ(out.at<double>(i), u * u * v);
    EXPECT_DOUBLE_EQ(out.at<double>(3 + i), 2 * u * v * w);
    EXPECT_DOUBLE_EQ(out.at<double>(6 + i), u * u * w);
  }
}

TEST(CustomTest, files_name_rules_by_their_place) {
  Recording source;
  Builder builder(source.tape, {});
  const Term a = builder.input({DType::f64, {3}}), b = builder.input({DType::f64, {3}});
  source.inputs = {a.id, b.id};
  const CustomRule::Handle rule = square_times();
  const Dims attrs = custom_attrs(*rule, {DType::f64, {3}});
  source.outputs = {builder.operand(builder.apply(Op::custom, {a, b}, attrs))};
  source.lines.assign(source.tape.size(), 0);
  EXPECT_EQ(custom_rules(source), std::vector{rule});
  const std::string bytes = serialise(source);
  const std::vector<CustomRule::Handle> others{square_times()};
  const auto back = deserialise(bytes, others);
  EXPECT_EQ(custom_rules(*back), others);
  EXPECT_EQ(serialise(*back), bytes);
  EXPECT_THROW(deserialise(bytes), Error);
}

}  // namespace
}  // namespace tapegrad
