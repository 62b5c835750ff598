"""Random programs as source code: made statement by statement on plain arrays, so that each runs
and stays finite; run on plain and on recorded values; made shorter when one fails."""

from __future__ import annotations

import functools
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from fuzzing.steps import TEMPLATES
from scipy import special

import tapegrad as tg

NAMESPACE = {"np": np, "special": special}
INPUTS = {"x": (4,), "m": (2, 3), "q": (3, 3)}
FIRST = "z0 = x[:3] + 1j * x[1:]"
LARGEST = 60  # numbers in a value
HIGHEST = 1e3  # their size
TRIES = 12  # to find a statement that runs
ARGUMENTS = ", ".join(INPUTS)


@dataclass(frozen=True)
class Program:
    """Statements, the last values of which are summed to one number."""

    statements: tuple[str, ...]

    @property
    def source(self) -> str:
        lines = [f"def f({ARGUMENTS}):", "    total = 0.0"]
        for k, statement in enumerate(self.statements):
            lines.append(f"    {statement}")
            name = statement.split(" ", 1)[0]
            lines.append(f"    total = total + size({name}, {k})")
        return "\n".join([*lines, "    return total", ""])

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        space: dict[str, Any] = {**NAMESPACE, "size": size}
        exec(compile(self.source, "<random program>", "exec"), space)
        return space["f"]

    def __call__(self, *args: Any) -> Any:
        with np.errstate(all="ignore"):
            return self.function(*args)

    def plainly(self, *args: Any) -> float:
        """The value at plain arrays; NaN where the program, made at another point, does not run."""
        try:
            return float(self(*args))
        except Exception:
            return math.nan


def size(value: Any, k: int) -> Any:
    """One real number that changes with each number of a value."""
    bounded = np.sum(np.sin(np.real(value) + 0.1 * k)) / (1.0 + 0.1 * k)
    if np.iscomplexobj(value):
        bounded = bounded + np.sum(np.cos(0.7 * np.imag(value)))
    return bounded


def point(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    return tuple(rng.uniform(-1.5, 1.5, shape) for shape in INPUTS.values())


def random_program(seed: int) -> Program:
    """The program of a seed; depends on which templates there are."""
    rng = np.random.default_rng(seed)
    pool: dict[str, Any] = dict(zip(INPUTS, point(rng), strict=True))
    statements: list[str] = []
    _run(FIRST, pool)
    for k in range(1, 2 + rng.integers(1, 9)):
        for _ in range(TRIES):
            template = str(rng.choice(usable()))
            statement = _filled(template, f"v{k}", pool, rng)
            if statement is not None and _run(statement, pool):
                statements.append(statement)
                break
    return Program((FIRST, *statements))


@functools.cache
def usable() -> tuple[str, ...]:
    """The templates whose functions have a rule here, in this version of NumPy."""
    rng = np.random.default_rng(0)
    found = []
    for template in TEMPLATES:
        for _ in range(TRIES):
            pool: dict[str, Any] = dict(zip(INPUTS, point(rng), strict=True))
            _run(FIRST, pool)
            statement = _filled(template, "v1", pool, rng)
            if statement is not None and _run(statement, dict(pool)):
                break
        else:
            continue  # this NumPy or SciPy does not have it
        try:
            tg.grad(Program((FIRST, statement)), argnums=(0, 1, 2))(*point(rng))
        except tg.UnsupportedError:
            continue
        except Exception:  # the checks say what is wrong
            pass
        found.append(template)
    return tuple(found)


def _run(statement: str, pool: dict[str, Any]) -> bool:
    """Run a statement on plain arrays; False, and no trace, if its value is of no use."""
    name = statement.split(" ", 1)[0]
    space = {**NAMESPACE, **pool}
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(statement, space)
    except Exception:
        return False
    value = np.asarray(space[name])
    if value.dtype.kind not in "fc" or not 0 < value.size <= LARGEST:
        return False
    if not np.all(np.isfinite(value)) or np.max(np.abs(value)) > HIGHEST:
        return False
    pool[name] = space[name]
    return True


def _filled(template: str, name: str, pool: dict[str, Any], rng: Any) -> str | None:
    """The template with operands out of the pool, None where there are none that fit."""
    chosen: dict[str, Any] = {"y": name}
    main: np.ndarray | None = None
    for place in dict.fromkeys(re.findall(r"{(\w+)}", template)):
        if place == "y":
            continue
        if place == "k":
            chosen[place] = int(rng.integers(1, 4))
        elif place == "c":
            chosen[place] = round(float(rng.uniform(-2.0, 2.0)), 2)
        elif place == "ax":
            ndim = np.ndim(main)
            chosen[place] = int(rng.integers(-ndim, ndim)) if ndim and rng.random() < 0.7 else None
        else:
            fits = [n for n, v in pool.items() if _fits(place, v, main)]
            if not fits:
                return None
            # What was made last is taken more often, so that programs get deep.
            weights = np.arange(1.0, len(fits) + 1.0)
            chosen[place] = str(rng.choice(fits, p=weights / weights.sum()))
            if main is None or place in "AVM":
                main = np.asarray(pool[chosen[place]])
    return template.format(**chosen)


def _fits(place: str, value: Any, main: Any) -> bool:
    value = np.asarray(value)
    shape = value.shape
    if (value.dtype.kind == "c") != (place == "C"):
        return False
    if place in "AC":
        return place == "A" or len(shape) == 1
    if place == "B":
        try:
            np.broadcast_shapes(shape, main.shape)
        except ValueError:
            return False
        return True
    if place in "DW":
        return bool(shape == main.shape)
    if place == "V":
        return len(shape) == 1 and shape[0] >= 2
    if place == "N":
        return len(shape) == 2 and shape[0] == main.shape[1]
    if place == "Q":
        return len(shape) == 2 and shape[0] == shape[1] >= 2
    return len(shape) == 2 and min(shape) >= 2  # M


def shortened(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The program with as few statements as still fail."""
    changed = True
    while changed:
        changed = False
        for k in range(len(program.statements) - 1, -1, -1):
            rest = program.statements[:k] + program.statements[k + 1 :]
            if rest and fails(Program(rest)):
                program, changed = Program(rest), True
    return program
