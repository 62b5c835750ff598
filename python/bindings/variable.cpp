// Variables as handles: making, reading, recording, assignment through views.
#include "variable.hpp"

#include <algorithm>

#include "base/copy.hpp"
#include "convert.hpp"
#include "guards.hpp"
#include "ops/kernels.hpp"
#include "sweeps/recording.hpp"

namespace tapegrad {

namespace {

// Dead Variables, ready for the next one: recording a scalar costs no allocation.
struct FreeList {
  static constexpr int kCapacity = 256;
  Variable* items[kCapacity];
  int count = 0;
};
#ifdef Py_GIL_DISABLED
thread_local
#endif
    FreeList free_list;

Variable* allocate() {
  Variable* v;
  if (free_list.count > 0) {
    v = free_list.items[--free_list.count];
    PyObject_Init(reinterpret_cast<PyObject*>(v), variable_type);
  } else {
    v = PyObject_New(Variable, variable_type);
    if (!v) throw py::error_already_set();
  }
  v->array = nullptr;
  v->alias = nullptr;
  v->guessed = false;
  return v;
}

void set_value(Variable* v, Value value) {
  if (v->array) Array::adopt(std::exchange(v->array, nullptr));
  v->node = value.operand;
  v->guessed = value.guessed;
  v->serial = current_session ? current_session->serial : 0;
  if (value.array.ndim() == 0 && value.array.dtype() == DType::f64)
    v->scalar = value.array.at<double>();
  else v->array = value.array.leak();
}

// Where a flattening is a view in one memory order and a copy in another, and NumPy's is not known.
void refuse_guess() { call_python("tapegrad.errors", "memory_order", py::make_tuple()); }

Value cut_anew(const Alias& alias, Value parent) {
  Argument in[2] = {{std::move(parent), false, true}, {{kNoOperand, alias.positions}, false, true}};
  const std::size_t n = alias.positions ? 2 : 1;
  Value part = apply(alias.op, std::span(in, n), alias.attrs);
  part.guessed = part.guessed || alias.positions;
  return part;
}

// Cuts a view anew when its parent, or the parent's parent, has been assigned.
void refresh(Variable* v) {
  if (!v->alias || !v->alias->parent) return;
  Variable* parent = as_variable(v->alias->parent);
  refresh(parent);
  if (parent->alias->version == v->alias->parent_version) return;
  if (v->alias->unsure) refuse_guess();
  set_value(v, cut_anew(*v->alias, value_of(parent)));
  v->alias->parent_version = parent->alias->version;
  ++v->alias->version;
}

// A view of a view, cut the same way, is cut from the first: chains like `x = x[1:]` stay short.
bool composes(Op op) { return op == Op::slice || op == Op::reshape || op == Op::transpose; }
Dims composed(Op op, const Dims& inner, const Dims& outer) {
  Dims both = outer;
  if (op == Op::slice)
    for (std::size_t i = 0; i + 2 < both.size(); i += 3) {
      both[i] = inner[i] + outer[i] * inner[i + 1];
      both[i + 1] = outer[i + 1] * inner[i + 1];
    }
  if (op == Op::transpose)
    for (std::size_t i = 0; i < both.size(); ++i)
      both[i] = inner[static_cast<std::size_t>(outer[i])];
  return both;
}

// True if `v` and all it views can be brought up to date: inactive, or of the open recording.
bool is_readable(const Variable* v) {
  if (v->node != kNoOperand && !(current_session && v->serial == current_session->serial))
    return false;
  return !v->alias || !v->alias->parent || is_readable(as_variable(v->alias->parent));
}

// The parent's new value when a view of it is given `part`: the cut, undone.
Value write_through(const Alias& alias, Value parent, Value part) {
  const Dims shape = parent.array.shape();
  Argument in[2] = {{std::move(parent), false, true}, {std::move(part), false, true}};
  switch (alias.op) {
    case Op::slice: return apply(Op::slice_set, in, alias.attrs);
    case Op::reshape: return apply(Op::reshape, std::span(in + 1, 1), shape);
    case Op::transpose: {
      Dims inverse(alias.attrs.size());
      for (std::size_t i = 0; i < inverse.size(); ++i)
        inverse[static_cast<std::size_t>(alias.attrs[i])] = static_cast<std::int64_t>(i);
      return apply(Op::transpose, std::span(in + 1, 1), inverse);
    }
    case Op::real:
    case Op::imag: return apply(Op::part_set, in, Dims{alias.op == Op::imag});
    case Op::item: return apply(Op::item_set, in, alias.attrs);
    default: break;
  }
  ensure(false, "require_writable has been called");
  return {};
}

bool writes_through(Op op) {
  return composes(op) || op == Op::real || op == Op::imag || op == Op::item;
}

// Before any handle is given up: a refused assignment leaves everything as it was.
void require_writable(const Variable* v) {
  for (; v->alias && v->alias->parent; v = as_variable(v->alias->parent)) {
    if (!writes_through(v->alias->op))
      throw Error("assignment destination is read-only: a view made by " +
                  std::string(op_name(v->alias->op)) + " cannot be written; write to a copy");
    if (v->alias->unsure) refuse_guess();
  }
}

// How a value lies in memory; strides are kept only where it is not contiguous.
struct Layout {
  explicit Layout(const Array& a) : strides(a.contiguous() ? Dims() : a.strides()) {}
  bool fits(const Array& a) const {
    if (strides.empty()) return a.contiguous();
    return strides == a.strides();
  }
  Dims strides;
};

// An assigned array stays where it is in memory, so the new value is laid out as the old one was.
void lay_out(Value& value, const Layout& before) {
  if (before.fits(value.array)) return;
  if (before.strides.empty()) value.array = contiguous(value.array);
  else value.guessed = true;
}

}  // namespace

void free_variable(PyObject* self) {
  Variable* v = as_variable(self);
  if (v->array) Array::adopt(v->array);
  if (v->alias) {
    Py_XDECREF(v->alias->parent);
    delete v->alias;
  }
  PyTypeObject* type = Py_TYPE(self);
  if (free_list.count < FreeList::kCapacity) free_list.items[free_list.count++] = v;
  else PyObject_Free(v);
  Py_DECREF(type);
}

PyObject* new_scalar(const Session& session, NodeId node, double value) {
  Variable* v = allocate();
  v->serial = session.serial;
  v->scalar = value;
  v->node = node;
  return reinterpret_cast<PyObject*>(v);
}

PyObject* new_variable(Value value) {
  Variable* v = allocate();
  set_value(v, std::move(value));
  return reinterpret_cast<PyObject*>(v);
}

namespace {

// Whether a view may be cut. A reshape that had to copy is none, and neither is a part of a scalar.
bool shares(const Array& whole, const Array& part, Op op, Cut cut) {
  if (part.size() == 0 || whole.ndim() == 0) return false;
  if (op == Op::real || op == Op::imag) return whole.dtype() == DType::c128;
  return cut == Cut::through || cut == Cut::flat || part.same_block(whole);
}

// Whether a reshape is a view in some memory orders of the operand and a copy in others: it walks
// several axes as one.
bool depends_on_order(const Dims& from, const Dims& to) {
  std::size_t j = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] == 1) continue;
    std::int64_t group = 1;
    while (j < to.size() && group < from[i]) group *= to[j++];
    if (group != from[i]) return true;
  }
  return false;
}

