// Elementwise kernels for double.
#define SCALAR double
#define FILL fill_f64
#include "ops/kernels_real.inc"
