// Sparse matrices with a fixed pattern: products, their transposes (samples of an outer product on
// the pattern), and solves by a sparse LU factorisation. Values are one row in the order of the
// pattern; the pattern is an int64 vector: rows, columns, count, row pointers, columns of the
// entries, and for solves the order in which columns are eliminated.
#include <numeric>

#include "ops/columns.hpp"
#include "ops/rules.hpp"

namespace tapegrad {
namespace {

using Index = std::int64_t;

// A checked pattern: it may come from a file.
class Pattern {
 public:
  explicit Pattern(const Array& a) : kept_(a) {
    if (!a.contiguous()) {
      kept_ = Array::empty(DType::i64, a.shape());
      for (Index i = 0; i < a.size(); ++i)
        kept_.at<Index>(i) = *reinterpret_cast<Index*>(a.data() + i * a.strides()[0]);
    }
    const Index* p = kept_.ptr<Index>();
    const Index size = kept_.size();
    valid(size >= 3);
    rows = p[0];
    cols = p[1];
    count = p[2];
    valid(rows >= 0 && cols >= 0 && count >= 0 && rows < size && count < size);
    const Index used = 3 + rows + 1 + count;
    valid(size == used || size == used + cols);
    starts = p + 3;
    columns = starts + rows + 1;
    order = size > used ? columns + count : nullptr;
    valid(starts[0] == 0 && starts[rows] == count);
    for (Index i = 0; i < rows; ++i) valid(starts[i] <= starts[i + 1]);
    for (Index k = 0; k < count; ++k) valid(columns[k] >= 0 && columns[k] < cols);
  }
  Index rows = 0, cols = 0, count = 0;
  const Index *starts = nullptr, *columns = nullptr, *order = nullptr;

 private:
  static void valid(bool ok) { require(ok, "a sparsity pattern that is none"); }
  Array kept_;
};

bool is_transposed(Attrs attrs) { return !attrs.empty() && attrs[0] != 0; }

void require_operands(const char* op, std::span<const Meta> in) {
  for (int i : {0, 1}) {
    const Meta& m = in[static_cast<std::size_t>(i)];
    matrix_dtype(op, m.dtype);
    require(m.shape.size() >= 2, std::string(op) + ": operands have at least two axes");
  }
  require(in[2].dtype == DType::i64 && in[2].shape.size() == 1,
          std::string(op) + ": the pattern is a vector of int64");
}
Dims batch_of(std::span<const Meta> in) {
  Dims batch = leading_axes(in[0].shape, 2);
  broadcast_into(batch, leading_axes(in[1].shape, 2));
  return batch;
}

// The pattern is not known to shape rules, so the sizes of results are attributes.
Meta product_shape(const char* op, std::span<const Meta> in, Attrs attrs) {
  require_operands(op, in);
  require(attrs.size() == 2 && attrs[1] >= 0, std::string(op) + ": transposed and length");
  return {promote(in[0].dtype, in[1].dtype),
          with_matrix(batch_of(in), attrs[1], in[1].shape.back())};
}

// Calls f(values, right matrix, result) for each of a stack.
template <class T, class F>
void each_product(std::span<const Array> in, const Array& out, F&& f) {
  const auto v = Matrix<T>::of(in[0]), x = Matrix<T>::of(in[1]), y = Matrix<T>::of(out);
  const Dims batch = leading_axes(out.shape(), 2);
  for_each_matrix<3>(
      batch,
      {walk_leading(in[0], 2, batch), walk_leading(in[1], 2, batch), walk_leading(out, 2, batch)},
      [&](char* const* p) { f(v.at(p[0]), x.at(p[1]), y.at(p[2])); });
}

// ---- sparse_matmul(values, X, pattern); attributes: transposed, rows of the result ----

Meta sparse_matmul_shape(std::span<const Meta> in, Attrs attrs) {
  return product_shape("sparse_matmul", in, attrs);
}

void sparse_matmul_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const Pattern a(in[2]);
  const bool transposed = is_transposed(attrs);
  require(in[0].shape().back() == a.count, "sparse_matmul: a value for each entry");
  require(Matrix<double>::of(in[1]).rows == (transposed ? a.rows : a.cols) &&
              attrs[1] == (transposed ? a.cols : a.rows),
          "sparse_matmul: shapes do not fit");
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    each_product<T>(in, out, [&](const Matrix<T>& v, const Matrix<T>& x, const Matrix<T>& y) {
      for (Index i = 0; i < y.rows; ++i) std::fill_n(y.row(i), y.cols, T(0));
      for (Index i = 0; i < a.rows; ++i)
        for (Index p = a.starts[i]; p < a.starts[i + 1]; ++p) {
          const Index from = transposed ? i : a.columns[p], to = transposed ? a.columns[p] : i;
          const T value = v(0, p);
          T* row = y.row(to);
          for (Index k = 0; k < y.cols; ++k) row[k] += value * x(from, k);
        }
    });
  });
}

