// 2-D Burgers, periodic, explicit steps: the trajectory is kept, and one fused stencil a step runs
// back. Fields lie in (n + 2) x (n + 2) arrays whose border repeats the opposite side.
// x = (u, v), data = (steps, C, D). Called by systems/limit.py.
#include <math.h>
#include <string.h>

static long side(long params) { return lround(sqrt(params / 2.0)); }

long workspace(long params, long count) {
  (void)count;
  long m = side(params) + 2;
  return 2 * m * m * 102;  // the states after 0 to 100 steps, and one adjoint
}

static void wrap(double* f, long n) {
  long m = n + 2;
  for (long i = 1; i <= n; ++i) f[i * m] = f[i * m + n], f[i * m + n + 1] = f[i * m + 1];
  memcpy(f, f + n * m, m * sizeof *f);
  memcpy(f + (n + 1) * m, f + m, m * sizeof *f);
}

static void forward(long n, double C, double D, const double* restrict u, const double* restrict v,
                    double* restrict un, double* restrict vn) {
  long m = n + 2;
  for (long i = 1; i <= n; ++i)
    for (long k = i * m + 1; k <= i * m + n; ++k) {
      double a = C * u[k], b = C * v[k];
      un[k] = u[k] - a * (u[k + m] - u[k - m]) - b * (u[k + 1] - u[k - 1]) +
              D * (u[k + m] + u[k - m] + u[k + 1] + u[k - 1] - 4.0 * u[k]);
      vn[k] = v[k] - a * (v[k + m] - v[k - m]) - b * (v[k + 1] - v[k - 1]) +
              D * (v[k + m] + v[k - m] + v[k + 1] + v[k - 1] - 4.0 * v[k]);
    }
  wrap(un, n), wrap(vn, n);
}

// (a, b), the adjoints of the later state, into (an, bn), those of the state (u, v) before it.
static void backward(long n, double C, double D, const double* restrict u, const double* restrict v,
                     const double* restrict a, const double* restrict b, double* restrict an,
                     double* restrict bn) {
  long m = n + 2;
  for (long i = 1; i <= n; ++i)
    for (long k = i * m + 1; k <= i * m + n; ++k) {
      double up = D - C * u[k - m], down = D + C * u[k + m];
      double left = D - C * v[k - 1], right = D + C * v[k + 1], stay = 1.0 - 4.0 * D;
      an[k] = a[k] * (stay - C * (u[k + m] - u[k - m])) - C * b[k] * (v[k + m] - v[k - m]) +
              up * a[k - m] + down * a[k + m] + left * a[k - 1] + right * a[k + 1];
      bn[k] = b[k] * (stay - C * (v[k + 1] - v[k - 1])) - C * a[k] * (u[k + 1] - u[k - 1]) +
              up * b[k - m] + down * b[k + m] + left * b[k - 1] + right * b[k + 1];
    }
  wrap(an, n), wrap(bn, n);
}

double value_and_grad(long params, long count, const double* restrict x,
                      const double* restrict data, double* restrict g, double* restrict work) {
  (void)count;
  long n = side(params), m = n + 2, field = m * m, steps = (long)data[0];
  double C = data[1], D = data[2], value = 0.0, scale = 1.0 / (n * n);
  for (long i = 0; i < n; ++i) {
    memcpy(work + (i + 1) * m + 1, x + i * n, n * sizeof *x);
    memcpy(work + field + (i + 1) * m + 1, x + (n + i) * n, n * sizeof *x);
  }
  wrap(work, n), wrap(work + field, n);
  for (long t = 0; t < steps; ++t) {
    double* s = work + 2 * field * t;
    forward(n, C, D, s, s + field, s + 2 * field, s + 3 * field);
  }
  // A second adjoint replaces the last state, which nobody reads any more.
  double *last = work + 2 * field * steps, *a = last + 2 * field, *spare = last;
  for (long i = 1; i <= n; ++i)
    for (long k = i * m + 1; k <= i * m + n; ++k) {
      value += last[k] * last[k] + last[field + k] * last[field + k];
      a[k] = 2.0 * scale * last[k], a[field + k] = 2.0 * scale * last[field + k];
    }
  wrap(a, n), wrap(a + field, n);
  for (long t = steps - 1; t >= 0; --t) {
    double* s = work + 2 * field * t;
    backward(n, C, D, s, s + field, a, a + field, spare, spare + field);
    double* done = a;
    a = spare, spare = done;
  }
  for (long i = 0; i < n; ++i) {
    memcpy(g + i * n, a + (i + 1) * m + 1, n * sizeof *g);
    memcpy(g + (n + i) * n, a + field + (i + 1) * m + 1, n * sizeof *g);
  }
  return value * scale;
}
