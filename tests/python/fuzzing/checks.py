"""What must hold for a random program: NumPy's value, and derivatives that agree with differences,
between modes, at second order, and in replays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from fuzzing.programs import Program, point, shortened

import tapegrad as tg

BY = (0, 1, 2)


class Wrong(AssertionError):
    """A check has failed: `what` names it."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(f"{what}: {detail}")
        self.what = what


class Refused(Exception):
    """A derivative that does not exist there, of a repeated singular value say, was refused."""


def check(program: Program, seed: int) -> None:
    """Raise Wrong, or what tapegrad raises, if anything about the program is not right."""
    rng = np.random.default_rng([seed, 1])
    x, v, u = point(rng), point(rng), point(rng)
    value = program.plainly(*x)
    if not _is_steady(program, x, value):
        return
    found, gradient = _run("value_and_grad", lambda: tg.value_and_grad(program, BY)(*x))
    _close("value", found, value, 1e-11)
    slope = _pair(gradient, v)
    scale = 1.0 + sum(float(np.sum(np.abs(g * d))) for g, d in zip(gradient, v, strict=True))
    if not np.isfinite(scale) or scale > 1e6:
        return
    forward = _run("jvp", lambda: tg.jvp(program, x, v)[1])
    _close("forward and reverse", forward, slope, 1e-9 * scale)
    _differences("gradient", lambda h: program.plainly(*_moved(x, v, h)), slope, scale)
    product = _second_order(program, x, v, u, seed % 2 == 0)
    # A condition that hangs on rounding is said to do so: `int` of a sum that is 1.0 but for that.
    with contextlib.suppress(tg.BranchError):
        _replays(program, rng, x, v, value, gradient, product)
    _single(program, x, value)


def _single(program: Program, x: Any, value: Any) -> None:
    """float32 stays float32, and gives what NumPy gives in it."""
    narrow = [a.astype(np.float32) for a in x]
    wanted = program.plainly(*narrow)
    near = [wanted, *(program.plainly(*_last_bit_changed(narrow, seed)) for seed in range(8))]
    if not all(abs(other - value) < 1e-3 for other in near):
        return  # a step is near, or a tie that rounding decides, or rounding grows
    found, gradient = _run("float32", lambda: tg.value_and_grad(program, BY)(*narrow))
    _close("value in float32", found, wanted, 1e-3)
    for g in gradient:
        if g.dtype != np.float32:
            raise Wrong("dtype of a gradient", f"{g.dtype}")


def _last_bit_changed(arrays: Any, seed: int) -> list[Any]:
    """Each element as it is, or one of the two numbers next to it."""
    rng = np.random.default_rng(seed)
    towards = lambda a: rng.choice(np.array([-np.inf, 0.0, np.inf], np.float32), a.shape)
    return [np.where((to := towards(a)) == 0.0, a, np.nextafter(a, to)) for a in arrays]


def _second_order(program: Program, x: Any, v: Any, u: Any, differences: bool) -> Any:
    """The product with the Hessian, against its transpose, and differences or another mode."""
    product = _run("hvp", lambda: tg.hvp(program, x, v))
    back = _run("hvp", lambda: tg.hvp(program, x, u))
    scale = 1.0
    for p, w in zip((*product, *back), (*u, *v), strict=True):
        scale += float(np.sum(np.abs(p * w)))
    if not np.isfinite(scale) or scale > 1e7:
        return None
    _close("symmetry", _pair(product, u), _pair(back, v), 1e-8 * scale)
    if not differences:
        over = _run("grad of grad", lambda: tg.vjp(tg.grad(program, BY), *x)[1](tuple(v)))
        _close("reverse over reverse", _pair(over, u), _pair(product, u), 1e-8 * scale)
        return product

    def slope(h: float) -> float:
        moved = _moved(x, v, h)
        if not np.isfinite(program.plainly(*moved)):
            return np.nan
        return _pair(_run("grad", lambda: tg.grad(program, BY)(*moved)), u)

    _differences("second order", slope, _pair(product, u), scale)
    return product


