// Elementwise kernels for double.
#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

#define PULL pull
#define SCALAR double
#include "ops/kernel_clones.inc"

}  // namespace

void fill_f64(Kernel* column) {
  loops::fill_values<double>(column);
  fill_pulls(column);
}

}  // namespace tapegrad
