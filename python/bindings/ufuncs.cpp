// NumPy's ufunc protocol: ufuncs of the table are applied here, everything else goes to the Python
// package. At import the inner loops of NumPy's ufuncs replace our kernels, so that values are
// NumPy's.
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <string>
#include <unordered_map>

#include "convert.hpp"
#include "ops/fft.hpp"
#include "ops/kernels.hpp"
#include "ops/sorting.hpp"
#include "questions.hpp"
#include "short_arguments.hpp"
#include "short_ways.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

std::unordered_map<PyObject*, std::optional<Op>> op_by_ufunc;  // nothing: known not to be an op
#ifdef Py_GIL_DISABLED
std::recursive_mutex adopting;  // elsewhere the interpreter lock guards the map and the kernels
#endif

// Formulas that use the function use this loop too, if it is SciPy's.
void lend(Op op, DType dtype, Loop loop, void* data) {
  const math::Borrowed found{loop, data};
  const auto i = static_cast<std::size_t>(op);
  if (dtype == DType::f64) math::borrowed<double>[i] = found;
  if (dtype == DType::f32) math::borrowed<float>[i] = found;
  if (dtype == DType::c128) math::borrowed<Complex>[i] = found;
}

// Takes the loop whose arguments and results all have NumPy's type `typenum` (results bool for
// comparisons). The order of a Bessel function may be real where the rest is complex: the loop then
// finds it in the real parts.
void adopt_loop(PyUFuncObject* ufunc, Op op, DType dtype, int typenum) {
  for (int i = 0; i < ufunc->ntypes; ++i) {
    const char* types = ufunc->types + i * ufunc->nargs;
    bool match = ufunc->functions && ufunc->functions[i];
    for (int j = 0; j < ufunc->nargs; ++j) {
      const bool answer = kind_of(op) == OpKind::comparison && j == ufunc->nin;
      const bool order = typenum == NPY_CDOUBLE && j == 0 && ufunc->nin == 2;
      match =
          match && (types[j] == (answer ? NPY_BOOL : typenum) || (order && types[j] == NPY_DOUBLE));
    }
    if (!match) continue;
    const auto loop = reinterpret_cast<Loop>(ufunc->functions[i]);
    void* data =
        ufunc->data ? const_cast<void*>(static_cast<const void*>(ufunc->data[i])) : nullptr;
    lend(op, dtype, loop, data);
    if (!is_elementwise(op)) return;
    Kernel& k = kernel(op, dtype);
    if (k.ours) return;
    k.value = loop;
    k.data = data;
    return;
  }
}

// Whether the object is a ufunc of the op's kind.
bool is_like(PyObject* object, Op op) {
  if (!PyObject_TypeCheck(object, &PyUFunc_Type)) return false;
  const auto* ufunc = reinterpret_cast<PyUFuncObject*>(object);
  return ufunc->nin == arity_of(op) && ufunc->nout == 1;
}

void adopt(PyObject* object, Op op) {
  if (!is_like(object, op)) return;
  auto* ufunc = reinterpret_cast<PyUFuncObject*>(object);
  if (kernel(op, DType::f64).value) adopt_loop(ufunc, op, DType::f64, NPY_DOUBLE);
  if (kernel(op, DType::f32).value) adopt_loop(ufunc, op, DType::f32, NPY_FLOAT);
  if (kernel(op, DType::c128).value) adopt_loop(ufunc, op, DType::c128, NPY_CDOUBLE);
  if (kernel(op, DType::b8).value) adopt_loop(ufunc, op, DType::b8, NPY_BOOL);
  if (kernel(op, DType::i64).value) adopt_loop(ufunc, op, DType::i64, NPY_INT64);
  op_by_ufunc[object] = op;
}

