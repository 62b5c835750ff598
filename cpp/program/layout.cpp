// Memory of a plan.
#include "program/layout.hpp"

#include <algorithm>
#include <cstring>

#include "base/copy.hpp"

namespace tapegrad {
namespace {

constexpr std::int64_t kAlign = 64;  // bytes: a cache line, and the widest vector

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }
std::int64_t bytes_of(const Meta& m) { return m.shape.product() * itemsize(m.dtype); }

// The same values, in another order in memory if those are not its strides.
Array with_strides(const Array& a, const Dims& strides) {
  const bool in_order =
      a.contiguous() && Array::is_contiguous(a.shape(), strides, itemsize(a.dtype()));
  if (in_order || a.strides() == strides) return a;
  const Array flat = Array::empty(a.dtype(), {a.size()});
  const Array result = flat.view(a.shape(), strides, flat.data());
  copy_into(a, result);
  return result;
}

}  // namespace

Layout::Layout(const Recording& recording, const Schedule& schedule, const Passes& passes,
               Plan& plan)
    : tape_(recording.tape),
      recording_(recording),
      schedule_(schedule),
      passes_(passes),
      plan_(plan),
      places_(tape_.size()),
      placed_(tape_.size(), false),
      direct_output_(tape_.size(), kNone) {
  place_leaves(plan);
  place_outputs(plan);
  place_results();
  count_constants();
}

void Layout::place_leaves(Plan& plan) {
  for (std::size_t k = 0; k < recording_.inputs.size(); ++k) {
    const NodeId id = recording_.inputs[k];
    places_[id] = {plan.input_buffer(k), 0};
    placed_[id] = true;
    const Meta m = tape_.meta(id);
    if (!schedule_.in_scalars[id]) continue;
    places_[id] = {Plan::kWorkspace, top_};
    top_ += aligned(bytes_of(m));
    plan.copied_inputs.push_back({k, location(id)});
  }
  std::map<const void*, std::vector<std::size_t>> seen;
  for (NodeId id = 0; id < tape_.size(); ++id) {
    if (tape_[id].op != Op::constant || schedule_.kinds[id] != NodeKind::leaf) continue;
    plan.constants.push_back(with_strides(tape_.value(id), schedule_.view(tape_, id).strides));
    places_[id] = {plan.constant_buffer(plan.constants.size() - 1), 0};
    placed_[id] = true;
  }
}

// The first output that a node is goes straight into the caller's array.
void Layout::place_outputs(Plan& plan) {
  for (std::size_t k = 0; k < recording_.outputs.size(); ++k) {
    const Operand o = recording_.outputs[k];
    const Meta m = is_constant(o) ? Meta{DType::f64, {}} : tape_.meta(o);
    plan.output_metas.push_back(m);
    plan.outputs[k].dtype = m.dtype;
    if (is_constant(o)) continue;
    const NodeKind kind = schedule_.kinds[o];
    const bool array = kind == NodeKind::op || schedule_.is_fused(o) || kind == NodeKind::reduction;
    if (!array || m.shape.empty() || schedule_.in_scalars[o] || direct_output_[o] != kNone)
      continue;
    direct_output_[o] = k;
    places_[o] = {plan.output_buffer(k), 0};
    placed_[o] = true;
    plan.outputs[k].direct = true;
  }
}

// An operand that nobody reads after step s and whose memory the result may be written into: the
// base of an update, or an array that a group walks in the same order as the result.
Operand Layout::taken_over(NodeId id, std::uint32_t s, const std::vector<NodeId>& dying) const {
  if (!passes_.reuse) return kNoOperand;
  const Node& n = tape_[id];
  auto fits = [&](Operand root) {
    if (is_constant(root) || !placed_[root] || places_[root].buffer != Plan::kWorkspace)
      return false;
    const NodeKind kind = schedule_.kinds[root];
    return kind != NodeKind::leaf && kind != NodeKind::view && schedule_.last[root] == s &&
           std::find(dying.begin(), dying.end(), root) != dying.end() &&
           bytes_of(tape_.meta(root)) == bytes_of(tape_.meta(id)) &&
           tape_.meta(root).dtype == n.dtype;
  };
  if (kind_of(n.op) == OpKind::structured && rules_of(n.op).update) {
    for (int i = 1; i < tape_.operand_count(n); ++i) {
      const Operand o = tape_.operand(n, i);
      if (!is_constant(o) && schedule_.root(o) == n.a) return kNoOperand;
    }
    return fits(n.a) ? n.a : kNoOperand;
  }
  if (schedule_.kinds[id] != NodeKind::fused) return kNoOperand;
  for (NodeId root : dying)
    if (schedule_.ends_in_order[root] && tape_.meta(root).shape == tape_.meta(id).shape &&
        schedule_.step_of[root] != s && fits(root) &&
        schedule_.view(tape_, root).strides == schedule_.view(tape_, id).strides)
      return root;
  return kNoOperand;
}

