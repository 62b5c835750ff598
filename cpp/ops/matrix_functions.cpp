// Sylvester's equation and functions of a matrix: sqrtm, expm, logm. The derivative of a root
// solves Sylvester's equation; those of expm and logm are blocks of the function of a larger
// matrix.
#include <numbers>

#include "ops/columns.hpp"
#include "ops/linalg.hpp"
#include "ops/packed.hpp"

namespace tapegrad {
namespace {

// Calls f(matrix in double or complex precision) for each and writes what it returns.
template <class F>
void each_square(const Array& in, const Array& out, F&& f) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Work = std::conditional_t<kIsComplex<T>, Complex, double>;
    const auto a = Matrix<T>::of(in);
    const Dims batch = leading_axes(out.shape(), 2);
    for_each_matrix<2>(batch, {walk_leading(in, 2, batch), walk_leading(out, 2, batch)},
                       [&](char* const* p) {
                         f(Columns<Work>::of(a.at(p[0]))).write(reinterpret_cast<T*>(p[1]));
                       });
  });
}

// ---- sylvester(A, B, Q): A X + X B = Q ----

Meta sylvester_shape(std::span<const Meta> in, Attrs) {
  require_square("sylvester", in[0]);
  require_square("sylvester", in[1]);
  const std::int64_t m = in[0].shape.back(), n = in[1].shape.back();
  const Dims& q = in[2].shape;
  matrix_dtype("sylvester", in[2].dtype);
  require(q.size() >= 2 && q[q.size() - 2] == m && q.back() == n,
          "sylvester: the shapes of A, B and the right-hand side do not fit");
  Dims batch = leading_axes(q, 2);
  for (int i : {0, 1})
    broadcast_into(batch, leading_axes(in[static_cast<std::size_t>(i)].shape, 2));
  DType t = promote(in[2].dtype, promote(in[0].dtype, in[1].dtype));
  return {t, with_matrix(batch, m, n)};
}

// Bartels and Stewart: Schur forms of A and B, and a triangular equation.
template <class T>
Columns<T> solve_sylvester(Columns<T> a, Columns<T> b, const Columns<T>& q) {
  const Columns<T> u = factor_schur(a), v = factor_schur(b);
  Columns<T> y = product(product(u, q, 'C'), v);
  char none = 'N';
  int sign = 1, m = blas_int(a.rows), n = blas_int(b.rows), info = 0;
  RealOf<T> scale = 1;
  if (m > 0 && n > 0)
    lapack<T>().trsyl(&none, &none, &sign, &m, &n, a.ptr(), &m, b.ptr(), &n, y.ptr(), &m, &scale,
                      &info);
  if (info > 0) throw SingularMatrix("Sylvester equation: an eigenvalue of A is minus one of B");
  Columns<T> x = product(product(u, y), v, 'N', 'C');
  return x.scale(T(1) / T(scale));
}

void sylvester_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Work = std::conditional_t<kIsComplex<T>, Complex, double>;
    const auto a = Matrix<T>::of(in[0]), b = Matrix<T>::of(in[1]), q = Matrix<T>::of(in[2]);
    const Dims batch = leading_axes(out.shape(), 2);
    for_each_matrix<4>(batch,
                       {walk_leading(in[0], 2, batch), walk_leading(in[1], 2, batch),
                        walk_leading(in[2], 2, batch), walk_leading(out, 2, batch)},
                       [&](char* const* p) {
                         solve_sylvester(Columns<Work>::of(a.at(p[0])),
                                         Columns<Work>::of(b.at(p[1])),
                                         Columns<Work>::of(q.at(p[2])))
                             .write(reinterpret_cast<T*>(p[3]));
                       });
  });
}

Term sylvester(Term a, Term b, Term q) { return a.algebra->apply(Op::sylvester, {a, b, q}); }

// A X' + X' B = Q' - A' X - X B'
Term sylvester_tangent(Rule& rule) {
  Term q;
  if (rule.active(2)) q = rule.tangent(2);
  if (rule.active(0)) q = q - matmul(rule.tangent(0), rule.out());
  if (rule.active(1)) q = q - matmul(rule.out(), rule.tangent(1));
  return sylvester(rule.in(0), rule.in(1), q);
}

void sylvester_adjoint(Rule& rule, Term g) {
  const Term w = sylvester(swap_last_axes(rule.in(0)), swap_last_axes(rule.in(1)), g);
  if (rule.active(2)) rule.add(2, fit(w, rule.in_meta(2)));
  if (!rule.active(0) && !rule.active(1)) return;
  const Term x = swap_last_axes(rule.out());
  if (rule.active(0)) rule.add(0, fit(-matmul(w, x), rule.in_meta(0)));
  if (rule.active(1)) rule.add(1, fit(-matmul(x, w), rule.in_meta(1)));
}

