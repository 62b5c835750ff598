// Elementwise kernels for float.
#include "ops/kernel_loops.hpp"

namespace tapegrad {

void fill_f32(Kernel* column) { loops::fill<float>(column); }

}  // namespace tapegrad
