// What programs are looked at and stored with: the nodes of a `_core.Recording`, its bytes, the
// origin of a NaN, and the times of the steps of a `_core.Executable`.
#include <pybind11/stl.h>

#include "base/bytes.hpp"
#include "base/copy.hpp"
#include "convert.hpp"
#include "custom.hpp"
#include "program/nonfinite.hpp"
#include "program/serialise.hpp"
#include "program_type.hpp"

namespace tapegrad {
namespace {

py::object object_of(const Array& value) {
  return py::reinterpret_steal<py::object>(array_to_numpy(value, false));
}
py::tuple place_of(const Recording& r, std::uint32_t line) {
  return py::make_tuple(r.sources[line].file, r.sources[line].line);
}
std::uint32_t line_of(const Recording& r, NodeId id) {
  return id < r.lines.size() ? r.lines[id] : 0;
}
// A number of the pool k is -(k + 1).
std::int64_t operand_number(Operand o) {
  return is_constant(o) ? -static_cast<std::int64_t>(o & ~kConstantBit) - 1 : o;
}

py::list rows(const Recording& r) {
  std::vector<bool> is_input(r.tape.size());
  for (NodeId id : r.inputs) is_input[id] = true;
  py::list out;
  for (NodeId id = 0; id < r.tape.size(); ++id) {
    const Node& n = r.tape[id];
    const bool leaf = n.op == Op::input || n.op == Op::constant;
    const int count = leaf ? 0 : r.tape.operand_count(n);
    py::tuple operands(count);
    for (int i = 0; i < count; ++i) operands[i] = operand_number(r.tape.operand(n, i));
    std::int64_t immediate = 0;
    const Meta m = r.tape.meta(id);
    const bool known = leaf && !is_input[id];
    out.append(py::make_tuple(
        known ? "constant" : op_name(n.op), operands,
        py::reinterpret_steal<py::object>(dims_to_tuple(Dims(r.tape.attrs(n, immediate)))),
        py::reinterpret_steal<py::object>(dims_to_tuple(m.shape)), dtype_name(m.dtype),
        known ? object_of(r.tape.value(id)) : py::none(), place_of(r, line_of(r, id))));
  }
  return out;
}
py::list numbers(const Recording& r) {
  py::list out;
  for (std::size_t i = 0; i < r.tape.constants().size(); ++i) out.append(r.tape.constants()[i]);
  return out;
}
// Inputs, outputs and guards as numbers of nodes.
py::tuple ends(const Recording& r) {
  py::list inputs, outputs, guards;
  for (NodeId id : r.inputs) inputs.append(id);
  for (Operand o : r.outputs) outputs.append(operand_number(o));
  for (auto& g : r.guards) guards.append(operand_number(g.node));
  return py::make_tuple(inputs, outputs, guards);
}

py::bytes to_bytes(const Recording& r) {
  std::string made;
  {
    py::gil_scoped_release release;
    made = serialise(r);
  }
  return made;
}
std::shared_ptr<Recording> from_bytes(const py::bytes& data, const py::sequence& rules) {
  std::vector<CustomRule::Handle> handles;
  for (const auto& node : rules)
    handles.push_back(rule_of(py::reinterpret_borrow<py::object>(node)));
  const std::string_view bytes = data;
  py::gil_scoped_release release;
  return deserialise(bytes, handles);
}
py::list rule_nodes(const Recording& r) {
  py::list nodes;
  for (auto& rule : custom_rules(r)) nodes.append(node_of(*rule));
  return nodes;
}

std::vector<Array> input_arrays(const std::vector<Meta>& metas, const py::sequence& inputs) {
  require(inputs.size() == metas.size(), "as many inputs as the program has");
  std::vector<Array> found;
  for (std::size_t k = 0; k < metas.size(); ++k) found.push_back(input_array(inputs[k], metas[k]));
  return found;
}

// (node, op, file and line, value, operands, does it reach an output?), or None.
py::object nonfinite(const Recording& r, const py::sequence& inputs) {
  std::vector<Meta> metas;
  for (NodeId id : r.inputs) metas.push_back(r.tape.meta(id));
  const std::vector<Array> in = input_arrays(metas, inputs);
  const auto found = first_nonfinite(r, in);
  if (!found) return py::none();
  const Node& n = r.tape[found->node];
  py::list operands;
  for (int i = 0, count = static_cast<int>(found->operands.size()); i < count; ++i)
    operands.append(
        py::make_tuple(operand_number(r.tape.operand(n, i)), object_of(found->operands[i])));
  return py::make_tuple(found->node, op_name(n.op), place_of(r, line_of(r, found->node)),
                        object_of(found->value), operands, found->reaches_output);
}

const char* kind_name(Plan::Kind kind) {
  if (kind == Plan::Kind::group) return "loop";
  return kind == Plan::Kind::scalars ? "scalars" : "call";
}

// For each step (kind, seconds, [(op, line, count), ...]).
py::list profile(const Executable& e, const py::sequence& inputs, int repeats) {
  const Plan& plan = e.plan();
  const std::vector<Array> in = input_arrays(plan.inputs, inputs);
  std::vector<Array> out;
  std::vector<const void*> from;
  std::vector<void*> to;
  for (const Array& a : in) from.push_back(a.data());
  for (const Meta& m : plan.output_metas) {
    out.push_back(Array::empty(m.dtype, m.shape));
    to.push_back(out.back().data());
  }
  std::vector<double> seconds;
  {
    py::gil_scoped_release release;
    seconds = e.profile(from.data(), to.data(), repeats);
  }
  py::list made;
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    py::list shares;
    for (const auto& share : plan.steps[s].shares)
      shares.append(py::make_tuple(op_name(share.op), share.line, share.count));
    made.append(py::make_tuple(kind_name(plan.steps[s].kind), seconds[s], shares));
  }
  return made;
}

py::list sources(const Recording& r) {
  py::list out;
  for (auto& at : r.sources) out.append(py::make_tuple(at.file, at.line));
  return out;
}

}  // namespace

