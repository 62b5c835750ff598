"""One test for each fixed defect of views and of what is written through them; each failed
before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
import tapegrad.numpy as tnp

X = np.array([1.0, 2.0, 3.0, 4.0])


def value_of(f: Callable[[Any], Any], x: Any = X) -> Any:
    return tg.vjp(f, x)[0]


# Views ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        lambda y: y[::-1][2:],
        lambda y: y[::-1][::-1],
        lambda y: np.flip(y)[1:],
        lambda y: y.reshape(2, 2)[::-1][1],
        lambda y: y.reshape(2, 2).T[::-1, ::-1][0, 1:],
    ],
)
def test_views_of_reversed_views_write_through(cut: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        cut(y)[0] = 9.0
        return y

    np.testing.assert_array_equal(value_of(f), f(X))


def test_a_reshape_that_copies_is_no_view() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        z = y.T.reshape(-1)
        z[0] = 99.0
        return y

    for _ in range(20):  # it depended on where the copy lay in memory
        np.testing.assert_array_equal(value_of(f), f(X))


def test_a_reshape_is_a_view_after_a_write_through_the_transpose() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        y.T[0] = x[:2] * 10.0
        y.reshape(-1)[3] = x[0]
        return y

    np.testing.assert_array_equal(value_of(f), f(X))


def test_the_chain_of_views_stays_short() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        while x.shape[0] > 1:
            total = total + x[0] * x[1]
            x = x[1:]
        return total

    n = 30000  # took time in proportion to n**2: minutes
    begin = time.perf_counter()
    gradient = tg.grad(f)(np.ones(n))
    assert time.perf_counter() - begin < 10
    np.testing.assert_array_equal(gradient, [1.0, *[2.0] * (n - 2), 1.0])


@pytest.mark.parametrize("shaped", [np.atleast_1d, lambda s: s.reshape(1), np.expand_dims])
def test_a_shaped_scalar_does_not_write_to_the_scalar(shaped: Callable[..., Any]) -> None:
    def f(x: Any) -> Any:
        s = x[0]
        z = shaped(s, 0) if shaped is np.expand_dims else shaped(s)
        z += 10.0
        return s * x[1]

    value, gradient = tg.value_and_grad(f)(X)
    assert value == 2.0
    np.testing.assert_array_equal(gradient, [2.0, 1.0, 0.0, 0.0])


def test_a_refused_assignment_leaves_the_parent_as_it_was() -> None:
    def f(x: Any) -> Any:
        y = x * 2.0
        with pytest.raises(ValueError, match="read-only"):
            np.broadcast_to(y, (3, 4))[0, 0] = 5.0
        return y

    np.testing.assert_array_equal(value_of(f), 2 * X)
    np.testing.assert_array_equal(tg.jacobian(f)(X), 2 * np.eye(4))


# Views that become active through their parent ----------------------------------------------------


def late(x: Any) -> Any:
    """A view made before its parent held anything recorded."""
    y = tnp.zeros(4)
    v = y[:2]
    y[0] = 3.0 * x[0]
    return v


@pytest.mark.parametrize("transform", [tg.jacobian, tg.jacfwd, tg.jacrev])
def test_a_view_that_became_active_is_no_constant(transform: Callable[..., Any]) -> None:
    expected = np.zeros((2, 4))
    expected[0, 0] = 3.0
    np.testing.assert_array_equal(transform(late)(X), expected)


def test_a_view_that_became_active_does_not_detach() -> None:
    with pytest.raises(tg.DetachedError):
        tg.grad(lambda x: np.asarray(late(x)).sum() * x[0])(X)


def test_a_view_outside_of_a_recording_shows_its_parent() -> None:
    def f(x: Any) -> Any:
        y = tnp.zeros(3)
        made.append((y, y[1:]))
        return x[0]

    made: list[Any] = []
    tg.grad(f)(X)
    y, v = made[0]
    y[1] = 5.0
    np.testing.assert_array_equal(tg.stop_gradient(v), [5.0, 0.0])


# Views of another kind: flat, and the parts of complex numbers ------------------------------------


def test_flat_of_a_transposed_array_writes_through() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        row = y.T.flat
        y[1, 0] = x[3] * 3.0  # seen by the view
        row[2] = 7.0 * row[1]
        y.T.flat[[0, 3]] = 5.0
        return np.sum(y * np.array([[1.0, 10.0], [100.0, 1000.0]]))

    value, gradient = tg.value_and_grad(f)(X)
    assert value == 5.0 + 10.0 * 21.0 * X[3] + 100.0 * 3.0 * X[3] + 5000.0
    assert gradient.tolist() == [0.0, 0.0, 0.0, 510.0]
    tg.testing.check_grads(f, (X,), order=2)
    assert tg.grad(lambda x: x.reshape(2, 2).T.flat[1] ** 2)(X).tolist() == [0.0, 0.0, 6.0, 0.0]


def test_real_and_imaginary_parts_write_through() -> None:
    def f(np_: Any, x: Any) -> Any:
        z = x * (1.0 + 2.0j)
        real, corner = z.real, z.reshape(2, 2)[1].imag
        z.real[1] = 3.0 * x[0]  # a view of a view
        z.imag[...] = x**2
        corner[0] = 5.0 * x[1]  # z[2]
        z.real = z.imag * 2.0
        real[0] += x[3]
        z.imag[2:] *= x[0]
        return np_.sum(real * np_.array([1.0, 10.0, 100.0, 1000.0])) + np_.sum(z.imag**2)

    value, gradient = tg.value_and_grad(lambda x: f(np, x))(X)
    assert value == f(np, X.copy())
    tg.testing.check_grads(lambda x: f(np, x), (X,), order=2)
    program = tg.function(lambda x: f(np, x))
    for x in (X, X + 1.0):
        assert tg.grad(program)(x) == pytest.approx(tg.grad(lambda x: f(np, x))(x), rel=1e-14)
    assert tg.hessian(program)(X) == pytest.approx(tg.hessian(lambda x: f(np, x))(X), rel=1e-13)
    assert gradient.shape == (4,)


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, -0.0])
def test_parts_that_are_no_numbers_stay_apart(special: float) -> None:
    def f(x: Any) -> Any:
        z = x + 1j * np.array([special, 1.0])
        z.real[0] = special
        z.imag[1] = special
        return z.real, z.imag

    with np.errstate(all="ignore"):
        for found, expected in zip(tg.vjp(f, X[:2])[0], f(X[:2]), strict=True):
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_what_has_no_parts_to_assign() -> None:
    def imaginary(x: Any) -> Any:
        x = x.copy()
        x.imag = 1.0

    def number(x: Any) -> Any:
        (x[0] + 1j).real = 1.0

    def gone(x: Any) -> Any:
        z = x + 1j
        del z.real

    for f, message in (
        (imaginary, "no imaginary part"),
        (number, "no parts to assign"),
        (gone, "cannot delete"),
    ):
        with pytest.raises(TypeError, match=message):
            tg.grad(f)(X)

    def real(x: Any) -> Any:
        y = x * 2.0
        y.real = x**2
        return np.sum(y)

    assert tg.grad(real)(X).tolist() == (2.0 * X).tolist()
