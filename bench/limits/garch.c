// GARCH(1,1) likelihood: the two recursions alone run in sequence, logarithms and quotients in
// vectors. x = (mu, omega, alpha, beta), data = the returns. Called by systems/limit.py.
#include <math.h>

long workspace(long params, long count) {
  (void)params;
  return 4 * count;
}

double value_and_grad(long params, long count, const double* restrict x, const double* restrict r,
                      double* restrict g, double* restrict work) {
  (void)params;
  double mu = x[0], omega = x[1], alpha = x[2], beta = x[3], rest = 1.0 - alpha - beta;
  double* restrict e = work, * restrict h = work + count;
  double* restrict a = work + 2 * count, * restrict drift = work + 3 * count;
  for (long t = 0; t < count; ++t) {
    e[t] = r[t] - mu;
    drift[t] = omega + alpha * e[t] * e[t];
  }
  h[0] = omega / rest;
  for (long t = 1; t < count; ++t) h[t] = drift[t - 1] + beta * h[t - 1];
  double value = 0.0, dmu = 0.0;
  for (long t = 0; t < count; ++t) {
    double inverse = 1.0 / h[t], scaled = e[t] * inverse;
    value += log(h[t]) + e[t] * scaled;
    dmu -= scaled;
    a[t] = 0.5 * (inverse - scaled * scaled);
  }
  for (long t = count - 1; t > 0; --t) a[t - 1] += beta * a[t];
  double domega = a[0] / rest, dalpha = h[0] * domega, dbeta = dalpha;
  for (long t = 1; t < count; ++t) {
    domega += a[t];
    dalpha += a[t] * e[t - 1] * e[t - 1];
    dbeta += a[t] * h[t - 1];
    dmu -= 2.0 * alpha * a[t] * e[t - 1];
  }
  g[0] = dmu, g[1] = domega, g[2] = dalpha, g[3] = dbeta;
  return 0.5 * value;
}
