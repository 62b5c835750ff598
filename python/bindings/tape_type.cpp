// `_core.Tape`: opening and closing recordings, inputs, sweeps, and a look inside.
#include "tape_type.hpp"

#include <pybind11/stl.h>

#include "base/copy.hpp"
#include "convert.hpp"
#include "variable.hpp"

namespace tapegrad {

bool is_dense(const Array& a) {
  if (a.contiguous()) return true;
  const Array packed = empty_in_order(a.dtype(), a);
  for (std::size_t d = 0; d < a.shape().size(); ++d)
    if (a.shape()[d] > 1 && a.strides()[d] != packed.strides()[d]) return false;
  return true;
}

namespace {

struct TapeHandle {
  std::shared_ptr<Session> session;
  Tape& tape() { return session->tape; }
};

// The node of a Variable of this recording; kNoOperand if it depends on no input.
NodeId recorded_node_of(const TapeHandle& t, py::handle o) {
  if (!is_variable(o.ptr())) return kNoOperand;
  Variable* v = as_variable(o.ptr());
  peek(v);  // a view may have become active through its parent
  if (v->node == kNoOperand) return kNoOperand;
  if (v->serial != t.session->origin)
    call_python("tapegrad.errors", "recording", py::make_tuple(current_session != nullptr));
  return t.session->serial ? value_of(v).operand : v->node;
}
// The same; kNoOperand also if it carries no derivative.
NodeId node_of(const TapeHandle& t, py::handle o) {
  const NodeId id = recorded_node_of(t, o);
  return id != kNoOperand && t.session->tape[id].has(Node::kDetached) ? kNoOperand : id;
}

Array with_dtype(const Array& a, DType dtype) {
  if (a.dtype() == dtype) return a;
  return evaluate(Op::cast, {a}, std::array{static_cast<std::int64_t>(dtype)});
}

void require_shape(const Array& seed, Dims shape, std::int64_t lanes) {
  if (lanes > 0) shape.insert(0, lanes);
  if (!(seed.shape() == shape))
    throw Error("a seed has shape " + seed.shape().str() + ", expected " + shape.str());
}

// A seed of the dtype of its node, with the lanes in front.
Array seed_value(const Tape& tape, NodeId node, py::handle value, std::int64_t lanes) {
  const Meta m = tape.meta(node);
  Array a;
  bool weak;
  if (!number_from(value.ptr(), a, weak)) a = array_from(value.ptr(), "a seed");
  require_shape(a, m.shape, lanes);
  return contiguous(with_dtype(a, m.dtype));
}

PyObject* result_object(Array a) {
  if (a.ndim() == 0 && a.dtype() == DType::f64) return PyFloat_FromDouble(a.at<double>());
  return array_to_numpy(std::move(a), true);
}
py::list result_list(std::vector<Array> arrays) {
  py::list out;
  for (auto& a : arrays) {
    PyObject* o = result_object(std::move(a));
    if (!o) throw py::error_already_set();
    out.append(py::reinterpret_steal<py::object>(o));
  }
  return out;
}

// While arguments are put on the tape they are not watched: a call brings its own. The inputs of a
// nested derivative may come from anywhere.
class Unwatched {
 public:
  explicit Unwatched(Session& session) : session_(session) {
    session_.watching = session.depth > 1;
  }
  ~Unwatched() { session_.watching = true; }

