// Writes the machine code of one segment: values pass through the accumulator where they can, and
// through tiles in the first-level cache where they cannot. Called by array_code.
#pragma once

#include <optional>

#include "backends/array_code.hpp"

namespace tapegrad {

// A thing to be done for a group.
struct Item {
  enum class Kind : std::uint8_t { op, store, reduction };
  Kind kind;
  std::uint32_t index;
};

// What is known of a register when code is written.
struct TileValue {
  DType dtype = DType::f64;
  bool defined = false;  // by an op; else a load or a constant
  Lowered op;
  int segment = -1;           // of the op
  bool outside = false;       // read in other segments, or by calls
  StreamId home = kNoStream;  // where it lies in memory, if it does
  Lie lie = Lie::contiguous;  // of the home
};

struct SegmentSource {
  const CodeContext& context;
  std::vector<TileValue>& values;
  std::vector<Register>& same;  // of each register: the one that holds its value
  const std::vector<Lie>& lies;
  const std::vector<StreamId>& lanes;
  StreamId first_tile;
};

class TileWriter {
 public:
  TileWriter(const SegmentSource& source, std::vector<machine::Instruction>& code);
  // Returns how many tiles the code uses.
  std::size_t write(const std::vector<Item>& items);

 private:
  // Where a value can be read: the accumulator, a tile, one repeated number.
  struct Spot {
    enum class Kind : std::uint8_t { none, accumulator, tile, number } kind = Kind::none;
    StreamId stream = 0;
    bool operator==(const Spot&) const = default;
  };
  struct State {
    int uses = 0;  // items of the segment that still read it
    int depth = 0;
    bool delayed = false;  // computed when its only reader needs it
    StreamId tile = kNoStream;
  };

  void count_uses(const std::vector<Item>& items);
  Spot spot(Register v) const;
  void make(Register v);
  void make_operands(const Lowered& op);
  void evaluate(Register v);
  void emit_op(const Lowered& op);
  void emit_binary(machine::Binary op, Spot x, Spot y);
  void emit_where(Spot condition, Spot x, Spot y);
  void into_accumulator(Spot from);
  void keep(Register v);
  void store(std::uint32_t index);
  void reduce(std::uint32_t index);
  void spare_accumulator(const Register* consumed = nullptr, int count = 0);
  void consume(Register v);
  StreamId take_tile();
  void emit(std::uint16_t code, StreamId a = 0, StreamId b = 0, StreamId c = 0);
  template <class Code>
  void emit(Code code, StreamId a = 0, StreamId b = 0, StreamId c = 0) {
    emit(machine::code_of(code), a, b, c);
  }
  Register resolved(Register v) const { return source_.same[v]; }

  const SegmentSource& source_;
  const Group& group_;
  std::vector<TileValue>& values_;
  std::vector<machine::Instruction>& code_;
  std::vector<State> states_;
  std::vector<bool> stored_;
  std::vector<std::vector<std::uint32_t>> stores_of_;  // of a register: stores that may go at once
  std::vector<StreamId> free_tiles_;
  std::size_t tiles_ = 0;
  std::optional<Register> held_;  // by the accumulator
};

}  // namespace tapegrad
