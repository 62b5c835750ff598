// tapegrad::Program: a function recorded once, whose value and derivatives are replayed at other
// points without running it again. Link tapegrad::program.
//
//   auto f = [](const auto& x) { using std::exp; return exp(x[0]) * x[1]; };
//   const tapegrad::Program p(f, std::vector{0.5, 2.0});   // recorded at this point
//   double value = p.value_and_gradient(x, g);             // at any other, into the caller's g
//
// f takes `const std::vector<Var>&` and returns a Var or a range of them. Comparisons of Vars
// become guards: where one comes out otherwise the recording does not apply, and Program says so
// (BranchChanged) while tapegrad::Function records again.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include "derivatives/scalar_program.hpp"
#include "tapegrad/tapegrad.hpp"

namespace tapegrad {

using Numbers = std::span<const double>;

// A comparison that the recorded function made comes out otherwise at this point.
struct BranchChanged : std::runtime_error {
  explicit BranchChanged(std::size_t which)
      : std::runtime_error("comparison " + std::to_string(which) +
                           " of the recorded function comes out otherwise here"),
        which(which) {}
  std::size_t which;  // in the order in which the function made them, from 0
};

namespace detail {

// The replays of y = f(x), n numbers to m, in terms of Self's inputs(), outputs() and
// replay(quantity, x, operands, results). All may be called by many threads at once, and allocate
// nothing but the vectors they return. Sizes that do not fit raise Error; results may not overlap
// operands.
template <class Self>
class Replays {
  using Quantity = ScalarProgram::Quantity;

 public:
  // y, shape m.
  void value(Numbers x, std::span<double> y) const {
    run(Quantity::value, x, {}, y, m(), "as many results as outputs");
  }
  // y, where m = 1.
  double value(Numbers x) const {
    require_one("value into a span");
    double y = 0;
    value(x, {&y, 1});
    return y;
  }
  // dy/dx, shape n, and y, where m = 1.
  double value_and_gradient(Numbers x, std::span<double> g) const {
    require_one("jacobian");
    require(x.size() == n() && g.size() == n(), "x and the gradient have one number an input");
    double y = 0;
    const double* const in[] = {x.data(), nullptr};
    double* const out[] = {&y, g.data()};
    self().replay(Quantity::gradient, x, in, out);
    return y;
  }
  void gradient(Numbers x, std::span<double> g) const { value_and_gradient(x, g); }
  // dy/dx v, shape m, for v of shape n.
  void jvp(Numbers x, Numbers v, std::span<double> tangent) const {
    require(v.size() == n(), "as many tangents as inputs");
    run(Quantity::jvp, x, v, tangent, m(), "as many results as outputs");
  }
  // w dy/dx, shape n, for w of shape m.
  void vjp(Numbers x, Numbers w, std::span<double> adjoint) const {
    require(w.size() == m(), "as many cotangents as outputs");
    run(Quantity::vjp, x, w, adjoint, n(), "as many results as inputs");
  }
  // The Hessian times v, shape n, where m = 1.
  void hvp(Numbers x, Numbers v, std::span<double> product) const {
    require_one("vjp and jvp");
    require(v.size() == n(), "as many tangents as inputs");
    run(Quantity::hvp, x, v, product, n(), "as many results as inputs");
  }
  // dy/dx, shape (m, n), row by row.
  void jacobian(Numbers x, std::span<double> rows) const {
    run(Quantity::jacobian, x, {}, rows, m() * n(), "outputs times inputs results");
  }

  // The same in vectors of their own.
  std::vector<double> gradient(Numbers x) const {
    return made(n(), [&](auto& out) { gradient(x, out); });
  }
  std::vector<double> jvp(Numbers x, Numbers v) const {
    return made(m(), [&](auto& out) { jvp(x, v, out); });
  }
  std::vector<double> vjp(Numbers x, Numbers w) const {
    return made(n(), [&](auto& out) { vjp(x, w, out); });
  }
  std::vector<double> hvp(Numbers x, Numbers v) const {
    return made(n(), [&](auto& out) { hvp(x, v, out); });
  }
  std::vector<double> jacobian(Numbers x) const {
    return made(m() * n(), [&](auto& out) { jacobian(x, out); });
  }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }
  std::size_t n() const { return self().inputs(); }
  std::size_t m() const { return self().outputs(); }
  void require_one(const char* several) const {
    if (m() != 1) throw Error(std::string("one output is needed; for several there is ") + several);
  }
  void run(Quantity what, Numbers x, Numbers second, std::span<double> result, std::size_t size,
           const char* message) const {
    require(x.size() == n(), "as many numbers as the recording has inputs");
    require(result.size() == size, message);
    const double* const in[] = {x.data(), second.data()};
    double* const out[] = {result.data(), nullptr};
    self().replay(what, x, in, out);
  }
  template <class Fill>
  static std::vector<double> made(std::size_t size, Fill&& fill) {
    std::vector<double> out(size);
    fill(out);
    return out;
  }
};

template <class Result>
std::vector<Var> all_of(Result&& y) {
  if constexpr (std::is_convertible_v<Result&&, Var>) return {Var(y)};
  else return {std::begin(y), std::end(y)};
}

template <class F>
void record_scalars(ScalarRecording& made, F&& f, Numbers x0) {
  made.tape.record_program();
  const Recording recording(made.tape);
  const Observer observer(made.tape, made.observations);
  const std::vector<Var> x = inputs(made.tape, {x0.begin(), x0.end()});
  const std::vector<Var> y = all_of(f(x));
  for (const Var& v : x) made.inputs.push_back(v.id());
  for (const Var& v : y) made.outputs.push_back(operand(made.tape, v));
}

}  // namespace detail

