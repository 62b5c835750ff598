// det, cofactor, logabsdet. The derivative of det is the matrix of cofactors, which exists for
// singular matrices too; everything else goes through the inverse.
#include "ops/lapack.hpp"
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

Term inverse_transpose(Rule& rule) {
  try {
    return swap_last_axes(inv(rule.in(0)));
  } catch (const SingularMatrix&) {
    throw SingularMatrix("Singular matrix: det has no second derivative rule there");
  }
}

// From C = det(A) A^-T: C' = A^-T tr(C^T A') - C A'^T A^-T.
Term cofactor_tangent(Rule& rule) {
  const Term x = inverse_transpose(rule), c = rule.out(), t = rule.tangent(0);
  return x * as_matrices(inner(c, t)) - matmul(matmul(c, swap_last_axes(t)), x);
}

// The transpose of the tangent: A' = C tr(A^-1 g) - A^-T g^T C.
void cofactor_adjoint(Rule& rule, Term g) {
  const Term x = inverse_transpose(rule), c = rule.out();
  rule.add(0, c * as_matrices(inner(x, g)) - matmul(matmul(x, swap_last_axes(g)), c));
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
                               .needs = {1u << 0 | kNeedsOut, 0, 0},
                               .lanes = Lanes::aligned};

const Rules rules::logabsdet = {.shape = logabsdet_shape,
                                .value = logabsdet_value,
                                .tangent = logabsdet_tangent,
                                .adjoint = logabsdet_adjoint,
                                .needs = {1u << 0, 0, 0},
                                .lanes = Lanes::aligned};

}  // namespace tapegrad
