// qr, svd, singular values, pinv, lu: values from LAPACK, rules that hold for every rank that they
// can hold for. Results of several factors are packed one after the other.
#include "ops/columns.hpp"
#include "ops/gaps.hpp"
#include "ops/linalg.hpp"
#include "ops/packed.hpp"

namespace tapegrad {
namespace {

std::int64_t rows_of(const Meta& m) { return m.shape[m.shape.size() - 2]; }

void require_matrix(const char* op, const Meta& a) {
  matrix_dtype(op, a.dtype);
  require(a.shape.size() >= 2, std::string(op) + ": a matrix has at least two axes");
}

// Calls f(matrix of `in`, pointer into `out`) for each; `core`: axes of one result.
template <class T, class F>
void for_each_factored(const Array& in, const Array& out, int core, F&& f) {
  const auto a = Matrix<T>::of(in);
  const Dims batch = leading_axes(in.shape(), 2);
  for_each_matrix<2>(batch, {walk_leading(in, 2, batch), walk_leading(out, core, batch)},
                     [&](char* const* p) { f(a.at(p[0]), p[1]); });
}

// The first `n` columns of Q, and the others: a basis of the complement, which turns with the first
// by Q2' = -Q1 Q1'^H Q2.
struct Basis {
  Term first, rest;
  bool complete;
};

Basis split(Term q, std::int64_t n) {
  const std::int64_t all = q.algebra->meta(q).shape.back();
  if (all == n) return {q, q, false};
  return {slice_last(q, 0, 1, n), slice_last(q, n, 1, all - n), true};
}
Term joined(Term first, Term rest) {
  const auto axis = static_cast<std::int64_t>(first.algebra->meta(first).shape.size()) - 1;
  return first.algebra->apply(Op::concatenate, {first, rest}, Dims{axis});
}
// All of Q' from that of the first columns.
Term completed(const Basis& q, Term first) {
  if (!q.complete) return first;
  return joined(first, -matmul(matmul(q.first, adjugated(first)), q.rest));
}
// The adjoint of the first columns from that of all. What depends on the basis of the complement
// raises.
Term folded(const Basis& q, const Basis& g) {
  if (!q.complete) return g.first;
  const Term k = matmul(swap_last_axes(q.rest), g.rest);
  const Meta m = k.algebra->meta(k);
  const Term none = k.algebra->constant(Array::zeros(m.dtype, {1, m.shape.back()}));
  const Term checked =  // zeros if K is Hermitian
      eigen_adjoint(none, k, none, unmarked(k), Perturbed::check);
  const Term rest = g.rest + matmul(conjugate(q.rest), checked);
  return g.first - matmul(matmul(conjugate(q.rest), adjugated(rest)), conjugate(q.first));
}

// ---- qr of at least as many rows as columns; attribute 1: complete ----

bool is_complete(Attrs attrs) { return !attrs.empty() && attrs[0] != 0; }

Meta qr_shape(std::span<const Meta> in, Attrs attrs) {
  require_matrix("qr", in[0]);
  const std::int64_t m = rows_of(in[0]), n = in[0].shape.back();
  require(m >= n, "qr: fewer rows than columns");
  Dims shape = leading_axes(in[0].shape, 2);
  shape.push_back(m * (is_complete(attrs) ? m : n) + n * n);
  return {in[0].dtype, shape};
}

void qr_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_factored<T>(in[0], out, 1, [&](const Matrix<T>& a, char* p) {
      const auto [q, r] = factor_qr(Columns<T>::of(a), is_complete(attrs) ? a.rows : a.cols);
      r.write(q.write(reinterpret_cast<T*>(p)));
    });
  });
}

struct Qr {
  Basis q;
  Term r;
  Qr(Term packed, const Meta& a, Attrs attrs) {
    const std::int64_t m = rows_of(a), n = a.shape.back(), all = is_complete(attrs) ? m : n;
    q = split(unpacked(packed, 0, m, all), n);
    r = unpacked(packed, m * all, n, n);
  }
};

