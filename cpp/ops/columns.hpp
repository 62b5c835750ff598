// Dense matrices by columns, as LAPACK works on them, and its factorisations of one matrix. Used by
// the values of eigen.cpp, decompositions.cpp, matrix_functions.cpp and determinants.cpp.
#pragma once

#include <cmath>
#include <vector>

#include "ops/lapack.hpp"

namespace tapegrad {

inline double conjugated(double x) { return x; }
inline float conjugated(float x) { return x; }
inline Complex conjugated(Complex x) { return std::conj(x); }

template <class T, class U>
T converted_to(U x) {
  if constexpr (kIsComplex<U> && !kIsComplex<T>) return static_cast<T>(x.real());
  else return static_cast<T>(x);
}

template <class T>
class Columns {
 public:
  Columns() = default;
  Columns(std::int64_t rows, std::int64_t cols)
      : rows(rows), cols(cols), data_(static_cast<std::size_t>(rows * cols)) {}
  template <class U>
  static Columns of(const Matrix<U>& a) {
    Columns c(a.rows, a.cols);
    for (std::int64_t j = 0; j < a.cols; ++j)
      for (std::int64_t i = 0; i < a.rows; ++i) c(i, j) = converted_to<T>(a(i, j));
    return c;
  }
  static Columns identity(std::int64_t n) {
    Columns c(n, n);
    for (std::int64_t i = 0; i < n; ++i) c(i, i) = T(1);
    return c;
  }
  T& operator()(std::int64_t i, std::int64_t j) {
    return data_[static_cast<std::size_t>(j * rows + i)];
  }
  const T& operator()(std::int64_t i, std::int64_t j) const {
    return data_[static_cast<std::size_t>(j * rows + i)];
  }
  T* ptr() { return data_.data(); }
  const T* ptr() const { return data_.data(); }
  std::int64_t size() const { return rows * cols; }

  // The first `count` rows and columns by rows; returns the end of what it wrote.
  template <class U>
  U* write(U* to) const {
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < cols; ++j) *to++ = converted_to<U>((*this)(i, j));
    return to;
  }
  Columns& operator+=(const Columns& b) { return add(b, T(1)); }
  Columns& add(const Columns& b, T factor) {
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i] += factor * b.data_[i];
    return *this;
  }
  Columns& scale(T factor) {
    for (T& x : data_) x *= factor;
    return *this;
  }
  // The largest sum of the absolute values of a column.
  double norm() const {
    double largest = 0;
    for (std::int64_t j = 0; j < cols; ++j) {
      double total = 0;
      for (std::int64_t i = 0; i < rows; ++i) total += std::abs((*this)(i, j));
      if (!(total <= largest)) largest = total;  // NaN stays
    }
    return largest;
  }
  bool finite() const {
    for (const T& x : data_)
      if (!std::isfinite(std::abs(x))) return false;
    return true;
  }

  std::int64_t rows = 0, cols = 0;

 private:
  std::vector<T> data_;
};

// op(a) op(b) with 'N', 'T' or 'C' each.
template <class T>
Columns<T> product(const Columns<T>& a, const Columns<T>& b, char ta = 'N', char tb = 'N') {
  Columns<T> c(ta == 'N' ? a.rows : a.cols, tb == 'N' ? b.cols : b.rows);
  int m = blas_int(c.rows), n = blas_int(c.cols), k = blas_int(ta == 'N' ? a.cols : a.rows);
  if (m == 0 || n == 0 || k == 0) return c;
  int lda = blas_int(a.rows), ldb = blas_int(b.rows), ldc = m;
  T one(1), zero(0);
  lapack<T>().gemm(&ta, &tb, &m, &n, &k, &one, const_cast<T*>(a.ptr()), &lda,
                   const_cast<T*>(b.ptr()), &ldb, &zero, c.ptr(), &ldc);
  return c;
}

// A^-1 B, overwriting both; false if A is singular.
template <class T>
bool solve_in_place(Columns<T>& a, Columns<T>& b) {
  if (a.rows == 0) return true;
  int n = blas_int(a.rows), k = blas_int(b.cols), info = 0;
  std::vector<int> pivots(static_cast<std::size_t>(n));
  lapack<T>().getrf(&n, &n, a.ptr(), &n, pivots.data(), &info);
  if (info > 0) return false;
  char none = 'N';
  lapack<T>().getrs(&none, &n, &k, a.ptr(), &n, pivots.data(), b.ptr(), &n, &info);
  return true;
}

inline void require_converged(int info, const char* what) {
  ensure(info >= 0, "arguments of LAPACK");
  if (info > 0) throw SingularMatrix(what);
}

// Calls f(work, lwork) twice: to ask for the size of the workspace, and to do the work.
template <class T, class F>
void with_workspace(F&& f) {
  T size{};
  int query = -1;
  f(&size, &query);
  int length = std::max(static_cast<int>(std::real(size)), 1);
  std::vector<T> work(static_cast<std::size_t>(length));
  f(work.data(), &length);
}

