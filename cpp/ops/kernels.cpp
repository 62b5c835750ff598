// The kernel tables and what the formulas say about themselves.
#include "ops/kernels.hpp"

#include <array>

#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

constexpr int kElementwise = static_cast<int>(Op::where);  // the first op that is not elementwise

// Comparisons read one type and write bool; they exist for every real type and for equality.
template <class T, class Compare>
void comparison(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    *reinterpret_cast<bool*>(p[2] + i * s[2]) =
        Compare()(loops::load<T>(p[0] + i * s[0]), loops::load<T>(p[1] + i * s[1]));
}

template <class T, class Predicate>
void predicate(char** p, const std::intptr_t* n, const std::intptr_t* s, void*) {
  for (std::intptr_t i = 0; i < *n; ++i)
    *reinterpret_cast<bool*>(p[1] + i * s[1]) = Predicate()(loops::load<T>(p[0] + i * s[0]));
}

struct Table {
  std::array<std::array<Kernel, kElementwise>, 5> columns;
  Table() {
    fill_f64(columns[0].data());
    fill_dual(columns[0].data());
    fill_blocked(columns[0].data());
    fill_f32(columns[1].data());
    fill_c128(columns[2].data());
    fill_comparisons<double>(DType::f64);
    fill_comparisons<float>(DType::f32);
    fill_comparisons<Complex>(DType::c128);
    fill_comparisons<bool>(DType::b8);
    fill_comparisons<std::int64_t>(DType::i64);
    fill_integers(columns[4].data());
  }
  template <class T>
  void fill_comparisons(DType dtype) {
    auto& column = columns[static_cast<int>(dtype)];
    auto set = [&]<class C>(Op op, C) { column[static_cast<int>(op)].value = comparison<T, C>; };
    auto set1 = [&]<class C>(Op op, C) { column[static_cast<int>(op)].value = predicate<T, C>; };
#define COMPARISON(name, value_) \
  if constexpr (requires(T x, T y) { value_; }) set(Op::name, [](T x, T y) { return value_; });
#define PREDICATE(name, value_) \
  if constexpr (requires(T x) { value_; }) set1(Op::name, [](T x) { return value_; });
#include "ops/elementwise.def"
  }
};

}  // namespace

Kernel& kernel(Op op, DType dtype) {
  static Table table;
  ensure(is_elementwise(op), "kernel of an elementwise op");
  return table.columns[static_cast<int>(dtype)][static_cast<int>(op)];
}

const PartialInfo& partial_info(Op op) {
  static const PartialInfo rows[] = {
#define UNARY(name, ...)                \
  {{probe<Op::name, 0>.needs, 0},       \
   {probe<Op::name, 0>.literal, false}, \
   {probe<Op::name, 0>.value, 0}},
#define BINARY(name, ...)                                    \
  {{probe<Op::name, 0>.needs, probe<Op::name, 1>.needs},     \
   {probe<Op::name, 0>.literal, probe<Op::name, 1>.literal}, \
   {probe<Op::name, 0>.value, probe<Op::name, 1>.value}},
#define COMPARISON(name, value) {{0, 0}, {true, true}, {0, 0}},
#define PREDICATE(name, value) {{0, 0}, {true, true}, {0, 0}},
#include "ops/elementwise.def"
  };
  ensure(is_elementwise(op), "partial of an elementwise op");
  return rows[static_cast<int>(op)];
}

}  // namespace tapegrad
