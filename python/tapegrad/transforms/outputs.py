"""What a differentiated function returned: checks, the seeds of sweeps, and plain values for the
caller. Every transform ends here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.pytree import LEAF, container_of, flatten, tree_map
from tapegrad.transforms.inputs import (
    COMPLEX128,
    DIFFERENTIABLE,
    FLOAT32,
    FLOAT64,
    HANDLES,
    Function,
    Meta,
    Variable,
    directions,
    ndarray,
)


class Outputs:
    """The leaves of a result; `active` are the positions of those that were recorded."""

    __slots__ = ("_structure", "active", "leaves", "metas", "variables")

    def __init__(self, result: Any, transform: str) -> None:
        if type(result) in HANDLES:
            self.leaves, self._structure = [result], LEAF
        else:
            self.leaves, self._structure = flatten(result)
        for k, leaf in enumerate(self.leaves):
            if not _is_numeric(leaf):
                path = self._structure.paths()[k]
                raise TypeError(
                    f"{transform}: the function returned {_describe(leaf)}"
                    + (f" at {path}" if path else "")
                    + "; what is no number goes into an auxiliary result (has_aux=True)"
                )
        self.active = [
            k for k, leaf in enumerate(self.leaves) if type(leaf) in HANDLES and leaf.active
        ]
        self.metas = [_meta_of(leaf) for leaf in self.leaves]
        # Handles of our own: the caller may assign to the ones in the result.
        self.variables = [_own(self.leaves[k]) for k in self.active]

    def gather(self, tangents: Sequence[Any]) -> Any:
        """Tangents of the active leaves, zeros for the others, in the structure of the result."""
        found = dict(zip(self.active, tangents, strict=True))
        filled = [found.get(k) for k in range(len(self.leaves))]
        for k, tangent in enumerate(filled):
            if tangent is None:
                filled[k] = self._zero(k)
        return self._structure.hold(filled)

    def hold(self, values: Sequence[Any]) -> Any:
        """The structure of the result with one value for each leaf."""
        return self._structure.hold(values)

    def match(self, tree: Any, what: str) -> list[Any]:
        """A cotangent of the structure of the result: the parts that belong to active leaves."""
        leaves = [tree] if self._structure is LEAF else self._structure.match(tree, what)
        fitted = directions(leaves, self.metas, what, self._structure)
        return [fitted[k] for k in self.active]

    def _zero(self, k: int) -> Any:
        shape, dtype = self.metas[k]
        zero = np.zeros(shape, dtype)
        is_array = shape != () or isinstance(self.leaves[k], ndarray) or dtype == FLOAT32
        return zero if is_array else zero.item()


def scalar(result: Any, f: Function, transform: str, holomorphic: bool) -> Any:
    """`result` if it is one number, real (complex if `holomorphic`); else an error with advice."""
    kind = type(result)
    handle = kind in HANDLES
    if not handle and kind is not float:
        if container_of(kind) is not None:
            raise TypeError(
                f"{transform}: {name_of(f)} returned a {kind.__name__}, expected a scalar; "
                "use has_aux=True for (scalar, auxiliary), or tg.jacobian"
            )
        if not _is_numeric(result):
            raise TypeError(
                f"{transform}: {name_of(f)} returned {_describe(result)}, expected a scalar"
            )
        result = result if kind in (int, complex) else np.asarray(result)
    if (result.ndim if handle else np.ndim(result)) == 0:
        check_field(result, f, transform, holomorphic)
        return result
    raise ValueError(
        f"{transform}: {name_of(f)} returned an array of shape {result.shape}, expected a scalar; "
        "reduce it (np.sum, np.mean), or use tg.jacobian, tg.vjp or tg.elementwise_grad"
    )


def check_field(result: Any, f: Function, transform: str, holomorphic: bool) -> None:
    """TypeError for a complex result, unless the user said that f is holomorphic."""
    if type(result) not in HANDLES:
        if not holomorphic and isinstance(result, (complex, np.complexfloating)):
            _refuse_complex(f, transform)
        return
    is_complex = result.dtype == COMPLEX128
    if is_complex and not holomorphic:
        _refuse_complex(f, transform)
    if holomorphic and not is_complex:
        raise TypeError(
            f"{transform}: holomorphic=True, but {name_of(f)} returned {result.dtype}; "
            "a holomorphic function maps complex numbers to complex numbers"
        )


def _refuse_complex(f: Function, transform: str) -> None:
    raise TypeError(
        f"{transform}: {name_of(f)} returned a complex number; a gradient needs a real one "
        "(np.real, np.abs). If the function is complex differentiable, say holomorphic=True"
    )


def plain(tree: Any) -> Any:
    """A result without Variables: arrays and numbers for the caller of the outermost transform.

    The arrays are the caller's own; the recording may still need its values.
    """
    kind = type(tree)
    if container_of(kind) is not None:
        return tree_map(plain, tree)
    if kind is not Variable:
        return tree
    value = _core.value(tree)
    return value.copy() if type(value) is ndarray else value


def stop_gradient(x: Any) -> Any:
    """The value of `x` without its history: derivatives treat it as a constant.

    `x` may be a pytree; recorded values become plain arrays and numbers, so `float()` and
    `np.asarray()` take them. While a program is recorded they stay recorded, because they depend on
    its arguments: `float()` and `np.asarray()` take them, and the program is good for that value.

    >>> import tapegrad as tg
    >>> tg.grad(lambda x: x * tg.stop_gradient(x))(3.0)
    3.0
    """
    return tree_map(_core.seen, x)


def _own(handle: Any) -> Any:
    return _core.copy(handle) if type(handle) is Variable else handle


def _meta_of(leaf: Any) -> Meta:
    """Shape and dtype, a differentiable one, of derivatives of a leaf of a result."""
    if type(leaf) not in HANDLES:
        leaf = np.asarray(leaf)
    shape, dtype = leaf.shape, leaf.dtype
    if dtype in DIFFERENTIABLE:
        return Meta(shape, dtype)
    return Meta(shape, COMPLEX128 if dtype.kind == "c" else FLOAT64)


def name_of(f: Function) -> str:
    """What messages call a function."""
    return getattr(f, "__name__", None) or type(f).__name__


def _is_numeric(leaf: Any) -> bool:
    kind = type(leaf)
    if kind in HANDLES or kind is float or kind is int:
        return True
    if isinstance(leaf, ndarray):
        return leaf.dtype.kind in "fciub"
    return isinstance(leaf, (int, float, complex, np.number, np.bool))


def _describe(leaf: Any) -> str:
    if isinstance(leaf, ndarray):
        return f"an array of dtype {leaf.dtype}"
    return "None" if leaf is None else f"a {type(leaf).__name__}"
