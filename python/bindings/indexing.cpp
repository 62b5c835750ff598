// x[key] and x[key] = v. Integers, slices, newaxis and ellipsis are cut here; masks and fancy keys
// become flat indices, which Python works out.
#include <algorithm>

#include "base/copy.hpp"
#include "convert.hpp"
#include "guards.hpp"
#include "ops/parts.hpp"
#include "variable.hpp"

namespace tapegrad {
namespace {

// A basic key worked out against a shape: a slice of every axis, then the shape that is left.
struct BasicKey {
  Dims slice;   // start, step, length of each axis
  Dims cut;     // shape after slicing, all axes kept
  Dims result;  // shape with integer axes dropped and new axes added
  bool all_integers = true;
  bool ellipsis = false;  // what comes out is an array, if one without axes
};

bool is_integer(PyObject* o) {
  return (PyLong_Check(o) && !PyBool_Check(o)) || PyArray_IsScalar(o, Integer);
}

// False if the key is not basic.
bool parse_key(PyObject* key, const Dims& shape, BasicKey& out) {
  PyObject* single[] = {key};
  PyObject** items = single;
  Py_ssize_t n = 1;
  if (PyTuple_Check(key)) {
    items = PySequence_Fast_ITEMS(key);
    n = PyTuple_GET_SIZE(key);
  }
  std::size_t used = 0;
  bool ellipsis = false;
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (items[i] == Py_Ellipsis) {
      if (ellipsis) throw py::index_error("an index can only have a single ellipsis ('...')");
      ellipsis = true;
    } else if (is_integer(items[i]) || PySlice_Check(items[i])) {
      ++used;
    } else if (items[i] != Py_None) {
      return false;
    }
  }
  if (used > shape.size())
    throw py::index_error("too many indices for array: array is " + std::to_string(shape.size()) +
                          "-dimensional, but " + std::to_string(used) + " were indexed");
  std::size_t axis = 0;
  auto take = [&](std::int64_t start, std::int64_t step, std::int64_t length, bool keep) {
    out.slice.push_back(start);
    out.slice.push_back(step);
    out.slice.push_back(length);
    out.cut.push_back(length);
    if (keep) {
      out.result.push_back(length);
      out.all_integers = false;
    }
    ++axis;
  };
  auto take_rest = [&](std::size_t until) {
    while (axis < until) take(0, 1, shape[axis], true);
  };
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = items[i];
    if (item == Py_None) {
      out.result.push_back(1);
    } else if (item == Py_Ellipsis) {
      out.ellipsis = true;
      std::size_t later = 0;
      for (Py_ssize_t j = i + 1; j < n; ++j) later += items[j] != Py_None;
      take_rest(shape.size() - later);
    } else if (PySlice_Check(item)) {
      Py_ssize_t start, stop, step;
      if (PySlice_Unpack(item, &start, &stop, &step) < 0) throw py::error_already_set();
      const Py_ssize_t length = PySlice_AdjustIndices(shape[axis], &start, &stop, step);
      take(length ? start : 0, step, length, true);
    } else {
      const Py_ssize_t index = PyNumber_AsSsize_t(item, PyExc_IndexError);
      if (index == -1 && PyErr_Occurred()) throw py::error_already_set();
      if (index < -shape[axis] || index >= shape[axis])
        throw py::index_error("index " + std::to_string(index) + " is out of bounds for axis " +
                              std::to_string(axis) + " with size " + std::to_string(shape[axis]));
      take(index < 0 ? index + shape[axis] : index, 1, 1, false);
    }
  }
  take_rest(shape.size());
  return true;
}

std::int64_t flat_index(const BasicKey& key, const Dims& shape) {
  std::int64_t flat = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) flat = flat * shape[d] + key.slice[3 * d];
  return flat;
}

bool is_integer_list(PyObject* key) {
  if (!PyList_CheckExact(key) || PyList_GET_SIZE(key) == 0) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(key); ++i)
    if (!PyLong_CheckExact(PyList_GET_ITEM(key, i))) return false;
  return true;
}

bool positions_of_mask(const Dims& shape, const Array& mask, Array& positions) {
  if (!(mask.shape() == shape)) return false;
  const bool* chosen = mask.ptr<bool>();
  const std::int64_t n = mask.size();
  positions = Array::empty(DType::i64, {std::count(chosen, chosen + n, true)});
  std::int64_t* next = positions.ptr<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i)
    if (chosen[i]) *next++ = i;
  return true;
}

