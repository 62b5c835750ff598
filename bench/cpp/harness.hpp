// A comparison is a list of workloads and, for each, what the engines compute of it. Every
// engines/*.cpp adds its cases here; main.cpp verifies and times them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "workloads.hpp"

namespace bench {

struct Workload {
  std::string name;
  std::vector<double> x;
  std::int64_t operations;                                    // scalar operations of one value
  std::function<double()> value;                              // in plain doubles
  std::function<double(const std::vector<double>& v)> slope;  // along v, by the complex step
  std::vector<double> v;                                      // what the Hessian is multiplied with
  // u H v, by differences of slopes along u.
  std::function<double(const std::vector<double>& u)> curvature;
};

enum class Task {
  gradient,           // recorded and swept anew at each call
  replayed_gradient,  // recorded once and evaluated again
  replayed_product,   // Hessian-vector product, the same way
};

struct Case {
  std::size_t workload;
  std::string engine;
  Task task;
  // Writes the gradient and returns the value; or writes the product, and returns nothing of use.
  std::function<double(std::vector<double>& result)> run;
};

// So near that comparisons come out the same.
inline std::vector<double> beside(std::vector<double> x) {
  const std::vector<double> by = noise(x.size(), 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] += 1e-7 * by[i];
  return x;
}

class Comparison {
 public:
  explicit Comparison(bool small);

  // An Engine has `name`, is made for a number of operations, and has `double gradient(f, x,
  // gradient)` for templated f. One object serves all calls of a case: what it keeps is reused.
  template <class Engine>
  void add() {
    std::size_t at = 0;
    for_each_workload(small_, [&](const std::string&, auto f, std::vector<double> x) {
      const auto engine = std::make_shared<Engine>(workloads_[at].operations);
      cases_.push_back(
          {at++, Engine::name, Task::gradient, [engine, f, x](std::vector<double>& gradient) {
             gradient.resize(x.size());
             return engine->gradient(f, x, gradient);
           }});
    });
  }

  // The same for an Engine that is made for (f, x, operations), which records, and has `double
  // gradient(x, gradient)` and `void product(x, v, product)`, which replay. It is made by the first
  // call, at a point beside the one it is asked for: a number baked into the recording does not
  // pass for a result.
  template <class Engine>
  void add_replayed() {
    std::size_t at = 0;
    for_each_workload(small_, [&](const std::string&, auto f, std::vector<double> x) {
      const auto made = std::make_shared<std::unique_ptr<Engine>>();
      const Workload& w = workloads_[at];
      const auto engine = [made, f, x, operations = w.operations](auto& result) -> Engine& {
        if (!*made) *made = std::make_unique<Engine>(f, beside(x), operations);
        result.resize(x.size());
        return **made;
      };
      const auto gradient = [engine, x](std::vector<double>& gradient) {
        return engine(gradient).gradient(x, gradient);
      };
      const auto product = [engine, x, v = w.v](std::vector<double>& product) {
        engine(product).product(x, v, product);
        return 0.0;
      };
      cases_.push_back({at, Engine::name, Task::replayed_gradient, gradient});
      cases_.push_back({at++, Engine::name, Task::replayed_product, product});
    });
  }

  const std::vector<Workload>& workloads() const { return workloads_; }
  const std::vector<Case>& cases() const { return cases_; }

  // What is wrong with the case's results, judged by plain doubles, by complex steps along random
  // directions (for products: their differences) and by the first engine verified; nothing when
  // they agree.
  std::optional<std::string> fault(const Case& c);

 private:
  bool small_;
  std::vector<Workload> workloads_;
  std::vector<Case> cases_;
  // Per workload, gradient and product; empty until an engine has passed.
  std::vector<std::array<std::vector<double>, 2>> agreed_;
};

// Growth of the peak resident set during two runs of a case, in bytes, in a process of
// its own; exact to some hundred kilobytes. `warm_up` touches the engine's code beforehand.
// POSIX only; call it before any case has run in this process.
std::int64_t measure_peak_bytes(const Case& c, const Case& warm_up);

void add_tapegrad(Comparison& comparison);
void add_program(Comparison& comparison);  // tapegrad, replayed
void add_adolc(Comparison& comparison);
void add_cppad(Comparison& comparison);
void add_sacado(Comparison& comparison);

}  // namespace bench
