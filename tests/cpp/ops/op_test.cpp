#include "ops/op.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace tapegrad {
namespace {

constexpr int kOps = static_cast<int>(Op::count);

TEST(Op, NamesAreDistinct) {
  std::set<std::string_view> names;
  for (int i = 0; i < kOps; ++i) names.insert(op_name(static_cast<Op>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kOps));
}

TEST(Op, NamesAreThoseOfTheEnumeration) {
  EXPECT_EQ(op_name(Op::add), "add");
  EXPECT_EQ(op_name(Op::not_equal), "not_equal");
  EXPECT_EQ(op_name(Op::cholesky), "cholesky");
  EXPECT_EQ(op_name(Op::constant), "constant");
}

TEST(Op, KindFixesTheArityOfElementwiseOps) {
  for (int i = 0; i < kOps; ++i) {
    const Op op = static_cast<Op>(i);
    if (op == Op::alias || op == Op::stop_gradient) continue;
    switch (kind_of(op)) {
      case OpKind::unary: EXPECT_EQ(arity_of(op), 1) << op_name(op); break;
      case OpKind::binary: EXPECT_EQ(arity_of(op), 2) << op_name(op); break;
      case OpKind::comparison:
        EXPECT_TRUE(arity_of(op) == 1 || arity_of(op) == 2) << op_name(op);
        break;
      case OpKind::structured: EXPECT_NE(arity_of(op), 0) << op_name(op); break;
      case OpKind::leaf: EXPECT_EQ(arity_of(op), 0) << op_name(op); break;
    }
  }
}

TEST(Op, ElementwiseOpsComeFirst) {
  for (int i = 0; i < kOps; ++i) {
    const Op op = static_cast<Op>(i);
    if (op == Op::alias) continue;
    EXPECT_EQ(is_elementwise(op), op < Op::where) << op_name(op);
  }
}

}  // namespace
}  // namespace tapegrad