PyObject* with_alias(PyObject* view, PyObject* parent, Alias alias) {
  Variable* p = as_variable(parent);
  if (!p->alias) p->alias = new Alias;
  Py_INCREF(parent);
  alias.parent = parent;
  alias.parent_version = p->alias->version;
  as_variable(view)->alias = new Alias(std::move(alias));
  return view;
}

}  // namespace

PyObject* new_view(PyObject* parent, Op op, const Dims& attrs, Cut cut) {
  Variable* p = as_variable(parent);
  Argument argument{value_of(p), false, true};
  const Array whole = argument.value.array;
  const bool guessed = argument.value.guessed, always = cut == Cut::through || cut == Cut::flat;
  Value part = apply(op, std::span(&argument, 1), attrs);
  bool unsure = op == Op::reshape && guessed && !always && whole.size() > 1 &&
                (cut == Cut::ravel || depends_on_order(whole.shape(), attrs));
  const bool copied = cut == Cut::ravel && !whole.contiguous();
  if (copied) part.array = contiguous(part.array);
  const bool view = unsure || (!copied && shares(whole, part.array, op, cut));
  PyObject* result = new_variable(std::move(part));
  if (!view) return result;
  Dims how = attrs;
  while (p->alias && p->alias->parent && p->alias->op == op && composes(op)) {
    how = composed(op, p->alias->attrs, how);
    unsure = unsure || p->alias->unsure;
    parent = p->alias->parent;
    p = as_variable(parent);
  }
  Alias alias;
  alias.op = op;
  alias.attrs = how;
  alias.flat = cut == Cut::flat;
  alias.unsure = unsure;
  return with_alias(result, parent, std::move(alias));
}

