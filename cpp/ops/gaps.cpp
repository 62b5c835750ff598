// Division by gaps between eigen or singular values, and what repeated values leave open.
//
// With A' = V M V^-1, w' = diag M and V' = V (F o M), F_ij = 1 / (w_j - w_i). Where eigenvalues are
// equal F does not exist. What a function of an eigenspace as a whole does not depend on vanishes
// before it is divided by the gap, and only then the quotient is taken as 0; everything else
// raises.
#include "ops/gaps.hpp"

#include "ops/columns.hpp"
#include "ops/linalg.hpp"
#include "ops/packed.hpp"

namespace tapegrad {

Term over_gaps(Term m, Term w, Gap gap) {
  const std::int64_t attrs[] = {static_cast<std::int64_t>(gap)};
  return m.algebra->apply(Op::over_gaps, {m, w}, attrs);
}
Term eigen_adjoint(Term g, Term k, Term w, Term marks, Perturbed kind) {
  const std::int64_t attrs[] = {static_cast<std::int64_t>(kind)};
  return g.algebra->apply(Op::eigen_adjoint, {g, k, w, marks}, attrs);
}
Term average_repeated(Term g, Term w, bool kink_at_zero) {
  const std::int64_t attrs[] = {kink_at_zero};
  return g.algebra->apply(Op::average_repeated, {g, w}, attrs);
}

namespace {

// ---- equal eigenvalues ----

// Differences below this part of the largest value are rounding errors of a factorisation.
template <class T>
double rounding(std::int64_t n) {
  return 32.0 * static_cast<double>(std::max<std::int64_t>(n, 10)) *
         static_cast<double>(std::numeric_limits<RealOf<T>>::epsilon());
}

// A row of eigenvalues, and which of them count as equal.
template <class T>
class Spectrum {
 public:
  explicit Spectrum(const Matrix<T>& row) : row_(row) {
    double largest = 0;
    for (std::int64_t i = 0; i < row.cols; ++i)
      largest = std::max(largest, static_cast<double>(std::abs(row(0, i))));
    small_ = rounding<T>(row.cols) * largest;
  }
  T operator()(std::int64_t i) const { return row_(0, i); }
  bool vanishes(T difference) const { return std::abs(difference) <= small_; }
  bool equal(std::int64_t i, std::int64_t j) const { return vanishes(row_(0, i) - row_(0, j)); }

 private:
  Matrix<T> row_;
  double small_ = 0;
};

// The mean of a row over all values that count as equal to the i-th.
template <class T>
T mean_of_equal(const Matrix<T>& row, const Spectrum<T>& w, std::int64_t i) {
  T total(0), count(0);
  for (std::int64_t j = 0; j < row.cols; ++j)
    if (w.equal(i, j)) {
      total += row(0, j);
      count += T(1);
    }
  return total / count;
}

template <class T>
double largest_entry(const Matrix<T>& m) {
  double largest = 0;
  for (std::int64_t i = 0; i < m.rows; ++i)
    for (std::int64_t j = 0; j < m.cols; ++j)
      largest = std::max(largest, static_cast<double>(std::abs(m(i, j))));
  return largest;
}

[[noreturn]] void ambiguous() {
  throw SingularMatrix(
      "repeated eigen or singular values: the vectors of each are any basis of a common space, and "
      "this derivative depends on the choice. Derivatives of functions of the values alone are "
      "taken by eigvalsh, eigvals, and svd without vectors; functions of a matrix (sqrtm, expm, "
      "logm, pinv, inv) and slogdet have rules of their own");
}

// Calls f(matrix of each operand, memory of the result's) for each matrix of a stack; the operands
// broadcast. Spectra are rows.
template <std::size_t n, class F>
void for_each_in_stack(std::span<const Array> in, const Array& out, F&& f) {
  if (out.size() == 0) return;
  const Dims batch = leading_axes(out.shape(), 2);
  std::array<Walker, n + 1> walks;
  for (std::size_t k = 0; k < n; ++k) walks[k] = walk_leading(in[k], 2, batch);
  walks[n] = walk_leading(out, 2, batch);
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_each_matrix<n + 1>(batch, walks, [&](char* const* p) {
      std::array<Matrix<T>, n> matrices;
      for (std::size_t k = 0; k < n; ++k) matrices[k] = Matrix<T>::of(in[k]).at(p[k]);
      f(matrices, reinterpret_cast<T*>(p[n]));
    });
  });
}