Term strictly_upper(Term x) {
  const Meta m = x.algebra->meta(x);
  return x * mask(*x.algebra, m.dtype, m.shape.back(), [](auto i, auto j) { return i < j; });
}
Term real_diagonal(Term x) {
  const Meta m = x.algebra->meta(x);
  return Term(0.5) * (x + conjugate(x)) * identity(*x.algebra, m.dtype, m.shape.back());
}

// With B = A' R^-1 and X = Q^H B: R' = Y R and Q' = B - Q Y, where Y is upper triangular with a
// real diagonal and X - Y is anti-Hermitian.
Term qr_tangent(Rule& rule) {
  const Qr f(rule.out(), rule.in_meta(0), rule.attrs);
  const Term b =
      swap_last_axes(solve(swap_last_axes(f.r), swap_last_axes(rule.tangent(0)), SolveKind::lower));
  const Term x = matmul(adjugated(f.q.first), b);
  const Term y = strictly_upper(x + adjugated(x)) + real_diagonal(x);
  return packed({completed(f.q, b - matmul(f.q.first, y)), matmul(y, f.r)});
}

void qr_adjoint(Rule& rule, Term g) {
  const Qr f(rule.out(), rule.in_meta(0), rule.attrs), adjoint(g, rule.in_meta(0), rule.attrs);
  const Term gq = folded(f.q, adjoint.q);
  const Term n = matmul(adjoint.r, swap_last_axes(f.r)) - matmul(swap_last_axes(f.q.first), gq);
  const Term upper = strictly_upper(n);
  const Term x = upper + adjugated(upper) + real_diagonal(n);
  const Term b = gq + matmul(conjugate(f.q.first), x);
  rule.add(0, swap_last_axes(solve(f.r, swap_last_axes(b), SolveKind::upper)));
}

// ---- svd: U, s, V^H, marks; attribute 1: full matrices ----

Meta svd_shape(std::span<const Meta> in, Attrs attrs) {
  require_matrix("svd", in[0]);
  const std::int64_t m = rows_of(in[0]), n = in[0].shape.back(), k = std::min(m, n);
  Dims shape = leading_axes(in[0].shape, 2);
  shape.push_back(kMarks + (is_complete(attrs) ? m * m + k + n * n : (m + 1 + n) * k));
  return {in[0].dtype, shape};
}

void svd_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_factored<T>(in[0], out, 1, [&](const Matrix<T>& a, char* p) {
      Columns<T> columns = Columns<T>::of(a);
      const Svd<T> f = factor_svd(columns, is_complete(attrs) ? 'A' : 'S');
      T* to = f.u.write(reinterpret_cast<T*>(p));
      std::fill_n(f.vh.write(std::copy(f.s.begin(), f.s.end(), to)), kMarks, T(0));
    });
  });
}

// V rather than V^H; of an adjoint, the adjoint of V.
struct SvdTerms {
  Basis u, v;
  Term s, marks;
  SvdTerms(Term packed, const Meta& a, Attrs attrs) {
    const std::int64_t m = rows_of(a), n = a.shape.back(), k = std::min(m, n);
    const std::int64_t left = is_complete(attrs) ? m : k, right = is_complete(attrs) ? n : k;
    u = split(unpacked(packed, 0, m, left), k);
    s = unpacked(packed, m * left, 1, k);
    v = split(adjugated(unpacked(packed, m * left + k, right, n)), k);
    marks = unpacked(packed, m * left + k + right * n, 1, kMarks);
  }
};

// With M = U^H A' V, H and N its Hermitian and anti-Hermitian parts: s' = diag H,
// U^H U' = (H / (s_j - s_i) + N / (s_j + s_i)), V^H V' with a minus; what A' has outside of the two
// spaces is divided by s.
Term svd_tangent(Rule& rule) {
  const SvdTerms f(rule.out(), rule.in_meta(0), rule.attrs);
  const Term u = f.u.first, v = f.v.first, t = rule.tangent(0);
  const Term tv = matmul(t, v), tu = matmul(adjugated(t), u);
  const Term m = matmul(adjugated(u), tv), half = Term(0.5) * m, other = adjugated(half);
  const Term h = half + other;
  const Term turned = over_gaps(h, f.s, Gap::difference);
  const Term twisted = over_gaps(half - other, f.s, Gap::sum);
  const Term du = matmul(u, turned + twisted) + over_gaps(tv - matmul(u, m), f.s, Gap::value);
  const Term dv =
      matmul(v, turned - twisted) + over_gaps(tu - matmul(v, adjugated(m)), f.s, Gap::value);
  return packed({completed(f.u, du), diagonal_row(h), adjugated(completed(f.v, dv)), unmarked(h)});
}

