// Identities: what an op on these operands is when something simpler computes the same. None of
// them changes a NaN, an infinity or the rounding of a result, but for the sum of a repeated
// number.
#include <cmath>

#include "base/iterate.hpp"
#include "ops/parts.hpp"
#include "program/builder.hpp"

namespace tapegrad {
namespace {

bool is_whole(Attrs slices, const Dims& full) {
  for (std::size_t d = 0; d < full.size(); ++d)
    if (slices[3 * d] != 0 || slices[3 * d + 1] != 1 || slices[3 * d + 2] != full[d]) return false;
  return true;
}

bool is_identity(Attrs permutation) {
  for (std::size_t d = 0; d < permutation.size(); ++d)
    if (permutation[d] != static_cast<std::int64_t>(d)) return false;
  return true;
}

bool has_lanes(Attrs shape) { return !shape.empty() && shape[0] < 0; }

// A slice of a slice, cut from the first.
Dims composed_slices(Attrs inner, Attrs outer) {
  Dims both(outer);
  for (std::size_t i = 0; i + 2 < both.size(); i += 3) {
    both[i] = inner[i] + outer[i] * inner[i + 1];
    both[i + 1] = outer[i + 1] * inner[i + 1];
  }
  return both;
}

// A power of two whose reciprocal is a number of this type too: to multiply by that is the same.
bool is_power_of_two(std::optional<double> v, DType dtype) {
  int exponent = 0;
  return v && (dtype == DType::f64 || dtype == DType::f32) &&
         std::abs(std::frexp(*v, &exponent)) == 0.5 && std::abs(exponent) < 120;
}

// True if two slices with steps of 1 have no element in common.
bool are_disjoint(Attrs a, Attrs b) {
  for (std::size_t i = 0; i + 2 < a.size(); i += 3) {
    if (a[i + 1] != 1 || b[i + 1] != 1) return false;
    if (a[i] + a[i + 2] <= b[i] || b[i] + b[i + 2] <= a[i]) return true;
  }
  return false;
}

}  // namespace

std::optional<Term> Builder::simplified(Op op, std::vector<Operand>& operands, Attrs attrs,
                                        const Meta& out) {
  if (op == Op::alias) return term(operands[0]);
  if (kind_of(op) <= OpKind::binary) {
    sink_broadcasts(operands, out);
    const Meta inner = shape_of(op, operands, attrs);
    if (auto found = simplified_elementwise(op, operands, inner))
      return broadcast_to(*found, out.shape);
    if (inner.shape == out.shape) return {};
    return broadcast_to(term(shared(op, operands, attrs, inner)), out.shape);
  }
  if (op == Op::where) {
    if (const auto c = number(operands[0]))
      return broadcast_to(term(operands[*c != 0 ? 1 : 2]), out.shape);
    return {};
  }
  if (op == Op::matmul) return outer_product(operands);
  return operands.size() == 1 && !is_constant(operands[0])
             ? simplified_view(op, operands[0], attrs, out)
             : std::nullopt;
}

// A column times a row is elementwise: it joins the loop that adds it up.
std::optional<Term> Builder::outer_product(std::span<const Operand> operands) {
  const Dims a = tape.meta(operands[0]).shape, b = tape.meta(operands[1]).shape;
  if (a.size() < 2 || b.size() < 2 || a.back() != 1) return {};
  return apply(Op::multiply, {term(operands[0]), term(operands[1])});
}

// Operands that are only repeated for the sake of the shape are used as they were before.
void Builder::sink_broadcasts(std::vector<Operand>& operands, const Meta& out) const {
  if (out.shape.empty()) return;
  for (Operand& o : operands)
    while (!is_constant(o) && tape[o].op == Op::broadcast_to) {
      std::int64_t immediate = 0;
      if (has_lanes(tape.attrs(tape[o], immediate))) break;
      o = tape[o].a;
    }
}

std::optional<Term> Builder::simplified_elementwise(Op op, std::vector<Operand>& operands,
                                                    const Meta& out) {
  // One order for both, so that equal sums and products are found: constants last.
  if ((op == Op::add || op == Op::multiply) && operands[0] > operands[1])
    std::swap(operands[0], operands[1]);
  const Operand a = operands[0], b = operands.size() > 1 ? operands[1] : kNoOperand;
  auto op_of = [&](Operand o) { return is_constant(o) ? Op::constant : tape[o].op; };
  auto is = [&](Operand o, double v) {
    const auto n = number(o);
    return n && *n == v;
  };
  auto fitted = [&](Operand o) { return broadcast_to(term(o), out.shape); };
  auto safe = [&](Operand o) {  // a factor that makes `scale` an ordinary product
    const auto n = number(o);
    return n && *n != 0 && std::isfinite(*n);
  };
  switch (op) {
    case Op::positive: return fitted(a);
    case Op::negative:
      if (op_of(a) == Op::negative) return fitted(tape[a].a);
      return {};
    case Op::square:
      if (op_of(a) == Op::negative) return square(term(tape[a].a));
      return {};
    case Op::add:
      if (op_of(b) == Op::negative) return apply(Op::subtract, {term(a), term(tape[b].a)});
      if (op_of(a) == Op::negative) return apply(Op::subtract, {term(b), term(tape[a].a)});
      return {};
    case Op::subtract:
      if (is(b, 0) && !std::signbit(*number(b))) return fitted(a);
      if (op_of(b) == Op::negative) return apply(Op::add, {term(a), term(tape[b].a)});
      return {};
    case Op::multiply:
      if (is(a, 1)) return fitted(b);
      if (is(b, 1)) return fitted(a);
      if (is(a, -1)) return fitted(apply(Op::negative, {term(b)}).id);
      if (is(b, -1)) return fitted(apply(Op::negative, {term(a)}).id);
      if (op_of(a) == Op::negative && op_of(b) == Op::negative)
        return apply(Op::multiply, {term(tape[a].a), term(tape[b].a)});
      return {};
    case Op::divide:
      if (is(b, 1)) return fitted(a);
      if (is_power_of_two(number(b), out.dtype)) return fitted((term(a) * Term(1 / *number(b))).id);
      return {};
    case Op::scale:
      if (safe(a) || safe(b)) return apply(Op::multiply, {term(a), term(b)});
      if (is(a, 0)) return zeros(*this, out);
      if (op_of(b) == Op::negative && op_of(a) == Op::negative)
        return apply(Op::scale, {term(tape[a].a), term(tape[b].a)});
      return {};
    default: return {};
  }
}

std::optional<Term> Builder::simplified_view(Op op, Operand x, Attrs attrs, const Meta& out) {
  const Meta in = tape.meta(x);
  const Node n = tape[x];
  std::int64_t immediate = 0;
  const Dims inner = kind_of(n.op) == OpKind::structured ? Dims(tape.attrs(n, immediate)) : Dims();
  auto again = [&](Operand o, const Dims& a) { return apply(op, {term(o)}, a); };
  switch (op) {
    case Op::cast:
      if (in.dtype == out.dtype) return term(x);
      return {};
    case Op::real:
    case Op::conjugate:
      if (in.dtype != DType::c128) return term(x);
      return {};
    case Op::imag:
      if (in.dtype != DType::c128) return zeros(*this, out);
      return {};
    case Op::reshape:
      if (in.shape == out.shape) return term(x);
      if (n.op == Op::reshape) return again(n.a, out.shape);
      return {};
    case Op::transpose: {
      if (is_identity(attrs)) return term(x);
      if (n.op != Op::transpose) return {};
      Dims both(attrs);
      for (auto& axis : both) axis = inner[static_cast<std::size_t>(axis)];
      return again(n.a, both);
    }
    case Op::broadcast_to:
      if (has_lanes(attrs)) return {};
      if (in.shape == out.shape) return term(x);
      if (n.op == Op::broadcast_to && !has_lanes(inner)) return again(n.a, out.shape);
      return {};
    case Op::slice: {
      if (is_whole(attrs, in.shape)) return term(x);
      if (n.op == Op::slice) return again(n.a, composed_slices(inner, attrs));
      if (n.op == Op::slice_set) {
        if (std::equal(inner.begin(), inner.end(), attrs.begin(), attrs.end()) &&
            tape.meta(n.b).dtype == out.dtype)
          return term(n.b);
        if (are_disjoint(inner, attrs) && tape.meta(n.a).dtype == out.dtype)
          return again(n.a, Dims(attrs));
      }
      if (n.op == Op::unslice) {
        Dims cut = inner;
        const Dims part = tape.meta(n.a).shape;
        for (std::size_t d = 0; d < part.size(); ++d) cut[3 * d + 2] = part[d];
        if (std::equal(cut.begin(), cut.end(), attrs.begin(), attrs.end())) return term(n.a);
      }
      return {};
    }
    case Op::sum: {
      // The sum of one number, repeated, is a product.
      if (n.op == Op::broadcast_to && tape.meta(n.a).shape.product() == 1 &&
          out.shape.product() == 1 && is_differentiable(in.dtype)) {
        const Term one = reshape(term(n.a), out.shape);
        return apply(Op::multiply, {one, Term(static_cast<double>(in.shape.product()))});
      }
      return {};
    }
    default: return {};
  }
}

}  // namespace tapegrad