// Sorts rows as NumPy does, ties included.
void adopt_sorts() {
  constexpr int types[] = {NPY_DOUBLE, NPY_FLOAT, NPY_CDOUBLE, NPY_BOOL, NPY_INT64};
  for (int t = 0; t < 5; ++t) {
    PyArray_Descr* descr = PyArray_DescrFromType(types[t]);
    const auto* functions = PyDataType_GetArrFuncs(descr);
    for (const auto& [kind, index] :
         {std::pair(SortKind::quick, NPY_QUICKSORT), std::pair(SortKind::stable, NPY_STABLESORT)}) {
      const auto dtype = static_cast<DType>(t);
      if (auto* f = functions->sort[index]) sort_of(dtype, kind) = reinterpret_cast<Sort>(f);
      if (auto* f = functions->argsort[index])
        argsort_of(dtype, kind) = reinterpret_cast<ArgSort>(f);
    }
    Py_DECREF(descr);
  }
}

// The transforms of numpy.fft in double precision; ours stay where this NumPy has no such loops.
void adopt_transforms() {
  struct Known {
    const char* name;
    Transform transform;
    char types[3];  // of the row, the factor, the result
  };
  constexpr char d = NPY_DOUBLE, z = NPY_CDOUBLE;
  constexpr Known transforms[] = {{"fft", Transform::forward, {z, d, z}},
                                  {"ifft", Transform::backward, {z, d, z}},
                                  {"rfft_n_even", Transform::real_even, {d, d, z}},
                                  {"rfft_n_odd", Transform::real_odd, {d, d, z}},
                                  {"irfft", Transform::hermitian, {z, d, d}}};
  const py::object module =
      py::getattr(py::module_::import("numpy.fft"), "_pocketfft_umath", py::none());
  for (const Known& known : transforms) {
    const py::object object = py::getattr(module, known.name, py::none());
    if (!PyObject_TypeCheck(object.ptr(), &PyUFunc_Type)) continue;
    const auto* ufunc = reinterpret_cast<const PyUFuncObject*>(object.ptr());
    if (ufunc->nargs != 3 || !ufunc->functions) continue;
    for (int i = 0; i < ufunc->ntypes; ++i)
      if (std::memcmp(ufunc->types + 3 * i, known.types, 3) == 0)
        transform_loop(known.transform) = {
            reinterpret_cast<Loop>(ufunc->functions[i]),
            ufunc->data ? const_cast<void*>(ufunc->data[i]) : nullptr};
  }
}

// Hands a protocol call on, argument for argument, to a function of tapegrad.functions.
PyObject* hand_on(PyObject*& function, const char* name, PyObject* const* args, Py_ssize_t n,
                  PyObject* names) {
  return guarded([&]() -> PyObject* {
    if (!function)
      function = py::object(py::module_::import("tapegrad.functions").attr(name)).release().ptr();
    return PyObject_Vectorcall(function, args, static_cast<std::size_t>(n), names);
  });
}
PyObject* ufunc_fallback = nullptr;

}  // namespace

void register_ufuncs() {
  const auto numpy = py::module_::import("numpy");
  for (int i = 0; is_elementwise(static_cast<Op>(i)); ++i) {
    const Op op = static_cast<Op>(i);
    const std::string name(op_name(op));
    if (!py::hasattr(numpy, name.c_str())) continue;
    const py::object ufunc = numpy.attr(name.c_str());
    adopt(ufunc.ptr(), op);
  }
  adopt_sorts();
  adopt_transforms();
  for (Op op : {Op::matmul, Op::conjugate})
    op_by_ufunc[py::object(numpy.attr(std::string(op_name(op)).c_str())).ptr()] = op;
}

