"""Functions whose results NumPy lays out in memory in a way of its own, so that the composition
here is no guide: a write through a flattening of such a result is refused. Wrapped at import."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad._core import Variable
from tapegrad.functions.operands import guess_order, like
from tapegrad.functions.registry import IMPLEMENTATIONS

__all__ = ["attach", "in_unknown_order", "in_unknown_order_unless_rows"]

Function = Callable[..., Any]

# NumPy's results are in C order if all operands are; else they may be in any.
UNLESS_ROWS = (
    np.delete,
    np.dot,
    np.gradient,
    np.insert,
    np.pad,
    np.partition,
    np.polyval,
    np.select,
)
ALWAYS = (
    np.geomspace,
    np.linalg.eig,
    np.linalg.eigh,
    np.linalg.qr,
    np.linalg.svd,
    np.logspace,
    np.median,
    np.nanmedian,
    np.nanpercentile,
    np.nanquantile,
    np.percentile,
    np.quantile,
    np.repeat,
    np.tile,
)


def in_unknown_order(function: Function) -> Function:
    """`function` with a note on its results that NumPy may lay them out in another way."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return _noted(function(*args, **kwargs))

    return call


def in_unknown_order_unless_rows(function: Function) -> Function:
    """The same where an operand does not lie in C order."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        return result if _in_rows(args) and _in_rows(tuple(kwargs.values())) else _noted(result)

    return call


def _in_rows(tree: Any) -> bool:
    if isinstance(tree, (tuple, list)):
        return all(map(_in_rows, tree))
    if isinstance(tree, Variable):
        return not tree._guessed and (tree.ndim < 2 or _lies_in_rows(like(tree)))
    return not isinstance(tree, np.ndarray) or _lies_in_rows(tree)


def _lies_in_rows(a: Any) -> bool:
    """Whether the axes are in C order in memory, with gaps or without."""
    strides = [stride for n, stride in zip(a.shape, a.strides, strict=True) if n != 1]
    return all(s > 0 for s in strides) and strides == sorted(strides, reverse=True)


def _noted(result: Any) -> Any:
    for part in result if isinstance(result, (tuple, list)) else (result,):
        guess_order(part)
    return result


def attach() -> None:
    """Wrap the implementations of these functions."""
    for functions, wrap in (
        (UNLESS_ROWS, in_unknown_order_unless_rows),
        (ALWAYS, in_unknown_order),
    ):
        for function in functions:
            if function in IMPLEMENTATIONS:
                IMPLEMENTATIONS[function] = wrap(IMPLEMENTATIONS[function])
