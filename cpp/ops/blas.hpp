// BLAS and LAPACK as a table of Fortran function pointers, 32-bit integers, column-major. The
// bindings fill it from scipy.linalg.cython_blas and cython_lapack; without Python products use
// plain loops and linear algebra says that it has no LAPACK.
#pragma once

#include "base/dtype.hpp"

namespace tapegrad {

template <class T>
struct BlasTable {
  using I = int;
  void (*gemm)(char* ta, char* tb, I* m, I* n, I* k, T* alpha, T* a, I* lda, T* b, I* ldb, T* beta,
               T* c, I* ldc) = nullptr;
  void (*gemv)(char* t, I* m, I* n, T* alpha, T* a, I* lda, T* x, I* incx, T* beta, T* y,
               I* incy) = nullptr;
  void (*getrf)(I* m, I* n, T* a, I* lda, I* pivots, I* info) = nullptr;
  void (*getrs)(char* t, I* n, I* nrhs, T* a, I* lda, I* pivots, T* b, I* ldb, I* info) = nullptr;
  void (*potrf)(char* uplo, I* n, T* a, I* lda, I* info) = nullptr;
  void (*trtrs)(char* uplo, char* trans, char* diag, I* n, I* nrhs, T* a, I* lda, T* b, I* ldb,
                I* info) = nullptr;
};

template <class T>
BlasTable<T>& blas() {
  static BlasTable<T> table;
  return table;
}

// Called once before the first use of any table entry; the bindings put their loader here.
inline void (*load_blas)() = nullptr;

}  // namespace tapegrad
