// Recordings of scalars made into programs on one array.
#include "derivatives/scalar_program.hpp"

#include <array>
#include <atomic>
#include <mutex>
#include <unordered_set>

#include "backends/executable.hpp"

namespace tapegrad {
namespace {

using Quantity = ScalarProgram::Quantity;
constexpr auto kQuantities = static_cast<std::size_t>(Quantity::count);

// The recording on one array of inputs; more than one output become an array too.
class OnArrays {
 public:
  OnArrays(const ScalarRecording& from, Recording& made, std::vector<std::size_t>& numbers)
      : from_(from), made_(made), builder_(made.tape, Passes()), terms_(from.tape.size()) {
    inputs();
    for (NodeId id = 0; id < from.tape.size(); ++id) copy(id);
    outputs();
    for (std::size_t k = 0; k < from.observations.size(); ++k)
      if (guard(from.observations[k])) numbers.push_back(k);
    made.lines = builder_.lines();
  }

 private:
  Term of(Operand o) { return is_constant(o) ? Term(from_.tape.constant(o)) : terms_[o]; }

  void inputs() {
    const auto n = static_cast<std::int64_t>(from_.inputs.size());
    const Term x = builder_.input({DType::f64, {n}});
    made_.inputs.push_back(x.id);
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t at[] = {i};
      terms_[from_.inputs[static_cast<std::size_t>(i)]] = builder_.apply(Op::item, {x}, at);
    }
  }
  void copy(NodeId id) {
    const Node& n = from_.tape[id];
    if (n.op == Op::input) return;
    const Term in[] = {of(n.a), arity_of(n.op) == 2 ? of(n.b) : Term(0.0)};
    terms_[id] = builder_.apply(n.op, std::span(in, static_cast<std::size_t>(arity_of(n.op))), {});
  }
  void outputs() {
    std::vector<std::pair<std::int64_t, Term>> elements;
    for (Operand o : from_.outputs)
      elements.push_back({static_cast<std::int64_t>(elements.size()), of(o)});
    const auto m = static_cast<std::int64_t>(elements.size());
    const Term y = m == 0   ? builder_.constant(Array::zeros(DType::f64, {0}))
                   : m == 1 ? elements[0].second
                            : builder_.scattered({m}, elements);
    made_.outputs.push_back(builder_.operand(y));
  }
  // False if it holds for all inputs, or was made before.
  bool guard(const Observation& seen) {
    const bool number = seen.op == Op::positive;
    const Term in[] = {of(seen.x), arity_of(seen.op) == 2 ? of(seen.y) : Term(0.0)};
    const std::span operands(in, static_cast<std::size_t>(arity_of(seen.op)));
    const Operand o = builder_.operand(number ? in[0] : builder_.apply(seen.op, operands, {}));
    if (is_constant(o) || made_.tape[o].op == Op::constant || !guarded_.insert(o).second)
      return false;
    made_.guards.push_back(
        {o, number ? Array::scalar(seen.seen) : Array::scalar(seen.seen != 0), 0});
    return true;
  }

  const ScalarRecording& from_;
  Recording& made_;
  Builder builder_;
  std::vector<Term> terms_;
  std::unordered_set<Operand> guarded_;
};

// Keeps one output, and one more if `second` is given.
std::unique_ptr<Recording> keep(std::unique_ptr<Recording> r, std::size_t first,
                                std::size_t second = 0) {
  std::vector<Operand> kept{r->outputs[first]};
  if (second) kept.push_back(r->outputs[second]);
  r->outputs = std::move(kept);
  return r;
}

std::unique_ptr<Recording> empty_matrix(const Recording& f, std::int64_t m, std::int64_t n) {
  auto r = simplified(f, Passes());
  const Array none = Array::zeros(DType::f64, {m, n});
  r->outputs[0] = r->tape.add_leaf(Op::constant, none.meta());
  r->tape.keep(r->outputs[0], none);
  r->lines.resize(r->tape.size());
  return r;
}

// By rows or by columns, whichever is fewer.
std::unique_ptr<Recording> jacobian_of(const Recording& f, std::int64_t m, std::int64_t n) {
  if (m == 0 || n == 0) return empty_matrix(f, m, n);
  if (m == 1) return keep(gradient_of(f, {{0}}, Passes()), 1);
  if (m <= n) return keep(adjoint_of(f, {{0}, m, true}, Passes()), 1);
  auto r = keep(tangent_of(f, {{0}, n, true}, Passes()), 1);
  const std::int64_t swap[] = {1, 0};
  r->outputs[0] = r->tape.add(Op::transpose, r->outputs, swap, {DType::f64, {m, n}});
  r->lines.resize(r->tape.size());
  return r;
}

std::unique_ptr<Recording> derived(const Recording& f, Quantity what, std::int64_t m,
                                   std::int64_t n) {
  const Derivation by_x{{0}};
  switch (what) {
    case Quantity::gradient: return keep(gradient_of(f, by_x, Passes()), 0, 1);
    case Quantity::jvp: return keep(tangent_of(f, by_x, Passes()), 1);
    case Quantity::vjp: return keep(adjoint_of(f, by_x, Passes()), 1);
    case Quantity::hvp:
      return keep(tangent_of(*keep(gradient_of(f, by_x, Passes()), 1), by_x, Passes()), 1);
    case Quantity::jacobian: return jacobian_of(f, m, n);
    default: return simplified(f, Passes());
  }
}

}  // namespace

struct ScalarProgram::Parts {
  std::size_t inputs, outputs;
  Recording recording;
  std::vector<std::size_t> numbers;  // of each guard: which observation it is
  std::mutex mutex;                  // while an executable is made
  std::array<std::unique_ptr<const Executable>, kQuantities> executables;
  std::array<std::atomic<const Executable*>, kQuantities> ready{};

  const Executable& executable(Quantity what) {
    const auto k = static_cast<std::size_t>(what);
    if (const Executable* e = ready[k].load(std::memory_order_acquire)) return *e;
    const std::lock_guard lock(mutex);
    if (!executables[k]) {
      const auto r = derived(recording, what, static_cast<std::int64_t>(outputs),
                             static_cast<std::int64_t>(inputs));
      executables[k] = std::make_unique<const Executable>(make_plan(*r, Passes()));
      ready[k].store(executables[k].get(), std::memory_order_release);
    }
    return *executables[k];
  }
};

ScalarProgram::ScalarProgram(const ScalarRecording& recording) : parts_(new Parts) {
  parts_->inputs = recording.inputs.size();
  parts_->outputs = recording.outputs.size();
  OnArrays(recording, parts_->recording, parts_->numbers);
}
ScalarProgram::~ScalarProgram() = default;

std::size_t ScalarProgram::inputs() const { return parts_->inputs; }
std::size_t ScalarProgram::outputs() const { return parts_->outputs; }
std::size_t ScalarProgram::guards() const { return parts_->numbers.size(); }

std::int64_t ScalarProgram::run(Quantity what, const double* const* inputs,
                                double* const* outputs) const {
  const void* in[] = {inputs[0], inputs[1]};
  void* out[] = {outputs[0], outputs[1]};
  const std::int64_t failed = parts_->executable(what).run(in, out);
  return failed == Executable::kAllHold
             ? kAllHold
             : static_cast<std::int64_t>(parts_->numbers[static_cast<std::size_t>(failed)]);
}

}  // namespace tapegrad
