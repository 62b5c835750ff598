// The functions that are differentiated, each stated once for any scalar type: the engines, the
// references (reference.hpp) and the C++ tests instantiate them. Intermediates are spelled `T`,
// never `auto`: several engines return proxies from their operators.
#pragma once

#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

// n repeatable values in [-1, 1), equally spread; the same on every platform.
inline std::vector<double> noise(std::size_t n, std::uint64_t seed) {
  std::vector<double> values(n);
  std::uint64_t state = seed;
  for (double& v : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v = static_cast<double>(state >> 11) * 0x1p-52 - 1.0;
  }
  return values;
}

// The order on values; a complex number stands for its real part, so that the complex step takes
// the branch the real computation takes.
template <class T>
bool less(const T& a, const T& b) {
  return a < b;
}
inline bool less(const std::complex<double>& a, const std::complex<double>& b) {
  return a.real() < b.real();
}

template <class T>
T log_sum_exp(const std::vector<T>& z) {
  using std::exp;
  using std::log;
  std::size_t top = 0;
  for (std::size_t i = 1; i < z.size(); ++i) {
    if (less(z[top], z[i])) top = i;
  }
  T total = 0.0;
  for (const T& v : z) total += exp(v - z[top]);
  return z[top] + log(total);
}

// Advances y' = rhs(y) by one step h of the classical fourth-order Runge-Kutta method.
template <class T, std::size_t N, class Rhs>
void rk4_step(const Rhs& rhs, std::array<T, N>& y, double h) {
  using State = std::array<T, N>;
  const auto moved = [&y](const State& slope, double by) {
    State z;
    for (std::size_t i = 0; i < N; ++i) z[i] = y[i] + by * slope[i];
    return z;
  };
  const State k1 = rhs(y);
  const State k2 = rhs(moved(k1, 0.5 * h));
  const State k3 = rhs(moved(k2, 0.5 * h));
  const State k4 = rhs(moved(k3, h));
  for (std::size_t i = 0; i < N; ++i) {
    y[i] += (h / 6.0) * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i]);
  }
}

// sum 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, any n >= 2.
struct Rosenbrock {
  template <class T>
  T operator()(const std::vector<T>& x) const {
    T total = 0.0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const T valley = x[i + 1] - x[i] * x[i];
      const T slope = 1.0 - x[i];
      total += 100.0 * valley * valley + slope * slope;
    }
    return total;
  }
};

// x[0] x[1] ... x[n-1], Speelpenning's example.
struct Speelpenning {
  template <class T>
  T operator()(const std::vector<T>& x) const {
    T product = x[0];
    for (std::size_t i = 1; i < x.size(); ++i) product *= x[i];
    return product;
  }
};

struct LogSumExp {
  template <class T>
  T operator()(const std::vector<T>& x) const {
    return log_sum_exp(x);
  }
};

// Minus the Gaussian log-likelihood of a GARCH(1,1) model, without its constant.
// x = (mean, omega, alpha, beta): variance[t+1] = omega + alpha error[t]^2 + beta variance[t].
struct Garch {
  std::vector<double> returns;

  explicit Garch(std::size_t steps) : returns(noise(steps, 11)) {}

  template <class T>
  T operator()(const std::vector<T>& x) const {
    using std::log;
    T variance = x[1] / (1.0 - x[2] - x[3]);
    T loss = 0.0;
    for (const double r : returns) {
      const T error = r - x[0];
      const T square = error * error;
      loss += log(variance) + square / variance;
      variance = x[1] + x[2] * square + x[3] * variance;
    }
    return 0.5 * loss;
  }
};

// The squared distance of predator and prey from (1.5, 1), integrated over an RK4 solution.
// x = (birth, capture, death, growth, prey at 0, predators at 0).
struct LotkaVolterra {
  std::size_t steps;

  template <class T>
  T operator()(const std::vector<T>& x) const {
    const auto rhs = [&x](const std::array<T, 2>& y) {
      const T meetings = y[0] * y[1];
      return std::array<T, 2>{x[0] * y[0] - x[1] * meetings, x[3] * meetings - x[2] * y[1]};
    };
    const double h = 0.01;
    std::array<T, 2> y{x[4], x[5]};
    T loss = 0.0;
    for (std::size_t i = 0; i < steps; ++i) {
      rk4_step(rhs, y, h);
      const T prey = y[0] - 1.5;
      const T predators = y[1] - 1.0;
      loss += prey * prey + predators * predators;
    }
    return h * loss;
  }
};

// The final energy of four damped pendulums coupled by springs, by RK4.
// x = (four angles at 0, four angular velocities at 0, damping, stiffness).
struct PendulumChain {
  static constexpr std::size_t kLinks = 4;
  using Index = std::size_t;
  Index steps;

