// Products in tiles of 8 rows and two vectors of columns, for x86-64 with AVX-512. A part of b that
// fits the second-level cache is copied into panels as wide as a tile; rows of a are read as they
// lie, or, if they are not contiguous, from a copy.
#include "ops/tile_product.hpp"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)

#include <immintrin.h>

// In force to the end of the file: templates are instantiated there.
#pragma GCC target("avx512f,fma")

namespace tapegrad {
namespace {

template <class T>
struct Lanes;

template <>
struct Lanes<double> {
  static constexpr int width = 8;
  using V = __m512d;
  static V zero() { return _mm512_setzero_pd(); }
  static V load(const double* p) { return _mm512_loadu_pd(p); }
  static void store(double* p, V v) { _mm512_storeu_pd(p, v); }
  static V fused(double x, V y, V z) { return _mm512_fmadd_pd(_mm512_set1_pd(x), y, z); }
  static V sum(V x, V y) { return _mm512_add_pd(x, y); }
  static __mmask8 first(std::int64_t n) { return static_cast<__mmask8>((1u << n) - 1); }
  static V load_first(const double* p, std::int64_t n) {
    return _mm512_maskz_loadu_pd(first(n), p);
  }
  static void store_first(double* p, V v, std::int64_t n) { _mm512_mask_storeu_pd(p, first(n), v); }
};

template <>
struct Lanes<float> {
  static constexpr int width = 16;
  using V = __m512;
  static V zero() { return _mm512_setzero_ps(); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  static V fused(float x, V y, V z) { return _mm512_fmadd_ps(_mm512_set1_ps(x), y, z); }
  static V sum(V x, V y) { return _mm512_add_ps(x, y); }
  static __mmask16 first(std::int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
  static V load_first(const float* p, std::int64_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  static void store_first(float* p, V v, std::int64_t n) { _mm512_mask_storeu_ps(p, first(n), v); }
};

constexpr int kRows = 8, kVectors = 2;
constexpr std::int64_t kDepth = 256;  // of k that is summed before the next part of b is copied

std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

template <class T>
struct Tiles {
  using L = Lanes<T>;
  using V = typename L::V;
  static constexpr std::int64_t kPanel = kVectors * L::width;
  static constexpr std::int64_t kCopied = kRows * kDepth;  // of a
  static constexpr std::int64_t kColumns =
      (kTileWorkspace / static_cast<std::int64_t>(sizeof(T)) - kCopied) / kDepth / kPanel * kPanel;

  // A panel holds `depth` rows of kPanel numbers; those beyond the last column are never stored.
  static void copy_panel(Steps<const T> b, std::int64_t depth, std::int64_t columns, T* to) {
    const std::int64_t all = least(columns, kPanel);
    if (b.right == 1) {
      const std::int64_t first = least(all, L::width), second = all - first;
      for (std::int64_t l = 0; l < depth; ++l, to += kPanel) {
        const T* from = b.data + l * b.down;
        L::store(to, L::load_first(from, first));
        L::store(to + L::width, L::load_first(from + first, second));
      }
      return;
    }
    for (std::int64_t j = 0; j < kPanel; ++j)
      for (std::int64_t l = 0; l < depth; ++l)
        to[l * kPanel + j] = j < all ? b.data[l * b.down + j * b.right] : T(0);
  }
  static void copy_rows(Steps<const T> a, std::int64_t depth, std::int64_t rows, T* to) {
    for (std::int64_t l = 0; l < depth; ++l)
      for (std::int64_t i = 0; i < rows; ++i) to[l * kRows + i] = a.data[l * a.right + i * a.down];
  }

  // One tile: `rows` rows of c, `columns` of the panel; added to what is there unless it is first.
  template <int rows, int vectors>
  static void tile(Steps<const T> a, const T* panel, std::int64_t depth, Steps<T> c,
                   std::int64_t columns, bool is_first) {
    V sums[rows][vectors];
    for (int i = 0; i < rows; ++i)
      for (int v = 0; v < vectors; ++v) sums[i][v] = L::zero();
    const T* x = a.data;
    for (std::int64_t l = 0; l < depth; ++l, x += a.right, panel += kPanel) {
      V y[vectors];
      for (int v = 0; v < vectors; ++v) y[v] = L::load(panel + v * L::width);
#pragma GCC unroll 8
      for (int i = 0; i < rows; ++i)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sums[i][v] = L::fused(x[i * a.down], y[v], sums[i][v]);
    }
    for (int i = 0; i < rows; ++i)
      for (int v = 0; v < vectors; ++v) {
        T* to = c.data + i * c.down + v * L::width;
        const std::int64_t n = least(columns - v * L::width, L::width);
        if (!is_first) sums[i][v] = L::sum(L::load_first(to, n), sums[i][v]);
        L::store_first(to, sums[i][v], n);
      }
  }
  template <int rows>
  static void strip(Steps<const T> a, const T* panels, std::int64_t depth, Steps<T> c,
                    std::int64_t columns, bool is_first) {
    for (; columns > 0; columns -= kPanel, panels += kDepth * kPanel, c.data += kPanel)
      if (columns > L::width) tile<rows, 2>(a, panels, depth, c, least(columns, kPanel), is_first);
      else tile<rows, 1>(a, panels, depth, c, columns, is_first);
  }
  static constexpr decltype(&strip<1>) kStrips[kRows] = {strip<1>, strip<2>, strip<3>, strip<4>,
                                                         strip<5>, strip<6>, strip<7>, strip<8>};

  static void part(std::int64_t m, std::int64_t depth, std::int64_t columns, Steps<const T> a,
                   const T* panels, Steps<T> c, bool is_first, T* copied) {
    for (std::int64_t i = 0; i < m; i += kRows) {
      const std::int64_t rows = least(m - i, kRows);
      Steps<const T> some{a.data + i * a.down, a.down, a.right};
      if (a.right != 1) {
        copy_rows(some, depth, rows, copied);
        some = {copied, 1, kRows};
      }
      kStrips[rows - 1](some, panels, depth, {c.data + i * c.down, c.down, 1}, columns, is_first);
    }
  }

  static void run(ProductSize s, Steps<const T> a, Steps<const T> b, Steps<T> c, T* workspace) {
    T* const panels = workspace + kCopied;
    for (std::int64_t j = 0; j < s.n; j += kColumns)
      for (std::int64_t l = 0; l < s.k; l += kDepth) {
        const std::int64_t columns = least(s.n - j, kColumns), depth = least(s.k - l, kDepth);
        for (std::int64_t p = 0; p < columns; p += kPanel)
          copy_panel({b.data + l * b.down + (j + p) * b.right, b.down, b.right}, depth, columns - p,
                     panels + p * kDepth);
        part(s.m, depth, columns, {a.data + l * a.right, a.down, a.right}, panels,
             {c.data + j, c.down, 1}, l == 0, workspace);
      }
  }
};

template <class T>
TileProduct<T> found() {
  return __builtin_cpu_supports("avx512f") ? &Tiles<T>::run : nullptr;
}

}  // namespace

template <>
TileProduct<double> tile_product<double>() {
  return found<double>();
}
template <>
TileProduct<float> tile_product<float>() {
  return found<float>();
}

}  // namespace tapegrad

#else

namespace tapegrad {
template <>
TileProduct<double> tile_product<double>() {
  return nullptr;
}
template <>
TileProduct<float> tile_product<float>() {
  return nullptr;
}
}  // namespace tapegrad

#endif
