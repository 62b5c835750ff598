// Vectors and chains work in blocks that stay in L1: operands that do not lie side by side are
// gathered into buffers first, so that each op has one loop.
#include "backends/scalar_loops.hpp"

#include <algorithm>

#include "base/cloned.hpp"
#include "ops/kernels.hpp"

namespace tapegrad::scalar {
namespace {

constexpr std::size_t kBlock = 256;  // doubles; three operands and a result take 8 KiB

// A stream of n slots, see program/scalar_format.hpp.
class Stream {
 public:
  explicit Stream(const std::uint32_t*& pc) : base_(pc[0]) {
    const std::uint32_t word = pc[1];
    pc += 2;
    if (word == kListed) {
      list_ = pc;
      pc += base_;
    } else {
      stride_ = static_cast<std::int32_t>(word);
    }
  }
  bool contiguous() const { return !list_ && stride_ == 1; }
  double* at(double* slots, std::size_t i) const { return slots + index(i); }

  // Elements first .. first + count, in place or in the buffer. A constant fills the buffer once.
  const double* read(const double* slots, std::size_t first, std::size_t count,
                     double* buffer) const;
  void write(const double* buffer, std::size_t first, std::size_t count, double* slots) const {
    for (std::size_t i = 0; i < count; ++i) slots[index(first + i)] = buffer[i];
  }

