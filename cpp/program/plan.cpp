// From a recording to steps: which nodes are computed together, which values need memory and where.
#include "program/plan.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/iterate.hpp"
#include "ops/parts.hpp"
#include "program/builder.hpp"
#include "program/layout.hpp"
#include "program/shift.hpp"

namespace tapegrad {
namespace {

// Fills a plan from a schedule and a layout.
class Emitter {
 public:
  Emitter(const Recording& recording, const Schedule& schedule, Layout& layout, Plan& plan)
      : tape_(recording.tape),
        recording_(recording),
        schedule_(schedule),
        layout_(layout),
        plan_(plan) {}

  void run() {
    for (std::uint32_t s = 0; s < schedule_.steps.size(); ++s) {
      const auto& step = schedule_.steps[s];
      if (step.kind == Plan::Kind::group) emit_group(s);
      else if (step.kind == Plan::Kind::scalars) emit_scalars(s);
      else emit_op(s);
    }
  }

 private:
  std::uint32_t line_of(NodeId id) const {
    return id < recording_.lines.size() ? recording_.lines[id] : 0;
  }
  void push(Plan::Kind kind, std::size_t index, const std::vector<NodeId>& nodes) {
    std::map<std::pair<std::uint32_t, Op>, std::uint32_t> counts;
    for (NodeId id : nodes) ++counts[{line_of(id), tape_[id].op}];
    Plan::Step step{kind, static_cast<std::uint32_t>(index), {}};
    for (auto& [at, count] : counts) step.shares.push_back({at.second, at.first, count});
    plan_.steps.push_back(std::move(step));
  }

  void emit_op(std::uint32_t s) {
    const NodeId id = schedule_.steps[s].nodes[0];
    const Node& n = tape_[id];
    OpCall call;
    call.op = n.op;
    std::int64_t immediate = 0;
    call.attrs = Dims(tape_.attrs(n, immediate));
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i)
      call.in.push_back(layout_.location(tape_.operand(n, i)));
    call.out = layout_.location(id);
    if (rules_of(n.op).update) {
      const Place a = call.in[0].place, b = call.out.place;
      call.copies_base = a.buffer != b.buffer || a.offset != b.offset;
    }
    plan_.ops.push_back(std::move(call));
    push(Plan::Kind::op, plan_.ops.size() - 1, schedule_.steps[s].nodes);
  }

  // ---- scalars ----

  SlotIndex slot(Operand o) {
    if (is_constant(o)) return layout_.constant_slot(tape_.constant(o));
    const Location l = layout_.location(o);
    ensure(l.place.buffer == Plan::kWorkspace && l.place.offset % 8 == 0,
           "scalars read from the workspace");
    return static_cast<SlotIndex>(l.place.offset / 8);
  }

  // The values of a scalar problem are numbered from 0: first those from outside, then its ops.
  static constexpr std::uint32_t kUnknown = 0xffffffffu;

  void note_outside(ScalarProblem& problem, Operand o) {
    if (is_constant(o)) {
      const auto [found, fresh] =
          constant_value_.try_emplace(slot(o), static_cast<std::uint32_t>(problem.external.size()));
      if (fresh) problem.external.push_back(found->first);
      return;
    }
    if (value_[o] != kUnknown) return;
    value_[o] = static_cast<std::uint32_t>(problem.external.size());
    problem.external.push_back(slot(o));
  }
  std::uint32_t value_of(Operand o) {
    return is_constant(o) ? constant_value_.at(slot(o)) : value_[o];
  }

