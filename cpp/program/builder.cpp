// Appending to the tape of a program: operands of one dtype, inferred shapes, nodes shared.
#include "program/builder.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/copy.hpp"
#include "base/iterate.hpp"
#include "ops/elementwise.hpp"
#include "ops/parts.hpp"

namespace tapegrad {
namespace {

std::uint64_t mix(std::uint64_t h, std::uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15ull;
  return h ^ (h >> 29);
}

bool is_repeated(const Array& a) {  // one number seen at every index
  for (std::size_t d = 0; d < a.shape().size(); ++d)
    if (a.shape()[d] != 1 && a.strides()[d] != 0) return false;
  return a.size() > 0;
}

}  // namespace

std::optional<double> repeated_number(const Array& a) {
  if (a.dtype() == DType::c128 || a.size() == 0) return {};
  if (!is_repeated(a)) {
    const auto item = static_cast<std::size_t>(itemsize(a.dtype()));
    const std::size_t rest = static_cast<std::size_t>(a.nbytes()) - item;
    if (!a.contiguous() || std::memcmp(a.data(), a.data() + item, rest) != 0) return {};
  }
  double v = 0;
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (!std::is_same_v<T, Complex>) v = static_cast<double>(a.at<T>());
  });
  return v;
}

Meta Builder::meta(Term t) const {
  if (t.is_literal()) return {DType::f64, {}};
  if (is_virtual(t.id)) return {DType::f64, scattered_[t.id & ~kVirtualBit].shape};
  return tape.meta(t.id);
}

Term Builder::constant(const Array& value) {
  if (value.dtype() == DType::f64 && value.ndim() == 0)
    return term(tape.add_constant(value.at<double>()));
  const NodeId id = tape.add_leaf(Op::constant, value.meta());
  tape.keep(id, value);
  lines_.resize(tape.size(), line_);
  hashes_.resize(tape.size());
  return term(id);
}

Term Builder::input(const Meta& m) {
  const NodeId id = m.dtype == DType::f64 && m.shape.empty() ? tape.add_scalar_input(0)
                                                             : tape.add_leaf(Op::input, m);
  lines_.resize(tape.size(), line_);
  hashes_.resize(tape.size());
  return term(id);
}

Term Builder::literal(double value, DType dtype) {
  if (dtype == DType::f64) return term(tape.add_constant(value));
  return constant(Array::full(dtype, {}, value));
}

Operand Builder::operand(Term t) {
  if (t.is_literal()) return tape.add_constant(t.literal);
  return is_virtual(t.id) ? assemble(t.id & ~kVirtualBit) : t.id;
}

std::optional<double> Builder::number(Operand o) const {
  if (is_constant(o)) return tape.constant(o);
  if (tape[o].op != Op::constant) return {};
  return repeated_number(tape.value(o));
}

// ---- scalars
// -------------------------------------------------------------------------------------

bool Builder::is_scalar(Term t) const {
  return t.is_literal() || is_constant(t.id) ||
         (!is_virtual(t.id) && tape[t.id].has(Node::kScalar));
}

Operand Builder::scalar_operand(Term t) {
  return t.is_literal() ? tape.add_constant(t.literal) : t.id;
}

// Elementwise on float64 scalars: most of what code with loops is made of, so without detours.
Term Builder::scalar(Op op, std::span<const Term> in) {
  std::vector<Operand> few;
  Operand operands[2] = {kNoOperand, kNoOperand};
  bool known = passes_.fold;
  for (std::size_t i = 0; i < in.size(); ++i) {
    operands[i] = scalar_operand(in[i]);
    known = known && is_constant(operands[i]);
  }
  const std::span<const Operand> span(operands, in.size());
  if (known) return *folded(op, span, {});
  const Meta out{DType::f64, {}};
  if (!passes_.identities) return term(shared(op, span, {}, out));
  few.assign(span.begin(), span.end());
  if (auto simpler = simplified_elementwise(op, few, out)) return *simpler;
  return term(shared(op, few, {}, out));
}

// ---- any op
// --------------------------------------------------------------------------------------

Term Builder::apply(Op op, std::span<const Term> in, Attrs attrs) {
  if (kind_of(op) <= OpKind::binary) {
    bool scalars = true;
    for (auto& t : in) scalars = scalars && is_scalar(t);
    if (scalars) return scalar(op, in);
  }
  if (op == Op::item && attrs.size() == 1)
    if (auto found = item_of(in[0], attrs[0])) return *found;
  if (op == Op::item_set && attrs.size() == 1)
    if (auto found = item_set_of(in[0], in[1], attrs[0])) return *found;
  DType weak = DType::b8;
  for (std::size_t i = op == Op::where ? 1 : 0; i < in.size(); ++i)
    if (!in[i].is_literal()) weak = promote(weak, meta(in[i]).dtype);
  if (!is_differentiable(weak)) weak = DType::f64;
  std::vector<Operand> operands(in.size());
  for (std::size_t i = 0; i < in.size(); ++i)
    operands[i] = in[i].is_literal() ? literal(in[i].literal, weak).id : operand(in[i]);
  return general(op, operands, attrs);
}

Term Builder::general(Op op, std::vector<Operand>& operands, Attrs attrs) {
  convert(op, operands);
  // Views of constants in any case: scalar code reads no constant arrays.
  const bool is_view = op == Op::item || (kind_of(op) == OpKind::structured && rules_of(op).view);
  if (passes_.fold || is_view)
    if (auto known = folded(op, operands, attrs)) return *known;
  const Meta out = shape_of(op, operands, attrs);
  if (passes_.identities)
    if (auto simpler = simplified(op, operands, attrs, out)) return *simpler;
  return term(shared(op, operands, attrs, out));
}

