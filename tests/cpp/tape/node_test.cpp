#include "tape/node.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace tapegrad {
namespace {

TEST(Node, IsASmallPlainRecord) {
  EXPECT_EQ(sizeof(Node), 24u);
  EXPECT_TRUE(std::is_trivially_copyable_v<Node>);
}

TEST(Node, FlagsAreIndependent) {
  Node n{};
  n.flags = Node::kScalar | Node::kList;
  EXPECT_TRUE(n.has(Node::kScalar));
  EXPECT_FALSE(n.has(Node::kFastPath));
  EXPECT_TRUE(n.has(Node::kList));
}

TEST(Operand, TheTopBitTellsConstantsFromNodes) {
  EXPECT_FALSE(is_constant(Operand{0}));
  EXPECT_FALSE(is_constant(kConstantBit - 1));
  EXPECT_TRUE(is_constant(kConstantBit));
  EXPECT_TRUE(is_constant(kNoOperand));
}

}  // namespace
}  // namespace tapegrad