  void emit_scalars(std::uint32_t s) {
    const auto& nodes = schedule_.steps[s].nodes;
    ScalarProblem problem;
    problem.first_free = layout_.scalar_end();
    value_.resize(tape_.size(), kUnknown);
    constant_value_.clear();
    auto is_inside = [&](Operand o) {
      return !is_constant(o) && schedule_.kinds[o] == NodeKind::scalar &&
             schedule_.step_of[o] == s && tape_[o].op != Op::concatenate;
    };
    auto for_operands = [&](NodeId id, auto&& f) {
      for (int i = 0, count = tape_.operand_count(tape_[id]); i < count; ++i)
        f(i, tape_.operand(tape_[id], i));
    };
    for (NodeId id : nodes)
      for_operands(id, [&](int, Operand o) {
        if (!is_inside(o)) note_outside(problem, o);
      });
    const auto outside = static_cast<std::uint32_t>(problem.external.size());
    for (NodeId id : nodes) {
      if (tape_[id].op == Op::concatenate) {
        assemble(id, problem, outside);
        continue;
      }
      ScalarProblem::Operation op{tape_[id].op, {0, 0, 0}};
      for_operands(id, [&](int i, Operand o) { op.in[i] = value_of(o); });
      value_[id] = outside + static_cast<std::uint32_t>(problem.ops.size());
      problem.ops.push_back(op);
      problem.pinned.push_back(schedule_.is_stored[id] ? kNoSlot : kTemporary);
    }
    ScalarCode code = compile_scalars(problem);
    layout_.set_scalar_end(code.end);
    for (NodeId id : nodes)
      if (tape_[id].op != Op::concatenate && schedule_.is_stored[id])
        layout_.place_scalar(id, code.slot[value_[id] - outside]);
    for (NodeId id : nodes) {  // in another piece of code they have other numbers
      for_operands(id, [&](int, Operand o) {
        if (!is_constant(o)) value_[o] = kUnknown;
      });
      value_[id] = kUnknown;
    }
    plan_.scalars.push_back(std::move(code));
    push(Plan::Kind::scalars, plan_.scalars.size() - 1, nodes);
  }

  // A vector of scalars: each is computed in its place, or moved there if it is needed longer.
  void assemble(NodeId id, ScalarProblem& problem, std::uint32_t outside) {
    const Node& n = tape_[id];
    const Location to = layout_.location(id);
    ensure(to.place.buffer == Plan::kWorkspace, "scalars are assembled in the workspace");
    for (int i = 0, count = tape_.operand_count(n); i < count; ++i) {
      const auto at = static_cast<SlotIndex>(to.place.offset / 8 + i);
      const std::uint32_t value = value_of(tape_.operand(n, i));
      if (value >= outside && problem.pinned[value - outside] == kTemporary) {
        problem.pinned[value - outside] = at;
        continue;
      }
      problem.ops.push_back({Op::positive, {value, 0, 0}});
      problem.pinned.push_back(at);
    }
  }

  // ---- groups ----

  // While a group is built registers are numbered apart: kind and index; they are joined at the
  // end.
  struct Ref {
    enum Kind { load, constant, result } kind;
    std::size_t index;
  };
  struct Draft {
    std::uint32_t step = 0;
    Group group;
    std::vector<MicroOp> ops;
    std::vector<std::array<Ref, 3>> in;
    std::map<std::pair<Operand, ShiftId>, Ref> known;
    std::map<std::pair<std::uint64_t, DType>, std::size_t> constants;
    std::vector<std::pair<Ref, Access>> stores;
    std::vector<std::pair<Ref, Reduction>> reductions;
  };

  Ref constant_ref(Draft& d, double value, DType dtype) {
    std::uint64_t bits;
    std::memcpy(&bits, &value, 8);
    const auto [found, fresh] = d.constants.try_emplace({bits, dtype}, d.group.constants.size());
    if (fresh) d.group.constants.push_back({dtype, value});
    return {Ref::constant, found->second};
  }
  Ref emit(Draft& d, Op op, DType dtype, DType result, std::array<Ref, 3> in) {
    d.ops.push_back({op, dtype, result, 0, {0, 0, 0}});
    d.in.push_back(in);
    return {Ref::result, d.ops.size() - 1};
  }

