#include "base/copy.hpp"

#include <limits>

#include <cstdlib>

#include "base/iterate.hpp"
#include "base/order.hpp"

namespace tapegrad {
namespace {

constexpr std::int64_t kTile = 32;    // two tiles of complex numbers fill a 32 KiB cache
constexpr std::int64_t kShort = 8;    // runs of fewer elements cost more to begin than to do
constexpr std::int64_t kBlock = 512;  // rows that are still in the cache for the next column

// The two arrays axis by axis, outermost first, with strides in bytes.
struct Pair {
  Dims shape;
  Walker to, from;
};

// Puts the axes in the order of the memory of `to` (largest stride first) and merges neighbours
// that both arrays walk as one.
Pair collapse(Pair pair) {
  Dims& shape = pair.shape;
  Walker &to = pair.to, &from = pair.from;
  auto swap = [&](std::size_t i, std::size_t j) {
    std::swap(shape[i], shape[j]);
    std::swap(to.strides[i], to.strides[j]);
    std::swap(from.strides[i], from.strides[j]);
  };
  for (std::size_t i = 1; i < shape.size(); ++i)
    for (std::size_t j = i; j > 0 && std::abs(to.strides[j - 1]) < std::abs(to.strides[j]); --j)
      swap(j - 1, j);
  std::size_t axes = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 1) continue;
    const bool merge = axes > 0 && to.strides[axes - 1] == to.strides[d] * shape[d] &&
                       from.strides[axes - 1] == from.strides[d] * shape[d];
    if (!merge) ++axes;
    shape[axes - 1] = merge ? shape[axes - 1] * shape[d] : shape[d];
    to.strides[axes - 1] = to.strides[d];
    from.strides[axes - 1] = from.strides[d];
  }
  shape.resize(axes);
  to.strides.resize(axes);
  from.strides.resize(axes);
  return pair;
}

template <std::size_t item>
void copy_run(char* to, char* from, std::intptr_t n, std::intptr_t to_step, std::intptr_t step) {
  if (to_step == item && step == item) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * item);
  } else if (to_step == item) {
    for (std::intptr_t i = 0; i < n; ++i) std::memcpy(to + i * item, from + i * step, item);
  } else {
    for (std::intptr_t i = 0; i < n; ++i) std::memcpy(to + i * to_step, from + i * step, item);
  }
}

// A plane of which `to` walks axis 1 fastest. Where `from` walks axis 0 fastest, tiles use every
// cache line whole; where axis 1 is short, runs go along axis 0.
struct Plane {
  std::int64_t n[2], to[2], from[2];
};
template <std::size_t item>
void copy_columns(char* to, char* from, const Plane& plane) {
  for (std::int64_t i = 0; i < plane.n[0]; i += kBlock)
    for (std::int64_t j = 0; j < plane.n[1]; ++j)
      copy_run<item>(to + i * plane.to[0] + j * plane.to[1],
                     from + i * plane.from[0] + j * plane.from[1], std::min(kBlock, plane.n[0] - i),
                     plane.to[0], plane.from[0]);
}
template <std::size_t item>
void copy_plane(char* to, char* from, const Plane& plane) {
  if (plane.n[1] < kShort) return copy_columns<item>(to, from, plane);
  for (std::int64_t i0 = 0; i0 < plane.n[0]; i0 += kTile) {
    const std::int64_t i1 = std::min(i0 + kTile, plane.n[0]);
    for (std::int64_t j0 = 0; j0 < plane.n[1]; j0 += kTile) {
      const std::int64_t columns = std::min(kTile, plane.n[1] - j0);
      for (std::int64_t i = i0; i < i1; ++i)
        copy_run<item>(to + i * plane.to[0] + j0 * plane.to[1],
                       from + i * plane.from[0] + j0 * plane.from[1], columns, plane.to[1],
                       plane.from[1]);
    }
  }
}

// The axis that makes a plane with the last one: one that `from` walks contiguously, or the longest
// beside a short last axis. -1 if the last axis is best alone.
int plane_axis(const Pair& pair, std::int64_t item) {
  const int last = pair.shape.ndim() - 1;
  if (last < 1 || std::abs(pair.from.strides[last]) == item) return -1;
  if (pair.shape.back() < kShort) {
    const auto longest = std::max_element(pair.shape.begin(), pair.shape.end());
    return *longest >= kShort ? static_cast<int>(longest - pair.shape.begin()) : -1;
  }
  if (pair.from.strides[last] == 0) return -1;
  for (int d = 0; d < last; ++d)
    if (std::abs(pair.from.strides[d]) == item) return d;
  return -1;
}

template <std::size_t item>
void copy_items(Pair pair) {
  const int first = plane_axis(pair, item);
  const std::array<Walker, 2> walkers{pair.to, pair.from};
  if (first < 0) {
    for_each_run<2>(pair.shape, walkers, [](char** p, std::intptr_t n, const std::intptr_t* s) {
      copy_run<item>(p[0], p[1], n, s[0], s[1]);
    });
    return;
  }
  Plane plane;
  const int axes[] = {first, pair.shape.ndim() - 1};
  for (int k = 0; k < 2; ++k) {
    plane.n[k] = pair.shape[axes[k]];
    plane.to[k] = pair.to.strides[axes[k]];
    plane.from[k] = pair.from.strides[axes[k]];
    pair.shape[axes[k]] = 1;
  }
  for_each_run<2>(pair.shape, walkers, [&](char** p, std::intptr_t n, const std::intptr_t* s) {
    for (std::intptr_t i = 0; i < n; ++i) copy_plane<item>(p[0] + i * s[0], p[1] + i * s[1], plane);
  });
}

}  // namespace

void copy_into(const Array& from, const Array& to) {
  ensure(from.dtype() == to.dtype(), "a copy keeps the dtype");
  if (from.shape() == to.shape() && from.contiguous() && to.contiguous()) {
    std::memcpy(to.data(), from.data(), static_cast<std::size_t>(to.nbytes()));
    return;
  }
  if (!(broadcast_shapes(from.shape(), to.shape()) == to.shape()))
    throw Error("cannot broadcast shape " + from.shape().str() + " to " + to.shape().str());
  const Pair pair = collapse({to.shape(), walk(to, to.shape()), walk(from, to.shape())});
  switch (itemsize(to.dtype())) {
    case 1: return copy_items<1>(pair);
    case 4: return copy_items<4>(pair);
    case 8: return copy_items<8>(pair);
    default: return copy_items<16>(pair);
  }
}

Array contiguous(const Array& a) {
  if (a.contiguous()) return a;
  Array out = Array::empty(a.dtype(), a.shape());
  copy_into(a, out);
  return out;
}

Array empty_in_order(DType dtype, const Array& like) {
  if (like.contiguous()) return Array::empty(dtype, like.shape());
  const Dims strides[] = {walk(like, like.shape()).strides};
  return empty_in_order(dtype, like.shape(), strides);
}

Array copy_in_order(const Array& a) {
  Array copy = empty_in_order(a.dtype(), a);
  if (a.contiguous()) std::memcpy(copy.data(), a.data(), static_cast<std::size_t>(a.nbytes()));
  else copy_into(a, copy);
  return copy;
}

bool lies_in_rows(const Array& a) {
  std::int64_t outer = std::numeric_limits<std::int64_t>::max();
  for (std::size_t d = 0; d < a.shape().size(); ++d) {
    if (a.shape()[d] == 1) continue;
    if (a.strides()[d] <= 0 || a.strides()[d] > outer) return false;
    outer = a.strides()[d];
  }
  return true;
}

}  // namespace tapegrad