 private:
  Session& session_;
};

py::object input(TapeHandle& t, py::handle value, bool keep_dtype) {
  Session& s = *t.session;
  require(s.serial != 0 && current_session == &s, "Tape.input: this recording is not open here");
  if (is_variable(value.ptr())) {
    Value v = value_of(as_variable(value.ptr()));
    if (v.active()) {
      const Operand operands[] = {v.operand};
      const NodeId id = s.tape.add(Op::alias, operands, std::span(&v.array, 1), {}, v.array);
      s.settle_nodes();
      return py::reinterpret_steal<py::object>(new_variable({id, v.array}));
    }
    v.operand = s.tape.add_leaf(Op::input, v.array);
    if (s.program && s.depth > 1) s.tape.keep(v.operand, v.array);
    s.settle_nodes();
    return py::reinterpret_steal<py::object>(new_variable(std::move(v)));
  }
  Array a;
  bool weak;
  const Unwatched unwatched(s);
  if (!number_from(value.ptr(), a, weak)) a = array_from(value.ptr(), "an input");
  if (!keep_dtype && !is_differentiable(a.dtype())) a = with_dtype(a, DType::f64);
  const bool dense = is_dense(a);
  if (a.nbytes() <= Session::kSmall || s.program) a = copy_in_order(a);
  else s.capture(a);
  const NodeId id = s.tape.add_leaf(Op::input, a);
  if (s.program && s.depth > 1) s.tape.keep(id, a);  // for the program it is a constant
  s.settle_nodes();
  return py::reinterpret_steal<py::object>(new_variable({id, a, !dense}));
}

std::vector<NodeId> nodes_of(const TapeHandle& t, const py::sequence& variables) {
  std::vector<NodeId> nodes;
  for (auto v : variables) {
    nodes.push_back(node_of(t, v));
    require(nodes.back() != kNoOperand, "a recorded Variable is expected here");
  }
  return nodes;
}

std::vector<Seed> seeds_of(TapeHandle& t, const py::sequence& variables, const py::sequence& values,
                           std::int64_t lanes) {
  require(variables.size() == values.size(), "as many seeds as variables");
  std::vector<Seed> seeds;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const NodeId id = node_of(t, variables[i]);
    if (id != kNoOperand) seeds.push_back({id, seed_value(t.tape(), id, values[i], lanes)});
  }
  return seeds;
}

std::vector<RecordedSeed> recorded_seeds_of(TapeHandle& t, const py::sequence& variables,
                                            const py::sequence& values, std::int64_t lanes) {
  require(variables.size() == values.size(), "as many seeds as variables");
  std::vector<RecordedSeed> seeds;
  for (std::size_t i = 0; i < variables.size(); ++i) {
    const NodeId id = node_of(t, variables[i]);
    if (id == kNoOperand) continue;
    const Meta m = t.tape().meta(id);
    const py::object value = values[i];
    if (!is_variable(value.ptr())) {
      // A copy: the tape keeps it, and the caller may reuse the array for the next direction.
      const Array seed = seed_value(t.tape(), id, value, lanes);
      seeds.push_back({id, {kNoOperand, copy_in_order(seed)}});
      continue;
    }
    Argument a{value_of(as_variable(value.ptr())), false, true};
    require_shape(a.value.array, m.shape, lanes);
    if (a.value.array.dtype() != m.dtype)
      a.value = apply(Op::cast, std::span(&a, 1), std::array{static_cast<std::int64_t>(m.dtype)});
    seeds.push_back({id, {a.value.operand, a.value.array}});
  }
  return seeds;
}

py::list variables_list(std::vector<Recorded> values) {
  if (current_session) current_session->settle_nodes();
  py::list out;
  for (auto& r : values)
    out.append(py::reinterpret_steal<py::object>(new_variable({r.operand, std::move(r.value)})));
  return out;
}

Tape& recording_target() {
  require(current_session != nullptr, "a recorded sweep needs an open recording on this thread");
  return current_session->tape;
}

py::list adjoint(TapeHandle& t, const py::sequence& outputs, const py::sequence& cotangents,
                 const py::sequence& inputs, NodeId begin, bool record, std::int64_t directions) {
  t.session->verify_captured();
  const auto wanted = nodes_of(t, inputs);
  if (record)
    return variables_list(recorded_adjoint_sweep(
        t.tape(), recording_target(), begin, recorded_seeds_of(t, outputs, cotangents, directions),
        wanted, directions));
  return result_list(adjoint_sweep(t.tape(), begin, seeds_of(t, outputs, cotangents, directions),
                                   wanted, directions));
}

// Tangents of the outputs that are recorded; None for inactive ones.
py::list tangent(TapeHandle& t, const py::sequence& inputs, const py::sequence& tangents,
                 const py::sequence& outputs, NodeId begin, bool record, std::int64_t directions) {
  t.session->verify_captured();
  std::vector<NodeId> wanted;
  for (auto o : outputs) {
    const NodeId id = node_of(t, o);
    if (id != kNoOperand) wanted.push_back(id);
  }
  py::list found =
      record ? variables_list(recorded_tangent_sweep(
                   t.tape(), recording_target(), begin,
                   recorded_seeds_of(t, inputs, tangents, directions), wanted, directions))
             : result_list(tangent_sweep(t.tape(), begin, seeds_of(t, inputs, tangents, directions),
                                         wanted, directions));
  py::list all;
  std::size_t next = 0;
  for (auto o : outputs) {
    if (node_of(t, o) != kNoOperand) all.append(found[next++]);
    else all.append(py::none());
  }
  return all;
}

py::tuple second_order(TapeHandle& t, py::handle output, py::handle seed,
                       const py::sequence& inputs, const py::sequence& tangents, NodeId begin,
                       std::int64_t directions, bool gradients) {
  t.session->verify_captured();
  const NodeId y = node_of(t, output);
  require(y != kNoOperand, "the output depends on no input");
  SecondOrder r =
      second_order_sweep(t.tape(), begin, {y, seed_value(t.tape(), y, seed, 0)},
                         seeds_of(t, inputs, tangents, directions), directions, gradients);
  return py::make_tuple(
      py::reinterpret_steal<py::object>(result_object(std::move(r.output_tangent))),
      result_list(std::move(r.gradients)), result_list(std::move(r.products)));
}

// Numbers in the values of the nodes from `begin` on: what a direction of a sweep may hold.
std::int64_t elements(TapeHandle& t, NodeId begin) {
  const Tape& tape = t.tape();
  std::int64_t count = 0;
  for (NodeId id = begin; id < tape.size(); ++id)
    count += tape[id].has(Node::kScalar) ? 1 : tape.meta(id).shape.product();
  return count;
}

py::object plain_or_none(const Tape& tape, NodeId id) {
  if (!tape.has_value(id)) return py::none();
  return py::reinterpret_steal<py::object>(value_to_python(tape.value(id)));
}

py::list nodes(TapeHandle& t, NodeId begin, NodeId end) {
  const Tape& tape = t.tape();
  py::list out;
  for (NodeId id = begin; id < std::min(end, tape.size()); ++id) {
    const Node& n = tape[id];
    py::list operands;
    for (int i = 0; i < tape.operand_count(n); ++i) {
      const Operand o = tape.operand(n, i);
      operands.append(is_constant(o) ? -static_cast<std::int64_t>(o & ~kConstantBit) - 1
                                     : static_cast<std::int64_t>(o));
    }
    const Meta m = tape.meta(id);
    out.append(py::make_tuple(id, std::string(op_name(n.op)), py::tuple(operands),
                              py::reinterpret_steal<py::object>(dims_to_tuple(m.shape)),
                              dtype_name(m.dtype), plain_or_none(tape, id)));
  }
  return out;
}

py::tuple attrs(TapeHandle& t, NodeId id) {
  std::int64_t immediate = 0;
  require(id < t.tape().size(), "no such node");
  return py::reinterpret_steal<py::tuple>(
      dims_to_tuple(Dims(t.tape().attrs(t.tape()[id], immediate))));
}

py::list scalar_constants(TapeHandle& t) {
  py::list out;
  for (std::size_t i = 0; i < t.tape().constants().size(); ++i) out.append(t.tape().constants()[i]);
  return out;
}

py::object node(TapeHandle& t, py::handle variable) {
  const NodeId id = recorded_node_of(t, variable);
  return id == kNoOperand ? py::object(py::none()) : py::object(py::int_(id));
}

py::tuple place(const Session& session, LineId line) {
  const SourceLine& found = session.source.places()[line];
  return py::make_tuple(found.file, found.line);
}

py::list guards(TapeHandle& t) {
  py::list out;
  for (const Guard& guard : t.session->guards) {
    PyObject* expected = array_to_numpy(guard.expected, false);
    if (!expected) throw py::error_already_set();
    const py::tuple where = place(*t.session, guard.line);
    out.append(py::make_tuple(guard.node, py::reinterpret_steal<py::object>(expected), where[0],
                              where[1]));
  }
  return out;
}

py::list captured(TapeHandle& t) {
  py::list out;
  for (const Watched& watched : t.session->watched.items()) {
    const auto owner = py::reinterpret_steal<py::object>(watched.owner());
    if (!owner) continue;
    const bool read = watched.node != kNoOperand;
    out.append(py::make_tuple(owner, read ? py::object(py::int_(watched.node)) : py::none()));
  }
  return out;
}

py::list lines(TapeHandle& t, NodeId begin, NodeId end) {
  py::list out;
  const auto& all = t.session->lines;
  for (std::size_t id = begin; id < std::min<std::size_t>(end, all.size()); ++id)
    out.append(place(*t.session, all[id]));
  return out;
}

py::dict adjoints(TapeHandle& t, py::handle output, NodeId begin) {
  const NodeId y = node_of(t, output);
  require(y != kNoOperand, "the output depends on no input");
  const Meta m = t.tape().meta(y);
  auto all = all_adjoints(t.tape(), begin, {y, Array::full(m.dtype, m.shape, 1.0)});
  py::dict out;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i]) out[py::int_(begin + i)] = py::reinterpret_steal<py::object>(result_object(all[i]));
  return out;
}

}  // namespace