// ---- sqrtm: the principal root; of a real matrix the real part of it ----

// Bjorck and Hammarling (1983): the root of an upper triangular matrix.
Columns<Complex> triangular_root(const Columns<Complex>& t) {
  const std::int64_t n = t.rows;
  Columns<Complex> r(n, n);
  for (std::int64_t j = 0; j < n; ++j) {
    r(j, j) = std::sqrt(t(j, j));
    for (std::int64_t i = j; i-- > 0;) {
      Complex rest = t(i, j);
      for (std::int64_t k = i + 1; k < j; ++k) rest -= r(i, k) * r(k, j);
      const Complex sum = r(i, i) + r(j, j);
      r(i, j) = rest == 0.0 ? Complex(0) : rest / sum;
    }
  }
  return r;
}

// Roots and logarithms have a cut along the negative axis. Eigenvalues on it, those of a real
// matrix among them, count as on its upper side; rounding puts them on either, by the root of
// epsilon where they are repeated. The angle by which the cut is turned so that it has them on one
// side.
double turned_cut(const Columns<Complex>& t, bool real) {
  constexpr double kNear = 3e-8;
  bool on_cut = real;
  for (std::int64_t i = 0; i < t.rows; ++i)
    on_cut |= t(i, i) != 0.0 && std::numbers::pi - std::arg(t(i, i)) < kNear;
  return on_cut ? 2 * kNear : 0.0;
}

// The attribute of expm and logm: how many times A has been doubled by derivatives.
std::int64_t level_of(Attrs attrs) {
  const std::int64_t level = attrs.empty() ? 0 : attrs[0];
  require(level >= 0 && level < 30, "a level of blocks");
  return level;
}

// `count` square blocks a side, upper triangular with one block repeated on the diagonal.
struct Blocks {
  std::int64_t count, size;
  template <class T>
  Columns<Complex> block(const Columns<T>& a, std::int64_t p, std::int64_t q) const {
    Columns<Complex> b(size, size);
    for (std::int64_t j = 0; j < size; ++j)
      for (std::int64_t i = 0; i < size; ++i) b(i, j) = a(p * size + i, q * size + j);
    return b;
  }
  void place(const Columns<Complex>& b, std::int64_t p, std::int64_t q,
             Columns<Complex>& to) const {
    for (std::int64_t j = 0; j < size; ++j)
      for (std::int64_t i = 0; i < size; ++i) to(p * size + i, q * size + j) = b(i, j);
  }
};

// f(T, angle) of the triangular factor T of a Schur form, which is turned back by `angle`. Of real
// matrices only those without negative eigenvalues come here as real ones. In derivatives A has
// 2^level blocks a side: the Schur form of the one on the diagonal makes all of it triangular, and
// keeps repeated eigenvalues equal.
template <class T, class F>
Columns<Complex> of_schur(const Columns<T>& a, std::int64_t level, F&& f) {
  const Blocks blocks{std::int64_t{1} << level, a.rows >> level};
  Columns<Complex> s = blocks.block(a, 0, 0);
  const bool real =
      std::all_of(s.ptr(), s.ptr() + s.size(), [](Complex x) { return x.imag() == 0; });
  const Columns<Complex> z = factor_schur(s);
  for (std::int64_t j = 0; j < s.cols; ++j)
    for (std::int64_t i = j + 1; i < s.rows; ++i) s(i, j) = 0;
  Columns<Complex> t(a.rows, a.cols), result(a.rows, a.cols);
  for (std::int64_t q = 0; q < blocks.count; ++q) {
    blocks.place(s, q, q, t);
    for (std::int64_t p = 0; p < q; ++p)
      blocks.place(product(product(z, blocks.block(a, p, q), 'C'), z), p, q, t);
  }
  const double angle = kIsComplex<T> ? turned_cut(s, real) : 0.0;
  t.scale(std::polar(1.0, -angle));
  const Columns<Complex> value = f(t, angle);
  for (std::int64_t q = 0; q < blocks.count; ++q)
    for (std::int64_t p = 0; p <= q; ++p)
      blocks.place(product(product(z, blocks.block(value, p, q)), z, 'N', 'C'), p, q, result);
  return result;
}

void sqrtm_value(std::span<const Array> in, Attrs, const Array& out) {
  each_square(in[0], out, [](const auto& a) {
    return of_schur(a, 0, [](const Columns<Complex>& t, double angle) {
      return triangular_root(t).scale(std::polar(1.0, angle / 2));
    });
  });
}

// X X' + X' X = A'
Term sqrtm_tangent(Rule& rule) { return sylvester(rule.out(), rule.out(), rule.tangent(0)); }
void sqrtm_adjoint(Rule& rule, Term g) {
  const Term x = swap_last_axes(rule.out());
  rule.add(0, sylvester(x, x, g));
}

