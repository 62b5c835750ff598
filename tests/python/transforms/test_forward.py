"""jvp, linearize and derivative."""

import numpy as np
import pytest

import tapegrad as tg

X = np.linspace(-1.2, 1.1, 7)
V = np.cos(np.arange(7.0))


def f(x):
    return np.sin(x[:3]) * x[3:6] + x[6]


def test_jvp():
    value, tangent = tg.jvp(f, (X,), (V,))
    assert type(value) is np.ndarray and np.array_equal(value, f(X))
    wanted = np.cos(X[:3]) * V[:3] * X[3:6] + np.sin(X[:3]) * V[3:6] + V[6]
    assert type(tangent) is np.ndarray and np.allclose(tangent, wanted, rtol=1e-14)


def test_numbers():
    value, tangent = tg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.5))
    assert (value, tangent) == (6.0, 4.0) and type(tangent) is float


def test_linearize_runs_the_function_once():
    calls = []
    value, push = tg.linearize(lambda x: calls.append(1) or f(x), X)
    J = tg.jacobian(f)(X)
    for v in (V, -V, np.zeros(7), np.arange(7)):
        assert np.allclose(push(v), J @ v, rtol=1e-14)
    assert np.array_equal(value, f(X)) and len(calls) == 1


def test_trees_in_and_out():
    g = lambda p, x: {"y": p["w"] * x, "c": 2.0, "pair": (p["b"], np.arange(2))}
    primals = {"w": 2.0, "b": np.ones(2)}, np.arange(3.0)
    tangents = {"b": np.array([5.0, 6.0]), "w": 1.0}, np.ones(3)
    value, tangent = tg.jvp(g, primals, tangents)
    assert value["c"] == 2.0 and tangent["c"] == 0.0
    assert np.array_equal(tangent["y"], np.arange(3.0) + 2.0)
    assert np.array_equal(tangent["pair"][0], [5.0, 6.0])
    assert np.array_equal(tangent["pair"][1], [0.0, 0.0])
    _, push = tg.linearize(g, *primals)
    assert np.array_equal(push(*tangents)["y"], tangent["y"])


def test_aux():
    assert tg.jvp(lambda x: (x * x, "a"), (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, "a")
    value, push, aux = tg.linearize(lambda x: (x * x, {"x": x}), 3.0, has_aux=True)
    assert (value, push(1.0), aux) == (9.0, 6.0, {"x": 3.0})


def test_dtypes():
    value, tangent = tg.jvp(lambda x: x * x, (np.ones(2, np.float32),), (np.ones(2),))
    assert value.dtype == tangent.dtype == np.float32
    value, tangent = tg.jvp(lambda x: np.exp(1j * x), (0.5,), (1.0,))
    assert tangent == pytest.approx(1j * np.exp(0.5j), rel=1e-14)
    _, tangent = tg.jvp(lambda z: np.conj(z) * z, (1 + 2j,), (1j,))
    assert tangent == pytest.approx(4.0)  # d|z|^2 along i


def test_pushforward_within_another_recording():
    _, push = tg.linearize(lambda x: np.sin(x) * 2.0, X)
    found = tg.grad(lambda v: np.sum(push(v) ** 2))(V)
    assert np.allclose(found, 2 * (2 * np.cos(X)) ** 2 * V, rtol=1e-13)


@pytest.mark.parametrize("order", range(6))
def test_derivatives_of_sin(order):
    x = np.linspace(-2, 2, 5)
    wanted = [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)][order % 4]
    assert np.allclose(tg.derivative(np.sin, order)(x), wanted(x), rtol=1e-13, atol=1e-15)
    found = tg.derivative(np.sin, order)(0.7)
    assert np.shape(found) == () and found == pytest.approx(wanted(0.7), rel=1e-13)


def test_derivative_of_a_curve():
    curve = lambda t: np.stack([np.cos(t), np.sin(t), t * t])
    assert np.allclose(tg.derivative(curve, 2)(0.3), [-np.cos(0.3), -np.sin(0.3), 2.0])


def test_derivative_passes_arguments_on():
    assert tg.derivative(lambda x, a, *, b: a * x**b, 2)(2.0, 3.0, b=4) == 144.0


def test_derivative_of_a_constant():
    assert tg.derivative(lambda x: 3.0)(1.0) == 0.0
    assert tg.derivative(lambda x: 2.0 * x, 3)(1.0) == 0.0
