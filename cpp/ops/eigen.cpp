// Eigenvalues and eigenvectors. Results are packed: the eigenvalues, the eigenvectors by rows, and
// the marks.
// What their derivatives divide by is in gaps.cpp.
#include "ops/columns.hpp"
#include "ops/gaps.hpp"
#include "ops/linalg.hpp"
#include "ops/packed.hpp"

namespace tapegrad {
namespace {

// ---- eigh: A from one triangle (attribute 1: the upper one), derivatives for Hermitian A ----

bool reads_upper(Attrs attrs) { return !attrs.empty() && attrs[0] != 0; }

// The parts of a packed factorisation of an n by n matrix.
Term values_of(Term packed, std::int64_t n) { return unpacked(packed, 0, 1, n); }
Term vectors_of(Term packed, std::int64_t n) { return unpacked(packed, n, n, n); }
Term marks_of(Term packed, std::int64_t n) { return unpacked(packed, n + n * n, 1, kMarks); }

template <const char* op>
Meta packed_shape(std::span<const Meta> in, Attrs) {
  require_square(op, in[0]);
  const std::int64_t n = in[0].shape.back();
  Dims shape = leading_axes(in[0].shape, 2);
  shape.push_back(n + n * n + kMarks);
  return {in[0].dtype, shape};
}

template <const char* op>
Meta real_values_shape(std::span<const Meta> in, Attrs) {
  require_square(op, in[0]);
  const DType t = in[0].dtype == DType::c128 ? DType::f64 : in[0].dtype;
  return {t, leading_axes(in[0].shape, 1)};
}

// Of a 0 by 0 matrix, nothing but marks.
bool is_trivial(const Array& a, const Array& out) {
  if (a.size() == 0) copy_into(Array::zeros(out.dtype(), out.shape()), out);
  return a.size() == 0;
}

void eigh_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (is_trivial(in[0], out)) return;
  dispatch_float(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto a = Matrix<T>::of(in[0]);
    const Dims batch = leading_axes(in[0].shape(), 2);
    for_each_matrix<2>(batch, {walk_leading(in[0], 2, batch), walk_leading(out, 1, batch)},
                       [&](char* const* p) {
                         Columns<T> v = Columns<T>::of(a.at(p[0]));
                         const auto w = factor_hermitian(v, true, reads_upper(attrs));
                         T* to = std::copy(w.begin(), w.end(), reinterpret_cast<T*>(p[1]));
                         std::fill_n(v.write(to), kMarks, T(0));
                       });
  });
}

void eigvalsh_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.size() == 0) return;
  dispatch_float(in[0].dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto a = Matrix<T>::of(in[0]);
    const Dims batch = leading_axes(in[0].shape(), 2);
    for_each_matrix<2>(batch, {walk_leading(in[0], 2, batch), walk_leading(out, 1, batch)},
                       [&](char* const* p) {
                         Columns<T> v = Columns<T>::of(a.at(p[0]));
                         const auto w = factor_hermitian(v, false, reads_upper(attrs));
                         std::copy(w.begin(), w.end(), reinterpret_cast<RealOf<T>*>(p[1]));
                       });
  });
}

Term hermitian_part(Term x) { return Term(0.5) * (x + adjugated(x)); }

// M = V^H A' V for the Hermitian part of A'.
Term rotated(Term v, Term a) { return matmul(matmul(adjugated(v), hermitian_part(a)), v); }
// conj(V) X V^T, the adjoint of A for the adjoint X of M.
Term rotated_back(Term v, Term x) {
  return hermitian_part(matmul(matmul(conjugate(v), x), swap_last_axes(v)));
}

Term eigh_tangent(Rule& rule) {
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term v = vectors_of(rule.out(), n), w = values_of(rule.out(), n);
  const Term m = rotated(v, rule.tangent(0));
  return packed({diagonal_row(m), matmul(v, over_gaps(m, w, Gap::difference)), unmarked(m)});
}

void eigh_adjoint(Rule& rule, Term g) {
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term v = vectors_of(rule.out(), n), w = values_of(rule.out(), n);
  const Term k = matmul(swap_last_axes(v), vectors_of(g, n));
  const Term x = eigen_adjoint(values_of(g, n), k, w, marks_of(g, n), Perturbed::hermitian);
  rule.add(0, rotated_back(v, x));
}

// A row of values as the op returns them, and back.
Term as_line(Term row) {
  const Dims shape = row.algebra->meta(row).shape;
  Dims line = leading_axes(shape, 2);
  line.push_back(shape.back());
  return reshape(row, line);
}
Term as_row(Term line) {
  Dims row = line.algebra->meta(line).shape;
  row.insert(row.size() - 1, 1);
  return reshape(line, row);
}

