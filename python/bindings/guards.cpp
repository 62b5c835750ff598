// What keeps the replays of a program right.
#include "guards.hpp"

#include <cmath>

#include "convert.hpp"
#include "ops/kernels.hpp"

namespace tapegrad {
namespace {

bool is_integral(const Array& a) { return !is_differentiable(a.dtype()); }

Value applied(Op op, Value x, Attrs attrs = {}) {
  Argument in[] = {{std::move(x), false, true}};
  return apply(op, in, attrs);
}
Value as_int64(Value x) {
  if (x.array.dtype() == DType::i64) return x;
  return applied(Op::cast, std::move(x), std::array{static_cast<std::int64_t>(DType::i64)});
}

// NumPy's own function on plain values, which are observed.
Value observed_call(const char* function, std::span<Argument> in) {
  py::tuple args(in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].value.active()) current_session->guard(in[i].value.operand, in[i].value.array);
    PyObject* plain = array_to_numpy(in[i].value.array, false);
    if (!plain) throw py::error_already_set();
    args[i] = py::reinterpret_steal<py::object>(plain);
  }
  const py::object result = py::module_::import("numpy").attr(function)(*args);
  Array value;
  bool weak;
  if (!number_from(result.ptr(), value, weak)) value = array_from(result.ptr(), "a result");
  return {kNoOperand, value};
}

// The op that does to booleans what this one does in NumPy.
std::optional<Op> boolean_op(Op op) {
  switch (op) {
    case Op::add:
    case Op::maximum:
    case Op::fmax: return Op::logical_or;
    case Op::multiply:
    case Op::minimum:
    case Op::fmin: return Op::logical_and;
    default: return {};
  }
}

// Ops that NumPy computes in integers (or refuses) and we have no kernel for.
bool stays_integral(Op op) {
  return op == Op::power || op == Op::floor || op == Op::ceil || op == Op::trunc ||
         op == Op::matmul;
}

}  // namespace

Session* recorded_in_program(Variable* v) {
  Session* session = program_session();
  if (!session || (v->node == kNoOperand && !v->alias)) return nullptr;
  peek(v);  // a view may have moved with its parent
  return v->node != kNoOperand && v->serial == session->serial ? session : nullptr;
}

bool carries_derivative(Variable* v) {
  peek(v);
  if (v->node == kNoOperand) return false;
  const Session* session = recorded_in_program(v);
  return !session || !session->tape[v->node].has(Node::kDetached);
}

void observe(Variable* v) {
  if (Session* session = recorded_in_program(v)) session->guard(v->node, value_of(v).array);
  else if (v->node != kNoOperand && is_open_program(v->serial)) check_recording(v);
}

PyObject* seen(PyObject* x) {
  Variable* v = as_variable(x);
  Session* session = recorded_in_program(v);
  if (!session) {
    observe(v);
    return value_to_python(peek(v));
  }
  if (session->tape[v->node].has(Node::kDetached)) return Py_NewRef(x);
  const Value value = value_of(v);
  const Operand operands[] = {value.operand};
  const NodeId id =
      session->tape.add(Op::stop_gradient, operands, std::span(&value.array, 1), {}, value.array);
  session->settle_nodes();
  return new_variable({id, value.array});
}

bool guarded_truth(Session& session, const Value& value) {
  Value truth = value;
  if (value.array.dtype() != DType::b8) {
    Argument in[] = {{value, false, true},
                     {{kNoOperand, Array::zeros(value.array.dtype(), {})}, false, true}};
    truth = apply(Op::not_equal, in, {});
  }
  session.guard(truth.operand, truth.array);
  return *truth.array.ptr<bool>();
}

void guard_integer(Session& session, const Value& value, double number) {
  constexpr double kExact = 4611686018427387904.0;  // 2^62: the cast is defined
  if (value.array.dtype() != DType::b8 && !(std::abs(number) < kExact))
    return session.guard(value.operand, value.array);
  const Value whole = as_int64(value);
  session.guard(whole.operand, whole.array);
}

std::optional<Value> apply_to_integers(Op op, std::span<Argument> in) {
  if (kind_of(op) == OpKind::comparison || (!is_elementwise(op) && op != Op::matmul)) return {};
  bool boolean = true;
  for (const Argument& a : in) {
    if (!is_integral(a.value.array)) return {};
    boolean = boolean && a.value.array.dtype() == DType::b8;
  }
  if (stays_integral(op)) return observed_call(op_name(op).data(), in);
  if (!kernel(op, DType::i64).value) return {};  // divide, sqrt, sin: float64
  if (boolean) {
    if (const auto logical = boolean_op(op)) return apply(*logical, in, {});
    return observed_call(op_name(op).data(), in);
  }
  bool mixed = false;
  for (Argument& a : in) {
    if (a.value.array.dtype() == DType::i64) continue;
    a = {as_int64(std::move(a.value)), false, a.variable};
    mixed = true;
  }
  if (mixed) return apply(op, in, {});
  return {};
}

double number_of(const Array& scalar) {
  if (scalar.dtype() == DType::b8) return scalar.at<bool>();
  if (scalar.dtype() == DType::i64) return static_cast<double>(scalar.at<std::int64_t>());
  return scalar.at<double>();
}

// Between booleans a logical op; of numbers, which carry no derivative here, NumPy's result.
PyObject* bitwise(const char* ufunc, std::optional<Op> logical, PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    Argument in[2];
    const std::size_t n = b ? 2 : 1;
    if (!argument_from(a, in[0]) || (b && !argument_from(b, in[1]))) Py_RETURN_NOTIMPLEMENTED;
    bool boolean = true, integral = true, active = false;
    for (const Argument& x : std::span(in, n)) {
      boolean = boolean && x.value.array.dtype() == DType::b8;
      integral = integral && is_integral(x.value.array);
      active = active || x.value.active();
    }
    if (!integral) Py_RETURN_NOTIMPLEMENTED;
    if (boolean && logical && active) return new_variable(apply(*logical, {in, n}, {}));
    return new_variable(observed_call(ufunc, {in, n}));
  });
}

}  // namespace tapegrad