void svd_adjoint(Rule& rule, Term packed_adjoint) {
  const SvdTerms f(rule.out(), rule.in_meta(0), rule.attrs);
  const SvdTerms g(packed_adjoint, rule.in_meta(0), rule.attrs);
  const Term u = f.u.first, v = f.v.first, gu = folded(f.u, g.u), gv = folded(f.v, g.v);
  const Term ku = matmul(swap_last_axes(u), gu), kv = matmul(swap_last_axes(v), gv);
  const Term half = Term(0.5) * (ku - kv);
  const Term x = eigen_adjoint(g.s, ku + kv, f.s, g.marks, Perturbed::hermitian) +
                 over_gaps(half - adjugated(half), f.s, Gap::sum);
  const Term left = over_gaps(gu - matmul(conjugate(u), ku), f.s, Gap::value);
  const Term right = over_gaps(gv - matmul(conjugate(v), kv), f.s, Gap::value);
  rule.add(0, matmul(matmul(conjugate(u), x) + left, swap_last_axes(v)) +
                  matmul(conjugate(u), adjugated(right)));
}

// ---- singular_values ----

Meta singular_values_shape(std::span<const Meta> in, Attrs) {
  require_matrix("singular_values", in[0]);
  Dims shape = leading_axes(in[0].shape, 2);
  shape.push_back(std::min(rows_of(in[0]), in[0].shape.back()));
  return {in[0].dtype == DType::c128 ? DType::f64 : in[0].dtype, shape};
}

void singular_values_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(in[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_factored<T>(in[0], out, 1, [&](const Matrix<T>& a, char* p) {
      Columns<T> columns = Columns<T>::of(a);
      const Svd<T> f = factor_svd(columns, 'N');
      std::copy(f.s.begin(), f.s.end(), reinterpret_cast<RealOf<T>*>(p));
    });
  });
}

SvdTerms factored(Rule& rule) {
  return {rule.algebra.apply(Op::svd, {rule.in(0)}), rule.in_meta(0), {}};
}

// Equal values share; at zero they have a kink like that of abs, and slope 0.
Term singular_values_tangent(Rule& rule) {
  const SvdTerms f = factored(rule);
  const Term m = matmul(adjugated(f.u.first), matmul(rule.tangent(0), f.v.first));
  const Term d = average_repeated(diagonal_row(m), f.s, true);
  return cast(reshape(d, rule.out_meta().shape), rule.out_meta().dtype);
}

void singular_values_adjoint(Rule& rule, Term g) {
  const SvdTerms f = factored(rule);
  const Dims shape = rule.out_meta().shape;
  const Term row = reshape(g, with_matrix(leading_axes(shape, 1), 1, shape.back()));
  const Term shared = average_repeated(row, f.s, true);
  const Term t = matmul(conjugate(f.u.first) * shared, swap_last_axes(f.v.first));
  rule.add(0, cast(t, rule.in_meta(0).dtype));
}

// ---- pinv(A, cutoff): singular values up to cutoff times the largest count as zero ----

Meta pinv_shape(std::span<const Meta> in, Attrs) {
  require_matrix("pinv", in[0]);
  require_matrix("pinv", in[1]);
  Dims batch = leading_axes(in[0].shape, 2);
  broadcast_into(batch, leading_axes(in[1].shape, 2));
  return {in[0].dtype, with_matrix(batch, in[0].shape.back(), rows_of(in[0]))};
}