Term eigvalsh_tangent(Rule& rule) {
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term f = rule.algebra.apply(Op::eigh, {rule.in(0)}, rule.attrs);
  const Term d = diagonal_row(rotated(vectors_of(f, n), rule.tangent(0)));
  return cast(as_line(average_repeated(d, values_of(f, n), false)), rule.out_meta().dtype);
}

void eigvalsh_adjoint(Rule& rule, Term g) {
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term f = rule.algebra.apply(Op::eigh, {rule.in(0)}, rule.attrs);
  const Term shared = average_repeated(as_row(g), values_of(f, n), false);
  rule.add(0, fit(rotated_back(vectors_of(f, n), diagonal_matrix(shared)), rule.in_meta(0)));
}

// ---- eig, eigvals of a general matrix: always complex ----

// The eigenvalues and eigenvectors of one matrix as LAPACK has them.
template <class T>
std::pair<std::vector<Complex>, Columns<Complex>> factor_general(Columns<T>& a, bool vectors) {
  if (!a.finite()) throw SingularMatrix("Array must not contain infs or NaNs");
  const auto count = static_cast<std::size_t>(a.rows);
  std::vector<Complex> w(count);
  Columns<Complex> result(a.rows, a.rows);
  if (count == 0) return {w, result};
  std::vector<T> wr(count), wi(count);
  Columns<T> v(a.rows, a.rows);
  char none = 'N', right = vectors ? 'V' : 'N';
  int n = blas_int(a.rows), info = 0;
  std::vector<RealOf<T>> rwork(2 * count);
  with_workspace<T>([&](T* work, int* lwork) {
    if constexpr (kIsComplex<T>)
      lapack<T>().geev(&none, &right, &n, a.ptr(), &n, wr.data(), nullptr, &n, v.ptr(), &n, work,
                       lwork, rwork.data(), &info);
    else
      lapack<T>().geev(&none, &right, &n, a.ptr(), &n, wr.data(), wi.data(), nullptr, &n, v.ptr(),
                       &n, work, lwork, &info);
  });
  require_converged(info, "Eigenvalues did not converge");
  if constexpr (kIsComplex<T>) return {wr, v};
  else {
    for (std::size_t j = 0; j < count; ++j) w[j] = Complex(wr[j], wi[j]);
    for (std::int64_t j = 0; j < n; ++j) {
      const bool pair = wi[static_cast<std::size_t>(j)] > 0;  // its conjugate comes next
      for (std::int64_t i = 0; i < n; ++i) {
        result(i, j) = pair ? Complex(v(i, j), v(i, j + 1)) : Complex(v(i, j));
        if (pair) result(i, j + 1) = std::conj(result(i, j));
      }
      if (pair) ++j;
    }
    return {w, result};
  }
}

Meta eig_shape(std::span<const Meta> in, Attrs) {
  require(in.size() == 1 || in.size() == 2, "eig: a matrix, and the order of the eigenvalues");
  require_square("eig", in[0]);
  require_matrices("eig", in);
  const std::int64_t n = in[0].shape.back();
  require(in.back().shape.back() == n, "eig: an order of n values");
  Dims shape = broadcast_batch(in);
  shape.push_back(n + n * n + kMarks);
  return {DType::c128, shape};
}

// Exchanges columns so that the eigenvalues come as in `order`, which has them up to rounding.
void put_in_order(std::vector<Complex>& w, Columns<Complex>& v, const Matrix<Complex>& order) {
  const auto n = static_cast<std::int64_t>(w.size());
  for (std::int64_t i = 0; i < n; ++i) {
    const auto first = w.begin() + i;
    const auto nearest = std::min_element(first, w.end(), [&](Complex a, Complex b) {
      return std::abs(a - order(0, i)) < std::abs(b - order(0, i));
    });
    const std::int64_t j = nearest - w.begin();
    std::swap(w[static_cast<std::size_t>(i)], w[static_cast<std::size_t>(j)]);
    for (std::int64_t r = 0; r < n && i != j; ++r) std::swap(v(r, i), v(r, j));
  }
}

// Calls f(matrix, row of `order`, result) for each; float32 computes in double.
template <class F>
void for_each_general(const Array& in, const Array& order, const Array& out, F&& f) {
  const Dims batch = leading_axes(out.shape(), 1);
  dispatch_float(in.dtype(), [&](auto zero) {
    using T = decltype(zero);
    using Work = std::conditional_t<kIsComplex<T>, Complex, double>;
    const auto a = Matrix<T>::of(in);
    for_each_matrix<3>(
        batch,
        {walk_leading(in, 2, batch), walk_leading(order, 2, batch), walk_leading(out, 1, batch)},
        [&](char* const* p) {
          auto columns = Columns<Work>::of(a.at(p[0]));
          f(columns, p[1], reinterpret_cast<Complex*>(p[2]));
        });
  });
}