// SciPy's special functions are adopted when the first one is met, so that importing tapegrad need
// not import them; all at once, because formulas use each other.
void borrow_from_scipy(Op met) {
  static std::atomic<bool> done{false};
  if (done || !math::kBorrowed[static_cast<std::size_t>(met)]) return;
  const auto special = py::module_::import("scipy.special");
#ifdef Py_GIL_DISABLED
  const std::lock_guard lock(adopting);
#endif
  for (std::size_t i = 0; i < std::size(math::kBorrowed); ++i) {
    const Op op = static_cast<Op>(i);
    const std::string name(op_name(op));
    if (!math::kBorrowed[i] || !py::hasattr(special, name.c_str())) continue;
    const py::object ufunc = special.attr(name.c_str());
    if (is_elementwise(op)) {
      adopt(ufunc.ptr(), op);
    } else if (PyObject_TypeCheck(ufunc.ptr(), &PyUFunc_Type)) {
      adopt_loop(reinterpret_cast<PyUFuncObject*>(ufunc.ptr()), op, DType::f64, NPY_DOUBLE);
      adopt_loop(reinterpret_cast<PyUFuncObject*>(ufunc.ptr()), op, DType::f32, NPY_FLOAT);
    }
  }
  done = true;
}

std::optional<Op> op_of_ufunc(PyObject* ufunc) {
#ifdef Py_GIL_DISABLED
  const std::lock_guard lock(adopting);
#endif
  const auto found = op_by_ufunc.find(ufunc);
  if (found != op_by_ufunc.end()) return found->second;
  const auto name = py::reinterpret_borrow<py::object>(ufunc).attr("__name__").cast<std::string>();
  for (int i = 0; is_elementwise(static_cast<Op>(i)); ++i)
    if (op_name(static_cast<Op>(i)) == name) {
      // A loop is taken where the table says so: SciPy's expn, for one, warns from within.
      borrow_from_scipy(static_cast<Op>(i));
      if (!is_like(ufunc, static_cast<Op>(i))) continue;
      Py_INCREF(ufunc);  // the key stays valid
      return op_by_ufunc[ufunc] = static_cast<Op>(i);
    }
  Py_INCREF(ufunc);  // the key stays valid
  return op_by_ufunc[ufunc] = std::nullopt;
}

namespace {

// ldexp takes integers for exponents, and they do not promote the number.
void settle_exponent(const Argument& number, Argument& exponent) {
  Array& e = exponent.value.array;
  const bool integer =
      !is_differentiable(e.dtype()) ||
      (exponent.weak && e.dtype() == DType::f64 && std::trunc(e.at<double>()) == e.at<double>());
  if (!integer && !exponent.variable) throw TypeFault("ldexp: the exponent must be an integer");
  const DType dtype = number.value.array.dtype();
  const DType to = is_differentiable(dtype) ? dtype : DType::f64;
  if (exponent.variable) return;
  e = evaluate(Op::cast, {e}, std::array{static_cast<std::int64_t>(to)});
  exponent.weak = false;  // it has the number's dtype now
}

// np.add.reduce and its like: reductions, along the first axis unless told otherwise. Null without
// an error if the call is not of the plain form.
PyObject* reduce_shortly(PyObject* ufunc, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  const std::optional<Op> op = op_of_ufunc(ufunc);
  ways::Way* way = op == Op::add        ? ways::sum
                   : op == Op::multiply ? ways::prod
                   : op == Op::maximum  ? ways::max
                   : op == Op::minimum  ? ways::min
                                        : nullptr;
  if (!way || n < 1 || n > 2) return nullptr;
  const py::int_ first(0);
  PyObject* given[] = {args[0], n > 1 ? args[1] : first.ptr(), nullptr};
  for (Py_ssize_t i = 0, count = names ? PyTuple_GET_SIZE(names) : 0; i < count; ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    if (n == 1 && PyUnicode_CompareWithASCIIString(name, "axis") == 0) given[1] = args[n + i];
    else if (PyUnicode_CompareWithASCIIString(name, "keepdims") == 0) given[2] = args[n + i];
    else return nullptr;
  }
  return way(given);
}

// np.subtract.outer and its like: one operand gets an axis of length 1 for each axis of the other.
PyObject* outer_shortly(PyObject* ufunc, PyObject* const* args) {
  const std::optional<Op> op = op_of_ufunc(ufunc);
  if (!op || kind_of(*op) != OpKind::binary) return nullptr;
  Argument a, b;
  if (!ways::operand_from(args[0], a) || !ways::operand_from(args[1], b)) return nullptr;
  if (ways::is_complex(a) || ways::is_complex(b)) return nullptr;
  Dims shape = ways::shape_of(a);
  for (int k = 0; k < b.value.array.ndim(); ++k) shape.push_back(1);
  return ways::result(ways::on(*op, ways::reshaped(std::move(a), shape), std::move(b)));
}

// The answer of a question of the table, which carries no derivative. Null without an error if only
// the long way knows it.
PyObject* answer_plainly(PyObject* ufunc, Op op, PyObject* const* inputs, Py_ssize_t n) {
  if (n == 1 && is_variable(inputs[0])) {
    const Array x = value_of(as_variable(inputs[0])).array;
    if (kernel(op, x.dtype()).value)
      return PyArray_Return(
          reinterpret_cast<PyArrayObject*>(array_to_numpy(evaluate(op, {x}), true)));
  }
  py::tuple plain(static_cast<std::size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) PyTuple_SET_ITEM(plain.ptr(), i, Py_NewRef(inputs[i]));
  return answer(ufunc, Question::values, plain.ptr(), nullptr);
}

// A method of a ufunc in its plain form.
PyObject* method_shortly(PyObject* ufunc, PyObject* method, PyObject* const* args, Py_ssize_t n,
                         PyObject* names) {
  if (PyUnicode_CompareWithASCIIString(method, "reduce") == 0)
    return reduce_shortly(ufunc, args, n, names);
  if (n == 2 && !names && PyUnicode_CompareWithASCIIString(method, "outer") == 0)
    return outer_shortly(ufunc, args);
  return nullptr;
}

}  // namespace