template <class T>
void write_pinv(const Matrix<T>& a, T cutoff, T* out) {
  Columns<T> columns = Columns<T>::of(a);
  Svd<T> f = factor_svd(columns, 'S');
  const auto k = static_cast<std::int64_t>(f.s.size());
  const auto limit = f.s.empty() ? RealOf<T>(0) : std::real(cutoff) * f.s[0];
  for (std::int64_t j = 0; j < k; ++j) {
    const auto s = f.s[static_cast<std::size_t>(j)];
    const T factor = s > limit ? T(1) / s : T(0);
    for (std::int64_t i = 0; i < f.u.rows; ++i) f.u(i, j) *= factor;
  }
  product(f.vh, f.u, 'C', 'C').write(out);
}

void pinv_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto a = Matrix<T>::of(in[0]);
    const Dims batch = leading_axes(out.shape(), 2);
    for_each_matrix<3>(
        batch,
        {walk_leading(in[0], 2, batch), walk_leading(in[1], 2, batch), walk_leading(out, 2, batch)},
        [&](char* const* p) {
          write_pinv<T>(a.at(p[0]), *reinterpret_cast<T*>(p[1]), reinterpret_cast<T*>(p[2]));
        });
  });
}

// Golub and Pereyra (1973), for matrices of constant rank:
// P' = -P A' P + P P^H A'^H (1 - A P) + (1 - P A) A'^H P^H P
Term pinv_tangent(Rule& rule) {
  if (!rule.active(0)) return zeros(rule.algebra, rule.out_meta());
  const Term a = rule.in(0), p = rule.out(), t = rule.tangent(0);
  const Term ph = adjugated(p), th = adjugated(t);
  const Term left = matmul(matmul(p, ph), th), right = matmul(th, matmul(ph, p));
  return -matmul(matmul(p, t), p) + (left - matmul(matmul(left, a), p)) +
         (right - matmul(p, matmul(a, right)));
}

void pinv_adjoint(Rule& rule, Term g) {
  if (!rule.active(0)) return;
  const Term a = rule.in(0), p = rule.out(), ph = adjugated(p);
  const Term pt = swap_last_axes(p), gt = swap_last_axes(g);
  const Term left = matmul(gt, matmul(p, ph)), right = matmul(matmul(ph, p), gt);
  const Term sides = left - matmul(a, matmul(p, left)) + (right - matmul(matmul(right, p), a));
  rule.add(0, fit(conjugate(sides) - matmul(matmul(pt, g), pt), rule.in_meta(0)));
}

// ---- lu: A = L U without pivoting, both in one matrix; lu_pivots: the row exchanges of getrf ----

// Outer products, column by column, so that columns are walked in order.
template <class T>
void factor_unpivoted(Columns<T>& a) {
  for (std::int64_t k = 0; k < a.rows; ++k) {
    if (a(k, k) == T(0)) throw SingularMatrix("Singular matrix");
    for (std::int64_t i = k + 1; i < a.rows; ++i) a(i, k) /= a(k, k);
    for (std::int64_t j = k + 1; j < a.cols; ++j) {
      const T factor = a(k, j);
      for (std::int64_t i = k + 1; i < a.rows; ++i) a(i, j) -= a(i, k) * factor;
    }
  }
}

// Exchanges of rows, from 0; LAPACK's own factors with them.
template <class T>
std::vector<int> factor_pivoted(Columns<T>& a) {
  int n = blas_int(a.rows), info = 0;
  std::vector<int> pivots(static_cast<std::size_t>(n));
  if (n > 0) lapack<T>().getrf(&n, &n, a.ptr(), &n, pivots.data(), &info);
  ensure(info >= 0, "arguments of getrf");
  for (int& p : pivots) --p;
  return pivots;
}

void lu_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_factored<T>(in[0], out, 2, [&](const Matrix<T>& a, char* p) {
      Columns<T> f = Columns<T>::of(a);
      const std::vector<int> pivots = factor_pivoted(f);
      bool exchanged = false;
      for (std::size_t i = 0; i < pivots.size(); ++i) exchanged |= pivots[i] != static_cast<int>(i);
      if (exchanged) {  // another order than that of the rows, which the caller has chosen
        f = Columns<T>::of(a);
        factor_unpivoted(f);
      }
      f.write(reinterpret_cast<T*>(p));
    });
  });
}

