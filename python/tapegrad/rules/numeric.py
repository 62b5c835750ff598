"""Derivatives by differences, for functions that have no rule: scipy.differentiate, and the complex
step. What `custom_rule(derivatives=...)` and `differentiate_with` come to."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from tapegrad.rules.complex_step import complex_step, require_analytic
from tapegrad.rules.derived import by_columns
from tapegrad.rules.node import Arrays, Mask, Node, Opaque, fitted, zeros_like

METHODS = ("finite-differences", "central", "forward", "complex-step")
# scipy.differentiate's word for where the points of a difference lie.
_DIRECTIONS = {"finite-differences": 0, "central": 0, "forward": 1}


class Raw(Protocol):
    """An opaque map that may be called at numbers of other dtypes than it has on the tape."""

    name: str

    def raw(self, operands: Arrays) -> Arrays: ...

    def likes(self) -> Arrays: ...


def differenced(parent: Any, operands: Arrays, tangents: Arrays) -> Arrays:
    """The tangents of the parts of an opaque map, by differences; recorded as an opaque map."""
    moving = tuple(t is not None for t in tangents)
    if not any(moving):
        return [zeros_like(x) for x in parent.likes()]
    node = parent.made(Differenced, moving)
    found: Arrays = node.apply([*operands, *(t for t in tangents if t is not None)])
    return found


class Differenced(Opaque):
    """The map (operands of the parent, tangents of those that move) -> tangents of its parts."""

    def __init__(self, parent: Any, moving: Mask) -> None:
        super().__init__(f"the numerical derivative of {parent.name}")
        self.parent = parent
        self.moving = moving
        self.stepper: str = parent.method
        # Complex numbers have been stepped into once.
        self.method = "central" if self.stepper == "complex-step" else self.stepper

    def likes(self) -> Arrays:
        return [zeros_like(x) for x in self.parent.likes()]

    def value(self, operands: Arrays) -> Arrays:
        found = self.raw(operands)
        return [fitted(part, like) for part, like in zip(found, self.likes(), strict=True)]

    def raw(self, operands: Arrays) -> Arrays:
        """As `value` in double precision, of which a second difference is taken."""
        moved = iter(operands[len(self.moving) :])
        tangents = [next(moved) if moves else None for moves in self.moving]
        return along(self.parent, operands[: len(self.moving)], tangents, self.stepper)

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        """Linear in the tangents that it takes, so only the base needs a second difference."""
        count = len(self.moving)
        nothing = [None] * (len(operands) - count)
        found = differenced(self, operands, [*tangents[:count], *nothing])
        if any(t is not None for t in tangents[count:]):
            moved = [
                zeros_like(x) if t is None else t
                for t, x in zip(tangents[count:], operands[count:], strict=True)
            ]
            more = self.apply([*operands[:count], *moved])
            found = [a + b for a, b in zip(found, more, strict=True)]
        return found

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        return pulled(self, cotangent, value, operands, active)


def pulled(node: Node, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
    """The adjoints of an opaque map from its tangents, one direction for each number."""
    from tapegrad.rules.node import split

    def push(*along: Any) -> Arrays:
        rest = iter(along)
        return node.push(operands, value, [next(rest) if wanted else None for wanted in active])

    moving = [x for x, wanted in zip(operands, active, strict=True) if wanted]
    likes = node.likes()  # type: ignore[attr-defined]
    return by_columns(push, split(cotangent, likes), moving)


def along(f: Raw, base: Arrays, tangents: Arrays, method: str) -> Arrays:
    """The derivative of the parts in the direction of the tangents, by differences; in double
    precision, whatever that of the base is."""
    base = [_doubled(x) for x in base]
    sizes = [float(np.max(np.abs(t), initial=0.0)) for t in tangents if t is not None]
    size = max(sizes, default=0.0)
    likes = [_doubled(like) for like in f.likes()]
    if size == 0.0 or not np.isfinite(size):
        return [np.full_like(like, 0.0 * size) for like in likes]
    units = [None if t is None else _doubled(t) / size for t in tangents]
    with np.errstate(all="ignore"):
        if method == "complex-step":
            found = complex_step(f.raw, base, units, likes)
            require_analytic(f.name, f.raw, base, units, found)
        else:
            found = _difference(f.raw, base, units, likes, _DIRECTIONS[method])
    return [size * part for part in found]


def _difference(f: Any, base: Arrays, units: Arrays, likes: Arrays, direction: int) -> Arrays:
    moving = [x for x, u in zip(base, units, strict=True) if u is not None]
    largest = max(float(np.max(np.abs(x), initial=0.0)) for x in moving)
    step = 0.1 * (largest or 1.0)

    def at(h: float) -> np.ndarray[Any, Any]:
        moved = [
            x.copy() if u is None else (x + h * u).astype(x.dtype)
            for x, u in zip(base, units, strict=True)
        ]
        return np.concatenate([_reals(np.asarray(part)) for part in f(moved)])

    count = sum(_reals(like).size for like in likes)
    found = np.zeros(0) if count == 0 else _by_scipy(at, count, step, direction)
    parts: Arrays = []
    for like in likes:
        reals = _reals(like).size
        parts.append(_as(found[:reals], like))
        found = found[reals:]
    return parts


def _by_scipy(f: Any, count: int, step: float, direction: int) -> np.ndarray[Any, Any]:
    """All components at once: each row of `steps` asks for the same steps."""
    from scipy.differentiate import derivative

    def rows(steps: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        columns = [f(float(h)) for h in steps.reshape(count, -1)[0]]
        return np.stack(columns, -1).reshape(steps.shape)

    best: np.ndarray[Any, Any] | None = None
    for _ in range(8):
        found = derivative(
            rows,
            np.zeros(count),
            preserve_shape=True,
            initial_step=step,
            step_direction=direction,
        )
        best = found.df if best is None else np.where(np.isfinite(best), best, found.df)
        if np.isfinite(best).all():
            break
        step /= 10.0  # a pole, or the end of the domain, was too near
    assert best is not None
    return best


def _doubled(x: Any) -> Any:
    """Integers stay what they are."""
    return x.astype(np.result_type(x, np.float64)) if x.dtype.kind in "fc" else x


def _reals(part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    flat = part.reshape(-1)
    if part.dtype.kind == "c":
        return np.concatenate([flat.real, flat.imag])
    return flat.astype(float)


def _as(reals: np.ndarray[Any, Any], like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if like.dtype.kind == "c":
        half = reals.size // 2
        reals = reals[:half] + 1j * reals[half:]
    return reals.reshape(like.shape)
