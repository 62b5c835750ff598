// The tile machine for x86-64 with AVX2.
#include "backends/array_machine.hpp"

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)

#include <immintrin.h>

// In force to the end of the file: templates are instantiated there.
#pragma GCC target("avx2")

namespace tapegrad::machine {
namespace {

template <class T>
struct Lanes;

template <>
struct Lanes<double> {
  static constexpr int width = 4;
  typedef double V __attribute__((vector_size(32)));
  typedef long long M __attribute__((vector_size(32)));
  typedef char B __attribute__((vector_size(4)));

  static __m256i first(std::int64_t n) {  // ones in the first n lanes
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static V load(const char* p) { return _mm256_loadu_pd(reinterpret_cast<const double*>(p)); }
  static void store(char* p, V v) { _mm256_storeu_pd(reinterpret_cast<double*>(p), v); }
  static V splat(double x) { return _mm256_set1_pd(x); }
  static V load_first(const char* p, std::int64_t n) {
    return _mm256_maskload_pd(reinterpret_cast<const double*>(p), first(n));
  }
  static void store_first(char* p, V v, std::int64_t n) {
    _mm256_maskstore_pd(reinterpret_cast<double*>(p), first(n), v);
  }
  static V sqrt(V x) { return _mm256_sqrt_pd(x); }
  static V absolute(V x) { return (V)((M)x & 0x7fffffffffffffff); }
#include "backends/array_machine_masks.inc"
};

template <>
struct Lanes<float> {
  static constexpr int width = 8;
  typedef float V __attribute__((vector_size(32)));
  typedef int M __attribute__((vector_size(32)));
  typedef char B __attribute__((vector_size(8)));

  static __m256i first(std::int64_t n) {
    const int count = n < 0 ? 0 : n > width ? width : static_cast<int>(n);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static V load(const char* p) { return _mm256_loadu_ps(reinterpret_cast<const float*>(p)); }
  static void store(char* p, V v) { _mm256_storeu_ps(reinterpret_cast<float*>(p), v); }
  static V splat(float x) { return _mm256_set1_ps(x); }
  static V load_first(const char* p, std::int64_t n) {
    return _mm256_maskload_ps(reinterpret_cast<const float*>(p), first(n));
  }
  static void store_first(char* p, V v, std::int64_t n) {
    _mm256_maskstore_ps(reinterpret_cast<float*>(p), first(n), v);
  }
  static V sqrt(V x) { return _mm256_sqrt_ps(x); }
  static V absolute(V x) { return (V)((M)x & 0x7fffffff); }
#include "backends/array_machine_masks.inc"
};

#include "backends/array_machine.inc"

constexpr Machine built{"avx2", run<double>, run<float>, kTileVectors * 32};

}  // namespace

const Machine* avx2() { return __builtin_cpu_supports("avx2") ? &built : nullptr; }

}  // namespace tapegrad::machine

#else

const tapegrad::machine::Machine* tapegrad::machine::avx2() { return nullptr; }

#endif
