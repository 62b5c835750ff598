// det, cofactor, logabsdet. The derivative of det is the matrix of cofactors, which exists for
// singular matrices too, and so does its second one; everything else goes through the inverse.
#include "ops/columns.hpp"
#include "ops/linalg.hpp"

namespace tapegrad {
namespace {

template <class T>
using Real = decltype(std::abs(T()));

// Scalars of a stack as a stack of 1 x 1 matrices.
Term as_matrices(Term x) { return reshape(x, with_matrix(x.algebra->meta(x).shape, 1, 1)); }
// sum_ij x_ij y_ij of each matrix.
Term inner(Term x, Term y) {
  const Term p = x * y;
  const auto n = static_cast<std::int64_t>(p.algebra->meta(p).shape.size());
  return sum(p, {n - 2, n - 1});
}

// Calls f(matrix of in, pointer into out) for each matrix; `core`: axes of one result.
template <class T, class F>
void for_each_square(const Array& in, const Array& out, int core, F&& f) {
  const auto a = Matrix<T>::of(in);
  const Dims batch = leading_axes(in.shape(), 2);
  for_each_matrix<2>(batch, {walk_leading(in, 2, batch), walk_leading(out, core, batch)},
                     [&](char* const* p) { f(a.at(p[0]), p[1]); });
}

// ---- det ----

Meta det_shape(std::span<const Meta> in, Attrs) {
  require_square("det", in[0]);
  return {in[0].dtype, leading_axes(in[0].shape, 2)};
}

template <class T>
ScaledProduct<T> determinant(const Lu<T>& lu, std::int64_t n) {
  ScaledProduct<T> det;
  for (std::int64_t i = 0; i < n; ++i) det.multiply(lu.pivot(i));
  if (lu.odd()) det.multiply(T(-1));
  return det;
}

void det_value(std::span<const Array> in, Attrs, const Array& out) {
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    Lu<T> lu(in[0].shape().back());
    for_each_square<T>(in[0], out, 0, [&](const Matrix<T>& a, char* p) {
      lu.factor(a);
      *reinterpret_cast<T*>(p) = determinant(lu, a.rows).value();
    });
  });
}

Term cofactor(Term a) { return a.algebra->apply(Op::cofactor, {a}); }

Term det_tangent(Rule& rule) { return inner(cofactor(rule.in(0)), rule.tangent(0)); }

void det_adjoint(Rule& rule, Term g) { rule.add(0, as_matrices(g) * cofactor(rule.in(0))); }

// ---- cofactor: C_ij = d det A / d A_ij ----

// Complete pivoting, P A Q = L U, for matrices that may be singular: the rank shows in the pivots.
template <class T>
class RankRevealingLu {
 public:
  explicit RankRevealingLu(const Matrix<T>& a)
      : n_(a.rows),
        work_(Array::empty(dtype_of<T>(), {n_, n_})),
        w_(Matrix<T>::by_rows(work_.template ptr<T>(), n_, n_)),
        rows_(static_cast<std::size_t>(n_)),
        cols_(rows_.size()) {
    copy_rows(a, w_.row(0));
    for (std::size_t i = 0; i < rows_.size(); ++i)
      rows_[i] = cols_[i] = static_cast<std::int64_t>(i);
    while (rank_ < n_ && bring_pivot(rank_)) eliminate(rank_++);
  }

