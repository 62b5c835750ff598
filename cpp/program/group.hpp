// A fused loop over arrays of one shape: loads, elementwise ops on registers, stores and
// reductions. The planner makes groups; the array backend runs them block by block, so that what
// lies between a load and a store never leaves the first-level cache.
#pragma once

#include <vector>

#include "base/array.hpp"
#include "ops/op.hpp"

namespace tapegrad {

// Memory of one call: an entry of the table of base pointers that a call provides (the workspace,
// the inputs, the outputs, the constants), and an offset in bytes.
using BufferId = std::uint32_t;
struct Place {
  BufferId buffer = 0;
  std::int64_t offset = 0;
  bool operator==(const Place&) const = default;
};

// A load of bools from nowhere: true inside its windows. The condition of a `where` whose second
// value is computed from loads that may lie outside their arrays where the condition is false: what
// only such a value needs must not be read there.
inline constexpr BufferId kTruth = 0xfffffffdu;

// How one array is walked by a group of shape S: an address for the index (0, ..., 0) and a stride
// in bytes for each axis of S, 0 where the array is broadcast (or, in a reduction, summed).
struct Access {
  // One axis on which the array is read at another index: source index = index + shift, of `extent`
  // elements. `wrap` takes it modulo the extent (a roll); `zero` reads 0 outside (a padded slice).
  enum class Edge : std::uint8_t { wrap, zero };
  struct Window {
    Edge edge;
    std::uint8_t axis;
    std::int64_t shift, extent;
    bool operator==(const Window&) const = default;
  };
  DType dtype = DType::f64;
  Place place;
  Dims strides;
  std::vector<Window> windows;  // at most one an axis; stores and reductions have none
  bool operator==(const Access&) const = default;
};

using Register = std::uint16_t;

struct MicroOp {
  Op op;        // elementwise, comparison, where, cast, real, imag or conjugate
  DType dtype;  // of its operands (of the two values of `where`); cast: of the operand
  DType result_dtype;
  Register result;
  Register in[3];
};

struct Reduction {
  Op op;  // sum, prod, max or min, over the axes on which `out` has stride 0
  Register value;
  Access out;
};

// Registers are numbered: first the loads, then the constants, then the results of the ops in
// order.
struct Group {
  struct Constant {
    DType dtype;
    double value;
  };
  struct Store {
    Register value;
    Access out;
  };
  Dims shape;
  std::vector<Access> loads;
  std::vector<Constant> constants;
  std::vector<MicroOp> ops;
  std::vector<Store> stores;
  std::vector<Reduction> reductions;
};

}  // namespace tapegrad
