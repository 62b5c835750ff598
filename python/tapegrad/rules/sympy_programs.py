"""Recordings as expressions of SymPy: what each op is there."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.pytree import flatten
from tapegrad.rules.sympy_names import sympy_module


def to_sympy(recording: Any, names: Sequence[str] | None = None) -> Any:
    """The outputs of a recording as expressions of its inputs, an array of them for an array."""
    sympy = sympy_module()
    inputs, outputs, _ = recording.ends()
    numbers = recording.numbers()
    values: list[Any] = []

    def value_of(k: int) -> Any:
        return sympy.nsimplify(numbers[-k - 1], rational=True) if k < 0 else values[k]

    symbols = dict(zip(inputs, _input_symbols(recording, names), strict=True))
    for k, (op, operands, attrs, shape, _, constant, place) in enumerate(recording.rows()):
        if k in symbols:
            values.append(symbols[k])
        elif constant is not None:
            values.append(_exact(constant))
        else:
            values.append(_applied(op, [value_of(o) for o in operands], attrs, shape, place))
    found = [_plain(value_of(k)) for k in outputs]
    return found[0] if len(found) == 1 else tuple(found)


def _input_symbols(recording: Any, names: Sequence[str] | None) -> list[Any]:
    sympy = sympy_module()
    metas = recording.inputs
    if names is None:
        names = ["x"] if len(metas) == 1 else [f"x{k}" for k in range(len(metas))]
    if len(names) != len(metas):
        raise ValueError(f"to_sympy: {len(names)} names for {len(metas)} inputs")
    made = []
    for name, (shape, dtype) in zip(names, metas, strict=True):
        assumed = {} if np.dtype(dtype).kind == "c" else {"real": True}
        parts = [
            sympy.Symbol(name + "".join(f"_{i}" for i in index), **assumed)
            for index in np.ndindex(*shape)
        ]
        made.append(_objects(parts, shape))
    return made


def _objects(parts: Sequence[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(parts), dtype=object)
    array[:] = parts
    return array.reshape(shape)


def _exact(constant: Any) -> Any:
    sympy = sympy_module()
    array = np.asarray(constant)
    if array.dtype.kind in "bi":
        return array
    parts = [
        sympy.nsimplify(complex(x) if array.dtype.kind == "c" else float(x), rational=True)
        for x in array.reshape(-1)
    ]
    return _objects(parts, array.shape)


def _plain(value: Any) -> Any:
    array = np.asarray(value, dtype=object)
    return array[()] if array.ndim == 0 else array


def _applied(op: str, operands: list[Any], attrs: Any, shape: Any, place: Any) -> Any:
    if op not in _OF_TRUTH_VALUES:
        operands = [_each(_number, x) for x in operands]
    if op == "concatenate":
        operands = [_block(x, shape, attrs[0]) for x in operands]
    if op in _STRUCTURED:
        return np.asarray(_STRUCTURED[op](operands, list(attrs)), dtype=object).reshape(shape)
    formula = _formulas().get(op)
    if formula is None:
        file, line = place
        errors.unsupported(f"to_sympy: the op {op} of {file}:{line} has no expression in SymPy")
    found = np.frompyfunc(formula, len(operands), 1)(*operands)
    return np.asarray(found, dtype=object)


def _each(formula: Callable[[Any], Any], x: Any) -> Any:
    return np.asarray(np.frompyfunc(formula, 1, 1)(x), dtype=object)


def _is_truth_value(x: Any) -> bool:
    """Not what SymPy calls Boolean: symbols of numbers are such too."""
    s = sympy_module()
    kinds = (bool, np.bool_, s.core.relational.Relational, s.logic.boolalg.BooleanFunction)
    return isinstance(x, (*kinds, s.logic.boolalg.BooleanAtom))


def _number(x: Any) -> Any:
    """1 and 0 for truth values, in which NumPy calculates and SymPy does not."""
    s = sympy_module()
    if not _is_truth_value(x):
        return x
    return s.Piecewise((1, s.sympify(x)), (0, True))


def _truth(x: Any) -> Any:
    """What decides a branch: truth values as they are, numbers by not being 0."""
    s = sympy_module()
    if isinstance(x, np.bool_):
        return s.sympify(bool(x))
    return s.sympify(x) if _is_truth_value(x) else s.Ne(x, 0)


def _cast(x: Any, to: int) -> Any:
    """As the op `cast`: to booleans (3), to integers (4), or to numbers with a fraction."""
    s = sympy_module()
    if to == 3:
        return _truth(x)
    number = _number(x)
    integer = to != 4 or s.sympify(number).is_integer
    return number if integer else s.sign(number) * s.floor(s.Abs(number))


def _block(x: Any, shape: tuple[int, ...], axis: int) -> Any:
    """A part of a concatenation, which may lack axes of length 1."""
    rest = math.prod(shape[:axis] + shape[axis + 1 :])
    length = np.size(x) // rest if rest else 0
    return np.reshape(x, (*shape[:axis], length, *shape[axis + 1 :]))


def _slices(attrs: list[int]) -> tuple[slice, ...]:
    made = []
    for start, step, length in zip(attrs[::3], attrs[1::3], attrs[2::3], strict=True):
        stop = start + step * length
        made.append(slice(start, None if stop < 0 else stop, step))
    return tuple(made)


def _with_slice(base: Any, part: Any, attrs: list[int]) -> Any:
    made = np.array(base, dtype=object)
    made[_slices(attrs)] = part
    return made


def _with_item(base: Any, part: Any, flat: int) -> Any:
    made = np.array(base, dtype=object)
    made.reshape(-1)[flat] = _plain(part)
    return made


def _reduced(function: Any, x: Any, attrs: list[int]) -> Any:
    return function.reduce(x, axis=tuple(attrs[1:]), keepdims=bool(attrs[0]))


_STRUCTURED: dict[str, Callable[[list[Any], list[int]], Any]] = {
    "reshape": lambda x, shape: np.reshape(x[0], shape),
    "transpose": lambda x, axes: np.transpose(x[0], axes),
    "broadcast_to": lambda x, shape: np.broadcast_to(x[0], shape),
    "slice": lambda x, attrs: x[0][_slices(attrs)],
    "slice_set": lambda x, attrs: _with_slice(x[0], x[1], attrs),
    "concatenate": lambda x, axis: np.concatenate(x, axis[0]),
    "roll": lambda x, by: np.roll(x[0], by, tuple(range(len(by)))),
    "item": lambda x, flat: x[0].reshape(-1)[flat[0]],
    "item_set": lambda x, flat: _with_item(x[0], x[1], flat[0]),
    "gather": lambda x, _: x[0].reshape(-1)[np.asarray(x[1], dtype=int)],
    "sum": lambda x, attrs: _reduced(np.add, x[0], attrs),
    "prod": lambda x, attrs: _reduced(np.multiply, x[0], attrs),
    "cumsum": lambda x, attrs: (
        np.flip(np.cumsum(np.flip(x[0], attrs[0]), attrs[0]), attrs[0])
        if attrs[1]
        else np.cumsum(x[0], attrs[0])
    ),
    "cumprod": lambda x, after: np.cumprod(x[0], -1 - after[0] if after else -1),
    "matmul": lambda x, _: np.matmul(x[0], x[1]),
    "cast": lambda x, to: _each(lambda part: _cast(part, to[0]), x[0]),
    "alias": lambda x, _: x[0],
    "stop_gradient": lambda x, _: x[0],
}
# What leaves truth values as they are, rather than to calculate with them.
_OF_TRUTH_VALUES = {
    "where",
    "logical_and",
    "logical_or",
    "logical_xor",
    "logical_not",
    *_STRUCTURED,
} - {*("sum", "prod", "cumsum", "cumprod", "matmul")}


@functools.cache
def _formulas() -> dict[str, Callable[..., Any]]:
    """SymPy's name for each elementwise op."""
    s = sympy_module()
    named = "sin cos tan sinh cosh tanh exp sqrt sign floor erf erfc erfinv gamma loggamma"
    found: dict[str, Callable[..., Any]] = {name: getattr(s, name) for name in named.split()}
    for name, inverse in {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}.items():
        found[name] = getattr(s, inverse)
        found[name + "h"] = getattr(s, inverse + "h")
    return found | {
        "add": operator.add,
        "subtract": operator.sub,
        "multiply": operator.mul,
        "divide": operator.truediv,
        "power": operator.pow,
        "negative": operator.neg,
        "positive": operator.pos,
        "root": s.sqrt,
        "cbrt": lambda x: s.real_root(x, 3),
        "square": lambda x: x**2,
        "reciprocal": lambda x: 1 / x,
        "real": s.re,
        "imag": s.im,
        "conjugate": s.conjugate,
        "absolute": s.Abs,
        "fabs": s.Abs,
        "ceil": s.ceiling,
        "trunc": lambda x: s.sign(x) * s.floor(s.Abs(x)),
        "exp2": lambda x: s.Integer(2) ** x,
        "expm1": lambda x: s.exp(x) - 1,
        "log": s.log,
        "log2": lambda x: s.log(x, 2),
        "log10": lambda x: s.log(x, 10),
        "log1p": lambda x: s.log(1 + x),
        "logaddexp": lambda x, y: s.log(s.exp(x) + s.exp(y)),
        "logaddexp2": lambda x, y: s.log(2**x + 2**y, 2),
        "expit": lambda x: 1 / (1 + s.exp(-x)),
        "gammaln": s.loggamma,
        "digamma": s.digamma,
        "psi": s.digamma,
        "arctan2": s.atan2,
        "hypot": lambda x, y: s.sqrt(x**2 + y**2),
        "maximum": s.Max,
        "minimum": s.Min,
        "fmax": s.Max,
        "fmin": s.Min,
        "remainder": s.Mod,
        "heaviside": lambda x, y: s.Heaviside(x, y),
        "sinc": lambda x: s.sinc(s.pi * x),
        "deg2rad": lambda x: x * s.pi / 180,
        "rad2deg": lambda x: x * 180 / s.pi,
        "less": s.Lt,
        "less_equal": s.Le,
        "greater": s.Gt,
        "greater_equal": s.Ge,
        "equal": s.Eq,
        "not_equal": s.Ne,
        "logical_and": lambda x, y: s.And(_truth(x), _truth(y)),
        "logical_or": lambda x, y: s.Or(_truth(x), _truth(y)),
        "logical_xor": lambda x, y: s.Xor(_truth(x), _truth(y)),
        "logical_not": lambda x: s.Not(_truth(x)),
        "where": lambda c, a, b: s.Piecewise((_number(a), _truth(c)), (_number(b), True)),
    }


def program_expressions(program: Any, names: Sequence[str] | None = None) -> Any:
    """See `Program.to_sympy`."""
    traces = program.traces.all()
    if len(traces) != 1:
        raise ValueError(
            f"to_sympy: {program.traces.name} has {len(traces)} programs, one for each way through "
            "its branches; record one that has no others"
        )
    leaves, structure = flatten(traces[0].result.filled(range(len(traces[0].result.computed))))
    found = to_sympy(traces[0].recording, names)
    parts = found if len(traces[0].result.computed) != 1 else (found,)
    computed = iter(parts)
    places = set(traces[0].result.computed)
    return structure.unflatten(
        [next(computed) if k in places else leaf for k, leaf in enumerate(leaves)]
    )
