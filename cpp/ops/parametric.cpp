// Rules of functions of several parameters: elementwise like the table's, but with up to four
// operands, and with attributes that say how often the function is differentiated in a parameter.
// No attributes: not at all. Values are SciPy's where it has a loop of the op's name.
#include <algorithm>
#include <array>
#include <vector>

#include "base/iterate.hpp"
#include "ops/formula.hpp"
#include "ops/rules.hpp"
#include "ops/special_incomplete.hpp"

namespace tapegrad {
namespace {

int order(Attrs attrs, std::size_t k) { return k < attrs.size() ? static_cast<int>(attrs[k]) : 0; }

// `values(x, attrs)` is the function at one point; `partial(rule, k)` its derivative by operand k.
// `ours`: SciPy's loses digits.
template <Op op, double (*values)(const double*, Attrs), Term (*partial)(Rule&, int), bool ours>
struct Parametric {
  static constexpr int arity = arity_of(op);

  static Meta shape(std::span<const Meta> in, Attrs attrs) {
    for (const std::int64_t n : attrs) require(n >= 0, "orders of derivatives are not negative");
    DType t = in[0].dtype;
    Dims all = in[0].shape;
    for (const Meta& m : in.subspan(1)) {
      t = promote(t, m.dtype);
      broadcast_into(all, m.shape);
    }
    if (t == DType::c128)
      throw Unsupported(std::string(op_name(op)) + " of complex numbers has no derivative rule");
    return {t == DType::f32 ? t : DType::f64, all};
  }

  template <class T>
  static void run(char** p, std::intptr_t n, const std::intptr_t* s, Attrs attrs) {
    const math::Borrowed& library = math::borrowed<T>[static_cast<std::size_t>(op)];
    bool itself = true;
    for (const std::int64_t k : attrs) itself = itself && k == 0;
    if (library.loop && itself && !ours) return library.loop(p, &n, s, library.data);
    for (std::intptr_t i = 0; i < n; ++i) {
      double x[arity];
      for (int k = 0; k < arity; ++k)
        x[k] = static_cast<double>(*reinterpret_cast<const T*>(p[k] + i * s[k]));
      *reinterpret_cast<T*>(p[arity] + i * s[arity]) = static_cast<T>(values(x, attrs));
    }
  }

  static void value(std::span<const Array> in, Attrs attrs, const Array& out) {
    std::array<Array, arity> same;  // integers count as float64
    std::array<Walker, arity + 1> walkers;
    for (std::size_t k = 0; k < arity; ++k) {
      const std::int64_t code[] = {static_cast<std::int64_t>(out.dtype())};
      same[k] = in[k].dtype() == out.dtype() ? in[k] : evaluate(Op::cast, {in[k]}, code);
      walkers[k] = walk(same[k], out.shape());
    }
    walkers[arity] = walk(out, out.shape());
    for_each_run<arity + 1>(out.shape(), walkers,
                            [&](char** p, std::intptr_t n, const std::intptr_t* s) {
                              if (out.dtype() == DType::f32) run<float>(p, n, s, attrs);
                              else run<double>(p, n, s, attrs);
                            });
  }

  static Term tangent(Rule& rule) {
    Term sum(0);
    for (int k = 0; k < arity; ++k)
      if (rule.active(k)) sum = sum + scale(rule.tangent(k), partial(rule, k));
    return sum;
  }

  static void adjoint(Rule& rule, Term adjoint) {
    for (int k = 0; k < arity; ++k)
      if (rule.active(k))
        rule.add(k, fit(rule.hand_on(adjoint, partial(rule, k)), rule.in_meta(k)));
  }

