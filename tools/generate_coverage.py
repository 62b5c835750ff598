"""Writes docs/coverage.md: every function with a derivative rule, what derivatives it has and for
which dtypes, as found by running the expressions of the tests; with --check only compares.

    PYTHONPATH=python python tools/generate_coverage.py [--check]
"""

from __future__ import annotations

import difflib
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import coverage_registry as registry
import numpy as np
import scipy.sparse as sp
from coverage_names import wanted
from coverage_registry import OPS, ROOT, Entry, Tested

import tapegrad as tg
import tapegrad.numpy as tnp
from tapegrad.functions.ufuncs import CALLS, COMPLEX_CALLS

PAGE = ROOT / "docs" / "coverage.md"
DTYPES = {"f64": None, "f32": np.float32, "c128": complex}
MOST_EXPRESSIONS = 8  # that are tried for one function; the shortest come first
HEAD = """# Coverage

<!-- Written by tools/generate_coverage.py; do not edit. -->

The functions that have derivative rules. "any order" stands for forward and reverse mode, nested
as deep as one likes; it was found by running the expressions of the tests to second order. "zero":
the value passes and the derivative is exactly zero; comparisons become guards in programs.
"structure": what is asked about (a shape, a dtype) does not depend on the values. "assignment":
writes into a recorded array, or makes one to write into. f64, f32 and c128 are the dtypes that were
tried with success; NumPy and SciPy do not take every function in each of them.

NumPy's and SciPy's own functions take recorded values as they are, and so do the same names in
`tapegrad.numpy` and `tapegrad.scipy`. What they do not dispatch is reached in those namespaces
only, and listed under them. Everything else raises `tg.UnsupportedError` with its name. Of several
names for one function (`abs`, `acos`, `digamma`) its own is listed (`absolute`, `arccos`, `psi`).
"""


def page() -> tuple[str, list[str]]:
    """The text, and the functions that are wanted and missing."""
    entries = registry.entries()
    tested = registry.tested()
    sections: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        module, name = entry.name.rsplit(".", 1)
        row = " | ".join([f"`{name}`", *_properties(entry, tested)])
        sections[module].append(f"| {row} |")
    lines = [HEAD]
    for module, rows in sorted(sections.items()):
        lines += [f"## {module}", "", "| function | derivatives | dtypes |", "| --- | --- | --- |"]
        lines += [*rows, ""]
    missing = [name for name in wanted() if not registry.is_covered(name, entries)]
    if missing:
        lines += ["## Not there yet", "", *_wrapped(f"`{name}`" for name in missing), ""]
    return "\n".join(lines), missing


def _properties(entry: Entry, tested: Tested) -> tuple[str, str]:
    if entry.kind == "structure":
        return "structure", "any"
    if entry.kind == "zero":
        return "zero", _dtypes(_runs_on(tested.expressions_of(entry)[:MOST_EXPRESSIONS]))
    if entry.kind == "op":
        op = OPS[entry.function.__name__]
        name = op["name"]
        is_complex = op["complex"] or name in COMPLEX_CALLS or name in CALLS
        return "any order", _dtypes(["f64", "f32", *(["c128"] if is_complex else [])])
    if entry.name in SAMPLES:
        sample = SAMPLES[entry.name]
        found = {d: _orders(lambda x: sample(entry.function, x), (_sample(d),)) for d in DTYPES}
        return _most(found), _dtypes(d for d in DTYPES if found[d])
    if entry.name in WRITERS:
        orders = {d: _orders(WRITERS[entry.name], (_sample(d),)) for d in DTYPES}
        return f"assignment, {_most(orders)}", _dtypes(d for d in DTYPES if orders[d])
    expressions = tested.expressions_of(entry)[:MOST_EXPRESSIONS]
    if not expressions:
        return "not sampled", ""
    if not any(map(_has_fraction, expressions)):
        return "zero", _dtypes(_runs_on(expressions))
    found = {dtype: _best(expressions, dtype) for dtype in DTYPES}
    return _most(found), _dtypes(dtype for dtype in DTYPES if found[dtype])


