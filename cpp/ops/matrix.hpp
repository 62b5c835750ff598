// Matrices within arrays: the last two axes as a strided view, the walk over the leading axes, and
// how BLAS sees a view. Used by products.cpp and by the linear algebra.
#pragma once

#include <atomic>
#include <cstring>
#include <limits>

#include "base/iterate.hpp"
#include "ops/blas.hpp"
#include "ops/rules.hpp"

namespace tapegrad {

template <class T>
const BlasTable<T>& loaded_blas() {
  static std::atomic<bool> loaded{false};
  if (!loaded.load(std::memory_order_acquire) && load_blas) {
    load_blas();  // may run twice when threads meet here; the loader allows that
    loaded.store(true, std::memory_order_release);
  }
  return blas<T>();
}

// A length as BLAS takes it.
inline int blas_int(std::int64_t n) {
  require(n <= std::numeric_limits<int>::max(), "a matrix with more than 2^31 - 1 rows or columns");
  return static_cast<int>(n);
}

// A strided matrix; steps in bytes.
template <class T>
struct Matrix {
  static constexpr std::int64_t kItem = sizeof(T);

  char* data;
  std::int64_t rows, cols, down, right;

  // The last two axes of `a`.
  static Matrix of(const Array& a) {
    const std::size_t n = a.shape().size();
    return {a.data(), a.shape()[n - 2], a.shape()[n - 1], a.strides()[n - 2], a.strides()[n - 1]};
  }
  static Matrix by_rows(T* data, std::int64_t rows, std::int64_t cols) {
    return {reinterpret_cast<char*>(data), rows, cols, cols * kItem, kItem};
  }
  Matrix at(char* p) const { return {p, rows, cols, down, right}; }
  Matrix transposed() const { return {data, cols, rows, right, down}; }
  T& operator()(std::int64_t i, std::int64_t j) const {
    return *reinterpret_cast<T*>(data + i * down + j * right);
  }
  T* row(std::int64_t i) const { return reinterpret_cast<T*>(data + i * down); }

  // Elements from one row to the next if each row is contiguous and BLAS can step so, else 0.
  int leading() const {
    if (cols > 1 && right != kItem) return 0;
    const std::int64_t step = rows > 1 ? down / kItem : std::max<std::int64_t>(cols, 1);
    if (rows > 1 && down % kItem != 0) return 0;
    return step >= std::max<std::int64_t>(cols, 1) && step <= std::numeric_limits<int>::max()
               ? static_cast<int>(step)
               : 0;
  }
};

template <class T>
void copy_rows(const Matrix<T>& from, T* to) {
  for (std::int64_t i = 0; i < from.rows; ++i, to += from.cols) {
    if (from.right == from.kItem) {
      std::copy_n(from.row(i), from.cols, to);
    } else {
      for (std::int64_t j = 0; j < from.cols; ++j) to[j] = from(i, j);
    }
  }
}

// A matrix as BLAS can read it: rows or columns contiguous. Copied only if neither are.
template <class T>
struct Stored {
  explicit Stored(const Matrix<T>& m) : data(m.row(0)), lead(m.leading()) {
    if (lead != 0) return;
    by_rows = false;
    if ((lead = m.transposed().leading()) != 0) return;
    by_rows = true;
    copy = Array::empty(dtype_of<T>(), {m.rows, m.cols});
    data = copy.ptr<T>();
    lead = std::max(blas_int(m.cols), 1);
    copy_rows(m, data);
  }
  T* data;
  int lead;
  bool by_rows = true;
  Array copy;
};

// The leading axes of `a`, all but the last `core`, seen through broadcasting to `batch`.
inline Walker walk_leading(const Array& a, int core, const Dims& batch) {
  Walker w{a.data(), Dims(batch.size(), 0)};
  const int lead = std::max(a.ndim() - core, 0);
  const std::size_t shift = batch.size() - lead;
  for (int i = 0; i < lead; ++i)
    if (a.shape()[i] != 1) w.strides[i + shift] = a.strides()[i];
  return w;
}

// Calls f(pointers) for each matrix of the walkers.
template <std::size_t N, class F>
void for_each_matrix(const Dims& batch, std::array<Walker, N> walkers, F&& f) {
  for_each_run(batch, std::move(walkers), [&](char** p, std::intptr_t n, const std::intptr_t* s) {
    for (std::intptr_t i = 0; i < n; ++i) {
      f(p);
      for (std::size_t k = 0; k < N; ++k) p[k] += s[k];
    }
  });
}

// All axes but the last `core`.
inline Dims leading_axes(const Dims& shape, std::size_t core) {
  return Dims(std::span(shape.data(), shape.size() - core));
}
inline Dims with_matrix(Dims batch, std::int64_t rows, std::int64_t cols) {
  batch.push_back(rows);
  batch.push_back(cols);
  return batch;
}

// ---- checks shared by the shape rules ----
inline DType matrix_dtype(const char* op, DType t) {
  if (!is_differentiable(t))
    throw Unsupported(std::string(op) + " is not defined for " + dtype_name(t));
  return t;
}
inline Dims broadcast_leading(const char* op, const Dims& a, const Dims& b) {
  auto lead = [](const Dims& s) { return leading_axes(s, std::min<std::size_t>(s.size(), 2)); };
  try {
    return broadcast_shapes(lead(a), lead(b));
  } catch (const Error&) {
    throw Error(std::string(op) + ": the leading axes of shapes " + a.str() + " and " + b.str() +
                " do not broadcast");
  }
}

// Shapes of the operands and the result of a product, as (stacks of) matrices.
struct MatmulShapes {
  MatmulShapes(const Dims& left, const Dims& right) : a(left), b(right) {
    if (a.size() == 1) a.insert(0, 1);
    if (b.size() == 1) b.push_back(1);
    out = with_matrix(broadcast_leading("matmul", a, b), a[a.size() - 2], b.back());
  }
  Dims a, b, out;
};

}  // namespace tapegrad
