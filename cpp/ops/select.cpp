// Rules of the ops that choose or convert elements: where, cast, real, imag,
// conjugate, part_set.
#include "base/iterate.hpp"
#include "ops/parts.hpp"
#include "ops/rules.hpp"

namespace tapegrad {
namespace {

// where ------------------------------------------------------------------------------------------

Meta where_shape(std::span<const Meta> in, Attrs) {
  if (in[0].dtype != DType::b8) throw TypeFault("where: the condition must be boolean");
  Dims shape = broadcast_shapes(in[0].shape, in[1].shape);
  broadcast_into(shape, in[2].shape);
  return {promote(in[1].dtype, in[2].dtype), shape};
}

// Contiguous result and condition; a and b contiguous or (kA, kB false) one repeated number.
template <class T, bool kA, bool kB>
void where_run(char** p, std::intptr_t n) {
  T* __restrict out = reinterpret_cast<T*>(p[0]);
  const unsigned char* __restrict c = reinterpret_cast<const unsigned char*>(p[1]);
  const T* __restrict a = reinterpret_cast<const T*>(p[2]);
  const T* __restrict b = reinterpret_cast<const T*>(p[3]);
  const T a0 = a[0], b0 = b[0];
  for (std::intptr_t i = 0; i < n; ++i) {
    const T va = kA ? a[i] : a0, vb = kB ? b[i] : b0;
    out[i] = c[i] ? va : vb;
  }
}

template <class T>
void where_loop(char** p, std::intptr_t n, const std::intptr_t* s) {
  constexpr std::intptr_t item = sizeof(T);
  const auto regular = [&](int k) { return s[k] == item || s[k] == 0; };
  if (s[0] == item && s[1] == 1 && regular(2) && regular(3)) {
    if (s[2] && s[3]) return where_run<T, true, true>(p, n);
    if (s[2]) return where_run<T, true, false>(p, n);
    if (s[3]) return where_run<T, false, true>(p, n);
    return where_run<T, false, false>(p, n);
  }
  for (std::intptr_t i = 0; i < n; ++i) {
    const int chosen = p[1][i * s[1]] ? 2 : 3;
    *reinterpret_cast<T*>(p[0] + i * s[0]) = *reinterpret_cast<const T*>(p[chosen] + i * s[chosen]);
  }
}

void where_value(std::span<const Array> in, Attrs, const Array& out) {
  const Dims& shape = out.shape();
  const std::array<Walker, 4> walkers{walk(out, shape), walk(in[0], shape), walk(in[1], shape),
                                      walk(in[2], shape)};
  dispatch(out.dtype(),
           [&](auto zero) { for_each_run<4>(shape, walkers, where_loop<decltype(zero)>); });
}

// An inactive branch contributes zeros of the result's shape and dtype, which broadcast the other.
Term where_tangent(Rule& rule) {
  Term t[2];
  for (int k = 0; k < 2; ++k)
    t[k] = rule.active(k + 1) ? rule.tangent(k + 1) : zeros(rule.algebra, rule.out_meta());
  return select(rule.in(0), t[0], t[1]);
}

void where_adjoint(Rule& rule, Term adjoint) {
  const Term condition = rule.in(0);
  if (rule.active(1)) rule.add(1, fit(select(condition, adjoint, Term(0)), rule.in_meta(1)));
  if (rule.active(2)) rule.add(2, fit(select(condition, Term(0), adjoint), rule.in_meta(2)));
}

// cast -------------------------------------------------------------------------------------------

Meta cast_shape(std::span<const Meta> in, Attrs attrs) {
  require(attrs.size() == 1 && attrs[0] >= 0 && attrs[0] <= static_cast<int>(DType::i64),
          "cast: unknown dtype code");
  return {static_cast<DType>(attrs[0]), in[0].shape};
}

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, bool>) return x != From(0);
  else if constexpr (std::is_same_v<From, Complex> && !std::is_same_v<To, Complex>)
    return static_cast<To>(x.real());
  else return static_cast<To>(x);
}

template <class To, class From>
void cast_loop(char** p, std::intptr_t n, const std::intptr_t* s) {
  if (s[0] == sizeof(To) && s[1] == sizeof(From)) {
    To* __restrict out = reinterpret_cast<To*>(p[0]);
    const From* __restrict x = reinterpret_cast<const From*>(p[1]);
    for (std::intptr_t i = 0; i < n; ++i) out[i] = converted<To>(x[i]);
    return;
  }
  for (std::intptr_t i = 0; i < n; ++i)
    *reinterpret_cast<To*>(p[0] + i * s[0]) =
        converted<To>(*reinterpret_cast<const From*>(p[1] + i * s[1]));
}

void cast_value(std::span<const Array> in, Attrs, const Array& out) {
  if (in[0].dtype() == out.dtype()) return copy_into(in[0], out);
  dispatch(out.dtype(), [&](auto to) {
    dispatch(in[0].dtype(), [&](auto from) {
      for_each_run<2>(out.shape(), {walk(out, out.shape()), walk(in[0], out.shape())},
                      cast_loop<decltype(to), decltype(from)>);
    });
  });
}

