// Rules of the ops that re-index by axes: reshape, transpose, broadcast_to, slice, unslice,
// slice_set, concatenate, roll. All are linear; the adjoint of each is another of them.
#include <optional>
#include <vector>

#include "base/iterate.hpp"
#include "ops/parts.hpp"

namespace tapegrad {
namespace {

// reshape ----------------------------------------------------------------------------------------

Meta reshape_shape(std::span<const Meta> in, Attrs attrs) {
  const Dims shape(attrs);
  const std::int64_t size = in[0].shape.product();
  bool fits = shape.product() == size;
  for (auto d : shape) fits = fits && d >= 0;
  if (!fits)
    throw Error("cannot reshape array of size " + std::to_string(size) + " into shape " +
                shape.str());
  return {in[0].dtype, shape};
}

// Strides that show `a` in another shape without a copy, if there are any: old and new axes are
// grouped so that products agree, and the old axes of a group must be walked as one.
std::optional<Dims> reshaped_strides(const Array& a, const Dims& shape) {
  if (a.contiguous() || a.size() == 0) return Array::contiguous_strides(shape, itemsize(a.dtype()));
  Dims old_shape, old_strides, strides(shape.size());
  for (std::size_t d = 0; d < a.shape().size(); ++d)
    if (a.shape()[d] != 1) {
      old_shape.push_back(a.shape()[d]);
      old_strides.push_back(a.strides()[d]);
    }
  std::size_t i = 0, j = 0;  // first axis of the group: old, new
  while (i < old_shape.size()) {
    std::int64_t old_size = old_shape[i], new_size = shape[j];
    std::size_t i1 = i + 1, j1 = j + 1;
    while (old_size != new_size) {
      if (new_size < old_size) {
        new_size *= shape[j1++];
      } else {
        if (old_strides[i1 - 1] != old_shape[i1] * old_strides[i1]) return std::nullopt;
        old_size *= old_shape[i1++];
      }
    }
    std::int64_t stride = old_strides[i1 - 1];
    for (std::size_t k = j1; k-- > j; stride *= shape[k]) strides[k] = stride;
    i = i1;
    j = j1;
  }
  for (; j < shape.size(); ++j) strides[j] = itemsize(a.dtype());  // trailing axes of length 1
  return strides;
}

Array reshape_view(const Array& in, Attrs attrs) {
  const Meta meta = in.meta();
  const Dims shape = reshape_shape({&meta, 1}, attrs).shape;
  if (auto strides = reshaped_strides(in, shape)) return in.view(shape, *strides, in.data());
  const Array copy = contiguous(in);
  return copy.view(shape, Array::contiguous_strides(shape, itemsize(in.dtype())), copy.data());
}

void reshape_adjoint(Rule& rule, Term adjoint) {
  rule.add(0, reshape(adjoint, rule.in_meta(0).shape));
}

void reshape_shift(Attrs attrs, const Meta& in, Dims& shifted) {
  shifted = attrs;
  shifted.insert(0, in.shape[0]);
}

// transpose --------------------------------------------------------------------------------------

Meta transpose_shape(std::span<const Meta> in, Attrs attrs) {
  const Dims& from = in[0].shape;
  require(attrs.size() == from.size(), "transpose: axes don't match array");
  Dims shape(from.size(), -1);
  std::vector<bool> seen(from.size(), false);
  for (std::size_t d = 0; d < attrs.size(); ++d) {
    const auto axis = static_cast<std::size_t>(attrs[d]);
    require(axis < from.size() && !seen[axis], "transpose: the axes are no permutation");
    seen[axis] = true;
    shape[d] = from[axis];
  }
  return {in[0].dtype, shape};
}

Array transpose_view(const Array& in, Attrs attrs) {
  const Meta meta = in.meta();
  const Dims shape = transpose_shape({&meta, 1}, attrs).shape;
  Dims strides(shape.size());
  for (std::size_t d = 0; d < shape.size(); ++d) strides[d] = in.strides()[attrs[d]];
  return in.view(shape, strides, in.data());
}

void transpose_adjoint(Rule& rule, Term adjoint) {
  Dims inverse(rule.attrs.size());
  for (std::size_t d = 0; d < inverse.size(); ++d)
    inverse[rule.attrs[d]] = static_cast<std::int64_t>(d);
  rule.add(0, transpose(adjoint, inverse));
}

void transpose_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = Dims{0};
  for (auto axis : attrs) shifted.push_back(axis + 1);
}

// broadcast_to -----------------------------------------------------------------------------------
// Leading attributes -1 - K stand for leading axes of the operand, of length K, that stay in front
// of the axes that broadcasting adds: this is how directions are carried.

std::size_t kept_axes(Attrs attrs) {
  std::size_t n = 0;
  while (n < attrs.size() && attrs[n] < 0) ++n;
  return n;
}

Meta broadcast_to_shape(std::span<const Meta> in, Attrs attrs) {
  const std::size_t kept = kept_axes(attrs);
  const Dims& from = in[0].shape;
  Dims shape(attrs);
  for (std::size_t d = 0; d < kept; ++d) shape[d] = -1 - attrs[d];
  bool fits = kept <= from.size() && from.size() <= shape.size();
  for (std::size_t d = 0; fits && d < from.size(); ++d) {
    const std::size_t to = d < kept ? d : d + shape.size() - from.size();
    fits = shape[to] == from[d] || (d >= kept && from[d] == 1);
  }
  if (!fits) throw Error("cannot broadcast shape " + from.str() + " to " + shape.str());
  return {in[0].dtype, shape};
}

Array broadcast_to_view(const Array& in, Attrs attrs) {
  const Meta meta = in.meta();
  const Dims shape = broadcast_to_shape({&meta, 1}, attrs).shape;
  const std::size_t kept = kept_axes(attrs), added = shape.size() - in.shape().size();
  Dims strides(shape.size(), 0);
  for (std::size_t d = 0; d < in.shape().size(); ++d)
    if (d < kept || in.shape()[d] != 1) strides[d < kept ? d : d + added] = in.strides()[d];
  return in.view(shape, strides, in.data());
}

void broadcast_to_adjoint(Rule& rule, Term adjoint) {
  const Dims from = rule.in_meta(0).shape, to = rule.out_meta().shape;
  const std::size_t kept = kept_axes(rule.attrs), added = to.size() - from.size();
  Dims axes;
  for (std::size_t d = kept; d < to.size(); ++d)
    if (d < kept + added || from[d - added] != to[d]) axes.push_back(static_cast<std::int64_t>(d));
  rule.add(0, reshape(sum(adjoint, axes), from));
}

void broadcast_to_shift(Attrs attrs, const Meta& in, Dims& shifted) {
  shifted = attrs;
  shifted.insert(0, -1 - in.shape[0]);
}

// slice, unslice, slice_set ----------------------------------------------------------------------

// Checks start, step, length for each axis of `full` and gives the lengths.
Dims slice_lengths(const Dims& full, Attrs slices) {
  require(slices.size() == 3 * full.size(), "slice: start, step, length for each axis");
  Dims lengths(full.size());
  for (std::size_t d = 0; d < full.size(); ++d) {
    const std::int64_t start = slices[3 * d], step = slices[3 * d + 1], n = slices[3 * d + 2];
    const std::int64_t last = start + step * (n - 1);
    const bool inside = n == 0 || (start >= 0 && start < full[d] && last >= 0 && last < full[d]);
    require(n >= 0 && step != 0 && inside, "slice: out of bounds");
    lengths[d] = n;
  }
  return lengths;
}

// The same slices with their third numbers (length, or full length of unslice) exchanged.
Dims with_lengths(Attrs slices, const Dims& lengths) {
  Dims changed(slices);
  for (std::size_t d = 0; d < lengths.size(); ++d) changed[3 * d + 2] = lengths[d];
  return changed;
}

Meta slice_shape(std::span<const Meta> in, Attrs attrs) {
  return {in[0].dtype, slice_lengths(in[0].shape, attrs)};
}
Array checked_slice_view(const Array& in, Attrs attrs) {
  slice_lengths(in.shape(), attrs);
  return slice_view(in, attrs);
}
void slice_adjoint(Rule& rule, Term adjoint) {
  const Dims attrs = with_lengths(rule.attrs, rule.in_meta(0).shape);
  rule.add(0, rule.algebra.apply(Op::unslice, {adjoint}, attrs));
}
void slice_accumulate(const Array& into, const Array& adjoint, std::span<const Array>,
                      Attrs attrs) {
  add_into(adjoint, slice_view(into, attrs));
}
// The direction axis is taken whole.
void slice_shift(Attrs attrs, const Meta& in, Dims& shifted) {
  shifted = Dims{0, 1, in.shape[0]};
  for (auto a : attrs) shifted.push_back(a);
}

Meta unslice_shape(std::span<const Meta> in, Attrs attrs) {
  require(attrs.size() == 3 * in[0].shape.size(), "unslice: start, step, length for each axis");
  Dims full(in[0].shape.size());
  for (std::size_t d = 0; d < full.size(); ++d) full[d] = attrs[3 * d + 2];
  slice_lengths(full, with_lengths(attrs, in[0].shape));
  return {in[0].dtype, full};
}
void unslice_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  std::memset(out.data(), 0, static_cast<std::size_t>(out.nbytes()));
  copy_into(in[0], slice_view(out, with_lengths(attrs, in[0].shape())));
}
void unslice_adjoint(Rule& rule, Term adjoint) {
  const Dims attrs = with_lengths(rule.attrs, rule.in_meta(0).shape);
  rule.add(0, rule.algebra.apply(Op::slice, {adjoint}, attrs));
}