def _has_fraction(expression: str) -> bool:
    """Whether a number of the result may have a derivative."""
    from functions.expressions import arguments, function_of

    f, names = function_of(expression)
    found: list[str] = []
    _succeeds(lambda: found.extend(_kinds(f(*arguments(names)))))
    return bool(names) and bool({"f", "c"} & set(found))


def _best(expressions: Iterable[str], dtype: str) -> int:
    """The highest order that one of the expressions reaches."""
    from functions.expressions import arguments, function_of

    best = 0
    for expression in expressions:
        f, names = function_of(expression)
        if best < 2 and names:
            best = max(best, _orders(f, arguments(names, DTYPES[dtype])))
    return best


def _runs_on(expressions: Iterable[str]) -> list[str]:
    """The dtypes on which one of the expressions runs recorded."""
    from functions.expressions import arguments, function_of

    made = [function_of(expression) for expression in expressions]

    def runs(f: Callable[..., Any], names: list[str], dtype: Any) -> bool:
        def call(*args: Any) -> float:
            f(*args)
            return 0.0

        return bool(names) and _succeeds(lambda: tg.vjp(call, *arguments(names, dtype)))

    return [d for d, dtype in DTYPES.items() if any(runs(f, names, dtype) for f, names in made)]


def _orders(f: Callable[..., Any], args: tuple[Any, ...]) -> int:
    """2 where forward, reverse and forward over reverse run, 1 without the last, else 0."""

    every = tuple(range(len(args)))
    tangents = tuple(np.ones_like(a) if isinstance(a, np.ndarray) else 1.0 for a in args)

    def gradient(*args: Any) -> Any:
        return tg.grad(lambda *a: _total(f(*a)), every)(*args)

    if not (
        _succeeds(lambda: f(*args))
        and _succeeds(lambda: tg.jvp(f, args, tangents))
        and _succeeds(lambda: gradient(*args))
    ):
        return 0
    return 2 if _succeeds(lambda: tg.jvp(gradient, args, tangents)) else 1


def _total(result: Any) -> Any:
    """The sum of the real parts of all numbers with a fraction in a result."""
    leaves, _ = tg.pytree.flatten(result)
    kinds = _kinds(result)
    parts = [np.sum(leaf.real) for leaf, kind in zip(leaves, kinds, strict=True) if kind in "fc"]
    return sum(parts, 0.0)


def _kinds(result: Any) -> list[str]:
    leaves, _ = tg.pytree.flatten(result)
    return [np.asarray(tg.stop_gradient(leaf)).dtype.kind for leaf in leaves]


def _succeeds(call: Callable[[], Any]) -> bool:
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except Exception:  # whatever the reason is: it does not run
        return False
    return True


def _most(orders: dict[str, int]) -> str:
    return {0: "none", 1: "first order", 2: "any order"}[max(orders.values())]


def _dtypes(names: Iterable[str]) -> str:
    return " ".join(names)


def _wrapped(names: Iterable[str]) -> list[str]:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > 110:
            lines.append("")
        lines[-1] += f"{name} "
    return [line.rstrip() for line in lines]


