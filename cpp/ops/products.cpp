// matmul: NumPy's product for every number of axes. Values go through BLAS on views as they are,
// or through tiles of our own where these are faster; short products are plain loops.
#include "ops/products.hpp"

#include <array>
#include <memory>
#include <optional>

#include "ops/matrix.hpp"
#include "ops/parts.hpp"
#include "ops/tile_product.hpp"

namespace tapegrad {
namespace {

constexpr std::int64_t kSmall = 500;      // multiplications below which a loop beats a call of BLAS
constexpr std::int64_t kLarge = 1 << 24;  // multiplications that BLAS may share out to threads
constexpr std::int64_t kFewRows = 3;      // that are not worth copying the right operand for

// ---- one product c = a b; c has contiguous rows ----

template <class T>
void plain_product(const Matrix<T>& a, const Matrix<T>& b, const Matrix<T>& c) {
  const std::int64_t n = c.cols;
  for (std::int64_t i = 0; i < c.rows; ++i) {
    T* out = c.row(i);
    if (n == 1) {
      T dot{};
      for (std::int64_t l = 0; l < a.cols; ++l) dot += a(i, l) * b(l, 0);
      *out = dot;
      continue;
    }
    std::fill_n(out, n, T{});
    for (std::int64_t l = 0; l < a.cols; ++l) {
      const T x = a(i, l);
      const T* row = b.row(l);
      if (b.right == b.kItem)
        for (std::int64_t j = 0; j < n; ++j) out[j] += x * row[j];
      else
        for (std::int64_t j = 0; j < n; ++j) out[j] += x * b(l, j);
    }
  }
}

// Row-major C = A B is column-major C' = B' A': the operands change places.
template <class T>
void gemm_product(const Matrix<T>& a, const Matrix<T>& b, const Matrix<T>& c) {
  const Stored<T> left(a), right(b);
  char ta = left.by_rows ? 'N' : 'T', tb = right.by_rows ? 'N' : 'T';
  int m = blas_int(c.rows), n = blas_int(c.cols), k = blas_int(a.cols);
  int la = left.lead, lb = right.lead;
  int lc = blas_int(c.down / c.kItem);
  T one(1), zero(0);
  blas<T>().gemm(&tb, &ta, &n, &m, &k, &one, right.data, &lb, left.data, &la, &zero, c.row(0), &lc);
}

// c and x are single columns, c of step `out_step` elements.
template <class T>
void gemv_product(const Matrix<T>& a, const Matrix<T>& x, T* out, int out_step) {
  const Stored<T> left(a);
  char t = left.by_rows ? 'T' : 'N';
  int m = blas_int(left.by_rows ? a.cols : a.rows), n = blas_int(left.by_rows ? a.rows : a.cols);
  int lead = left.lead;
  T one(1), zero(0);
  Array copy;
  T* in = x.row(0);
  std::int64_t step = x.down / x.kItem;
  if (step == 0 || x.down % x.kItem != 0 || std::abs(step) > std::numeric_limits<int>::max()) {
    copy = Array::empty(dtype_of<T>(), {x.rows});
    in = copy.ptr<T>();
    copy_rows(x, in);
    step = 1;
  }
  if (step < 0) in += step * (x.rows - 1);  // BLAS wants the lowest address
  int in_step = static_cast<int>(step);
  blas<T>().gemv(&t, &m, &n, &one, left.data, &lead, in, &in_step, &zero, out, &out_step);
}

constexpr bool is_moderate(std::int64_t m, std::int64_t n, std::int64_t k) {
  return m * n * k >= kSmall && m * n * k <= kLarge && m >= kFewRows && n > 1 && k > 1;
}

template <class T>
bool tiled_product(const Matrix<T>& a, const Matrix<T>& b, const Matrix<T>& c) {
  if constexpr (std::is_same_v<T, double> || std::is_same_v<T, float>) {
    static const TileProduct<T> run = tile_product<T>();
    if (!run || !is_moderate(c.rows, c.cols, a.cols)) return false;
    constexpr std::int64_t item = sizeof(T);
    if (a.down % item || a.right % item || b.down % item || b.right % item) return false;
    // Kept by each thread, so that a product allocates nothing.
    thread_local const std::unique_ptr<T[]> workspace(new T[kTileWorkspace / sizeof(T)]);
    run({c.rows, c.cols, a.cols}, {a.row(0), a.down / item, a.right / item},
        {b.row(0), b.down / item, b.right / item}, {c.row(0), c.down / item, 1}, workspace.get());
    return true;
  }
  return false;
}

template <class T>
void product(const Matrix<T>& a, const Matrix<T>& b, const Matrix<T>& c) {
  const std::int64_t m = c.rows, n = c.cols, k = a.cols;
  if (tiled_product(a, b, c)) return;
  if (k <= 1 || m * n * k < kSmall || !loaded_blas<T>().gemm) return plain_product(a, b, c);
  if (n == 1) return gemv_product(a, b, c.row(0), blas_int(c.down / c.kItem));
  if (m == 1) return gemv_product(b.transposed(), a.transposed(), c.row(0), 1);
  gemm_product(a, b, c);
}

// ---- stacks of products ----

// A vector on the left is a row, on the right a column.
template <class T>
Matrix<T> left_matrix(const Array& a) {
  if (a.ndim() > 1) return Matrix<T>::of(a);
  return {a.data(), 1, a.shape()[0], a.strides()[0], a.strides()[0]};
}
template <class T>
Matrix<T> right_matrix(const Array& b) {
  if (b.ndim() > 1) return Matrix<T>::of(b);
  return left_matrix<T>(b).transposed();
}

// The step in bytes with which the first `axes` axes can be walked as one, if they can.
std::optional<std::int64_t> merged_step(const Array& a, int axes) {
  std::int64_t step = 0, next = 0;
  for (int i = axes; i-- > 0;) {
    if (a.shape()[i] == 1) continue;
    if (step == 0) step = a.strides()[i];
    else if (a.strides()[i] != next) return std::nullopt;
    if (step == 0) return std::nullopt;
    next = a.strides()[i] * a.shape()[i];
  }
  return step;
}

std::int64_t stack_size(const Array& a) {
  std::int64_t size = 1;
  for (int i = 0; i < a.ndim() - 2; ++i) size *= a.shape()[i];
  return size;
}

// Stacks that are one product in truth: many a against one b; one a against many columns b.
template <class T>
bool merged_product(const Array& a, const Array& b, std::int64_t stack, const Matrix<T>& c) {
  const Matrix<T> left = left_matrix<T>(a), right = right_matrix<T>(b);
  if (stack_size(b) == 1) {
    const auto step = merged_step(a, a.ndim() - 1);
    if (!step) return false;
    product<T>({left.data, stack * c.rows, left.cols, *step, left.right}, right,
               {c.data, stack * c.rows, c.cols, c.down, c.right});
    return true;
  }
  if (stack_size(a) != 1 || c.cols != 1) return false;
  const auto step = merged_step(b, b.ndim() - 2);
  if (!step) return false;
  product<T>({right.data, stack, right.rows, *step, right.down}, left.transposed(),
             {c.data, stack, c.rows, c.rows * c.kItem, c.kItem});
  return true;
}

Array with_matrices_transposed(const Array& a) {
  const auto last = static_cast<std::size_t>(a.ndim()) - 1;
  return swap_axes_view(a, last - 1, last);
}

template <class T>
void multiply_arrays(const Array& a, const Array& b, const Array& out) {
  const bool matrices = a.ndim() > 1 && b.ndim() > 1;
  constexpr std::int64_t item = sizeof(T);
  if (matrices && out.strides().back() != item && out.shape().back() > 1)  // C' = B' A' by rows
    return multiply_arrays<T>(with_matrices_transposed(b), with_matrices_transposed(a),
                              with_matrices_transposed(out));
  const Matrix<T> left = left_matrix<T>(a), right = right_matrix<T>(b);
  const auto c = out.contiguous() ? Matrix<T>::by_rows(out.ptr<T>(), left.rows, right.cols)
                                  : Matrix<T>::of(out);
  const std::int64_t stack = out.size() / (c.rows * c.cols);
  if (stack == 1) return product(left, right, c);
  if (out.contiguous() && merged_product(a, b, stack, c)) return;
  const int core = (a.ndim() > 1) + (b.ndim() > 1);
  const Dims batch = leading_axes(out.shape(), core);
  for_each_matrix<3>(
      batch, {walk_leading(a, 2, batch), walk_leading(b, 2, batch), walk_leading(out, core, batch)},
      [&](char* const* p) { product(left.at(p[0]), right.at(p[1]), c.at(p[2])); });
}

// ---- the rules ----

Meta matmul_shape(std::span<const Meta> in, Attrs) {
  const Dims &a = in[0].shape, &b = in[1].shape;
  require(!a.empty() && !b.empty(), "matmul: operands need at least one axis; use multiply");
  const std::int64_t columns = a.back(), rows = b[b.size() < 2 ? 0 : b.size() - 2];
  if (columns != rows)
    throw Error("matmul: shapes " + a.str() + " and " + b.str() + " do not fit: " +
                std::to_string(columns) + " (last axis of the first) != " + std::to_string(rows) +
                (b.size() < 2 ? " (the second)" : " (last but one axis of the second)"));
  Dims out = MatmulShapes(a, b).out;
  if (b.size() == 1) out.erase(out.size() - 1);
  if (a.size() == 1) out.erase(out.size() - (b.size() == 1 ? 1 : 2));
  return {matrix_dtype("matmul", promote(in[0].dtype, in[1].dtype)), out};
}

void matmul_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(out.dtype(),
                 [&](auto zero) { multiply_arrays<decltype(zero)>(in[0], in[1], out); });
}

// The derivative rules multiply matrices only: a leading axis of directions is then one more axis
// of the stack.
Term matmul_tangent(Rule& rule) {
  const MatmulShapes s(rule.in_meta(0).shape, rule.in_meta(1).shape);
  Term t;
  if (rule.active(0)) t = matmul(reshape(rule.tangent(0), s.a), reshape(rule.in(1), s.b));
  if (rule.active(1)) t = t + matmul(reshape(rule.in(0), s.a), reshape(rule.tangent(1), s.b));
  return reshape(t, rule.out_meta().shape);
}

// A' = g B^T and B' = A^T g, summed over the leading axes that were broadcast.
void matmul_adjoint(Rule& rule, Term adjoint) {
  const Meta a = rule.in_meta(0), b = rule.in_meta(1);
  if (a.shape.size() == 1 && b.shape.size() == 1) {
    if (rule.active(0)) rule.add(0, fit(adjoint * rule.in(1), a));
    if (rule.active(1)) rule.add(1, fit(adjoint * rule.in(0), b));
    return;
  }
  const MatmulShapes s(a.shape, b.shape);
  const Term g = reshape(adjoint, s.out);
  if (rule.active(0)) {
    const Term t = matmul(g, swap_last_axes(reshape(rule.in(1), s.b)));
    rule.add(0, reshape(fit(t, {a.dtype, s.a}), a.shape));
  }
  if (!rule.active(1)) return;
  Term left = reshape(rule.in(0), s.a), right = g;
  if (s.b.size() == 2 && s.a.size() > 2) {  // a stack against one matrix: the sum is one product
    const std::int64_t rows = leading_axes(s.a, 1).product();
    left = reshape(left, {rows, s.a.back()});
    right = reshape(g, {rows, s.b.back()});
  }
  const Term t = matmul(swap_last_axes(left), right);
  rule.add(1, reshape(fit(t, {b.dtype, s.b}), b.shape));
}

constexpr std::int64_t kRowsTogether = 32;  // a multiple of the rows of a tile

// The rows from `first` up to `last` of each matrix.
Array rows_between(const Array& a, std::int64_t first, std::int64_t last) {
  Dims shape = a.shape();
  const std::size_t axis = shape.size() - 2;
  shape[axis] = last - first;
  return a.view(shape, a.strides(), a.data() + first * a.strides()[axis]);
}

}  // namespace

