// Arrays that live as scalars: reading and assigning elements while a program is built.
#include "ops/parts.hpp"
#include "program/builder.hpp"

namespace tapegrad {
namespace {

// Above this many elements an array is only taken apart if it starts out as a constant.
constexpr std::int64_t kSmall = 4096;

}  // namespace

Operand Builder::element(std::uint32_t which, std::int64_t index) const {
  for (;;) {
    const Scattered& s = scattered_[which];
    if (!s.elements.empty()) return s.elements[static_cast<std::size_t>(index)];
    if (s.index == index) return s.replaced;
    which = s.next;
  }
}

// The element as a scalar that exists already, if it does.
std::optional<Term> Builder::item_of(Term array, std::int64_t index) {
  if (array.is_literal()) return {};
  if (is_virtual(array.id)) {
    const std::uint32_t which = array.id & ~kVirtualBit;
    const Operand found = element(which, index), base = scattered_[which].base;
    if (found != kNoOperand) return term(found);
    if (base == kNoOperand) return Term(0.0);
    const std::int64_t at[] = {index};
    return apply(Op::item, {term(base)}, at);
  }
  if (!passes_.identities || is_constant(array.id)) return {};
  const Node n = tape[array.id];
  if (n.dtype != DType::f64) return {};
  if (n.op == Op::reshape) {
    const std::int64_t at[] = {index};
    return apply(Op::item, {term(n.a)}, at);
  }
  if (n.op == Op::concatenate && tape.meta(array.id).shape.size() == 1) {
    // The operand in which the element lies; all of them scalars in the common case.
    const int count = tape.operand_count(n);
    const bool scalars = tape.meta(array.id).shape[0] == count;
    std::int64_t start = 0;
    for (int i = scalars ? static_cast<int>(index) : 0; i < count; ++i) {
      const Operand o = tape.operand(n, i);
      const Meta m = tape.meta(o);
      const std::int64_t length = m.shape.product();
      if (scalars ? true : index < start + length) {
        if (m.dtype != DType::f64) return {};
        if (m.shape.empty()) return term(o);
        const std::int64_t at[] = {scalars ? 0 : index - start};
        return apply(Op::item, {term(o)}, at);
      }
      start += length;
    }
  }
  if (n.op == Op::slice && tape.meta(n.a).shape.size() == 1) {
    std::int64_t immediate = 0;
    const Attrs cut = tape.attrs(n, immediate);
    const std::int64_t at[] = {cut[0] + index * cut[1]};
    return apply(Op::item, {term(n.a)}, at);
  }
  return {};
}

std::optional<Term> Builder::item_set_of(Term array, Term value, std::int64_t index) {
  if (!passes_.identities || array.is_literal()) return {};
  const Meta m = meta(array);
  if (m.dtype != DType::f64 || meta(value).dtype != DType::f64) return {};
  const std::int64_t size = m.shape.product();
  Scattered now;
  now.shape = m.shape;
  if (is_virtual(array.id)) {
    const std::uint32_t which = array.id & ~kVirtualBit;
    if (scattered_[which].elements.empty()) {  // an old version is written to: a copy of it
      for (std::int64_t i = 0; i < size; ++i) now.elements.push_back(element(which, i));
      now.base = scattered_[which].base;
    } else {
      Scattered& old = scattered_[which];
      now.base = old.base;
      now.elements = std::move(old.elements);
      old.elements.clear();
      old.next = static_cast<std::uint32_t>(scattered_.size());
      old.index = index;
      old.replaced = now.elements[static_cast<std::size_t>(index)];
    }
  } else {
    const bool zero = is_known(array.id) && number(array.id) == 0.0;
    if (!zero && size > kSmall) return {};
    if (!zero) now.base = array.id;
    now.elements.assign(static_cast<std::size_t>(size), kNoOperand);
  }
  now.elements[static_cast<std::size_t>(index)] = scalar_operand(value);
  return put(std::move(now));
}

Term Builder::scattered(const Dims& shape,
                        std::span<const std::pair<std::int64_t, Term>> elements) {
  Scattered s;
  s.shape = shape;
  s.elements.assign(static_cast<std::size_t>(shape.product()), kNoOperand);
  for (auto& [index, value] : elements) {
    Operand& e = s.elements[static_cast<std::size_t>(index)];
    e = scalar_operand(e == kNoOperand ? value : term(e) + value);
  }
  return put(std::move(s));
}

// One node for the whole: the scalars side by side, or a few assignments to a large base.
Operand Builder::assemble(std::uint32_t which) {
  if (scattered_[which].assembled != kNoOperand) return scattered_[which].assembled;
  const Dims shape = scattered_[which].shape;
  const std::int64_t size = shape.product();
  std::vector<Term> parts;
  for (std::int64_t i = 0; i < size; ++i) {
    const std::int64_t at = i;
    parts.push_back(*item_of({this, which | kVirtualBit}, at));
  }
  const std::int64_t axis[] = {0};
  Term whole = apply(Op::concatenate, parts, axis);
  whole = reshape(whole, shape);
  return scattered_[which].assembled = whole.id;
}

}  // namespace tapegrad
