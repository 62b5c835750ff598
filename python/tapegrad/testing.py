"""`check_grads`: is what tapegrad gives for a function the derivative of that function?

Used in users' tests and in our own. It trusts only plain calls of the function, on NumPy arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapegrad.pytree import Structure, flatten
from tapegrad.remarks import remark
from tapegrad.transforms import hvp, jvp, linearize, vjp

__all__ = ["check_grads"]

Array = NDArray[Any]
Function = Callable[..., Any]

RATIO = 4.0  # between one step size and the next
MOST_ELEMENTS = 100  # of an argument, among which the worst is looked for
STEPS = 15  # from 1/4 of the argument's size down to 1e-9 of it


def check_grads(
    f: Function,
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    eps: float | None = None,
    rtol: float | None = None,
) -> None:
    """Raise AssertionError unless the derivatives of `f` at `args` are right.

    For each leaf of the arguments, along random directions, projected on random cotangents:

    - the central Taylor remainder f(x + hv) - f(x - hv) - 2h f'(x)v must fall as h^3 over a range
      of steps, down to rounding: a derivative that is wrong by one part in a thousand leaves a
      remainder that falls as h;
    - the two modes must agree: <w, J v> = <J^T w, v>;
    - from the second order on: the same for the derivatives themselves, in every mix of modes, and
      the symmetry of the Hessian, <u, H v> = <v, H u>.

    Args:
        f: takes and returns numbers, arrays or pytrees of them; float32 and complex too.
        args: the arguments, all of them differentiated. `f` should be smooth there.
        order: the highest order to check.
        modes: which of "fwd" and "rev".
        eps: the relative accuracy to which `f` is computed; by default that of its dtypes.
        rtol: the relative error that is let pass; by default 1e-6 (float32: 3e-4).

    The message says which mode, order, input (its path in the pytree), direction and element
    failed, and whether the function has a kink, a jump or the edge of its domain there.

    >>> import numpy as np, tapegrad as tg
    >>> tg.testing.check_grads(lambda x: np.sum(np.sin(x) ** 2), (np.arange(3.0),))
    """
    if not modes or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(f"check_grads: modes must be out of 'fwd' and 'rev', got {modes!r}")
    if not isinstance(args, (tuple, list)):
        raise TypeError("check_grads: args must be a tuple with one entry for each argument")
    point = _Point.of(args)
    if eps is None:
        eps = point.accuracy
    if rtol is None:
        rtol = 3e-4 if eps > 1e-10 else 1e-6
    name = getattr(f, "__name__", type(f).__name__)
    _Check(point, tuple(modes), eps, rtol).run(f, order, 1, f"of {name}")


@dataclass(frozen=True)
class _Point:
    """Where derivatives are checked: the leaves of the arguments."""

    leaves: list[Any]
    structure: Structure
    accuracy: float

    @classmethod
    def of(cls, args: Sequence[Any]) -> _Point:
        leaves, structure = flatten(tuple(args))
        single = any(np.result_type(leaf) in _SINGLE for leaf in leaves if _is_inexact(leaf))
        accuracy = np.finfo(np.float32 if single else np.float64).eps
        leaves = [_floating(leaf) for leaf in leaves]
        return cls(leaves, structure, float(accuracy))

    def args(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        made: tuple[Any, ...] = self.structure.hold(leaves)
        return made

    def moved(self, direction: Sequence[Array | None], h: float) -> tuple[Any, ...]:
        """The arguments at x + h v; None stands for no change of a leaf."""
        leaves = []
        for x, v in zip(self.leaves, direction, strict=True):
            leaves.append(x if v is None else _as(x, np.asarray(x) + np.asarray(h * v)))
        return self.structure.unflatten(leaves)  # type: ignore[no-any-return]

    def name(self, k: int) -> str:
        place, rest = self.structure.paths()[k][1:].split("]", 1)
        return f"argument {place}{rest}"


@dataclass(frozen=True)
class _Estimate:
    """A derivative by extrapolated central differences: its error, and the step it was taken at."""

    value: float
    error: float
    step: float


@dataclass
class _Check:
    point: _Point
    modes: tuple[str, ...]
    eps: float
    rtol: float

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(20)
        self.close = float(np.sqrt(self.eps))  # for identities that hold to rounding

    def run(self, f: Function, order: int, level: int, label: str) -> None:
        """Check first derivatives of `f`, then, one order up, those of its derivatives."""
        if order < 1:
            return
        args = self.point.args(self.point.leaves)
        weights = _Weights(f(*args), self.rng)
        derivatives = self._derivatives(f, args, weights)
        for k in range(len(self.point.leaves)):
            self._check_leaf(f, k, weights, derivatives, f"order {level} {label}")
        if order < 2:
            return
        self._check_symmetry(f, args, weights, f"order {level + 1} {label}")
        direction = self.point.args([self._random(x) for x in self.point.leaves])
        for mode in self.modes:
            below = {
                "fwd": lambda *a: jvp(f, a, direction)[1],
                "rev": lambda *a: vjp(f, *a)[1](weights.cotangent),
            }[mode]
            self.run(below, order - 1, level + 1, f"({mode}) {label}")

    def _derivatives(
        self, f: Function, args: tuple[Any, ...], weights: _Weights
    ) -> dict[str, Callable[[list[Array | None]], float]]:
        """For each mode: the projected derivative along a direction."""
        found: dict[str, Callable[[list[Array | None]], float]] = {}
        if "fwd" in self.modes:
            pushforward = linearize(f, *args)[1]

            def forward(direction: list[Array | None]) -> float:
                filled = [
                    _as(x, np.zeros_like(x) if v is None else v)
                    for x, v in zip(self.point.leaves, direction, strict=True)
                ]
                return weights.project(pushforward(*self.point.args(filled)))

            found["fwd"] = forward
        if "rev" in self.modes:
            adjoints, _ = flatten(vjp(f, *args)[1](weights.cotangent))

            def reverse(direction: list[Array | None]) -> float:
                pairs = zip(adjoints, direction, strict=True)
                return sum(_pair(a, v) for a, v in pairs if v is not None)

            found["rev"] = reverse
        return found

    def _check_leaf(
        self,
        f: Function,
        k: int,
        weights: _Weights,
        derivatives: dict[str, Callable[[list[Array | None]], float]],
        label: str,
    ) -> None:
        where = f"by {self.point.name(k)}"
        checked = False
        for kind, v in self._directions(self.point.leaves[k]):
            direction: list[Array | None] = [None] * len(self.point.leaves)
            direction[k] = v
            given = {mode: along(direction) for mode, along in derivatives.items()}
            self._check_modes(given, weights, f"{label}, {where}, {kind} direction")
            phi = self._along(f, direction, weights)
            estimate = self._differences(phi, weights.size)
            if estimate is None:
                continue
            checked = True
            for mode, value in given.items():
                context = f"{mode} mode is wrong: {label}, {where}, along a {kind} direction"
                wrong = self._wrong(phi, value, estimate, weights.size)
                if wrong:
                    element = self._element(f, k, weights, derivatives[mode])
                    raise AssertionError(f"check_grads: {context}: {wrong}{element}{_said(phi)}")
        if not checked and np.size(self.point.leaves[k]):
            raise AssertionError(
                f"check_grads: {label}, {where}: differences do not converge: the function is not "
                "finite, not smooth or, if it is computed to lower accuracy, eps must be given"
                f"{_said(phi)}"
            )

    def _element(
        self,
        f: Function,
        k: int,
        weights: _Weights,
        along: Callable[[list[Array | None]], float],
    ) -> str:
        """The element of leaf k with the largest error, as part of a message."""
        x = np.asarray(self.point.leaves[k])
        if not 1 < x.size <= MOST_ELEMENTS:
            return ""
        worst = 0.0
        said = ""
        for index in np.ndindex(x.shape):
            v = np.zeros(x.shape)
            v[index] = abs(x[index]) or 1.0
            direction: list[Array | None] = [None] * len(self.point.leaves)
            direction[k] = v
            estimate = self._differences(self._along(f, direction, weights), weights.size)
            if estimate is not None:
                value, wanted = along(direction) / v[index], estimate.value / v[index]
                if abs(value - wanted) > worst:
                    worst = float(abs(value - wanted))
                    said = f"; most at element {index}: {value:.6g} for {wanted:.6g}"
        return said

    def _check_modes(self, given: dict[str, float], weights: _Weights, where: str) -> None:
        if len(given) < 2:
            return
        forward, reverse = given["fwd"], given["rev"]
        size = max(abs(forward), abs(reverse), self.eps * weights.size)
        if not abs(forward - reverse) <= self.close * size:
            raise AssertionError(
                f"check_grads: the modes disagree: {where}: <w, Jv> is {forward:.12g} forward, "
                f"<J^T w, v> is {reverse:.12g} in reverse"
            )

    def _check_symmetry(
        self, f: Function, args: tuple[Any, ...], weights: _Weights, label: str
    ) -> None:
        u, v = ([self._random(x) for x in self.point.leaves] for _ in range(2))

        def projected(*args: Any) -> Any:
            return weights.project_recorded(f(*args))

        def curvature(a: list[Any], b: list[Any]) -> tuple[float, float]:
            product = hvp(projected, args, self.point.args(a))
            leaves, _ = flatten(product if len(args) > 1 else (product,))
            terms = [_pair(h, x) for h, x in zip(leaves, b, strict=True)]
            return sum(terms), sum(map(abs, terms))

        ahead, size = curvature(u, v)
        behind, other = curvature(v, u)
        if not abs(ahead - behind) <= self.close * max(size, other, self.eps * weights.size):
            raise AssertionError(
                f"check_grads: the Hessian is not symmetric: {label}: <v, H u> is {ahead:.12g}, "
                f"<u, H v> is {behind:.12g}"
            )

    def _wrong(
        self, phi: Callable[[float], float], value: float, estimate: _Estimate, size: float
    ) -> str:
        """How a derivative differs from differences; empty if it does not."""
        scale = max(abs(value), abs(estimate.value))
        noise = self._noise(size, estimate.step)
        error = min(estimate.error, 1e-4 * scale + noise)
        if abs(value - estimate.value) <= self.rtol * scale + 10 * error + noise:
            return ""
        falls = _remainder_order(phi, value, estimate.step)
        return (
            f"the derivative is {value:.12g}, differences give {estimate.value:.12g} "
            f"(± {estimate.error:.1g}); the Taylor remainder falls as h^{falls:.1f}, expected h^3"
        )

    def _along(
        self, f: Function, direction: list[Array | None], weights: _Weights
    ) -> Callable[[float], float]:
        def phi(h: float) -> float:
            """The projected value at x + hv; NaN outside the domain of f."""
            try:
                with np.errstate(all="ignore"):
                    return weights.project(f(*self.point.moved(direction, h)))
            except (ArithmeticError, ValueError):
                return float("nan")

        return phi

    def _differences(self, phi: Callable[[float], float], size: float) -> _Estimate | None:
        """The best of the extrapolated differences, judged by how well neighbours agree."""
        best: _Estimate | None = None
        best_quality = float("inf")
        worse = 0
        central: list[float] = []
        extrapolated: list[float] = []
        for k in range(STEPS):
            h = RATIO ** -(k + 1)
            central.append((phi(h) - phi(-h)) / (2 * h))
            if k > 0:
                ratio = RATIO**2
                extrapolated.append((ratio * central[-1] - central[-2]) / (ratio - 1))
            if k < 3 or not np.all(np.isfinite(extrapolated[-3:])):
                continue
            before, here, after = extrapolated[-3:]
            error = abs(here - before) + abs(after - here)
            quality = error / (abs(here) + 4 * self.eps * size + 1e-300)
            if quality < best_quality:
                best, best_quality, worse = _Estimate(here, error, RATIO * h), quality, 0
            else:
                worse += 1
            if worse >= 3 and best_quality < 1e-9:
                break
        if best is None or best.error > 1e-2 * abs(best.value) + self._noise(size, best.step):
            return None  # outside the domain of f, not smooth, or steps of an unfit size
        return best

    def _noise(self, size: float, step: float) -> float:
        """What rounding in f does to a difference quotient."""
        return 4 * self.eps * size / step

    def _directions(self, x: Any) -> Iterator[tuple[str, Array]]:
        """Steps in proportion to each element, and steps of one size for all of them."""
        size = np.abs(np.asarray(x))
        typical = float(np.exp(np.mean(np.log(size[size > 0])))) if np.any(size > 0) else 1.0
        yield "relative", self._signs(x) * np.where(size > 0, size, typical)
        yield "random", self._random(x) * typical

    def _signs(self, x: Any) -> Array:
        """Random numbers away from zero, complex for complex x."""
        drawn = self.rng.uniform(0.5, 1.0, np.shape(x)) * self.rng.choice([-1, 1], np.shape(x))
        if np.iscomplexobj(x):
            drawn = drawn * np.exp(1j * self.rng.uniform(0, 6.28, np.shape(x)))
        return np.asarray(drawn)

    def _random(self, x: Any) -> Any:
        drawn = self.rng.standard_normal(np.shape(x))
        if np.iscomplexobj(x):
            drawn = drawn + 1j * self.rng.standard_normal(np.shape(x))
        return _as(x, drawn)


class _Weights:
    """A random cotangent w of a result, which projects results to one number, Re(sum w y)."""

    def __init__(self, result: Any, rng: np.random.Generator) -> None:
        leaves, self.structure = flatten(result)
        self.leaves: list[Any] = []
        for leaf in leaves:
            drawn = rng.uniform(0.5, 1.5, np.shape(leaf)) * rng.choice([-1, 1], np.shape(leaf))
            if np.iscomplexobj(leaf):
                drawn = drawn * np.exp(1j * rng.uniform(0, 6.28, np.shape(leaf)))
            # Integers and truth values have no derivative.
            self.leaves.append(_as(leaf, drawn) if _is_inexact(leaf) else np.zeros(np.shape(leaf)))
        self.cotangent = self.structure.hold(self.leaves)
        pairs = zip(leaves, self.leaves, strict=True)
        self.size = float(sum(np.sum(np.abs(y) * np.abs(w)) for y, w in pairs))

    def project(self, result: Any) -> float:
        leaves = self.structure.match(result, "check_grads: a result")
        return sum(_pair(w, y) for w, y in zip(self.leaves, leaves, strict=True))

    def project_recorded(self, result: Any) -> Any:
        """The same on recorded values."""
        leaves = self.structure.match(result, "check_grads: a result")
        return sum(np.sum(np.real(w * y)) for w, y in zip(self.leaves, leaves, strict=True))


_SINGLE = (np.dtype(np.float32), np.dtype(np.complex64), np.dtype(np.float16))


def _pair(a: Any, b: Any) -> float:
    a, b = np.asarray(a), np.asarray(b)
    wide = np.complex128 if np.iscomplexobj(a) or np.iscomplexobj(b) else np.float64
    return float(np.sum(a.astype(wide) * b.astype(wide)).real)


def _remainder_order(phi: Callable[[float], float], value: float, step: float) -> float:
    """The power of h with which f(x + hv) - f(x - hv) - 2h f'v falls, about this step."""
    remainders = [abs(phi(h) - phi(-h) - 2 * h * value) for h in (RATIO * step, step)]
    if not all(remainders):
        return float("inf")
    return float(np.log(remainders[0] / remainders[1]) / np.log(RATIO))


def _said(phi: Callable[[float], float]) -> str:
    """What is to be said about the function along a direction, as the end of a message."""
    said = remark(phi)
    return f"; {said}" if said else ""


def _is_inexact(leaf: Any) -> bool:
    return bool(np.asarray(leaf).dtype.kind in "fc")


def _floating(leaf: Any) -> Any:
    """Integers are promoted, as the transforms do; arrays are copied, steps are taken from them."""
    if isinstance(leaf, (int, np.integer)) and not isinstance(leaf, bool):
        return float(leaf)
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iu":
        return leaf.astype(np.float64)
    return leaf


def _as(leaf: Any, value: Any) -> Any:
    """`value` in the type of `leaf`."""
    if isinstance(leaf, np.ndarray):
        return np.asarray(value, leaf.dtype.newbyteorder("="))
    return type(leaf)(np.asarray(value)[()])
