// Elementwise kernels for float.
#define SCALAR float
#define FILL fill_f32
#include "ops/kernels_real.inc"