  // C = +-d (Q N P)^T with d the product of all pivots but the last and N = adj(U) L^-1 / d.
  // Writing U = [U1 u; 0 w], adj(U) / d = [w U1^-1, -U1^-1 u; 0, 1]: nothing is divided by w.
  void cofactors(const Matrix<T>& c) const {
    std::fill_n(c.row(0), n_ * n_, T(0));
    if (rank_ < n_ - 1) return;  // every minor of order n - 1 is zero
    ScaledProduct<T> d;
    for (std::int64_t i = 0; i < n_ - 1; ++i) d.multiply(w_(i, i));
    if (odd_) d.multiply(T(-1));
    const Array solved = Array::zeros(dtype_of<T>(), {n_, n_});
    const auto s = Matrix<T>::by_rows(solved.ptr<T>(), n_, n_);
    solve_adjugate(s);
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t j = 0; j < n_; ++j)
        c(rows_[static_cast<std::size_t>(j)], cols_[static_cast<std::size_t>(i)]) =
            d.times(s(i, j));
  }

 private:
  // Moves the largest entry of what is left to (k, k); false if all of it is zero.
  bool bring_pivot(std::int64_t k) {
    std::int64_t row = k, col = k;
    Real<T> largest = 0;
    for (std::int64_t i = k; i < n_; ++i)
      for (std::int64_t j = k; j < n_; ++j)
        if (const Real<T> size = std::abs(w_(i, j)); size > largest) {
          largest = size;
          row = i;
          col = j;
        }
    if (largest == 0) return false;
    if (row != k) std::swap_ranges(w_.row(k), w_.row(k) + n_, w_.row(row));
    if (col != k)
      for (std::int64_t i = 0; i < n_; ++i) std::swap(w_(i, k), w_(i, col));
    std::swap(rows_[static_cast<std::size_t>(k)], rows_[static_cast<std::size_t>(row)]);
    std::swap(cols_[static_cast<std::size_t>(k)], cols_[static_cast<std::size_t>(col)]);
    odd_ ^= (row != k) != (col != k);
    return true;
  }
  void eliminate(std::int64_t k) {
    for (std::int64_t i = k + 1; i < n_; ++i) {
      const T factor = w_(i, k) / w_(k, k);
      w_(i, k) = factor;
      add_row(w_.row(i) + k + 1, -factor, w_.row(k) + k + 1, n_ - k - 1);
    }
  }
  static void add_row(T* to, T factor, const T* from, std::int64_t n) {
    for (std::int64_t j = 0; j < n; ++j) to[j] += factor * from[j];
  }
  // s = N; s comes in as zeros.
  void solve_adjugate(const Matrix<T>& s) const {
    const std::int64_t last = n_ - 1;
    for (std::int64_t i = 0; i < n_; ++i) {  // L^-1
      s(i, i) = T(1);
      for (std::int64_t k = 0; k < i; ++k) add_row(s.row(i), -w_(i, k), s.row(k), n_);
    }
    for (std::int64_t i = last; i-- > 0;) {
      for (std::int64_t j = 0; j < n_; ++j) s(i, j) *= w_(last, last);
      add_row(s.row(i), -w_(i, last), s.row(last), n_);
      for (std::int64_t k = i + 1; k < last; ++k) add_row(s.row(i), -w_(i, k), s.row(k), n_);
      for (std::int64_t j = 0; j < n_; ++j) s(i, j) /= w_(i, i);
    }
  }

  std::int64_t n_, rank_ = 0;
  Array work_;
  Matrix<T> w_;
  std::vector<std::int64_t> rows_, cols_;
  bool odd_ = false;
};

// A hint only: the other way is right for every matrix, and slower.
template <class T>
bool pivots_alike(const Lu<T>& lu, std::int64_t n) {
  Real<T> low = std::numeric_limits<Real<T>>::infinity(), high = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const Real<T> size = std::abs(lu.pivot(i));
    low = std::min(low, size);
    high = std::max(high, size);
  }
  return low > std::sqrt(std::numeric_limits<Real<T>>::epsilon()) * high;
}

void cofactor_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t n = in[0].shape().back();
    Lu<T> lu(n);
    for_each_square<T>(in[0], out, 2, [&](const Matrix<T>& a, char* p) {
      const auto c = Matrix<T>::by_rows(reinterpret_cast<T*>(p), n, n);
      // The transpose is factored, so that what comes out by rows is A^-T.
      if (!lu.factor(a.transposed()) || !pivots_alike(lu, n))
        return RankRevealingLu<T>(a).cofactors(c);
      lu.inverse(c.row(0));
      const ScaledProduct<T> det = determinant(lu, n);
      for (std::int64_t i = 0; i < n * n; ++i) c.row(0)[i] = det.times(c.row(0)[i]);
    });
  });
}

// The Hessian of det applied to a direction: symmetric, so tangent and adjoint are alike.
Term cofactor_derivative(Term a, Term t) {
  return a.algebra->apply(Op::cofactor_derivative, {a, t});
}

