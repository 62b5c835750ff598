// A custom rule whose derivatives are of its own kind: rows of polynomials in the rows of its
// operands. What the tests of the op `custom` judge sweeps, lanes and programs with.
#pragma once

#include "base/copy.hpp"
#include "ops/custom.hpp"

namespace tapegrad::testing {

class PolynomialRule final : public CustomRule {
 public:
  struct Factor {
    std::size_t operand, row;
  };
  using Monomial = std::vector<Factor>;      // a product
  using Polynomial = std::vector<Monomial>;  // a sum of products

  // `length` numbers a row; `rows` of each operand; a polynomial for each row of the result.
  PolynomialRule(std::int64_t length, std::vector<std::size_t> rows,
                 std::vector<Polynomial> results)
      : length_(length), rows_(std::move(rows)), results_(std::move(results)) {}

  void value(std::span<const Array> in, const Array& out) override {
    std::vector<Array> dense;
    for (auto& a : in) dense.push_back(contiguous_f64(a));
    const auto n = static_cast<std::size_t>(length_);
    for (std::size_t r = 0; r < results_.size(); ++r)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (auto& monomial : results_[r]) {
          double product = 1;
          for (auto& f : monomial) product *= dense[f.operand].ptr<double>()[f.row * n + j];
          sum += product;
        }
        out.ptr<double>()[r * n + j] = sum;
      }
  }

  Handle tangent(const Mask& active) override {
    std::vector<std::size_t> rows = rows_, moved(rows_.size());
    rows.push_back(results_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!active[i]) continue;
      moved[i] = rows.size();
      rows.push_back(rows_[i]);
    }
    std::vector<Polynomial> results;
    for (auto& polynomial : results_) {
      Polynomial derivative;
      for (auto& monomial : polynomial)
        for (std::size_t k = 0; k < monomial.size(); ++k) {
          if (!active[monomial[k].operand]) continue;
          derivative.push_back(monomial);
          derivative.back()[k].operand = moved[monomial[k].operand];
        }
      results.push_back(std::move(derivative));
    }
    return std::make_shared<PolynomialRule>(length_, rows, results);
  }

  Handle adjoint(const Mask& active) override {
    std::vector<std::size_t> rows{results_.size(), results_.size()};
    rows.insert(rows.end(), rows_.begin(), rows_.end());
    std::vector<Polynomial> results;
    for (std::size_t i = 0; i < rows_.size(); ++i)
      for (std::size_t row = 0; active[i] && row < rows_[i]; ++row)
        results.push_back(gradient({i, row}));
    return std::make_shared<PolynomialRule>(length_, rows, results);
  }

  Handle batched(const Mask& operands, std::int64_t lanes) override {
    std::vector<std::size_t> rows = rows_;
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (operands[i]) rows[i] *= static_cast<std::size_t>(lanes);
    std::vector<Polynomial> results;
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(lanes); ++lane)
      for (Polynomial polynomial : results_) {
        for (auto& monomial : polynomial)
          for (auto& f : monomial)
            if (operands[f.operand]) f.row += lane * rows_[f.operand];
        results.push_back(std::move(polynomial));
      }
    return std::make_shared<PolynomialRule>(length_, rows, results);
  }

  std::string name() const override { return "polynomial"; }

 private:
  // The adjoint of one row: its operands are the cotangent, the result and those of this rule.
  Polynomial gradient(Factor by) const {
    Polynomial sum;
    for (std::size_t r = 0; r < results_.size(); ++r)
      for (auto& monomial : results_[r])
        for (std::size_t k = 0; k < monomial.size(); ++k) {
          if (monomial[k].operand != by.operand || monomial[k].row != by.row) continue;
          Monomial term = monomial;
          for (auto& f : term) f.operand += 2;
          term[k] = {0, r};
          sum.push_back(std::move(term));
        }
    return sum;
  }
  static Array contiguous_f64(const Array& a) {
    const Array copy = Array::empty(DType::f64, a.shape());
    const std::int64_t code[] = {static_cast<std::int64_t>(DType::f64)};
    copy_into(evaluate(Op::cast, {a}, code), copy);
    return copy;
  }

  std::int64_t length_;
  std::vector<std::size_t> rows_;
  std::vector<Polynomial> results_;
};

// y = x0 * x0 * x1 of three numbers each.
inline CustomRule::Handle square_times() {
  return std::make_shared<PolynomialRule>(
      3, std::vector<std::size_t>{1, 1},
      std::vector<PolynomialRule::Polynomial>{{{{0, 0}, {0, 0}, {1, 0}}}});
}

}  // namespace tapegrad::testing
