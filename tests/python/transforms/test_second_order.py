"""hvp, hessian, gauss_newton_product."""

import numpy as np
import pytest

import tapegrad as tg

X = np.linspace(-1.2, 1.1, 7)
V = np.arange(7.0)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_hessian(x):
    from scipy.optimize import rosen_hess

    return rosen_hess(x)


@pytest.mark.parametrize("chunk", [None, 1, 3, 100])
def test_hessian(chunk):
    found = tg.hessian(rosenbrock, chunk=chunk)(X)
    assert np.allclose(found, rosenbrock_hessian(X), rtol=1e-12)
    assert np.array_equal(found, found.T)


def test_both_forms_of_hvp():
    wanted = rosenbrock_hessian(X) @ V
    assert np.allclose(tg.hvp(rosenbrock)(X, V), wanted, rtol=1e-12)
    assert np.allclose(tg.hvp(rosenbrock, (X,), (V,)), wanted, rtol=1e-12)
    scaled = lambda x, a, *, b: a * b * rosenbrock(x)
    assert np.allclose(tg.hvp(scaled)(X, V, 2.0, b=3.0), 6.0 * wanted, rtol=1e-12)


def test_hvp_of_several_arguments():
    f = lambda x, p: np.sum(x**2) * p["s"] ** 3
    by_x, by_p = tg.hvp(f, (np.ones(2), {"s": 2.0}), (np.array([1.0, 0.0]), {"s": 1.0}))
    # H = [[2 s^3 I, 6 s^2 x], [6 s^2 x^T, 6 s |x|^2]]
    assert np.allclose(by_x, [16.0 + 24.0, 24.0]) and by_p["s"] == pytest.approx(24.0 + 24.0)


def test_numbers_stay_numbers():
    f = lambda x: x**3
    for found in (tg.hvp(f)(2.0, 1.0), tg.hvp(f, (2.0,), (1.0,)), tg.hessian(f)(2.0)):
        assert type(found) is float and found == pytest.approx(12.0)


def test_constants_and_linear_functions():
    assert np.array_equal(tg.hvp(lambda x: 3.0)(X, V), np.zeros(7))
    assert np.array_equal(tg.hvp(np.sum)(X, V), np.zeros(7))
    assert np.array_equal(tg.hessian(np.sum)(X), np.zeros((7, 7)))
    assert np.array_equal(tg.hessian(lambda x: 3.0)(X), np.zeros((7, 7)))
    assert tg.hessian(np.sum)(np.ones((0, 2))).shape == (0, 2, 0, 2)


def test_hessian_of_trees():
    f = lambda x, p: np.sum(x**2) * p["s"] ** 3
    x = np.array([1.0, 2.0])
    H = tg.hessian(f, argnums=(0, 1))(x, {"s": 2.0})
    assert np.allclose(H[0][0], 16 * np.eye(2))
    assert np.allclose(H[0][1]["s"], 24 * x) and np.allclose(H[1]["s"][0], 24 * x)
    assert H[1]["s"][1]["s"] == pytest.approx(60.0)


def test_hessian_of_matrices():
    A = np.arange(6.0).reshape(2, 3)
    H = tg.hessian(lambda x: np.sum(x**3) + x[0, 1] * x[1, 2])(A)
    wanted = np.diag(6 * A.ravel())
    wanted[1, 5] = wanted[5, 1] = 1.0
    assert H.shape == (2, 3, 2, 3) and np.allclose(H.reshape(6, 6), wanted)


def test_hessian_with_aux():
    H, aux = tg.hessian(lambda x: (np.sum(x**2), x[0] * 2), has_aux=True)(X)
    assert np.allclose(H, 2 * np.eye(7)) and aux == 2 * X[0]


def test_float32():
    x = np.linspace(0.1, 1, 3, dtype=np.float32)
    f = lambda x: np.sum(np.sin(x))
    for found in (tg.hvp(f)(x, np.ones(3)), tg.hessian(f)(x)):
        assert found.dtype == np.float32
    assert np.allclose(np.diag(tg.hessian(f)(x)), -np.sin(x), rtol=1e-6)


