// What a backend runs: the steps of a program in order, and where every value lies. Made once from
// a recording; holds no pointers, so one plan serves all calls and threads.
#pragma once

#include <vector>

#include "program/group.hpp"
#include "program/recording.hpp"
#include "program/scalar_code.hpp"

namespace tapegrad {

// Memory of a value, known when the plan is made.
struct Location {
  Place place;
  DType dtype = DType::f64;
  Dims shape, strides;
  bool contiguous() const { return Array::is_contiguous(shape, strides, itemsize(dtype)); }
};

// An op that is called as a whole. One that updates writes into `out`, which is operand 0 itself or
// gets a copy of it first.
struct OpCall {
  Op op;
  Dims attrs;
  std::vector<Location> in;
  Location out;
  bool copies_base = false;
};

struct Plan {
  enum class Kind : std::uint8_t { group, scalars, op };
  // How many nodes of an op, from a line of the user's code, a step computes.
  struct Share {
    Op op;
    std::uint32_t line;
    std::uint32_t count;
  };
  struct Step {
    Kind kind;
    std::uint32_t index;        // into groups, scalars or ops
    std::vector<Share> shares;  // for listings and profiles, in the order of lines and ops
  };
  struct Output {
    Location source;  // where the value is found after the last step
    DType dtype;
    bool direct = false;  // it was written into the caller's array already
    bool truth = false;   // source is 0.0 or 1.0 for a bool
  };
  struct Check {
    Location source;
    bool truth = false;
    Array expected;
    std::uint32_t line;
  };
  struct ScalarConstant {
    SlotIndex slot;
    double value;
  };
  struct CopiedInput {
    std::size_t input;
    Location to;
  };

  std::vector<Step> steps;
  std::vector<Group> groups;
  std::vector<ScalarCode> scalars;
  std::vector<OpCall> ops;

  // The table of base pointers: the workspace, the inputs, the outputs, the constants.
  static constexpr BufferId kWorkspace = 0;
  BufferId input_buffer(std::size_t k) const { return static_cast<BufferId>(1 + k); }
  BufferId output_buffer(std::size_t k) const {
    return static_cast<BufferId>(1 + inputs.size() + k);
  }
  BufferId constant_buffer(std::size_t k) const {
    return static_cast<BufferId>(1 + inputs.size() + outputs.size() + k);
  }
  std::size_t buffer_count() const { return 1 + inputs.size() + outputs.size() + constants.size(); }

  std::vector<Meta> inputs;
  std::vector<Output> outputs;
  std::vector<Meta> output_metas;
  std::vector<Array> constants;
  std::vector<ScalarConstant> scalar_constants;  // written into a workspace when it is made
  std::vector<CopiedInput> copied_inputs;        // read element by element: copied at each call
  std::vector<Check> checks;
  std::vector<std::shared_ptr<CustomRule>> rules;  // that calls of `custom` name
  std::size_t workspace_bytes = 0;
};

Plan make_plan(const Recording& recording, const Passes& passes);

}  // namespace tapegrad
