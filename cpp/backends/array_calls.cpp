// Conversions, copies and folds on runs of elements.
#include "backends/array_calls.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ops/fold.hpp"

namespace tapegrad {
namespace {

using Count = const std::intptr_t*;

template <class T>
T& at(char** p, Count s, int k, std::intptr_t i) {
  return *reinterpret_cast<T*>(p[k] + i * s[k]);
}

template <class T>
void where(char** p, Count n, Count s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    at<T>(p, s, 3, i) = at<char>(p, s, 0, i) ? at<T>(p, s, 1, i) : at<T>(p, s, 2, i);
}

template <class To, class From>
void cast(char** p, Count n, Count s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i) {
    const From x = at<From>(p, s, 0, i);
    if constexpr (std::is_same_v<To, bool>) at<To>(p, s, 1, i) = x != From(0);
    else if constexpr (std::is_same_v<From, Complex> && !std::is_same_v<To, Complex>)
      at<To>(p, s, 1, i) = static_cast<To>(x.real());
    else at<To>(p, s, 1, i) = static_cast<To>(x);
  }
}

template <class T>
void copy(char** p, Count n, Count s, void*) {
  constexpr std::intptr_t item = sizeof(T);
  if (s[0] == item && s[1] == item)
    std::memmove(p[1], p[0], static_cast<std::size_t>(*n) * sizeof(T));
  else
    for (std::intptr_t i = 0; i < *n; ++i) at<T>(p, s, 1, i) = at<T>(p, s, 0, i);
}

// A piece that is followed by itself is doubled until it fills the run.
template <class T>
void copy_pieces(char** p, Count n, Count s, void*) {
  const std::intptr_t length = s[kPieceLength], step = s[kPieceStep];
  T* to = reinterpret_cast<T*>(p[1]);
  T* const end = to + *n;
  for (const char* from = p[0]; to < end; to += length, from += step) {
    if (s[0] == 0) std::fill_n(to, length, *reinterpret_cast<const T*>(from));
    else if (s[0] == sizeof(T)) std::copy_n(reinterpret_cast<const T*>(from), length, to);
    else
      for (std::intptr_t i = 0; i < length; ++i)
        to[i] = *reinterpret_cast<const T*>(from + i * s[0]);
    if (step != 0) continue;
    for (std::intptr_t done = length; done < *n; done *= 2)
      std::copy_n(to, std::min<std::intptr_t>(done, *n - done), to + done);
    return;
  }
}

void real(char** p, Count n, Count s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i) at<double>(p, s, 1, i) = at<Complex>(p, s, 0, i).real();
}
void imag(char** p, Count n, Count s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i) at<double>(p, s, 1, i) = at<Complex>(p, s, 0, i).imag();
}
void conjugate(char** p, Count n, Count s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    at<Complex>(p, s, 1, i) = std::conj(at<Complex>(p, s, 0, i));
}
template <class T>
void zero(char** p, Count n, Count s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i) at<T>(p, s, 1, i) = T(0);
}

// Fold takes elements of the input, Join those of the result.
template <class Fold, class Join, class In, class Acc, bool kPairwise>
struct Folding {
  // Binary counter: level k holds the sum of 2^k flushed numbers where bit k of the count is set.
  struct Cascade {
    std::uint64_t count;
    Acc level[48];
  };
  static Acc join(const Acc& a, const Acc& b) { return Join::combine(a, b); }