void make_tape_type(py::module_& m) {
  using namespace py::literals;
  py::class_<TapeHandle>(m, "Tape", "A recording: the tape and the right to sweep over it.")
      .def_static(
          "enter", [](bool program) { return TapeHandle{enter_session(program)}; },
          "program"_a = false,
          "Open a recording on this thread, or nest in the one that is open. That of a program "
          "must be the outermost: it records what has no derivative too, and guards every plain "
          "value that leaves it.")
      .def(
          "leave", [](TapeHandle& t, bool keep) { leave_session(t.session, keep); },
          "keep"_a = false, "Leave one level; `keep` keeps the nodes for later sweeps.")
      .def_property_readonly(
          "depth", [](TapeHandle& t) { return t.session->depth; },
          "How many derivatives are nested in this recording.")
      .def(
          "mark", [](TapeHandle& t) { return t.tape().size(); }, "Number of nodes.")
      .def_property_readonly(
          "nbytes", [](TapeHandle& t) { return t.tape().bytes(); },
          "Bytes of nodes, constants, lists and attributes.")
      .def("input", input, "value"_a, "keep_dtype"_a = false,
           "A Variable that derivatives are taken to; an alias if the value is recorded already. "
           "With `keep_dtype` integers and booleans stay so, and carry no derivative.")
      .def("node", node, "variable"_a, "The node of a Variable, None if it depends on no input.")
      .def("guards", guards,
           "Tuples (node, expected array, file, line): the plain values that Python went on with.")
      .def("captured", captured,
           "Tuples (array, its constant or None): the arrays outside that a program has read.")
      .def(
          "captured_changed", [](TapeHandle& t) { return t.session->watched.changed(); },
          "Whether somebody has written to one of them since.")
      .def("lines", lines, "begin"_a, "end"_a, "The user's (file, line) of each node of a program.")
      .def("adjoint", adjoint, "outputs"_a, "cotangents"_a, "inputs"_a, "begin"_a,
           "record"_a = false, "directions"_a = 0, "The adjoint sweep over nodes from `begin` on.")
      .def("tangent", tangent, "inputs"_a, "tangents"_a, "outputs"_a, "begin"_a, "record"_a = false,
           "directions"_a = 0, "The tangent sweep; None for outputs that depend on nothing.")
      .def("second_order", second_order, "output"_a, "seed"_a, "inputs"_a, "tangents"_a, "begin"_a,
           "directions"_a = 0, "gradients"_a = true,
           "Forward over reverse: (tangent, gradients, products); gradients may be left out.")
      .def("elements", elements, "begin"_a, "Numbers in the values of the nodes from `begin` on.")
      .def(
          "keep_values", [](TapeHandle& t) { t.tape().keep_values(); },
          "Keep every value of this recording, also those that no rule reads.")
      .def("nodes", nodes, "begin"_a, "end"_a,
           "Tuples (id, op, operands, shape, dtype, value or None); scalar constants are negative.")
      .def("attrs", attrs, "node"_a, "The attributes of a node's op.")
      .def("scalar_constants", scalar_constants, "The pool of scalar constants.")
      .def("adjoints", adjoints, "output"_a, "begin"_a,
           "Adjoints of all nodes for cotangent one, as a dict.");
}

}  // namespace tapegrad