PyObject* new_gathered_view(PyObject* parent, const Array& positions) {
  Alias alias;
  alias.op = Op::gather;
  alias.positions = positions;
  PyObject* result = new_variable(cut_anew(alias, value_of(as_variable(parent))));
  return with_alias(result, parent, std::move(alias));
}

void check_recording(const Variable* v) {
  if (v->node == kNoOperand || (current_session && v->serial == current_session->serial)) return;
  call_python("tapegrad.errors", "recording", py::make_tuple(current_session != nullptr));
}

Value value_of(Variable* v) {
  check_recording(v);
  refresh(v);
  return {v->node, v->array ? Array::borrow(v->array) : Array::scalar(v->scalar), v->guessed};
}

Array peek(Variable* v) {
  if (is_readable(v)) refresh(v);
  return v->array ? Array::borrow(v->array) : Array::scalar(v->scalar);
}

namespace {

// Whether operations with `o` mean something else than those with its numbers: the masks, labels
// and units of array types that take ufuncs over, and subclasses that NumPy gives the first word.
bool has_rules_of_its_own(PyObject* o) {
  if (PyArray_CheckExact(o) || PyList_Check(o) || PyTuple_Check(o)) return false;
  const py::handle type(reinterpret_cast<PyObject*>(Py_TYPE(o)));
  const py::handle ndarray(reinterpret_cast<PyObject*>(&PyArray_Type));
  const py::object ufuncs = py::getattr(type, "__array_ufunc__", py::none());
  if (!ufuncs.is_none() && !ufuncs.is(ndarray.attr("__array_ufunc__"))) return true;
  if (!PyArray_Check(o)) return false;
  return PyArray_GetPriority(o, 0.0) > 0;
}

}  // namespace

bool argument_from(PyObject* o, Argument& argument) {
  if (is_variable(o)) {
    argument.value = value_of(as_variable(o));
    argument.variable = true;
    return true;
  }
  if (!PyArray_CheckExact(o) && number_from(o, argument.value.array, argument.weak)) return true;
  argument.weak = false;
  if (!PyArray_Check(o) && !PyList_Check(o) && !PyTuple_Check(o) &&
      !PyObject_HasAttrString(o, "__array__"))
    return false;
  if (has_rules_of_its_own(o))
    throw TypeFault(std::string("a ") + Py_TYPE(o)->tp_name +
                    " has rules of its own (labels, masks, units), which recorded values do not "
                    "follow: pass its numbers, np.asarray(c), and masks by np.where");
  argument.value.array = array_from(o, "an operand");
  return true;
}

