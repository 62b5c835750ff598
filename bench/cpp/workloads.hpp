// The rows of the comparison: each function of functions.hpp at its point and size. harness.hpp
// instantiates them for every engine.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "functions.hpp"

namespace bench {

// base + spread * noise, n values.
inline std::vector<double> around(double base, double spread, std::size_t n) {
  std::vector<double> x = noise(n, 1 + n);
  for (double& v : x) v = base + spread * v;
  return x;
}

// Calls visit(name, function, point) for each row. `small` keeps the names of the functions and
// cuts the sizes, for tests.
template <class Visit>
void for_each_workload(bool small, Visit&& visit) {
  const auto pick = [small](std::size_t full, std::size_t cut) { return small ? cut : full; };
  visit(std::string("garch"), Garch(pick(2000, 20)), std::vector<double>{0.02, 0.1, 0.15, 0.8});
  visit(std::string("lotka_volterra"), LotkaVolterra{pick(1000, 20)},
        std::vector<double>{1.1, 0.4, 0.4, 0.1, 2.0, 1.5});
  visit(std::string("pendulum_chain"), PendulumChain{pick(200, 5)},
        std::vector<double>{0.4, -0.2, 0.1, 0.3, 0.0, 0.5, -0.5, 0.2, 0.1, 0.8});
  visit(std::string("mlp"), Mlp{pick(16, 2)}, around(0.0, 0.4, Mlp::parameters()));
  visit(std::string("gaussian_mixture"), GaussianMixture{pick(250, 5)},
        around(0.0, 0.5, GaussianMixture::parameters()));
  visit(std::string("log_sum_exp"), LogSumExp{}, around(0.0, 3.0, pick(10000, 20)));
  visit(std::string("speelpenning"), Speelpenning{}, around(1.0, 0.01, pick(10000, 20)));
  // Last, for ADOL-C's trace of any row is slower once it has traced a very long one.
  std::vector<std::size_t> sizes{100, 1000, 10000, 100000};
  if (small) sizes = {2, 30};
  for (const std::size_t n : sizes) {
    visit("rosenbrock/" + std::to_string(n), Rosenbrock{}, around(0.5, 1.0, n));
  }
}

}  // namespace bench
