// The tile machine for x86-64 with AVX-512 (F, DQ, BW and VL).
#include "backends/array_machine.hpp"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)

#include <immintrin.h>

// In force to the end of the file: templates are instantiated there.
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl")

namespace tapegrad::machine {
namespace {

// Ones in the first n of `width` bits.
inline unsigned first(std::int64_t n, int width) {
  return n <= 0 ? 0 : n >= width ? (1u << width) - 1 : (1u << n) - 1;
}

template <class T>
struct Lanes;

template <>
struct Lanes<double> {
  static constexpr int width = 8;
  typedef double V __attribute__((vector_size(64)));
  typedef long long M __attribute__((vector_size(64)));
  typedef char B __attribute__((vector_size(8)));

  static V load(const char* p) { return _mm512_loadu_pd(p); }
  static void store(char* p, V v) { _mm512_storeu_pd(p, v); }
  static V splat(double x) { return _mm512_set1_pd(x); }
  static V load_first(const char* p, std::int64_t n) {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>(first(n, width)), p);
  }
  static void store_first(char* p, V v, std::int64_t n) {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first(n, width)), v);
  }
  static V sqrt(V x) { return _mm512_maskz_sqrt_pd(0xff, x); }
  static V absolute(V x) { return (V)((M)x & 0x7fffffffffffffff); }
#include "backends/array_machine_masks.inc"
};

template <>
struct Lanes<float> {
  static constexpr int width = 16;
  typedef float V __attribute__((vector_size(64)));
  typedef int M __attribute__((vector_size(64)));
  typedef char B __attribute__((vector_size(16)));

  static V load(const char* p) { return _mm512_loadu_ps(p); }
  static void store(char* p, V v) { _mm512_storeu_ps(p, v); }
  static V splat(float x) { return _mm512_set1_ps(x); }
  static V load_first(const char* p, std::int64_t n) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>(first(n, width)), p);
  }
  static void store_first(char* p, V v, std::int64_t n) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>(first(n, width)), v);
  }
  static V sqrt(V x) { return _mm512_maskz_sqrt_ps(0xffff, x); }
  static V absolute(V x) { return (V)((M)x & 0x7fffffff); }
#include "backends/array_machine_masks.inc"
};

#include "backends/array_machine.inc"

constexpr Machine built{"avx512", run<double>, run<float>, kTileVectors * 64};

}  // namespace

const Machine* avx512() {
  const bool supported = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return supported ? &built : nullptr;
}

}  // namespace tapegrad::machine

#else

const tapegrad::machine::Machine* tapegrad::machine::avx512() { return nullptr; }

#endif