void make_program_tools(py::module_& m) {
  using namespace py::literals;
  py::class_<Recording, std::shared_ptr<Recording>> recording(m.attr("Recording"));
  recording
      .def("rows", rows,
           "Each node as (op, operands, attributes, shape, dtype, value of a constant, (file, "
           "line)). An operand below zero is number -(k + 1) of `numbers`.")
      .def("numbers", numbers, "The scalar constants.")
      .def("ends", ends, "The nodes that are inputs, outputs and guards.")
      .def("sources", sources, "(file, line) by the numbers that `Executable.profile` gives.")
      .def("to_bytes", to_bytes, "The recording as bytes; equal recordings give equal bytes.")
      .def_property_readonly("rules", rule_nodes,
                             "The nodes of custom rules, in the order of the bytes.")
      .def_static("from_bytes", from_bytes, "data"_a, "rules"_a = py::tuple(),
                  "The recording that gave these bytes; ValueError for anything else. `rules` are "
                  "the nodes of its custom rules.")
      .def("nonfinite", nonfinite, "inputs"_a,
           "Where the first NaN or infinity comes from: (node, op, (file, line), value, [(operand, "
           "value), ...], whether it reaches an output), or None.");
  py::class_<Executable, std::shared_ptr<Executable>> executable(m.attr("Executable"));
  executable.def("profile", profile, "inputs"_a, "repeats"_a = 1,
                 "Each step as (kind, seconds of the fastest of the repeats, [(op, source, "
                 "count), ...]).");
  m.def(
      "checksum", [](const py::bytes& data) { return crc64(std::string_view(data)); }, "data"_a,
      "CRC-64/XZ of bytes.");
}

}  // namespace tapegrad
