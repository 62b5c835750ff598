"""Checks every derivative of a function made of ops of the core by differences of the function.

Used by the tests of selection, shapes, indexing and reductions, whose operands are partly indices
or conditions: the function closes over those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ops.single_op import assert_close, difference, pairing, recording, sample

from tapegrad import _core

Function = Callable[..., Any]
DIRECTIONS = 3
LAYOUTS = ("C", "F", "strided", "reversed", "broadcast")


def apply(name: str, operands: Sequence[Any], attrs: Sequence[int] = ()) -> Any:
    return _core.apply(name, tuple(operands), tuple(int(a) for a in attrs))


def arranged(x: np.ndarray, layout: str) -> np.ndarray:
    """The same values (or, for `broadcast`, repeated ones) in another memory layout."""
    if layout == "F":
        return np.asarray(x, order="F")
    if layout == "strided" and x.ndim:
        wide = np.zeros([2 * n + 1 for n in x.shape], x.dtype)
        part = wide[tuple(slice(1, 2 * n + 1, 2) for n in x.shape)]
        part[...] = x
        return part
    if layout == "reversed":
        return np.flip(np.flip(x).copy())
    if layout == "broadcast" and x.ndim and x.shape[0]:
        return np.broadcast_to(x[:1], x.shape)
    return x


class Recorded:
    """A function of inputs, recorded, and its sweeps as functions of arrays."""

    def __init__(self, tape: Any, f: Function, xs: Sequence[np.ndarray]):
        self.tape, self.begin = tape, tape.mark()
        self.inputs = [tape.input(x) for x in xs]
        self.output = f(*self.inputs)

    def tangent(self, ts, directions=0):
        return np.asarray(
            self.tape.tangent(
                self.inputs, list(ts), [self.output], self.begin, directions=directions
            )[0]
        )

    def adjoint(self, g, directions=0):
        return self.tape.adjoint([self.output], [g], self.inputs, self.begin, directions=directions)


def gradients(f: Function, xs: Sequence[np.ndarray], g: np.ndarray) -> list[np.ndarray]:
    with recording() as tape:
        return [np.asarray(a) for a in Recorded(tape, f, xs).adjoint(g)]


def check(f: Function, *xs: np.ndarray) -> None:
    """Tangent, adjoint, directions and second order of `f` and of its square at `xs`."""
    for g in (f, lambda *points: (y := f(*points)) * y):
        check_sweeps(g, xs)


def check_sweeps(f: Function, xs: Sequence[np.ndarray]) -> None:
    with recording() as tape:
        op = Recorded(tape, f, xs)
        value = np.asarray(f(*xs))
        assert_close(_core.value(op.output), value, 1e-14, "value")

        def directions():
            return [sample(x.shape, x.dtype.str[1:]) for x in xs]

        ts, g = directions(), sample(value.shape, value.dtype.str[1:])
        tangent, adjoints = op.tangent(ts), op.adjoint(g)
        assert tangent.dtype == value.dtype
        assert_close(tangent, difference(f, xs, ts), 1e-6, "tangent")
        for a, x in zip(adjoints, xs, strict=True):
            assert np.shape(a) == x.shape and np.asarray(a).dtype == x.dtype
        paired = sum(pairing(a, t) for a, t in zip(adjoints, ts, strict=True))
        assert_close(paired, pairing(g, tangent), 1e-9, "adjoint identity")
        check_directions(op, [directions() for _ in range(DIRECTIONS)], value)
        check_second_order(op, f, xs, ts, g)


def check_directions(op: Recorded, many, value: np.ndarray) -> None:
    """Several directions at once give what one after the other gives."""
    together = op.tangent([np.stack(ts) for ts in zip(*many, strict=True)], DIRECTIONS)
    seeds = np.stack([sample(value.shape, value.dtype.str[1:]) for _ in range(DIRECTIONS)])
    pulled = op.adjoint(seeds, DIRECTIONS)
    for k, ts in enumerate(many):
        assert_close(together[k], op.tangent(ts), 1e-9, "tangents of several directions")
        for a, b in zip(pulled, op.adjoint(seeds[k]), strict=True):
            assert_close(a[k], b, 1e-9, "adjoints of several directions")


def check_second_order(op: Recorded, f: Function, xs, ts, g) -> None:
    """Forward over reverse and reverse over reverse against differences of gradients."""
    _, first, products = op.tape.second_order(op.output, g, op.inputs, list(ts), op.begin)
    recorded = op.tape.adjoint([op.output], [g], op.inputs, op.begin, record=True)
    for i, (a, again) in enumerate(zip(op.adjoint(g), recorded, strict=True)):
        expected = difference(lambda *points: gradients(f, points, g)[i], xs, ts)
        assert_close(first[i], a, 1e-9, "gradient of the second-order sweep")
        assert_close(_core.value(again), a, 1e-9, "recorded gradient")
        assert_close(products[i], expected, 1e-5, "forward over reverse")
        twice = op.tape.adjoint([again], [ts[i]], op.inputs, op.begin)
        paired = sum(pairing(b, t) for b, t in zip(twice, ts, strict=True))
        assert_close(paired, pairing(ts[i], expected), 1e-4, "reverse over reverse")
