// Verification and memory measurement of the cases; see harness.hpp.
#include "harness.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "reference.hpp"

namespace bench {
namespace {

constexpr double kTolerance = 1e-10;
constexpr double kDifferenceTolerance = 1e-6;  // where the reference subtracts
constexpr int kDirections = 6;

std::string describe(const char* what, double got, double expected) {
  char text[200];
  std::snprintf(text, sizeof text, "%s is %.12g, expected %.12g (off by %.2g)", what, got, expected,
                got - expected);
  return text;
}

double largest(const std::vector<double>& v) {
  double top = 0.0;
  for (const double e : v) top = std::max(top, std::abs(e));
  return top;
}

// Directions alternate between dense ones and single coordinates, so that an error in one entry
// is not lost in a long sum.
std::vector<double> direction(std::size_t n, int which) {
  const auto seed = static_cast<std::uint64_t>(which);
  if (which % 2 == 0) return noise(n, 100 + seed);
  std::vector<double> v(n, 0.0);
  v[(seed * 7919) % n] = 1.0;
  return v;
}

// The result times some directions, against what is `expected` of that.
std::optional<std::string> projection_fault(
    const std::vector<double>& result,
    const std::function<double(const std::vector<double>&)>& expected, double tolerance) {
  for (int which = 0; which < kDirections; ++which) {
    const std::vector<double> u = direction(result.size(), which);
    double sum = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      sum += result[i] * u[i];
      size += std::abs(result[i] * u[i]);
    }
    const double right = expected(u);
    if (!(std::abs(sum - right) <= tolerance * (size + 1e-3 * largest(result)))) {
      return describe("the result along a direction", sum, right);
    }
  }
  return std::nullopt;
}

std::optional<std::string> difference(const std::vector<double>& result,
                                      const std::vector<double>& agreed) {
  const double allowed = kTolerance * largest(agreed);
  for (std::size_t i = 0; i < agreed.size(); ++i) {
    if (!(std::abs(result[i] - agreed[i]) <= allowed)) {
      const std::string what = "entry " + std::to_string(i) + " of the result";
      return describe(what.c_str(), result[i], agreed[i]);
    }
  }
  return std::nullopt;
}

// The derivative along v of the slope along u, by central differences of complex steps, with
// Richardson's extrapolation.
template <class F>
double curvature(const F& f, const std::vector<double>& x, const std::vector<double>& u,
                 const std::vector<double>& v) {
  const auto difference = [&](double h) {
    std::vector<double> up = x, down = x;
    for (std::size_t i = 0; i < x.size(); ++i) {
      up[i] += h * v[i];
      down[i] -= h * v[i];
    }
    return (complex_step(f, up, u) - complex_step(f, down, u)) / (2 * h);
  };
  constexpr double h = 1e-4;
  return (4 * difference(h) - difference(2 * h)) / 3;
}

std::int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return usage.ru_maxrss;
#else
  return std::int64_t{1024} * usage.ru_maxrss;
#endif
}

}  // namespace

Comparison::Comparison(bool small) : small_(small) {
  for_each_workload(small, [this](const std::string& name, auto f, std::vector<double> x) {
    using Vector = std::vector<double>;
    const Vector v = noise(x.size(), 6);
    workloads_.push_back({name, x, count_operations(f, x), [f, x] { return f(x); },
                          [f, x](const Vector& along) { return complex_step(f, x, along); }, v,
                          [f, x, v](const Vector& u) { return curvature(f, x, u, v); }});
  });
  agreed_.resize(workloads_.size());
}

std::optional<std::string> Comparison::fault(const Case& c) {
  const Workload& w = workloads_[c.workload];
  const bool product = c.task == Task::replayed_product;
  std::vector<double> result;
  // Twice: the second call runs on storage that the first has used.
  c.run(result);
  const double value = c.run(result);
  const double expected = w.value();
  if (!product && !(std::abs(value - expected) <= kTolerance * std::abs(expected))) {
    return describe("the value", value, expected);
  }
  if (auto fault = product ? projection_fault(result, w.curvature, kDifferenceTolerance)
                           : projection_fault(result, w.slope, kTolerance)) {
    return fault;
  }
  std::vector<double>& agreed = agreed_[c.workload][product];
  if (agreed.empty()) agreed = result;
  return difference(result, agreed);
}

std::int64_t measure_peak_bytes(const Case& c, const Case& warm_up) {
  int channel[2];
  if (pipe(channel) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    std::vector<double> result;
    warm_up.run(result);
    const std::int64_t before = peak_resident_bytes();
    c.run(result);
    c.run(result);
    const std::int64_t grown = peak_resident_bytes() - before;
    const bool sent = write(channel[1], &grown, sizeof grown) == sizeof grown;
    _exit(sent ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  close(channel[1]);
  std::int64_t grown = 0;
  if (child < 0 || read(channel[0], &grown, sizeof grown) != sizeof grown) grown = 0;
  close(channel[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  return grown;
}

}  // namespace bench
