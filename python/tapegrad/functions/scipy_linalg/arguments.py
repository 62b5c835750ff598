"""What the functions of this package do alike with their arguments: right-hand sides, how a matrix
is transposed, and options without a rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad import errors
from tapegrad.functions.linalg import hermitian_transpose
from tapegrad.functions.operands import Array, as_inexact, operand, reshaped

__all__ = ["TRANSPOSITIONS", "as_columns", "refuse", "solved", "transposed_by"]

TRANSPOSITIONS = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


def refuse(function: str, **arguments: bool) -> None:
    """Raise UnsupportedError for the first argument that is used and has no rule."""
    for name, used in arguments.items():
        if used:
            errors.unsupported(f"scipy.linalg.{function} with {name} has no derivative rule")


def as_columns(b: Any) -> tuple[Array, bool]:
    """The right-hand side as a matrix, and whether it was a vector."""
    b = as_inexact(operand(b))
    return (reshaped(b, (b.size, 1)), True) if b.ndim == 1 else (b, False)


def solved(x: Array, vector: bool) -> Array:
    return reshaped(x, x.shape[:-1]) if vector else x


def transposed_by(a: Array, trans: Any) -> Array:
    code = TRANSPOSITIONS.get(trans)
    if code is None:
        raise ValueError(f"trans must be 0, 1, 2, 'N', 'T' or 'C', not {trans!r}")
    return a if code == 0 else np.swapaxes(a, -1, -2) if code == 1 else hermitian_transpose(a)