Meta slice_set_shape(std::span<const Meta> in, Attrs attrs) {
  const Dims lengths = slice_lengths(in[0].shape, attrs);
  if (!(lengths == in[1].shape))
    throw Error("could not assign shape " + in[1].shape.str() + " to a slice of shape " +
                lengths.str());
  return {promote(in[0].dtype, in[1].dtype), in[0].shape};
}
void slice_set_update(const Array& base, std::span<const Array> rest, Attrs attrs) {
  const Meta metas[] = {base.meta(), rest[0].meta()};
  slice_set_shape(metas, attrs);
  copy_into(rest[0], slice_view(base, attrs));
}
Term slice_set_tangent(Rule& rule) {
  return rule.algebra.apply(rule.op, {tangent_or_zeros(rule, 0), tangent_or_zeros(rule, 1)},
                            rule.attrs);
}
void slice_set_adjoint(Rule& rule, Term adjoint) {
  const Meta out = rule.out_meta(), base = rule.in_meta(0), v = rule.in_meta(1);
  if (rule.active(1))
    rule.add(1, cast(rule.algebra.apply(Op::slice, {adjoint}, rule.attrs), v.dtype));
  if (!rule.active(0)) return;
  const Term nothing = zeros(rule.algebra, {out.dtype, v.shape});
  rule.add(0, cast(rule.algebra.apply(rule.op, {adjoint, nothing}, rule.attrs), base.dtype));
}