 private:
  std::ptrdiff_t index(std::size_t i) const {
    return list_ ? list_[i] : base_ + static_cast<std::ptrdiff_t>(i) * stride_;
  }
  std::uint32_t base_;
  std::int32_t stride_ = 0;
  const std::uint32_t* list_ = nullptr;
};

TAPEGRAD_CLONED void gather(double* __restrict to, const double* from, const std::uint32_t* list,
                            std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to[i] = from[list[i]];
}
void gather_strided(double* __restrict to, const double* from, std::ptrdiff_t stride,
                    std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to[i] = from[static_cast<std::ptrdiff_t>(i) * stride];
}

const double* Stream::read(const double* slots, std::size_t first, std::size_t count,
                           double* buffer) const {
  if (list_) gather(buffer, slots, list_ + first, count);
  else if (stride_ == 1) return slots + base_ + first;
  else if (stride_ != 0) gather_strided(buffer, slots + index(first), stride_, count);
  else if (first == 0) std::fill_n(buffer, count, slots[base_]);
  return buffer;
}

template <std::uint32_t code>
inline void each(double* __restrict r, const double* const* in, std::size_t n) {
  constexpr int arity = arity_of_code(code);
  const double *x = in[0], *y = in[arity > 1 ? 1 : 0], *z = in[arity > 2 ? 2 : 0];
  for (std::size_t i = 0; i < n; ++i) r[i] = evaluate<code>(x[i], y[i], z[i]);
}

TAPEGRAD_CLONED void inline_loop(std::uint32_t code, double* r, const double* const* in,
                                 std::size_t n) {
  switch (static_cast<Inline>(code)) {
#define HOT(op) \
  case Inline::op: return each<static_cast<std::uint32_t>(Inline::op)>(r, in, n);
#define FUSED(outer, inner, side) HOT(outer##_##inner##_##side)
#include "program/scalar_ops.def"
    default: return;
  }
}

// A kernel of the table, always on contiguous numbers: so single numbers and vectors take one path
// through a library's loop, and give the same bits.
void call_loop(std::uint32_t code, double* r, const double* const* in, std::size_t n) {
  constexpr std::intptr_t w = sizeof(double);
  const std::intptr_t count = static_cast<std::intptr_t>(n), strides[] = {w, w, w};
  const Kernel& k = kernel(static_cast<Op>(code - kInline), DType::f64);
  const auto bytes = [](const double* p) {
    return const_cast<char*>(reinterpret_cast<const char*>(p));
  };
  char* args[] = {bytes(in[0]), bytes(arity_of_code(code) == 1 ? r : in[1]), bytes(r)};
  k.value(args, &count, strides, k.data);
}

// One block of a chain, from `last`; every result goes to r. Other operands than `which` are read.
template <std::uint32_t code, int which>
inline double follow(double last, double* __restrict r, const double* const* in, std::size_t n) {
  constexpr int arity = arity_of_code(code);
  const auto operand = [&](int k, std::size_t i) {
    return k == which ? last : k < arity ? in[k][i] : 0.0;
  };
  for (std::size_t i = 0; i < n; ++i)
    r[i] = last = evaluate<code>(operand(0, i), operand(1, i), operand(2, i));
  return last;
}

double chain_loop(std::uint32_t code, std::uint32_t which, double last, double* r,
                  const double* const* in, std::size_t n) {
  switch (code * 3 + which) {
#define AT(name, k)                                           \
  case static_cast<std::uint32_t>(Inline::name) * 3 + k:      \
    return follow < static_cast<std::uint32_t>(Inline::name), \
           k < arity_of_code(static_cast<std::uint32_t>(Inline::name)) ? k : 0 > (last, r, in, n);
#define HOT(op) AT(op, 0) AT(op, 1) AT(op, 2)
#define FUSED(outer, inner, side) HOT(outer##_##inner##_##side)
#include "program/scalar_ops.def"
#undef AT
    default: return last;
  }
}

}  // namespace

const std::uint32_t* run_call(const std::uint32_t* pc, double* slots) {
  const std::uint32_t code = pc[1];
  const double* in[] = {slots + pc[2], slots + pc[3]};
  const int arity = arity_of_code(code);
  call_loop(code, slots + pc[2 + arity], in, 1);
  return pc + 3 + arity;
}

const std::uint32_t* run_vector(const std::uint32_t* pc, double* slots) {
  const std::uint32_t code = pc[1];
  const std::size_t n = pc[2];
  const int arity = arity_of_code(code);
  pc += 3;
  const Stream result(pc);
  const Stream first(pc), second = arity > 1 ? Stream(pc) : first,
                          third = arity > 2 ? Stream(pc) : first;
  const Stream* operands[] = {&first, &second, &third};
  alignas(64) double buffers[4][kBlock];
  for (std::size_t i = 0; i < n; i += kBlock) {
    const std::size_t count = std::min(kBlock, n - i);
    const double* in[3];
    for (int k = 0; k < arity; ++k) in[k] = operands[k]->read(slots, i, count, buffers[k]);
    double* r = result.contiguous() ? result.at(slots, i) : buffers[3];
    if (code < kInline) inline_loop(code, r, in, count);
    else call_loop(code, r, in, count);
    if (!result.contiguous()) result.write(r, i, count, slots);
  }
  return pc;
}

const std::uint32_t* run_chain(const std::uint32_t* pc, double* slots) {
  const std::uint32_t code = pc[1], which = pc[3];
  const std::size_t n = pc[2];
  const bool every = pc[4] != 0;
  const int arity = arity_of_code(code);
  double last = slots[pc[5]];
  pc += 6;
  const Stream result(pc);
  const Stream first = arity > 1 ? Stream(pc) : result, second = arity > 2 ? Stream(pc) : result;
  const Stream* operands[] = {which == 0 ? nullptr : &first,
                              which == 0   ? &first
                              : which == 1 ? nullptr
                                           : &second,
                              which == 2 ? nullptr : &second};
  alignas(64) double buffers[4][kBlock];
  for (std::size_t i = 0; i < n; i += kBlock) {
    const std::size_t count = std::min(kBlock, n - i);
    const double* in[3] = {};
    for (int k = 0; k < arity; ++k)
      if (operands[k]) in[k] = operands[k]->read(slots, i, count, buffers[k]);
    double* r = every && result.contiguous() ? result.at(slots, i) : buffers[3];
    last = chain_loop(code, which, last, r, in, count);
    if (every && !result.contiguous()) result.write(r, i, count, slots);
  }
  if (!every) *result.at(slots, 0) = last;
  return pc;
}

}  // namespace tapegrad::scalar
