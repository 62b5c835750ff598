// Products of matrices of moderate size in tiles of registers. Several builds of BLAS do not use
// the vectors of 512 bits that a machine has; on such machines this is up to twice as fast. Called
// by products.cpp. Free of inline functions: tile_product.cpp is compiled for another machine.
#pragma once

#include <cstdint>

namespace tapegrad {

// Where a matrix lies, in steps of elements.
template <class T>
struct Steps {
  T* data;
  std::int64_t down, right;
};

struct ProductSize {
  std::int64_t m, n, k;
};

// c = a b, where a is m x k and b is k x n, k > 0, and the rows of c are contiguous. An element is
// summed in the order of k, whatever m and n are. `workspace` has kTileWorkspace bytes.
template <class T>
using TileProduct = void (*)(ProductSize size, Steps<const T> a, Steps<const T> b, Steps<T> c,
                             T* workspace);
inline constexpr std::int64_t kTileWorkspace = (256 + 16) << 10;

// Nothing if this machine is better off with BLAS.
template <class T>
TileProduct<T> tile_product();
template <>
TileProduct<double> tile_product<double>();
template <>
TileProduct<float> tile_product<float>();

}  // namespace tapegrad
