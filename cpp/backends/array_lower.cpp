// Which ops the tile machine does, and how.
#include <cmath>

#include "backends/array_code.hpp"

namespace tapegrad {
namespace {

using machine::Binary, machine::Unary;

bool is_number(DType t) { return t == DType::f64 || t == DType::f32; }

// The zero that maximum(0, -0) gives differs between NumPy's loops and ours. True if the kernel in
// place gives `first_wins` among two zeros in both orders.
template <class T>
bool tie(const Kernel& k, bool first_wins) {
  T plus = T(0), minus = T(-0.0), r[2];
  const std::intptr_t n = 1, s[] = {0, 0, 0};
  char* a[] = {reinterpret_cast<char*>(&plus), reinterpret_cast<char*>(&minus),
               reinterpret_cast<char*>(&r[0])};
  char* b[] = {reinterpret_cast<char*>(&minus), reinterpret_cast<char*>(&plus),
               reinterpret_cast<char*>(&r[1])};
  k.value(a, &n, s, k.data);
  k.value(b, &n, s, k.data);
  return std::signbit(r[0]) != first_wins && std::signbit(r[1]) == first_wins;
}

struct Row {
  Op op;
  Lowered::Kind kind;
  Binary binary;
  Unary unary;
  bool swapped;
};

constexpr Row binary_row(Op op, Binary b, bool swapped = false) {
  return {op, Lowered::Kind::binary, b, {}, swapped};
}
constexpr Row unary_row(Op op, Unary u) { return {op, Lowered::Kind::unary, {}, u, false}; }

constexpr Row kOfNumbers[] = {
    binary_row(Op::add, Binary::add),
    binary_row(Op::subtract, Binary::subtract),
    binary_row(Op::multiply, Binary::multiply),
    binary_row(Op::divide, Binary::divide),
    binary_row(Op::scale, Binary::scale),
    binary_row(Op::maximum, Binary::maximum),
    binary_row(Op::minimum, Binary::minimum),
    binary_row(Op::equal, Binary::equal),
    binary_row(Op::not_equal, Binary::not_equal),
    binary_row(Op::greater, Binary::greater),
    binary_row(Op::greater_equal, Binary::greater_equal),
    binary_row(Op::less, Binary::greater, true),
    binary_row(Op::less_equal, Binary::greater_equal, true),
    binary_row(Op::square, Binary::multiply),  // of one operand: twice the same
    binary_row(Op::isnan, Binary::not_equal),
    unary_row(Op::negative, Unary::negative),
    unary_row(Op::sqrt, Unary::sqrt),
    unary_row(Op::root, Unary::sqrt),
    unary_row(Op::reciprocal, Unary::reciprocal),
    unary_row(Op::absolute, Unary::absolute),
    unary_row(Op::fabs, Unary::absolute),
    unary_row(Op::sign, Unary::sign),
    {Op::positive, Lowered::Kind::same, {}, {}, false},
    {Op::real, Lowered::Kind::same, {}, {}, false},
    {Op::conjugate, Lowered::Kind::same, {}, {}, false},
};
constexpr Row kOfMasks[] = {
    binary_row(Op::logical_and, Binary::both),   binary_row(Op::logical_or, Binary::either),
    binary_row(Op::logical_xor, Binary::differ), binary_row(Op::not_equal, Binary::differ),
    unary_row(Op::logical_not, Unary::invert),
};

template <std::size_t N>
const Row* find(const Row (&rows)[N], Op op) {
  for (const Row& row : rows)
    if (row.op == op) return &row;
  return nullptr;
}

// Maximum and minimum do as the kernel in place does with zeros of two signs.
void settle_ties(const MicroOp& op, Lowered& l) {
  const Kernel& k = kernel(op.op, op.dtype);
  const bool f64 = op.dtype == DType::f64;
  if (f64 ? tie<double>(k, false) : tie<float>(k, false)) return;
  if (f64 ? tie<double>(k, true) : tie<float>(k, true)) std::swap(l.in[0], l.in[1]);
  else l.kind = Lowered::Kind::call;
}

void lower_cast(const MicroOp& op, Lowered& l) {
  if (op.dtype == op.result_dtype) {
    l.kind = Lowered::Kind::same;
  } else if (op.dtype == DType::b8 && is_number(op.result_dtype)) {
    l.kind = Lowered::Kind::unary;
    l.unary = Unary::number;
    l.number = op.result_dtype;
  } else if (op.result_dtype == DType::b8 && is_number(op.dtype)) {
    l.kind = Lowered::Kind::unary;
    l.unary = Unary::truth;
  }
}

}  // namespace

Lowered lower(const MicroOp& op) {
  Lowered l;
  l.arity = static_cast<std::uint8_t>(arity_of(op.op));
  if (is_number(op.dtype)) l.number = op.dtype;
  for (int k = 0; k < l.arity; ++k) l.in[k] = op.in[k];
  if (op.op == Op::cast) {
    lower_cast(op, l);
  } else if (op.op == Op::where) {
    if (is_number(op.dtype)) l.kind = Lowered::Kind::where;
  } else if (const Row* row = op.dtype == DType::b8 ? find(kOfMasks, op.op)
                              : is_number(op.dtype) ? find(kOfNumbers, op.op)
                                                    : nullptr) {
    l.kind = row->kind;
    l.binary = row->binary;
    l.unary = row->unary;
    if (row->kind == Lowered::Kind::binary && l.arity == 1) l.in[l.arity++] = l.in[0];
    if (row->swapped) std::swap(l.in[0], l.in[1]);
    if (op.op == Op::maximum || op.op == Op::minimum) settle_ties(op, l);
  }
  return l;
}

machine::Binary machine_fold(Op reduction) {
  switch (reduction) {
    case Op::sum: return Binary::add;
    case Op::prod: return Binary::multiply;
    case Op::max: return Binary::maximum;
    case Op::min: return Binary::minimum;
    default: throw std::logic_error("tapegrad defect: a group reduces by sum, prod, max or min");
  }
}

}  // namespace tapegrad