namespace {

// Python's own numbers take the dtype of what they meet (NumPy's rule).
void settle_weak(std::span<Argument> in, std::size_t first) {
  const bool integers = program_session();
  DType strong = DType::b8;
  bool any_strong = false;
  for (std::size_t i = first; i < in.size(); ++i)
    if (!in[i].weak) {
      strong = promote(strong, in[i].value.array.dtype());
      any_strong = true;
    }
  if (!any_strong) strong = DType::f64;
  if (!any_strong && integers) return;
  for (std::size_t i = first; i < in.size(); ++i) {
    Array& a = in[i].value.array;
    if (!in[i].weak || a.dtype() == DType::c128 || !is_differentiable(strong)) continue;
    if (any_strong || a.dtype() == DType::i64) a = Array::full(strong, {}, number_of(a));
  }
}

// An array that a program reads is one constant however often it is read, while it stays the same:
// `node` is set if the tape has it already.
Watched* program_constant(Session& session, Array& a) {
  Watched* watched = session.watched.find(a);
  if (!watched || !watched->constant) a = current_session->keep(a);
  if (!watched) return nullptr;
  if (watched->constant) a = watched->constant;
  else watched->constant = a;
  return watched;
}

// Records an op of a program; `in` are its operands as they are kept, `constants` where they are
// known.
Operand record_in_program(Session& session, Op op, std::span<Argument> args,
                          std::span<const Array> in, std::span<Watched* const> constants,
                          Attrs attrs, const Array& out) {
  std::vector<Operand> ids(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    Watched* watched = constants[i];
    if (args[i].value.active()) ids[i] = args[i].value.operand;
    else if (watched && watched->node != kNoOperand) ids[i] = watched->node;
    else ids[i] = constant_operand(session.tape, op, in[i]);
    if (watched && !is_constant(ids[i])) watched->node = ids[i];
  }
  const NodeId id = session.tape.add(op, ids, in, attrs, out);
  session.settle_nodes();
  return id;
}

// As `apply`, in the recording of a program and with an active operand: results of any dtype are
// recorded, and constants keep their values.
Value apply_in_program(Session& session, Op op, std::span<Argument> in, Attrs attrs,
                       const Array* known) {
  if (std::optional<Value> found = apply_to_integers(op, in)) return *std::move(found);
  std::vector<Array> kept(in.size());
  std::vector<Watched*> constants(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    kept[i] = in[i].value.array;
    if (!in[i].value.active() && !in[i].variable) constants[i] = program_constant(session, kept[i]);
  }
  std::vector<Array> arrays = kept;
  // Nobody else needs the value of an active operand: an update may write in place.
  const bool updates = kind_of(op) == OpKind::structured && rules_of(op).update;
  if (updates && in[0].value.active() && !session.tape.keeps_values())
    kept[0] = in[0].value.array = Array();
  try {
    const Array out = known ? *known : evaluate(op, arrays, attrs);
    return {record_in_program(session, op, in, kept, constants, attrs, out), out};
  } catch (const SingularMatrix&) {
    // The user may catch it and go on.
    for (std::size_t i = 0; i < in.size(); ++i)
      if (in[i].value.active()) session.guard(in[i].value.operand, kept[i]);
    throw;
  }
}

// Programs find out when they are differentiated.
void refuse_orders(Op op, std::span<const Argument> in) {
  const PartialInfo& partials = partial_info(op);
  for (int i = 0; i < 2; ++i)
    if (in[i].value.active() && partials.constant[i] && std::isnan(partials.value[i]))
      refuse_derivative(op, i);
}

// Whether NumPy's result may lie in memory in another order than the one made here. Elementwise ops
// and views follow their operands exactly as NumPy's do; the others make results in C order, as
// NumPy's do if the axes of the operands are in C order, and those of products of matrices anyway.
bool guesses_order(Op op, std::span<const Argument> in) {
  const auto packed = [](const Argument& a) {
    return a.value.array.contiguous() && !a.value.guessed;
  };
  if (std::ranges::all_of(in, packed)) [[likely]]
    return false;
  const auto guessed = [](const Argument& a) { return a.value.guessed; };
  const auto in_rows = [](const Argument& a) { return lies_in_rows(a.value.array); };
  const auto flat = [](const Argument& a) { return a.value.array.ndim() <= 2; };
  if (kind_of(op) == OpKind::structured && rules_of(op).update) return !packed(in[0]);
  if (op == Op::matmul && std::ranges::all_of(in, flat)) return false;
  if (std::ranges::any_of(in, guessed)) return true;
  return !follows_order(op) && !std::ranges::all_of(in, in_rows);
}

bool has_an_order(const Dims& shape) {
  return std::count_if(shape.begin(), shape.end(), [](auto n) { return n > 1; }) > 1;
}

Value apply_recorded(Op op, std::span<Argument> in, Attrs attrs, const Array* known) {
  bool active = false;
  for (auto& a : in) active = active || a.value.active();
  settle_weak(in, op == Op::where ? 1 : 0);
  if (active && program_session()) return apply_in_program(*current_session, op, in, attrs, known);
  if (active && kind_of(op) == OpKind::binary) refuse_orders(op, in);
  std::array<Array, 4> few, few_kept;
  std::vector<Array> many, many_kept;
  std::span<Array> arrays(few.data(), std::min(in.size(), few.size()));
  std::span<Array> kept(few_kept.data(), arrays.size());
  if (in.size() > few.size()) {
    many.resize(in.size());
    many_kept.resize(in.size());
    arrays = many;
    kept = many_kept;
  }
  const unsigned read = active ? operands_read(op) : 0;
  const bool updates = kind_of(op) == OpKind::structured && rules_of(op).update;
  for (std::size_t i = 0; i < in.size(); ++i) {
    Array& a = in[i].value.array;
    if (active && !in[i].variable && a.ndim() > 0 && reads_operand(read, i))
      a = current_session->keep(a);
    if (active && !(updates && i == 0)) kept[i] = a;
    arrays[i] = std::move(a);
  }
  const Meta base = updates ? arrays[0].meta() : Meta{};
  Array out = known ? *known : evaluate(op, arrays, attrs);
  if (!active || !is_differentiable(out.dtype())) return {kNoOperand, std::move(out)};
  Tape& tape = current_session->tape;
  std::array<Operand, 4> few_ids;
  std::vector<Operand> many_ids(in.size() > 4 ? in.size() : 0);
  std::span<Operand> ids =
      in.size() > 4 ? std::span<Operand>(many_ids) : std::span<Operand>(few_ids.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].value.active()) ids[i] = in[i].value.operand;
    else if (kept[i]) ids[i] = current_session->leaf_of(op, kept[i]);
    else ids[i] = tape.add_leaf(Op::constant, base);
  }
  const Operand id = tape.add(op, ids, kept, attrs, out);
  return {id, std::move(out)};
}

}  // namespace

