// `_core.Recording` and `_core.Executable`: what Programs are made of, for the Python package.
#include "program_type.hpp"

#include <pybind11/stl.h>

#include "backends/executable.hpp"
#include "base/copy.hpp"
#include "convert.hpp"
#include "program/batch.hpp"
#include "program/listing.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

using Shared = std::shared_ptr<const Recording>;

py::tuple meta_tuple(const Meta& m) {
  return py::make_tuple(py::reinterpret_steal<py::object>(dims_to_tuple(m.shape)),
                        py::reinterpret_steal<py::object>(dtype_to_numpy(m.dtype)));
}

py::list input_metas(const Recording& r) {
  py::list out;
  for (NodeId id : r.inputs) out.append(meta_tuple(r.tape.meta(id)));
  return out;
}
py::list output_metas(const Recording& r) {
  py::list out;
  for (Operand o : r.outputs)
    out.append(meta_tuple(is_constant(o) ? Meta{DType::f64, {}} : r.tape.meta(o)));
  return out;
}
py::list guards(const Recording& r) {
  py::list out;
  for (auto& g : r.guards) {
    const UserLine& at = r.sources[g.line];
    out.append(py::make_tuple(py::reinterpret_steal<py::object>(value_to_python(g.expected)),
                              at.file, at.line));
  }
  return out;
}

Passes passes_without(const std::vector<std::string>& off) {
  Passes p;
  const std::pair<const char*, bool*> all[] = {
      {"fold", &p.fold},  {"share", &p.share}, {"identities", &p.identities},
      {"fuse", &p.fuse},  {"order", &p.order}, {"recompute", &p.recompute},
      {"reuse", &p.reuse}};
  for (auto& name : off) {
    bool known = false;
    for (auto& [n, flag] : all)
      if (name == n) {
        *flag = false;
        known = true;
      }
    if (!known)
      throw Error("no pass is named " + name +
                  ": fold, share, identities, fuse, order, recompute, reuse");
  }
  return p;
}

Shared derive(const Recording& r, const std::string& kind, const std::vector<std::size_t>& wrt,
              const std::vector<std::string>& off, std::int64_t directions, bool identity) {
  const Passes passes = passes_without(off);
  const Derivation what{wrt, directions, identity};
  for (std::size_t k : wrt) require(k < r.inputs.size(), "derive: no such input");
  py::gil_scoped_release release;
  if (kind == "gradient") return gradient_of(r, what, passes);
  if (kind == "adjoint") return adjoint_of(r, what, passes);
  if (kind == "tangent") return tangent_of(r, what, passes);
  if (kind == "value") return simplified(r, passes);
  throw Error("derive: gradient, adjoint, tangent or value");
}

// (Recording, which outputs carry the axis, numbers of its guards, is there an output of failures?)
py::tuple batch(const Recording& r, const std::vector<bool>& inputs, std::int64_t instances,
                const std::vector<std::string>& off) {
  const Passes passes = passes_without(off);
  Batch made;
  {
    py::gil_scoped_release release;
    made = batched(r, inputs, instances, passes);
  }
  return py::make_tuple(Shared(std::move(made.recording)), made.carries, made.guards, made.checks);
}

// Numbers in the values of all nodes that are no constants.
std::int64_t elements(const Recording& r) {
  std::int64_t count = 0;
  for (NodeId id = 0; id < r.tape.size(); ++id)
    if (r.tape[id].op != Op::constant)
      count += r.tape[id].has(Node::kScalar) ? 1 : r.tape.meta(id).shape.product();
  return count;
}

Shared select_outputs(const Recording& r, const std::vector<std::size_t>& outputs,
                      const std::vector<std::string>& off) {
  auto made = simplified(r, passes_without(off));
  std::vector<Operand> chosen;
  for (std::size_t k : outputs) chosen.push_back(made->outputs.at(k));
  made->outputs = std::move(chosen);
  return made;
}

// ---- running ----

const void* input_data(py::handle o, const Meta& m, py::list& keep) {
  const Array a = input_array(o, m);
  keep.append(py::capsule(new Array(a), [](void* p) { delete static_cast<Array*>(p); }));
  return a.data();
}

struct Result {
  py::object object;
  void* data;
};

Result output_array(const Meta& m, py::handle out) {
  npy_intp dims[64];
  std::copy(m.shape.begin(), m.shape.end(), dims);
  const int typenum = typenum_of(m.dtype);
  if (!out.is_none()) {
    auto* a = reinterpret_cast<PyArrayObject*>(out.ptr());
    const bool fits = PyArray_Check(out.ptr()) && PyArray_TYPE(a) == typenum &&
                      PyArray_NDIM(a) == m.shape.ndim() && PyArray_ISCARRAY(a) &&
                      std::equal(dims, dims + m.shape.size(), PyArray_DIMS(a));
    if (!fits)
      throw Error(std::string("out must be a C-contiguous, writeable array of ") +
                  dtype_name(m.dtype) + " with shape " + m.shape.str());
    return {py::reinterpret_borrow<py::object>(out), PyArray_DATA(a)};
  }
  PyObject* made = PyArray_SimpleNew(m.shape.ndim(), dims, typenum);
  if (!made) throw py::error_already_set();
  return {py::reinterpret_steal<py::object>(made),
          PyArray_DATA(reinterpret_cast<PyArrayObject*>(made))};
}