void eig_value(std::span<const Array> in, Attrs, const Array& out) {
  if (is_trivial(in[0], out)) return;
  const auto order = Matrix<Complex>::of(in.back());  // of complex numbers where there is one
  for_each_general(in[0], in.back(), out, [&](auto& a, char* wanted, Complex* to) {
    auto [w, v] = factor_general(a, true);
    if (in.size() == 2) put_in_order(w, v, order.at(wanted));
    std::fill_n(v.write(std::copy(w.begin(), w.end(), to)), kMarks, Complex(0));
  });
}

Meta eigvals_shape(std::span<const Meta> in, Attrs) {
  require_square("eigvals", in[0]);
  return {DType::c128, leading_axes(in[0].shape, 1)};
}

void eigvals_value(std::span<const Array> in, Attrs, const Array& out) {
  if (out.size() == 0) return;
  for_each_general(in[0], in[0], out, [](auto& a, char*, Complex* to) {
    const auto w = factor_general(a, false).first;
    std::copy(w.begin(), w.end(), to);
  });
}

// Raises where the eigenvectors hardly span the space.
Term checked_inverse(Term v) {
  const std::int64_t checked[] = {1};
  return v.algebra->apply(Op::inv, {v}, checked);
}

// V keeps the part along each vector: the caller normalises.
Term eig_tangent(Rule& rule) {
  if (!rule.active(0)) return zeros(rule.algebra, rule.out_meta());
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term v = vectors_of(rule.out(), n), w = values_of(rule.out(), n);
  const Term m = matmul(matmul(checked_inverse(v), rule.tangent(0)), v);
  return packed({diagonal_row(m), matmul(v, over_gaps(m, w, Gap::difference)), unmarked(m)});
}

// V^-T X V^T
Term eig_back(Term v, Term x, const Meta& meta) {
  const Term left = swap_last_axes(checked_inverse(v));
  return fit(matmul(matmul(left, x), swap_last_axes(v)), meta);
}

void eig_adjoint(Rule& rule, Term g) {
  if (!rule.active(0)) return;
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term v = vectors_of(rule.out(), n), w = values_of(rule.out(), n);
  const Term k = matmul(swap_last_axes(v), vectors_of(g, n));
  const Term x = eigen_adjoint(values_of(g, n), k, w, marks_of(g, n), Perturbed::general);
  rule.add(0, eig_back(v, x, rule.in_meta(0)));
}

Term eigvals_tangent(Rule& rule) {
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term f = rule.algebra.apply(Op::eig, {rule.in(0), as_row(rule.out())});
  const Term v = vectors_of(f, n);
  const Term m = matmul(matmul(checked_inverse(v), rule.tangent(0)), v);
  return as_line(average_repeated(diagonal_row(m), values_of(f, n), false));
}

void eigvals_adjoint(Rule& rule, Term g) {
  const std::int64_t n = rule.in_meta(0).shape.back();
  const Term f = rule.algebra.apply(Op::eig, {rule.in(0), as_row(rule.out())});
  const Term shared = average_repeated(as_row(g), values_of(f, n), false);
  rule.add(0, eig_back(vectors_of(f, n), diagonal_matrix(shared), rule.in_meta(0)));
}

constexpr char kEigh[] = "eigh", kEigvalsh[] = "eigvalsh";

}  // namespace

const Rules rules::eigh = {.shape = packed_shape<kEigh>,
                           .value = eigh_value,
                           .tangent = eigh_tangent,
                           .adjoint = eigh_adjoint,
                           .needs = {kNeedsOut, 0, 0},
                           .lanes = Lanes::aligned};

const Rules rules::eigvalsh = {.shape = real_values_shape<kEigvalsh>,
                               .value = eigvalsh_value,
                               .tangent = eigvalsh_tangent,
                               .adjoint = eigvalsh_adjoint,
                               .needs = {1u << 0, 0, 0},
                               .lanes = Lanes::aligned};

const Rules rules::eig = {.shape = eig_shape,
                          .value = eig_value,
                          .tangent = eig_tangent,
                          .adjoint = eig_adjoint,
                          .needs = {kNeedsOut, 0, 0},
                          .lanes = Lanes::aligned};

const Rules rules::eigvals = {.shape = eigvals_shape,
                              .value = eigvals_value,
                              .tangent = eigvals_tangent,
                              .adjoint = eigvals_adjoint,
                              .needs = {1u << 0 | kNeedsOut, 0, 0},
                              .lanes = Lanes::aligned};

}  // namespace tapegrad
