// Second-order elementwise kernels for double.
#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

#define PULL pull2
#define SCALAR double
#include "ops/kernel_clones.inc"

}  // namespace

void fill_dual(Kernel* column) { fill_pulls(column); }

}  // namespace tapegrad