py::object as_number(const Result& r, const Meta& m) {
  if (!m.shape.empty()) return r.object;
  if (m.dtype == DType::f64) return py::float_(*static_cast<double*>(r.data));
  if (m.dtype == DType::c128) {
    const auto z = *static_cast<Complex*>(r.data);
    return py::reinterpret_steal<py::object>(PyComplex_FromDoubles(z.real(), z.imag()));
  }
  return r.object;
}

constexpr std::int64_t kCannotCompute = -2;  // a singular matrix, an index out of bounds

// The outputs; or, if a guard does not hold, its number, or kCannotCompute.
py::object run(const Executable& e, const py::sequence& inputs, const py::object& out, int threads,
               bool raises) {
  const Plan& plan = e.plan();
  require(inputs.size() == plan.inputs.size(), "as many inputs as the program has");
  py::list keep;
  std::vector<const void*> in;
  for (std::size_t k = 0; k < plan.inputs.size(); ++k)
    in.push_back(input_data(inputs[k], plan.inputs[k], keep));
  std::vector<Result> results;
  std::vector<void*> data;
  const bool given = !out.is_none();
  for (std::size_t k = 0; k < plan.outputs.size(); ++k) {
    const py::object into = given ? py::object(out[py::int_(k)]) : py::none();
    results.push_back(output_array(plan.output_metas[k], into));
    data.push_back(results.back().data);
  }
  std::int64_t failed = kCannotCompute;
  try {
    py::gil_scoped_release release;
    failed = e.run(in.data(), data.data(), threads > 0 ? threads : default_threads());
  } catch (const Error&) {
    if (raises) throw;  // else the function itself has to say what it makes of such input
  }
  if (failed != Executable::kAllHold) return py::int_(failed);
  py::list made;
  for (std::size_t k = 0; k < results.size(); ++k)
    made.append(given && !py::object(out[py::int_(k)]).is_none()
                    ? results[k].object
                    : as_number(results[k], plan.output_metas[k]));
  return made;
}

std::shared_ptr<const Executable> compile(const Recording& r, const std::vector<std::string>& off) {
  const Passes passes = passes_without(off);
  py::gil_scoped_release release;
  return std::make_shared<const Executable>(make_plan(r, passes));
}

py::dict stats(const Executable& e) {
  const Plan& p = e.plan();
  std::size_t fused = 0, scalar_ops = 0;
  for (auto& g : p.groups) fused += g.ops.size();
  for (auto& s : p.scalars) scalar_ops += s.slot.size();
  py::dict d;
  d["steps"] = p.steps.size();
  d["groups"] = p.groups.size();
  d["fused_ops"] = fused;
  d["scalar_ops"] = scalar_ops;
  d["whole_ops"] = p.ops.size();
  d["workspace_bytes"] = p.workspace_bytes;
  d["bytes"] = e.bytes();
  return d;
}

// ---- from the open recording ----

Operand recorded_operand(py::handle o) {
  require(is_variable(o.ptr()), "finish_recording: Variables are expected");
  return value_of(as_variable(o.ptr())).operand;
}

// Only constants keep their values; the inputs of derivatives within the function are constants
// too.
void forget_values(Recording& r) {
  for (NodeId id : r.inputs) r.tape.forget(id);
  for (NodeId id = 0; id < r.tape.size(); ++id)
    if (r.tape[id].op != Op::constant && r.tape[id].op != Op::input) r.tape.forget(id);
}

// Takes the open recording of a program apart: (Recording, Captured).
py::tuple finish_recording(const py::sequence& inputs, const py::sequence& outputs) {
  Session* s = program_session();
  require(s && s->depth == 1, "finish_recording: no recording of a program is open");
  s->verify_captured();
  auto made = std::make_shared<Recording>();
  for (auto v : inputs) made->inputs.push_back(recorded_operand(v));
  for (auto v : outputs) made->outputs.push_back(recorded_operand(v));
  s->settle_nodes();
  made->tape.swap(s->tape);
  forget_values(*made);
  made->lines = std::move(s->lines);
  made->sources.clear();
  for (auto& place : s->source.places()) made->sources.push_back({place.file, place.line});
  for (auto& g : s->guards) made->guards.push_back({g.node, g.expected, g.line});
  s->watched.forget_temporaries();
  auto captured = std::make_shared<Surroundings>(std::move(s->watched));
  return py::make_tuple(py::cast(std::move(made)), py::cast(std::move(captured)));
}

}  // namespace

