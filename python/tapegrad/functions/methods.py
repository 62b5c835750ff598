"""The methods and attributes of ndarray on Variable. The package attaches them when it is imported;
the extension calls `variable_repr` and `contains`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from tapegrad import _core, errors
from tapegrad._core import Variable, peek, value
from tapegrad.functions import (
    arranging,
    choosing,
    creation,
    elementwise,
    products,
    reductions,
    searching,
    shapes,
    sorting,
    ufunc_methods,
    writing,
)
from tapegrad.functions.operands import Array, in_program, reshaped, seen
from tapegrad.functions.registry import IMPLEMENTATIONS, on_values

__all__ = ["attach"]


# Shape ------------------------------------------------------------------------------------------


def reshape(self: Variable, *shape: Any, order: str = "C", copy: bool | None = None) -> Array:
    wanted = shape[0] if len(shape) == 1 else shape
    if order == "C" and not copy and type(wanted) is tuple and -1 not in wanted:
        return self._view("reshape", wanted)
    return shapes.reshape(self, wanted, order, copy=copy)


def transpose(self: Variable, *axes: Any) -> Array:
    if len(axes) == 1 and (axes[0] is None or np.ndim(axes[0]) == 1):
        return shapes.transpose(self, axes[0])
    return shapes.transpose(self, axes or None)


def flatten(self: Variable, order: str = "C") -> Array:
    return copy(shapes.ravel(self, order))


def matrix_transpose(self: Variable) -> Array:
    return shapes.matrix_transpose(self)


def flat(self: Variable) -> Array:
    """All elements in a row: it iterates, indexes and assigns like NumPy's `flat`."""
    return self._view("reshape", (self.size,), "flat")


# Values -----------------------------------------------------------------------------------------


def copy(self: Variable, order: str = "C") -> Array:
    return _core.copy(self) if order == "C" else creation.copy(self, order)


def astype(
    self: Variable,
    dtype: Any,
    order: str = "K",
    casting: str = "unsafe",
    subok: bool = True,
    copy: bool = True,
) -> Array:
    del subok
    if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        raise TypeError(f"Cannot cast array from {self.dtype} to {np.dtype(dtype)} by '{casting}'")
    result = elementwise.astype(self, dtype, copy=copy)
    return result if order == "K" else creation.copy(result, order)


def item(self: Variable, *args: Any) -> Array:
    """The element as a recorded scalar; `float(x)` would leave the recording."""
    if not args:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return reshaped(self, ())
    place = args[0] if len(args) == 1 else args
    return shapes.reshape(self, (-1,))[place] if isinstance(place, int) else self[place]


def tolist(self: Variable) -> Any:
    """Nested lists of recorded scalars."""
    if self.ndim == 0:
        return self
    return [tolist(self[i]) for i in range(self.shape[0])]


def conjugate(self: Variable) -> Array:
    """As in NumPy, the value itself if it is real."""
    return np.conjugate(self) if self.dtype.kind == "c" else self


def clip(
    self: Variable, min: Any = None, max: Any = None, out: Any = None, **keywords: Any
) -> Array:
    return elementwise.clip(self, min, max, out, **keywords)


# In place ---------------------------------------------------------------------------------------


def fill(self: Variable, number: Any) -> None:
    self[...] = number


def sort(
    self: Variable, axis: int = -1, kind: Any = None, order: Any = None, **stable: Any
) -> None:
    self[...] = sorting.sort(self, axis, kind, order, **stable)


def partition(
    self: Variable, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None
) -> None:
    self[...] = sorting.partition(self, kth, axis, kind, order)


def compress(self: Variable, condition: Any, axis: int | None = None, out: Any = None) -> Array:
    return arranging.compress(condition, self, axis, out)


# Questions -----------------------------------------------------------------------------------


def array_namespace(self: Variable, *, api_version: str | None = None) -> ModuleType:
    """The array API's way to ask for functions."""
    del api_version
    return importlib.import_module("tapegrad.numpy")


def device(self: Variable) -> str:
    """Where the array API says that the memory is: recorded values are always in the host's."""
    return "cpu"


def to_device(self: Variable, device: str, /, *, stream: Any = None) -> Variable:
    """The value itself; there is no device but "cpu", as for NumPy's arrays."""
    if device != "cpu" or stream is not None:
        raise ValueError(f"recorded values are on the device 'cpu' only, not on {device!r}")
    return self


def variable_repr(x: Variable) -> str:
    """`Variable(1.5)`, `Variable([1., 2.])`, with the dtype if it is not float64."""
    plain = peek(x)
    text = np.array2string(np.asarray(plain), separator=", ", prefix="Variable(")
    return f"Variable({text})" if x.dtype == float else f"Variable({text}, dtype={x.dtype})"


