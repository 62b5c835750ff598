// What is known of a function without any engine: its count of scalar operations, and its
// derivative along a direction by the complex step. Used by workloads.hpp and the C++ tests.
#pragma once

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

// A double that counts the arithmetic and math calls made on it; comparisons and copies are free.
class Counted {
 public:
  Counted(double value = 0.0) : value_(value) {}

  static std::int64_t& operations() {
    static std::int64_t count = 0;
    return count;
  }

  friend Counted operator+(Counted a, Counted b) { return counted(a.value_ + b.value_); }
  friend Counted operator-(Counted a, Counted b) { return counted(a.value_ - b.value_); }
  friend Counted operator*(Counted a, Counted b) { return counted(a.value_ * b.value_); }
  friend Counted operator/(Counted a, Counted b) { return counted(a.value_ / b.value_); }
  friend Counted operator-(Counted a) { return counted(-a.value_); }
  Counted& operator+=(Counted b) { return *this = *this + b; }
  Counted& operator-=(Counted b) { return *this = *this - b; }
  Counted& operator*=(Counted b) { return *this = *this * b; }
  friend bool operator<(Counted a, Counted b) { return a.value_ < b.value_; }
  friend Counted exp(Counted a) { return counted(std::exp(a.value_)); }
  friend Counted log(Counted a) { return counted(std::log(a.value_)); }
  friend Counted sin(Counted a) { return counted(std::sin(a.value_)); }
  friend Counted cos(Counted a) { return counted(std::cos(a.value_)); }
  friend Counted tanh(Counted a) { return counted(std::tanh(a.value_)); }

 private:
  static Counted counted(double value) {
    ++operations();
    return value;
  }
  double value_;
};

template <class F>
std::int64_t count_operations(const F& f, const std::vector<double>& x) {
  Counted::operations() = 0;
  f(std::vector<Counted>(x.begin(), x.end()));
  return Counted::operations();
}

// d/ds f(x + s v) at s = 0, as Im f(x + i h v) / h: exact to rounding for analytic f, since
// nothing is subtracted (Squire and Trapp, SIAM Review 40(1), 1998).
template <class F>
double complex_step(const F& f, const std::vector<double>& x, const std::vector<double>& v) {
  const double h = 1e-100;
  std::vector<std::complex<double>> z(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) z[i] = {x[i], h * v[i]};
  const std::complex<double> y = f(z);
  return y.imag() / h;
}

}  // namespace bench
