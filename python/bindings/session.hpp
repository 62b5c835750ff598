// The recording that is open on a thread: a tape, a serial number that its Variables carry, and how
// deeply derivatives are nested in it. The recording of a program also notes what its replays must
// check: guards, and the arrays that were read.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "source_lines.hpp"
#include "sweeps/sweeps.hpp"
#include "watched.hpp"

namespace tapegrad {

// A NumPy array taken by reference: if somebody writes to it before the sweep, the derivative would
// be wrong, so a fingerprint of its bytes is compared.
struct Captured {
  Array array;
  bool whole;  // the fingerprint is of all bytes
  std::uint64_t fingerprint, quick;
  Operand node = kNoOperand;  // its leaf, if it has one
};
// An array that was copied: `from` is where it lay.
struct Copied {
  const char* from;
  Array array;
  Operand node = kNoOperand;
  std::int64_t within = 0;  // of indices: all are known to lie in [0, within)
};

// A plain value that has left the recording: Python has gone on with it, so a replay is good only
// if the node has exactly this value again (NaN counts as equal to NaN).
struct Guard {
  NodeId node;
  Array expected;
  LineId line;
};

struct Session {
  Tape tape;
  std::uint64_t serial = 0;  // 0: closed
  std::uint64_t origin = 0;  // the serial it had while it was open
  int depth = 0;
  std::vector<Captured> captured;
  std::vector<Copied> copied;  // the last few

  // Of a program only. Guards are in the order in which Python asked; `lines` has one entry a node.
  bool program = false;
  bool watching = true;  // off while arguments are put on the tape
  std::vector<Guard> guards;
  std::vector<LineId> lines;
  SourceLines source;
  WatchedArrays watched;

  static constexpr std::int64_t kSmall = kCopiedBytes;
  // What the tape keeps of a plain array: a copy of a small one, and a large one itself, watched,
  // so that a later write cannot make a derivative wrong in silence. The same again is kept once.
  Array keep(const Array& a);
  // The copy of this memory among the last few that were made, if it is still the same; else null.
  Copied* known_copy(const Array& a);
  // A copy of a small contiguous array. Good until the next one is made.
  Copied& copy_of(const Array& a);
  // The leaf of an array that an op reads: one for all reads of an array among the last few kept.
  Operand leaf_of(Op op, const Array& kept);
  // Takes a plain array by reference: it must be the same when a derivative is swept.
  void capture(const Array& a);
  // Raises Error if an array that was captured by reference has changed.
  void verify_captured() const;
  // Notes the line of the nodes appended since the last call, and which carry no derivative.
  void settle_nodes() {
    if (program && lines.size() < tape.size()) settle_new_nodes();
  }
  void guard(NodeId node, const Array& expected);
  // Takes those guards back for which `chosen` holds.
  template <class F>
  void unguard(F&& chosen) {
    std::erase_if(guards, [&](const Guard& g) {
      if (!chosen(g)) return false;
      guarded_[g.node] = false;
      return true;
    });
  }
  void clear();

 private:
  void settle_new_nodes();
  std::vector<bool> guarded_;  // by node
};

inline thread_local Session* current_session = nullptr;

// The open recording if it is that of a program.
inline Session* program_session() {
  return current_session && current_session->program ? current_session : nullptr;
}

// True if the recording with this serial is a program's and open, on whichever thread: a plain
// value of it must not be taken where no guard can be noted.
bool is_open_program(std::uint64_t serial);

// Opens a recording on this thread or nests in the open one. That of a program is the outermost.
std::shared_ptr<Session> enter_session(bool program = false);
// Leaves one level. The last one closes the recording: its Variables are refused from then on.
// `keep`: the tape stays readable through the handle; else its memory goes back to the thread.
void leave_session(const std::shared_ptr<Session>& session, bool keep);

// While it lives this thread has no open recording: code of the user that a sweep or a replay calls
// must not append to the tape that is being walked.
class SuspendedSession {
 public:
  SuspendedSession();
  ~SuspendedSession();
  SuspendedSession(const SuspendedSession&) = delete;
  SuspendedSession& operator=(const SuspendedSession&) = delete;

 private:
  std::shared_ptr<Session> session_;
};

}  // namespace tapegrad