// ---- expm: scaling and squaring (Al-Mohy and Higham, SIAM J. Matrix Anal. Appl. 31, 2009) ----

// How often A is to be halved for the approximant of degree 13: from norms of powers, which may be
// far smaller than powers of the norm.
template <class T>
int halvings(const Columns<T>& a, const Columns<T>& a4, const Columns<T>& a6) {
  const double d6 = std::pow(a6.norm(), 1.0 / 6), d8 = std::pow(product(a4, a4).norm(), 1.0 / 8);
  const double d10 = std::pow(product(a4, a6).norm(), 1.0 / 10);
  const double size = std::min(std::max(d6, d8), std::max(d8, d10));
  if (!(size > 0) || !std::isfinite(size)) return 0;
  const int s = std::max(0, static_cast<int>(std::ceil(std::log2(size / 4.25))));
  // The backward error from |A|^27, whose norm is that of a row of ones times it.
  const std::int64_t n = a.rows;
  std::vector<double> row(static_cast<std::size_t>(n), 1.0), next(row);
  for (int power = 0; power < 27; ++power) {
    for (std::int64_t j = 0; j < n; ++j) {
      double total = 0;
      for (std::int64_t i = 0; i < n; ++i)
        total += row[static_cast<std::size_t>(i)] * std::ldexp(std::abs(a(i, j)), -s);
      next[static_cast<std::size_t>(j)] = total;
    }
    row.swap(next);
  }
  const double error = *std::max_element(row.begin(), row.end()) / 1.1325077560602e35;
  const double relative = error / (std::ldexp(a.norm(), -s) * 1.1e-16);
  if (!(relative > 1)) return s;
  return s + std::clamp(static_cast<int>(std::ceil(std::log2(relative) / 26)), 0, 60);
}

template <class T>
Columns<T> exponential(Columns<T> a) {
  static constexpr double b[] = {64764752532480000.,
                                 32382376266240000.,
                                 7771770303897600.,
                                 1187353796428800.,
                                 129060195264000.,
                                 10559470521600.,
                                 670442572800.,
                                 33522128640.,
                                 1323241920.,
                                 40840800.,
                                 960960.,
                                 16380.,
                                 182.,
                                 1.};
  Columns<T> a2 = product(a, a), a4 = product(a2, a2), a6 = product(a4, a2);
  const int s = halvings(a, a4, a6);
  a.scale(T(std::ldexp(1.0, -s)));
  a2.scale(T(std::ldexp(1.0, -2 * s)));
  a4.scale(T(std::ldexp(1.0, -4 * s)));
  a6.scale(T(std::ldexp(1.0, -6 * s)));
  // Odd (start 1) or even (start 0) terms, without the factor A of the odd ones.
  const auto terms = [&](int start) {
    const auto c = [&](int k) { return T(b[k + start]); };
    Columns<T> high(a.rows, a.cols), low = Columns<T>::identity(a.rows);
    high.add(a6, c(12)).add(a4, c(10)).add(a2, c(8));
    high = product(a6, high);
    low.scale(c(0));
    return high.add(a6, c(6)).add(a4, c(4)).add(a2, c(2)).add(low, T(1));
  };
  const Columns<T> u = product(a, terms(1)), v = terms(0);
  Columns<T> below = v, result = v;
  below.add(u, T(-1));
  result.add(u, T(1));
  if (!solve_in_place(below, result)) throw SingularMatrix("expm: the matrix is not finite");
  for (int i = 0; i < s; ++i) result = product(result, result);
  return result;
}

void expm_value(std::span<const Array> in, Attrs, const Array& out) {
  each_square(in[0], out, [](const auto& a) { return exponential(a); });
}

// ---- logm: inverse scaling and squaring on the Schur form ----

// log(1 + X) for small X: the Pade approximant as Gauss-Legendre quadrature of X (1 + x X)^-1.
Columns<Complex> small_logarithm(const Columns<Complex>& x) {
  static constexpr double nodes[] = {0.1834346424956498, 0.5255324099163290, 0.7966664774136267,
                                     0.9602898564975363};
  static constexpr double weights[] = {0.3626837833783620, 0.3137066458778873, 0.2223810344533745,
                                       0.1012285362903763};
  Columns<Complex> sum(x.rows, x.rows);
  for (int k = 0; k < 4; ++k)
    for (const double side : {-1.0, 1.0}) {
      Columns<Complex> below = Columns<Complex>::identity(x.rows), part = x;
      below.add(x, 0.5 + 0.5 * side * nodes[k]);
      solve_in_place(below, part);
      sum.add(part, 0.5 * weights[k]);
    }
  return sum;
}

