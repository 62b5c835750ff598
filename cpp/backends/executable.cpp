// The serial and OpenMP way to run a plan: its steps, one after the other.
#include "backends/executable.hpp"

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "backends/scalar.hpp"
#include "base/copy.hpp"
#include "ops/products.hpp"
#include "ops/rules.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace tapegrad {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kHugePage = 2 << 20;

struct Aligned {
  std::align_val_t align{kAlign};
  void operator()(char* p) const { ::operator delete[](p, align); }
};
using Memory = std::unique_ptr<char[], Aligned>;
// Large memory is asked for in huge pages: there are fewer of them to be found and translated.
Memory aligned_memory(std::size_t bytes) {
  const bool large = bytes >= 2 * kHugePage;
  const Aligned aligned{std::align_val_t(large ? kHugePage : kAlign)};
  Memory m(static_cast<char*>(::operator new[](std::max(bytes, kAlign), aligned.align)), aligned);
#ifdef MADV_HUGEPAGE
  if (large) madvise(m.get(), bytes, MADV_HUGEPAGE);  // as good as it was if this fails
#endif
  return m;
}

Array array_at(const Location& l, char* const* buffers) {
  return Array::foreign(l.dtype, l.shape, l.strides, buffers[l.place.buffer] + l.place.offset,
                        nullptr, nullptr);
}

// Equal as a guard means it: NaN is equal to NaN.
bool holds(const Plan::Check& check, char* const* buffers) {
  const char* at = buffers[check.source.place.buffer] + check.source.place.offset;
  if (check.truth) return (*reinterpret_cast<const double*>(at) != 0) == check.expected.at<bool>();
  const Array seen = array_at(check.source, buffers);
  bool same = true;
  dispatch(seen.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const Array flat = contiguous(seen), expected = contiguous(check.expected);
    for (std::int64_t i = 0; same && i < flat.size(); ++i) {
      const T a = flat.at<T>(i), b = expected.at<T>(i);
      same = a == b || (a != a && b != b);
    }
  });
  return same;
}

// Element operations, roughly; an op that is called as a whole counts its result.
std::int64_t work_of(const Plan& plan) {
  std::int64_t work = 0;
  for (auto& g : plan.groups)
    work += g.shape.product() * static_cast<std::int64_t>(g.ops.size() + 1);
  for (auto& s : plan.scalars) work += 4 * static_cast<std::int64_t>(s.words.size());
  for (auto& op : plan.ops) work += 1000 + 10 * op.out.shape.product();
  return work;
}

std::atomic<int> threads_by_default{1};

}  // namespace

bool has_openmp() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}
int default_threads() { return threads_by_default.load(std::memory_order_relaxed); }
void set_default_threads(int threads) { threads_by_default.store(threads); }

// What one running call needs for itself.
struct Executable::Workspace {
  Memory arena, scratch;
  std::vector<char*> buffers;
  std::vector<std::vector<Array>> operands;  // of each op: its operands, then the result
};

Executable::Executable(Plan plan) : plan_(std::move(plan)) {
  groups_.reserve(plan_.groups.size());
  for (auto& g : plan_.groups) {
    groups_.push_back(prepare(g));
    scratch_bytes_ = std::max(scratch_bytes_, scratch_bytes(groups_.back()));
  }
  constexpr std::int64_t kLong = 20000;  // about 5 us
  is_long_ = work_of(plan_) > kLong;
}

Executable::~Executable() { delete last_.load(); }

std::unique_ptr<Executable::Workspace> Executable::make_workspace() const {
  auto w = std::make_unique<Workspace>();
  w->arena = aligned_memory(plan_.workspace_bytes);
  w->scratch = aligned_memory(scratch_bytes_);
  w->buffers.assign(plan_.buffer_count(), nullptr);
  w->buffers[Plan::kWorkspace] = w->arena.get();
  for (std::size_t k = 0; k < plan_.constants.size(); ++k)
    w->buffers[plan_.constant_buffer(k)] = plan_.constants[k].data();
  for (auto& c : plan_.scalar_constants)
    reinterpret_cast<double*>(w->arena.get())[c.slot] = c.value;
  for (auto& op : plan_.ops) {
    std::vector<Array> arrays;
    for (auto& l : op.in) arrays.push_back(array_at(l, w->buffers.data()));
    arrays.push_back(array_at(op.out, w->buffers.data()));
    w->operands.push_back(std::move(arrays));
  }
  return w;
}

Executable::Workspace* Executable::acquire() const {
  if (Workspace* w = last_.exchange(nullptr, std::memory_order_acquire)) return w;
  {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      Workspace* w = spare_.back().release();
      spare_.pop_back();
      return w;
    }
  }
  return make_workspace().release();
}

void Executable::release(Workspace* w) const {
  Workspace* none = nullptr;
  if (last_.compare_exchange_strong(none, w, std::memory_order_release)) return;
  const std::lock_guard lock(mutex_);
  spare_.emplace_back(w);
}

