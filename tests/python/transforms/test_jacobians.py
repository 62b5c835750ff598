"""jacobian, jacfwd, jacrev: shapes, modes, chunks, containers, complex numbers."""

import numpy as np
import pytest

import tapegrad as tg

MODES = [tg.jacobian, tg.jacfwd, tg.jacrev]
X = np.linspace(-1.2, 1.1, 7)


def f(x):
    return np.sin(x[:3]) * x[3]


def J(x):
    found = np.zeros((3, 7))
    found[:, :3] = np.diag(np.cos(x[:3]) * x[3])
    found[:, 3] = np.sin(x[:3])
    return found


@pytest.mark.parametrize("jacobian", MODES)
@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 100])
def test_dense(jacobian, chunk):
    found = jacobian(f, chunk=chunk)(X)
    assert type(found) is np.ndarray and found.dtype == np.float64
    assert np.allclose(found, J(X), rtol=1e-14)


@pytest.mark.parametrize("jacobian", MODES)
@pytest.mark.parametrize("into", [(), (2,), (2, 3), (0,)])
@pytest.mark.parametrize("out", [(), (3,), (1, 2), (0,)])
def test_output_axes_come_before_input_axes(jacobian, into, out):
    rng = np.random.default_rng(0)
    A = rng.standard_normal(out + into)
    found = jacobian(lambda x: np.tensordot(A, x, len(into)))(np.ones(into))
    assert found.shape == out + into and np.allclose(found, A, rtol=1e-14)


@pytest.mark.parametrize("jacobian", MODES)
def test_scalars(jacobian):
    assert jacobian(np.sin)(0.5) == pytest.approx(np.cos(0.5))
    assert type(jacobian(np.sin)(0.5)) is float
    assert np.allclose(jacobian(lambda x: x * np.arange(3.0))(2.0), np.arange(3.0))
    assert np.allclose(jacobian(np.sum)(np.ones(3)), np.ones(3))


@pytest.mark.parametrize("jacobian", MODES)
def test_containers_of_the_output_hold_those_of_the_input(jacobian):
    def g(p, s):
        return {"a": p["w"] * s, "b": (np.sum(p["w"]), 7.0)}

    w = np.arange(3.0)
    found = jacobian(g, argnums=(0, 1))({"w": w}, 2.0)
    assert np.array_equal(found["a"][0]["w"], 2 * np.eye(3))
    assert np.array_equal(found["a"][1], w)
    assert np.array_equal(found["b"][0][0]["w"], np.ones(3)) and found["b"][0][1] == 0.0
    assert np.array_equal(found["b"][1][0]["w"], np.zeros(3)) and found["b"][1][1] == 0.0
    assert np.array_equal(jacobian(g)({"w": w}, 2.0)["a"]["w"], 2 * np.eye(3))


@pytest.mark.parametrize("jacobian", MODES)
def test_aux(jacobian):
    found, aux = jacobian(lambda x: (f(x), {"y": x[0] * 2}), has_aux=True)(X)
    assert np.allclose(found, J(X)) and aux == {"y": 2 * X[0]}


@pytest.mark.parametrize("jacobian", MODES)
@pytest.mark.parametrize("chunk", [None, 2])
def test_complex(jacobian, chunk):
    x = np.linspace(0.1, 0.9, 3)
    z = x + 0.5j
    found = jacobian(np.exp, holomorphic=True, chunk=chunk)(z)
    assert np.allclose(found, np.diag(np.exp(z)), rtol=1e-14)
    found = jacobian(lambda x: np.exp(1j * x), chunk=chunk)(x)  # real to complex
    assert np.allclose(found, np.diag(1j * np.exp(1j * x)), rtol=1e-14)
    found = jacobian(lambda z: np.real(z) ** 2 + np.imag(z), chunk=chunk)(z)  # complex to real
    assert np.allclose(found, np.diag(2 * x - 1j), rtol=1e-14)
    with pytest.raises(TypeError, match="holomorphic"):
        jacobian(np.exp)(z)


@pytest.mark.parametrize("jacobian", MODES)
def test_complex_leaves_beside_real_ones(jacobian):
    found = jacobian(lambda x: (x * 2.0, x * 1j))(np.ones(2))
    assert found[0].dtype == np.float64 and np.array_equal(found[0], 2 * np.eye(2))
    assert found[1].dtype == np.complex128 and np.array_equal(found[1], 1j * np.eye(2))


@pytest.mark.parametrize("jacobian", MODES)
def test_float32(jacobian):
    found = jacobian(lambda x: x * x)(np.ones(2, np.float32))
    assert found.dtype == np.float32 and np.array_equal(found, 2 * np.eye(2))


@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("inner", MODES)
@pytest.mark.parametrize("chunk", [None, 2])
def test_nested(outer, inner, chunk):
    cubes = lambda x: x**3 * x[0]
    x = np.array([0.5, -1.0, 2.0])
    found = outer(inner(cubes, chunk=chunk), chunk=chunk)(x)
    n = len(x)
    wanted = np.zeros((n, n, n))
    for i in range(n):
        wanted[i, i, i] += 6 * x[i] * x[0]
        wanted[i, i, 0] += 3 * x[i] ** 2
        wanted[i, 0, i] += 3 * x[i] ** 2
    assert np.allclose(found, wanted, rtol=1e-13)


def test_default_chunk_bounds_memory():
    import tracemalloc

    n = 600
    A = np.random.default_rng(0).standard_normal((n, n))
    tracemalloc.start()
    found = tg.jacobian(lambda x: np.tanh(A @ np.tanh(A @ x)))(np.linspace(-1, 1, n))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.shape == (n, n) and peak < 600e6