def test_complex():
    z = np.array([0.3 + 0.2j, 1.0 - 0.5j])
    H = tg.hessian(lambda z: np.sum(np.exp(z) * z[0]), holomorphic=True)(z)
    e = np.exp(z)
    wanted = np.array([[e[0] * z[0] + 2 * e[0], e[1]], [e[1], e[1] * z[0]]])
    assert np.allclose(H, wanted, rtol=1e-13)
    with pytest.raises(TypeError, match="holomorphic"):
        tg.hessian(lambda z: np.sum(np.abs(z)))(z)
    # The derivative of the gradient 2 conj(z) of |z|^2 along v is 2 conj(v).
    v = np.array([1j, 2.0])
    assert np.allclose(tg.hvp(lambda z: np.sum(np.real(z * np.conj(z))))(z, v), 2 * np.conj(v))


def rows(row):
    """A Hessian from its products with unit vectors."""
    return lambda f, x: np.stack([row(f, x, e) for e in np.eye(len(x))])


WAYS = {
    "hessian": lambda f, x: tg.hessian(f)(x),
    "jacfwd of grad": lambda f, x: tg.jacfwd(tg.grad(f))(x),
    "jacrev of grad": lambda f, x: tg.jacrev(tg.grad(f))(x),
    "jacfwd of jacrev": lambda f, x: tg.jacfwd(tg.jacrev(f))(x),
    "jacrev of jacfwd": lambda f, x: tg.jacrev(tg.jacfwd(f))(x),
    "jacfwd of jacfwd": lambda f, x: tg.jacfwd(tg.jacfwd(f))(x),
    "hvp": rows(lambda f, x, e: tg.hvp(f)(x, e)),
    "jvp of grad": rows(lambda f, x, e: tg.jvp(tg.grad(f), (x,), (e,))[1]),
    "vjp of grad": rows(lambda f, x, e: tg.vjp(tg.grad(f), x)[1](e)[0]),
    "grad of grad": rows(lambda f, x, e: tg.grad(lambda x: tg.grad(f)(x) @ e)(x)),
    "grad of jvp": rows(lambda f, x, e: tg.grad(lambda x: tg.jvp(f, (x,), (e,))[1])(x)),
}


@pytest.mark.parametrize("by", WAYS.values(), ids=WAYS)
def test_every_way_to_a_hessian(by):
    assert np.allclose(by(rosenbrock, X), rosenbrock_hessian(X), rtol=1e-11, atol=1e-10)


def residual(x):
    return np.stack([np.sin(x[0]) * x[1], x[1] ** 2, x[0] - 3.0 * x[1]])


def test_gauss_newton():
    x, v = np.array([0.4, 1.3]), np.array([1.0, -2.0])
    J = tg.jacobian(residual)(x)
    wanted = J.T @ (J @ v)
    assert np.allclose(tg.gauss_newton_product(residual)(x, v), wanted, rtol=1e-13)
    assert np.allclose(tg.gauss_newton_product(residual, (x,), (v,)), wanted, rtol=1e-13)


def test_gauss_newton_with_a_loss():
    x, v = np.array([0.4, 1.3]), np.array([1.0, -2.0])
    loss = lambda r: np.sum(np.logaddexp(0.0, r)) * r[0] ** 2
    J, H = tg.jacobian(residual)(x), tg.hessian(loss)(residual(x))
    found = tg.gauss_newton_product(residual, loss=loss)(x, v)
    assert np.allclose(found, J.T @ H @ J @ v, rtol=1e-12)
    nested = tg.grad(lambda v: tg.gauss_newton_product(residual, loss=loss)(x, v) @ v)(v)
    assert np.allclose(nested, 2 * J.T @ H @ J @ v, rtol=1e-12)


def test_gauss_newton_is_differentiable():
    x, v = np.array([0.4, 1.3]), np.array([1.0, -2.0])
    quadratic = lambda x: tg.gauss_newton_product(residual)(x, v) @ v

    def by_jacobian(x):
        Jv = tg.jacobian(residual)(x) @ v
        return Jv @ Jv

    assert np.allclose(tg.grad(quadratic)(x), tg.grad(by_jacobian)(x), rtol=1e-12)


def test_a_recorded_value_that_does_not_depend_on_the_arguments():
    """The gradient of a sum is one: a Variable, but no function of anything."""
    ones = lambda x: np.sum(tg.vjp(np.sum, x)[1](1.0)[0])
    x = np.ones(2)
    assert tg.hvp(ones, (x,), (x,)).tolist() == [0.0, 0.0]
    assert tg.hessian(ones)(x).tolist() == np.zeros((2, 2)).tolist()
    assert tg.grad(ones)(x).tolist() == [0.0, 0.0]
    tg.testing.check_grads(np.sum, (x,), order=3)
    tg.testing.check_grads(lambda x: 2.0 * x, (x,), order=4)
