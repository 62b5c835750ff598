// NumPy's function protocol and the methods of ndarray: a call takes the short way of its function
// if it has the plain form, else the function of the Python package that stands for it.
#include <array>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "questions.hpp"
#include "short_ways.hpp"

namespace tapegrad {
namespace {

// The parameters of a plain call in NumPy's order; those from `positional` on are given by keyword.
// An empty name: by position alone.
// `spread`: the second one may be spread out, as in x.reshape(2, 3).
struct Form {
  static constexpr std::size_t kParameters = 5;
  std::array<const char*, kParameters> parameters;
  Py_ssize_t positional;
  bool spread = false;
};
constexpr Form kArray{{"a"}, 1};
constexpr Form kReduced{{"a", "axis", "keepdims"}, 2};
constexpr Form kMoment{{"a", "axis", "ddof", "keepdims"}, 2};
constexpr Form kSorted{{"a", "axis", "kind"}, 3};
constexpr Form kOffset{{"a", "offset"}, 2};
constexpr Form kAlong{{"a", "axis"}, 2};
constexpr Form kClipped{{"a", "a_min", "a_max"}, 3};
constexpr Form kTyped{{"x", "dtype"}, 2};
constexpr Form kProduct{{"a", "b"}, 2};
constexpr Form kRepeated{{"a", "repeats", "axis"}, 3};
constexpr Form kTaken{{"a", "indices", "axis"}, 3};
constexpr Form kJoined{{"arrays", "axis"}, 2};
constexpr Form kStacked{{"tup"}, 1};

struct ShortWay {
  const char* name;
  Form form;
  ways::Way* run;
  const char* signature = nullptr;  // of a method
};

// In numpy or numpy.linalg.
constexpr auto kFunctions = std::to_array<ShortWay>({
    {"sum", kReduced, ways::sum},
    {"prod", kReduced, ways::prod},
    {"max", kReduced, ways::max},
    {"min", kReduced, ways::min},
    {"mean", kReduced, ways::mean},
    {"ptp", kReduced, ways::ptp},
    {"var", kMoment, ways::var},
    {"std", kMoment, ways::std},
    {"any", kReduced, ways::any},
    {"all", kReduced, ways::all},
    {"argmax", kReduced, ways::argmax},
    {"argmin", kReduced, ways::argmin},
    {"argsort", kSorted, ways::argsort},
    {"norm", {{"x", "ord", "axis", "keepdims"}, 4}, ways::norm},
    {"where", {{"condition", "x", "y"}, 3}, ways::where},
    {"clip", kClipped, ways::clip},
    {"astype", kTyped, ways::astype},
    {"zeros_like", kArray, ways::zeros_like},
    {"ones_like", kArray, ways::ones_like},
    {"empty_like", {{"prototype"}, 1}, ways::zeros_like},
    {"full_like", {{"a", "fill_value"}, 2}, ways::full_like},
    {"dot", kProduct, ways::dot},
    {"inner", kProduct, ways::inner},
    {"vdot", kProduct, ways::vdot},
    {"outer", kProduct, ways::outer},
    {"tensordot", {{"a", "b", "axes"}, 3}, ways::tensordot},
    {"einsum", {{"", "", "", "", "optimize"}, 4}, ways::einsum},
    {"reshape", {{"a", "shape"}, 2}, ways::reshape},
    {"transpose", {{"a", "axes"}, 2}, ways::transpose},
    {"swapaxes", {{"a", "axis1", "axis2"}, 3}, ways::swapaxes},
    {"moveaxis", {{"a", "source", "destination"}, 3}, ways::moveaxis},
    {"matrix_transpose", {{""}, 1}, ways::matrix_transpose},
    {"flip", {{"m", "axis"}, 2}, ways::flip},
    {"flipud", {{"m"}, 1}, ways::flipud},
    {"fliplr", {{"m"}, 1}, ways::fliplr},
    {"expand_dims", {{"a", "axis"}, 2}, ways::expand_dims},
    {"ravel", kArray, ways::ravel},
    {"squeeze", kAlong, ways::squeeze},
    {"atleast_1d", {{""}, 1}, ways::atleast_1d},
    {"atleast_2d", {{""}, 1}, ways::atleast_2d},
    {"roll", {{"a", "shift", "axis"}, 3}, ways::roll},
    {"diff", {{"a", "n", "axis"}, 3}, ways::diff},
    {"gradient", {{"f", "", "axis"}, 2}, ways::gradient},
    {"cumprod", kAlong, ways::cumprod},
    {"concatenate", kJoined, ways::concatenate},
    {"stack", kJoined, ways::stack},
    {"hstack", kStacked, ways::hstack},
    {"vstack", kStacked, ways::vstack},
    {"column_stack", kStacked, ways::column_stack},
    {"append", {{"arr", "values", "axis"}, 3}, ways::append},
    {"repeat", kRepeated, ways::repeat},
    {"tile", {{"A", "reps"}, 2}, ways::tile},
    {"pad", {{"array", "pad_width", "mode"}, 3}, ways::pad},
    {"take", kTaken, ways::take},
    {"sort", kAlong, ways::sort},
    {"diagonal", kOffset, ways::diagonal},
    {"trace", kOffset, ways::trace},
    {"diag", {{"v", "k"}, 2}, ways::diag},
});

// Methods of ndarray with their signatures.
#define METHOD(name, form, signature) \
  ShortWay { #name, form, ways::name, #name signature "\n--\n\nAs numpy.ndarray." #name "." }
constexpr auto kMethods = std::to_array<ShortWay>({
    METHOD(sum, kReduced,
           "($self, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None)"),
    METHOD(prod, kReduced,
           "($self, axis=None, dtype=None, out=None, keepdims=False, initial=None, where=None)"),
    METHOD(max, kReduced, "($self, axis=None, out=None, keepdims=False, initial=None, where=None)"),
    METHOD(min, kReduced, "($self, axis=None, out=None, keepdims=False, initial=None, where=None)"),
    METHOD(mean, kReduced,
           "($self, axis=None, dtype=None, out=None, keepdims=False, *, where=None)"),
    METHOD(var, kMoment,
           "($self, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=None)"),
    METHOD(std, kMoment,
           "($self, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=None)"),
    METHOD(any, kReduced, "($self, axis=None, out=None, keepdims=False, *, where=None)"),
    METHOD(all, kReduced, "($self, axis=None, out=None, keepdims=False, *, where=None)"),
    METHOD(argmax, kReduced, "($self, axis=None, out=None, *, keepdims=False)"),
    METHOD(argmin, kReduced, "($self, axis=None, out=None, *, keepdims=False)"),
    METHOD(argsort, kSorted, "($self, axis=-1, kind=None, order=None, *, stable=None)"),
    METHOD(cumprod, kAlong, "($self, axis=None, dtype=None, out=None)"),
    METHOD(repeat, kRepeated, "($self, repeats, axis=None)"),
    METHOD(diagonal, kOffset, "($self, offset=0, axis1=0, axis2=1)"),
    METHOD(trace, kOffset, "($self, offset=0, axis1=0, axis2=1, dtype=None, out=None)"),
    METHOD(clip, kClipped, "($self, min=None, max=None, out=None, **keywords)"),
    METHOD(astype, kTyped, "($self, dtype, order='K', casting='unsafe', subok=True, copy=True)"),
    METHOD(dot, kProduct, "($self, b, out=None)"),
    METHOD(reshape, (Form{{"a", "shape"}, 2, true}), "($self, *shape, order='C', copy=None)"),
    METHOD(transpose, (Form{{"a", "axes"}, 2, true}), "($self, *axes)"),
    METHOD(ravel, kArray, "($self, order='C')"),
    METHOD(flatten, kArray, "($self, order='C')"),
    METHOD(swapaxes, (Form{{"a", "axis1", "axis2"}, 3}), "($self, axis1, axis2)"),
    METHOD(squeeze, kAlong, "($self, axis=None)"),
    METHOD(take, kTaken, "($self, indices, axis=None, out=None, mode='raise')"),
});
#undef METHOD

std::unordered_map<PyObject*, const ShortWay*> way_of_function;  // complete once imported
PyObject* implementations = nullptr;  // the dict from NumPy's functions to the package's
std::unordered_map<PyObject*, Question> questions;
std::array<PyObject*, kMethods.size()> general;  // the package's method behind each short one

// The arguments of a call, sorted by the parameters of a short way.
class Call {
 public:
  explicit Call(const ShortWay& way) : way_(way) {}

  bool positional(PyObject* const* args, Py_ssize_t n) {
    if (n > way_.form.positional) return false;
    std::copy_n(args, n, given_.begin());
    return true;
  }
  bool keyword(PyObject* name, PyObject* value) {
    for (std::size_t i = 0; i < Form::kParameters && way_.form.parameters[i]; ++i)
      if (PyUnicode_CompareWithASCIIString(name, way_.form.parameters[i]) == 0)
        return !std::exchange(given_[i], value);
    return false;
  }
  PyObject* run() const {
    if (!given_[0]) return nullptr;
    return guarded([&] { return way_.run(given_.data()); });
  }

 private:
  const ShortWay& way_;
  std::array<PyObject*, Form::kParameters> given_{};
};

PyObject* function_shortly(const ShortWay& way, PyObject* args, PyObject* keywords) {
  Call call(way);
  if (!call.positional(PySequence_Fast_ITEMS(args), PyTuple_GET_SIZE(args))) return nullptr;
  Py_ssize_t position = 0;
  for (PyObject *name, *value; PyDict_Next(keywords, &position, &name, &value);)
    if (!call.keyword(name, value)) return nullptr;
  return call.run();
}

// `args` begins with the Variable; `names` are those of the last arguments.
PyObject* method_shortly(const ShortWay& way, PyObject* const* args, Py_ssize_t n,
                         PyObject* names) {
  Call call(way);
  py::object tuple;
  PyObject* gathered[2];
  PyObject* const* keywords = args + n;
  if (way.form.spread && n > 2) {
    tuple = py::reinterpret_steal<py::object>(PyTuple_New(n - 1));
    if (!tuple) return nullptr;
    for (Py_ssize_t i = 1; i < n; ++i) PyTuple_SET_ITEM(tuple.ptr(), i - 1, Py_NewRef(args[i]));
    gathered[0] = args[0];
    gathered[1] = tuple.ptr();
    args = gathered;
    n = 2;
  }
  if (!call.positional(args, n)) return nullptr;
  for (Py_ssize_t i = 0, count = names ? PyTuple_GET_SIZE(names) : 0; i < count; ++i)
    if (!call.keyword(PyTuple_GET_ITEM(names, i), keywords[i])) return nullptr;
  return call.run();
}

template <std::size_t i>
PyObject* method(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  constexpr Py_ssize_t kMost = 16;
  const Py_ssize_t all = n + (names ? PyTuple_GET_SIZE(names) : 0);
  PyObject* few[kMost];
  std::vector<PyObject*> many(all >= kMost ? static_cast<std::size_t>(all) + 1 : 0);
  PyObject** with_self = all >= kMost ? many.data() : few;
  with_self[0] = self;
  std::copy_n(args, all, with_self + 1);
  PyObject* result = method_shortly(kMethods[i], with_self, n + 1, names);
  if (result || PyErr_Occurred()) return result;
  return PyObject_Vectorcall(general[i], with_self, static_cast<std::size_t>(n + 1), names);
}

template <std::size_t... i>
std::array<PyMethodDef, kMethods.size()> definitions(std::index_sequence<i...>) {
  return {PyMethodDef{kMethods[i].name,
                      reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(method<i>)),
                      METH_FASTCALL | METH_KEYWORDS, kMethods[i].signature}...};
}

// Gives Variable the package's method of this name, behind the short way if there is one.
void attach_method(PyObject* name, PyObject* function) {
  static std::array<PyMethodDef, kMethods.size()> methods =
      definitions(std::make_index_sequence<kMethods.size()>());
  auto attribute = py::reinterpret_borrow<py::object>(function);
  for (std::size_t i = 0; i < kMethods.size(); ++i) {
    if (PyUnicode_CompareWithASCIIString(name, kMethods[i].name) != 0) continue;
    general[i] = Py_NewRef(function);
    attribute = py::reinterpret_steal<py::object>(PyDescr_NewMethod(variable_type, &methods[i]));
    if (!attribute) throw py::error_already_set();
  }
  auto* type = reinterpret_cast<PyObject*>(variable_type);
  if (PyObject_SetAttr(type, name, attribute.ptr()) < 0) throw py::error_already_set();
}

void attach(const py::dict& functions, const py::dict& methods) {
  implementations = functions.inc_ref().ptr();
  for (const auto& [function, implementation] : functions)
    if (const Question question = question_of(implementation.ptr()); question != Question::none)
      questions.emplace(function.ptr(), question);
  for (const auto& [name, function] : methods) attach_method(name.ptr(), function.ptr());
}

}  // namespace

void make_array_functions(py::module_& m) {
  const auto numpy = py::module_::import("numpy");
  for (const ShortWay& way : kFunctions)
    for (const py::object& module : {py::object(numpy), py::object(numpy.attr("linalg"))})
      if (py::hasattr(module, way.name))
        way_of_function.emplace(py::object(module.attr(way.name)).release().ptr(), &way);
  m.def("attach", attach, py::arg("functions"), py::arg("methods"),
        "Serve NumPy's functions and the methods of Variable by these Python functions.");
}

// __array_function__(function, types, args, kwargs)
PyObject* array_function(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject*) {
  if (n != 4 || !PyTuple_CheckExact(args[2]) || !PyDict_CheckExact(args[3])) {
    PyErr_SetString(PyExc_TypeError, "__array_function__(function, types, args, kwargs)");
    return nullptr;
  }
  if (Session* session = program_session()) {
    session->watched.watch_all(args[2]);
    session->watched.watch_all(args[3]);
  }
  const auto way = way_of_function.find(args[0]);
  if (way != way_of_function.end()) {
    PyObject* result = function_shortly(*way->second, args[2], args[3]);
    if (result || PyErr_Occurred()) return result;
  }
  if (const auto asked = questions.find(args[0]); asked != questions.end() && !program_session()) {
    PyObject* result = guarded([&] { return answer(args[0], asked->second, args[2], args[3]); });
    if (result || PyErr_Occurred()) return result;
  }
  PyObject* function = PyDict_GetItemWithError(implementations, args[0]);
  if (function && !program_session()) return PyObject_Call(function, args[2], args[3]);
  if (PyErr_Occurred()) return nullptr;
  return guarded([&]() -> PyObject* {
    const auto object = [](PyObject* o) { return py::reinterpret_borrow<py::object>(o); };
    return call_python("tapegrad.functions.registry", function ? "call_in_program" : "refuse",
                       py::make_tuple(object(args[0]), object(args[2]), object(args[3])))
        .release()
        .ptr();
  });
}

}  // namespace tapegrad