Columns<Complex> triangular_logarithm(const Columns<Complex>& t) {
  const std::int64_t n = t.rows;
  for (std::int64_t i = 0; i < n; ++i)
    if (t(i, i) == 0.0) throw SingularMatrix("logm: Singular matrix");
  Columns<Complex> x = t;
  int roots = 0;
  const auto without_identity = [n](Columns<Complex> r) {
    return r.add(Columns<Complex>::identity(n), -1.0);
  };
  while (roots < 100 && without_identity(x).norm() > 0.25) {
    x = triangular_root(x);
    ++roots;
  }
  Columns<Complex> result = small_logarithm(without_identity(x)).scale(std::ldexp(1.0, roots));
  for (std::int64_t i = 0; i < n; ++i) result(i, i) = std::log(t(i, i));
  return result;
}

void logm_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const std::int64_t level = level_of(attrs);
  require(in[0].shape().back() % (std::int64_t{1} << level) == 0, "logm: blocks of one size");
  each_square(in[0], out, [level](const auto& a) {
    return of_schur(a, level, [](const Columns<Complex>& t, double angle) {
      return triangular_logarithm(t).add(Columns<Complex>::identity(t.rows), Complex(0, angle));
    });
  });
}

// ---- derivatives as a block: f([A E; 0 A]) = [f(A) L(A, E); 0 f(A)] (Higham, Functions of
// Matrices, theorem 3.6). L is linear in E, which is scaled so that it is no larger than the
// identity; the scale is a power of two, and being a step it has no derivative.

Term size_of_parts(Term e) {
  const Meta m = e.algebra->meta(e);
  if (m.dtype != DType::c128) return absolute(e);
  return maximum(absolute(e.algebra->apply(Op::real, {e})),
                 absolute(e.algebra->apply(Op::imag, {e})));
}

Term frechet(Rule& rule, Term e) {
  Algebra& algebra = rule.algebra;
  Term a = rule.in(0);
  const Meta m = algebra.meta(e);
  const std::int64_t n = m.shape.back();
  const auto axis = static_cast<std::int64_t>(m.shape.size());
  const Term largest = algebra.apply(Op::max, {size_of_parts(e)}, Dims{1, axis - 2, axis - 1});
  const Term power = ceil(log2(maximum(largest, Term(1e-30))));
  const Term scale = exp2(power) * Term(static_cast<double>(n));
  a = broadcast_to(a, m.shape);
  const auto beside = [&](Term x, Term y, std::int64_t along) {
    return algebra.apply(Op::concatenate, {x, y}, Dims{along});
  };
  const Term block =
      beside(beside(a, e / scale, axis - 1), beside(zeros(algebra, m), a, axis - 1), axis - 2);
  const Term value = algebra.apply(rule.op, {block}, Dims{level_of(rule.attrs) + 1});
  Dims slices;
  for (std::size_t d = 0; d + 2 < m.shape.size(); ++d)
    for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1}, m.shape[d]}) slices.push_back(v);
  for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1}, n}) slices.push_back(v);
  for (const std::int64_t v : {n, std::int64_t{1}, n}) slices.push_back(v);
  return scale * algebra.apply(Op::slice, {value}, slices);
}

Term block_tangent(Rule& rule) {
  if (rule.out_meta().shape.back() == 0) return zeros(rule.algebra, rule.out_meta());
  return frechet(rule, rule.tangent(0));
}
void block_adjoint(Rule& rule, Term g) {
  if (rule.out_meta().shape.back() == 0) return;
  // L(A^T, g) = L(A, g^T)^T keeps the blocks upper triangular.
  rule.add(0, swap_last_axes(frechet(rule, swap_last_axes(g))));
}

constexpr char kSqrtm[] = "sqrtm", kExpm[] = "expm", kLogm[] = "logm";

}  // namespace

const Rules rules::sylvester = {
    .shape = sylvester_shape,
    .value = sylvester_value,
    .tangent = sylvester_tangent,
    .adjoint = sylvester_adjoint,
    .needs = {1u << 0 | 1u << 1 | kNeedsOut, 1u << 0 | 1u << 1 | kNeedsOut, 1u << 0 | 1u << 1},
    .lanes = Lanes::aligned};

const Rules rules::sqrtm = {.shape = square_meta<kSqrtm>,
                            .value = sqrtm_value,
                            .tangent = sqrtm_tangent,
                            .adjoint = sqrtm_adjoint,
                            .needs = {kNeedsOut, 0, 0},
                            .lanes = Lanes::aligned};

const Rules rules::expm = {.shape = square_meta<kExpm>,
                           .value = expm_value,
                           .tangent = block_tangent,
                           .adjoint = block_adjoint,
                           .needs = {1u << 0, 0, 0},
                           .lanes = Lanes::aligned};

const Rules rules::logm = {.shape = square_meta<kLogm>,
                           .value = logm_value,
                           .tangent = block_tangent,
                           .adjoint = block_adjoint,
                           .needs = {1u << 0, 0, 0},
                           .lanes = Lanes::aligned};

}  // namespace tapegrad