Term cofactor_tangent(Rule& rule) { return cofactor_derivative(rule.in(0), rule.tangent(0)); }
void cofactor_adjoint(Rule& rule, Term g) { rule.add(0, cofactor_derivative(rule.in(0), g)); }

// ---- cofactor_derivative(A, E): d/dt of the cofactors of A + t E ----

Meta cofactor_derivative_shape(std::span<const Meta> in, Attrs) {
  require_square("cofactor_derivative", in[0]);
  require_square("cofactor_derivative", in[1]);
  Dims batch = leading_axes(in[0].shape, 2);
  broadcast_into(batch, leading_axes(in[1].shape, 2));
  return {promote(in[0].dtype, in[1].dtype),
          with_matrix(batch, in[0].shape.back(), in[0].shape.back())};
}

// q_ij, the product of all s but s_i and s_j, for i != j.
template <class T>
Columns<T> products_without_two(const std::vector<Real<T>>& s) {
  const auto n = static_cast<std::int64_t>(s.size());
  const auto at = [&](std::int64_t i) { return T(s[static_cast<std::size_t>(i)]); };
  std::vector<ScaledProduct<T>> after(s.size() + 1);
  for (std::int64_t i = n; i-- > 0;) {
    after[static_cast<std::size_t>(i)] = after[static_cast<std::size_t>(i) + 1];
    after[static_cast<std::size_t>(i)].multiply(at(i));
  }
  Columns<T> q(n, n);
  ScaledProduct<T> before;
  for (std::int64_t i = 0; i < n; ++i) {
    ScaledProduct<T> between = before;
    for (std::int64_t j = i + 1; j < n; ++j) {
      ScaledProduct<T> all = between;
      all.multiply(after[static_cast<std::size_t>(j) + 1]);
      q(i, j) = q(j, i) = all.value();
      between.multiply(at(j));
    }
    before.multiply(at(i));
  }
  return q;
}

// A = U S V^H, and cof(X Y) = cof(X) cof(Y): the derivative is det(U) det(V^H) conj(U) Z V^T with Z
// that of the diagonal S along F = U^H E V: q_ij F_jj summed on the diagonal, -q_ij F_ji off it.
// Nothing is divided by a singular value.
template <class T>
void write_cofactor_derivative(const Matrix<T>& a, const Matrix<T>& e, T* out) {
  Columns<T> columns = Columns<T>::of(a);
  const Svd<T> f = factor_svd(columns, 'A');
  const Columns<T> rotated = product(product(f.u, Columns<T>::of(e), 'C'), f.vh, 'N', 'C');
  const Columns<T> q = products_without_two<T>(f.s);
  const std::int64_t n = a.rows;
  Columns<T> z(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      if (i == j) continue;
      z(i, i) += q(i, j) * rotated(j, j);
      z(i, j) = -q(i, j) * rotated(j, i);
    }
  Lu<T> lu(n);
  ScaledProduct<T> phase;
  for (const Columns<T>* unitary : {&f.u, &f.vh}) {
    Columns<T> copy = *unitary;
    lu.factor(Matrix<T>::by_rows(copy.ptr(), n, n));  // of the transpose
    phase.multiply(determinant(lu, n).value());
  }
  Columns<T> u = f.u, vh = f.vh;
  for (std::int64_t i = 0; i < n * n; ++i) {
    u.ptr()[i] = conjugated(u.ptr()[i]) * phase.value();
    vh.ptr()[i] = conjugated(vh.ptr()[i]);
  }
  product(product(u, z), vh).write(out);
}

void cofactor_derivative_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto a = Matrix<T>::of(in[0]), e = Matrix<T>::of(in[1]);
    const Dims batch = leading_axes(out.shape(), 2);
    for_each_matrix<3>(
        batch,
        {walk_leading(in[0], 2, batch), walk_leading(in[1], 2, batch), walk_leading(out, 2, batch)},
        [&](char* const* p) {
          write_cofactor_derivative<T>(a.at(p[0]), e.at(p[1]), reinterpret_cast<T*>(p[2]));
        });
  });
}

