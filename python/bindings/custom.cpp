// Rules written in Python: the objects that the op `custom` calls back, and their recording. The
// Python side is tapegrad/rules/node.py.
#include "custom.hpp"

#include <pybind11/stl.h>

#include <map>
#include <mutex>

#include "base/copy.hpp"
#include "convert.hpp"
#include "session.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

// Runs f; exceptions leave as PythonFailure, but KeyboardInterrupt and the like as they are.
template <class F>
auto guarded_call(F&& f) {
  try {
    return f();
  } catch (py::error_already_set& e) {
    if (!e.matches(PyExc_Exception)) throw;
    throw PythonFailure(std::move(e));
  }
}

// A copy that the function may write to and keep.
py::object copy_for_user(const Array& a) {
  npy_intp dims[64];
  require(a.ndim() <= 64, "NumPy arrays have at most 64 dimensions");
  std::copy(a.shape().begin(), a.shape().end(), dims);
  PyObject* made = PyArray_SimpleNew(a.ndim(), dims, typenum_of(a.dtype()));
  if (!made) throw py::error_already_set();
  auto* array = reinterpret_cast<PyArrayObject*>(made);
  copy_into(a, Array::foreign(a.dtype(), a.shape(),
                              Array::contiguous_strides(a.shape(), itemsize(a.dtype())),
                              PyArray_DATA(array), nullptr, nullptr));
  return py::reinterpret_steal<py::object>(made);
}

// The numbers of `parts` into `out`, one array after the other.
void pack(const py::sequence& parts, const Array& out) {
  const std::int64_t item = itemsize(out.dtype());
  std::int64_t at = 0;
  for (const auto& part : parts) {
    Array a = array_from(part.ptr(), "the result of a custom rule");
    if (a.dtype() != out.dtype())
      a = evaluate(Op::cast, {a}, std::array{static_cast<std::int64_t>(out.dtype())});
    ensure(at + a.size() <= out.size(), "a custom rule fills its result");
    const Dims strides = Array::contiguous_strides(a.shape(), item);
    copy_into(a, Array::foreign(out.dtype(), a.shape(), strides, out.data() + at * item, nullptr,
                                nullptr));
    at += a.size();
  }
  ensure(at == out.size(), "a custom rule fills its result");
}

class PythonRule final : public CustomRule {
 public:
  explicit PythonRule(py::object node) : node_(std::move(node)) {}
  ~PythonRule() override;

  void value(std::span<const Array> in, const Array& out) override {
    py::gil_scoped_acquire gil;
    guarded_call([&] {
      const SuspendedSession outside;
      py::list operands;
      for (const Array& a : in) operands.append(copy_for_user(a));
      pack(node_.attr("value")(operands), out);
    });
  }
  Handle tangent(const Mask& active) override { return derived("tangent", active); }
  Handle adjoint(const Mask& active) override { return derived("adjoint", active); }
  Handle batched(const Mask& operands, std::int64_t lanes) override {
    return derived("batched", operands, lanes);
  }
  std::string name() const override {
    py::gil_scoped_acquire gil;
    return py::cast<std::string>(node_.attr("name"));
  }
  const py::object& node() const { return node_; }

 private:
  template <class... Args>
  Handle derived(const char* which, const Mask& mask, Args... args) {
    py::gil_scoped_acquire gil;
    return guarded_call([&] {
      py::tuple truths(mask.size());
      for (std::size_t i = 0; i < mask.size(); ++i) truths[i] = py::bool_(mask[i]);
      return rule_of(node_.attr(which)(truths, args...));
    });
  }

  py::object node_;
};

// The rule of each node that somebody keeps. A rule keeps its node, so the address is not used
// again before the rule is gone. Guarded by the interpreter lock and, where there is none, the
// mutex.
std::mutex rules_mutex;
std::map<PyObject*, std::weak_ptr<CustomRule>>& rules_by_node() {
  static auto* const all = new std::map<PyObject*, std::weak_ptr<CustomRule>>;
  return *all;
}

PythonRule::~PythonRule() {
  if (!Py_IsInitialized()) {  // at exit: a recording that nobody closed
    node_.release();
    return;
  }
  py::gil_scoped_acquire gil;
  {
    const std::lock_guard lock(rules_mutex);
    const auto found = rules_by_node().find(node_.ptr());
    if (found != rules_by_node().end() && found->second.expired()) rules_by_node().erase(found);
  }
  node_ = py::object();
}

}  // namespace

CustomRule::Handle rule_of(const py::object& node) {
  const std::lock_guard lock(rules_mutex);
  auto& known = rules_by_node()[node.ptr()];
  if (auto rule = known.lock()) return rule;
  auto made = std::make_shared<PythonRule>(node);
  known = made;
  return made;
}

py::object node_of(const CustomRule& rule) {
  const auto* made = dynamic_cast<const PythonRule*>(&rule);
  return made ? made->node() : py::none();
}

namespace {

// The Variable that the node's function gives for these operands; `value` is its value.
py::object record_custom(const py::object& node, const py::sequence& operands,
                         const py::object& value) {
  const CustomRule::Handle rule = rule_of(node);
  const Array out = array_from(value.ptr(), "the result of a custom rule");
  std::vector<Argument> in(operands.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const py::object o = operands[i];
    require(argument_from(o.ptr(), in[i]), "custom: operands are Variables, arrays and numbers");
    in[i].weak = false;
  }
  Value made = apply(Op::custom, in, custom_attrs(*rule, out.meta()), &out);
  return py::reinterpret_steal<py::object>(new_variable(std::move(made)));
}

class Outside {
 public:
  void enter() { suspended_ = std::make_unique<SuspendedSession>(); }
  void leave() { suspended_.reset(); }

 private:
  std::unique_ptr<SuspendedSession> suspended_;
};

}  // namespace

void make_custom(py::module_& m) {
  using namespace py::literals;
  m.def("record_custom", record_custom, "node"_a, "operands"_a, "value"_a,
        "Record the op `custom`: `node` computes it again and has its derivatives.");
  py::class_<Outside>(m, "Outside", "A `with` block in which this thread has no open recording.")
      .def(py::init<>())
      .def("__enter__", &Outside::enter)
      .def("__exit__", [](Outside& self, const py::object&, const py::object&, const py::object&) {
        self.leave();
      });
}

}  // namespace tapegrad