// Rebinding a name to an equal number or text, as running a cell of a notebook again does, is no
// change.
bool Surroundings::is_same(const Name& n) {
  PyObject* now = nullptr;
  PyObject* c = n.container.ptr();
  if (PyCell_Check(c)) now = PyCell_GET(c);
  else if (PyDict_Check(c)) now = PyDict_GetItemWithError(c, n.key.ptr());
  else if (PyList_Check(c)) {
    const Py_ssize_t i = PyLong_AsSsize_t(n.key.ptr());
    now = i < PyList_GET_SIZE(c) ? PyList_GET_ITEM(c, i) : nullptr;
  }
  if (now == n.value.ptr()) return true;
  if (!now || Py_TYPE(now) != Py_TYPE(n.value.ptr())) return false;
  if (!PyFloat_CheckExact(now) && !PyLong_CheckExact(now) && !PyUnicode_CheckExact(now))
    return false;
  return PyObject_RichCompareBool(now, n.value.ptr(), Py_EQ) == 1;
}

bool Surroundings::changed() const {
  for (auto& name : names_)
    if (!is_same(name)) return true;
  return arrays_.changed();
}

Array input_array(py::handle o, const Meta& m) {
  Array a;
  bool weak;
  if (!number_from(o.ptr(), a, weak)) a = array_from(o.ptr(), "an input");
  if (!(a.shape() == m.shape))
    throw Error("an input has shape " + a.shape().str() + ", the program was recorded for " +
                m.shape.str());
  if (a.dtype() != m.dtype)
    a = evaluate(Op::cast, {a}, std::array{static_cast<std::int64_t>(m.dtype)});
  return contiguous(a);
}

void make_program_types(py::module_& m) {
  using namespace py::literals;
  // Declared first: the signatures of Recording name it.
  py::class_<Executable, std::shared_ptr<Executable>> executable(
      m, "Executable", "A recording that is ready to run.");
  py::class_<Recording, std::shared_ptr<Recording>>(
      m, "Recording", "A tape without values: inputs, outputs and the guards of one branch.")
      .def_property_readonly("inputs", input_metas, "(shape, dtype) of each input.")
      .def_property_readonly("outputs", output_metas, "(shape, dtype) of each output.")
      .def_property_readonly("guards", guards, "(expected value, file, line) of each guard.")
      .def_property_readonly(
          "nodes", [](const Recording& r) { return r.tape.size(); }, "Number of nodes.")
      .def_property_readonly(
          "nbytes", [](const Recording& r) { return r.tape.bytes(); }, "Bytes of the nodes.")
      .def_property_readonly("elements", elements,
                             "Numbers in the values of all nodes that are no constants.")
      .def("derive", derive, "kind"_a, "wrt"_a, "off"_a = std::vector<std::string>(),
           "directions"_a = 0, "identity"_a = false,
           "A derivative: gradient, adjoint, tangent, or value for the simplified function. With "
           "`directions` K seeds and results carry a leading axis of length K; with `identity` the "
           "seeds are all K unit seeds and no inputs.")
      .def("batch", batch, "inputs"_a, "instances"_a, "off"_a = std::vector<std::string>(),
           "For many instances: the inputs marked True carry a leading axis. Gives (Recording, "
           "which outputs carry it, which guard each of its guards is, whether the last output "
           "says for each instance which guard it fails first, -1 for none).")
      .def("select", select_outputs, "outputs"_a, "off"_a = std::vector<std::string>(),
           "The same with these outputs only.")
      .def("compile", compile, "off"_a = std::vector<std::string>(),
           "Made ready to run; `off` names passes that are left out.")
      .def(
          "listing", [](const Recording& r, bool unused) { return listing(r, unused); },
          "unused"_a = true, "The nodes as text; `unused`: those that nothing depends on too.");
  m.def("threads", default_threads, "How many threads a program may use.");
  m.def("set_threads", set_default_threads, "count"_a, "Change it, for the whole process.");
  m.def("full_checks", checks_are_full, "Do replays compare all that a recording has read?");
  m.def("set_full_checks", set_full_checks, "full"_a, "Change it, for the whole process.");
  m.def("has_openmp", has_openmp, "Can programs run on several threads?");
  m.def("finish_recording", finish_recording, "inputs"_a, "outputs"_a,
        "The open recording of a program as (Recording, Captured); its tape is empty then.");
  py::class_<Surroundings, std::shared_ptr<Surroundings>>(
      m, "Captured", "What a recording has read besides its arguments.")
      .def("watch", &Surroundings::watch, "container"_a, "key"_a, "value"_a,
           "Note what a name, or the cell of a closure (key None), means now.")
      .def("changed", &Surroundings::changed, "Has an array been written to, or a name rebound?");
  executable
      .def("run", run, "inputs"_a, "out"_a = py::none(), "threads"_a = 0, "raises"_a = false,
           "The outputs as a list, or the number of the first guard that does not hold.")
      .def("stats", stats, "Counts of steps and ops, bytes.")
      .def("listing", [](const Executable& e) { return listing(e.plan()); }, "The steps as text.");
}

}  // namespace tapegrad
