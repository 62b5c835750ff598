// solve, inv, cholesky: values from LAPACK, derivatives as solves and products with the result, so
// that they can be differentiated again. det and its kin are in determinants.cpp.
#include "ops/linalg.hpp"

#include "ops/lapack.hpp"

namespace tapegrad {

Dims broadcast_batch(std::span<const Meta> in) {
  Dims batch = leading_axes(in[0].shape, 2);
  for (const Meta& m : in.subspan(1)) broadcast_into(batch, leading_axes(m.shape, 2));
  return batch;
}

void require_matrices(const char* op, std::span<const Meta> in) {
  for (const Meta& m : in) {
    matrix_dtype(op, m.dtype);
    require(m.shape.size() >= 2, std::string(op) + ": matrices have at least two axes");
  }
}

void require_square(const char* op, const Meta& a) {
  const Dims& s = a.shape;
  matrix_dtype(op, a.dtype);
  if (s.size() < 2 || s[s.size() - 1] != s[s.size() - 2])
    throw Error(std::string(op) + ": the last two axes of shape " + s.str() + " must be square");
}

Term solve(Term a, Term b, SolveKind kind) {
  const std::int64_t attrs[] = {static_cast<std::int64_t>(kind)};
  return a.algebra->apply(Op::solve, {a, b}, attrs);
}
Term inv(Term a) { return a.algebra->apply(Op::inv, {a}); }

namespace {

void require_regular(bool regular) {
  if (!regular) throw SingularMatrix("Singular matrix");
}
Term hermitian(Term x) { return conjugate(swap_last_axes(x)); }

// ---- solve ----

SolveKind kind_of_solve(Attrs attrs) {
  return attrs.empty() ? SolveKind::general : static_cast<SolveKind>(attrs[0]);
}
SolveKind transposed(SolveKind kind) {
  if (kind == SolveKind::general) return kind;
  return kind == SolveKind::lower ? SolveKind::upper : SolveKind::lower;
}

Meta solve_shape(std::span<const Meta> in, Attrs) {
  require_square("solve", in[0]);
  const Dims &a = in[0].shape, &b = in[1].shape;
  if (b.size() < 2 || b[b.size() - 2] != a.back())
    throw Error("solve: a matrix of shape " + a.str() + " and a right-hand side of shape " +
                b.str() + " do not fit: it needs " + std::to_string(a.back()) + " rows");
  return {matrix_dtype("solve", promote(in[0].dtype, in[1].dtype)),
          with_matrix(broadcast_leading("solve", a, b), a.back(), b.back())};
}

// System: Lu or Triangle. Consecutive right-hand sides of one matrix share its factors.
template <class T, class System>
void solve_all(System system, const Array& a, const Array& b, const Array& out) {
  const auto left = Matrix<T>::of(a), right = Matrix<T>::of(b), result = Matrix<T>::of(out);
  const std::int64_t n = right.rows, k = right.cols;
  const Array work = k > 1 ? Array::empty(out.dtype(), {k, n}) : Array();
  const char* factored = nullptr;
  const Dims batch = leading_axes(out.shape(), 2);
  for_each_matrix<3>(
      batch, {walk_leading(a, 2, batch), walk_leading(b, 2, batch), walk_leading(out, 2, batch)},
      [&](char* const* p) {
        if (p[0] != factored) require_regular(system.factor(left.at(p[0])));
        factored = p[0];
        T* columns = k > 1 ? work.ptr<T>() : reinterpret_cast<T*>(p[2]);
        copy_rows(right.at(p[1]).transposed(), columns);
        system.solve(columns, k);
        if (k > 1)
          copy_rows(Matrix<T>::by_rows(columns, k, n).transposed(), result.at(p[2]).row(0));
      });
}

void solve_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const SolveKind kind = kind_of_solve(attrs);
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if (kind == SolveKind::general) solve_all<T>(Lu<T>(in[0].shape().back()), in[0], in[1], out);
    else solve_all<T>(Triangle<T>(kind == SolveKind::lower), in[0], in[1], out);
  });
}

// The entries of A that the op reads.
Term read_part(Term a, SolveKind kind) {
  if (kind == SolveKind::general) return a;
  const std::int64_t n = a.algebra->meta(a).shape.back();
  Array mask = Array::empty(DType::b8, {n, n});
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      mask.at<bool>(i * n + j) = kind == SolveKind::lower ? j <= i : j >= i;
  return select(a.algebra->constant(mask), a, Term(0.0));
}

// A x' = b' - A' x
Term solve_tangent(Rule& rule) {
  const SolveKind kind = kind_of_solve(rule.attrs);
  Term right;
  if (rule.active(1)) right = rule.tangent(1);
  if (rule.active(0)) right = right - matmul(read_part(rule.tangent(0), kind), rule.out());
  return solve(rule.in(0), right, kind);
}

// With w = A^-T g: b' = w, A' = -w x^T.
void solve_adjoint(Rule& rule, Term g) {
  const SolveKind kind = kind_of_solve(rule.attrs);
  const Term w = solve(swap_last_axes(rule.in(0)), g, transposed(kind));
  if (rule.active(1)) rule.add(1, fit(w, rule.in_meta(1)));
  if (!rule.active(0)) return;
  const Term t = fit(-matmul(w, swap_last_axes(rule.out())), rule.in_meta(0));
  rule.add(0, read_part(t, kind));
}