// First fit over what is free when a step begins. What a step reads last is free after the step, so
// results share no memory with operands but where `taken_over` says so.
void Layout::place_results() {
  std::vector<std::vector<NodeId>> born(schedule_.steps.size()), dying(schedule_.steps.size() + 1);
  for (NodeId id = 0; id < tape_.size(); ++id) {
    const NodeKind kind = schedule_.kinds[id];
    const bool vector_of_scalars = kind == NodeKind::scalar && !tape_.meta(id).shape.empty();
    if (kind == NodeKind::dead || kind == NodeKind::leaf || kind == NodeKind::view) continue;
    if (kind == NodeKind::scalar && !vector_of_scalars) continue;
    if (!schedule_.is_stored[id] || placed_[id]) continue;
    born[schedule_.step_of[id]].push_back(id);
  }
  const std::vector<std::uint32_t>& last = schedule_.last;
  for (std::uint32_t s = 0; s < schedule_.steps.size(); ++s) {
    for (NodeId id : born[s]) {
      const std::int64_t bytes = aligned(std::max<std::int64_t>(bytes_of(tape_.meta(id)), 8));
      placed_[id] = true;
      dying[std::max(last[id], s)].push_back(id);
      if (const Operand root = taken_over(id, s, dying[s]); root != kNoOperand) {
        places_[id] = places_[root];
        std::erase(dying[s], root);  // its block lives on with the result
        continue;
      }
      places_[id] = {Plan::kWorkspace, take(bytes)};
    }
    for (NodeId id : dying[s])
      if (passes_.reuse)
        give(places_[id].offset, aligned(std::max<std::int64_t>(bytes_of(tape_.meta(id)), 8)));
  }
}

std::int64_t Layout::take(std::int64_t bytes) {
  std::size_t best = free_.size();
  for (std::size_t i = 0; i < free_.size(); ++i)
    if (free_[i].bytes >= bytes && (best == free_.size() || free_[i].bytes < free_[best].bytes))
      best = i;
  if (best == free_.size()) {
    const std::int64_t offset = top_;
    top_ += bytes;
    return offset;
  }
  Block& b = free_[best];
  const std::int64_t offset = b.offset;
  b.offset += bytes;
  b.bytes -= bytes;
  if (b.bytes == 0) free_.erase(free_.begin() + static_cast<std::ptrdiff_t>(best));
  return offset;
}

void Layout::give(std::int64_t offset, std::int64_t bytes) {
  auto at = std::lower_bound(free_.begin(), free_.end(), offset,
                             [](const Block& b, std::int64_t o) { return b.offset < o; });
  at = free_.insert(at, {offset, bytes});
  if (at + 1 != free_.end() && at->offset + at->bytes == (at + 1)->offset) {
    at->bytes += (at + 1)->bytes;
    free_.erase(at + 1);
  }
  if (at != free_.begin() && (at - 1)->offset + (at - 1)->bytes == at->offset) {
    (at - 1)->bytes += at->bytes;
    free_.erase(at);
  }
}

// Slots for the constants of scalar code, before those of the code itself.
void Layout::count_constants() {
  scalar_end_ = static_cast<SlotIndex>(top_ / 8);
  for (const auto& step : schedule_.steps) {
    for (NodeId id : step.nodes) {
      if (schedule_.kinds[id] == NodeKind::fused) continue;  // a group has constants of its own
      for (int i = 0, n = tape_.operand_count(tape_[id]); i < n; ++i)
        if (const Operand o = tape_.operand(tape_[id], i); is_constant(o))
          constant_slot(tape_.constant(o));
    }
  }
  for (Operand o : recording_.outputs)
    if (is_constant(o)) constant_slot(tape_.constant(o));
}

SlotIndex Layout::constant_slot(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, 8);
  const auto [found, fresh] = constant_slots_.try_emplace(bits, scalar_end_);
  if (fresh) plan_.scalar_constants.push_back({scalar_end_++, value});
  return found->second;
}

Location Layout::location(Operand o) const {
  if (is_constant(o)) {
    std::uint64_t bits;
    const double value = tape_.constant(o);
    std::memcpy(&bits, &value, 8);
    const std::int64_t slot = constant_slots_.at(bits);
    return {{Plan::kWorkspace, slot * 8}, DType::f64, {}, {}};
  }
  const Meta m = tape_.meta(o);
  const DType dtype = is_truth(o) ? DType::f64 : m.dtype;
  if (schedule_.kinds[o] == NodeKind::view) {
    const View& v = schedule_.views[schedule_.view_number[o]];
    const Place p = places_[v.root];
    return {{p.buffer, p.offset + v.offset}, dtype, v.shape, v.strides};
  }
  return {places_[o], dtype, m.shape, schedule_.view(tape_, o).strides};
}

Location Layout::stored(NodeId id, const Dims& shape) const {
  const DType dtype = tape_[id].dtype;
  if (schedule_.kinds[id] == NodeKind::copy)
    return {places_[id], dtype, shape, Array::contiguous_strides(shape, itemsize(dtype))};
  return {places_[id], dtype, shape, schedule_.view(tape_, id).strides};
}

bool Layout::is_truth(Operand o) const {
  return !is_constant(o) && schedule_.kinds[o] == NodeKind::scalar && tape_[o].dtype == DType::b8;
}

void Layout::finish(Plan& plan) {
  for (std::size_t k = 0; k < recording_.outputs.size(); ++k) {
    const Operand o = recording_.outputs[k];
    plan.outputs[k].source = location(o);
    plan.outputs[k].truth = is_truth(o);
  }
  for (std::size_t k = 0; k < recording_.guards.size(); ++k) {
    const RecordedGuard& g = recording_.guards[k];
    if (is_constant(g.node)) continue;  // it holds always
    plan.checks.push_back({location(g.node), is_truth(g.node), g.expected, g.line, k});
  }
  plan.workspace_bytes =
      static_cast<std::size_t>(aligned(static_cast<std::int64_t>(scalar_end_) * 8));
}

}  // namespace tapegrad
