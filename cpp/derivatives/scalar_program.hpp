// A recorded function of n numbers, and the executables of its value and derivatives, each made
// when it is first asked for. What tapegrad::Program runs.
#pragma once

#include <memory>
#include <vector>

#include "tape/observation.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

// Scalars only: inputs, elementwise ops and constants.
struct ScalarRecording {
  Tape tape;
  std::vector<NodeId> inputs;
  std::vector<Operand> outputs;
  std::vector<Observation> observations;
};

class ScalarProgram {
 public:
  // Of y = f(x), x of n numbers and y of m, each as: inputs -> outputs.
  enum class Quantity : std::uint8_t {
    value,     // x (n) -> y (m)
    gradient,  // x (n) -> y (), dy/dx (n)            where m = 1
    jvp,       // x (n), v (n) -> dy/dx v (m)
    vjp,       // x (n), w (m) -> w dy/dx (n)
    hvp,       // x (n), v (n) -> d2y/dx2 v (n)       where m = 1
    jacobian,  // x (n) -> dy/dx (m, n)
    count
  };

  explicit ScalarProgram(const ScalarRecording& recording);
  ~ScalarProgram();

  std::size_t inputs() const;
  std::size_t outputs() const;
  std::size_t guards() const;

  static constexpr std::int64_t kAllHold = -1;
  // Returns kAllHold, or the index of the first observation that is not made again: the outputs
  // mean nothing then. Called by any number of threads; allocates only while memory is made ready.
  std::int64_t run(Quantity what, const double* const* inputs, double* const* outputs) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace tapegrad
