// Runs prepared groups.
#include "backends/array_group.hpp"

#include <algorithm>
#include <bit>

#include "base/iterate.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace tapegrad {
namespace {

using Box = PreparedGroup::Box;
using Result = PreparedGroup::Result;

constexpr std::int64_t kFlush = 1024;  // elements after which lanes are folded

std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

// One box on one thread. Three tables of pointers: to the row's begin, to the block's, and a copy
// of that which the machine advances; tiles, lanes and blocks are where they are.
class BoxRun {
 public:
  BoxRun(const PreparedGroup& group, const Box& box, char* const* buffers, char* scratch,
         char* workspace)
      : group_(group),
        box_(box),
        code_(group.codes[box.code]),
        accesses_(code_.lies.size()),
        count_(code_.count()),
        cascades_(workspace),
        row_(reinterpret_cast<char**>(workspace + group.cascades)),
        block_(row_ + count_),
        live_(block_ + count_),
        index_(reinterpret_cast<std::int64_t*>(live_ + count_)),
        strides_(box.along.data()) {
    const auto words = static_cast<std::int64_t>(3 * count_ + box.shape.size());
    char* own = workspace + group.cascades + rounded(words * 8);
    set_pointers(buffers, scratch, own);
    reset_lanes();
  }

  void run() {
    const std::size_t outer = box_.shape.size() - 1;
    std::fill_n(index_, outer, 0);
    do {
      run_row();
      finish(true);
    } while (next_row(outer));
    finish(false);
  }

 private:
  void set_pointers(char* const* buffers, char* scratch, char* own);
  void reset_lanes();
  void run_row();
  void run_segments(char** pointers, std::int64_t n, bool reuse);
  void run_call(const CallOut& call, char* const* pointers, std::int64_t n) const;
  void flush();
  void finish(bool of_row);
  bool next_row(std::size_t outer);
  std::int64_t lanes_used(const Result& r) const {  // a power of two
    const auto n = static_cast<std::uint64_t>(std::min(box_.shape.back(), r.lanes));
    return static_cast<std::int64_t>(std::bit_ceil(n));
  }

