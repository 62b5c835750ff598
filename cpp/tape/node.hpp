// The record of one operation. Identity is position: a NodeId is an index into the tape.
#pragma once

#include <cstdint>

#include "base/dtype.hpp"
#include "ops/op.hpp"

namespace tapegrad {

// An operand is a node, or, with the top bit set, an entry of the pool of scalar constants.
using NodeId = std::uint32_t;
using Operand = std::uint32_t;
using SlotId = std::uint32_t;
using ShapeId = std::uint32_t;
using AttrId = std::uint32_t;

inline constexpr Operand kConstantBit = 0x80000000u;
inline constexpr Operand kNoOperand = 0xffffffffu;
constexpr bool is_constant(Operand o) { return o & kConstantBit; }

struct Node {
  enum Flag : std::uint8_t {
    kScalar = 1,    // the value is a float64 of shape () and sits in the node
    kFastPath = 2,  // an elementwise op on such values only
    kList = 4,      // a: offset of the operands in the pool of lists, b: how many
    kDetached = 8,  // depends on inputs, but carries no derivative: bool, int64, stop_gradient, and
                    // what is made of those only
  };
  Op op;
  DType dtype;
  std::uint8_t flags;
  Operand a;
  Operand b;
  AttrId attr;  // offset in the attribute pool; for item and item_set the index itself
  union {
    double scalar;
    SlotId slot;
  };

  bool has(Flag f) const { return flags & f; }
};
static_assert(sizeof(Node) == 24, "a node is 24 bytes: tapes of 10^7 operations must fit");

}  // namespace tapegrad
