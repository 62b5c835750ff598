// Products in tiles against sums in long double: every remainder of rows and columns, several parts
// of the depth and of the columns, operands as they lie and transposed, rows apart.
#include "ops/tile_product.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace tapegrad {
namespace {

template <class T>
std::vector<T> normal(std::int64_t count, std::mt19937& random) {
  std::normal_distribution<T> next;
  std::vector<T> numbers(static_cast<std::size_t>(count));
  for (T& x : numbers) x = next(random);
  return numbers;
}

template <class T>
Steps<const T> steps(const std::vector<T>& of, std::int64_t rows, std::int64_t cols, bool by_rows) {
  return by_rows ? Steps<const T>{of.data(), cols, 1} : Steps<const T>{of.data(), 1, rows};
}

template <class T>
void check(ProductSize s, bool a_by_rows, bool b_by_rows) {
  const TileProduct<T> run = tile_product<T>();
  if (!run) GTEST_SKIP() << "this machine has BLAS for it";
  std::mt19937 random(7);
  const std::vector<T> left = normal<T>(s.m * s.k, random), right = normal<T>(s.k * s.n, random);
  const Steps<const T> a = steps(left, s.m, s.k, a_by_rows), b = steps(right, s.k, s.n, b_by_rows);
  const std::int64_t apart = s.n + 3;
  std::vector<T> c(static_cast<std::size_t>(s.m * apart), T(-1));
  std::vector<T> workspace(kTileWorkspace / sizeof(T), std::nan(""));
  run(s, a, b, {c.data(), apart, 1}, workspace.data());
  const double tolerance = 8 * std::numeric_limits<T>::epsilon() * static_cast<double>(s.k);
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < apart; ++j) {
      const T found = c[static_cast<std::size_t>(i * apart + j)];
      if (j >= s.n) {
        ASSERT_EQ(found, T(-1)) << "written beyond the columns at " << i << ", " << j;
        continue;
      }
      long double sum = 0;
      for (std::int64_t l = 0; l < s.k; ++l)
        sum += static_cast<long double>(a.data[i * a.down + l * a.right]) *
               b.data[l * b.down + j * b.right];
      ASSERT_NEAR(found, static_cast<double>(sum), tolerance) << i << ", " << j << " of " << s.n;
    }
}

template <class T>
void check_all() {
  for (const bool a_by_rows : {true, false})
    for (const bool b_by_rows : {true, false}) {
      for (std::int64_t m = 1; m <= 9; ++m) check<T>({m, 11, 5}, a_by_rows, b_by_rows);
      for (std::int64_t n = 1; n <= 34; ++n) check<T>({3, n, 2}, a_by_rows, b_by_rows);
      check<T>({5, 7, 1}, a_by_rows, b_by_rows);
      check<T>({9, 20, 600}, a_by_rows, b_by_rows);
      check<T>({4, 300, 257}, a_by_rows, b_by_rows);
    }
}

TEST(TileProduct, of_doubles) { check_all<double>(); }
TEST(TileProduct, of_floats) { check_all<float>(); }

}  // namespace
}  // namespace tapegrad