Term sparse_matmul(Term v, Term x, Term pattern, bool transposed, Index rows) {
  return v.algebra->apply(Op::sparse_matmul, {v, x, pattern}, Dims{transposed, rows});
}
// The values of the rank-k matrix X Y^T on the pattern.
Term sparse_sample(Term x, Term y, Term pattern, Index count) {
  return x.algebra->apply(Op::sparse_sample, {x, y, pattern}, Dims{count});
}

Index rows_of(const Meta& m) { return m.shape[m.shape.size() - 2]; }

// Bilinear in the operands 0 and 1: the op on each tangent in turn.
Term bilinear_tangent(Rule& rule) {
  Term t;
  for (int i : {0, 1})
    if (rule.active(i))
      t = t + rule.algebra.apply(rule.op,
                                 {i == 0 ? rule.tangent(0) : rule.in(0),
                                  i == 1 ? rule.tangent(1) : rule.in(1), rule.in(2)},
                                 rule.attrs);
  return broadcast_to(t, rule.out_meta().shape);
}

void sparse_matmul_adjoint(Rule& rule, Term g) {
  const bool transposed = is_transposed(rule.attrs);
  const Term pattern = rule.in(2);
  if (rule.active(0)) {
    const Term x = rule.in(1);
    const Index count = rule.in_meta(0).shape.back();
    rule.add(0, fit(transposed ? sparse_sample(x, g, pattern, count)
                               : sparse_sample(g, x, pattern, count),
                    rule.in_meta(0)));
  }
  if (rule.active(1))
    rule.add(1, fit(sparse_matmul(rule.in(0), g, pattern, !transposed, rows_of(rule.in_meta(1))),
                    rule.in_meta(1)));
}

// ---- sparse_sample(X, Y, pattern): sum_k X_ik Y_jk for the entries (i, j) ----

Meta sparse_sample_shape(std::span<const Meta> in, Attrs attrs) {
  require_operands("sparse_sample", in);
  const Index count = attrs.empty() ? 0 : attrs[0];
  require(count >= 0, "sparse_sample: the count of entries");
  require(in[0].shape.back() == in[1].shape.back(), "sparse_sample: as many columns");
  return {promote(in[0].dtype, in[1].dtype), with_matrix(batch_of(in), 1, count)};
}

void sparse_sample_value(std::span<const Array> in, Attrs, const Array& out) {
  const Pattern a(in[2]);
  require(out.shape().back() == a.count && Matrix<double>::of(in[0]).rows == a.rows &&
              Matrix<double>::of(in[1]).rows == a.cols,
          "sparse_sample: shapes do not fit");
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    each_product<T>(in, out, [&](const Matrix<T>& x, const Matrix<T>& y, const Matrix<T>& v) {
      for (Index i = 0; i < a.rows; ++i)
        for (Index p = a.starts[i]; p < a.starts[i + 1]; ++p) {
          T total(0);
          for (Index k = 0; k < x.cols; ++k) total += x(i, k) * y(a.columns[p], k);
          v(0, p) = total;
        }
    });
  });
}

