// Derivatives of templated C++ code: the gradient, a Hessian-vector product and a Jacobian, each
// beside its closed form. Exits 1 where they differ.
#include <cmath>
#include <cstdio>
#include <string>
#include <tapegrad/tapegrad.hpp>
#include <vector>

namespace {

// Rosenbrock's valley. Generic in the scalar: double computes it, tapegrad::Var records it.
struct Rosenbrock {
  template <class T>
  T operator()(const std::vector<T>& x) const {
    T sum = 0.0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const T rise = x[i + 1] - x[i] * x[i];
      const T gap = 1.0 - x[i];
      sum += 100.0 * rise * rise + gap * gap;
    }
    return sum;
  }
};

// From polar to Cartesian coordinates; cos and sin are found by argument-dependent lookup.
struct Cartesian {
  template <class T>
  std::vector<T> operator()(const std::vector<T>& polar) const {
    using std::cos, std::sin;
    return {polar[0] * cos(polar[1]), polar[0] * sin(polar[1])};
  }
};

bool agrees(const std::string& what, const std::vector<double>& got,
            const std::vector<double>& expected) {
  double error = got.size() == expected.size() ? 0.0 : HUGE_VAL;
  std::printf("%-9s", what.c_str());
  for (std::size_t i = 0; i < got.size(); ++i) {
    std::printf(" %12.6f", got[i]);
    if (i < expected.size()) error = std::fmax(error, std::fabs(got[i] - expected[i]));
  }
  std::printf("   error %.1e\n", error);
  return error < 1e-10;
}

}  // namespace

int main() {
  const std::vector<double> x{-1.2, 1.0};
  const std::vector<double> v{1.0, 2.0};
  const double rise = x[1] - x[0] * x[0];
  const std::vector<double> gradient{-400.0 * x[0] * rise - 2.0 * (1.0 - x[0]), 200.0 * rise};
  const double h00 = 1200.0 * x[0] * x[0] - 400.0 * x[1] + 2.0;
  const double h01 = -400.0 * x[0];
  const double h11 = 200.0;

  bool ok = agrees("gradient", tapegrad::gradient(Rosenbrock{}, x), gradient);
  ok &= agrees("hvp", tapegrad::hvp(Rosenbrock{}, x, v),
               {h00 * v[0] + h01 * v[1], h01 * v[0] + h11 * v[1]});

  const std::vector<double> polar{2.0, 0.5};
  const std::vector<std::vector<double>> jacobian{{std::cos(0.5), -2.0 * std::sin(0.5)},
                                                  {std::sin(0.5), 2.0 * std::cos(0.5)}};
  const auto rows = tapegrad::jacobian(Cartesian{}, polar);
  for (std::size_t i = 0; i < jacobian.size(); ++i) {
    ok &= agrees("jacobian " + std::to_string(i), rows[i], jacobian[i]);
  }
  return ok ? 0 : 1;
}