// A = V diag(w) V^H from one triangle; A becomes V if `vectors`. Ascending.
template <class T>
std::vector<RealOf<T>> factor_hermitian(Columns<T>& a, bool vectors, bool upper) {
  using R = RealOf<T>;
  std::vector<R> w(static_cast<std::size_t>(a.rows));
  if (a.rows == 0) return w;
  char job = vectors ? 'V' : 'N', uplo = upper ? 'U' : 'L';
  int n = blas_int(a.rows), info = 0, query = -1, ints = 0;
  T size{};
  R reals{};
  const auto call = [&](T* work, int* lwork, R* rwork, int* lrwork, int* iwork, int* liwork) {
    if constexpr (kIsComplex<T>)
      lapack<T>().syevd(&job, &uplo, &n, a.ptr(), &n, w.data(), work, lwork, rwork, lrwork, iwork,
                        liwork, &info);
    else
      lapack<T>().syevd(&job, &uplo, &n, a.ptr(), &n, w.data(), work, lwork, iwork, liwork, &info);
  };
  call(&size, &query, &reals, &query, &ints, &query);
  int lwork = static_cast<int>(std::real(size)), lrwork = std::max(static_cast<int>(reals), 1);
  int liwork = ints;
  std::vector<T> work(static_cast<std::size_t>(lwork));
  std::vector<R> rwork(static_cast<std::size_t>(lrwork));
  std::vector<int> iwork(static_cast<std::size_t>(liwork));
  call(work.data(), &lwork, rwork.data(), &lrwork, iwork.data(), &liwork);
  require_converged(info, "Eigenvalues did not converge");
  return w;
}

template <class T>
struct Svd {
  Columns<T> u, vh;
  std::vector<RealOf<T>> s;
};

// job: 'A' full matrices, 'S' reduced, 'N' values alone. Uses up A.
template <class T>
Svd<T> factor_svd(Columns<T>& a, char job) {
  using R = RealOf<T>;
  const std::int64_t k = std::min(a.rows, a.cols);
  Svd<T> r;
  r.s.resize(static_cast<std::size_t>(k));
  if (job != 'N') {
    r.u = Columns<T>(a.rows, job == 'A' ? a.rows : k);
    r.vh = Columns<T>(job == 'A' ? a.cols : k, a.cols);
  }
  if (k == 0) {
    for (std::int64_t i = 0; i < std::min(r.u.rows, r.u.cols); ++i) r.u(i, i) = T(1);
    for (std::int64_t i = 0; i < std::min(r.vh.rows, r.vh.cols); ++i) r.vh(i, i) = T(1);
    return r;
  }
  if (!a.finite()) throw SingularMatrix("SVD did not converge");  // LAPACK might not return
  int m = blas_int(a.rows), n = blas_int(a.cols), info = 0;
  int ldu = std::max(blas_int(r.u.rows), 1), ldvt = std::max(blas_int(r.vh.rows), 1);
  std::vector<int> iwork(static_cast<std::size_t>(8 * k));
  const std::int64_t most = std::max(a.rows, a.cols);
  std::vector<R> rwork(
      static_cast<std::size_t>(kIsComplex<T> ? k * std::max(5 * k + 7, 2 * most + 2 * k + 1) : 1));
  with_workspace<T>([&](T* work, int* lwork) {
    if constexpr (kIsComplex<T>)
      lapack<T>().gesdd(&job, &m, &n, a.ptr(), &m, r.s.data(), r.u.ptr(), &ldu, r.vh.ptr(), &ldvt,
                        work, lwork, rwork.data(), iwork.data(), &info);
    else
      lapack<T>().gesdd(&job, &m, &n, a.ptr(), &m, r.s.data(), r.u.ptr(), &ldu, r.vh.ptr(), &ldvt,
                        work, lwork, iwork.data(), &info);
  });
  require_converged(info, "SVD did not converge");
  return r;
}

// A = Q R for at least as many rows as columns: the first `columns` columns of Q, and R.
template <class T>
std::pair<Columns<T>, Columns<T>> factor_qr(const Columns<T>& a, std::int64_t columns) {
  Columns<T> q(a.rows, columns), r(a.cols, a.cols);
  std::copy_n(a.ptr(), a.size(), q.ptr());
  int m = blas_int(a.rows), n = blas_int(a.cols), wanted = blas_int(columns), info = 0;
  int lead = std::max(m, 1);
  std::vector<T> tau(static_cast<std::size_t>(std::max(n, 1)));
  if (n > 0)
    with_workspace<T>([&](T* work, int* lwork) {
      lapack<T>().geqrf(&m, &n, q.ptr(), &lead, tau.data(), work, lwork, &info);
    });
  for (std::int64_t j = 0; j < a.cols; ++j)
    for (std::int64_t i = 0; i <= j; ++i) r(i, j) = q(i, j);
  if (wanted > 0)
    with_workspace<T>([&](T* work, int* lwork) {
      lapack<T>().orgqr(&m, &wanted, &n, q.ptr(), &lead, tau.data(), work, lwork, &info);
    });
  ensure(info == 0, "arguments of geqrf and orgqr");
  return {std::move(q), std::move(r)};
}

// A = Z S Z^H with S (quasi-)triangular; A becomes S.
template <class T>
Columns<T> factor_schur(Columns<T>& a) {
  if (!a.finite()) throw SingularMatrix("Array must not contain infs or NaNs");
  Columns<T> z(a.rows, a.rows);
  if (a.rows == 0) return z;
  char job = 'V', sort = 'N';
  int n = blas_int(a.rows), sorted = 0, info = 0;
  const auto count = static_cast<std::size_t>(n);
  std::vector<T> w(count), imaginary(count);
  std::vector<RealOf<T>> rwork(count);
  with_workspace<T>([&](T* work, int* lwork) {
    if constexpr (kIsComplex<T>)
      lapack<T>().gees(&job, &sort, nullptr, &n, a.ptr(), &n, &sorted, w.data(), z.ptr(), &n, work,
                       lwork, rwork.data(), nullptr, &info);
    else
      lapack<T>().gees(&job, &sort, nullptr, &n, a.ptr(), &n, &sorted, w.data(), imaginary.data(),
                       z.ptr(), &n, work, lwork, nullptr, &info);
  });
  require_converged(info, "Schur form did not converge");
  return z;
}

}  // namespace tapegrad