void sparse_sample_adjoint(Rule& rule, Term g) {
  const Term pattern = rule.in(2);
  for (int i : {0, 1})
    if (rule.active(i))
      rule.add(i, fit(sparse_matmul(g, rule.in(1 - i), pattern, i == 1, rows_of(rule.in_meta(i))),
                      rule.in_meta(i)));
}

// ---- sparse_solve(values, B, pattern); attributes: transposed, rows ----

// Left-looking LU with partial pivoting (Gilbert and Peierls, SIAM J. Sci. Stat. Comput. 9, 1988):
// each column is a solve with the columns of L before it, whose pattern is what a search from its
// entries reaches. P A Q = L U.
template <class T>
class SparseLu {
 public:
  explicit SparseLu(const Pattern& a) : a_(a), n_(a.rows) {
    transpose_pattern();
    order_.resize(static_cast<std::size_t>(n_));
    if (a.order) std::copy_n(a.order, n_, order_.begin());
    else std::iota(order_.begin(), order_.end(), Index{0});
    std::vector<bool> seen(static_cast<std::size_t>(n_));
    for (Index j : order_) {
      require(j >= 0 && j < n_ && !seen[at(j)], "a sparsity pattern that is none");
      seen[at(j)] = true;
    }
  }

  void factor(const Matrix<T>& values) {
    for (auto* list : {&l_rows_, &u_rows_}) list->clear();
    for (auto* list : {&l_values_, &u_values_}) list->clear();
    l_starts_.assign(1, 0);
    u_starts_.assign(1, 0);
    place_.assign(at(n_), -1);
    pivot_row_.assign(at(n_), 0);
    marked_.assign(at(n_), -1);
    x_.assign(at(n_), T(0));
    for (Index k = 0; k < n_; ++k) eliminate_column(k, values);
  }

  // A x = b, or A^T x = b, in place.
  void solve(std::vector<T>& b, bool transposed) const {
    std::vector<T> y(at(n_));
    if (!transposed) {
      for (Index k = 0; k < n_; ++k) y[at(k)] = b[at(pivot_row_[at(k)])];
      for (Index k = 0; k < n_; ++k)
        for (Index p = l_starts_[at(k)]; p < l_starts_[at(k + 1)]; ++p)
          y[at(place_[at(l_rows_[at(p)])])] -= l_values_[at(p)] * y[at(k)];
      for (Index k = n_; k-- > 0;) {
        const Index last = u_starts_[at(k + 1)] - 1;  // the pivot
        y[at(k)] /= u_values_[at(last)];
        for (Index p = u_starts_[at(k)]; p < last; ++p)
          y[at(u_rows_[at(p)])] -= u_values_[at(p)] * y[at(k)];
      }
      for (Index k = 0; k < n_; ++k) b[at(order_[at(k)])] = y[at(k)];
      return;
    }
    for (Index k = 0; k < n_; ++k) y[at(k)] = b[at(order_[at(k)])];
    for (Index k = 0; k < n_; ++k) {
      const Index last = u_starts_[at(k + 1)] - 1;
      for (Index p = u_starts_[at(k)]; p < last; ++p)
        y[at(k)] -= u_values_[at(p)] * y[at(u_rows_[at(p)])];
      y[at(k)] /= u_values_[at(last)];
    }
    for (Index k = n_; k-- > 0;)
      for (Index p = l_starts_[at(k)]; p < l_starts_[at(k + 1)]; ++p)
        y[at(k)] -= l_values_[at(p)] * y[at(place_[at(l_rows_[at(p)])])];
    for (Index k = 0; k < n_; ++k) b[at(pivot_row_[at(k)])] = y[at(k)];
  }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  // For each column the rows and the places of the values.
  void transpose_pattern() {
    c_starts_.assign(at(a_.cols + 1), 0);
    for (Index p = 0; p < a_.count; ++p) ++c_starts_[at(a_.columns[p] + 1)];
    std::partial_sum(c_starts_.begin(), c_starts_.end(), c_starts_.begin());
    c_rows_.resize(at(a_.count));
    c_places_.resize(at(a_.count));
    std::vector<Index> next(c_starts_.begin(), c_starts_.end() - 1);
    for (Index i = 0; i < a_.rows; ++i)
      for (Index p = a_.starts[i]; p < a_.starts[i + 1]; ++p) {
        const Index to = next[at(a_.columns[p])]++;
        c_rows_[at(to)] = i;
        c_places_[at(to)] = p;
      }
  }

