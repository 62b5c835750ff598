// Ridge logistic regression: each block of rows is read from memory once, for its products with the
// weights and, still in cache, for the gradient. data = X (samples x features), y. Called by
// systems/limit.py.
#include <math.h>

enum { BLOCK = 64 };
static const double ridge = 1e-3;

long workspace(long params, long count) {
  (void)params, (void)count;
  return 0;
}

double value_and_grad(long features, long count, const double* restrict w,
                      const double* restrict data, double* restrict g, double* work) {
  (void)work;
  long samples = count / (features + 1);
  const double* restrict y = data + samples * features;
  double value = 0.0, z[BLOCK], residual[BLOCK];
  for (long k = 0; k < features; ++k) g[k] = 0.0;
  for (long start = 0; start < samples; start += BLOCK) {
    long rows = samples - start < BLOCK ? samples - start : BLOCK;
    const double* restrict x = data + start * features;
    for (long i = 0; i < rows; ++i) {
      double sum = 0.0;
      for (long k = 0; k < features; ++k) sum += x[i * features + k] * w[k];
      z[i] = sum;
    }
    for (long i = 0; i < rows; ++i) {
      double small = exp(-fabs(z[i])), target = y[start + i];
      value += fmax(z[i], 0.0) + log(1.0 + small) - target * z[i];
      residual[i] = (z[i] >= 0.0 ? 1.0 : small) / (1.0 + small) - target;
    }
    for (long i = 0; i < rows; ++i)
      for (long k = 0; k < features; ++k) g[k] += residual[i] * x[i * features + k];
  }
  double square = 0.0;
  for (long k = 0; k < features; ++k) {
    square += w[k] * w[k];
    g[k] = g[k] / samples + ridge * w[k];
  }
  return value / samples + 0.5 * ridge * square;
}
