// Factorisations of one matrix through LAPACK. LAPACK is column-major: a row-major copy of A is its
// A^T, so every class remembers which of the two it holds.
#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include "ops/matrix.hpp"

namespace tapegrad {

template <class T>
const BlasTable<T>& lapack() {
  const BlasTable<T>& table = loaded_blas<T>();
  if (!table.getrf)
    throw Unsupported("linear algebra needs LAPACK; the Python package brings SciPy's");
  return table;
}

// P A = L U with partial pivoting, in a workspace that serves one matrix after the other.
template <class T>
class Lu {
 public:
  explicit Lu(std::int64_t n)
      : n_(blas_int(n)),
        work_(Array::empty(dtype_of<T>(), {n, n})),
        pivots_(static_cast<std::size_t>(n)) {}

  // False if a pivot is exactly zero.
  bool factor(const Matrix<T>& a) {
    if (n_ == 0) return true;
    flipped_ = !(a.down == a.kItem && a.right != a.kItem);
    copy_rows(flipped_ ? a : a.transposed(), work_.ptr<T>());
    int info = 0;
    lapack<T>().getrf(&n_, &n_, work_.ptr<T>(), &n_, pivots_.data(), &info);
    ensure(info >= 0, "arguments of getrf");
    return info == 0;
  }
  // A x = b, or A^T x = b, for each of `count` contiguous columns.
  void solve(T* columns, std::int64_t count, bool transposed = false) {
    char t = flipped_ != transposed ? 'T' : 'N';
    int info = 0, k = blas_int(count);
    lapack<T>().getrs(&t, &n_, &k, work_.ptr<T>(), &n_, pivots_.data(), columns, &n_, &info);
    ensure(info == 0, "arguments of getrs");
  }
  // A^-1 by rows.
  void inverse(T* rows) {
    std::fill_n(rows, static_cast<std::int64_t>(n_) * n_, T(0));
    for (std::int64_t i = 0; i < n_; ++i) rows[i * n_ + i] = T(1);
    solve(rows, n_, true);
  }
  T pivot(std::int64_t i) const { return work_.at<T>(i * n_ + i); }
  bool odd() const {  // sign of the permutation
    bool odd = false;
    for (int i = 0; i < n_; ++i) odd ^= pivots_[static_cast<std::size_t>(i)] != i + 1;
    return odd;
  }

 private:
  int n_;
  Array work_;
  std::vector<int> pivots_;
  bool flipped_ = false;
};

// One triangle of A; the other is not read. Nothing is copied if BLAS can read the view.
template <class T>
class Triangle {
 public:
  explicit Triangle(bool lower) : lower_(lower) {}
  // False if the diagonal has a zero.
  bool factor(const Matrix<T>& a) {
    stored_.emplace(a);
    n_ = blas_int(a.rows);
    for (std::int64_t i = 0; i < a.rows; ++i)
      if (a(i, i) == T(0)) return false;
    return true;
  }
  void solve(T* columns, std::int64_t count) {
    char uplo = lower_ != stored_->by_rows ? 'L' : 'U', t = stored_->by_rows ? 'T' : 'N';
    char diagonal = 'N';
    int info = 0, k = blas_int(count);
    lapack<T>().trtrs(&uplo, &t, &diagonal, &n_, &k, stored_->data, &stored_->lead, columns, &n_,
                      &info);
    ensure(info == 0, "arguments of trtrs");
  }

 private:
  bool lower_;
  int n_ = 0;
  std::optional<Stored<T>> stored_;
};

// A = L L^H from the lower triangle of A, in place: by rows L is, seen by columns, the factor of
// conj(A) = U^H U.
template <class T>
void factor_positive(const Matrix<T>& a) {
  char uplo = 'U';
  int n = blas_int(a.rows), info = 0;
  lapack<T>().potrf(&uplo, &n, a.row(0), &n, &info);
  if (info > 0) throw SingularMatrix("Matrix is not positive definite");
  ensure(info == 0, "arguments of potrf");
  for (std::int64_t i = 0; i < n; ++i) std::fill(a.row(i) + i + 1, a.row(i) + n, T(0));
}

// A product of many factors that neither overflows nor underflows on the way.
template <class T>
class ScaledProduct {
 public:
  void multiply(T factor) {
    mantissa_ *= factor;
    double size = 0;
    if constexpr (dtype_of<T>() == DType::c128)
      size = std::max(std::abs(mantissa_.real()), std::abs(mantissa_.imag()));
    else size = std::abs(mantissa_);
    if (size == 0 || !std::isfinite(size)) return;
    const int e = std::ilogb(size);
    mantissa_ = scaled(mantissa_, -e);
    exponent_ = std::clamp(exponent_ + e, -kFar, kFar);
  }
  void multiply(const ScaledProduct& other) {
    multiply(other.mantissa_);
    exponent_ = std::clamp(exponent_ + other.exponent_, -kFar, kFar);
  }
  T value() const { return times(T(1)); }
  T times(T x) const { return scaled(mantissa_ * x, exponent_); }

 private:
  static constexpr int kFar = 1 << 28;
  static T scaled(T x, int e) {
    if constexpr (dtype_of<T>() == DType::c128)
      return {std::ldexp(x.real(), e), std::ldexp(x.imag(), e)};
    else return std::ldexp(x, e);
  }
  T mantissa_ = T(1);
  int exponent_ = 0;
};

}  // namespace tapegrad