// A few indices of an axis of length n that are used as they are, because none is negative: they
// are checked and copied where they are read first.
bool are_positions(const Array& rows, std::int64_t n, Array& positions) {
  if (!current_session || rows.nbytes() > Session::kSmall) return false;
  Copied* known = current_session->known_copy(rows);
  if (!known || known->within == 0 || known->within > n) {
    const auto* given = rows.ptr<std::int64_t>();
    if (!all_within(rows.size(), n, [&](std::int64_t i) { return given[i]; })) return false;
    if (!known) known = &current_session->copy_of(rows);
    known->within = n;
  }
  positions = known->array;
  return true;
}

bool positions_of_rows(const Dims& shape, const Array& rows, Array& positions) {
  Dims result = rows.shape();
  std::int64_t inner = 1;
  for (std::size_t d = 1; d < shape.size(); ++d) {
    result.push_back(shape[d]);
    inner *= shape[d];
  }
  const std::int64_t n = shape[0], count = rows.size();
  if (shape.size() == 1 && are_positions(rows, n, positions)) return true;
  positions = Array::empty(DType::i64, result);
  const std::int64_t* given = rows.ptr<std::int64_t>();
  std::int64_t* next = positions.ptr<std::int64_t>();
  bool outside = false;
  const auto row = [&](std::int64_t i) {
    const std::int64_t found = given[i] + (given[i] < 0 ? n : 0);
    outside |= static_cast<std::uint64_t>(found) >= static_cast<std::uint64_t>(n);
    return found;
  };
  if (inner == 1)
    for (std::int64_t i = 0; i < count; ++i) next[i] = row(i);
  else
    for (std::int64_t i = 0; i < count; ++i)
      next = std::generate_n(next, inner, [at = row(i) * inner]() mutable { return at++; });
  return !outside;
}

// Whether NumPy's result is in C order if the array is: one array of positions on the first axes.
// Where indices stand behind a slice, they come first in NumPy's memory.
bool takes_whole_rows(PyObject* key, const Dims& result) {
  const auto is_long = [](std::int64_t n) { return n > 1; };
  return !PyTuple_Check(key) || std::ranges::count_if(result, is_long) < 2;
}

// As an operand that nobody else writes to; recorded if the key is.
Argument flat_indices(const Dims& shape, PyObject* key) {
  Array plain;
  if (plain_positions(shape, key, plain)) return {{kNoOperand, plain}, false, true};
  if (Session* session = program_session()) session->watched.watch_all(key);
  const auto tuple = py::reinterpret_steal<py::object>(dims_to_tuple(shape));
  const py::object indices =
      call_python("tapegrad.functions.indexing", "flat_indices",
                  py::make_tuple(tuple, py::reinterpret_borrow<py::object>(key)));
  Argument found{{kNoOperand, {}}, false, true};
  if (!is_variable(indices.ptr())) found.value.array = array_from(indices.ptr(), "an index");
  else argument_from(indices.ptr(), found);
  return found;
}

// x[i] of a one-dimensional float64 array, the step of every Python loop over an array.
PyObject* fast_item(Variable* v, PyObject* key) {
  if (!v->array || v->alias || !PyLong_CheckExact(key)) return nullptr;
  if (v->node != kNoOperand && (!current_session || v->serial != current_session->serial))
    return nullptr;
  const Array a = Array::borrow(v->array);
  if (a.ndim() != 1 || a.dtype() != DType::f64) return nullptr;
  Py_ssize_t i = PyLong_AsSsize_t(key);
  if (i < 0) i += a.shape()[0];
  if (i < 0 || i >= a.shape()[0]) {
    PyErr_Clear();
    return nullptr;  // the general path makes the error
  }
  const double value = *reinterpret_cast<const double*>(a.data() + i * a.strides()[0]);
  if (v->node == kNoOperand) return new_variable({kNoOperand, Array::scalar(value)});
  const NodeId id = current_session->tape.add_item(v->node, i, value);
  current_session->settle_nodes();
  return new_scalar(*current_session, id, value);
}

