// The recording that is open on a thread.
#include "session.hpp"

#include <atomic>

namespace tapegrad {
namespace {

std::atomic<std::uint64_t> last_serial{0};
thread_local std::vector<std::shared_ptr<Session>> spare;    // closed, their memory ready for reuse
thread_local std::shared_ptr<Session> opened;               // keeps current_session alive

}  // namespace

std::uint64_t fingerprint(const Array& a) {
  std::uint64_t h = 1469598103934665603ull;
  const std::int64_t n = a.size(), item = itemsize(a.dtype());
  constexpr std::int64_t kSamples = 64;
  for (std::int64_t k = 0; k < std::min(n, kSamples); ++k) {
    std::int64_t flat = n <= kSamples ? k : k * (n - 1) / (kSamples - 1);
    const char* p = a.data();
    for (int d = a.ndim() - 1; d >= 0; --d) {
      p += flat % a.shape()[d] * a.strides()[d];
      flat /= a.shape()[d];
    }
    for (std::int64_t b = 0; b < item; ++b) h = (h ^ static_cast<unsigned char>(p[b])) * 1099511628211ull;
  }
  return h;
}

void Session::verify_captured() const {
  for (const Captured& c : captured)
    if (fingerprint(c.array) != c.fingerprint)
      throw Error("an array of shape " + c.array.shape().str() +
                  " was changed in place after a recorded operation had read it, so its derivative "
                  "would be wrong: write to a copy (`a = a.copy()`), or make a new array");
}

std::shared_ptr<Session> enter_session() {
  if (current_session) {
    ++current_session->depth;
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
  return opened;
}

void leave_session(const std::shared_ptr<Session>& session, bool keep) {
  require(session.get() == current_session && session->depth > 0,
          "Tape.leave: this recording is not open on this thread");
  if (--session->depth > 0) return;
  session->serial = 0;
  current_session = nullptr;
  opened.reset();
  if (keep) return;
  session->captured.clear();
  session->tape.clear();
  if (spare.size() < 2) spare.push_back(session);
}

}  // namespace tapegrad
