// What a program is made from: a tape without values, its inputs and outputs, and the guards that
// say for which inputs it is valid. Derivatives of a recording are recordings again.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "program/builder.hpp"

namespace tapegrad {

// The value that a node had when Python looked at it. A replay is valid if it has it again.
struct RecordedGuard {
  Operand node;
  Array expected;
  std::uint32_t line = 0;
};

struct UserLine {
  std::string file;
  int line = 0;
};

struct Recording {
  Tape tape;
  std::vector<NodeId> inputs;
  std::vector<Operand> outputs;
  std::vector<RecordedGuard> guards;
  std::vector<std::uint32_t> lines;  // of each node: an index into `sources`; 0: unknown
  std::vector<UserLine> sources{{}};
};

// What a derivative is taken of and with respect to: positions in the lists of inputs and outputs.
struct Derivation {
  std::vector<std::size_t> wrt;
  std::int64_t directions = 0;  // K > 0: seeds and results carry a leading axis of length K
  // All unit seeds, as constants: K is the count of numbers in what is seeded, and there are no
  // further inputs.
  bool identity = false;
};

// The same recording, simplified.
std::unique_ptr<Recording> simplified(const Recording& source, const Passes& passes);

// Inputs: those of the source, then a cotangent for each output. Outputs: those of the source, then
// the adjoint of each input in `wrt`.
std::unique_ptr<Recording> adjoint_of(const Recording& source, const Derivation& what,
                                      const Passes& passes);
// The same for the single output 0 with the cotangent 1, so without further inputs.
std::unique_ptr<Recording> gradient_of(const Recording& source, const Derivation& what,
                                       const Passes& passes);
// Inputs: those of the source, then a tangent for each input in `wrt`. Outputs: those of the
// source, then the tangent of each.
std::unique_ptr<Recording> tangent_of(const Recording& source, const Derivation& what,
                                      const Passes& passes);

}  // namespace tapegrad
