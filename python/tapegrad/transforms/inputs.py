"""The arguments that derivatives are taken to: choosing them, putting them on the tape, and handing
back one derivative for each in the same containers and types. Every transform begins here."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tapegrad import _core
from tapegrad.pytree import LEAF, Structure, container_of, flatten

Function = Callable[..., Any]
Argnums = int | Sequence[int]

FLOAT64, FLOAT32, COMPLEX128 = np.dtype(np.float64), np.dtype(np.float32), np.dtype(np.complex128)
DIFFERENTIABLE = frozenset((FLOAT64, FLOAT32, COMPLEX128))
CAST_TO_FLOAT64 = (0,)  # the attribute of the op `cast`
Variable = _core.Variable
ndarray = np.ndarray


class Meta(NamedTuple):
    """Shape and dtype of a recorded value."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Slot:
    """An input or output of a program, where a recording has a Variable: shape, dtype, index."""

    __slots__ = ("active", "dtype", "index", "ndim", "shape", "size")

    def __init__(self, index: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.index = index
        self.shape = shape
        self.dtype = dtype
        self.ndim = len(shape)
        self.size = math.prod(shape)
        self.active = dtype in DIFFERENTIABLE


HANDLES = frozenset((Variable, Slot))


class Inputs:
    """The differentiated leaves of one call of `f`.

    `leaves` is what the user passed, `variables` what `make` made of each: a Variable, or a Slot.
    """

    __slots__ = (
        "_argnums",
        "_args",
        "_metas",
        "_structure",
        "_transform",
        "leaves",
        "variables",
    )

    def __init__(
        self, make: Callable[[Any], Any], args: Sequence[Any], argnums: Argnums, transform: str
    ) -> None:
        self._args = args
        self._metas: list[Meta] = []
        self._transform = transform
        if not (type(argnums) is int and 0 <= argnums < len(args)):
            argnums = _normalised(argnums, len(args), transform)
        self._argnums = argnums
        chosen: Any = args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums)
        if isinstance(argnums, int) and container_of(type(chosen)) is None:
            self._structure = LEAF
            self.leaves = [chosen]
            self.variables = [make(self._recordable(0))]
            return
        self.leaves, self._structure = flatten(chosen)
        self._check_not_none()
        self.variables = [make(self._recordable(k)) for k in range(len(self.leaves))]

    def moved(self) -> list[Any]:
        """What to call f with: the Variables in place of the leaves.

        The function gets handles of its own: an assignment to one moves it to another node.
        """
        args = list(self._args)
        if self._structure is LEAF and isinstance(self._argnums, int):
            args[self._argnums] = _core.copy(self.variables[0], True)
            return args
        chosen = self._structure.unflatten([_core.copy(v, True) for v in self.variables])
        if isinstance(self._argnums, int):
            args[self._argnums] = chosen
        else:
            for i, value in zip(self._argnums, chosen, strict=True):
                args[i] = value
        return args

    def positions(self) -> tuple[int, ...]:
        """The positional arguments that are differentiated, in the order of the leaves."""
        return (self._argnums,) if isinstance(self._argnums, int) else tuple(self._argnums)

    def gather(self, values: Sequence[Any]) -> Any:
        """One value for each leaf (a gradient, a tangent), as the user passed the leaves."""
        if self._structure is LEAF:
            return like(self.leaves[0], values[0])
        return self._structure.hold(map(like, self.leaves, values))

    def hold(self, values: Sequence[Any]) -> Any:
        """The same containers with these values as they are."""
        return self._structure.hold(values)

    def match(self, tree: Any, what: str) -> list[Any]:
        """`tree`, of the same structure, as one direction for each leaf, shape and dtype fitted."""
        leaves = [tree] if self._structure is LEAF else self._structure.match(tree, what)
        return directions(leaves, self.metas(), what, self._structure)

    def match_out(self, out: Any, transform: str) -> list[Any]:
        """`out`, of the same structure, as one array for each leaf, to be written into."""
        leaves = [out] if self._structure is LEAF else self._structure.match(out, "out")
        for k, (array, leaf) in enumerate(zip(leaves, self.leaves, strict=True)):
            if type(array) is not ndarray or array.shape != np.shape(leaf):
                raise ValueError(
                    f"{transform}: out{self._structure.paths()[k]} must be an array of shape "
                    f"{np.shape(leaf)}, like the argument"
                )
        return leaves

    def metas(self) -> list[Meta]:
        """Shape and dtype of each leaf; read while the recording is open, they stay known."""
        if not self._metas:
            self._metas = [Meta(v.shape, v.dtype) for v in self.variables]
        return self._metas

    def name(self, k: int) -> str:
        """Leaf k as the user would call it: `argument 0['w']`."""
        path = self._structure.paths()[k]
        if isinstance(self._argnums, int):
            return f"argument {self._argnums}{path}"
        place, rest = path[1:].split("]", 1)
        return f"argument {self._argnums[int(place)]}{rest}"

    def _recordable(self, k: int) -> Any:
        leaf = self.leaves[k]
        kind = type(leaf)
        if kind is float or (kind is ndarray and leaf.dtype in DIFFERENTIABLE):
            return leaf
        if kind is Variable:
            if leaf.dtype in DIFFERENTIABLE:
                return leaf
            if leaf.dtype.kind == "i":
                return _core.apply("cast", (leaf,), CAST_TO_FLOAT64)
        value, objection = _converted(leaf)
        if objection:
            raise TypeError(f"{self._transform}: {self.name(k)} is {objection}")
        return value

    def _check_not_none(self) -> None:
        for i in self.positions():
            if self._args[i] is None:
                raise TypeError(
                    f"{self._transform}: argument {i} is None, expected a number, "
                    "an array or a pytree of them"
                )


