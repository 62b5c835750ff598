// `_core.Instance` and `_core.append`: batches within an open recording. One instance is recorded
// on the open tape as a program would be; what depends on its arguments is cut out, made into a
// batch, and the batch is appended to the tape op by op, so that outer derivatives go through it.
#include <pybind11/stl.h>

#include <unordered_map>

#include "convert.hpp"
#include "program/recording.hpp"
#include "program_type.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

// The nodes of a tape from `begin` on that depend on some of them, as a recording. What these read
// from elsewhere becomes further inputs.
class Cut {
 public:
  Cut(const Tape& tape, NodeId begin, const std::vector<NodeId>& inputs)
      : tape_(tape), begin_(begin), depends_(tape.size() - begin), made_(new Recording) {
    for (NodeId id : inputs) depends_[id - begin] = true;
    for (NodeId id = begin; id < tape.size(); ++id)
      for (int i = 0, count = tape.operand_count(tape[id]); i < count; ++i)
        if (depends(tape.operand(tape[id], i))) depends_[id - begin] = true;
    for (NodeId id : inputs) made_->inputs.push_back(operands_[id] = leaf(tape.meta(id)));
  }
  bool depends(Operand o) const { return !is_constant(o) && o >= begin_ && depends_[o - begin_]; }
  void copy() {
    for (NodeId id = begin_; id < tape_.size(); ++id) {
      if (!depends(id) || operands_.contains(id)) continue;
      const Node n = tape_[id];
      std::vector<Operand> in;
      for (int i = 0, count = tape_.operand_count(n); i < count; ++i)
        in.push_back(of(tape_.operand(n, i)));
      std::int64_t immediate = 0;
      operands_[id] = made_->tape.add(n.op, in, tape_.attrs(n, immediate), tape_.meta(id));
    }
  }
  Operand of(Operand o) {
    if (is_constant(o)) return made_->tape.add_constant(tape_.constant(o));
    if (const auto found = operands_.find(o); found != operands_.end()) return found->second;
    const NodeId id = leaf(tape_.meta(o));
    made_->inputs.push_back(id);
    captured.push_back(o);
    return operands_[o] = id;
  }
  std::shared_ptr<Recording> take() { return std::move(made_); }

  std::vector<NodeId> captured;  // the nodes that the further inputs stand for

 private:
  NodeId leaf(const Meta& m) {
    if (m.dtype == DType::f64 && m.shape.empty()) return made_->tape.add_scalar_input(0);
    return made_->tape.add_leaf(Op::input, m);
  }

  const Tape& tape_;
  const NodeId begin_;
  std::vector<bool> depends_;
  std::shared_ptr<Recording> made_;
  std::unordered_map<NodeId, Operand> operands_;
};

// While it is open the recording of this thread is that of a program: guards are noted, and nodes
// of any dtype recorded. All values are kept, because the batch needs those it reads from outside.
class Instance {
 public:
  Instance() : session_(current_session) {
    require(session_ != nullptr, "an instance is recorded within an open recording");
    Session& s = *session_;
    begin_ = s.tape.size();
    guards_ = s.guards.size();
    was_program_ = s.program;
    kept_all_ = s.tape.keeps_values();
    if (!was_program_) s.lines.resize(begin_);
    s.program = true;
    s.tape.record_program();
    s.tape.keep_values();
  }
  ~Instance() { close(); }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // (Recording, Variables it has read from outside, which are its last inputs).
  py::tuple finish(const py::sequence& inputs, const py::sequence& outputs) {
    Session& s = *session_;
    require(open_ && current_session == session_, "the instance is open on this thread");
    s.settle_nodes();
    Cut cut(s.tape, begin_, nodes_of(inputs));
    cut.copy();
    std::vector<Operand> results;
    for (NodeId id : nodes_of(outputs)) results.push_back(cut.of(id));
    std::vector<RecordedGuard> guards;
    for (std::size_t k = guards_; k < s.guards.size(); ++k)
      if (const Guard& g = s.guards[k]; cut.depends(g.node))
        guards.push_back({cut.of(g.node), g.expected, 0});
    s.unguard([&](const Guard& g) { return cut.depends(g.node); });
    py::list captured;
    for (NodeId id : cut.captured)
      captured.append(py::reinterpret_steal<py::object>(new_variable({id, s.tape.value(id)})));
    const std::shared_ptr<Recording> made = cut.take();
    made->outputs = std::move(results);
    made->guards = std::move(guards);
    return py::make_tuple(made, captured);
  }

  void close() {
    if (!open_) return;
    open_ = false;
    Session& s = *session_;
    s.tape.keep_values(kept_all_);
    if (was_program_) return;
    s.program = false;
    s.tape.record_program(false);
    s.unguard([](const Guard&) { return true; });
    s.lines.clear();
    s.source.clear();
    s.watched.clear();
  }