  template <class T>
  T operator()(const std::vector<T>& x) const {
    using std::cos;
    using std::sin;
    const T& damping = x[2 * kLinks];
    const T& stiffness = x[2 * kLinks + 1];
    const auto rhs = [&](const std::array<T, 2 * kLinks>& y) {
      std::array<T, 2 * kLinks> slope;
      for (Index i = 0; i < kLinks; ++i) {
        const T& left = y[i == 0 ? kLinks - 1 : i - 1];
        const T& right = y[i + 1 == kLinks ? 0 : i + 1];
        slope[i] = y[kLinks + i];
        slope[kLinks + i] =
            stiffness * (left + right - 2.0 * y[i]) - sin(y[i]) - damping * y[kLinks + i];
      }
      return slope;
    };
    std::array<T, 2 * kLinks> y;
    for (Index i = 0; i < 2 * kLinks; ++i) y[i] = x[i];
    for (Index i = 0; i < steps; ++i) rk4_step(rhs, y, 0.02);
    T energy = 0.0;
    for (Index i = 0; i < kLinks; ++i) {
      energy += 0.5 * y[kLinks + i] * y[kLinks + i] + 1.0 - cos(y[i]);
    }
    return energy;
  }
};

// The mean squared error of a dense tanh network, 8-16-16-1, on fixed samples.
// x holds, layer by layer, for each neuron its bias and then its weights.
struct Mlp {
  static constexpr std::array<std::size_t, 4> kWidths{8, 16, 16, 1};
  std::size_t samples;
  std::vector<double> inputs = noise(samples * kWidths[0], 21);  // (samples, 8)
  std::vector<double> targets = noise(samples, 22);

  static std::size_t parameters() {
    std::size_t n = 0;
    for (std::size_t l = 1; l < kWidths.size(); ++l) n += kWidths[l] * (kWidths[l - 1] + 1);
    return n;
  }

  template <class T>
  T operator()(const std::vector<T>& x) const {
    T loss = 0.0;
    for (std::size_t s = 0; s < samples; ++s) {
      const double* sample = inputs.data() + s * kWidths[0];
      const T error = output(x, sample) - targets[s];
      loss += error * error;
    }
    return loss / static_cast<double>(samples);
  }

 private:
  template <class T>
  static T output(const std::vector<T>& x, const double* sample) {
    std::size_t at = 0;
    std::vector<T> hidden = layer<T>(x, at, sample, kWidths[0], kWidths[1]);
    for (std::size_t l = 2; l < kWidths.size(); ++l) {
      hidden = layer<T>(x, at, hidden.data(), kWidths[l - 1], kWidths[l]);
    }
    return hidden[0];
  }

  template <class T, class In>
  static std::vector<T> layer(const std::vector<T>& x, std::size_t& at, const In* in,
                              std::size_t n_in, std::size_t n_out) {
    using std::tanh;
    std::vector<T> out(n_out);
    for (T& neuron : out) {
      T sum = x[at++];
      for (std::size_t i = 0; i < n_in; ++i) sum += x[at++] * in[i];
      neuron = tanh(sum);
    }
    return out;
  }
};

// Minus the log-likelihood of a mixture of Gaussians with diagonal covariances.
// x = (component logits, component means row by row, log standard deviations row by row).
struct GaussianMixture {
  static constexpr std::size_t kComponents = 4;
  static constexpr std::size_t kDims = 3;
  std::size_t points;
  std::vector<double> data = noise(points * kDims, 31);  // (points, kDims)

  static constexpr std::size_t parameters() { return kComponents * (1 + 2 * kDims); }

  template <class T>
  T operator()(const std::vector<T>& x) const {
    using std::exp;
    const T* means = x.data() + kComponents;
    const T* log_scales = means + kComponents * kDims;
    const std::vector<T> logits(x.begin(), x.begin() + kComponents);
    std::vector<T> offsets(kComponents);
    std::vector<T> precisions(kComponents * kDims);
    const T normaliser = log_sum_exp(logits);
    for (std::size_t k = 0; k < kComponents; ++k) {
      offsets[k] = logits[k] - normaliser;
      for (std::size_t d = k * kDims; d < (k + 1) * kDims; ++d) {
        offsets[k] -= log_scales[d];
        precisions[d] = exp(-log_scales[d]);
      }
    }
    T loss = 0.0;
    std::vector<T> terms(kComponents);
    for (std::size_t p = 0; p < points; ++p) {
      for (std::size_t k = 0; k < kComponents; ++k) {
        T square = 0.0;
        for (std::size_t d = 0; d < kDims; ++d) {
          const std::size_t at = k * kDims + d;
          const T z = (data[p * kDims + d] - means[at]) * precisions[at];
          square += z * z;
        }
        terms[k] = offsets[k] - 0.5 * square;
      }
      loss -= log_sum_exp(terms);
    }
    return loss;
  }
};

}  // namespace bench