void cast_adjoint(Rule& rule, Term adjoint) { rule.add(0, cast(adjoint, rule.in_meta(0).dtype)); }

// real, imag, conjugate --------------------------------------------------------------------------

bool is_complex(const Meta& meta) { return meta.dtype == DType::c128; }

Meta real_shape(std::span<const Meta> in, Attrs) {
  return {is_complex(in[0]) ? DType::f64 : in[0].dtype, in[0].shape};
}
Array real_view(const Array& in, Attrs) {
  return in.dtype() == DType::c128 ? complex_part_view(in, 0) : in;
}
Array imag_view(const Array& in, Attrs) {
  return in.dtype() == DType::c128 ? complex_part_view(in, 1)
                                   : Array::zeros(in.dtype(), in.shape());
}
// y = Im(x + iy): the adjoint df/dx - i df/dy of the operand is -i times that of the result.
void imag_adjoint(Rule& rule, Term adjoint) {
  if (!is_complex(rule.in_meta(0))) return;
  const Term minus_i = rule.algebra.constant(Array::scalar(Complex(0, -1)));
  rule.add(0, minus_i * cast(adjoint, DType::c128));
}

void conjugate_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.dtype() != DType::c128) return copy_into(in[0], out);
  for_each_run<2>(out.shape(), {walk(out, out.shape()), walk(in[0], out.shape())},
                  [](char** p, std::intptr_t n, const std::intptr_t* s) {
                    for (std::intptr_t i = 0; i < n; ++i)
                      *reinterpret_cast<Complex*>(p[0] + i * s[0]) =
                          std::conj(*reinterpret_cast<const Complex*>(p[1] + i * s[1]));
                  });
}
void conjugate_adjoint(Rule& rule, Term adjoint) { rule.add(0, conjugate(adjoint)); }

// part_set: the complex base with its real (attribute 0) or imaginary part (1) overwritten ------

Meta part_set_shape(std::span<const Meta> in, Attrs attrs) {
  require(attrs.size() == 1 && (attrs[0] == 0 || attrs[0] == 1), "part_set: part 0 or 1");
  if (in[0].dtype != DType::c128 || in[1].dtype != DType::f64)
    throw TypeFault("part_set: float64 into the part of a complex array");
  if (!(in[0].shape == in[1].shape))
    throw Error("could not assign shape " + in[1].shape.str() + " to a part of shape " +
                in[0].shape.str());
  return in[0];
}
void part_set_update(const Array& base, std::span<const Array> rest, Attrs attrs) {
  const Meta metas[] = {base.meta(), rest[0].meta()};
  part_set_shape(metas, attrs);
  copy_into(rest[0], complex_part_view(base, static_cast<int>(attrs[0])));
}
void part_set_shift(Attrs attrs, const Meta&, Dims& shifted) { shifted = attrs; }
// The adjoint df/dx - i df/dy of x + iy holds those of both parts.
void part_set_adjoint(Rule& rule, Term adjoint) {
  const bool imaginary = rule.attrs[0] == 1;
  adjoint = cast(adjoint, DType::c128);
  if (rule.active(1)) {
    const Term part = rule.algebra.apply(imaginary ? Op::imag : Op::real, {adjoint});
    rule.add(1, imaginary ? -part : part);
  }
  if (!rule.active(0)) return;
  const Term nothing = zeros(rule.algebra, rule.in_meta(1));
  rule.add(0, rule.algebra.apply(Op::part_set, {adjoint, nothing}, rule.attrs));
}

}  // namespace

namespace rules {

const Rules where = {
    .shape = where_shape,
    .value = where_value,
    .tangent = where_tangent,
    .adjoint = where_adjoint,
    .needs = {0, 1u << 0, 1u << 0},
    .lanes = Lanes::aligned,
};
const Rules cast = {
    .shape = cast_shape,
    .value = cast_value,
    .tangent = linear_tangent,
    .adjoint = cast_adjoint,
    .lanes = Lanes::aligned,
};
const Rules real = {
    .shape = real_shape,
    .view = real_view,
    .tangent = linear_tangent,
    .adjoint = cast_adjoint,
    .lanes = Lanes::aligned,
};
const Rules imag = {
    .shape = real_shape,
    .view = imag_view,
    .tangent = linear_tangent,
    .adjoint = imag_adjoint,
    .lanes = Lanes::aligned,
};
const Rules conjugate = {
    .shape = same_meta,
    .value = conjugate_value,
    .tangent = linear_tangent,
    .adjoint = conjugate_adjoint,
    .lanes = Lanes::aligned,
};

const Rules part_set = {
    .shape = part_set_shape,
    .update = part_set_update,
    .tangent = linear_tangent,
    .adjoint = part_set_adjoint,
    .lanes = Lanes::shifted,
    .shift = part_set_shift,
};

}  // namespace rules
}  // namespace tapegrad