// ---- over_gaps ----

// The one attribute; a tape keeps none for 0.
std::int64_t kind_of(Attrs attrs) { return attrs.empty() ? 0 : attrs[0]; }
Gap gap_of(Attrs attrs) { return static_cast<Gap>(kind_of(attrs)); }

Meta over_gaps_shape(std::span<const Meta> in, Attrs attrs) {
  require_matrices("over_gaps", in);
  const Dims &m = in[0].shape, &w = in[1].shape;
  const std::int64_t n = m.back(), rows = m[m.size() - 2];
  require(w.back() == n && w[w.size() - 2] == 1, "over_gaps: one row with a value a column");
  require(gap_of(attrs) == Gap::value || rows == n, "over_gaps: a square matrix");
  return {promote(in[0].dtype, in[1].dtype), with_matrix(broadcast_batch(in), rows, n)};
}

template <class T>
void divide_by_gaps(const Matrix<T>& m, const Spectrum<T>& w, Gap gap, T* out) {
  const double noise = rounding<T>(m.cols) * largest_entry(m);
  for (std::int64_t i = 0; i < m.rows; ++i)
    for (std::int64_t j = 0; j < m.cols; ++j, ++out) {
      *out = T(0);
      if (gap == Gap::difference && i == j) continue;
      T d = w(j);
      if (gap != Gap::value) d += gap == Gap::sum ? w(i) : -w(i);
      if (!w.vanishes(d)) *out = m(i, j) / d;
      else if (!(std::abs(m(i, j)) <= noise)) ambiguous();
    }
}

void over_gaps_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  for_each_in_stack<2>(in, out, [&]<class T>(const auto& of, T* to) {
    divide_by_gaps<T>(of[0], Spectrum<T>(of[1]), gap_of(attrs), to);
  });
}

// w_j' - w_i', w_j' or w_j' + w_i' as a matrix.
Term gaps(Term w, Gap gap) {
  if (gap == Gap::value) return w;
  const Term column = swap_last_axes(w);
  return gap == Gap::sum ? w + column : w - column;
}

// R = M / D: R' = (M' - R D') / D
Term over_gaps_tangent(Rule& rule) {
  const Gap gap = gap_of(rule.attrs);
  Term t;
  if (rule.active(0)) t = rule.tangent(0);
  if (rule.active(1)) t = t - rule.out() * gaps(rule.tangent(1), gap);
  return over_gaps(t, rule.in(1), gap);
}

// The adjoint of w for the adjoint -t_ij of each gap.
Term gaps_adjoint(Term t, Gap gap) {
  const auto n = static_cast<std::int64_t>(t.algebra->meta(t).shape.size());
  const Term columns = sum(t, {n - 2}, true);
  if (gap == Gap::value) return -columns;
  const Term rows = swap_last_axes(sum(t, {n - 1}, true));
  return gap == Gap::sum ? -(columns + rows) : rows - columns;
}

void over_gaps_adjoint(Rule& rule, Term g) {
  const Gap gap = gap_of(rule.attrs);
  const Term m = over_gaps(g, rule.in(1), gap);
  if (rule.active(0)) rule.add(0, fit(m, rule.in_meta(0)));
  if (rule.active(1)) rule.add(1, fit(gaps_adjoint(m * rule.out(), gap), rule.in_meta(1)));
}

// ---- eigen_adjoint: X = diag(g) + (K - K^H) / 2 (or K) over gaps ----

