// Tangents or adjoints of a segment as numbers.
#include "sweeps/store.hpp"

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
    : rows(begin, end, std::max<std::int64_t>(lanes, 1)), tape_(tape), lanes_(lanes),
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

std::vector<Array> NumericStore::collect(const std::vector<NodeId>& nodes) {
  std::vector<Array> results;
  for (NodeId id : nodes) {
    const Meta m = tape_.meta(id);
    Dims shape = m.shape;
    if (batched()) shape.insert(0, lanes_);
    LaneArray v = holds(id) && has(id) ? take(id) : LaneArray{};
    if (v.array && v.array.contiguous() && v.array.exclusive() && v.array.shape() == shape) {
      results.push_back(std::move(v.array));
      continue;
    }
    Array out = v.array ? Array::empty(m.dtype, shape) : Array::zeros(m.dtype, shape);
    if (v.array) copy_into(v.array, out);
    if (v.array && !tape_[id].has(Node::kScalar)) set(id, std::move(v));  // may be asked for twice
    results.push_back(out);
  }
  return results;
}

}  // namespace tapegrad
