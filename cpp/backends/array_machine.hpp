// The tile machine: an interpreter of elementwise code whose accumulator is a tile, eight vector
// registers wide, so that one dispatch does the work of 32 to 64 numbers and most intermediates
// never reach memory. array_tile_code writes its code, array_group runs it; array_machine_*.cpp
// compile it for each instruction set.
#pragma once

#include <cstdint>

#include "base/dtype.hpp"

namespace tapegrad::machine {

// a, b, c index the table of pointers (Frame).
struct Instruction {
  std::uint16_t code, a, b, c;
};

// Ops on two values. Ties of maximum and minimum give the second one, as the x86 instructions do.
// Comparisons give masks: all bits of a lane, or none.
enum class Binary : std::uint8_t {
  add,
  multiply,
  equal,
  not_equal,  // commutative: the forms va, ua and uv are not there
  both,
  either,
  differ,  // of masks, commutative; there are no repeated masks
  subtract,
  divide,
  scale,
  maximum,
  minimum,
  greater,
  greater_equal,
  count
};
// Where the two values are: the accumulator (a), a tile in memory (v), one repeated number (u).
enum class Form : std::uint8_t { av, vv, au, vu, aa, va, ua, uv, count };

constexpr bool is_commutative(Binary op) { return op <= Binary::differ; }

// On the accumulator, or on a tile in memory. `number` makes 1 and 0 of a mask, `truth` a mask of a
// number, `invert` is a mask's other half.
enum class Unary : std::uint8_t {
  negative,
  sqrt,
  reciprocal,
  absolute,
  sign,
  number,
  truth,
  invert,
  count
};

enum class Move : std::uint8_t {
  load,        // accumulator = tile a
  splat,       // accumulator = number a
  load_bool,   // accumulator = mask of the bytes at a (any stride)
  store,       // tile a = accumulator
  store_bool,  // bytes a = mask in the accumulator
  gather,      // tile b = strided array a
  scatter,     // strided array a = tile b
  // where(condition, x, y): a, v and u as above, in this order
  where_avv,
  where_avu,
  where_auv,
  where_auu,
  where_vav,
  where_vau,
  where_vva,
  where_vua,
  end,
  count
};

constexpr std::uint16_t code_of(Binary op, Form form) {
  return static_cast<std::uint16_t>(static_cast<int>(op) * static_cast<int>(Form::count) +
                                    static_cast<int>(form));
}
constexpr std::uint16_t code_of(Unary op, bool from_memory) {
  return static_cast<std::uint16_t>(code_of(Binary::count, Form{}) + 2 * static_cast<int>(op) +
                                    from_memory);
}
constexpr std::uint16_t code_of(Move move) {
  return static_cast<std::uint16_t>(code_of(Unary::count, false) + static_cast<int>(move));
}

// The memory of a run. Pointers advance by `stride` bytes an element, and are left advanced.
// Those from first_local on are tiles of the machine's own: the last, partial tile of a run reads
// and writes them whole, but of all others only the elements that are there.
struct Frame {
  char** pointers;
  const std::int64_t* strides;
  std::uint32_t count, first_local;
};
using Run = void (*)(const Instruction* code, const Frame& frame, std::int64_t n);

struct Machine {
  const char* name;
  Run f64, f32;
  std::int64_t tile_bytes;  // of the numbers of one tile, whatever their type
};

// The best one that this processor runs.
const Machine& machine();

// Those that are built in; nullptr where the compiler or the processor's family does not have them.
extern const Machine base;
const Machine* avx2();
const Machine* avx512();

}  // namespace tapegrad::machine
