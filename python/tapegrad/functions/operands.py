"""What the functions of this package share: operands from anything array-like, axes, dtypes, views,
`out=`. Implementations are composed of `apply` and of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tapegrad import _core, errors
from tapegrad._core import Variable, apply, value, variable

Array = Any  # a Variable, an ndarray or a number
Axis = int | Sequence[int] | None

# The attribute of the op `cast`.
DTYPE_CODES = {
    np.dtype(t): code for code, t in enumerate((float, np.float32, complex, bool, np.int64))
}
DIFFERENTIABLE = {np.dtype(t) for t in (float, np.float32, complex)}


def operand(x: Any) -> Array:
    """`x` with shape and dtype: Variables and arrays as they are, sequences through `assemble`."""
    return x if isinstance(x, (Variable, np.ndarray)) else assemble(x)


def assemble(x: Any, dtype: Any = None) -> Array:
    """`np.array(x)`, a Variable if there is a Variable anywhere in the nested sequence."""
    if not has_variable(x):
        return np.asarray(x, dtype)
    if isinstance(x, Variable):
        return x if dtype is None else as_dtype(x, dtype)
    rows = [assemble(part) for part in x]
    shapes = {row.shape for row in rows}
    if len(shapes) != 1:
        found = ", ".join(map(str, sorted(shapes)))
        raise ValueError(f"the parts of the sequence have different shapes: {found}")
    common = np.dtype(dtype) if dtype is not None else np.result_type(*(row.dtype for row in rows))
    (shape,) = shapes
    return apply("concatenate", [as_dtype(row, common) for row in _rows(rows, (1, *shape))], (0,))


def has_variable(x: Any) -> bool:
    if isinstance(x, Variable):
        return True
    return isinstance(x, (list, tuple)) and any(map(has_variable, x))


def _rows(rows: list[Array], shape: tuple[int, ...]) -> Iterator[Array]:
    """Each row with a leading axis of length 1, runs of plain rows taken together."""
    plain_rows: list[Any] = []
    for row in rows:
        if not isinstance(row, Variable):
            plain_rows.append(row)
            continue
        if plain_rows:
            yield np.stack(plain_rows)
            plain_rows = []
        # The op stacks numbers as they are.
        yield row if row.ndim == 0 else reshaped(row, shape)
    if plain_rows:
        yield np.stack(plain_rows)


def value_of(x: Any) -> Any:
    """The value of a Variable as a plain array, anything else as it is. Programs guard it: prefer
    `seen`, unless NumPy has to have the numbers."""
    return np.asarray(value(x)) if isinstance(x, Variable) else x


def seen(x: Any) -> Any:
    """`x` without its derivative, for questions about values and for constants: a plain array, but
    in the recording of a program a recorded value, so that a replay asks again."""
    if not isinstance(x, Variable):
        return x
    found = _core.seen(x)
    return found if isinstance(found, Variable) else np.asarray(found)


def in_program(*operands: Any) -> bool:
    """Whether the recording of a program is open and one of the operands belongs to it."""
    return _core.in_program() and any(isinstance(x, Variable) and x.recorded for x in operands)


def as_condition(x: Any) -> Any:
    """`x` as booleans, recorded where it is recorded in a program."""
    x = seen(x)
    if isinstance(x, Variable):
        return x if x.dtype == bool else x != 0
    return np.asarray(x, bool)


def like(x: Any) -> Any:
    """A plain array of the shape, dtype and memory order of `x`, for functions that make others."""
    return np.asarray(_core.peek(x)) if isinstance(x, Variable) else x


def shape_of(x: Any) -> tuple[int, ...]:
    return x.shape if isinstance(x, (Variable, np.ndarray)) else np.shape(x)


def dtype_of(x: Any) -> np.dtype[Any]:
    return x.dtype if isinstance(x, (Variable, np.ndarray)) else np.asarray(x).dtype


def result_dtype(*operands: Any) -> np.dtype[Any]:
    """NumPy's promotion; Python numbers are weak."""
    weak = (bool, int, float, complex)
    return np.result_type(*(x if type(x) in weak else dtype_of(x) for x in operands))


def is_complex(x: Any) -> bool:
    return dtype_of(x).kind == "c"


def is_differentiable(x: Any) -> bool:
    return isinstance(x, Variable) and x.dtype in DIFFERENTIABLE


