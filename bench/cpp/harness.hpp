// A comparison is a list of workloads and, for each, one gradient an engine. Every engines/*.cpp
// adds its gradients here; main.cpp verifies and times them.
#pragma once

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
};

// Writes the gradient and returns the value.
using Gradient = std::function<double(std::vector<double>& gradient)>;

struct Case {
  std::size_t workload;
  std::string engine;
  bool replayed;  // recorded once and evaluated again; else recorded and swept anew at each call
  Gradient gradient;
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
      cases_.push_back({at++, Engine::name, false, [engine, f, x](std::vector<double>& gradient) {
                          gradient.resize(x.size());
                          return engine->gradient(f, x, gradient);
                        }});
    });
  }

  // The same for an Engine that is made for (f, x, operations), which records, and has `double
  // gradient(x, gradient)`, which replays. It is made by the first call, at a point beside the one
  // it is asked for: a number baked into the recording does not pass for a result.
  template <class Engine>
  void add_replayed() {
    std::size_t at = 0;
    for_each_workload(small_, [&](const std::string&, auto f, std::vector<double> x) {
      const auto made = std::make_shared<std::unique_ptr<Engine>>();
      const std::int64_t operations = workloads_[at].operations;
      const auto replay = [made, f, x, operations](std::vector<double>& gradient) {
        if (!*made) *made = std::make_unique<Engine>(f, beside(x), operations);
        gradient.resize(x.size());
        return (*made)->gradient(x, gradient);
      };
      cases_.push_back({at++, Engine::name, true, replay});
    });
  }

  const std::vector<Workload>& workloads() const { return workloads_; }
  const std::vector<Case>& cases() const { return cases_; }

  // What is wrong with the case's value and gradient, judged by plain doubles, by complex steps
  // along random directions and by the first engine verified; nothing when they agree.
  std::optional<std::string> fault(const Case& c);

 private:
  bool small_;
  std::vector<Workload> workloads_;
  std::vector<Case> cases_;
  std::vector<std::vector<double>> agreed_;  // per workload; empty until an engine has passed
};

// Growth of the peak resident set during two gradients of a case, in bytes, in a process of
// its own; exact to some hundred kilobytes. `warm_up` touches the engine's code beforehand.
// POSIX only; call it before any gradient has run in this process.
std::int64_t measure_peak_bytes(const Case& c, const Case& warm_up);

void add_tapegrad(Comparison& comparison);
void add_program(Comparison& comparison);  // tapegrad, replayed
void add_adolc(Comparison& comparison);
void add_cppad(Comparison& comparison);
void add_sacado(Comparison& comparison);

}  // namespace bench