// __array_ufunc__(ufunc, method, *inputs, **kwargs)
PyObject* array_ufunc(PyObject*, PyObject* const* args, Py_ssize_t n, PyObject* names) {
  auto to_python = [&] {
    if (Session* session = program_session())
      for (Py_ssize_t i = 2; i < n + (names ? PyTuple_GET_SIZE(names) : 0); ++i)
        session->watched.watch_all(args[i]);
    return hand_on(ufunc_fallback, "ufunc_fallback", args, n, names);
  };
  if (PyUnicode_CompareWithASCIIString(args[1], "__call__") != 0) {
    PyObject* result =
        guarded([&] { return method_shortly(args[0], args[1], args + 2, n - 2, names); });
    return result || PyErr_Occurred() ? result : to_python();
  }
  if (names && PyTuple_GET_SIZE(names) > 0) return to_python();
  return guarded([&]() -> PyObject* {
    const std::optional<Op> op = op_of_ufunc(args[0]);
    const bool question = op && kind_of(*op) == OpKind::comparison;
    if (!op || n - 2 != arity_of(*op)) return to_python();
    if (question && !program_session()) {
      PyObject* found = answer_plainly(args[0], *op, args + 2, n - 2);
      return found || PyErr_Occurred() ? found : to_python();
    }
    Argument in[2];
    bool complex = false, active = false;
    for (Py_ssize_t i = 2; i < n; ++i) {
      if (!argument_from(args[i], in[i - 2])) Py_RETURN_NOTIMPLEMENTED;
      complex = complex || in[i - 2].value.array.dtype() == DType::c128;
      active = active || in[i - 2].value.active();
    }
    if (question && !active) return to_python();
    if (complex && is_elementwise(*op) && !kernel(*op, DType::c128).value) return to_python();
    if (*op == Op::ldexp) settle_exponent(in[0], in[1]);
    return new_variable(apply(*op, std::span(in, static_cast<std::size_t>(n - 2)), {}));
  });
}

}  // namespace tapegrad