def iterate(x: Variable) -> Iterator[Array]:
    """The rows of `x`; called by `iter`."""
    for i in range(len(x)):
        yield x[i]


def reverse(x: Variable) -> Iterator[Array]:
    """The rows of `x` from the last to the first; called by `reversed`."""
    for i in range(len(x) - 1, -1, -1):
        yield x[i]


def formatted(x: Variable, spec: str) -> str:
    """`f"{x:.3f}"`: the value's text."""
    return format(peek(x), spec)


def rounded(x: Variable, digits: int | None = None) -> Array:
    """`round(x)`, which has slope zero: a plain integer, or the rounded value."""
    if in_program(x):
        return int(np.rint(x)) if digits is None else seen(np.round(x, digits))
    return np.round(value(x), digits) if digits is not None else round(float(value(x)))


def truncated(x: Variable) -> int:
    """`math.trunc(x)`, which is `int(x)`."""
    return int(x)


def own_copy(x: Variable, memo: Any = None) -> Array:
    """`copy.copy(x)`, `copy.deepcopy(x)`: the same recorded value under a name of its own."""
    return copy(x, "K")


def contains(x: Variable, item: Any) -> bool:
    """`item in x`, a question about values."""
    return bool(np.any(x == item))


# What cannot stay recorded ----------------------------------------------------------------------


def _leaves(name: str, advice: str) -> Callable[..., Any]:
    def refuse(self: Variable, *args: Any, **kwargs: Any) -> Any:
        if in_program(self) and not self.active:
            return getattr(np.asarray(value(self)), name)(*args, **kwargs)
        errors.detached(f"x.{name} would take plain memory out of the recording", advice)

    refuse.__name__ = name
    return refuse


METHODS: dict[str, Callable[..., Any]] = {
    "__copy__": own_copy,
    "__deepcopy__": own_copy,
    "__format__": formatted,
    "__reversed__": reverse,
    "__round__": rounded,
    "__trunc__": truncated,
    "__array_namespace__": array_namespace,
    "all": reductions.all,
    "any": reductions.any,
    "argmax": reductions.argmax,
    "argmin": reductions.argmin,
    "argpartition": on_values(np.argpartition),
    "argsort": sorting.argsort,
    "astype": astype,
    "choose": choosing.choose,
    "clip": clip,
    "compress": compress,
    "conj": conjugate,
    "conjugate": conjugate,
    "copy": copy,
    "cumprod": ufunc_methods.cumprod,
    "cumsum": reductions.cumsum,
    "diagonal": arranging.diagonal,
    "dot": products.dot,
    "fill": fill,
    "flatten": flatten,
    "item": item,
    "max": reductions.amax,
    "mean": reductions.mean,
    "min": reductions.amin,
    "nonzero": sorting.nonzero,
    "partition": partition,
    "prod": reductions.prod,
    "ptp": reductions.ptp,
    "put": writing.put,
    "ravel": shapes.ravel,
    "repeat": arranging.repeat,
    "reshape": reshape,
    "round": elementwise.round,
    "searchsorted": searching.searchsorted,
    "sort": sort,
    "squeeze": shapes.squeeze,
    "std": reductions.std,
    "sum": reductions.sum,
    "swapaxes": shapes.swapaxes,
    "take": arranging.take,
    "to_device": to_device,
    "tolist": tolist,
    "trace": arranging.trace,
    "transpose": transpose,
    "var": reductions.var,
}


def dlpack(self: Variable, **options: Any) -> Any:
    """The memory of a value without derivative, for another library."""
    if self.active:
        errors.detached(
            "a recorded value was handed to another library (DLPack), which would lose its "
            "derivative",
            "Where a constant is meant, hand over tg.stop_gradient(x).",
        )
    return np.asarray(_core.value(self)).__dlpack__(**options)


REFUSED = {
    "byteswap": "plain values are x.astype on stop_gradient(x)",
    "dump": "save tg.stop_gradient(x)",
    "dumps": "save tg.stop_gradient(x)",
    "resize": "write x = np.resize(x, shape)",
    "tobytes": "write tg.stop_gradient(x).tobytes()",
    "tofile": "write tg.stop_gradient(x).tofile(file)",
    "view": "write x.astype(dtype) or x.real, x.imag",
}


def attach() -> None:
    """Give Variable the methods and attributes of ndarray, and NumPy's functions their
    implementations. The extension does the plain calls of some by itself."""
    _core.attach(IMPLEMENTATIONS, METHODS)
    for name, advice in REFUSED.items():
        setattr(Variable, name, _leaves(name, advice))
    for name, getter in {"mT": matrix_transpose, "flat": flat, "device": device}.items():
        setattr(Variable, name, property(getter))
    setattr(Variable, "__dlpack__", dlpack)  # noqa: B010
    setattr(Variable, "__dlpack_device__", lambda self: (1, 0))  # noqa: B010