// The value to store, as an array of exactly `shape` and of dtype `dtype`.
Value fitted(PyObject* value, const Dims& shape, DType dtype) {
  Argument a[1];
  if (!argument_from(value, a[0]))
    throw TypeFault(std::string("cannot assign a ") + Py_TYPE(value)->tp_name +
                    " to an element of a recorded array");
  Array& given_value = a[0].value.array;
  if (a[0].weak && given_value.dtype() == DType::i64 && is_differentiable(dtype))
    given_value = Array::full(dtype, {}, number_of(given_value));
  const DType from = given_value.dtype();
  if (from == DType::c128 && dtype != DType::c128)
    throw TypeFault(
        "cannot assign a complex value to a real array: take its real part, or make the "
        "array complex");
  if (from != dtype) {
    const std::int64_t code[] = {static_cast<std::int64_t>(dtype)};
    a[0].value = apply(Op::cast, a, code);
    a[0].variable = true;
  }
  Dims given = a[0].value.array.shape();
  while (given.size() > shape.size() && given[0] == 1) given.erase(0);  // as NumPy assigns
  if (!(given == a[0].value.array.shape())) {
    a[0].value = apply(Op::reshape, a, given);
    a[0].variable = true;
  }
  if (given == shape) return a[0].value;
  bool fits = given.size() <= shape.size();
  for (std::size_t i = 0; fits && i < given.size(); ++i) {
    const auto want = shape[shape.size() - given.size() + i];
    fits = given[i] == 1 || given[i] == want;
  }
  if (!fits)
    throw Error("could not broadcast input array from shape " + given.str() + " into shape " +
                shape.str());
  return apply(Op::broadcast_to, a, shape);
}

// The current value of `v`, with the handle of `v` given up: assignment may then write in place.
Argument give_up(Variable* v) {
  Argument base{value_of(v), false, true};
  if (v->array && !(v->alias && v->alias->parent)) Array::adopt(std::exchange(v->array, nullptr));
  return base;
}

void set_basic(Variable* v, const BasicKey& key, PyObject* value, const Meta& meta) {
  Argument in[2];
  in[1] = {fitted(value, key.result, meta.dtype), false, true};
  if (key.all_integers && key.result.empty()) {
    const std::int64_t index[] = {flat_index(key, meta.shape)};
    in[0] = give_up(v);
    return assign(v, apply(Op::item_set, in, index));
  }
  if (!(key.result == key.cut)) in[1].value = apply(Op::reshape, std::span(in + 1, 1), key.cut);
  in[0] = give_up(v);
  assign(v, apply(Op::slice_set, in, key.slice));
}

bool broadcasts_to(const Dims& shape, const Dims& wanted) {
  if (shape.size() > wanted.size()) return false;
  const std::size_t shift = wanted.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i)
    if (shape[i] != 1 && shape[i] != wanted[i + shift]) return false;
  return true;
}

// y[mask] = v in a program, where the mask is recorded and each place gets the same value: a choice
// that is good for any mask. False if it is another assignment.
bool set_where(Variable* v, PyObject* key, PyObject* value, const Meta& meta) {
  if (!is_variable(key) || !recorded_in_program(as_variable(key))) return false;
  Argument in[3];
  argument_from(key, in[0]);
  Dims shape = in[0].value.array.shape();
  const std::size_t n = shape.size();
  if (in[0].value.array.dtype() != DType::b8 || n == 0 || n > meta.shape.size()) return false;
  if (!std::equal(shape.begin(), shape.end(), meta.shape.begin())) return false;
  const Dims inner(std::span<const std::int64_t>(meta.shape).subspan(n));
  Argument probe;
  if (!argument_from(value, probe)) return false;
  if (!broadcasts_to(probe.value.array.shape(), inner)) return false;
  in[1] = {fitted(value, inner, meta.dtype), false, true};
  while (shape.size() < meta.shape.size()) shape.push_back(1);
  in[0].value = apply(Op::reshape, {in, 1}, shape);
  in[2] = {value_of(v), false, true};
  assign(v, apply(Op::where, in, {}));
  return true;
}

