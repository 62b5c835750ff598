"""Checks every derivative of one op of the core against references that do not use the core.

Used by the tests of products and linear algebra, which give NumPy's own function as the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from tapegrad import _core

Reference = Callable[..., Any]
RNG = np.random.default_rng(20240607)
DIRECTIONS = 3


def sample(shape: Sequence[int], dtype: str = "f8") -> np.ndarray:
    x = RNG.standard_normal(shape)
    if dtype == "c16":
        x = x + 1j * RNG.standard_normal(shape)
    return np.asarray(x, dtype=dtype)


def transposed(x: np.ndarray) -> np.ndarray:
    return np.swapaxes(x, -1, -2)


@contextmanager
def recording():
    tape = _core.Tape.enter()
    try:
        yield tape
    finally:
        tape.leave()


class Recorded:
    """An op applied to inputs, and its sweeps as functions of arrays."""

    def __init__(self, tape, name: str, operands: Sequence[Any], attrs: Sequence[int] = ()):
        self.tape, self.begin = tape, tape.mark()
        self.inputs = [tape.input(x) for x in operands]
        self.output = _core.apply(name, tuple(self.inputs), tuple(attrs))

    def tangent(self, tangents, directions=0):
        (t,) = self.tape.tangent(
            self.inputs, list(tangents), [self.output], self.begin, directions=directions
        )
        return np.asarray(t)

    def adjoint(self, cotangent, directions=0):
        return self.tape.adjoint(
            [self.output], [cotangent], self.inputs, self.begin, directions=directions
        )

    def second_order(self, seed, tangents, directions=0):
        return self.tape.second_order(
            self.output, seed, self.inputs, list(tangents), self.begin, directions=directions
        )


def pairing(a, b) -> float:
    """Re sum a b: how adjoints, which are not conjugated, meet tangents."""
    return float(np.sum(np.asarray(a) * np.asarray(b)).real)


def difference(f: Reference, xs, ts, *, holomorphic: bool = False):
    """The derivative of `f` along `ts`: by a complex step where there is one, else centrally."""
    if holomorphic and not any(np.iscomplexobj(x) for x in xs):
        h = 1e-25
        return np.imag(f(*(x + 1j * h * t for x, t in zip(xs, ts, strict=True)))) / h
    h = 1e-6
    ahead = f(*(x + h * t for x, t in zip(xs, ts, strict=True)))
    behind = f(*(x - h * t for x, t in zip(xs, ts, strict=True)))
    return (np.asarray(ahead) - np.asarray(behind)) / (2 * h)


def assert_close(actual, expected, tolerance: float, what: str) -> None:
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, (what, actual.shape, expected.shape)
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(
        actual, expected, rtol=tolerance, atol=tolerance * scale, err_msg=what
    )


def check_op(
    name: str,
    reference: Reference,
    xs: Sequence[np.ndarray],
    attrs: Sequence[int] = (),
    *,
    holomorphic: bool = True,
    project: Callable[[np.ndarray], np.ndarray] = lambda t: t,
) -> None:
    """Value, tangent, adjoint, several directions and second order of one op at `xs`.

    `project` maps random directions to those along which the op is defined (say symmetric ones).
    """
    with recording() as tape:
        op = Recorded(tape, name, xs, attrs)
        value = np.asarray(reference(*xs))
        assert_close(_core.apply(name, tuple(xs), tuple(attrs)), value, 1e-10, "value")
        dtype = value.dtype.str[1:]

        def directions():
            return [project(sample(x.shape, x.dtype.str[1:])) for x in xs]

        ts, g = directions(), sample(value.shape, dtype)
        tangent, adjoint = op.tangent(ts), op.adjoint(g)
        exact = holomorphic and not any(np.iscomplexobj(x) for x in xs)
        expected = difference(reference, xs, ts, holomorphic=holomorphic)
        assert_close(tangent, expected, 1e-10 if exact else 1e-6, "tangent")
        for a, x in zip(adjoint, xs, strict=True):
            assert np.shape(a) == x.shape and np.asarray(a).dtype == x.dtype
        paired = sum(pairing(a, t) for a, t in zip(adjoint, ts, strict=True))
        assert_close(paired, pairing(g, tangent), 1e-9, "adjoint identity")
        check_directions(op, [directions() for _ in range(DIRECTIONS)], value)
        check_second_order(op, name, attrs, xs, ts, g)


def check_directions(op: Recorded, many, value) -> None:
    """Several directions at once give what one after the other gives."""
    stacked = [np.stack(ts) for ts in zip(*many, strict=True)]
    together = op.tangent(stacked, directions=DIRECTIONS)
    seeds = np.stack([sample(value.shape, value.dtype.str[1:]) for _ in range(DIRECTIONS)])
    pulled = op.adjoint(seeds, directions=DIRECTIONS)
    *_, products = op.second_order(seeds[0], stacked, directions=DIRECTIONS)
    for k, ts in enumerate(many):
        assert_close(together[k], op.tangent(ts), 1e-9, "tangents of several directions")
        for a, b in zip(pulled, op.adjoint(seeds[k]), strict=True):
            assert_close(a[k], b, 1e-9, "adjoints of several directions")
        *_, one = op.second_order(seeds[0], ts)
        for a, b in zip(products, one, strict=True):
            assert_close(a[k], b, 1e-9, "second order in several directions")


def check_second_order(op: Recorded, name: str, attrs, xs, ts, g) -> None:
    """Forward over reverse and reverse over reverse against differences of gradients."""

    def gradient(i):
        def at(*points):
            with recording() as tape:
                return np.asarray(Recorded(tape, name, points, attrs).adjoint(g)[i])

        return at

    tangent, gradients, products = op.second_order(g, ts)
    assert_close(tangent, op.tangent(ts), 1e-9, "tangent of the forward sweep")
    again = op.tape.adjoint([op.output], [g], op.inputs, op.begin, record=True)
    for i, (first, recorded) in enumerate(zip(op.adjoint(g), again, strict=True)):
        expected = difference(gradient(i), xs, ts)
        assert_close(gradients[i], first, 1e-9, "gradient")
        assert_close(products[i], expected, 1e-5, "forward over reverse")
        if not isinstance(recorded, _core.Variable):  # it does not depend on the inputs
            assert_close(expected, np.zeros_like(expected), 1e-6, "constant gradient")
            continue
        w = ts[i]
        twice = op.tape.adjoint([recorded], [w], op.inputs, op.begin)
        paired = sum(pairing(a, t) for a, t in zip(twice, ts, strict=True))
        assert_close(paired, pairing(w, expected), 1e-4, "reverse over reverse")
