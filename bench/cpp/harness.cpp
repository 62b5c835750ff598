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

std::optional<std::string> slope_fault(const Workload& w, const std::vector<double>& gradient) {
  for (int which = 0; which < kDirections; ++which) {
    const std::vector<double> v = direction(w.x.size(), which);
    double slope = 0.0;
    double size = 0.0;
    for (std::size_t i = 0; i < v.size(); ++i) {
      slope += gradient[i] * v[i];
      size += std::abs(gradient[i] * v[i]);
    }
    const double expected = w.slope(v);
    if (!(std::abs(slope - expected) <= kTolerance * (size + 1e-3 * largest(gradient)))) {
      return describe("the derivative along a direction", slope, expected);
    }
  }
  return std::nullopt;
}

std::optional<std::string> difference(const std::vector<double>& gradient,
                                      const std::vector<double>& agreed) {
  const double allowed = kTolerance * largest(agreed);
  for (std::size_t i = 0; i < agreed.size(); ++i) {
    if (!(std::abs(gradient[i] - agreed[i]) <= allowed)) {
      const std::string what = "entry " + std::to_string(i) + " of the gradient";
      return describe(what.c_str(), gradient[i], agreed[i]);
    }
  }
  return std::nullopt;
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
    workloads_.push_back({name, x, count_operations(f, x), [f, x] { return f(x); },
                          [f, x](const std::vector<double>& v) { return complex_step(f, x, v); }});
  });
  agreed_.resize(workloads_.size());
}

std::optional<std::string> Comparison::fault(const Case& c) {
  const Workload& w = workloads_[c.workload];
  std::vector<double> gradient;
  // Twice: the second call runs on storage that the first has used.
  c.gradient(gradient);
  const double value = c.gradient(gradient);
  const double expected = w.value();
  if (!(std::abs(value - expected) <= kTolerance * std::abs(expected))) {
    return describe("the value", value, expected);
  }
  if (auto fault = slope_fault(w, gradient)) return fault;
  std::vector<double>& agreed = agreed_[c.workload];
  if (agreed.empty()) agreed = gradient;
  return difference(gradient, agreed);
}

std::int64_t measure_peak_bytes(const Case& c, const Case& warm_up) {
  int channel[2];
  if (pipe(channel) != 0) return 0;
  const pid_t child = fork();
  if (child == 0) {
    std::vector<double> gradient;
    warm_up.gradient(gradient);
    const std::int64_t before = peak_resident_bytes();
    c.gradient(gradient);
    c.gradient(gradient);
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