def _writing(write: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = x.copy()
        write(y, x)
        return y

    return f


def _filling(name: str) -> Callable[[Any], Any]:
    def f(x: Any) -> Any:
        y = getattr(tnp, name)(3, dtype=x.dtype)
        y[...] = x * x
        return y

    return f


# No expression calls these: functions that write into their first argument, and functions of
# numbers whose arrays are written into.
WRITERS: dict[str, Callable[[Any], Any]] = {
    "numpy.copyto": _writing(lambda y, x: np.copyto(y, x * x)),
    "numpy.put": _writing(lambda y, x: np.put(y, [0, 2], x[:2] * x[0])),
    "numpy.put_along_axis": _writing(
        lambda y, x: np.put_along_axis(y, np.array([1, 0]), x[:2] * x[1], 0)
    ),
    "numpy.place": _writing(lambda y, x: np.place(y, [True, False, True], x[:2] * x[1])),
    "numpy.putmask": _writing(lambda y, x: np.putmask(y, [True, False, True], x * x)),
    "numpy.fill_diagonal": _writing(
        lambda y, x: np.fill_diagonal(np.reshape(y, (3, 1)), x[1] * x[2])
    ),
    **{
        f"tapegrad.numpy.{name}": _filling(name)
        for name in "arange empty eye identity ones tri zeros".split()
    },
}

MATRIX = sp.csc_array(np.diag([2.0, 3.0, 4.0]))
PLACES = np.arange(3)
# Functions and classes that take functions, or give objects: what is asked of them, at an array of
# three numbers.
SAMPLES: dict[str, Callable[[Any, Any], Any]] = {
    "numpy.roots": lambda f, x: f(x),
    "tapegrad.numpy.argsort": lambda f, x: x[f(x)],
    "tapegrad.numpy.sort": lambda f, x: f(x),
    "tapegrad.scipy.integrate.quad": lambda f, x: f(lambda t: t * x[0], 0.0, x[1])[0],
    "tapegrad.scipy.integrate.fixed_quad": lambda f, x: f(lambda t: t * x[0], 0.0, x[1])[0],
    "tapegrad.scipy.integrate.odeint": lambda f, x: f(lambda y, t: -y * y, x, [0.0, 0.3]),
    "tapegrad.scipy.integrate.solve_ivp": lambda f, x: f(lambda t, y: -y * y, (0.0, 0.3), x).y,
    "tapegrad.scipy.interpolate.CubicHermiteSpline": lambda f, x: f(np.arange(3.0), x, x)(0.7),
    "tapegrad.scipy.interpolate.CubicSpline": lambda f, x: f(np.arange(3.0), x)(0.7),
    "tapegrad.scipy.interpolate.PchipInterpolator": lambda f, x: f(np.arange(3.0), x)(0.7),
    "tapegrad.scipy.interpolate.PPoly": lambda f, x: f(np.reshape(x, (3, 1)), [0.0, 1.0])(0.7),
    "tapegrad.scipy.interpolate.interp1d": lambda f, x: f(np.arange(3.0), x)(0.7),
    "tapegrad.scipy.interpolate.BSpline": lambda f, x: f(np.arange(6.0), x, 2)(2.3),
    "tapegrad.scipy.interpolate.make_interp_spline": lambda f, x: f(np.arange(3.0), x, 2)(0.7),
    "tapegrad.scipy.sparse.linalg.factorized": lambda f, x: f(MATRIX)(x),
    "tapegrad.scipy.sparse.linalg.splu": lambda f, x: f(MATRIX).solve(x),
    "tapegrad.scipy.sparse.linalg.spsolve": lambda f, x: f(MATRIX, x),
    **{
        f"tapegrad.scipy.sparse.{kind}": lambda f, x: f((x, (PLACES, PLACES)), shape=(3, 3)) @ x
        for kind in "coo_array coo_matrix csc_array csc_matrix csr_array csr_matrix".split()
    },
}


def _sample(dtype: str) -> Any:
    return np.array([0.5, 1.5, 2.5]).astype(DTYPES[dtype] or np.float64)


def main(arguments: list[str]) -> int:
    text, missing = page()
    bare = re.findall(r"`(\w+)` \| not sampled", text)
    if bare:
        print("no expression of the tests calls these; write one, or an entry of SAMPLES:")
        print(*_wrapped(bare), sep="\n  ")
    if missing:
        print(f"{len(missing)} wanted functions have no rule:", *_wrapped(missing), sep="\n  ")
    if arguments != ["--check"]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    old = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    diff = list(
        difflib.unified_diff(old.splitlines(), text.splitlines(), str(PAGE), "now", lineterm="")
    )
    if diff:
        print(*diff, sep="\n")
        print("docs/coverage.md is out of date: run tools/generate_coverage.py")
    return 1 if diff else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
