// The recording that is open on a thread.
#include "session.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "base/copy.hpp"
#include "sweeps/recording.hpp"

namespace tapegrad {
namespace {

std::atomic<std::uint64_t> last_serial{0};
thread_local std::vector<std::shared_ptr<Session>> spare;  // closed, their memory ready for reuse
thread_local std::shared_ptr<Session> opened;              // keeps current_session alive

// Serials of the programs that are being recorded, by any thread.
std::mutex programs_mutex;
std::vector<std::uint64_t> programs;

}  // namespace

bool is_open_program(std::uint64_t serial) {
  const std::lock_guard lock(programs_mutex);
  return std::find(programs.begin(), programs.end(), serial) != programs.end();
}

namespace {

constexpr std::size_t kLookBack = 8;

// The last entries, newest first, that satisfy `is_it`; null if there is none among kLookBack.
template <class T, class F>
T* among_last(std::vector<T>& all, F&& is_it) {
  for (std::size_t k = 1; k <= std::min(kLookBack, all.size()); ++k)
    if (T& item = all[all.size() - k]; is_it(item)) return &item;
  return nullptr;
}

}  // namespace

Array Session::keep(const Array& a) {
  if (a.nbytes() <= kSmall) {
    if (!a.contiguous()) return copy_in_order(a);
    const Copied* known = known_copy(a);
    return (known ? *known : copy_of(a)).array;
  }
  const std::uint64_t quick = quick_fingerprint(a);
  const Captured* known = among_last(captured, [&](const Captured& c) {
    return c.array.data() == a.data() && c.array.dtype() == a.dtype() &&
           c.array.shape() == a.shape() && c.array.strides() == a.strides() && c.quick == quick;
  });
  if (known) return known->array;
  capture(a);
  return a;
}

Copied* Session::known_copy(const Array& a) {
  const auto bytes = static_cast<std::size_t>(a.nbytes());
  return among_last(copied, [&](const Copied& c) {
    return c.from == a.data() && c.array.dtype() == a.dtype() && c.array.shape() == a.shape() &&
           std::memcmp(c.array.data(), a.data(), bytes) == 0;
  });
}

Copied& Session::copy_of(const Array& a) {
  if (copied.size() >= 4 * kLookBack) copied.erase(copied.begin(), copied.end() - kLookBack);
  return copied.emplace_back(Copied{a.data(), copy_in_order(a)});
}

Operand Session::leaf_of(Op op, const Array& kept) {
  const auto is_it = [&](const auto& entry) { return entry.array.same(kept); };
  Operand* node = nullptr;
  if (Copied* known = among_last(copied, is_it)) node = &known->node;
  else if (Captured* large = among_last(captured, is_it)) node = &large->node;
  if (!node) return constant_operand(tape, op, kept);
  if (*node == kNoOperand) *node = constant_operand(tape, op, kept);
  return *node;
}

void Session::capture(const Array& a) {
  const bool whole = checks_are_full();
  captured.push_back({a, whole, fingerprint(a, whole), quick_fingerprint(a)});
}

void Session::verify_captured() const {
  for (const Captured& c : captured)
    if (fingerprint(c.array, c.whole) != c.fingerprint)
      throw Error("an array of shape " + c.array.shape().str() +
                  " was changed in place after a recorded operation had read it, so its derivative "
                  "would be wrong: write to a copy (`a = a.copy()`), or make a new array");
}

void Session::settle_new_nodes() {
  for (auto id = static_cast<NodeId>(lines.size()); id < tape.size(); ++id)
    tape.settle_detached(id);
  lines.resize(tape.size(), source.here());
}

void Session::guard(NodeId node, const Array& expected) {
  if (guarded_.size() < tape.size()) guarded_.resize(tape.size());
  if (guarded_[node]) return;
  guarded_[node] = true;
  guards.push_back({node, expected, source.here()});
}

void Session::clear() {
  captured.clear();
  copied.clear();
  if (program) {
    guards.clear();
    guarded_.clear();
    lines.clear();
    source.clear();
    watched.clear();
    program = false;
  }
  tape.clear();
}

std::shared_ptr<Session> enter_session(bool program) {
  if (current_session) {
    require(!program, "the recording of a program cannot be nested in another recording");
    ++current_session->depth;
    current_session->tape.keep_for_sweeps(true);
    return opened;
  }
  if (spare.empty()) {
    opened = std::make_shared<Session>();
  } else {
    opened = std::move(spare.back());
    spare.pop_back();
  }
  opened->serial = opened->origin = ++last_serial;
  opened->depth = 1;
  current_session = opened.get();
  if (program) {
    opened->program = true;
    opened->tape.record_program();
    opened->tape.keep_for_sweeps(false);
    const std::lock_guard lock(programs_mutex);
    programs.push_back(opened->serial);
  }
  return opened;
}

void leave_session(const std::shared_ptr<Session>& session, bool keep) {
  require(session.get() == current_session && session->depth > 0,
          "Tape.leave: this recording is not open on this thread");
  if (--session->depth > 0) {
    if (session->program) session->tape.keep_for_sweeps(session->depth > 1);
    return;
  }
  if (session->program) {
    const std::lock_guard lock(programs_mutex);
    std::erase(programs, session->serial);
  }
  session->serial = 0;
  current_session = nullptr;
  opened.reset();
  if (session->program) session->watched.forget_temporaries();
  if (keep) return;
  session->origin = 0;  // no handle on the cleared tape is good any more
  session->clear();
  if (spare.size() < 2) spare.push_back(session);
}

SuspendedSession::SuspendedSession() : session_(std::move(opened)) { current_session = nullptr; }

SuspendedSession::~SuspendedSession() {
  opened = std::move(session_);
  current_session = opened.get();
}

}  // namespace tapegrad
