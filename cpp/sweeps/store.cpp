// Tangents or adjoints of a segment as numbers.
#include "sweeps/store.hpp"

#include <unordered_map>

#include "base/copy.hpp"
#include "ops/elementwise.hpp"

namespace tapegrad {
namespace {

SlotId first_slot_of(const Tape& tape, NodeId begin, NodeId end) {
  if (tape.slot_count() == 0) return 0;
  for (NodeId i = begin; i < end; ++i)
    if (!tape[i].has(Node::kScalar)) return tape[i].slot;
  return tape.slot_count();
}
SlotId slots_after(const Tape& tape, SlotId first, NodeId begin, NodeId end) {
  if (tape.slot_count() == 0) return 0;
  for (NodeId i = end; i > begin; --i)
    if (!tape[i - 1].has(Node::kScalar)) return tape[i - 1].slot + 1 - first;
  return 0;
}

// A batched array as one number a lane.
double lane_value(const LaneArray& v, std::int64_t k) {
  const char* p = v.array.data() + (v.batched ? k * v.array.strides()[0] : 0);
  return *reinterpret_cast<const double*>(p);
}

}  // namespace

NumericStore::NumericStore(const Tape& tape, NodeId begin, NodeId end, std::int64_t lanes)
    : rows(begin, end, std::max<std::int64_t>(lanes, 1)),
      tape_(tape),
      lanes_(lanes),
      first_slot_(first_slot_of(tape, begin, end)),
      slots_(slots_after(tape, first_slot_, begin, end)) {}

bool NumericStore::has(NodeId id) const {
  if (tape_[id].has(Node::kScalar)) return !is_zero(rows.row(id), rows.lanes());
  return static_cast<bool>(slot(id).array);
}

LaneArray NumericStore::get(NodeId id) const {
  if (!tape_[id].has(Node::kScalar)) return slot(id);
  if (!batched()) return {Array::scalar(*rows.row(id)), false};
  Array a = Array::empty(DType::f64, Dims{lanes_});
  std::copy_n(rows.row(id), lanes_, a.ptr<double>());
  return {a, true};
}

LaneArray NumericStore::take(NodeId id) {
  if (tape_[id].has(Node::kScalar)) return get(id);
  return std::exchange(slot(id), {});
}

void NumericStore::set(NodeId id, LaneArray value) {
  if (!tape_[id].has(Node::kScalar)) {
    slot(id) = std::move(value);
    return;
  }
  for (std::int64_t k = 0; k < rows.lanes(); ++k) rows.row(id)[k] = lane_value(value, k);
}

void NumericStore::add(NodeId id, LaneArray value) {
  if (tape_[id].has(Node::kScalar)) {
    for (std::int64_t k = 0; k < rows.lanes(); ++k) rows.row(id)[k] += lane_value(value, k);
    return;
  }
  LaneArray& s = slot(id);
  if (!s.array) {
    s = std::move(value);
    return;
  }
  const bool in_place = s.array.exclusive() && s.array.contiguous() && s.batched >= value.batched;
  const bool swapped = !in_place && value.array.exclusive() && value.array.contiguous() &&
                       value.batched >= s.batched;
  if (swapped) std::swap(s, value);
  const Array operands[] = {s.array, value.array};
  Array reuse = in_place || swapped ? s.array : Array();
  s = {elementwise_value(Op::add, operands, std::move(reuse)), s.batched || value.batched};
}

Array& NumericStore::writable(NodeId id) {
  LaneArray& s = slot(id);
  if (!s.array) {
    const Meta m = tape_.meta(id);
    s.array = Array::zeros(m.dtype, m.shape);
  } else if (!s.array.exclusive() || !s.array.contiguous()) {
    Array copy = Array::empty(s.array.dtype(), s.array.shape());
    copy_into(s.array, copy);
    s.array = std::move(copy);
  }
  return s.array;
}

bool NumericStore::pulls_part(const Node& n) const {
  if (batched() || kind_of(n.op) != OpKind::structured) return false;
  const Rules& rules = rules_of(n.op);
  const Operand base = tape_.operand(n, 0);
  if (rules.accumulate) return wants(base) && !tape_[base].has(Node::kScalar);
  return rules.update && tape_.meta(base).dtype == n.dtype &&
         tape_.meta(tape_.operand(n, 1)).dtype == n.dtype;
}

void NumericStore::pull_part(const Node& n, Array g) {
  const Rules& rules = rules_of(n.op);
  std::int64_t immediate = 0;
  const Attrs attrs = tape_.attrs(n, immediate);
  const Operand base = tape_.operand(n, 0), second = tape_.operand(n, 1);
  if (rules.accumulate) {
    std::array<Array, 1> rest;
    const bool indexed = n.op == Op::gather;
    if (indexed) rest[0] = tape_.value(second);
    return rules.accumulate(writable(base), g, std::span<const Array>(rest.data(), indexed), attrs);
  }
  const Array index = n.op == Op::put ? tape_.value(tape_.operand(n, 2)) : Array();
  const Array part = n.op == Op::item_set    ? evaluate(Op::item, {g}, attrs)
                     : n.op == Op::slice_set ? evaluate(Op::slice, {g}, attrs)
                                             : evaluate(Op::gather, {g, index}, attrs);
  Array own = Array::empty(part.dtype(), part.shape());  // the part must not share g's memory
  copy_into(part, own);
  const std::array<Array, 2> rest{Array::zeros(part.dtype(), part.shape()), index};
  if (wants(second)) add(second, {std::move(own), false});
  if (!wants(base)) return;
  if (!g.exclusive() || !g.contiguous()) {
    Array copy = Array::empty(g.dtype(), g.shape());
    copy_into(g, copy);
    g = std::move(copy);
  }
  rules.update(g, std::span<const Array>(rest.data(), n.op == Op::put ? 2 : 1), attrs);
  add(base, {std::move(g), false});
}

std::vector<Array> NumericStore::collect(const std::vector<NodeId>& nodes) {
  std::vector<Array> results;
  std::unordered_map<NodeId, std::size_t> first;  // an output may be asked for twice
  for (NodeId id : nodes) {
    const Meta m = tape_.meta(id);
    if (!tape_[id].has(Node::kScalar)) {
      const auto [seen, is_new] = first.try_emplace(id, results.size());
      if (!is_new) {
        results.push_back(copy_in_order(results[seen->second]));
        continue;
      }
    }
    Dims shape = m.shape;
    if (batched()) shape.insert(0, lanes_);
    LaneArray v = holds(id) && has(id) ? take(id) : LaneArray{};
    if (v.array && v.array.contiguous() && v.array.exclusive() && v.array.shape() == shape) {
      results.push_back(std::move(v.array));
      continue;
    }
    Array out = v.array ? Array::empty(m.dtype, shape) : Array::zeros(m.dtype, shape);
    if (v.array) copy_into(v.array, out);
    results.push_back(out);
  }
  return results;
}

}  // namespace tapegrad