Operand Builder::cast_to(Operand o, DType dtype) {
  if (tape.meta(o).dtype == dtype) return o;
  const std::int64_t code[] = {static_cast<std::int64_t>(dtype)};
  std::vector<Operand> one{o};
  return general(Op::cast, one, code).id;
}

// Gives the operands the dtype they are computed in, as `evaluate` does.
void Builder::convert(Op op, std::vector<Operand>& operands) {
  if (!is_elementwise(op) && operands.size() == 1) return;
  const auto [first, last] = promoted_operands(op, operands.size());
  DType t = DType::b8;
  for (std::size_t i = first; i < last; ++i) t = promote(t, tape.meta(operands[i]).dtype);
  if (is_elementwise(op)) t = elementwise_dtype(op, t);
  for (std::size_t i = first; i < last; ++i) operands[i] = cast_to(operands[i], t);
}

Meta Builder::shape_of(Op op, std::span<const Operand> operands, Attrs attrs) const {
  if (is_elementwise(op)) {
    Dims shape;
    for (Operand o : operands) broadcast_into(shape, tape.meta(o).shape);
    const bool truth = kind_of(op) == OpKind::comparison;
    return {truth ? DType::b8 : tape.meta(operands[0]).dtype, shape};
  }
  if (kind_of(op) == OpKind::leaf) return tape.meta(operands[0]);
  std::vector<Meta> metas;
  for (Operand o : operands) metas.push_back(tape.meta(o));
  return rules_of(op).shape(metas, attrs);
}

std::optional<Term> Builder::folded(Op op, std::span<const Operand> operands, Attrs attrs) {
  for (Operand o : operands)
    if (!is_known(o)) return {};
  std::vector<Array> in;
  for (Operand o : operands) in.push_back(tape.value(o));
  if (!is_elementwise(op) || !std::all_of(in.begin(), in.end(), is_repeated))
    return constant(evaluate(op, in, attrs));
  // Numbers that are repeated give a number that is repeated.
  const Dims shape = shape_of(op, operands, attrs).shape;
  for (Array& a : in) a = a.view({}, {}, a.data());
  const Array one = evaluate(op, in, attrs);
  return constant(shape.empty() ? one : broadcast_view(one, shape));
}

// ---- nodes
// ---------------------------------------------------------------------------------------

NodeId Builder::append(Op op, std::span<const Operand> operands, Attrs attrs, const Meta& out) {
  const NodeId id = tape.add(op, operands, attrs, out);
  lines_.resize(tape.size(), line_);
  hashes_.resize(tape.size());
  return id;
}

std::uint64_t Builder::hash(Op op, std::span<const Operand> operands, Attrs attrs,
                            DType dtype) const {
  std::uint64_t h = static_cast<std::uint64_t>(op) * 8 + static_cast<std::uint64_t>(dtype);
  for (Operand o : operands)
    h = mix(h, is_constant(o) ? std::bit_cast<std::uint64_t>(tape.constant(o)) : o);
  for (auto a : attrs) h = mix(h, static_cast<std::uint64_t>(a));
  return mix(h, operands.size());
}

bool Builder::same(NodeId id, Op op, std::span<const Operand> operands, Attrs attrs,
                   const Meta& out) const {
  const Node& n = tape[id];
  if (n.op != op || n.dtype != out.dtype ||
      tape.operand_count(n) != static_cast<int>(operands.size()))
    return false;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Operand a = tape.operand(n, static_cast<int>(i)), b = operands[i];
    const bool equal = a == b || (is_constant(a) && is_constant(b) &&
                                  std::bit_cast<std::uint64_t>(tape.constant(a)) ==
                                      std::bit_cast<std::uint64_t>(tape.constant(b)));
    if (!equal) return false;
  }
  std::int64_t immediate = 0;
  const Attrs have = tape.attrs(n, immediate);
  return std::equal(have.begin(), have.end(), attrs.begin(), attrs.end());
}

NodeId Builder::shared(Op op, std::span<const Operand> operands, Attrs attrs, const Meta& out) {
  if (!passes_.share) return append(op, operands, attrs, out);
  if (2 * (entries_ + 1) > table_.size()) rehash(std::max<std::size_t>(1024, 4 * table_.size()));
  const auto h = static_cast<std::uint32_t>(hash(op, operands, attrs, out.dtype)) | 1u;
  const std::size_t mask = table_.size() - 1;
  std::size_t at = (h >> 1) & mask;
  for (; table_[at] != kNoOperand; at = (at + 1) & mask)
    if (hashes_[table_[at]] == h && same(table_[at], op, operands, attrs, out)) return table_[at];
  const NodeId id = append(op, operands, attrs, out);
  hashes_[id] = h;
  table_[at] = id;
  ++entries_;
  return id;
}

void Builder::truncate(NodeId end) {
  if (end == tape.size()) return;
  tape.truncate(end);
  lines_.resize(end);
  hashes_.resize(end);
  if (!table_.empty()) rehash(table_.size());
}

void Builder::rehash(std::size_t size) {
  table_.assign(size, kNoOperand);
  entries_ = 0;
  const std::size_t mask = size - 1;
  for (NodeId id = 0; id < hashes_.size(); ++id) {
    if (!hashes_[id]) continue;
    ++entries_;
    std::size_t at = (hashes_[id] >> 1) & mask;
    while (table_[at] != kNoOperand) at = (at + 1) & mask;
    table_[at] = id;
  }
}

}  // namespace tapegrad