  static void reset(char* lanes, std::int64_t n) {
    std::fill_n(reinterpret_cast<Acc*>(lanes), n, Fold::identity());
  }
  static void reset_cascade(char* cascade) {
    auto& c = *reinterpret_cast<Cascade*>(cascade);
    c.count = 0;
    c.level[0] = Fold::identity();
  }
  static void push(Cascade& c, Acc x) {
    if constexpr (kPairwise) {
      int k = 0;
      for (; c.count >> k & 1; ++k) x = join(c.level[k], x);
      c.level[k] = x;
      ++c.count;
    } else {
      c.level[0] = join(c.level[0], x);
    }
  }
  static void flush(char* lanes, std::int64_t n, char* cascade) {
    Acc* x = reinterpret_cast<Acc*>(lanes);
    for (std::int64_t half = n / 2; half > 0; half /= 2)
      for (std::int64_t i = 0; i < half; ++i) x[i] = join(x[i], x[i + half]);
    push(*reinterpret_cast<Cascade*>(cascade), x[0]);
    reset(lanes, n);
  }
  static void finish(char* cascade, char* out) {
    auto& c = *reinterpret_cast<Cascade*>(cascade);
    Acc total = kPairwise ? Fold::identity() : c.level[0];
    for (std::uint64_t left = c.count; left; left &= left - 1)
      total = join(c.level[std::countr_zero(left)], total);
    Acc& result = *reinterpret_cast<Acc*>(out);
    result = join(result, total);
    reset_cascade(cascade);
  }
  static void row(char** p, Count n, Count s, void*) {
    Acc& lane = *reinterpret_cast<Acc*>(p[1]);
    lane = Fold::run(lane, p[0], *n, s[0]);
  }
  static void column(char** p, Count n, Count s, void*) {
    for (std::intptr_t i = 0; i < *n; ++i)
      at<Acc>(p, s, 1, i) = Fold::combine(at<Acc>(p, s, 1, i), at<In>(p, s, 0, i));
  }
  // Several results at a time, so that their sums do not wait for one another.
  template <int kAtOnce, bool kContiguous>
  static std::intptr_t some_pieces(char** p, Count n, Count s, std::intptr_t first) {
    const std::intptr_t length = s[kPieceLength], item = kContiguous ? sizeof(In) : s[0];
    std::intptr_t k = first;
    for (; k + kAtOnce <= *n / length; k += kAtOnce) {
      const char* x = p[0] + k * length * item;
      Acc totals[kAtOnce];
      std::fill_n(totals, kAtOnce, Fold::identity());
      for (std::intptr_t i = 0; i < length; ++i, x += item)
        for (int j = 0; j < kAtOnce; ++j)
          totals[j] = Fold::combine(totals[j], *reinterpret_cast<const In*>(x + j * length * item));
      for (int j = 0; j < kAtOnce; ++j) {
        Acc& out = *reinterpret_cast<Acc*>(p[1] + (k + j) * s[kPieceStep]);
        out = join(out, totals[j]);
      }
    }
    return k;
  }
  static void pieces(char** p, Count n, Count s, void*) {
    const bool contiguous = s[0] == sizeof(In);
    const std::intptr_t done =
        contiguous ? some_pieces<8, true>(p, n, s, 0) : some_pieces<8, false>(p, n, s, 0);
    some_pieces<1, false>(p, n, s, done);
  }
  static void merge(char** p, Count n, Count s, void*) {
    for (std::intptr_t i = 0; i < *n; ++i)
      at<Acc>(p, s, 1, i) = join(at<Acc>(p, s, 1, i), at<Acc>(p, s, 0, i));
  }
  static constexpr FoldLoops loops{dtype_of<Acc>(), sizeof(Cascade), reset, reset_cascade,
                                   flush,           finish,          row,   column,
                                   merge,           pieces};
};

template <class In>
const FoldLoops& fold_loops_of(Op op) {
  using Acc = std::conditional_t<std::is_same_v<In, bool>, std::int64_t, In>;
  using fold::Extremum, fold::Product, fold::Sum;
  if (op == Op::sum) return Folding<Sum<In, Acc>, Sum<Acc, Acc>, In, Acc, true>::loops;
  if (op == Op::prod) return Folding<Product<In, Acc>, Product<Acc, Acc>, In, Acc, false>::loops;
  if constexpr (!std::is_same_v<In, Complex>) {
    if (op == Op::max) return Folding<Extremum<In, 1>, Extremum<In, 1>, In, In, false>::loops;
    if (op == Op::min) return Folding<Extremum<In, -1>, Extremum<In, -1>, In, In, false>::loops;
  }
  throw std::logic_error("tapegrad defect: a group reduces by sum, prod, max or min");
}

template <class T>
Loop conversion_loop_of(const MicroOp& op) {
  switch (op.op) {
    case Op::where: return where<T>;
    case Op::cast:
      return dispatch(op.result_dtype, [](auto to) -> Loop { return cast<decltype(to), T>; });
    case Op::imag: return std::is_same_v<T, Complex> ? imag : zero<T>;
    case Op::real: return std::is_same_v<T, Complex> ? real : copy<T>;
    case Op::conjugate: return std::is_same_v<T, Complex> ? conjugate : copy<T>;
    default: ensure(false, "an op of a group"); return nullptr;
  }
}

}  // namespace

Loop conversion_loop(const MicroOp& op) {
  return dispatch(op.dtype, [&](auto zero) { return conversion_loop_of<decltype(zero)>(op); });
}
Loop copy_loop(DType dtype) {
  return dispatch(dtype, [](auto zero) -> Loop { return copy<decltype(zero)>; });
}
Loop copy_pieces_loop(DType dtype) {
  return dispatch(dtype, [](auto zero) -> Loop { return copy_pieces<decltype(zero)>; });
}
const FoldLoops& fold_loops(Op reduction, DType dtype) {
  return dispatch(dtype, [&](auto zero) -> const FoldLoops& {
    return fold_loops_of<decltype(zero)>(reduction);
  });
}

}  // namespace tapegrad