void Executable::call(const OpCall& op, std::span<Array> operands, char* const* buffers,
                      int threads) const {
  // Inputs and outputs lie elsewhere at each call.
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Location& l = i < op.in.size() ? op.in[i] : op.out;
    operands[i].point_at(buffers[l.place.buffer] + l.place.offset);
  }
  const Rules& rules = rules_of(op.op);
  const Array& out = operands.back();
  const std::span<const Array> in(operands.data(), operands.size() - 1);
  if (rules.update) {
    if (op.copies_base) copy_into(in[0], out);
    rules.update(out, in.subspan(1), op.attrs);
  } else if (threads > 1 && op.op == Op::matmul && can_be_divided(in[0], in[1], out)) {
    multiply_rows(in[0], in[1], out, threads);
  } else {
    rules.value(in, op.attrs, out);
  }
}

void Executable::finish_outputs(const Workspace& w, void* const* outputs) const {
  for (std::size_t k = 0; k < plan_.outputs.size(); ++k) {
    const Plan::Output& o = plan_.outputs[k];
    if (o.direct || o.source.shape.product() == 0) continue;  // no numbers may have no address
    const char* from = w.buffers[o.source.place.buffer] + o.source.place.offset;
    const auto bytes = static_cast<std::size_t>(o.source.shape.product() * itemsize(o.dtype));
    if (o.truth) *static_cast<bool*>(outputs[k]) = *reinterpret_cast<const double*>(from) != 0;
    else if (o.source.shape.empty() && o.dtype == DType::f64)
      *static_cast<double*>(outputs[k]) = *reinterpret_cast<const double*>(from);
    else if (o.source.contiguous()) std::memcpy(outputs[k], from, bytes);
    else
      copy_into(array_at(o.source, w.buffers.data()),
                Array::foreign(o.dtype, o.source.shape,
                               Array::contiguous_strides(o.source.shape, itemsize(o.dtype)),
                               outputs[k], nullptr, nullptr));
  }
}

std::int64_t Executable::first_failure(const Workspace& w) const {
  for (const Plan::Check& check : plan_.checks)
    if (!holds(check, w.buffers.data())) return static_cast<std::int64_t>(check.guard);
  return kAllHold;
}

// Gives the workspace back when the call ends.
struct Executable::Held {
  const Executable& of;
  Workspace* workspace;
  explicit Held(const Executable& of) : of(of), workspace(of.acquire()) {}
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { of.release(workspace); }
};

void Executable::begin(Workspace& w, const void* const* inputs, void* const* outputs) const {
  for (std::size_t k = 0; k < plan_.inputs.size(); ++k)
    w.buffers[plan_.input_buffer(k)] = static_cast<char*>(const_cast<void*>(inputs[k]));
  for (std::size_t k = 0; k < plan_.outputs.size(); ++k)
    w.buffers[plan_.output_buffer(k)] = static_cast<char*>(outputs[k]);
  for (auto& c : plan_.copied_inputs)
    std::memcpy(w.arena.get() + c.to.place.offset, inputs[c.input],
                static_cast<std::size_t>(c.to.shape.product() * itemsize(c.to.dtype)));
}

void Executable::run_step(const Plan::Step& step, Workspace& w, int threads) const {
  char* const* buffers = w.buffers.data();
  switch (step.kind) {
    case Plan::Kind::group:
      run_group(groups_[step.index], buffers, w.scratch.get(), threads);
      break;
    case Plan::Kind::scalars:
      run_scalars(plan_.scalars[step.index], reinterpret_cast<double*>(w.arena.get()));
      break;
    case Plan::Kind::op:
      call(plan_.ops[step.index], w.operands[step.index], buffers, threads);
      break;
  }
}

std::int64_t Executable::run(const void* const* inputs, void* const* outputs, int threads) const {
  const Held held(*this);
  Workspace& w = *held.workspace;
  begin(w, inputs, outputs);
  for (const Plan::Step& step : plan_.steps) run_step(step, w, threads);
  const std::int64_t failed = first_failure(w);
  if (failed == kAllHold) finish_outputs(w, outputs);
  return failed;
}

std::vector<double> Executable::profile(const void* const* inputs, void* const* outputs,
                                        int repeats) const {
  using Clock = std::chrono::steady_clock;
  const Held held(*this);
  Workspace& w = *held.workspace;
  std::vector<double> seconds(plan_.steps.size(), std::numeric_limits<double>::infinity());
  for (int k = 0; k < repeats; ++k) {
    begin(w, inputs, outputs);
    auto before = Clock::now();
    for (std::size_t s = 0; s < plan_.steps.size(); ++s) {
      run_step(plan_.steps[s], w, 1);
      const auto after = Clock::now();
      seconds[s] = std::min(seconds[s], std::chrono::duration<double>(after - before).count());
      before = after;
    }
  }
  return seconds;
}

std::size_t Executable::bytes() const {
  std::size_t total = plan_.workspace_bytes + scratch_bytes_;
  for (auto& c : plan_.constants) total += static_cast<std::size_t>(c.nbytes());
  for (auto& s : plan_.scalars) total += s.words.size() * sizeof(std::uint32_t);
  return total;
}

}  // namespace tapegrad