 private:
  static std::vector<NodeId> nodes_of(const py::sequence& variables) {
    std::vector<NodeId> nodes;
    for (auto v : variables) {
      require(is_variable(v.ptr()), "Variables are expected");
      nodes.push_back(value_of(as_variable(v.ptr())).operand);
      require(nodes.back() != kNoOperand, "recorded Variables are expected");
    }
    return nodes;
  }

  Session* session_;
  NodeId begin_ = 0;
  std::size_t guards_ = 0;
  bool was_program_ = false, kept_all_ = false, open_ = true;
};

// For each node of a recording the last that reads it; the end for outputs, 0 for what nobody
// needs.
std::vector<NodeId> last_uses(const Recording& r) {
  const NodeId end = r.tape.size();
  std::vector<NodeId> last(end, 0);
  for (Operand o : r.outputs)
    if (!is_constant(o)) last[o] = end;
  for (NodeId id = end; id-- > 0;) {
    if (last[id] == 0) continue;
    for (int i = 0, count = r.tape.operand_count(r.tape[id]); i < count; ++i)
      if (const Operand o = r.tape.operand(r.tape[id], i); !is_constant(o) && last[o] == 0)
        last[o] = id;
  }
  return last;
}

// alias and stop_gradient.
Value passed_on(Op op, Value value) {
  if (op == Op::alias || !value.active()) return value;
  Session* s = program_session();
  if (!s) return {kNoOperand, std::move(value.array)};
  const Operand operands[] = {value.operand};
  const NodeId id = s->tape.add(op, operands, std::span(&value.array, 1), {}, value.array);
  s->settle_nodes();
  return {id, std::move(value.array)};
}

// The ops of a recording on these values, one after the other, recorded where they are.
std::vector<Value> computed(const Recording& r, std::vector<Value> inputs) {
  const std::vector<NodeId> last = last_uses(r);
  std::vector<Value> values(r.tape.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) values[r.inputs[k]] = std::move(inputs[k]);
  auto value_of_operand = [&](Operand o) -> Value {
    if (is_constant(o)) return {kNoOperand, Array::scalar(r.tape.constant(o))};
    return values[o];
  };
  std::vector<Argument> in;
  for (NodeId id = 0; id < r.tape.size(); ++id) {
    const Node& n = r.tape[id];
    if (last[id] == 0 || n.op == Op::input) continue;
    if (n.op == Op::constant) {
      values[id].array = r.tape.value(id);
      continue;
    }
    const int count = r.tape.operand_count(n);
    in.clear();
    for (int i = 0; i < count; ++i)
      in.push_back({value_of_operand(r.tape.operand(n, i)), false, true});
    for (int i = 0; i < count; ++i)  // the last reader may write in place
      if (const Operand o = r.tape.operand(n, i); !is_constant(o) && last[o] == id) values[o] = {};
    std::int64_t immediate = 0;
    values[id] = kind_of(n.op) == OpKind::leaf ? passed_on(n.op, std::move(in[0].value))
                                               : apply(n.op, in, r.tape.attrs(n, immediate));
  }
  std::vector<Value> results;
  for (Operand o : r.outputs) results.push_back(value_of_operand(o));
  return results;
}

// The outputs as Variables, or plain where no operand is one. With `guarded` the program that is
// being recorded is good only if the last output is what it is now.
py::list append(const Recording& r, const py::sequence& inputs, bool guarded) {
  require(inputs.size() == r.inputs.size(), "append: as many operands as inputs");
  std::vector<Value> values;
  for (std::size_t k = 0; k < r.inputs.size(); ++k) {
    Argument a;
    const py::object given = inputs[k];
    if (!argument_from(given.ptr(), a)) throw TypeFault("append: numbers and arrays are expected");
    const Meta m = r.tape.meta(r.inputs[k]);
    require(a.value.array.shape() == m.shape, "append: an input of another shape");
    if (a.value.array.dtype() != m.dtype)
      a.value = apply(Op::cast, std::span(&a, 1), std::array{static_cast<std::int64_t>(m.dtype)});
    values.push_back(std::move(a.value));
  }
  std::vector<Value> results = computed(r, std::move(values));
  if (Session* s = program_session(); s && guarded && results.back().active())
    s->guard(results.back().operand, results.back().array);
  py::list out;
  for (auto& v : results) {
    PyObject* o = v.active() ? new_variable(std::move(v)) : value_to_python(v.array);
    if (!o) throw py::error_already_set();
    out.append(py::reinterpret_steal<py::object>(o));
  }
  return out;
}

}  // namespace

void make_instances(py::module_& m) {
  using namespace py::literals;
  py::class_<Instance>(m, "Instance", "One instance of a batch, recorded within a recording.")
      .def(py::init<>())
      .def("finish", &Instance::finish, "inputs"_a, "outputs"_a,
           "What depends on the inputs as (Recording, the Variables it has read besides).")
      .def("close", &Instance::close, "The recording goes on as it was before.");
  m.def("append", append, "recording"_a, "inputs"_a, "guarded"_a = false,
        "The outputs of a recording for these inputs, computed op by op and recorded.");
}

}  // namespace tapegrad
