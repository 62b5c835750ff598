// Elementwise kernels for double.
#include "ops/kernel_loops.hpp"

namespace tapegrad {

void fill_f64(Kernel* column) { loops::fill<double>(column); }

}  // namespace tapegrad
