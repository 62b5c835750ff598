#include "ops/parts.hpp"

#include "base/iterate.hpp"

namespace tapegrad {

Array slice_view(const Array& a, Attrs slices) {
  Dims shape(a.shape().size()), strides(a.shape().size());
  char* data = a.data();
  for (std::size_t d = 0; d < shape.size(); ++d) {
    shape[d] = slices[3 * d + 2];
    strides[d] = a.strides()[d] * slices[3 * d + 1];
    if (shape[d] > 0) data += a.strides()[d] * slices[3 * d];
  }
  return a.view(shape, strides, data);
}

Array broadcast_view(const Array& a, const Dims& shape) {
  const Walker w = walk(a, shape);
  return a.view(shape, w.strides, w.data);
}

Array swap_axes_view(const Array& a, std::size_t first, std::size_t second) {
  Dims shape = a.shape(), strides = a.strides();
  std::swap(shape[first], shape[second]);
  std::swap(strides[first], strides[second]);
  return a.view(shape, strides, a.data());
}

Array complex_part_view(const Array& a, int part) {
  return Array::foreign(DType::f64, a.shape(), a.strides(), a.ptr<double>() + part, Array(a).leak(),
                        [](void* owner) { Array::adopt(owner); });
}

void add_into(const Array& adjoint, const Array& to) {
  dispatch_float(to.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_run<2>(to.shape(), {walk(to, to.shape()), walk(adjoint, to.shape())},
                    [](char** p, std::intptr_t n, const std::intptr_t* s) {
                      constexpr std::intptr_t item = sizeof(T);
                      T* x = reinterpret_cast<T*>(p[0]);
                      const T* g = reinterpret_cast<const T*>(p[1]);
                      if (s[0] == item && s[1] == item) {
                        for (std::intptr_t i = 0; i < n; ++i) x[i] += g[i];
                      } else {
                        for (std::intptr_t i = 0; i < n; ++i)
                          *reinterpret_cast<T*>(p[0] + i * s[0]) +=
                              *reinterpret_cast<const T*>(p[1] + i * s[1]);
                      }
                    });
  });
}

Term zeros(Algebra& algebra, const Meta& meta) {
  return algebra.constant(broadcast_view(Array::zeros(meta.dtype, {}), meta.shape));
}

Term tangent_or_zeros(Rule& rule, int i) {
  return rule.active(i) ? rule.tangent(i) : zeros(rule.algebra, rule.in_meta(i));
}

namespace {

Term cut_last(Op op, Term x, std::int64_t start, std::int64_t step, std::int64_t length) {
  const Dims shape = x.algebra->meta(x).shape;
  Dims slices;
  for (std::size_t d = 0; d + 1 < shape.size(); ++d)
    for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1}, shape[d]}) slices.push_back(v);
  for (const std::int64_t v : {start, step, length}) slices.push_back(v);
  return x.algebra->apply(op, {x}, slices);
}

}  // namespace

Term slice_last(Term x, std::int64_t start, std::int64_t step, std::int64_t length) {
  return cut_last(Op::slice, x, start, step, length);
}
Term unslice_last(Term x, std::int64_t start, std::int64_t step, std::int64_t length) {
  return cut_last(Op::unslice, x, start, step, length);
}

}  // namespace tapegrad