// One recording. A handle: copies share it, and the derivatives that were made ready.
class Program : public detail::Replays<Program> {
 public:
  // Runs f once, at x0.
  template <class F>
  Program(F&& f, Numbers x0) {
    ScalarRecording recording;
    detail::record_scalars(recording, f, x0);
    made_ = std::make_shared<const ScalarProgram>(recording);
  }

  std::size_t inputs() const { return made_->inputs(); }
  std::size_t outputs() const { return made_->outputs(); }
  // How many comparisons a replay checks.
  std::size_t guards() const { return made_->guards(); }

  // What the members above come down to: -1, or the comparison that came out otherwise.
  std::int64_t try_replay(ScalarProgram::Quantity what, const double* const* operands,
                          double* const* results) const {
    return made_->run(what, operands, results);
  }
  void replay(ScalarProgram::Quantity what, Numbers, const double* const* operands,
              double* const* results) const {
    const std::int64_t failed = try_replay(what, operands, results);
    if (failed >= 0) throw BranchChanged(static_cast<std::size_t>(failed));
  }

 private:
  std::shared_ptr<const ScalarProgram> made_;
};

// f with one Program a branch: records again where no recording applies, and forgets the one that
// was not used for the longest time when there are too many. f itself is called by whichever thread
// needs a recording, so it must be as safe for threads as its use.
template <class F>
class Function : public detail::Replays<Function<F>> {
 public:
  Function(F f, Numbers x0, std::size_t most_traces = 16)
      : f_(std::move(f)), most_traces_(std::max<std::size_t>(most_traces, 1)) {
    traces_.push_back(std::make_unique<Trace>(Program(f_, x0)));
    inputs_ = traces_[0]->program.inputs();
    outputs_ = traces_[0]->program.outputs();
  }

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  // How often f was recorded: a number that keeps growing says that a Program does not suit f.
  std::size_t recordings() const { return recordings_.load(std::memory_order_relaxed); }
  std::size_t traces() const {
    const std::shared_lock lock(mutex_);
    return traces_.size();
  }

  void replay(ScalarProgram::Quantity what, Numbers x, const double* const* operands,
              double* const* results) const {
    if (replay_known(what, operands, results)) return;
    auto fresh = std::make_unique<Trace>(Program(f_, x));
    recordings_.fetch_add(1, std::memory_order_relaxed);
    require(fresh->program.outputs() == outputs_, "the number of outputs depends on the branch");
    require(fresh->program.try_replay(what, operands, results) < 0,
            "f takes another branch when it is called again with the same numbers");
    keep(std::move(fresh));
  }

 private:
  struct Trace {
    explicit Trace(Program p) : program(std::move(p)) {}
    Program program;
    std::atomic<std::uint64_t> used{0};
  };

  // The trace that fitted last is tried first.
  bool replay_known(ScalarProgram::Quantity what, const double* const* operands,
                    double* const* results) const {
    const std::shared_lock lock(mutex_);
    const std::size_t count = traces_.size(), first = last_.load(std::memory_order_relaxed);
    for (std::size_t k = 0; k < count; ++k) {
      const std::size_t i = (first + k) % count;
      if (traces_[i]->program.try_replay(what, operands, results) >= 0) continue;
      if (k > 0) select(i);
      return true;
    }
    return false;
  }
  void select(std::size_t i) const {
    last_.store(i, std::memory_order_relaxed);
    traces_[i]->used.store(++clock_, std::memory_order_relaxed);
  }
  void keep(std::unique_ptr<Trace> fresh) const {
    const std::unique_lock lock(mutex_);
    std::size_t at = traces_.size();
    if (at < most_traces_) traces_.push_back(nullptr);
    else
      at = static_cast<std::size_t>(
          std::min_element(traces_.begin(), traces_.end(),
                           [](auto& a, auto& b) { return a->used < b->used; }) -
          traces_.begin());
    traces_[at] = std::move(fresh);
    select(at);
  }

  F f_;
  std::size_t most_traces_, inputs_, outputs_;
  mutable std::shared_mutex mutex_;
  mutable std::vector<std::unique_ptr<Trace>> traces_;
  mutable std::atomic<std::size_t> last_{0}, recordings_{1};
  mutable std::atomic<std::uint64_t> clock_{0};
};

}  // namespace tapegrad
