// Any op applied to arrays: the one way values of array nodes come about.
#include <algorithm>
#include <vector>

#include "base/copy.hpp"
#include "base/iterate.hpp"
#include "base/order.hpp"
#include "ops/elementwise.hpp"
#include "ops/rules.hpp"

namespace tapegrad {
namespace {

Array converted(const Array& a, DType dtype) {
  const std::int64_t code[] = {static_cast<std::int64_t>(dtype)};
  return evaluate(Op::cast, {a}, code);
}

Array fresh_copy(const Array& a) {
  Array out = Array::empty(a.dtype(), a.shape());
  copy_into(a, out);
  return out;
}

std::span<Array> computed_operands(Op op, std::span<Array> in) {
  const auto [first, last] = promoted_operands(op, in.size());
  return in.subspan(first, last - first);
}

void promote_all(std::span<Array> in) {
  if (in.empty()) return;
  DType t = in[0].dtype();
  for (auto& a : in) t = promote(t, a.dtype());
  for (auto& a : in)
    if (a.dtype() != t) a = converted(a, t);
}

// NumPy's order 'K'.
Array empty_like_operands(const Meta& meta, std::span<const Array> in) {
  if (std::ranges::all_of(in, &Array::contiguous)) return Array::empty(meta.dtype, meta.shape);
  std::vector<Dims> strides;
  for (const Array& a : in) strides.push_back(walk(a, meta.shape).strides);
  return empty_in_order(meta.dtype, meta.shape, strides);
}

Array evaluate_structured(Op op, std::span<Array> in, Attrs attrs) {
  const Rules& rules = rules_of(op);
  if (rules.view) return rules.view(in[0], attrs);
  if (in.size() > 1) promote_all(computed_operands(op, in));
  if (rules.update) {
    Array base = std::move(in[0]);
    if (!base.exclusive() || !base.contiguous()) base = fresh_copy(base);
    rules.update(base, in.subspan(1), attrs);
    return base;
  }
  std::array<Meta, 4> few;
  std::vector<Meta> many;
  std::span<Meta> metas(few.data(), std::min(in.size(), few.size()));
  if (in.size() > few.size()) {
    many.resize(in.size());
    metas = many;
  }
  for (std::size_t i = 0; i < in.size(); ++i) metas[i] = in[i].meta();
  const Meta meta = rules.shape(metas, attrs);
  Array out =
      follows_order(op) ? empty_like_operands(meta, in) : Array::empty(meta.dtype, meta.shape);
  rules.value(in, attrs, out);
  return out;
}

}  // namespace

bool is_view(Op op) { return kind_of(op) == OpKind::structured && rules_of(op).view; }

bool follows_order(Op op) {
  return is_elementwise(op) || is_view(op) || op == Op::where || op == Op::cast ||
         op == Op::conjugate;
}

Array evaluate(Op op, std::span<Array> in, Attrs attrs) {
  if (kind_of(op) == OpKind::leaf) return in[0];  // alias, stop_gradient
  if (!is_elementwise(op)) return evaluate_structured(op, in, attrs);
  DType t = in[0].dtype();
  if (in.size() == 2) t = promote(t, in[1].dtype());
  t = elementwise_dtype(op, t);
  for (auto& a : in)
    if (a.dtype() != t) a = converted(a, t);
  return elementwise_value(op, in);
}

}  // namespace tapegrad