bool can_be_divided(const Array& a, const Array& b, const Array& out) {
  constexpr std::int64_t kWorthIt = 1 << 19;  // multiplications: about 10 us
  const bool matrices = a.ndim() > 1 && b.ndim() > 1;
  if (!matrices || out.dtype() != a.dtype() || a.dtype() != b.dtype()) return false;
  const std::int64_t k = a.shape().back();
  if (out.size() * k < kWorthIt) return false;
  const bool tiled = out.dtype() == DType::f64   ? tile_product<double>() != nullptr
                     : out.dtype() == DType::f32 ? tile_product<float>() != nullptr
                                                 : false;
  const std::int64_t n = out.shape().back(), m = out.shape()[out.shape().size() - 2];
  return tiled && m >= 2 * kRowsTogether && is_moderate(kRowsTogether, n, k) &&
         is_moderate(m, n, k);
}

void multiply_rows(const Array& a, const Array& b, const Array& out, int threads) {
  const std::int64_t rows = a.shape()[a.shape().size() - 2];
  const std::int64_t units = (rows + kRowsTogether - 1) / kRowsTogether;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) schedule(static)
#endif
  for (int part = 0; part < threads; ++part) {
    const std::int64_t first = units * part / threads * kRowsTogether;
    const std::int64_t last = std::min(units * (part + 1) / threads * kRowsTogether, rows);
    if (first >= last) continue;
    const std::array some{rows_between(a, first, last), b};
    matmul_value(some, {}, rows_between(out, first, last));
  }
}

const Rules rules::matmul = {.shape = matmul_shape,
                             .value = matmul_value,
                             .tangent = matmul_tangent,
                             .adjoint = matmul_adjoint,
                             .needs = {1u << 1, 1u << 0, 0},
                             .lanes = Lanes::aligned};

}  // namespace tapegrad