// concatenate ------------------------------------------------------------------------------------
// An operand with one axis fewer than the result counts as having length 1 along the axis: scalars
// become a vector.

std::int64_t length_along(const Dims& shape, std::size_t axis, std::size_t ndim) {
  return shape.size() == ndim ? shape[axis] : 1;
}

// Start, step, length for each axis of where one operand lies in the result.
Dims place(const Dims& result, std::size_t axis, std::int64_t start, std::int64_t length) {
  Dims slices;
  for (std::size_t d = 0; d < result.size(); ++d)
    for (auto v : {d == axis ? start : 0, std::int64_t{1}, d == axis ? length : result[d]})
      slices.push_back(v);
  return slices;
}

Meta concatenate_shape(std::span<const Meta> in, Attrs attrs) {
  require(!in.empty(), "need at least one array to concatenate");
  require(attrs.size() == 1 && attrs[0] >= 0, "concatenate: a non-negative axis");
  const auto axis = static_cast<std::size_t>(attrs[0]);
  std::size_t ndim = axis + 1;
  for (const auto& m : in) ndim = std::max(ndim, m.shape.size());
  Meta out{in[0].dtype, in[0].shape};
  if (out.shape.size() + 1 == ndim) out.shape.insert(axis, 0);
  else if (out.shape.size() == ndim) out.shape[axis] = 0;
  for (const auto& m : in) {
    Dims rest = m.shape;
    if (rest.size() + 1 == ndim) rest.insert(axis, 1);
    bool fits = rest.size() == ndim && out.shape.size() == ndim;
    for (std::size_t d = 0; fits && d < ndim; ++d) fits = d == axis || rest[d] == out.shape[d];
    if (!fits)
      throw Error("all the input array dimensions except for the concatenation axis must match: " +
                  in[0].shape.str() + " and " + m.shape.str() + " along axis " +
                  std::to_string(axis));
    out.shape[axis] += rest[axis];
    out.dtype = promote(out.dtype, m.dtype);
  }
  return out;
}

