// Record once, replay often: Newton's method on a fit by least squares. Gradients and
// Hessian-vector products come from one recorded Program and allocate nothing; a function that
// branches is a tapegrad::Function. Exits 1 if a result is wrong.
#include <cmath>
#include <cstdio>
#include <numeric>
#include <tapegrad/program.hpp>
#include <utility>
#include <vector>

namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// Half the squared misfit of amplitude * exp(-rate t) + offset to samples at t = 0, 0.1, ...
struct Misfit {
  Vector samples;

  template <class T>
  T operator()(const std::vector<T>& x) const {
    using std::exp;
    T sum = 0.0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const T miss = x[0] * exp(-x[1] * (0.1 * static_cast<double>(i))) + x[2] - samples[i];
      sum += 0.5 * miss * miss;
    }
    return sum;
  }
};

// The step s of H s = -g by conjugate gradients, which only multiply by H.
Vector newton_step(const tapegrad::Program& misfit, const Vector& x, const Vector& g) {
  Vector step(x.size()), residual(g), direction(x.size()), product(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) direction[i] = residual[i] = -g[i];
  double size = dot(residual, residual);
  for (std::size_t k = 0; k < 2 * x.size() && size > 1e-30; ++k) {
    misfit.hvp(x, direction, product);
    const double length = size / dot(direction, product);
    for (std::size_t i = 0; i < x.size(); ++i) {
      step[i] += length * direction[i];
      residual[i] -= length * product[i];
    }
    const double before = std::exchange(size, dot(residual, residual));
    for (std::size_t i = 0; i < x.size(); ++i)
      direction[i] = residual[i] + size / before * direction[i];
  }
  return step;
}

bool fits() {
  const Vector truth{2.0, 1.5, 0.5};
  Vector samples;
  for (int i = 0; i < 40; ++i)
    samples.push_back(truth[0] * std::exp(-truth[1] * 0.1 * i) + truth[2]);

  Vector x{1.8, 1.3, 0.6}, g(3);
  const tapegrad::Program misfit(Misfit{samples}, x);
  for (int k = 0; k < 8; ++k) {
    const double value = misfit.value_and_gradient(x, g);
    std::printf("%2d  misfit %.3e  at %.9f %.9f %.9f\n", k, value, x[0], x[1], x[2]);
    const Vector step = newton_step(misfit, x, g);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += step[i];
  }
  double error = 0;
  for (std::size_t i = 0; i < x.size(); ++i) error = std::fmax(error, std::fabs(x[i] - truth[i]));
  return error < 1e-8;
}

// Huber's penalty: two branches, hence two recordings.
bool branches() {
  const auto huber = [](const auto& x) { return x[0] < 1.0 ? 0.5 * x[0] * x[0] : x[0] - 0.5; };
  const tapegrad::Program recorded(huber, Vector{0.3});
  bool refused = false;
  try {
    recorded.gradient(Vector{2.0});
  } catch (const tapegrad::BranchChanged& changed) {
    std::printf("%s\n", changed.what());
    refused = true;
  }
  const tapegrad::Function function(huber, Vector{0.3});
  const double inside = function.gradient(Vector{0.6})[0];
  const double outside = function.gradient(Vector{2.0})[0];
  std::printf("slopes %g and %g from %zu recordings\n", inside, outside, function.recordings());
  return refused && inside == 0.6 && outside == 1.0 && function.recordings() == 2;
}

}  // namespace

int main() {
  const bool fit = fits();
  return branches() && fit ? 0 : 1;
}
