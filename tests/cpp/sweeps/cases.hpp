// What the sweep tests loop over: every structured op and every elementwise op on arrays that
// broadcast; and the arithmetic on whole arrays that judging them takes.
#pragma once

#include <string>
#include <vector>

#include "base/copy.hpp"
#include "ops/elementwise.hpp"
#include "ops/structured_cases.hpp"
#include "ops/table.hpp"
#include "tape/recording.hpp"

namespace tapegrad::testing {

// Points of the row's range, spread over an array of this shape.
inline Array sampled(const TableRow& row, int operand, const Dims& shape) {
  const Array a = drawn(shape, DType::f64, 5 + static_cast<std::uint64_t>(operand));
  const double middle = 0.5 * (row.low[operand] + row.high[operand]);
  const double half = 0.45 * (row.high[operand] - row.low[operand]);
  for (std::int64_t i = 0; i < a.size(); ++i) a.at<double>(i) = middle + half * a.at<double>(i);
  return a;
}

inline std::vector<StructuredCase> all_cases() {
  std::vector<StructuredCase> cases = structured_cases();
  for (const TableRow& row : table()) {
    if (!row.differentiable_in(row.arity - 1) || row.op == Op::nextafter) continue;
    const std::string name(op_name(row.op));
    if (row.arity == 1) {
      cases.push_back({name, row.op, {sampled(row, 0, {2, 3})}, {}});
      continue;
    }
    cases.push_back({name, row.op, {sampled(row, 0, {3}), sampled(row, 1, {3})}, {}});
    cases.push_back(
        {name + "_broadcast", row.op, {sampled(row, 0, {2, 1}), sampled(row, 1, {3})}, {}});
    cases.push_back({name + "_scalars", row.op, {sampled(row, 0, {}), sampled(row, 1, {})}, {}});
  }
  return cases;
}

// Whether derivatives with respect to operand i of the case are taken.
inline bool is_variable(const StructuredCase& c, std::size_t i) {
  if (!is_differentiable(c.in[i].dtype())) return false;
  for (const TableRow& row : table()) {
    if (row.op == c.op) return row.differentiable_in(static_cast<int>(i));
  }
  return true;
}

// Re sum a b: the pairing in which adjoints are dual to tangents (no conjugation, see docs).
inline double pairing(const Array& a_, const Array& b_) {
  const Array a = contiguous(a_);
  const Array b = contiguous(b_);
  return dispatch_float(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    double sum = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) sum += std::real(a.at<T>(i) * b.at<T>(i));
    return sum;
  });
}

inline Array moved(const Array& a_, const Array& v_, double h) {
  const Array a = contiguous(a_);
  const Array v = contiguous(v_);
  const Array sum = Array::empty(a.dtype(), a.shape());
  dispatch_float(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < a.size(); ++i) sum.at<T>(i) = a.at<T>(i) + T(h) * v.at<T>(i);
  });
  return sum;
}

// Two arrays as the lanes of one.
inline Array stacked(const Array& a, const Array& b) {
  Dims shape = a.shape();
  shape.insert(0, 2);
  const Array both = Array::empty(a.dtype(), shape);
  const Array parts[] = {contiguous(a), contiguous(b)};
  for (int k = 0; k < 2; ++k) {
    std::memcpy(both.data() + k * a.nbytes(), parts[k].data(),
                static_cast<std::size_t>(a.nbytes()));
  }
  return both;
}

// The largest difference of two arrays, and of their shapes and dtypes: infinity.
inline double distance(const Array& a_, const Array& b_) {
  if (!a_ || !b_ || a_.dtype() != b_.dtype() || !(a_.shape() == b_.shape())) return INFINITY;
  const Array d = moved(a_, b_, -1.0);
  return dispatch_float(d.dtype(), [&](auto zero) {
    using T = decltype(zero);
    double top = 0;
    for (std::int64_t i = 0; i < d.size(); ++i) {
      const double e = std::abs(d.at<T>(i));
      if (!(e <= top)) top = e;
    }
    return top;
  });
}

}  // namespace tapegrad::testing
