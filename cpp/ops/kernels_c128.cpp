// Elementwise kernels for Complex.
#include "ops/kernel_loops.hpp"

namespace tapegrad {

void fill_c128(Kernel* column) { loops::fill<Complex>(column); }

}  // namespace tapegrad
