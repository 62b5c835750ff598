// Rosenbrock's function of `params` variables: two passes, each vectorised. Called by
// systems/limit.py.

long workspace(long params, long count) {
  (void)params, (void)count;
  return 0;
}

double value_and_grad(long params, long count, const double* restrict x, const double* data,
                      double* restrict g, double* work) {
  (void)count, (void)data, (void)work;
  double value = 0.0;
  g[0] = 0.0;
  for (long i = 0; i + 1 < params; ++i) {
    double r = x[i + 1] - x[i] * x[i], s = 1.0 - x[i];
    value += 100.0 * r * r + s * s;
    g[i + 1] = 200.0 * r;
  }
  for (long i = 0; i + 1 < params; ++i) {
    double r = x[i + 1] - x[i] * x[i];
    g[i] -= 400.0 * r * x[i] + 2.0 * (1.0 - x[i]);
  }
  return value;
}
