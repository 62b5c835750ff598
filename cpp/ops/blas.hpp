// BLAS and LAPACK as a table of Fortran function pointers, 32-bit integers, column-major. The
// bindings fill it from scipy.linalg.cython_blas and cython_lapack; without Python products use
// plain loops and linear algebra says that it has no LAPACK.
#pragma once

#include <type_traits>

#include "base/dtype.hpp"

namespace tapegrad {

template <class T>
inline constexpr bool kIsComplex = std::is_same_v<T, Complex>;
template <class T>
using RealOf = std::conditional_t<kIsComplex<T>, double, T>;

// Where the complex routine takes other arguments, `Either` picks the signature.
template <class T>
struct BlasTable {
  using I = int;
  using R = RealOf<T>;
  template <class OfReal, class OfComplex>
  using Either = std::conditional_t<kIsComplex<T>, OfComplex, OfReal>;

  void (*gemm)(char* ta, char* tb, I* m, I* n, I* k, T* alpha, T* a, I* lda, T* b, I* ldb, T* beta,
               T* c, I* ldc) = nullptr;
  void (*gemv)(char* t, I* m, I* n, T* alpha, T* a, I* lda, T* x, I* incx, T* beta, T* y,
               I* incy) = nullptr;
  void (*getrf)(I* m, I* n, T* a, I* lda, I* pivots, I* info) = nullptr;
  void (*getrs)(char* t, I* n, I* nrhs, T* a, I* lda, I* pivots, T* b, I* ldb, I* info) = nullptr;
  void (*potrf)(char* uplo, I* n, T* a, I* lda, I* info) = nullptr;
  void (*trtrs)(char* uplo, char* trans, char* diag, I* n, I* nrhs, T* a, I* lda, T* b, I* ldb,
                I* info) = nullptr;
  void (*geqrf)(I* m, I* n, T* a, I* lda, T* tau, T* work, I* lwork, I* info) = nullptr;
  // orgqr, ungqr
  void (*orgqr)(I* m, I* n, I* k, T* a, I* lda, T* tau, T* work, I* lwork, I* info) = nullptr;
  // syevd, heevd: complex with rwork, lrwork before iwork
  Either<void (*)(char* jobz, char* uplo, I* n, T* a, I* lda, R* w, T* work, I* lwork, I* iwork,
                  I* liwork, I* info),
         void (*)(char* jobz, char* uplo, I* n, T* a, I* lda, R* w, T* work, I* lwork, R* rwork,
                  I* lrwork, I* iwork, I* liwork, I* info)>
      syevd = nullptr;
  Either<void (*)(char* jobz, I* m, I* n, T* a, I* lda, R* s, T* u, I* ldu, T* vt, I* ldvt, T* work,
                  I* lwork, I* iwork, I* info),
         void (*)(char* jobz, I* m, I* n, T* a, I* lda, R* s, T* u, I* ldu, T* vt, I* ldvt, T* work,
                  I* lwork, R* rwork, I* iwork, I* info)>
      gesdd = nullptr;
  Either<void (*)(char* jobvl, char* jobvr, I* n, T* a, I* lda, T* wr, T* wi, T* vl, I* ldvl, T* vr,
                  I* ldvr, T* work, I* lwork, I* info),
         void (*)(char* jobvl, char* jobvr, I* n, T* a, I* lda, T* w, T* vl, I* ldvl, T* vr,
                  I* ldvr, T* work, I* lwork, R* rwork, I* info)>
      geev = nullptr;
  Either<void (*)(char* jobvs, char* sort, void* select, I* n, T* a, I* lda, I* sdim, T* wr, T* wi,
                  T* vs, I* ldvs, T* work, I* lwork, I* bwork, I* info),
         void (*)(char* jobvs, char* sort, void* select, I* n, T* a, I* lda, I* sdim, T* w, T* vs,
                  I* ldvs, T* work, I* lwork, R* rwork, I* bwork, I* info)>
      gees = nullptr;
  void (*trsyl)(char* trana, char* tranb, I* sign, I* m, I* n, T* a, I* lda, T* b, I* ldb, T* c,
                I* ldc, R* scale, I* info) = nullptr;
};

template <class T>
BlasTable<T>& blas() {
  static BlasTable<T> table;
  return table;
}

// Called once before the first use of any table entry; the bindings put their loader here.
inline void (*load_blas)() = nullptr;

}  // namespace tapegrad
