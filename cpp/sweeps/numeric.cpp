// The algebra of numbers.
#include "sweeps/numeric.hpp"

#include <algorithm>

#include "base/copy.hpp"
#include "ops/elementwise.hpp"

namespace tapegrad {
namespace {

Array lane(const Array& a, std::int64_t k) {
  Dims shape = a.shape(), strides = a.strides();
  char* data = a.data() + k * strides[0];
  shape.erase(0);
  strides.erase(0);
  return a.view(shape, strides, data);
}

Array with_lanes(const Array& a, std::int64_t lanes) {  // repeated by a zero stride
  Dims shape = a.shape(), strides = a.strides();
  shape.insert(0, lanes);
  strides.insert(0, 0);
  return a.view(shape, strides, a.data());
}

bool any_batched(std::span<const LaneArray> in) {
  for (auto& v : in)
    if (v.batched) return true;
  return false;
}

Array as_dtype(const Array& a, DType dtype) {
  if (a.dtype() == dtype) return a;
  const std::int64_t code[] = {static_cast<std::int64_t>(dtype)};
  return evaluate(Op::cast, {a}, code);
}

}  // namespace

Meta NumericAlgebra::meta(Term t) const {
  if (t.is_literal()) return {DType::f64, {}};
  const LaneArray& v = get(t);
  Meta m = v.array.meta();
  if (v.batched) m.shape.erase(0);
  return m;
}

DType NumericAlgebra::literal_dtype(Op op, std::span<const Term> in) const {
  DType t = DType::b8;
  for (std::size_t i = op == Op::where ? 1 : 0; i < in.size(); ++i)
    if (!in[i].is_literal()) t = promote(t, get(in[i]).array.dtype());
  return is_differentiable(t) ? t : DType::f64;
}

// Puts axes of length 1 behind the lanes, so that broadcasting aligns what follows them.
void NumericAlgebra::align(std::span<LaneArray> in) const {
  std::size_t ndim = 0;
  for (auto& v : in) ndim = std::max(ndim, v.array.shape().size() - v.batched);
  for (auto& v : in) {
    if (!v.batched) continue;
    Dims shape = v.array.shape(), strides = v.array.strides();
    while (shape.size() < ndim + 1) {
      shape.insert(1, 1);
      strides.insert(1, 0);
    }
    if (shape.size() != v.array.shape().size())
      v.array = v.array.view(shape, strides, v.array.data());
  }
}

LaneArray NumericAlgebra::apply_lane_by_lane(Op op, std::span<LaneArray> in, Attrs attrs) {
  Array all;
  std::vector<Array> operands(in.size());
  for (std::int64_t k = 0; k < lanes_; ++k) {
    for (std::size_t i = 0; i < in.size(); ++i)
      operands[i] = in[i].batched ? lane(in[i].array, k) : in[i].array;
    const Array one = evaluate(op, operands, attrs);
    if (k == 0) {
      Dims shape = one.shape();
      shape.insert(0, lanes_);
      all = Array::empty(one.dtype(), shape);
    }
    copy_into(one, lane(all, k));
  }
  return {all, true};
}

LaneArray NumericAlgebra::apply_batched(Op op, std::span<LaneArray> in, Attrs attrs) {
  std::vector<Array> arrays(in.size());
  auto collect = [&] {
    for (std::size_t i = 0; i < in.size(); ++i) arrays[i] = std::move(in[i].array);
  };
  if (is_elementwise(op)) {
    align(in);
    collect();
    return {evaluate(op, arrays, attrs), true};
  }
  const Rules& rules = rules_of(op);
  // Products treat 1-d operands in their own way.
  const bool of_vector = op == Op::matmul && std::any_of(in.begin(), in.end(), [](auto& v) {
                           return v.array.ndim() - v.batched < 2;
                         });
  if (rules.lanes == Lanes::aligned && !of_vector) {
    align(in);
    collect();
    return {evaluate(op, arrays, attrs), true};
  }
  if (rules.lanes == Lanes::shifted) {
    for (auto& v : in)
      if (!v.batched) v.array = with_lanes(v.array, lanes_);
    Dims shifted;
    rules.shift(attrs, in[0].array.meta(), shifted);
    collect();
    return {evaluate(op, arrays, shifted), true};
  }
  return apply_lane_by_lane(op, in, attrs);
}

Term NumericAlgebra::apply(Op op, std::span<const Term> in, Attrs attrs) {
  std::array<LaneArray, 4> few;
  std::vector<LaneArray> many;
  std::span<LaneArray> values(few.data(), std::min(in.size(), few.size()));
  if (in.size() > few.size()) {
    many.resize(in.size());
    values = many;
  }
  for (std::size_t i = 0; i < in.size(); ++i)
    values[i] =
        in[i].is_literal() ? LaneArray{literal(in[i], literal_dtype(op, in)), false} : get(in[i]);
  if (any_batched(values)) return put(apply_batched(op, values, attrs));
  std::array<Array, 4> arrays;
  std::vector<Array> many_arrays(in.size() > 4 ? in.size() : 0);
  std::span<Array> operands =
      in.size() > 4 ? std::span<Array>(many_arrays) : std::span<Array>(arrays.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) operands[i] = std::move(values[i].array);
  return put({evaluate(op, operands, attrs), false});
}

// What a pull reads, in one dtype, aligned behind the lanes, and the shape of what it gives.
struct NumericAlgebra::Gathered {
  PullArgs args;
  DType dtype;
  Dims shape;
  bool batched;
};

NumericAlgebra::Gathered NumericAlgebra::gather(Op op, int operand, Term adjoint, Term x, Term y,
                                                Term r) const {
  const unsigned needs = partial_info(op).needs[operand];
  std::array<LaneArray, 4> used{get(adjoint)};
  std::array<int, 4> place{0};
  std::size_t count = 1;
  DType dtype = used[0].array.dtype();
  const Term parts[] = {x, y, r};
  for (int j = 0; j < 3; ++j) {
    if (!(needs >> j & 1)) continue;
    used[count] =
        parts[j].is_literal() ? LaneArray{literal(parts[j], dtype), false} : get(parts[j]);
    dtype = promote(dtype, used[count].array.dtype());
    place[count++] = j + 1;
  }
  const std::span<LaneArray> in(used.data(), count);
  const bool batched = any_batched(in);
  if (batched) align(in);
  Gathered found{{op, operand, {}, {}, {}, {}, {}, {}, {}, {}}, dtype, {}, batched};
  Array* const slots[] = {&found.args.adjoint, &found.args.x, &found.args.y, &found.args.r};
  for (std::size_t i = 0; i < count; ++i) {
    broadcast_into(found.shape, in[i].array.shape());
    *slots[place[i]] = as_dtype(in[i].array, dtype);
  }
  return found;
}

Term NumericAlgebra::pull(Op op, int operand, Term adjoint, Term x, Term y, Term r) {
  const PartialInfo& info = partial_info(op);
  if (info.constant[operand] && info.value[operand] == 1) return adjoint;
  const Gathered found = gather(op, operand, adjoint, x, y, r);
  Array out = Array::empty(found.dtype, found.shape);
  tapegrad::pull(found.args, out, false);
  return put({std::move(out), found.batched});
}

// In one loop where the sum is an array of its own of the right shape.
Term NumericAlgebra::add_pull(Term sum, Op op, int operand, Term adjoint, Term x, Term y, Term r) {
  if (!sum.is_literal()) {
    const LaneArray& into = get(sum);
    const Gathered found = gather(op, operand, adjoint, x, y, r);
    if (into.array.exclusive() && into.array.contiguous() && into.batched == found.batched &&
        into.array.dtype() == found.dtype && into.array.shape() == found.shape) {
      tapegrad::pull(found.args, into.array, true);
      return sum;
    }
  }
  return Algebra::add_pull(sum, op, operand, adjoint, x, y, r);
}

}  // namespace tapegrad