  void eliminate_column(Index k, const Matrix<T>& values) {
    const Index j = order_[at(k)];
    reached_.clear();
    for (Index p = c_starts_[at(j)]; p < c_starts_[at(j + 1)]; ++p) {
      reach(c_rows_[at(p)], k);
      x_[at(c_rows_[at(p)])] += values(0, c_places_[at(p)]);  // entries given twice add up
    }
    // Reached last, eliminated first: an order in which L can be solved.
    for (Index r = static_cast<Index>(reached_.size()); r-- > 0;) {
      const Index row = reached_[at(r)], column = place_[at(row)];
      if (column < 0) continue;
      const T value = x_[at(row)];
      for (Index p = l_starts_[at(column)]; p < l_starts_[at(column + 1)]; ++p)
        x_[at(l_rows_[at(p)])] -= l_values_[at(p)] * value;
    }
    keep_column(k);
  }

  // Rows that the elimination of a row reaches, after those that they reach themselves.
  void reach(Index start, Index k) {
    if (marked_[at(start)] == k) return;
    marked_[at(start)] = k;
    stack_.assign(1, {start, first_of(start)});
    while (!stack_.empty()) {
      auto& [row, p] = stack_.back();
      if (p >= 0 && p < l_starts_[at(place_[at(row)] + 1)]) {
        const Index next = l_rows_[at(p++)];
        if (marked_[at(next)] == k) continue;
        marked_[at(next)] = k;
        stack_.push_back({next, first_of(next)});
        continue;
      }
      reached_.push_back(row);
      stack_.pop_back();
    }
  }
  Index first_of(Index row) const {
    return place_[at(row)] < 0 ? -1 : l_starts_[at(place_[at(row)])];
  }

  void keep_column(Index k) {
    Index pivot = -1;
    for (Index row : reached_)
      if (place_[at(row)] < 0 && (pivot < 0 || std::abs(x_[at(row)]) > std::abs(x_[at(pivot)])))
        pivot = row;
    if (pivot < 0 || x_[at(pivot)] == T(0)) throw SingularMatrix("Singular matrix");
    const T top = std::exchange(x_[at(pivot)], T(0));
    for (Index row : reached_) {
      if (row == pivot) continue;
      const T value = std::exchange(x_[at(row)], T(0));
      if (place_[at(row)] >= 0) {
        u_rows_.push_back(place_[at(row)]);
        u_values_.push_back(value);
      } else {
        l_rows_.push_back(row);
        l_values_.push_back(value / top);
      }
    }
    u_rows_.push_back(k);
    u_values_.push_back(top);
    place_[at(pivot)] = k;
    pivot_row_[at(k)] = pivot;
    l_starts_.push_back(static_cast<Index>(l_rows_.size()));
    u_starts_.push_back(static_cast<Index>(u_rows_.size()));
  }

  const Pattern& a_;
  Index n_;
  std::vector<Index> c_starts_, c_rows_, c_places_;  // A by columns
  std::vector<Index> order_, place_, pivot_row_, marked_, reached_;
  std::vector<std::pair<Index, Index>> stack_;
  std::vector<Index> l_starts_, l_rows_, u_starts_, u_rows_;
  std::vector<T> l_values_, u_values_, x_;
};