def _normalised(argnums: Argnums, count: int, transform: str) -> int | tuple[int, ...]:
    if isinstance(argnums, (tuple, list)):
        chosen = tuple(_position(i, count, transform) for i in argnums)
        if len(set(chosen)) != len(chosen):
            raise ValueError(f"{transform}: argnums={argnums} names an argument twice")
        if not chosen:
            raise ValueError(f"{transform}: there is no argument to differentiate")
        return chosen
    return _position(argnums, count, transform)


def _position(argnum: Any, count: int, transform: str) -> int:
    try:
        position = operator.index(argnum)
    except TypeError:
        raise TypeError(
            f"{transform}: argnums must be an integer or a tuple of integers, not {argnum!r}"
        ) from None
    if not -count <= position < count:
        raise TypeError(
            f"{transform}: argnums={position}, but the function was called with {count} positional "
            "arguments (keyword arguments are passed on, never differentiated)"
        )
    return position % count


def _converted(leaf: Any) -> tuple[Any, str]:
    """A leaf that is no plain float or array as the tape takes it, or what is wrong with it."""
    if isinstance(leaf, (bool, np.bool)):
        return None, "a bool, expected a number or an array of numbers"
    if isinstance(leaf, (int, float)) and not isinstance(leaf, np.generic):
        return float(leaf), ""
    if isinstance(leaf, (np.ma.MaskedArray, np.matrix)):
        name = type(leaf).__name__
        return None, f"a {name}, which has rules of its own: pass np.asarray(x) of it"
    if isinstance(leaf, (complex, np.number, ndarray)):
        return _converted_array(leaf)
    if isinstance(leaf, Variable):
        return None, f"a recorded array of {leaf.dtype}, expected numbers"
    if hasattr(leaf, "__dlpack__"):
        return _converted_array(np.from_dlpack(leaf))
    name = type(leaf).__name__
    advice = "pass np.asarray(x) of it" if hasattr(leaf, "__array__") else "see tg.register_pytree"
    if isinstance(leaf, (str, bytes)):
        return None, f"a {name}, expected a number, an array or a pytree of them"
    return None, f"a {name}, expected a number, an array or a pytree of them ({advice})"


def _converted_array(leaf: Any) -> tuple[Any, str]:
    array = np.asarray(leaf)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind in "iu" or (kind == "f" and size == 8):
        return array.astype(FLOAT64), ""
    if kind == "f" and size == 4:
        return array.astype(FLOAT32), ""
    if kind == "c" and size in (8, 16):
        return array.astype(COMPLEX128), ""
    if kind == "O":
        return None, "an object array; pass a numeric array, or the objects as a tuple or list"
    return None, (
        f"of dtype {array.dtype}; derivatives exist for float64, float32 and complex128: "
        "convert it with astype"
    )


def like(leaf: Any, value: Any) -> Any:
    """A derivative in the user's own type of the leaf: float for a Python number, array for array.

    Integers were promoted to float64, complex64 to complex128; recorded ones stay as they are.
    """
    if type(value) is Variable:
        return value
    kind = type(leaf)
    if kind is ndarray:
        return value if type(value) is ndarray else np.asarray(value)
    if kind is float or kind is int:  # complex where a real number has a complex derivative
        return complex(value) if np.iscomplexobj(value) else float(value)
    if kind is complex:
        return complex(value)
    if isinstance(leaf, np.generic):
        return np.asarray(value)[()]
    return value


def directions(
    leaves: Sequence[Any], metas: Sequence[Meta], what: str, structure: Structure
) -> list[Any]:
    """The leaves as tangents or cotangents, fitted to what they belong to; errors have the path."""
    fitted = []
    for k, (leaf, meta) in enumerate(zip(leaves, metas, strict=True)):
        try:
            fitted.append(_direction(leaf, meta))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}{structure.paths()[k]} {error}") from None
    return fitted


def _direction(value: Any, meta: Meta) -> Any:
    """`value` with the shape of `meta` and, by safe conversion, its dtype."""
    shape, dtype = meta
    kind = type(value)
    if kind is float and shape == ():
        return value
    if kind is ndarray and value.dtype == dtype and value.shape == shape:
        return value
    if container_of(kind) is not None:
        raise ValueError(f"is a {kind.__name__}, expected one value")
    if kind is not Variable:
        converted, objection = _converted(value)
        if objection:
            raise TypeError(f"is {objection}")
        value = np.asarray(converted)
    if value.shape != shape:
        raise ValueError(f"has shape {value.shape}, expected {shape}")
    if value.dtype.kind == "c" and dtype.kind != "c":
        raise TypeError(f"is complex, expected {dtype}: the value is real")
    return value if kind is Variable or value.dtype == dtype else value.astype(dtype)
