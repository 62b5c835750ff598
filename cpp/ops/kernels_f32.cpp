// Elementwise kernels for float.
#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

#define PULL pull
#define SCALAR float
#include "ops/kernel_clones.inc"

}  // namespace

void fill_f32(Kernel* column) {
  loops::fill_values<float>(column);
  fill_pulls(column);
}

}  // namespace tapegrad