void concatenate_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const auto axis = static_cast<std::size_t>(attrs[0]);
  const std::size_t ndim = out.shape().size();
  const auto item = static_cast<std::size_t>(itemsize(out.dtype()));
  char* data = out.data();
  for (const auto& a : in) {
    if (a.ndim() == 0) {
      std::memcpy(data, a.data(), item);
      data += item;
      continue;
    }
    Dims shape = out.shape(), strides = out.strides();
    char* const part = data;
    shape[axis] = length_along(a.shape(), axis, ndim);
    data += shape[axis] * strides[axis];
    if (a.shape().size() < ndim) {
      shape.erase(axis);
      strides.erase(axis);
    }
    copy_into(a, out.view(shape, strides, part));
  }
}

void concatenate_adjoint(Rule& rule, Term adjoint) {
  const auto axis = static_cast<std::size_t>(rule.attrs[0]);
  const Dims result = rule.out_meta().shape;
  std::int64_t start = 0;
  for (int i = 0; i < rule.arity; ++i) {
    const Meta operand = rule.in_meta(i);
    const std::int64_t length = length_along(operand.shape, axis, result.size());
    if (rule.active(i)) {
      const Dims slices = operand.shape.empty() ? Dims{start} : place(result, axis, start, length);
      const Op part = operand.shape.empty() ? Op::item : Op::slice;
      const Term contribution = rule.algebra.apply(part, {adjoint}, slices);
      rule.add(i, cast(reshape(contribution, operand.shape), operand.dtype));
    }
    start += length;
  }
}

void concatenate_shift(Attrs attrs, const Meta&, Dims& shifted) { shifted = Dims{attrs[0] + 1}; }

// roll -------------------------------------------------------------------------------------------
// A shift for each axis, any integer. What is pushed over the end of an axis comes in at its start.

Meta roll_shape(std::span<const Meta> in, Attrs attrs) {
  require(attrs.size() == in[0].shape.size(), "roll: a shift for each axis");
  return {in[0].dtype, in[0].shape};
}