Meta sparse_solve_shape(std::span<const Meta> in, Attrs attrs) {
  return product_shape("sparse_solve", in, attrs);
}

void sparse_solve_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  const Pattern a(in[2]);
  require(a.rows == a.cols, "sparse_solve: the matrix must be square");
  require(in[0].shape().back() == a.count, "sparse_solve: a value for each entry");
  require(Matrix<double>::of(in[1]).rows == a.rows && attrs[1] == a.rows,
          "sparse_solve: the right-hand side has another number of rows");
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    SparseLu<T> lu(a);
    std::vector<T> column(static_cast<std::size_t>(a.rows));
    const char* factored = nullptr;
    each_product<T>(in, out, [&](const Matrix<T>& v, const Matrix<T>& b, const Matrix<T>& x) {
      if (v.data != factored || !factored) lu.factor(v);
      factored = v.data;
      for (Index k = 0; k < b.cols; ++k) {
        for (Index i = 0; i < a.rows; ++i) column[static_cast<std::size_t>(i)] = b(i, k);
        lu.solve(column, is_transposed(attrs));
        for (Index i = 0; i < a.rows; ++i) x(i, k) = column[static_cast<std::size_t>(i)];
      }
    });
  });
}

Term sparse_solve(Term v, Term b, Term pattern, bool transposed) {
  return v.algebra->apply(Op::sparse_solve, {v, b, pattern},
                          Dims{transposed, rows_of(b.algebra->meta(b))});
}

// A x' = b' - A' x
Term sparse_solve_tangent(Rule& rule) {
  const bool transposed = is_transposed(rule.attrs);
  const Term pattern = rule.in(2);
  Term right;
  if (rule.active(1)) right = rule.tangent(1);
  if (rule.active(0))
    right = right - sparse_matmul(rule.tangent(0), rule.out(), pattern, transposed,
                                  rows_of(rule.out_meta()));
  return broadcast_to(sparse_solve(rule.in(0), right, pattern, transposed), rule.out_meta().shape);
}

// With w = A^-T g: b' = w, and A' = -w x^T on the pattern.
void sparse_solve_adjoint(Rule& rule, Term g) {
  const bool transposed = is_transposed(rule.attrs);
  const Term pattern = rule.in(2), w = sparse_solve(rule.in(0), g, pattern, !transposed);
  if (rule.active(1)) rule.add(1, fit(w, rule.in_meta(1)));
  if (!rule.active(0)) return;
  const Term x = rule.out();
  const Index count = rule.in_meta(0).shape.back();
  rule.add(0, fit(-(transposed ? sparse_sample(x, w, pattern, count)
                               : sparse_sample(w, x, pattern, count)),
                  rule.in_meta(0)));
}

}  // namespace

const Rules rules::sparse_matmul = {.shape = sparse_matmul_shape,
                                    .value = sparse_matmul_value,
                                    .tangent = bilinear_tangent,
                                    .adjoint = sparse_matmul_adjoint,
                                    .needs = {1u << 1 | 1u << 2, 1u << 0 | 1u << 2, 0},
                                    .lanes = Lanes::aligned};

const Rules rules::sparse_sample = {.shape = sparse_sample_shape,
                                    .value = sparse_sample_value,
                                    .tangent = bilinear_tangent,
                                    .adjoint = sparse_sample_adjoint,
                                    .needs = {1u << 1 | 1u << 2, 1u << 0 | 1u << 2, 0},
                                    .lanes = Lanes::aligned};

const Rules rules::sparse_solve = {.shape = sparse_solve_shape,
                                   .value = sparse_solve_value,
                                   .tangent = sparse_solve_tangent,
                                   .adjoint = sparse_solve_adjoint,
                                   .needs = {1u << 0 | 1u << 2 | kNeedsOut, 1u << 0 | 1u << 2, 0},
                                   .lanes = Lanes::aligned};

}  // namespace tapegrad
