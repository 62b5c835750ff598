// The tile machine for every processor: GNU vectors of 16 bytes (SSE2, NEON and the like), or
// single numbers where the compiler has no vectors. Chooses the machine to run.
#include "backends/array_machine.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

namespace tapegrad::machine {
namespace {

template <class T>
using Integer = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

#if defined(__GNUC__)

template <class T>
struct Lanes {
  static constexpr int width = 16 / static_cast<int>(sizeof(T));
  typedef T V __attribute__((vector_size(16)));
  typedef Integer<T> M __attribute__((vector_size(16)));
  typedef char B __attribute__((vector_size(width)));

  static V load(const char* p) {
    V v;
    std::memcpy(&v, p, sizeof(V));
    return v;
  }
  static void store(char* p, V v) { std::memcpy(p, &v, sizeof(V)); }
  static V splat(T x) { return x - V{}; }
  static V load_first(const char* p, std::int64_t n) {
    if (n >= width) return load(p);
    V v{};
    if (n > 0) std::memcpy(&v, p, static_cast<std::size_t>(n) * sizeof(T));
    return v;
  }
  static void store_first(char* p, V v, std::int64_t n) {
    if (n >= width) store(p, v);
    else if (n > 0) std::memcpy(p, &v, static_cast<std::size_t>(n) * sizeof(T));
  }
  static V sqrt(V x) {
    for (int i = 0; i < width; ++i) x[i] = std::sqrt(x[i]);
    return x;
  }
  static V absolute(V x) { return (V)((M)x & std::numeric_limits<Integer<T>>::max()); }
#include "backends/array_machine_masks.inc"
};

#else

template <class T>
struct Lanes {
  static constexpr int width = 1;
  using V = T;

  static T load(const char* p) { return *reinterpret_cast<const T*>(p); }
  static void store(char* p, T v) { *reinterpret_cast<T*>(p) = v; }
  static T splat(T x) { return x; }
  static T load_first(const char* p, std::int64_t n) { return n > 0 ? load(p) : T(0); }
  static void store_first(char* p, T v, std::int64_t n) {
    if (n > 0) store(p, v);
  }
  static T sqrt(T x) { return std::sqrt(x); }
  static T absolute(T x) { return std::abs(x); }
  static T mask(bool comparison) { return std::bit_cast<T>(-Integer<T>(comparison)); }
  static bool chosen(T mask) { return std::bit_cast<Integer<T>>(mask) != 0; }
  static T both(T x, T y) { return chosen(x) ? y : x; }
  static T either(T x, T y) { return chosen(x) ? x : y; }
  static T differ(T x, T y) { return mask(chosen(x) != chosen(y)); }
  static T load_mask(const char* p) { return mask(*p != 0); }
  static void store_mask(char* p, T mask) { *p = chosen(mask); }
};

#endif

#include "backends/array_machine.inc"

}  // namespace

const Machine base{"base", run<double>, run<float>, kTileVectors* Lanes<double>::width * 8};

const Machine& machine() {
  static const Machine& best = avx512() ? *avx512() : avx2() ? *avx2() : base;
  return best;
}

}  // namespace tapegrad::machine