  const PreparedGroup& group_;
  const Box& box_;
  const Code& code_;
  std::size_t accesses_, count_;
  char* cascades_;
  char **row_, **block_, **live_;
  std::int64_t* index_;
  const std::int64_t* strides_;
  std::int64_t unflushed_ = 0;
};

void BoxRun::set_pointers(char* const* buffers, char* scratch, char* own) {
  char* constants = const_cast<char*>(reinterpret_cast<const char*>(group_.constants.data()));
  for (std::size_t k = 0; k < accesses_; ++k) {
    const Place& place = box_.places[k];
    char* base = place.buffer == kZeros     ? constants
                 : place.buffer == kTruth   ? constants + PreparedGroup::kTruthOffset
                 : place.buffer == kScratch ? scratch
                                            : buffers[place.buffer];
    row_[k] = base + place.offset;
  }
  for (std::size_t k = accesses_; k < count_; ++k) {
    const Stream& s = code_.streams[k - accesses_];
    row_[k] = (s.kind == Stream::Kind::constant ? constants : own) + s.offset;
  }
}

void BoxRun::reset_lanes() {
  char* cascade = cascades_;
  for (std::size_t k = 0; k < group_.results.size(); ++k) {
    const Result& r = group_.results[k];
    if (code_.lanes[k] != kNoStream) {
      r.loops->reset(row_[code_.lanes[k]], r.lanes);
      r.loops->reset_cascade(cascade);
    }
    cascade += rounded(r.loops->cascade_bytes);
  }
}

void BoxRun::run_row() {
  const std::int64_t n = box_.shape.back();
  const bool only_row = box_.shape.size() == 1;
  if (code_.segments.size() <= 1 && (code_.block == 0 || n <= code_.block)) {
    if (!only_row) std::copy_n(row_, count_, block_);
    run_segments(only_row ? row_ : block_, n, true);
    if (code_.block) unflushed_ += n;
  } else {
    std::copy_n(row_, count_, block_);
    for (std::int64_t begin = 0; begin < n; begin += code_.block) {
      const std::int64_t m = std::min(code_.block, n - begin);
      run_segments(block_, m, false);
      for (std::size_t k = 0; k < accesses_; ++k)
        block_[k] += code_.piece ? m / code_.piece * box_.steps[k] : m * strides_[k];
      unflushed_ += m;
      if (unflushed_ >= kFlush) flush();
    }
  }
  if (unflushed_ >= kFlush) flush();
}

// `reuse`: the pointers are not needed again.
void BoxRun::run_segments(char** pointers, std::int64_t n, bool reuse) {
  const machine::Machine& machine = *group_.machine;
  for (const Segment& s : code_.segments) {
    if (s.kind == Segment::Kind::calls) {
      for (std::uint32_t k = s.first; k < s.last; ++k) run_call(code_.calls[k], pointers, n);
      continue;
    }
    char** p = pointers;
    if (!reuse) p = std::copy_n(pointers, count_, live_) - static_cast<std::ptrdiff_t>(count_);
    const machine::Frame frame{p, strides_, static_cast<std::uint32_t>(count_), code_.first_tile};
    (s.kind == Segment::Kind::f64 ? machine.f64 : machine.f32)(&code_.instructions[s.first], frame,
                                                               n);
  }
}

void BoxRun::run_call(const CallOut& call, char* const* pointers, std::int64_t n) const {
  char* p[4];
  std::intptr_t strides[4];
  for (int k = 0; k < call.arguments; ++k) {
    p[k] = pointers[call.streams[k]];
    strides[k] = strides_[call.streams[k]];
  }
  if (call.stepping >= 0) {
    strides[kPieceStep] = box_.steps[call.streams[call.stepping]];
    strides[kPieceLength] = code_.piece;
  }
  const std::intptr_t count = n;
  if (call.kernel) call.kernel->value(p, &count, strides, call.kernel->data);
  else call.loop(p, &count, strides, nullptr);
}

void BoxRun::flush() {
  unflushed_ = 0;
  char* cascade = cascades_;
  for (std::size_t k = 0; k < group_.results.size(); ++k) {
    const Result& r = group_.results[k];
    if (code_.lanes[k] != kNoStream) r.loops->flush(row_[code_.lanes[k]], lanes_used(r), cascade);
    cascade += rounded(r.loops->cascade_bytes);
  }
}

// Adds the sums to the results: to those that change with the row, or to the others.
void BoxRun::finish(bool of_row) {
  const std::size_t first = accesses_ - group_.results.size();
  char* cascade = cascades_;
  for (std::size_t k = 0; k < group_.results.size(); ++k) {
    const Result& r = group_.results[k];
    if (code_.lanes[k] != kNoStream && box_.each_row[k] == of_row) {
      if (unflushed_ > 0) flush();
      r.loops->finish(cascade, row_[first + k]);
    }
    cascade += rounded(r.loops->cascade_bytes);
  }
}

bool BoxRun::next_row(std::size_t outer) {
  while (outer-- > 0) {
    const std::int64_t* step = &box_.strides[outer * accesses_];
    for (std::size_t k = 0; k < accesses_; ++k) row_[k] += step[k];
    if (++index_[outer] < box_.shape[outer]) return true;
    for (std::size_t k = 0; k < accesses_; ++k) row_[k] -= step[k] * box_.shape[outer];
    index_[outer] = 0;
  }
  return false;
}

void fill_identity(const Result& r, char* const* buffers, char* scratch, std::size_t parts) {
  const Walker out{buffers[r.place.buffer] + r.place.offset, r.strides};
  for_each_run<1>(r.shape, {out}, [&](char** p, std::intptr_t n, const std::intptr_t* s) {
    for (std::intptr_t i = 0; i < n; ++i) r.loops->reset(p[0] + i * s[0], 1);
  });
  for (std::size_t part = 1; part < parts && r.bytes; ++part)
    r.loops->reset(scratch + r.partial + static_cast<std::int64_t>(part - 1) * r.bytes,
                   r.shape.product());
}

// Adds the partial results in the order of the parts.
void merge_partials(const Result& r, char* const* buffers, char* scratch, std::size_t parts) {
  const Walker out{buffers[r.place.buffer] + r.place.offset, r.strides};
  const Dims dense = Array::contiguous_strides(r.shape, itemsize(r.loops->result));
  for (std::size_t part = 1; part < parts && r.bytes; ++part) {
    char* partial = scratch + r.partial + static_cast<std::int64_t>(part - 1) * r.bytes;
    for_each_run<2>(r.shape, {Walker{partial, dense}, out},
                    [&](char** p, std::intptr_t n, const std::intptr_t* s) {
                      r.loops->merge(p, &n, s, nullptr);
                    });
  }
}

}  // namespace

void run_group(const PreparedGroup& group, char* const* buffers, char* scratch, int threads) {
  const std::size_t parts = group.parts.size();
  for (const Result& r : group.results) fill_identity(r, buffers, scratch, parts);
  const auto run_part = [&](std::size_t part, int thread) {
    char* workspace = scratch + group.partials + thread * group.workspace;
    for (const Box& box : group.parts[part]) BoxRun(group, box, buffers, scratch, workspace).run();
  };
  const int team = std::min(threads, group.threads);
  if (team > 1) {
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) schedule(static)
    for (std::int64_t part = 0; part < static_cast<std::int64_t>(parts); ++part)
      run_part(static_cast<std::size_t>(part), omp_get_thread_num());
#endif
  } else {
    for (std::size_t part = 0; part < parts; ++part) run_part(part, 0);
  }
  for (const Result& r : group.results) merge_partials(r, buffers, scratch, parts);
}

}  // namespace tapegrad