Meta eigen_adjoint_shape(std::span<const Meta> in, Attrs) {
  require_matrices("eigen_adjoint", in);
  const std::int64_t n = in[1].shape.back();
  for (const Meta& m : in.first(3)) require(m.shape.back() == n, "eigen_adjoint: one size");
  require(in[3].shape.back() == kMarks, "eigen_adjoint: marks of values and vectors");
  return {promote(promote(in[0].dtype, in[1].dtype), in[2].dtype),
          with_matrix(broadcast_batch(in), n, n)};
}

// One matrix: what the adjoints g of the values and K of the vectors say about equal eigenvalues.
//
// A function of the matrix, V f(w) V^H, has f'(w) M_ij as the adjoint between two equal
// eigenvalues, M = V^T G conj(V). Of that g holds f'(w) M_ii, and K at most f(w) M_ij; so it is
// known only where f' is known to vanish, as for a projection on the whole eigenspace.
template <class T>
class EigenAdjoint {
 public:
  EigenAdjoint(const Matrix<T>& g, const Matrix<T>& k, const Spectrum<T>& w, const Matrix<T>& marks,
               bool hermitian)
      : g_(g), k_(k), w_(w), n_(k.cols), hermitian_(hermitian) {
    noise_ = rounding<T>(n_) * std::max(largest_entry(k), largest_entry(g));
    both_used_ = marks(0, 0) != T(0) && marks(0, 1) != T(0);
  }
  void write(T* out) const {
    for (std::int64_t i = 0; i < n_; ++i)
      for (std::int64_t j = 0; j < n_; ++j, ++out)
        *out = i == j ? on_diagonal(i) : off_diagonal(i, j);
  }

 private:
  bool noise(T x) const { return std::abs(x) <= noise_; }
  T half_difference(std::int64_t i, std::int64_t j) const {
    return hermitian_ ? (k_(i, j) - conjugated(k_(j, i))) / T(2) : k_(i, j);
  }
  T off_diagonal(std::int64_t i, std::int64_t j) const {
    const T x = half_difference(i, j);
    if (!w_.equal(i, j)) return x / (w_(j) - w_(i));
    if (!noise(x)) ambiguous();  // it depends on the basis of the eigenspace
    if (both_used_ && !flat(i, j)) ambiguous();
    return T(0);
  }
  // Whether a function of values and vectors shows no slope in these two equal values: none in g,
  // and where K tells vectors apart, it does so on the diagonal too, where a slope would show.
  bool flat(std::int64_t i, std::int64_t j) const {
    if (!noise(g_(0, i)) || !noise(g_(0, j))) return false;
    return (noise(k_(i, j)) && noise(k_(j, i))) || !noise(k_(i, i)) || !noise(k_(j, j));
  }
  // Equal eigenvalues share what comes to any of them, as ties of a maximum do.
  T on_diagonal(std::int64_t i) const {
    if constexpr (kIsComplex<T>)
      if (hermitian_ && std::abs(k_(i, i).imag()) > noise_) ambiguous_phase();
    const T mean = mean_of_equal(g_, w_, i);
    return hermitian_ ? T(std::real(mean)) : mean;
  }
  [[noreturn]] static void ambiguous_phase() {
    throw SingularMatrix(
        "this derivative depends on the phases of complex eigen or singular vectors, which are "
        "arbitrary: differentiate a function that does not, such as v v^H");
  }

  Matrix<T> g_, k_;
  Spectrum<T> w_;
  std::int64_t n_;
  bool hermitian_, both_used_;
  double noise_ = 0;
};

void eigen_adjoint_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  for_each_in_stack<4>(in, out, [&]<class T>(const auto& of, T* to) {
    EigenAdjoint<T>(of[0], of[1], Spectrum<T>(of[2]), of[3], kind_of(attrs) != 0).write(to);
  });
}

Term half(Term x) { return Term(0.5) * x; }
Term real_part(Term x) { return half(x + conjugate(x)); }

bool is_check(Rule& rule) {
  return static_cast<Perturbed>(kind_of(rule.attrs)) == Perturbed::check;
}

