// Walks several broadcast strided arrays together as a sequence of one-dimensional runs, in the
// shape of NumPy's inner loops. Everything elementwise goes through here.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/array.hpp"

namespace tapegrad {

// The common shape of NumPy's broadcasting rule.
inline void broadcast_into(Dims& shape, const Dims& other) {
  while (shape.size() < other.size()) shape.insert(0, 1);
  const std::size_t shift = shape.size() - other.size();
  for (std::size_t i = 0; i < other.size(); ++i) {
    auto& d = shape[i + shift];
    if (d == other[i] || other[i] == 1) continue;
    if (d != 1)
      throw Error("operands could not be broadcast together with shapes " + shape.str() + " " +
                  other.str());
    d = other[i];
  }
}
inline Dims broadcast_shapes(const Dims& a, const Dims& b) {
  Dims shape = a;
  if (!(a == b)) broadcast_into(shape, b);
  return shape;
}

// Where one array lies: a pointer, and a stride in bytes for each axis of the common shape.
struct Walker {
  char* data = nullptr;
  Dims strides;
};
// `a` seen through broadcasting to `shape` (axes of length 1 or missing get stride 0).
inline Walker walk(const Array& a, const Dims& shape) {
  Walker w{a.data(), Dims(shape.size(), 0)};
  const std::size_t shift = shape.size() - a.shape().size();
  for (std::size_t i = 0; i < a.shape().size(); ++i)
    if (a.shape()[i] != 1) w.strides[i + shift] = a.strides()[i];
  return w;
}

// Puts the axes with the smallest steps last, so that runs are long and memory is read in order.
template <std::size_t N>
void sort_axes(Dims& shape, std::array<Walker, N>& walkers) {
  auto step = [&](std::size_t d) {
    std::int64_t sum = 0;
    for (auto& w : walkers) sum += std::abs(w.strides[d]);
    return sum;
  };
  for (std::size_t d = 1; d < shape.size(); ++d)
    for (std::size_t e = d; e > 0 && step(e - 1) < step(e); --e) {
      std::swap(shape[e - 1], shape[e]);
      for (auto& w : walkers) std::swap(w.strides[e - 1], w.strides[e]);
    }
}

// Calls f(pointers, count, strides) for each run. Neighbouring axes that every array walks as one
// are merged; the last axis left is the run.
template <std::size_t N, class F>
void for_each_run(Dims shape, std::array<Walker, N> walkers, F&& f) {
  sort_axes(shape, walkers);
  std::array<char*, N> p;
  std::array<std::intptr_t, N> s;
  std::size_t axes = 0;  // merge in place: axes [0, axes) are done
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == 0) return;
    if (shape[d] == 1) continue;
    bool merge = axes > 0;
    for (auto& w : walkers) merge = merge && w.strides[axes - 1] == w.strides[d] * shape[d];
    if (merge) {
      shape[axes - 1] *= shape[d];
      for (auto& w : walkers) w.strides[axes - 1] = w.strides[d];
    } else {
      shape[axes] = shape[d];
      for (auto& w : walkers) w.strides[axes] = w.strides[d];
      ++axes;
    }
  }
  for (std::size_t k = 0; k < N; ++k) {
    p[k] = walkers[k].data;
    s[k] = axes ? walkers[k].strides[axes - 1] : 0;
  }
  const std::intptr_t run = axes ? shape[axes - 1] : 1;
  if (axes <= 1) return f(p.data(), run, s.data());
  const std::size_t outer = axes - 1;
  Dims index(outer, 0);
  for (;;) {
    std::array<char*, N> run_p = p;
    f(run_p.data(), run, s.data());
    std::size_t d = outer;
    while (d > 0) {
      --d;
      for (std::size_t k = 0; k < N; ++k) p[k] += walkers[k].strides[d];
      if (++index[d] < shape[d]) break;
      for (std::size_t k = 0; k < N; ++k) p[k] -= walkers[k].strides[d] * shape[d];
      index[d] = 0;
      if (d == 0) return;
    }
  }
}

}  // namespace tapegrad
