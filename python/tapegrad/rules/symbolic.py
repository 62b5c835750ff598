"""Between SymPy and tapegrad: functions from expressions, expressions from programs, and functions
that SymPy differentiates. SymPy is imported on use."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.pytree import flatten
from tapegrad.rules.custom import CustomRule


def sympy_module() -> Any:
    """SymPy; ImportError with advice where it is not installed."""
    try:
        import sympy
    except ImportError:
        raise ImportError("this needs SymPy, which is not installed: pip install sympy") from None
    return sympy


def from_sympy(expression: Any, symbols: Sequence[Any] | None = None) -> Callable[..., Any]:
    """The function of NumPy code that an expression of SymPy stands for.

    `symbols` are its arguments in order; by default the free symbols of the expression, sorted by
    name. A list or matrix of expressions gives an array. The function is recorded as any other, so
    it has all derivatives, works elementwise on arrays, and goes into programs.

    Raises TypeError for what is no expression; ValueError where symbols are missing.

    >>> import sympy, tapegrad as tg
    >>> x, y = sympy.symbols("x y")
    >>> f = tg.from_sympy(x**2 * sympy.sin(y))
    >>> tg.grad(f, argnums=(0, 1))(3.0, 0.0)
    (0.0, 9.0)
    """
    sympy = sympy_module()
    parts, shape = _parts_of(expression)
    free = set().union(*(part.free_symbols for part in parts)) if parts else set()
    if symbols is None:
        symbols = sorted(free, key=str)
    missing = free - set(symbols)
    if missing:
        names = ", ".join(sorted(map(str, missing)))
        raise ValueError(f"from_sympy: the expression has symbols besides its arguments: {names}")
    compiled = sympy.lambdify(list(symbols), list(parts), modules=_modules(), cse=True)

    def function(*args: Any) -> Any:
        found = compiled(*args)
        return found[0] if shape is None else _stacked(found).reshape(shape)

    function.__name__ = function.__qualname__ = f"from_sympy({expression})"
    return function


def _parts_of(expression: Any) -> tuple[list[Any], tuple[int, ...] | None]:
    """Expressions, and the shape of the array that they make; None for a single one."""
    sympy = sympy_module()
    if isinstance(expression, (sympy.Expr, int, float, complex)):
        return [sympy.sympify(expression)], None
    if isinstance(expression, sympy.MatrixBase):
        return list(expression), tuple(expression.shape)
    array = np.array(expression, dtype=object)
    parts = [sympy.sympify(part) for part in array.reshape(-1)]
    if not all(isinstance(part, sympy.Expr) for part in parts):
        kind = type(expression).__name__
        raise TypeError(f"from_sympy: expected an expression or an array of them, got a {kind}")
    return parts, array.shape


def _modules() -> list[Any]:
    """SymPy writes the maximum of two as the amax of a tuple, which NumPy does not dispatch."""
    own = {
        "amax": lambda parts, axis=None: functools.reduce(np.maximum, parts),
        "amin": lambda parts, axis=None: functools.reduce(np.minimum, parts),
    }
    return [own, "scipy", "numpy"]


def _stacked(parts: Sequence[Any]) -> Any:
    from tapegrad.functions.operands import assemble

    return assemble(list(parts))


# ---- functions that SymPy differentiates


def by_symbols(function: Callable[..., Any]) -> CustomRule:
    """See `differentiate_with(method="sympy")`."""

    @functools.lru_cache(maxsize=64)
    def compiled(shapes: tuple[tuple[int, ...], ...]) -> _Symbolic:
        return _Symbolic.of(function, shapes)

    def at(args: Any) -> _Symbolic:
        return compiled(tuple(np.shape(x) for x in args))

    @functools.wraps(function)
    def value(*args: Any) -> Any:
        return at(args).value(*args)

    rule = CustomRule(value)
    rule.jacobian(lambda value, *args: at(args).jacobian(*args))
    return rule


class _Symbolic:
    """Expressions of the numbers in some arrays, and what they are differentiated to."""

    def __init__(self, symbols: list[Any], parts: list[Any], shapes: Any, result: Any) -> None:
        self.symbols = symbols
        self.parts = parts
        self.shapes = shapes  # of the arguments
        self.result = result  # shape of the value; None for a number
        self._value = from_sympy(parts, symbols)

    @staticmethod
    def of(function: Callable[..., Any], shapes: tuple[tuple[int, ...], ...]) -> _Symbolic:
        sympy = sympy_module()
        args = []
        symbols: list[Any] = []
        for k, shape in enumerate(shapes):
            count = int(np.prod(shape, dtype=int))
            mine = [sympy.Symbol(f"x{k}_{i}", real=True) for i in range(count)]
            symbols += mine
            args.append(np.array(mine, dtype=object).reshape(shape) if shape else mine[0])
        parts, result = _parts_of(function(*args))
        return _Symbolic(symbols, parts, shapes, result)

    def value(self, *args: Any) -> Any:
        found = self._value(*self._numbers(args))
        return found.reshape(self.result if self.result is not None else ())

    def jacobian(self, *args: Any) -> Any:
        """A matrix for each argument; of a function like this one, so there is no last order."""
        blocks = []
        first = 0
        for x in args:
            count = int(np.prod(np.shape(x), dtype=int))
            block = self._derivative(first, count)(*args)
            blocks.append(block.reshape(len(self.parts), count))
            first += count
        return tuple(blocks)

    @functools.cache  # noqa: B019
    def _derivative(self, first: int, count: int) -> CustomRule:
        wanted = self.symbols[first : first + count]
        parts = [part.diff(symbol) for part in self.parts for symbol in wanted]
        derived = _Symbolic(self.symbols, parts, self.shapes, (len(parts),))
        rule = CustomRule(derived.value)
        rule.jacobian(lambda value, *args: derived.jacobian(*args))
        return rule

    @staticmethod
    def _numbers(args: Any) -> list[Any]:
        return [part for x in args for part in (np.reshape(x, -1) if np.ndim(x) else [x])]


# ---- programs as expressions


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
    for name, (shape, _) in zip(names, metas, strict=True):
        parts = [
            sympy.Symbol(name + "".join(f"_{i}" for i in index), real=True)
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
    if op in _STRUCTURED:
        return np.asarray(_STRUCTURED[op](operands, list(attrs)), dtype=object).reshape(shape)
    formula = _formulas().get(op)
    if formula is None:
        file, line = place
        errors.unsupported(f"to_sympy: the op {op} of {file}:{line} has no expression in SymPy")
    found = np.frompyfunc(formula, len(operands), 1)(*operands)
    return np.asarray(found, dtype=object)


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
    "concatenate": lambda x, axis: np.concatenate(list(map(np.atleast_1d, x)), axis[0]),
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
    "cast": lambda x, _: x[0],
    "alias": lambda x, _: x[0],
    "stop_gradient": lambda x, _: x[0],
    "real": lambda x, _: x[0],
    "conjugate": lambda x, _: x[0],
}


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
        "logical_and": s.And,
        "logical_or": s.Or,
        "logical_not": s.Not,
        "where": lambda c, a, b: s.Piecewise((a, s.sympify(c)), (b, True)),
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
