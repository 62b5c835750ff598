"""grad, value_and_grad, vjp, elementwise_grad, stop_gradient: values, types and containers."""

from collections import namedtuple
from dataclasses import dataclass

import numpy as np
import pytest

import tapegrad as tg

X = np.linspace(-1.2, 1.1, 7)


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_gradient(x):
    g = np.zeros_like(x)
    r = x[1:] - x[:-1] ** 2
    g[:-1] += -400.0 * r * x[:-1] - 2.0 * (1.0 - x[:-1])
    g[1:] += 200.0 * r
    return g


def test_gradient_and_value():
    assert np.allclose(tg.grad(rosenbrock)(X), rosenbrock_gradient(X), rtol=1e-13)
    value, gradient = tg.value_and_grad(rosenbrock)(X)
    assert value == rosenbrock(X) and isinstance(value, float)
    assert type(gradient) is np.ndarray and gradient.dtype == np.float64


@pytest.mark.parametrize(
    "x, kind",
    [(2.0, float), (3, float), (np.float64(2.0), np.float64), (np.float32(2.0), np.float32)],
)
def test_numbers_give_numbers(x, kind):
    value, gradient = tg.value_and_grad(lambda x: x * x)(x)
    assert type(gradient) is kind and gradient == 2 * x and value == x * x


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,), (0, 3), (2, 0, 1)])
def test_arrays_give_arrays_of_the_same_shape_and_dtype(dtype, shape):
    x = np.full(shape, 1.5, dtype)
    gradient = tg.grad(lambda x: np.sum(np.real(x * x)))(x)
    assert type(gradient) is np.ndarray
    assert gradient.shape == shape and gradient.dtype == dtype
    assert np.array_equal(gradient, 2 * x)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, ">i4"])
def test_integers_are_promoted(dtype):
    gradient = tg.grad(lambda x: np.sum(x**2))(np.arange(3, dtype=dtype))
    assert gradient.dtype == np.float64 and np.array_equal(gradient, [0.0, 2.0, 4.0])


def layouts():
    base = np.arange(24.0).reshape(4, 6) / 7
    frozen = base.copy()
    frozen.setflags(write=False)
    yield "contiguous", base
    yield "fortran", np.asfortranarray(base)
    yield "negative strides", base[::-1, ::-2]
    yield "slice", base[1::2, 2:5]
    yield "broadcast", np.broadcast_to(base[0], (3, 6))
    yield "read-only", frozen
    yield "byte-swapped", base.astype(">f8")
    yield "byte-swapped float32", base.astype(">f4")
    yield "0-d of a slice", base[2, 3:4].reshape(())


@pytest.mark.parametrize("x", [pytest.param(x, id=name) for name, x in layouts()])
def test_any_memory_layout(x):
    before = x.copy()
    gradient = tg.grad(lambda x: np.sum(np.sin(x) * x))(x)
    native = x.astype(x.dtype.newbyteorder("="))
    assert gradient.dtype == native.dtype and gradient.shape == x.shape
    rtol = 1e-14 if native.dtype == np.float64 else 1e-5
    assert np.allclose(gradient, np.sin(native) + native * np.cos(native), rtol=rtol, atol=rtol)
    assert np.array_equal(x, before)


def test_results_belong_to_the_caller():
    x = np.ones(3)
    for result in (
        tg.grad(np.sum)(x),
        tg.vjp(lambda x: x, x)[1](x)[0],
        tg.jvp(lambda x: x, (x,), (x,))[1],
        tg.hvp(lambda x: np.sum(x * x))(x, x),
        tg.jacobian(lambda x: x)(x),
        tg.hessian(lambda x: np.sum(x * x))(x),
        tg.jvp(lambda x: x, (x,), (x,))[0],
        tg.grad(lambda x: (np.sum(x), [x]), has_aux=True)(x)[1][0],
    ):
        result += 5.0
        assert np.array_equal(x, np.ones(3))
    value, pull = tg.vjp(np.exp, x)
    value[:] = 0.0
    assert np.array_equal(pull(x)[0], np.exp(x))


def test_argnums():
    f = lambda x, y, z: (x + y) * z
    assert tg.grad(f, argnums=(0, 1, 2))(-2.0, 5.0, -4.0) == (-4.0, -4.0, 3.0)
    assert tg.grad(f, argnums=2)(-2.0, 5.0, -4.0) == 3.0
    assert tg.grad(f, argnums=-1)(-2.0, 5.0, -4.0) == 3.0
    assert tg.grad(f, argnums=(-1, 0))(-2.0, 5.0, -4.0) == (3.0, -4.0)
    assert tg.grad(f, argnums=[1])(-2.0, 5.0, -4.0) == (-4.0,)
    assert tg.grad(f, argnums=np.int64(1))(-2.0, 5.0, -4.0) == -4.0


