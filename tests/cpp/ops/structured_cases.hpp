// One application of every structured op, with inputs its derivatives can be judged at. The tests
// that loop over these fail when an op of structured.def has no case.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "functions.hpp"
#include "ops/op.hpp"
#include "ops/polynomial_rule.hpp"
#include "ops/rules.hpp"

namespace tapegrad::testing {

struct StructuredCase {
  std::string name;  // the op's, and what is particular
  Op op;
  std::vector<Array> in;
  std::vector<std::int64_t> attrs;
};
inline void PrintTo(const StructuredCase& c, std::ostream* os) { *os << c.name; }

// Values in (-1, 1) that differ from each other; for complex arrays both parts.
inline Array drawn(const Dims& shape, DType dtype = DType::f64, std::uint64_t seed = 1) {
  const Array a = Array::empty(dtype, shape);
  const std::int64_t parts = dtype == DType::c128 ? 2 : 1;
  const auto values = bench::noise(static_cast<std::size_t>(parts * a.size()), seed);
  for (std::int64_t i = 0; i < parts * a.size(); ++i) {
    const double v = values[static_cast<std::size_t>(i)];
    if (dtype == DType::f32) a.at<float>(i) = static_cast<float>(v);
    else a.at<double>(i) = v;
  }
  return a;
}
// Between 0.2 and 0.8 + more: in the domain of the functions of several parameters.
inline Array positive(const Dims& shape, double more = 0) {
  const Array a = drawn(shape);
  for (std::int64_t i = 0; i < a.size(); ++i) a.at<double>(i) = 0.5 + 0.3 * a.at<double>(i) + more;
  return a;
}
inline Array indices(const std::vector<std::int64_t>& values) {
  const Array a = Array::empty(DType::i64, {static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), a.ptr<std::int64_t>());
  return a;
}
inline Array alternating(const Dims& shape) {
  const Array a = Array::empty(DType::b8, shape);
  for (std::int64_t i = 0; i < a.size(); ++i) a.at<bool>(i) = i % 2 == 0;
  return a;
}

inline std::vector<StructuredCase> structured_cases() {
  const auto f64 = static_cast<std::int64_t>(DType::f64);
  const auto c128 = static_cast<std::int64_t>(DType::c128);
  const Array m34 = drawn({3, 4});
  const Array z23 = drawn({2, 3}, DType::c128);
  static const CustomRule::Handle rule = square_times();
  // 3 by 3 with entries at (0, 0), (0, 2), (1, 1), (2, 2), the diagonal away from zero
  const Array pattern = indices({3, 3, 4, 0, 2, 3, 4, 0, 2, 1, 2});
  const Array shifted = drawn({1, 4});
  for (std::int64_t i = 0; i < 4; ++i) shifted.at<double>(i) += 3;
  return {
      {"where", Op::where, {alternating({3, 4}), m34, drawn({4}, DType::f64, 2)}, {}},
      {"where_complex", Op::where, {alternating({3}), z23, drawn({2, 1})}, {}},
      {"cast_to_complex", Op::cast, {m34}, {c128}},
      {"cast_to_real", Op::cast, {z23}, {f64}},
      {"real", Op::real, {z23}, {}},
      {"imag", Op::imag, {z23}, {}},
      {"conjugate", Op::conjugate, {z23}, {}},
      {"part_set", Op::part_set, {z23, drawn({2, 3})}, {1}},
      {"reshape", Op::reshape, {m34}, {2, 6}},
      {"transpose", Op::transpose, {drawn({2, 3, 4})}, {2, 0, 1}},
      {"broadcast_to", Op::broadcast_to, {drawn({3, 1})}, {2, 3, 4}},
      {"slice", Op::slice, {m34}, {2, -1, 2, 0, 3, 2}},
      {"unslice", Op::unslice, {drawn({2, 2})}, {2, -1, 3, 0, 3, 4}},
      {"slice_set", Op::slice_set, {m34, drawn({2, 2}, DType::f64, 2)}, {0, 2, 2, 1, 1, 2}},
      {"concatenate", Op::concatenate, {m34, drawn({1, 4}), drawn({2, 4})}, {0}},
      {"roll", Op::roll, {drawn({2, 3, 4})}, {0, 1, -7}},
      {"roll_complex", Op::roll, {z23}, {1, 2}},
      {"item", Op::item, {m34}, {7}},
      {"item_set", Op::item_set, {m34, Array::scalar(0.3)}, {7}},
      {"gather", Op::gather, {m34, indices({0, 5, 5, 11})}, {}},
      {"scatter_add", Op::scatter_add, {drawn({4}), indices({0, 5, 5, 11})}, {3, 4}},
      {"put", Op::put, {m34, drawn({3}, DType::f64, 2), indices({11, 0, 4})}, {}},
      {"sum", Op::sum, {drawn({2, 3, 4})}, {0, 0, 2}},
      {"sum_keepdims", Op::sum, {m34}, {1, 1}},
      {"prod", Op::prod, {m34}, {0, 1}},
      {"max", Op::max, {m34}, {0, 0}},
      {"min", Op::min, {m34}, {1, 0, 1}},
      {"cumsum", Op::cumsum, {m34}, {1, 0}},
      {"cumsum_reversed", Op::cumsum, {m34}, {0, 1}},
      {"matmul", Op::matmul, {m34, drawn({4, 2})}, {}},
      {"matmul_vectors", Op::matmul, {drawn({4}), drawn({4}, DType::f64, 2)}, {}},
      {"matmul_stacked", Op::matmul, {drawn({2, 3, 4}), drawn({4})}, {}},
      {"fft", Op::fft, {drawn({3, 8}, DType::c128)}, {1, 0}},
      {"fft_backward", Op::fft, {drawn({7, 2}, DType::c128)}, {0, 1}},
      {"rfft", Op::rfft, {drawn({2, 6})}, {1}},
      {"rfft_odd", Op::rfft, {drawn({5, 2})}, {0}},
      {"irfft", Op::irfft, {drawn({2, 4}, DType::c128)}, {1, 6}},
      {"irfft_odd", Op::irfft, {drawn({3, 2}, DType::c128)}, {0, 5}},
      {"sort", Op::sort, {drawn({5})}, {0, 0}},
      {"sort_middle", Op::sort, {drawn({2, 4, 3})}, {1, 1}},
      {"cumprod", Op::cumprod, {drawn({3, 5})}, {}},
      {"cumprod_first", Op::cumprod, {drawn({3, 5})}, {1}},
      {"recurrence", Op::recurrence, {drawn({2, 5}), drawn({5}, DType::f64, 2)}, {}},
      {"recurrence_reverse", Op::recurrence, {drawn({4}), drawn({2, 4}, DType::f64, 2)}, {1}},
      {"allpole", Op::allpole, {drawn({3, 5}), drawn({2}, DType::f64, 2)}, {0}},
      {"allpole_reverse", Op::allpole, {drawn({4}), drawn({2, 6}, DType::f64, 2)}, {1}},
      {"matmul_complex", Op::matmul, {z23, drawn({3, 2}, DType::c128, 2)}, {}},
      {"custom", Op::custom, {drawn({3}), drawn({3}, DType::f64, 2)}, {rule->id(), f64, 3}},
      {"sparse_matmul",
       Op::sparse_matmul,
       {drawn({1, 4}), drawn({3, 2}, DType::f64, 2), pattern},
       {0, 3}},
      {"sparse_matmul_transposed",
       Op::sparse_matmul,
       {drawn({1, 4}), drawn({3, 2}, DType::f64, 2), pattern},
       {1, 3}},
      {"sparse_sample",
       Op::sparse_sample,
       {drawn({3, 2}), drawn({3, 2}, DType::f64, 2), pattern},
       {4}},
      {"sparse_solve", Op::sparse_solve, {shifted, drawn({3, 2}, DType::f64, 2), pattern}, {0, 3}},
      {"gammainc", Op::gammainc, {positive({3}), positive({2, 3})}, {}},
      {"gammainc_in_a", Op::gammainc, {positive({3}), positive({3})}, {1}},
      {"gammaincc", Op::gammaincc, {positive({3}), positive({})}, {}},
      {"betainc", Op::betainc, {positive({3}), positive({2, 1}), positive({3})}, {}},
      {"betainc_in_a_and_b", Op::betainc, {positive({3}), positive({3}), positive({3})}, {1, 1}},
      {"betaincc", Op::betaincc, {positive({}), positive({2}), positive({})}, {}},
      {"beta_density", Op::beta_density, {positive({3}), positive({}), positive({2, 3})}, {}},
      {"betaln", Op::betaln, {positive({3}), positive({2, 3})}, {}},
      {"beta", Op::beta, {positive({3}), positive({2, 3})}, {}},
      {"polygamma_difference", Op::polygamma_difference, {positive({3}), positive({2, 3})}, {1}},
      {"zeta", Op::zeta, {positive({3}, 1), positive({2, 3})}, {1}},
  };
}

// Ops whose values need LAPACK or SciPy's loops, which only Python brings: its tests judge them.
inline bool needs_python(Op wanted) {
  const auto is_linalg = [wanted](Op op, std::string_view family) {
    return op == wanted && (family == "linalg" || family == "determinants" || family == "eigen" ||
                            family == "gaps" || family == "factors" || family == "decompositions" ||
                            family == "matrix_functions");
  };
  bool found = wanted == Op::hyp1f1 || wanted == Op::hyp2f1;
#define STRUCTURED(name, arity, family) found = found || is_linalg(Op::name, #family);
#include "ops/structured.def"
  return found;
}

}  // namespace tapegrad::testing
