// Runs groups: prepared once, when a program is compiled, then run any number of times, by any
// number of threads at once. Called by the executable.
#pragma once

#include "backends/array_code.hpp"
#include "backends/array_cut.hpp"

namespace tapegrad {

struct PrepareOptions {
  bool fuse = true;             // false: one op at a time, to compare with
  std::int64_t part = 1 << 18;  // elements times ops of a part, at least
  const machine::Machine& machine = machine::machine();
};

// A group cut into parts, which threads may share, and each part into boxes without windows. The
// parts depend on the group alone: results are the same bits for every number of threads.
struct PreparedGroup {
  struct Box {
    std::uint32_t code;
    Dims shape;                         // the last axis is the row
    std::vector<Place> places;          // of the accesses
    std::vector<std::int64_t> strides;  // [outer axis][access], in bytes
    std::vector<std::int64_t> along;    // the row: of all streams of the code
    std::vector<std::int64_t> steps;    // of the accesses, if the row is in pieces
    std::vector<bool> each_row;  // of the reductions: the result is another one in the next row
  };
  struct Result {  // of a reduction
    const FoldLoops* loops;
    std::int64_t lanes;
    Place place;
    Dims shape, strides;     // of the axes that are kept
    std::int64_t partial;    // offset of the first part's partial results in the scratch memory,
    std::int64_t bytes = 0;  // and bytes of a part's; 0: parts write into the result itself
  };
  const machine::Machine* machine;
  std::vector<Code> codes;
  std::vector<std::vector<Box>> parts;
  std::vector<Result> results;
  // The pool: zeros, a true, then the group's constants, 16 bytes each.
  std::vector<double> constants;
  static constexpr std::int64_t kTruthOffset = 16;
  std::int64_t partials = 0;   // bytes of scratch memory for the partial results,
  std::int64_t cascades = 0;   // for the sums of one thread,
  std::int64_t workspace = 0;  // and in all for one thread
  int threads = 1;             // that may be of use
};

PreparedGroup prepare(const Group& group, const PrepareOptions& options = {});

// Of the memory, aligned to 64 bytes, that a run needs for itself.
std::size_t scratch_bytes(const PreparedGroup& group);

// Runs with up to `threads` threads where OpenMP is there. Allocates nothing. The store of a
// computed value may overlap a load if both walk the same elements in the same order; else the
// memory of stores and reductions must be apart from that of everything else.
void run_group(const PreparedGroup& group, char* const* buffers, char* scratch, int threads = 1);

}  // namespace tapegrad