def _replays(
    program: Program, rng: Any, x: Any, v: Any, value: Any, gradient: Any, product: Any
) -> None:
    F = tg.function(program)
    scale = 1.0 + max(float(np.max(np.abs(g))) for g in gradient)
    for _ in range(2):
        again, replayed = _run("replay", lambda: F.value_and_grad(*x, argnums=BY))
        _close("replayed value", again, value, 1e-10)
        for a, b in zip(replayed, gradient, strict=True):
            _close("replayed gradient", a, b, 1e-9 * scale)
    other = point(rng)
    wanted = program.plainly(*other)
    if _is_steady(program, other, wanted):
        slopes = _run("other point", lambda: tg.grad(program, BY)(*other))
        scale = 1.0 + max(float(np.max(np.abs(g))) for g in slopes)
        if np.isfinite(scale):
            again, replayed = _run("replay elsewhere", lambda: F.value_and_grad(*other, argnums=BY))
            _close("replayed value elsewhere", again, wanted, 1e-10)
            for a, b in zip(replayed, slopes, strict=True):
                _close("replayed gradient elsewhere", a, b, 1e-9 * scale)
    if product is not None:
        scale = 1.0 + max(float(np.max(np.abs(p))) for p in product)
        for a, b in zip(_run("hvp of F", lambda: tg.hvp(F, x, v)), product, strict=True):
            _close("replayed second order", a, b, 1e-8 * scale)


def _is_steady(program: Program, x: Any, value: float) -> bool:
    """Whether a change by a few roundings changes little: no branch, tie or huge slope is there."""
    rng = np.random.default_rng(0)
    moved = [a * (1.0 + 1e-14 * rng.uniform(-1.0, 1.0, a.shape)) for a in x]
    return bool(abs(program.plainly(*moved) - value) < 1e-11)


def _run(what: str, call: Callable[[], Any]) -> Any:
    """The result of a call; what it raises is Wrong too."""
    try:
        with np.errstate(all="ignore"):
            return call()
    except (Wrong, tg.BranchError):
        raise
    except np.linalg.LinAlgError as error:
        raise Refused from error
    except Exception as error:
        raise Wrong(f"{what} raised {type(error).__name__}", str(error)) from error


def _moved(x: Any, v: Any, h: float) -> list[Any]:
    return [a + h * d for a, d in zip(x, v, strict=True)]


def _pair(a: Sequence[Any], b: Sequence[Any]) -> float:
    return float(sum(np.sum(p * q) for p, q in zip(a, b, strict=True)))


def _close(what: str, found: Any, wanted: Any, tolerance: float) -> None:
    if np.shape(found) != np.shape(wanted):
        raise Wrong(what, f"shape {np.shape(found)}, expected {np.shape(wanted)}")
    if not np.all(np.abs(found - wanted) <= tolerance * (1.0 + np.abs(wanted))):
        raise Wrong(what, f"{found} is not {wanted}")


def _differences(what: str, f: Callable[[float], Any], slope: float, scale: float) -> None:
    """Extrapolated central differences, where they converge: no kink is near. One may lie between
    the steps without showing, so that shorter ones must say the same."""
    for step in (2e-3, 1e-4):
        best, error = _extrapolated(f, step)
        if not error < 1e-7 * scale or abs(best - slope) <= 1e-6 * scale + 100 * error:
            return
    raise Wrong(f"{what} and differences", f"{slope} is not {best} (± {error:.1g})")


def _extrapolated(f: Callable[[float], Any], step: float) -> tuple[float, float]:
    with np.errstate(all="ignore"):
        rows = [float(f(h) - f(-h)) / (2 * h) for h in (step, step / 2, step / 4)]
    finer = [(4 * b - a) / 3 for a, b in pairwise(rows)]
    best = (16 * finer[1] - finer[0]) / 15
    return best, abs(best - finer[1])


def failure(program: Program, seed: int) -> Wrong | None:
    """What is wrong with a program."""
    try:
        check(program, seed)
    except Wrong as wrong:
        return wrong
    except Refused:
        pass
    return None


def reproducer(program: Program, seed: int, wrong: Wrong) -> str:
    """The shortest program that fails in the same way, as text with the inputs that show it."""

    def fails(shorter: Program) -> bool:
        found = failure(shorter, seed)
        return found is not None and found.what == wrong.what

    short = shortened(program, fails)
    found = failure(short, seed) or wrong
    return f"seed {seed}: {found}\n{short.source}"