  // The value of an operand where the group reads it: a register that is there, or a load.
  Ref ref(Draft& d, Operand o, ShiftId at) {
    if (is_constant(o)) return constant_ref(d, tape_.constant(o), DType::f64);
    if (const auto found = d.known.find({o, at}); found != d.known.end()) return found->second;
    const Ref r = make(d, o, at);
    d.known.emplace(std::pair{o, at}, r);
    return r;
  }
  Ref make(Draft& d, Operand o, ShiftId at) {
    const bool here = schedule_.step_of[o] == d.step && schedule_.is_fused(o);
    if (here || schedule_.is_recomputed[o]) return compute(d, o, at);
    if (schedule_.is_recomputed[schedule_.root(o)]) {
      const auto behind = computed_value(tape_, schedule_, shifts_, o, at, d.group.shape);
      ensure(behind.has_value(), "what is computed again is seen through slices only");
      return ref(d, behind->value, behind->shift);
    }
    if (const auto v = repeated(o)) return constant_ref(d, *v, tape_[o].dtype);
    return add_load(d, access(layout_.location(o), d.group.shape, shifts_[at]));
  }
  // The number that a constant array repeats everywhere.
  std::optional<double> repeated(Operand o) const {
    if (tape_[o].op != Op::constant) return {};
    return repeated_number(tape_.value(o));
  }
  Ref add_load(Draft& d, Access a) {
    auto& loads = d.group.loads;
    const auto at =
        static_cast<std::size_t>(std::find(loads.begin(), loads.end(), a) - loads.begin());
    if (at == loads.size()) loads.push_back(std::move(a));
    return {Ref::load, at};
  }
  static Access access(const Location& l, const Dims& shape, const Shift& at = {}) {
    Access a;
    a.dtype = l.dtype;
    a.place = l.place;
    a.strides = Dims(shape.size(), 0);
    const std::size_t added = shape.size() - l.shape.size();
    for (std::size_t i = 0; i < l.shape.size(); ++i) {
      if (l.shape[i] == 1) continue;
      a.strides[i + added] = l.strides[i];
      const Shift::Axis axis = at.on(i + added);
      if (axis.period == 0) {
        a.place.offset += axis.by * l.strides[i];
        continue;
      }
      a.place.offset += axis.base * l.strides[i];
      a.windows.push_back(
          {Access::Edge::wrap, static_cast<std::uint8_t>(i + added), axis.by, axis.period});
    }
    return a;
  }

  // The axes on which a padded slice is shorter than the whole; `at` is where its operand is read.
  std::vector<Access::Window> edges(const Node& n, const Dims& full, const Shift& at) const {
    const Dims inner = tape_.meta(n.a).shape;
    std::vector<Access::Window> windows;
    for (std::size_t i = 0; i < inner.size(); ++i)
      if (inner[i] != full[i])
        windows.push_back(
            {Access::Edge::zero, static_cast<std::uint8_t>(i), at.on(i).by, inner[i]});
    return windows;
  }

  // A roll or a padded slice: a load through windows, or the operand computed there.
  Ref windowed(Draft& d, NodeId id, ShiftId at) {
    const Node n = tape_[id];
    const auto inner = operand_shift(tape_, shifts_, id, at, d.group.shape);
    ensure(inner.has_value(), "a shift that was possible when memory was decided on");
    std::vector<Access::Window> windows;
    if (n.op == Op::unslice) windows = edges(n, tape_.meta(id).shape, shifts_[*inner]);
    if (schedule_.is_recomputed[schedule_.root(n.a)]) {
      const Ref value = ref(d, n.a, *inner);
      return windows.empty() ? value : masked(d, value, n.dtype, std::move(windows));
    }
    return add_load(
        d, windowed_access(layout_.location(n.a), d.group.shape, shifts_[*inner], windows));
  }
  static Access windowed_access(const Location& l, const Dims& shape, Shift at,
                                const std::vector<Access::Window>& windows) {
    if (!windows.empty() && at.none()) at.axes.resize(shape.size());
    for (const auto& w : windows) at.axes[w.axis] = {};
    Access a = access(l, shape, at);
    for (const auto& w : windows) {
      a.strides[w.axis] = l.strides[w.axis];  // axes of length 1 have their strides, too
      a.windows.push_back(w);
    }
    return a;
  }
  Ref masked(Draft& d, Ref value, DType dtype, std::vector<Access::Window> windows) {
    const Ref inside =
        add_load(d, {DType::b8, {kTruth, 0}, Dims(d.group.shape.size(), 0), std::move(windows)});
    return emit(d, Op::where, dtype, dtype, {inside, value, constant_ref(d, 0, dtype)});
  }

