// The recording that is open on a thread.
#include "session.hpp"

#include <atomic>
#include <cstring>

#include "base/iterate.hpp"

namespace tapegrad {
namespace {

std::atomic<std::uint64_t> last_serial{0};
thread_local std::vector<std::shared_ptr<Session>> spare;  // closed, their memory ready for reuse
thread_local std::shared_ptr<Session> opened;              // keeps current_session alive

}  // namespace

namespace {

constexpr std::uint64_t kPrime = 0x9e3779b97f4a7c15ull;

std::uint64_t mixed(std::uint64_t h, std::uint64_t word) {
  h = (h ^ word) * kPrime;
  return h ^ (h >> 32);
}

// Four chains side by side keep up with memory.
std::uint64_t hash_bytes(std::uint64_t h, const char* p, std::size_t n) {
  std::uint64_t lanes[4] = {h, h + 1, h + 2, h + 3};
  for (; n >= 32; n -= 32, p += 32)
    for (int k = 0; k < 4; ++k) {
      std::uint64_t word;
      std::memcpy(&word, p + 8 * k, 8);
      lanes[k] = mixed(lanes[k], word);
    }
  for (; n > 0; --n) lanes[0] = mixed(lanes[0], static_cast<unsigned char>(*p++));
  return mixed(mixed(lanes[0], lanes[1]), mixed(lanes[2], lanes[3]));
}

}  // namespace

// Of all bytes up to kWhole: a loop that refills a work array changes one element at a time. Of
// larger arrays kSamples elements are read, since a full pass would cost as much as a product with
// them.
std::uint64_t fingerprint(const Array& a) {
  constexpr std::int64_t kWhole = 1 << 18, kSamples = 1024;
  const std::int64_t item = itemsize(a.dtype()), n = a.size();
  std::uint64_t h = 0;
  if (a.nbytes() > kWhole) {
    for (std::int64_t k = 0; k < kSamples; ++k) {
      std::int64_t flat = k * (n - 1) / (kSamples - 1);
      const char* p = a.data();
      for (std::size_t d = a.shape().size(); d-- > 0; flat /= a.shape()[d])
        p += flat % a.shape()[d] * a.strides()[d];
      h = hash_bytes(h, p, static_cast<std::size_t>(item));
    }
    return h;
  }
  for_each_run<1>(a.shape(), {walk(a, a.shape())},
                  [&](char** p, std::intptr_t count, const std::intptr_t* s) {
                    if (s[0] == item) {
                      h = hash_bytes(h, p[0], static_cast<std::size_t>(count * item));
                      return;
                    }
                    for (std::intptr_t i = 0; i < count; ++i, p[0] += s[0])
                      h = hash_bytes(h, p[0], static_cast<std::size_t>(item));
                  });
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
  session->origin = 0;  // no handle on the cleared tape is good any more
  session->captured.clear();
  session->tape.clear();
  if (spare.size() < 2) spare.push_back(session);
}

}  // namespace tapegrad