Term inverse_transpose(Rule& rule) {
  try {
    return swap_last_axes(inv(rule.in(0)));
  } catch (const SingularMatrix&) {
    throw SingularMatrix("Singular matrix: det has no third derivative rule there");
  }
}

// The third derivative of det, symmetric in its three directions. From C' = X tr(C^T E) - C E^T X
// with X = A^-T: along T, with the derivatives D of C and -X T^T X of X.
Term third_derivative(Rule& rule, Term t) {
  const Term a = rule.in(0), e = rule.in(1), x = inverse_transpose(rule);
  const Term c = cofactor(a), d = cofactor_derivative(a, t);
  const Term dx = -matmul(matmul(x, swap_last_axes(t)), x), et = swap_last_axes(e);
  return dx * as_matrices(inner(c, e)) + x * as_matrices(inner(d, e)) - matmul(matmul(d, et), x) -
         matmul(matmul(c, et), dx);
}

Term cofactor_derivative_tangent(Rule& rule) {
  Term t;
  if (rule.active(1)) t = cofactor_derivative(rule.in(0), rule.tangent(1));
  if (rule.active(0)) t = t + third_derivative(rule, rule.tangent(0));
  return t;
}
void cofactor_derivative_adjoint(Rule& rule, Term g) {
  if (rule.active(1)) rule.add(1, fit(cofactor_derivative(rule.in(0), g), rule.in_meta(1)));
  if (rule.active(0)) rule.add(0, fit(third_derivative(rule, g), rule.in_meta(0)));
}

// ---- logabsdet ----

Meta logabsdet_shape(std::span<const Meta> in, Attrs) {
  require_square("logabsdet", in[0]);
  const DType t = in[0].dtype == DType::c128 ? DType::f64 : in[0].dtype;
  return {t, leading_axes(in[0].shape, 2)};
}

void logabsdet_value(std::span<const Array> in, Attrs, const Array& out) {
  dispatch_float(in[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    Lu<T> lu(in[0].shape().back());
    for_each_square<T>(in[0], out, 0, [&](const Matrix<T>& a, char* p) {
      lu.factor(a);
      Real<T> total = 0;  // -inf for a singular matrix, as NumPy has it
      for (std::int64_t i = 0; i < a.rows; ++i) total += std::log(std::abs(lu.pivot(i)));
      *reinterpret_cast<Real<T>*>(p) = total;
    });
  });
}

// d log|det A| = Re tr(A^-1 A')
Term logabsdet_tangent(Rule& rule) {
  const Term x = swap_last_axes(inv(rule.in(0)));
  return cast(inner(x, rule.tangent(0)), rule.out_meta().dtype);
}

void logabsdet_adjoint(Rule& rule, Term g) {
  rule.add(0, as_matrices(g) * swap_last_axes(inv(rule.in(0))));
}

constexpr char kCofactor[] = "cofactor";

}  // namespace

const Rules rules::det = {.shape = det_shape,
                          .value = det_value,
                          .tangent = det_tangent,
                          .adjoint = det_adjoint,
                          .needs = {1u << 0, 0, 0},
                          .lanes = Lanes::aligned};

const Rules rules::cofactor = {.shape = square_meta<kCofactor>,
                               .value = cofactor_value,
                               .tangent = cofactor_tangent,
                               .adjoint = cofactor_adjoint,
                               .needs = {1u << 0, 0, 0},
                               .lanes = Lanes::aligned};

const Rules rules::cofactor_derivative = {.shape = cofactor_derivative_shape,
                                          .value = cofactor_derivative_value,
                                          .tangent = cofactor_derivative_tangent,
                                          .adjoint = cofactor_derivative_adjoint,
                                          .needs = {1u << 0 | 1u << 1, 1u << 0, 0},
                                          .lanes = Lanes::aligned};

const Rules rules::logabsdet = {.shape = logabsdet_shape,
                                .value = logabsdet_value,
                                .tangent = logabsdet_tangent,
                                .adjoint = logabsdet_adjoint,
                                .needs = {1u << 0, 0, 0},
                                .lanes = Lanes::aligned};

}  // namespace tapegrad