// Each axis is cut in two where it wraps. Calls f(part of `from`, where it lies in the rolled
// array) for every block.
template <class F>
void for_each_rolled_block(const Array& from, const Array& rolled, Attrs shifts, F&& f) {
  const Dims& shape = from.shape();
  Dims steps(shape.size(), 0), source, target;
  std::size_t cut_axes = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] > 0) steps[d] = (shifts[d] % shape[d] + shape[d]) % shape[d];
    cut_axes += steps[d] != 0;
    for (auto v : {std::int64_t{0}, std::int64_t{1}, shape[d]}) {
      source.push_back(v);
      target.push_back(v);
    }
  }
  for (std::size_t block = 0; block >> cut_axes == 0; ++block) {
    std::size_t bits = block;
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (steps[d] == 0) continue;
      const std::int64_t kept = shape[d] - steps[d];
      const bool wraps = bits & 1;
      bits >>= 1;
      source[3 * d] = wraps ? kept : 0;
      target[3 * d] = wraps ? 0 : steps[d];
      source[3 * d + 2] = target[3 * d + 2] = wraps ? steps[d] : kept;
    }
    f(slice_view(from, source), slice_view(rolled, target));
  }
}

void roll_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  for_each_rolled_block(in[0], out, attrs, copy_into);
}

Dims opposite(Attrs shifts) {
  Dims back(shifts);
  for (auto& shift : back) shift = -shift;
  return back;
}
void roll_adjoint(Rule& rule, Term adjoint) {
  rule.add(0, rule.algebra.apply(Op::roll, {adjoint}, opposite(rule.attrs)));
}
void roll_accumulate(const Array& into, const Array& adjoint, std::span<const Array>, Attrs attrs) {
  for_each_rolled_block(adjoint, into, opposite(attrs), add_into);
}
void roll_shift(Attrs attrs, const Meta&, Dims& shifted) {
  shifted = attrs;
  shifted.insert(0, 0);
}

}  // namespace

namespace rules {

const Rules reshape = {
    .shape = reshape_shape,
    .view = reshape_view,
    .tangent = linear_tangent,
    .adjoint = reshape_adjoint,
    .lanes = Lanes::shifted,
    .shift = reshape_shift,
};
const Rules transpose = {
    .shape = transpose_shape,
    .view = transpose_view,
    .tangent = linear_tangent,
    .adjoint = transpose_adjoint,
    .lanes = Lanes::shifted,
    .shift = transpose_shift,
};
const Rules broadcast_to = {
    .shape = broadcast_to_shape,
    .view = broadcast_to_view,
    .tangent = linear_tangent,
    .adjoint = broadcast_to_adjoint,
    .lanes = Lanes::shifted,
    .shift = broadcast_to_shift,
};
const Rules slice = {
    .shape = slice_shape,
    .view = checked_slice_view,
    .tangent = linear_tangent,
    .adjoint = slice_adjoint,
    .lanes = Lanes::shifted,
    .shift = slice_shift,
    .accumulate = slice_accumulate,
};
// The direction axis of unslice is whole too: its full length is the number of directions.
const Rules unslice = {
    .shape = unslice_shape,
    .value = unslice_value,
    .tangent = linear_tangent,
    .adjoint = unslice_adjoint,
    .lanes = Lanes::shifted,
    .shift = slice_shift,
};
const Rules slice_set = {
    .shape = slice_set_shape,
    .update = slice_set_update,
    .tangent = slice_set_tangent,
    .adjoint = slice_set_adjoint,
    .lanes = Lanes::shifted,
    .shift = slice_shift,
};
const Rules concatenate = {
    .shape = concatenate_shape,
    .value = concatenate_value,
    .tangent = linear_tangent,
    .adjoint = concatenate_adjoint,
    .lanes = Lanes::shifted,
    .shift = concatenate_shift,
};
const Rules roll = {
    .shape = roll_shape,
    .value = roll_value,
    .tangent = linear_tangent,
    .adjoint = roll_adjoint,
    .lanes = Lanes::shifted,
    .shift = roll_shift,
    .accumulate = roll_accumulate,
};

}  // namespace rules
}  // namespace tapegrad
