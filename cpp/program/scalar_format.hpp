// The words of ScalarCode: written by the compiler of scalar code, read by its backend.
#pragma once

#include <array>
#include <cstdint>

#include "ops/op.hpp"

namespace tapegrad {

// What an instruction computes: an inline op, or kInline + an op of the table.
enum class Inline : std::uint16_t {
#define HOT(op) op,
#define FUSED(outer, inner, side) outer##_##inner##_##side,
#include "program/scalar_ops.def"
  count
};
inline constexpr std::uint32_t kInline = static_cast<std::uint32_t>(Inline::count);

enum class Side : std::uint8_t { none, left, right };

struct InlineRow {
  Op outer, inner;
  Side side;  // none: `outer` alone
};
inline constexpr InlineRow kInlineRows[] = {
#define HOT(op) {Op::op, Op::count, Side::none},
#define FUSED(outer, inner, side) {Op::outer, Op::inner, Side::side},
#include "program/scalar_ops.def"
};

// Operands of every code, as a table: this is asked for each op that is compiled.
inline constexpr auto kCodeArities = [] {
  std::array<std::int8_t, kInline + static_cast<std::size_t>(Op::count)> table{};
  for (std::uint32_t code = 0; code < table.size(); ++code) {
    const InlineRow row = code < kInline
                              ? kInlineRows[code]
                              : InlineRow{static_cast<Op>(code - kInline), Op::count, Side::none};
    const int inner = row.side == Side::none ? 0 : arity_of(row.inner) - 1;
    table[code] = static_cast<std::int8_t>(arity_of(row.outer) + inner);
  }
  return table;
}();
constexpr int arity_of_code(std::uint32_t code) { return kCodeArities[code]; }

// Instructions on single numbers are words
//   id, slots of the operands, slot of the result
// For an inline op, id = 8 code + 2 form + keep. Form k > 0: operand k - 1 is the result of the
// instruction before, in a register, and has no word. Without keep the result is only handed on so,
// and has no word. The last result stays in the register across calls, not across vectors.
constexpr std::uint32_t inline_id(std::uint32_t code, std::uint32_t form, bool keep) {
  return code * 8 + form * 2 + keep;
}

// The other instructions:
//   kCall1, code, operand, result
//   kCall2, code, operand, operand, result
//   kVector, code, n, result and operands as streams           n independent equal ops
//   kChain, code, n, which, every, first, result and the other operands as streams
//        n equal ops one after the other: operand `which` is the result before, at first the value
//        of slot `first`; the result is stored every time, or (every = 0) at the end only
// A stream is n slots:
//   base, stride        base + i * stride, the stride signed
//   count, kListed, slots...
enum : std::uint32_t { kCall1 = kInline * 8, kCall2, kVector, kChain, kEnd, kInstructions };
inline constexpr std::uint32_t kListed = 0x80000000u;

}  // namespace tapegrad
