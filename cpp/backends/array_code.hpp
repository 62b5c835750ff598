// A group's ops as code for blocks of elements: machine code for runs of ops that the tile machine
// does, calls for the others. The code fits every box in which the same accesses lie contiguous,
// repeated or strided along the rows. Made by array_group through `compile_code`.
#pragma once

#include "backends/array_calls.hpp"
#include "backends/array_machine.hpp"
#include "program/group.hpp"

namespace tapegrad {

// How an array lies along a row. A load of bools may be known: none or all of them are true. In
// pieces: a load is copied into order first, a reduction has a result for each.
enum class Lie : std::uint8_t { contiguous, repeated, strided, none_true, all_true, in_pieces };

// A stream is a pointer of the table with which the code runs: first the accesses of the group
// (loads, stores, reductions), then what is below.
using StreamId = std::uint16_t;
struct Stream {
  enum class Kind : std::uint8_t { constant, lanes, block, tile };
  Kind kind;
  std::int64_t stride;  // bytes an element
  std::int64_t offset;  // of constants in their pool; of the others in the scratch memory
};

struct CallOut {
  const Kernel* kernel;  // or nullptr: `loop`
  Loop loop;
  std::uint8_t arguments;  // with the result
  StreamId streams[4];
  int stepping = -1;  // the argument that lies in pieces: the loop is told how as well
};

struct Segment {
  enum class Kind : std::uint8_t { f64, f32, calls };
  Kind kind;
  std::uint32_t first, last;  // of the instructions or of the calls
};

struct Code {
  std::vector<Lie> lies;   // of the accesses
  std::int64_t piece = 0;  // elements of a piece, if there are any
  std::vector<Stream> streams;
  std::vector<Segment> segments;
  std::vector<machine::Instruction> instructions;
  std::vector<CallOut> calls;
  std::vector<StreamId> lanes;  // of each reduction along rows; kNoStream of one across rows
  std::int64_t block = 0;       // elements that a segment does before the next one; 0: all
  std::int64_t scratch = 0;     // bytes
  StreamId first_tile = 0;      // the tiles are the last streams

  std::size_t count() const { return lies.size() + streams.size(); }
};
inline constexpr StreamId kNoStream = 0xffffu;

// What the code of all boxes has in common.
struct CodeContext {
  const Group& group;
  std::vector<std::int64_t> constants;          // offset of each in the pool
  std::vector<std::vector<Register>> overlaps;  // the loads that each store may write upon
  bool fuse;                                    // false: one op a segment, to compare with
  std::int64_t tile_bytes;                      // of the machine
};

Code compile_code(const CodeContext& context, const std::vector<Lie>& lies, std::int64_t piece);

// What the machine does for an op; `call` is what it does not do.
struct Lowered {
  enum class Kind : std::uint8_t { same, binary, unary, where, call };
  Kind kind = Kind::call;
  DType number = DType::f64;  // of the machine that runs it
  machine::Binary binary{};
  machine::Unary unary{};
  std::uint8_t arity = 0;
  Register in[3] = {};
};
Lowered lower(const MicroOp& op);
machine::Binary machine_fold(Op reduction);

}  // namespace tapegrad
