// Elementwise ops on whole arrays.
#include "ops/elementwise.hpp"

#include "base/copy.hpp"
#include "base/order.hpp"

namespace tapegrad {
namespace {

alignas(16) char zero_bytes[16] = {};  // read wherever an argument is absent: zero of every dtype

Walker walk_or_zero(const Array& a, const Dims& shape) {
  return a ? walk(a, shape) : Walker{zero_bytes, Dims(shape.size(), 0)};
}

template <std::size_t N>
void run(Loop loop, void* data, const Dims& shape, std::array<Walker, N> walkers) {
  for_each_run(shape, std::move(walkers),
               [&](char** p, std::intptr_t n, const std::intptr_t* s) { loop(p, &n, s, data); });
}

// The result lies in memory as its operands do (NumPy's order 'K').
Array empty_result(DType dtype, const Array& a, const Array& b) {
  const Dims shape = broadcast_shapes(a.shape(), b.shape());
  if (a.contiguous() && b.contiguous()) return Array::empty(dtype, shape);
  const Dims strides[] = {walk(a, shape).strides, walk(b, shape).strides};
  return empty_in_order(dtype, shape, strides);
}

}  // namespace

DType elementwise_dtype(Op op, DType promoted) {
  DType t = promoted;
  // Booleans are counted, integers stay integers, where the op has an integer kernel.
  const bool exact = is_differentiable(t) || kind_of(op) == OpKind::comparison || t == DType::i64;
  if (!exact || (!is_differentiable(t) && !kernel(op, t).value)) t = DType::f64;
  if (!kernel(op, t).value)
    throw Unsupported(std::string(op_name(op)) + " is not defined for " + dtype_name(t));
  return t;
}

Array elementwise_value(Op op, std::span<const Array> in, Array reuse) {
  const Kernel& k = kernel(op, in[0].dtype());
  const DType out_dtype = kind_of(op) == OpKind::comparison ? DType::b8 : in[0].dtype();
  if (in.size() == 1) {
    Array out = reuse ? std::move(reuse) : empty_in_order(out_dtype, in[0]);
    if (in[0].contiguous()) {
      char* p[] = {in[0].data(), out.data()};
      const std::intptr_t n = in[0].size();
      const std::intptr_t s[] = {itemsize(in[0].dtype()), itemsize(out_dtype)};
      k.value(p, &n, s, k.data);
    } else {
      run<2>(k.value, k.data, out.shape(), {walk(in[0], out.shape()), walk(out, out.shape())});
    }
    return out;
  }
  const Array &a = in[0], &b = in[1];
  Array out = reuse ? std::move(reuse) : empty_result(out_dtype, a, b);
  const std::intptr_t n = out.size(), w = itemsize(a.dtype());
  const bool fa = a.contiguous() && a.size() == n, fb = b.contiguous() && b.size() == n;
  const bool sa = a.size() == 1, sb = b.size() == 1;
  if ((fa || sa) && (fb || sb)) {
    char* p[] = {a.data(), b.data(), out.data()};
    const std::intptr_t s[] = {fa ? w : 0, fb ? w : 0, itemsize(out_dtype)};
    if (n) k.value(p, &n, s, k.data);
  } else {
    const Dims& shape = out.shape();
    run<3>(k.value, k.data, shape, {walk(a, shape), walk(b, shape), walk(out, shape)});
  }
  return out;
}

void pull(const PullArgs& a, const Array& out, bool accumulate) {
  const Dims& shape = out.shape();
  const unsigned needs = partial_info(a.op).needs[a.operand];
  auto part = [&](unsigned need, const Array& v) {
    return walk_or_zero(needs & need ? v : Array(), shape);
  };
  const Kernel& k = kernel(a.op, out.dtype());
  run<kPullArgs>(k.pull[a.operand][accumulate], nullptr, shape,
                 {walk(out, shape), walk(a.adjoint, shape), part(kNeedsX, a.x), part(kNeedsY, a.y),
                  part(kNeedsResult, a.r)});
}

void pull_dual(const PullArgs& a, const Array& out, const Array& out_t, bool accumulate) {
  const Dims& shape = out.shape();
  const unsigned needs = partial_info(a.op).needs[a.operand];
  auto part = [&](unsigned need, const Array& v) {
    return walk_or_zero(needs & need ? v : Array(), shape);
  };
  const Kernel& k = kernel(a.op, DType::f64);
  run<kPull2Args>(k.pull2[a.operand][accumulate], nullptr, shape,
                  {walk(out, shape), walk(out_t, shape), walk(a.adjoint, shape),
                   walk_or_zero(a.adjoint_t, shape), part(kNeedsX, a.x), part(kNeedsX, a.x_t),
                   part(kNeedsY, a.y), part(kNeedsY, a.y_t), part(kNeedsResult, a.r),
                   part(kNeedsResult, a.r_t)});
}

}  // namespace tapegrad