def test_keyword_arguments_are_passed_on():
    f = lambda x, *, power, scale=1.0: scale * x**power
    assert tg.grad(f)(3.0, power=2) == 6.0
    assert tg.value_and_grad(f)(3.0, power=3, scale=2.0) == (54.0, 54.0)
    assert np.array_equal(tg.hessian(f)(3.0, power=2), 2.0)
    assert tg.hvp(f)(3.0, 1.0, power=3) == 18.0
    assert tg.jacobian(f)(3.0, power=2) == 6.0
    assert tg.derivative(f, 2)(3.0, power=2) == 2.0


def test_aux():
    f = lambda a, b: (np.sum(a * b), {"n": 3, "twice": 2 * a, "text": "kept"})
    gradient, aux = tg.grad(f, argnums=1, has_aux=True)(np.arange(3.0), np.ones(3))
    assert np.array_equal(gradient, [0, 1, 2]) and aux["n"] == 3 and aux["text"] == "kept"
    assert type(aux["twice"]) is np.ndarray and np.array_equal(aux["twice"], [0, 2, 4])
    (value, aux), gradient = tg.value_and_grad(f, has_aux=True)(np.arange(3.0), np.ones(3))
    assert value == 3.0 and np.array_equal(gradient, [1, 1, 1])


class Parameters(namedtuple("Parameters", "w b")):
    pass


@dataclass
class Model:
    parameters: Parameters
    rest: dict


def test_pytrees():
    def loss(m):
        return np.sum(m.parameters.w * m.parameters.b) + np.sum(m.rest["z"][0] ** 2)

    model = Model(Parameters(np.ones(2), 3.0), {"z": [np.arange(2.0), None]})
    value, g = tg.value_and_grad(loss)(model)
    assert value == 7.0 and type(g) is Model and type(g.parameters) is Parameters
    assert np.array_equal(g.parameters.w, [3, 3])
    assert type(g.parameters.b) is float and g.parameters.b == 2.0
    assert np.array_equal(g.rest["z"][0], [0, 2]) and g.rest["z"][1] is None


def test_empty_containers_have_empty_gradients():
    assert tg.grad(lambda x, y: y, argnums=(0, 1))({}, 2.0) == ({}, 1.0)


def test_unused_and_constant():
    assert np.array_equal(tg.grad(lambda x, y: np.sum(y))(np.ones(3), np.ones(2)), np.zeros(3))
    assert tg.grad(lambda x: 4.0)(1.0) == 0.0
    assert tg.grad(lambda x: 4)(1) == 0.0
    assert np.array_equal(tg.grad(lambda x: np.float64(2.0))(np.ones(2)), np.zeros(2))
    assert np.array_equal(tg.grad(lambda x: np.array(2.0))(np.ones(2)), np.zeros(2))
    assert tg.value_and_grad(lambda x: x > 0)(1.0) == (True, 0.0)
    assert tg.grad(lambda x: np.floor(x))(1.5) == 0.0


def test_the_argument_may_be_assigned_to():
    def f(x):
        x[0] = x[1] * 2.0
        x[1:] *= 3.0
        return np.sum(x * np.arange(1.0, 4.0))

    x = np.array([5.0, 7.0, 11.0])
    assert np.array_equal(tg.grad(f)(x), [0.0, 2.0 + 6.0, 9.0])
    assert np.array_equal(x, [5.0, 7.0, 11.0])
    assert np.array_equal(tg.hvp(f)(x, x), np.zeros(3))
    assert np.array_equal(tg.jacfwd(f)(x), [0.0, 8.0, 9.0])


def test_holomorphic():
    z = 0.3 + 0.7j
    assert tg.grad(np.sin, holomorphic=True)(z) == pytest.approx(np.cos(z), rel=1e-14)
    assert type(tg.grad(np.sin, holomorphic=True)(z)) is complex
    zs = np.array([z, 2 * z])
    assert np.allclose(tg.elementwise_grad(np.exp, holomorphic=True)(zs), np.exp(zs), rtol=1e-14)


def test_complex_arguments_of_real_functions():
    z = 1.0 + 2.0j
    assert tg.grad(lambda z: np.real(z * np.conj(z)))(z) == pytest.approx(2 * np.conj(z))
    assert tg.grad(lambda z: np.real(z))(z) == 1.0
    assert tg.grad(lambda z: np.imag(z))(z) == -1.0j
    assert tg.grad(lambda z: np.abs(z))(z) == pytest.approx(np.conj(z) / abs(z))


# ---- vjp ----


def test_pullback_serves_many_cotangents():
    value, pull = tg.vjp(lambda x: np.sin(x[:3]) * x[3], X)
    J = tg.jacobian(lambda x: np.sin(x[:3]) * x[3])(X)
    assert type(value) is np.ndarray and np.array_equal(value, np.sin(X[:3]) * X[3])
    for cotangent in (np.array([1.0, 2.0, 3.0]), np.array([1, 0, 0]), np.zeros(3)):
        (found,) = pull(cotangent)
        assert np.allclose(found, cotangent @ J, rtol=1e-14)