void set_fancy(Variable* v, PyObject* key, PyObject* value, const Meta& meta) {
  if (set_where(v, key, value, meta)) return;
  Argument in[3];
  in[2] = flat_indices(meta.shape, key);
  Array indices = in[2].value.array;
  if (in[2].value.active() && indices.size() == 1) {  // no place is written twice
    in[1] = {fitted(value, indices.shape(), meta.dtype), false, true};
    in[0] = give_up(v);
    return assign(v, apply(Op::put, in, {}));
  }
  if (in[2].value.active()) current_session->guard(in[2].value.operand, indices);
  in[1] = {fitted(value, indices.shape(), meta.dtype), false, true};
  const auto numpy_indices = py::reinterpret_steal<py::object>(array_to_numpy(indices, false));
  const py::object last =
      call_python("tapegrad.functions.indexing", "last_writes", py::make_tuple(numpy_indices));
  if (!last.is_none()) {  // an element written twice keeps what was written last
    const Array chosen = array_from(last.ptr(), "an index");
    indices = evaluate(Op::gather, {indices, chosen});
    Argument part[2] = {in[1], {{kNoOperand, chosen}, false, false}};
    in[1].value = apply(Op::gather, part, {});
  }
  in[2] = {{kNoOperand, indices}, false, true};
  in[0] = give_up(v);
  assign(v, apply(Op::put, in, {}));
}

// y[k] += z reads a view, adds into it, and stores it where it already is.
bool is_own_view(Variable* v, const BasicKey& key, PyObject* value) {
  if (!is_variable(value)) return false;
  const Alias* alias = as_variable(value)->alias;
  return alias && alias->parent == reinterpret_cast<PyObject*>(v) && alias->op == Op::slice &&
         alias->attrs == key.slice && alias->parent_version == v->alias->version &&
         key.result == key.cut;
}

}  // namespace

bool plain_positions(const Dims& shape, PyObject* key, Array& positions) {
  py::object holder;
  if (is_integer_list(key)) {
    holder = py::reinterpret_steal<py::object>(PyArray_FROM_OT(key, NPY_INT64));
    if (!holder) throw py::error_already_set();
    key = holder.ptr();
  }
  if (!PyArray_CheckExact(key) || shape.empty()) return false;
  const int type = PyArray_TYPE(reinterpret_cast<PyArrayObject*>(key));
  if (type != NPY_BOOL && type != NPY_INT64) return false;
  const Array given = contiguous(array_from(key, "an index"));
  return type == NPY_BOOL ? positions_of_mask(shape, given, positions)
                          : positions_of_rows(shape, given, positions);
}

PyObject* variable_getitem(PyObject* self, PyObject* key) {
  if (PyObject* item = fast_item(as_variable(self), key)) return item;
  return guarded([&]() -> PyObject* {
    Value x = value_of(as_variable(self));
    const Dims shape = x.array.shape();
    BasicKey basic;
    if (!parse_key(key, shape, basic)) {
      Argument in[2] = {{std::move(x), false, true}, {}};
      in[1] = flat_indices(shape, key);
      Value taken = apply(Op::gather, in, {});
      taken.guessed = taken.guessed || !takes_whole_rows(key, taken.array.shape());
      return new_variable(std::move(taken));
    }
    if (basic.all_integers && basic.result.empty() && !shape.empty()) {
      const Dims index{flat_index(basic, shape)};
      if (basic.ellipsis) return new_view(self, Op::item, index, Cut::through);
      Argument in[1] = {{std::move(x), false, true}};
      return new_variable(apply(Op::item, in, index));
    }
    auto cut = py::reinterpret_steal<py::object>(new_view(self, Op::slice, basic.slice));
    if (!cut) return nullptr;
    if (const Alias* alias = as_variable(self)->alias; alias && alias->flat)
      return new_variable(value_of(as_variable(cut.ptr())));  // as NumPy's flatiter
    if (basic.result == basic.cut) return cut.release().ptr();
    return new_view(cut.ptr(), Op::reshape, basic.result);
  });
}

int variable_setitem(PyObject* self, PyObject* key, PyObject* value) {
  try {
    if (!value) {
      PyErr_SetString(PyExc_ValueError, "cannot delete array elements");
      return -1;
    }
    Variable* v = as_variable(self);
    const Meta meta = value_of(v).array.meta();
    if (meta.shape.empty() && !v->alias)
      throw TypeFault("a recorded number does not support item assignment");
    BasicKey basic;
    if (!parse_key(key, meta.shape, basic)) set_fancy(v, key, value, meta);
    else if (!is_own_view(v, basic, value)) set_basic(v, basic, value, meta);
    return 0;
  } catch (...) {
    set_python_error();
    return -1;
  }
}

}  // namespace tapegrad
