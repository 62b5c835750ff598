"""The table of kinks and singular points in docs/conventions.md: every row in both modes, one in
the other, as arrays, and in programs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import tapegrad as tg
from tapegrad.scipy import special as tspecial

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conventions.md"
NAMES = {"np": np, "special": special, "tspecial": tspecial}


def rows():
    text = PAGE.read_text().split("### In one table")[1].split("\n## ")[0]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(" | ")]
        if len(cells) != 4 or not cells[0].startswith("| `"):
            continue
        for expression in re.findall(r"`([^`]+)`", cells[0].split(" (write")[0]):
            yield expression, cells[1], cells[2], cells[3].removesuffix("|").strip()


def numbers(text):
    return [[float(n) for n in row.split(",")] for row in text.split(";")]


def function_and_point(expression, at):
    """The expression as a function of one vector, and the vector."""
    code = compile(expression, expression, "eval")
    if at.startswith("["):
        point = np.array(numbers(at.strip("[]"))[0])
        return (lambda p: eval(code, {**NAMES, "x": p})), point
    point = np.array(numbers(at)[0])
    names = "xy"[: point.size]
    return lambda p: eval(code, {**NAMES, **{n: p[k] for k, n in enumerate(names)}}), point


def forward(f):
    def gradient(p):
        unit = np.eye(p.size)
        return np.stack([tg.jvp(f, (p,), (unit[k],))[1] for k in range(p.size)])

    return gradient


ROWS = list(rows())


def test_the_table_is_read():
    assert len(ROWS) > 80
    assert {"np.abs(x)", "max(x, 0.0)", "np.std(x)"} <= {row[0] for row in ROWS}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("expression", "at", "first", "second"), ROWS)
def test_row(expression, at, first, second):
    f, point = function_and_point(expression, at)
    program = tg.function(f)
    wanted = np.array(numbers(first)[0])
    for gradient in (tg.grad(f), forward(f), program.grad):
        np.testing.assert_allclose(gradient(point), wanted, rtol=1e-14, atol=1e-15)
    if second == "-":
        return
    wanted = np.array(numbers(second))
    hessians = {
        "hessian": tg.hessian(f),
        "reverse over reverse": tg.jacrev(tg.grad(f)),
        "forward over reverse": tg.jacfwd(tg.grad(f)),
        "forward over forward": tg.jacfwd(tg.jacfwd(f)),
        "reverse over forward": tg.jacrev(tg.jacfwd(f)),
        "products": lambda p: np.stack([tg.hvp(f, (p,), (e,)) for e in np.eye(p.size)]),
        "program": program.hessian,
        "program of the gradient": tg.function(tg.grad(f)).jacobian,
    }
    for name, hessian in hessians.items():
        np.testing.assert_allclose(hessian(point), wanted, 1e-14, 1e-15, err_msg=name)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", sorted({r[0] for r in ROWS if not r[1].startswith("[")}))
def test_arrays_as_numbers(expression):
    """Elementwise functions of arrays have the slopes that they have of numbers."""
    at, first = next(row[1:3] for row in ROWS if row[0] == expression)
    point, wanted = numbers(at)[0], numbers(first)[0]
    if ("max(x" in expression and "np" not in expression) or " if " in expression:
        return
    code = compile(expression, expression, "eval")

    def f(*args):
        return np.sum(eval(code, {**NAMES, **dict(zip("xy", args, strict=False))}))

    arrays = tuple(np.full(3, n) for n in point)
    found = tg.grad(f, tuple(range(len(point))))(*arrays)
    for g, n in zip(found, wanted, strict=True):
        np.testing.assert_allclose(g, np.full(3, n), rtol=1e-14)