  static constexpr unsigned all = (1u << arity) - 1 | kNeedsOut;
  static constexpr Rules rules = {.shape = shape,
                                  .value = value,
                                  .tangent = tangent,
                                  .adjoint = adjoint,
                                  .needs = {all, all, all},
                                  .lanes = Lanes::aligned};
};

// As of the table's functions: programs hand constants on as literals, and all-literal terms fold.
Term call(Op op, std::initializer_list<Term> in, std::initializer_list<std::int64_t> orders = {}) {
  const Attrs attrs(orders.begin(), orders.size());
  for (const Term& t : in)
    if (t.algebra) return t.algebra->apply(op, in, attrs);
  std::array<Array, 4> numbers;
  std::transform(in.begin(), in.end(), numbers.begin(),
                 [](const Term& t) { return Array::full(DType::f64, {}, t.literal); });
  return Term(evaluate(op, std::span(numbers.data(), in.size()), attrs).at<double>(0));
}

[[noreturn]] void refuse(Op op, const char* argument) {
  throw Unsupported(std::string(op_name(op)) + " has no derivative in its argument " + argument);
}

// gammainc(a, x), the order is that of the derivative in a ----------------------------------------

double gammainc_value(const double* x, Attrs attrs) {
  return special::gammainc_derivative(order(attrs, 0), x[0], x[1]);
}
double gammaincc_value(const double* x, Attrs) {
  return 1 - special::gammainc_derivative(0, x[0], x[1]);
}

// d^n/da^n of x^(a-1) exp(-x) / Gamma(a)
Term gamma_density_derivative(Term a, Term x, int n) {
  const Term slope = n > 0 ? log_minus_psi(x, a) : Term(0);
  return gamma_density(a, x) * special::exponential_derivative<Term>(n, 0, [&](int i, int) {
           return i == 1 ? slope : -polygamma(Term(i - 1), a);
         });
}

Term gammainc_partial(Rule& rule, int k) {
  const Term a = rule.in(0), x = rule.in(1);
  const int n = order(rule.attrs, 0);
  return k == 0 ? call(Op::gammainc, {a, x}, {n + 1}) : gamma_density_derivative(a, x, n);
}
Term gammaincc_partial(Rule& rule, int k) {
  const Term a = rule.in(0), x = rule.in(1);
  return -(k == 0 ? call(Op::gammainc, {a, x}, {1}) : gamma_density(a, x));
}

// betainc(a, b, x), the orders are those in a and b
// -------------------------------------------------

double betainc_value(const double* x, Attrs attrs) {
  return special::betainc_derivative(order(attrs, 0), order(attrs, 1), x[0], x[1], x[2]);
}
double betaincc_value(const double* x, Attrs) {
  return special::betainc_derivative(0, 0, x[1], x[0], 1 - x[2]);
}
double beta_density_value(const double* x, Attrs) {
  return special::beta_density(x[0], x[1], x[2]);
}

// psi_n(a + b) - psi_n(a)
Term polygamma_difference(Term a, Term b, int n = 0) {
  return call(Op::polygamma_difference, {a, b}, {n});
}

// d^m/da^m d^n/db^n of x^(a-1) (1-x)^(b-1) / B(a, b)
Term beta_density_derivative(Term a, Term b, Term x, int m, int n) {
  const auto slope = [&](int i, int j) {
    if (i + j == 1)
      return i == 1 ? log(x) + polygamma_difference(a, b) : log1p(-x) + polygamma_difference(b, a);
    return j == 0   ? polygamma_difference(a, b, i - 1)
           : i == 0 ? polygamma_difference(b, a, j - 1)
                    : polygamma(Term(i + j - 1), a + b);
  };
  return call(Op::beta_density, {a, b, x}) * special::exponential_derivative<Term>(m, n, slope);
}

Term betainc_partial(Rule& rule, int k) {
  const Term a = rule.in(0), b = rule.in(1), x = rule.in(2);
  const int m = order(rule.attrs, 0), n = order(rule.attrs, 1);
  if (k == 2) return beta_density_derivative(a, b, x, m, n);
  return call(Op::betainc, {a, b, x}, {m + (k == 0), n + (k == 1)});
}
Term betaincc_partial(Rule& rule, int k) {
  const Term a = rule.in(0), b = rule.in(1), x = rule.in(2);
  return -(k == 2 ? call(Op::beta_density, {a, b, x})
                  : call(Op::betainc, {a, b, x}, {k == 0, k == 1}));
}

// In x by the product rule, on the borders by (a + b - 1) (f(a-1, b) - f(a, b-1)).
Term beta_density_partial(Rule& rule, int k) {
  const Term a = rule.in(0), b = rule.in(1), x = rule.in(2);
  if (k == 0) return scale(rule.out(), log(x) + polygamma_difference(a, b));
  if (k == 1) return scale(rule.out(), log1p(-x) + polygamma_difference(b, a));
  const Term inside = rule.out() * ((a - Term(1)) / x - (b - Term(1)) / (Term(1) - x));
  const Term border = (a + b - Term(1)) * (call(Op::beta_density, {a - Term(1), b, x}) -
                                           call(Op::beta_density, {a, b - Term(1), x}));
  return select(x * (Term(1) - x) == Term(0), border, inside);
}

// betaln, beta, polygamma_difference(a, b) = psi_n(a + b) - psi_n(a)
// --------------------------------

double betaln_value(const double* x, Attrs) { return special::betaln(x[0], x[1]); }
double beta_value(const double* x, Attrs) { return std::exp(special::betaln(x[0], x[1])); }
double polygamma_difference_value(const double* x, Attrs attrs) {
  return special::polygamma_difference(order(attrs, 0), x[0], x[1]);
}

Term betaln_partial(Rule& rule, int k) { return -polygamma_difference(rule.in(k), rule.in(1 - k)); }
Term beta_partial(Rule& rule, int k) { return rule.out() * betaln_partial(rule, k); }
Term polygamma_difference_partial(Rule& rule, int k) {
  const Term a = rule.in(0), b = rule.in(1);
  const int n = order(rule.attrs, 0);
  return k == 0 ? polygamma_difference(a, b, n + 1) : polygamma(Term(n + 1), a + b);
}

// zeta(s, q) = sum of (k + q)^-s, the order n is that in s, with (-log(k + q))^n in each term
// -------

double zeta_value(const double* x, Attrs attrs) {
  return special::zeta_derivative(order(attrs, 0), x[0], x[1]);
}
Term zeta_partial(Rule& rule, int k) {
  const Term s = rule.in(0), q = rule.in(1);
  const int n = order(rule.attrs, 0);
  if (k == 0) return call(Op::zeta, {s, q}, {n + 1});
  const Term next = s + Term(1), slope = -(s * call(Op::zeta, {next, q}, {n}));
  return n == 0 ? slope : slope - Term(n) * call(Op::zeta, {next, q}, {n - 1});
}

// Hypergeometric functions, in their last argument ------------------------------------------------

double unknown_value(const double*, Attrs) { return nan; }  // SciPy brings them

Term hyp1f1_partial(Rule& rule, int k) {
  const Term a = rule.in(0), b = rule.in(1), one(1);
  if (k < 2) refuse(rule.op, k == 0 ? "a" : "b");
  return a / b * call(Op::hyp1f1, {a + one, b + one, rule.in(2)});
}
Term hyp2f1_partial(Rule& rule, int k) {
  const Term a = rule.in(0), b = rule.in(1), c = rule.in(2), one(1);
  if (k < 3) refuse(rule.op, k == 0 ? "a" : k == 1 ? "b" : "c");
  return a * b / c * call(Op::hyp2f1, {a + one, b + one, c + one, rule.in(3)});
}

}  // namespace

#define PARAMETRIC(name, value, ours) \
  const Rules rules::name = Parametric<Op::name, value, name##_partial, ours>::rules;
PARAMETRIC(gammainc, gammainc_value, false)
PARAMETRIC(gammaincc, gammaincc_value, false)
PARAMETRIC(betainc, betainc_value, false)
PARAMETRIC(betaincc, betaincc_value, false)
PARAMETRIC(beta_density, beta_density_value, true)
PARAMETRIC(betaln, betaln_value, true)
PARAMETRIC(beta, beta_value, false)
PARAMETRIC(polygamma_difference, polygamma_difference_value, true)
PARAMETRIC(zeta, zeta_value, true)
PARAMETRIC(hyp1f1, unknown_value, false)
PARAMETRIC(hyp2f1, unknown_value, false)
#undef PARAMETRIC

}  // namespace tapegrad