// ---- inv ----

template <class T>
double largest_row(const Matrix<T>& a) {
  double largest = 0;
  for (std::int64_t i = 0; i < a.rows; ++i) {
    double total = 0;
    for (std::int64_t j = 0; j < a.cols; ++j) total += static_cast<double>(std::abs(a(i, j)));
    largest = std::max(largest, total);
  }
  return largest;
}

// The inverse of a matrix of eigenvectors, if they span the space: those of a defective matrix,
// which round-off has split by the root of epsilon, do not.
template <class T>
void require_basis(const Matrix<T>& a, const Matrix<T>& inverse) {
  if (largest_row(a) * largest_row(inverse) < 0.25 / std::sqrt(2.2e-16)) return;
  throw SingularMatrix(
      "the eigenvectors are linearly dependent up to rounding: the matrix is defective, and its "
      "eigenvalues and eigenvectors have no derivative");
}

void inv_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  const bool of_eigenvectors = !attrs.empty();
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto a = Matrix<T>::of(in[0]);
    Lu<T> lu(a.rows);
    const Dims batch = leading_axes(out.shape(), 2);
    for_each_matrix<2>(batch, {walk_leading(in[0], 2, batch), walk_leading(out, 2, batch)},
                       [&](char* const* p) {
                         require_regular(lu.factor(a.at(p[0])));
                         T* inverse = reinterpret_cast<T*>(p[1]);
                         lu.inverse(inverse);
                         if (of_eigenvectors)
                           require_basis(a.at(p[0]), Matrix<T>::by_rows(inverse, a.rows, a.cols));
                       });
  });
}

Term inv_tangent(Rule& rule) { return -matmul(matmul(rule.out(), rule.tangent(0)), rule.out()); }

void inv_adjoint(Rule& rule, Term g) {
  const Term x = swap_last_axes(rule.out());
  rule.add(0, -matmul(matmul(x, g), x));
}

// ---- cholesky: A = L L^H from the lower triangle of A, derivatives for symmetric (Hermitian) A
// ----

void cholesky_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto a = Matrix<T>::of(in[0]), l = Matrix<T>::of(out);
    const Dims batch = leading_axes(out.shape(), 2);
    for_each_matrix<2>(batch, {walk_leading(in[0], 2, batch), walk_leading(out, 2, batch)},
                       [&](char* const* p) {
                         const auto lower = l.at(p[1]);
                         copy_rows(a.at(p[0]), lower.row(0));
                         factor_positive(lower);
                       });
  });
}

// tril(x) with half the diagonal: X = phi(X) + phi(X)^H for Hermitian X.
Term phi(Term x) {
  const Meta m = x.algebra->meta(x);
  const std::int64_t n = m.shape.back();
  Array factor = Array::zeros(m.dtype, {n, n});
  dispatch_float(m.dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < n; ++i) {
      std::fill_n(factor.ptr<T>() + i * n, i, T(1));
      factor.at<T>(i * n + i) = T(0.5);
    }
  });
  return x * x.algebra->constant(factor);
}
Term hermitian_part(Term x) { return Term(0.5) * (x + hermitian(x)); }

// L' = L phi(L^-1 A' L^-H)
Term cholesky_tangent(Rule& rule) {
  const Term l = rule.out();
  const Term half = solve(l, hermitian_part(rule.tangent(0)), SolveKind::lower);
  return matmul(l, phi(hermitian(solve(l, hermitian(half), SolveKind::lower))));
}

// A' = hermitian part of L^-T phi(L^T g) conj(L)^-1: the transpose of the tangent, since phi is its
// own transpose (Murray, arXiv:1602.07527, here without conjugating the adjoint).
void cholesky_adjoint(Rule& rule, Term g) {
  const Term l = rule.out();
  const Term half = solve(swap_last_axes(l), phi(matmul(swap_last_axes(l), g)), SolveKind::upper);
  const Term t = solve(hermitian(l), swap_last_axes(half), SolveKind::upper);
  rule.add(0, hermitian_part(swap_last_axes(t)));
}

constexpr char kInv[] = "inv", kCholesky[] = "cholesky";

}  // namespace

const Rules rules::solve = {.shape = solve_shape,
                            .value = solve_value,
                            .tangent = solve_tangent,
                            .adjoint = solve_adjoint,
                            .needs = {1u << 0 | kNeedsOut, 1u << 0, 0},
                            .lanes = Lanes::aligned};

const Rules rules::inv = {.shape = square_meta<kInv>,
                          .value = inv_value,
                          .tangent = inv_tangent,
                          .adjoint = inv_adjoint,
                          .needs = {kNeedsOut, 0, 0},
                          .lanes = Lanes::aligned};

const Rules rules::cholesky = {.shape = square_meta<kCholesky>,
                               .value = cholesky_value,
                               .tangent = cholesky_tangent,
                               .adjoint = cholesky_adjoint,
                               .needs = {kNeedsOut, 0, 0},
                               .lanes = Lanes::aligned};

}  // namespace tapegrad