  Ref compute(Draft& d, NodeId id, ShiftId at) {
    const Node n = tape_[id];
    if (schedule_.is_windowed(id)) return windowed(d, id, at);
    if (schedule_.kind_of(id) == NodeKind::copy)
      return add_load(d, access(layout_.location(n.a), d.group.shape));
    std::array<Ref, 3> in{};
    const int count = tape_.operand_count(n);
    for (int i = 0; i < count; ++i) in[i] = ref(d, tape_.operand(n, i), at);
    for (int i = count; i < 3; ++i) in[i] = in[0];
    const Operand typed = tape_.operand(n, n.op == Op::where ? 1 : 0);
    return emit(d, n.op, tape_.meta(typed).dtype, n.dtype, in);
  }

  void emit_group(std::uint32_t s) {
    Draft d;
    d.step = s;
    d.group.shape = schedule_.steps[s].shape;
    for (NodeId id : schedule_.steps[s].nodes) {
      if (schedule_.kind_of(id) == NodeKind::reduction) {
        reduce(d, id);
        continue;
      }
      if (!schedule_.is_stored[id]) continue;
      const Ref r = ref(d, id, kNoShift);
      d.stores.push_back({r, access(layout_.stored(id, d.group.shape), d.group.shape)});
    }
    if (d.stores.empty() && d.reductions.empty()) return;
    finish(d);
    plan_.groups.push_back(std::move(d.group));
    push(Plan::Kind::group, plan_.groups.size() - 1, schedule_.steps[s].nodes);
  }

  void reduce(Draft& d, NodeId id) {
    const Node n = tape_[id];
    std::int64_t immediate = 0;
    const Attrs attrs = tape_.attrs(n, immediate);
    const bool keepdims = attrs[0] != 0;
    const Location l = layout_.location(id);
    Access out;
    out.dtype = l.dtype;
    out.place = l.place;
    out.strides = Dims(d.group.shape.size(), 0);
    std::size_t at = 0;
    for (std::size_t i = 0; i < d.group.shape.size(); ++i) {
      const bool reduced =
          std::find(attrs.begin() + 1, attrs.end(), static_cast<std::int64_t>(i)) != attrs.end();
      if (!reduced) out.strides[i] = l.strides[at];
      if (!reduced || keepdims) ++at;
    }
    const Ref value = ref(d, n.a, kNoShift);
    d.reductions.push_back({value, {n.op, 0, std::move(out)}});
  }

  static void finish(Draft& d) {
    Group& g = d.group;
    const std::size_t loads = g.loads.size(), constants = g.constants.size();
    auto number = [&](Ref r) {
      const std::size_t k = r.kind == Ref::load       ? r.index
                            : r.kind == Ref::constant ? loads + r.index
                                                      : loads + constants + r.index;
      require(k < 0xffff, "a program's loop has too many values");
      return static_cast<Register>(k);
    };
    for (std::size_t k = 0; k < d.ops.size(); ++k) {
      d.ops[k].result = number({Ref::result, k});
      for (int i = 0; i < 3; ++i) d.ops[k].in[i] = number(d.in[k][i]);
    }
    g.ops = std::move(d.ops);
    for (auto& [r, access] : d.stores) g.stores.push_back({number(r), std::move(access)});
    for (auto& [r, reduction] : d.reductions) {
      reduction.value = number(r);
      g.reductions.push_back(std::move(reduction));
    }
  }

  const Tape& tape_;
  const Recording& recording_;
  const Schedule& schedule_;
  Layout& layout_;
  Plan& plan_;
  Shifts shifts_;
  std::vector<std::uint32_t> value_;  // of the nodes that the scalar problem at hand reads or makes
  std::unordered_map<SlotIndex, std::uint32_t> constant_value_;
};

}  // namespace

Plan make_plan(const Recording& recording, const Passes& passes) {
  Plan plan;
  const Tape& tape = recording.tape;
  for (NodeId id : recording.inputs) plan.inputs.push_back(tape.meta(id));
  plan.outputs.resize(recording.outputs.size());
  const Schedule schedule = make_schedule(recording, passes);
  plan.rules = tape.rules();
  Layout layout(recording, schedule, passes, plan);
  Emitter(recording, schedule, layout, plan).run();
  layout.finish(plan);
  return plan;
}

}  // namespace tapegrad