def test_vjp_of_trees():
    f = lambda x, p: {"sum": x + p["a"], "both": (x * p["b"], 3.0)}
    value, pull = tg.vjp(f, np.ones(2), {"a": 1.0, "b": np.arange(2.0)})
    assert value["both"][1] == 3.0
    by_x, by_p = pull({"both": (np.ones(2), 7.0), "sum": np.array([10.0, 20.0])})
    assert np.array_equal(by_x, [10.0, 21.0])
    assert by_p["a"] == 30.0 and np.array_equal(by_p["b"], [1.0, 1.0])


def test_vjp_with_aux():
    value, pull, aux = tg.vjp(lambda x: (x * x, "text"), 3.0, has_aux=True)
    assert (value, pull(2.0), aux) == (9.0, (12.0,), "text")


def test_pullback_keeps_its_recording_while_others_run():
    pulls = [tg.vjp(lambda x, k=k: x**k, 2.0)[1] for k in range(5)]
    tg.grad(rosenbrock)(X)
    assert [pull(1.0)[0] for pull in pulls] == [k * 2.0 ** (k - 1) for k in range(5)]


def test_pullback_within_another_recording():
    _, pull = tg.vjp(lambda x: np.sin(x) * 2.0, X)

    def through(c):
        return np.sum(pull(c)[0] ** 3)

    c = np.cos(np.arange(7.0))
    slope = 2.0 * np.cos(X)
    assert np.allclose(tg.grad(through)(c), 3 * slope**3 * c**2, rtol=1e-13)
    assert np.allclose(tg.hessian(through)(c), np.diag(6 * slope**3 * c), rtol=1e-13)


def test_constants_pull_back_to_zero():
    value, pull = tg.vjp(lambda x: np.ones(2), X)
    assert np.array_equal(value, np.ones(2)) and np.array_equal(pull(np.ones(2))[0], np.zeros(7))


def test_cotangents_are_converted():
    _, pull = tg.vjp(lambda x: x * 2.0, np.ones(2, np.float32))
    (found,) = pull(np.array([1, 2]))
    assert found.dtype == np.float32 and np.array_equal(found, [2, 4])
    _, pull = tg.vjp(lambda x: x * 1j, 2.0)
    assert pull(1.0)[0] == 0.0 and pull(1j)[0] == -1.0


# ---- elementwise_grad, stop_gradient ----


@pytest.mark.parametrize("x", [0.3, np.array(0.3), np.linspace(-1, 1, 5), np.ones((2, 3)) / 3])
def test_elementwise(x):
    found = tg.elementwise_grad(np.tanh)(x)
    assert np.shape(found) == np.shape(x)
    assert np.allclose(found, 1 - np.tanh(x) ** 2, rtol=1e-14)
    third = tg.elementwise_grad(tg.elementwise_grad(tg.elementwise_grad(np.sin)))(x)
    assert np.allclose(third, -np.cos(x), rtol=1e-14)


def test_elementwise_with_broadcasting_sums():
    found = tg.elementwise_grad(lambda x, y: x * y, argnums=(0, 1))(np.ones((2, 3)), np.arange(3.0))
    assert np.array_equal(found[0], [[0, 1, 2]] * 2) and np.array_equal(found[1], [2, 2, 2])


def test_stop_gradient():
    assert tg.stop_gradient(3.0) == 3.0
    tree = tg.stop_gradient({"a": (1.0, np.ones(2))})
    assert tree["a"][0] == 1.0
    f = lambda x: np.sum(x**2) + np.sum(tg.stop_gradient(x) * x)
    assert np.array_equal(tg.grad(f)(np.arange(3.0)), 3 * np.arange(3.0))
    g = lambda x: tg.stop_gradient({"x": [x * 2]})["x"][0] * x
    assert tg.grad(g)(3.0) == 6.0 and tg.grad(tg.grad(g))(3.0) == 0.0
    assert tg.jvp(tg.stop_gradient, (1.0,), (1.0,)) == (1.0, 0.0)


def test_names_follow_the_function():
    import inspect

    def energy(x, scale=2.0):
        return x * scale

    gradient = tg.grad(energy)
    assert gradient.__name__ == "grad(energy)"
    assert list(inspect.signature(gradient).parameters) == ["x", "scale"]
    assert tg.grad(np.sin).__name__ == "grad(sin)"


def test_callables_that_are_no_functions():
    class Loss:
        def __call__(self, x):
            return x * x

    assert tg.grad(Loss())(2.0) == 4.0
    assert "Loss" in tg.grad(Loss()).__name__
