// The table of elementwise ops as a list to loop over, with sample points and difference quotients.
// For the tests of ops and of Var.
#pragma once

#include <array>
#include <ostream>
#include <vector>

#include "ops/formula.hpp"

namespace tapegrad::testing {

using PartialFunction = double (*)(const double& x, const double& y, const double& result);

struct TableRow {
  Op op;
  int arity;
  bool complex;  // the formulas hold for complex arguments, and need no SciPy for their values
  std::array<double, 2> low, high;
  std::array<PartialFunction, 2> partial;

  // An argument with one sample is a parameter: an order, an integer exponent.
  bool differentiable_in(int operand) const { return low[operand] < high[operand]; }
};

inline void PrintTo(const TableRow& row, std::ostream* os) { *os << op_name(row.op); }

inline const std::vector<TableRow>& table() {
  static const std::vector<TableRow> rows{
#define UNARY(name, field, value, dx, low, high)                                                   \
  TableRow{                                                                                        \
      Op::name, 1,         math::Formula<Op::name>::complex && !math::Formula<Op::name>::borrowed, \
      {low, 0}, {high, 0}, {math::Formula<Op::name>::partial<0, double>, nullptr}},
#define BINARY(name, field, value, dx, dy, lowx, highx, lowy, highy)          \
  TableRow{                                                                   \
      Op::name,                                                               \
      2,                                                                      \
      math::Formula<Op::name>::complex && !math::Formula<Op::name>::borrowed, \
      {lowx, lowy},                                                           \
      {highx, highy},                                                         \
      {math::Formula<Op::name>::partial<0, double>, math::Formula<Op::name>::partial<1, double>}},
#include "ops/elementwise.def"
  };
  return rows;
}

// Some points inside the row's ranges.
inline std::vector<std::array<double, 2>> samples(const TableRow& row) {
  constexpr std::array<double, 5> fractions{0.07, 0.29, 0.52, 0.71, 0.94};
  const auto at = [&row](int k, double fraction) {
    return row.low[k] + fraction * (row.high[k] - row.low[k]);
  };
  std::vector<std::array<double, 2>> points;
  for (const double u : fractions) {
    for (const double v : fractions) {
      points.push_back({at(0, u), at(1, v)});
      if (row.arity == 1) break;
    }
  }
  return points;
}

// f'(at) from central differences with two Richardson steps: an error of order h^6.
template <class F>
auto difference_quotient(const F& f, double h) {
  const auto central = [&f](double step) { return (f(step) - f(-step)) / (2 * step); };
  const auto d1 = central(h);
  const auto d2 = central(h / 2);
  const auto d4 = central(h / 4);
  const auto e1 = (4.0 * d2 - d1) / 3.0;
  const auto e2 = (4.0 * d4 - d2) / 3.0;
  return (16.0 * e2 - e1) / 15.0;
}

}  // namespace tapegrad::testing
