// The recording that is open on a thread: a tape, a serial number that its Variables carry, and how
// deeply derivatives are nested in it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sweeps/sweeps.hpp"

namespace tapegrad {

// A NumPy array taken by reference: if somebody writes to it before the sweep, the derivative would
// be wrong, so a fingerprint of its bytes is compared.
struct Captured {
  Array array;
  std::uint64_t fingerprint;
};

struct Session {
  Tape tape;
  std::uint64_t serial = 0;  // 0: closed
  std::uint64_t origin = 0;  // the serial it had while it was open
  int depth = 0;
  std::vector<Captured> captured;

  // Raises Error if an array that was captured by reference has changed.
  void verify_captured() const;
};

std::uint64_t fingerprint(const Array& array);

inline thread_local Session* current_session = nullptr;

// Opens a recording on this thread or nests in the open one.
std::shared_ptr<Session> enter_session();
// Leaves one level. The last one closes the recording: its Variables are refused from then on.
// `keep`: the tape stays readable through the handle; else its memory goes back to the thread.
void leave_session(const std::shared_ptr<Session>& session, bool keep);

}  // namespace tapegrad