def as_dtype(x: Array, dtype: Any) -> Array:
    """`x.astype(dtype, copy=False)`; a plain array for integers and booleans, which carry no
    derivative."""
    wanted = np.dtype(dtype)
    if dtype_of(x) == wanted:
        return x
    if not isinstance(x, Variable):
        return np.asarray(x).astype(wanted)
    if wanted in DIFFERENTIABLE:
        return apply("cast", (x,), (DTYPE_CODES[wanted],))
    if wanted.kind in "biu":
        if wanted in DTYPE_CODES and in_program(x):
            return apply("cast", (x,), (DTYPE_CODES[wanted],))
        return np.asarray(value(x)).astype(wanted)
    errors.unsupported(
        f"dtype {wanted} cannot be recorded", "recorded dtypes are float64, float32 and complex128"
    )


def as_inexact(x: Array) -> Array:
    """Integers and booleans as float64, as np.mean and np.linalg take them."""
    return as_dtype(x, float) if dtype_of(x).kind in "biu" else x


def fresh(array: Any) -> Array:
    """An array that recorded values can be assigned to, if its dtype can hold them."""
    return variable(array) if array.dtype in DIFFERENTIABLE else array


def axis_of(axis: Any, ndim: int) -> int:
    return int(normalize_axis_index(axis, ndim))


def axes_of(axis: Axis, ndim: int) -> tuple[int, ...]:
    """Normalised and ascending; None means all."""
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    return tuple(sorted(normalize_axis_tuple(axis, ndim)))


def view(x: Array, op: str, attrs: Sequence[int], how: str = "plain") -> Array:
    """The op as a view that writes through to `x`, as NumPy's views do. How: a "plain" reshape is a
    view where it needs no copy, a "ravel" where `x` lies in C order without gaps, and "through"
    always."""
    return x._view(op, attrs, how) if isinstance(x, Variable) else apply(op, (x,), attrs)


def gathered_view(x: Array, positions: Any) -> Array:
    """The elements at these positions of the row of all: read-only, and follows `x`."""
    return x._view("gather", positions) if isinstance(x, Variable) else x.reshape(-1)[positions]


def guess_order(result: Array) -> Array:
    """Notes of a result that NumPy's may lie in memory in another order."""
    if isinstance(result, Variable) and sum(n > 1 for n in result.shape) > 1:
        result._guess()
    return result


def reshaped(x: Array, shape: Sequence[int]) -> Array:
    """A new value of another shape."""
    return x if x.shape == tuple(shape) else apply("reshape", (x,), shape)


def broadcast(x: Array, shape: Sequence[int]) -> Array:
    return x if shape_of(x) == tuple(shape) else apply("broadcast_to", (x,), shape)


def transposed(x: Array, permutation: Sequence[int]) -> Array:
    return apply("transpose", (x,), permutation)


def sliced(
    x: Array, axis: int, start: int, stop: int, step: int = 1, *, alias: bool = False
) -> Array:
    """`x[..., start:stop:step, ...]` along one axis; start and stop within bounds."""
    attrs: list[int] = []
    for k, n in enumerate(x.shape):
        attrs += (start, step, len(range(start, stop, step))) if k == axis else (0, 1, n)
    return view(x, "slice", attrs) if alias else apply("slice", (x,), attrs)


def joined(parts: Sequence[Array], axis: int) -> Array:
    return parts[0] if len(parts) == 1 else apply("concatenate", parts, (axis,))


def where(condition: Any, a: Array, b: Array) -> Array:
    """`np.where` for three operands."""
    return apply("where", (as_condition(condition), a, b))


def root(x: Array) -> Array:
    """sqrt with slope 0 at 0, for norms: a norm has derivative 0 at the origin by convention."""
    return apply("root", (x,))


def magnitude_squared(x: Array) -> Array:
    if not is_complex(x):
        return x * x
    re, im = x.real, x.imag
    return re * re + im * im


def deliver(result: Array, out: Any, name: str) -> Array:
    """The result of `name`, written into `out` if that is given."""
    if isinstance(out, tuple):
        (out,) = out
    if out is None:
        return result
    if isinstance(out, Variable):
        if shape_of(result) != out.shape:
            raise ValueError(f"{name}: out has shape {out.shape}, the result {shape_of(result)}")
        out[...] = result
        return out
    if isinstance(result, Variable) and not result.active:
        result = value_of(result)
    if not isinstance(result, Variable):
        np.copyto(out, result, casting="same_kind")
        return out
    errors.detached(
        f"{name} cannot write a recorded value into the plain array given as out=",
        "take the result, or make the array with np.zeros_like(x) from a recorded x",
    )