Value apply(Op op, std::span<Argument> in, Attrs attrs, const Array* known) {
  if (!guesses_order(op, in)) return apply_recorded(op, in, attrs, known);
  // Where all axes are walked as one there is but one order.
  const bool flattens = op == Op::reshape && has_an_order(in[0].value.array.shape());
  Value out = apply_recorded(op, in, attrs, known);
  out.guessed = (is_view(op) && !flattens) || has_an_order(out.array.shape());
  return out;
}

void assign(Variable* v, Value value) {
  require_writable(v);
  if (v->alias && v->alias->parent) {
    Variable* parent = as_variable(v->alias->parent);
    if (v->array)
      Array::adopt(std::exchange(v->array, nullptr));  // no second handle on the parent's memory
    v->array = Array(value.array).leak();
    Value whole = value_of(parent);
    const Layout before(whole.array);
    const bool guessed = whole.guessed;
    if (parent->array) Array::adopt(std::exchange(parent->array, nullptr));
    whole = write_through(*v->alias, std::move(whole), value);
    whole.guessed = guessed;
    lay_out(whole, before);
    assign(parent, std::move(whole));
    value.guessed = v->guessed;
    v->alias->parent_version = parent->alias->version;
    // Of the written value only the node is kept: the array stays a view, laid out as it was.
    value.array = evaluate(v->alias->op, {value_of(parent).array}, v->alias->attrs);
  } else if (v->array) {
    value.guessed = v->guessed;
    lay_out(value, Layout(Array::borrow(v->array)));
  }
  set_value(v, std::move(value));
  if (v->alias) ++v->alias->version;
}

void set_python_error() {
  try {
    throw;
  } catch (py::error_already_set& e) {
    e.restore();
  } catch (const py::builtin_exception& e) {
    e.set_error();
  } catch (const PythonFailure& e) {
    e.error->restore();
  } catch (const Unsupported& e) {
    try {
      call_python("tapegrad.errors", "unsupported", py::make_tuple(e.what()));
    } catch (py::error_already_set& raised) {
      raised.restore();
    }
  } catch (const SingularMatrix& e) {
    try {
      PyErr_SetString(py::module_::import("numpy.linalg").attr("LinAlgError").ptr(), e.what());
    } catch (py::error_already_set& raised) {
      raised.restore();
    }
  } catch (const TypeFault& e) {
    PyErr_SetString(PyExc_TypeError, e.what());
  } catch (const Error& e) {
    PyErr_SetString(PyExc_ValueError, e.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_RuntimeError, e.what());
  }
}

py::object call_python(const char* module, const char* function, const py::tuple& args) {
  return py::module_::import(module).attr(function)(*args);
}

}  // namespace tapegrad
