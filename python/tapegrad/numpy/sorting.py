"""sort and argsort for tapegrad.numpy, with the array API's keyword `descending`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.functions.operands import Array, has_variable, operand

__all__ = ["argsort", "sort"]


def sort(
    a: Any,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Array:
    """np.sort; `descending` turns the order round.

    >>> import tapegrad.numpy as np
    >>> np.sort(np.array([1.0, 3.0, 2.0]), descending=True)
    array([3., 2., 1.])
    """
    x = operand(a) if has_variable(a) else a
    found = np.sort(x, axis, kind, order, stable=stable)
    return np.flip(found, 0 if axis is None else axis) if descending else found


def argsort(
    a: Any,
    axis: int | None = -1,
    kind: Any = None,
    order: Any = None,
    *,
    stable: bool | None = None,
    descending: bool = False,
) -> Any:
    """np.argsort; `descending` takes the largest first, and equal ones by their position.

    >>> import tapegrad.numpy as np
    >>> np.argsort(np.array([1.0, 3.0, 3.0]), descending=True)
    array([1, 2, 0])
    """
    x = operand(a)
    if not descending:
        return np.argsort(x, axis, kind, order, stable=stable)
    if axis is None:
        x, axis = np.ravel(x), 0
    # The last of equal elements comes last in the order from behind.
    backwards = np.argsort(np.flip(x, axis), axis, stable=True)
    return x.shape[axis] - 1 - np.flip(backwards, axis)