Term eigen_adjoint_tangent(Rule& rule) {
  if (is_check(rule)) return zeros(rule.algebra, rule.out_meta());
  const bool hermitian = kind_of(rule.attrs) != 0;
  Term off, result;
  if (rule.active(1)) {
    const Term k = rule.tangent(1);
    off = hermitian ? half(k - adjugated(k)) : k;
  }
  if (rule.active(2)) off = off - rule.out() * gaps(rule.tangent(2), Gap::difference);
  if (!off.is_literal()) result = over_gaps(off, rule.in(2), Gap::difference);
  if (rule.active(0)) {
    const Term g = average_repeated(rule.tangent(0), rule.in(2), false);
    result = result + diagonal_matrix(hermitian ? real_part(g) : g);
  }
  return broadcast_to(cast(result, rule.out_meta().dtype), rule.out_meta().shape);
}

void eigen_adjoint_adjoint(Rule& rule, Term g) {
  if (is_check(rule)) return;
  const bool hermitian = kind_of(rule.attrs) != 0;
  if (rule.active(0)) {
    const Term d = average_repeated(diagonal_row(g), rule.in(2), false);
    rule.add(0, fit(hermitian ? real_part(d) : d, rule.in_meta(0)));
  }
  if (!rule.active(1) && !rule.active(2)) return;
  const Term r = over_gaps(g, rule.in(2), Gap::difference);
  if (rule.active(1)) rule.add(1, fit(hermitian ? half(r - adjugated(r)) : r, rule.in_meta(1)));
  if (rule.active(2))
    rule.add(2, fit(gaps_adjoint(r * rule.out(), Gap::difference), rule.in_meta(2)));
}

// ---- average_repeated ----

Meta average_repeated_shape(std::span<const Meta> in, Attrs) {
  require_matrices("average_repeated", in);
  const std::int64_t n = in[0].shape.back();
  require(in[1].shape.back() == n, "average_repeated: one size");
  return {promote(in[0].dtype, in[1].dtype), with_matrix(broadcast_batch(in), 1, n)};
}

void average_repeated_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  for_each_in_stack<2>(in, out, [&]<class T>(const auto& of, T* to) {
    const Matrix<T>& row = of[0];
    const Spectrum<T> w(of[1]);
    for (std::int64_t i = 0; i < row.cols; ++i) {
      const T mean = mean_of_equal(row, w, i);
      const bool kink = kind_of(attrs) && w.vanishes(w(i));
      to[i] = kink ? mean * T(0) + T(0) : mean;  // of what is infinite: NaN
    }
  });
}

// Which values are equal does not change.
Term average_repeated_tangent(Rule& rule) {
  if (!rule.active(0)) return zeros(rule.algebra, rule.out_meta());
  return average_repeated(rule.tangent(0), rule.in(1), kind_of(rule.attrs) != 0);
}
void average_repeated_adjoint(Rule& rule, Term g) {
  if (rule.active(0))
    rule.add(0, fit(average_repeated(g, rule.in(1), kind_of(rule.attrs) != 0), rule.in_meta(0)));
}

}  // namespace

const Rules rules::over_gaps = {.shape = over_gaps_shape,
                                .value = over_gaps_value,
                                .tangent = over_gaps_tangent,
                                .adjoint = over_gaps_adjoint,
                                .needs = {1u << 1, 1u << 1 | kNeedsOut, 0},
                                .lanes = Lanes::aligned};

const Rules rules::eigen_adjoint = {.shape = eigen_adjoint_shape,
                                    .value = eigen_adjoint_value,
                                    .tangent = eigen_adjoint_tangent,
                                    .adjoint = eigen_adjoint_adjoint,
                                    .needs = {1u << 2, 1u << 2, 1u << 2 | kNeedsOut},
                                    .lanes = Lanes::aligned};

const Rules rules::average_repeated = {.shape = average_repeated_shape,
                                       .value = average_repeated_value,
                                       .tangent = average_repeated_tangent,
                                       .adjoint = average_repeated_adjoint,
                                       .needs = {1u << 1, 0, 0},
                                       .lanes = Lanes::aligned};

}  // namespace tapegrad