struct LuTerms {
  Term lower, upper;  // L with its unit diagonal
  explicit LuTerms(Term packed) {
    const Meta m = packed.algebra->meta(packed);
    const std::int64_t n = m.shape.back();
    const Term strict = mask(*packed.algebra, m.dtype, n, [](auto i, auto j) { return i > j; });
    const Term part = packed * strict;
    lower = part + identity(*packed.algebra, m.dtype, n);
    upper = packed - part;
  }
};
Term strictly_lower(Term x) { return swap_last_axes(strictly_upper(swap_last_axes(x))); }

// With X = L^-1 A' U^-1: L' = L tril(X, -1), U' = triu(X) U.
Term lu_tangent(Rule& rule) {
  const LuTerms f(rule.out());
  const Term half = solve(f.lower, rule.tangent(0), SolveKind::lower);
  const Term x =
      swap_last_axes(solve(swap_last_axes(f.upper), swap_last_axes(half), SolveKind::lower));
  const Term low = strictly_lower(x);
  return matmul(f.lower, low) + matmul(x - low, f.upper);
}

void lu_adjoint(Rule& rule, Term g) {
  const LuTerms f(rule.out());
  const Term low = strictly_lower(g);
  const Term by_upper = matmul(g - low, swap_last_axes(f.upper));
  const Term x =
      strictly_lower(matmul(swap_last_axes(f.lower), low)) + (by_upper - strictly_lower(by_upper));
  const Term half = solve(swap_last_axes(f.lower), x, SolveKind::upper);
  rule.add(0, swap_last_axes(solve(f.upper, swap_last_axes(half), SolveKind::upper)));
}

Meta lu_pivots_shape(std::span<const Meta> in, Attrs) {
  require_square("lu_pivots", in[0]);
  return {DType::i64, leading_axes(in[0].shape, 1)};
}

void lu_pivots_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(in[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_factored<T>(in[0], out, 1, [&](const Matrix<T>& a, char* p) {
      Columns<T> f = Columns<T>::of(a);
      const std::vector<int> pivots = factor_pivoted(f);
      std::copy(pivots.begin(), pivots.end(), reinterpret_cast<std::int64_t*>(p));
    });
  });
}

constexpr char kLu[] = "lu";

}  // namespace

const Rules rules::qr = {.shape = qr_shape,
                         .value = qr_value,
                         .tangent = qr_tangent,
                         .adjoint = qr_adjoint,
                         .needs = {kNeedsOut, 0, 0},
                         .lanes = Lanes::aligned};

const Rules rules::svd = {.shape = svd_shape,
                          .value = svd_value,
                          .tangent = svd_tangent,
                          .adjoint = svd_adjoint,
                          .needs = {kNeedsOut, 0, 0},
                          .lanes = Lanes::aligned};

const Rules rules::singular_values = {.shape = singular_values_shape,
                                      .value = singular_values_value,
                                      .tangent = singular_values_tangent,
                                      .adjoint = singular_values_adjoint,
                                      .needs = {1u << 0, 0, 0},
                                      .lanes = Lanes::aligned};

const Rules rules::pinv = {.shape = pinv_shape,
                           .value = pinv_value,
                           .tangent = pinv_tangent,
                           .adjoint = pinv_adjoint,
                           .needs = {1u << 0 | kNeedsOut, 0, 0},
                           .lanes = Lanes::aligned};

const Rules rules::lu = {.shape = square_meta<kLu>,
                         .value = lu_value,
                         .tangent = lu_tangent,
                         .adjoint = lu_adjoint,
                         .needs = {kNeedsOut, 0, 0},
                         .lanes = Lanes::aligned};

const Rules rules::lu_pivots = {.shape = lu_pivots_shape,
                                .value = lu_pivots_value,
                                .tangent = nullptr,
                                .adjoint = nullptr,
                                .lanes = Lanes::aligned};

}  // namespace tapegrad
