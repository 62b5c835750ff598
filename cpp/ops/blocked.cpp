// Kernels of ours that beat the library's: expit, logaddexp and its partials worked in blocks, so
// that exp and log1p run in the vector kernels of the table instead of one libm call an element.
#include <algorithm>

#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

constexpr std::intptr_t kBlock = 256;  // doubles; two blocks stay in L1

void map_in_place(Op op, double* t, std::intptr_t n) {
  const Kernel& k = kernel(op, DType::f64);
  char* p[] = {reinterpret_cast<char*>(t), reinterpret_cast<char*>(t)};
  const std::intptr_t s[] = {sizeof(double), sizeof(double)};
  k.value(p, &n, s, k.data);
}

double at(char* p, std::intptr_t i, std::intptr_t stride) {
  return loops::load<double>(p + i * stride);
}

// 1 / (1 + exp(-x)); exp(x) / (1 + exp(x)) if x is negative
void expit_value(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  double t[kBlock];
  for (std::intptr_t first = 0; first < *n; first += kBlock) {
    const std::intptr_t count = std::min(kBlock, *n - first);
    for (std::intptr_t i = 0; i < count; ++i) t[i] = -std::abs(at(p[0], first + i, s[0]));
    map_in_place(Op::exp, t, count);
    for (std::intptr_t i = 0; i < count; ++i) {
      const double x = at(p[0], first + i, s[0]);
      *reinterpret_cast<double*>(p[1] + (first + i) * s[1]) = (x >= 0 ? 1 : t[i]) / (1 + t[i]);
    }
  }
}

// max(x, y) + log1p(exp(-|x - y|))
void logaddexp_value(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  double t[kBlock];
  for (std::intptr_t first = 0; first < *n; first += kBlock) {
    const std::intptr_t count = std::min(kBlock, *n - first);
    for (std::intptr_t i = 0; i < count; ++i)
      t[i] = -std::abs(at(p[0], first + i, s[0]) - at(p[1], first + i, s[1]));
    map_in_place(Op::exp, t, count);
    map_in_place(Op::log1p, t, count);
    for (std::intptr_t i = 0; i < count; ++i) {
      const double x = at(p[0], first + i, s[0]), y = at(p[1], first + i, s[1]);
      double& out = *reinterpret_cast<double*>(p[2] + (first + i) * s[2]);
      out = x == y ? x + ln2 : plain::maximum(x, y) + t[i];
    }
  }
}

// adjoint / (1 + exp(other - own)), the partial expit(own - other)
template <int operand, bool accumulate>
void logaddexp_pull(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  double t[kBlock];
  constexpr int own = operand == 0 ? kPullX : kPullY, other = operand == 0 ? kPullY : kPullX;
  for (std::intptr_t first = 0; first < *n; first += kBlock) {
    const std::intptr_t count = std::min(kBlock, *n - first);
    for (std::intptr_t i = 0; i < count; ++i)
      t[i] = at(p[other], first + i, s[other]) - at(p[own], first + i, s[own]);
    map_in_place(Op::exp, t, count);
    for (std::intptr_t i = 0; i < count; ++i) {
      const double c =
          plain::scale(at(p[kPullAdjoint], first + i, s[kPullAdjoint]), 1 / (1 + t[i]));
      double& out = *reinterpret_cast<double*>(p[kPullOut] + (first + i) * s[kPullOut]);
      if constexpr (accumulate) out += c;
      else out = c;
    }
  }
}

// The same in dual numbers: with e = expit(own - other) its tangent is e (1 - e) (own' - other').
template <int operand, bool accumulate>
void logaddexp_pull2(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  double t[kBlock];
  constexpr int own = operand == 0 ? kPull2X : kPull2Y, other = operand == 0 ? kPull2Y : kPull2X;
  auto element = [&](int k, std::intptr_t i) { return at(p[k], i, s[k]); };
  for (std::intptr_t first = 0; first < *n; first += kBlock) {
    const std::intptr_t count = std::min(kBlock, *n - first);
    for (std::intptr_t i = 0; i < count; ++i)
      t[i] = element(other, first + i) - element(own, first + i);
    map_in_place(Op::exp, t, count);
    for (std::intptr_t i = 0; i < count; ++i) {
      const std::intptr_t j = first + i;
      const double e = 1 / (1 + t[i]),
                   rest = 1 / (1 + 1 / t[i]);  // rest = 1 - e without cancelling
      const double e_t = e * rest * (element(own + 1, j) - element(other + 1, j));
      const double g = element(kPull2Adjoint, j), gt = element(kPull2AdjointT, j);
      double& out = *reinterpret_cast<double*>(p[kPull2Out] + j * s[kPull2Out]);
      double& out_t = *reinterpret_cast<double*>(p[kPull2OutT] + j * s[kPull2OutT]);
      out = plain::scale(g, e) + (accumulate ? out : 0);
      out_t = plain::scale(gt, e) + plain::scale(g, e_t) + (accumulate ? out_t : 0);
    }
  }
}

}  // namespace

void fill_blocked(Kernel* column) {
  Kernel& expit = column[static_cast<int>(Op::expit)];
  expit.ours = true;
  expit.value = expit_value;
  Kernel& k = column[static_cast<int>(Op::logaddexp)];
  k.ours = true;
  k.value = logaddexp_value;
  k.pull[0][0] = logaddexp_pull<0, false>;
  k.pull[0][1] = logaddexp_pull<0, true>;
  k.pull[1][0] = logaddexp_pull<1, false>;
  k.pull[1][1] = logaddexp_pull<1, true>;
  k.pull2[0][0] = logaddexp_pull2<0, false>;
  k.pull2[0][1] = logaddexp_pull2<0, true>;
  k.pull2[1][0] = logaddexp_pull2<1, false>;
  k.pull2[1][1] = logaddexp_pull2<1, true>;
}

}  // namespace tapegrad
