"""Derivatives of derivatives in every mix of transforms, and perturbation confusion."""

import math

import numpy as np
import pytest

import tapegrad as tg

FIRST = {
    "grad": tg.grad,
    "value_and_grad": lambda f: lambda x: tg.value_and_grad(f)(x)[1],
    "jvp": lambda f: lambda x: tg.jvp(f, (x,), (1.0,))[1],
    "vjp": lambda f: lambda x: tg.vjp(f, x)[1](1.0)[0],
    "linearize": lambda f: lambda x: tg.linearize(f, x)[1](1.0),
    "jacfwd": tg.jacfwd,
    "jacrev": tg.jacrev,
    "derivative": tg.derivative,
    "elementwise_grad": tg.elementwise_grad,
}
SECOND = {
    "hvp": lambda f: lambda x: tg.hvp(f)(x, 1.0),
    "hessian": tg.hessian,
    "derivative 2": lambda f: tg.derivative(f, 2),
}
X = 0.3


def f(x):
    return np.exp(np.sin(x)) * x


# Derivatives of exp(sin x) x at 0.3 by hand.
S, C, E = math.sin(X), math.cos(X), math.exp(math.sin(X))
F1 = E * (C * X + 1)
F2 = E * (C * (C * X + 1) + C - S * X)
F3 = E * (C * (C * (C * X + 1) + C - S * X) + (-S * (C * X + 1) + C * (C - S * X)) - S - S - C * X)


@pytest.mark.parametrize("one", FIRST)
def test_first(one):
    assert FIRST[one](f)(X) == pytest.approx(F1, rel=1e-14)


@pytest.mark.parametrize("inner", FIRST)
@pytest.mark.parametrize("outer", FIRST)
def test_second(outer, inner):
    assert FIRST[outer](FIRST[inner](f))(X) == pytest.approx(F2, rel=1e-13)


@pytest.mark.parametrize("two", SECOND)
@pytest.mark.parametrize("one", FIRST)
def test_third(one, two):
    assert FIRST[one](SECOND[two](f))(X) == pytest.approx(F3, rel=1e-12)
    assert SECOND[two](FIRST[one](f))(X) == pytest.approx(F3, rel=1e-12)


@pytest.mark.parametrize("outer", SECOND)
@pytest.mark.parametrize("inner", SECOND)
def test_fourth(outer, inner):
    tanh4 = lambda t: (1 - t * t) * (16 * t - 24 * t**3)
    assert SECOND[outer](SECOND[inner](np.tanh))(X) == pytest.approx(tanh4(np.tanh(X)), rel=1e-11)


def test_sixth_derivative_in_reverse():
    g = np.sin
    for _ in range(6):
        g = tg.grad(g)
    assert g(X) == pytest.approx(-math.sin(X), rel=1e-13)


def test_first_day():
    assert tg.grad(lambda x: x * tg.grad(lambda y: x + y)(1.0))(2.0) == 1.0


@pytest.mark.parametrize("inner", FIRST)
@pytest.mark.parametrize("outer", FIRST)
def test_no_perturbation_confusion(outer, inner):
    # d/dx [x * d/dy (x y^2) at y = x] = d/dx [2 x^3] and d/dx [x * d/dy(x + y)] = 1.
    assert FIRST[outer](lambda x: x * FIRST[inner](lambda y: x * y * y)(x))(X) == pytest.approx(
        6 * X * X, rel=1e-13
    )
    assert FIRST[outer](lambda x: x * FIRST[inner](lambda y: x + y)(1.0))(X) == pytest.approx(1.0)
    assert FIRST[outer](lambda x: FIRST[inner](lambda y: x)(x))(X) == 0.0


@pytest.mark.parametrize("inner", FIRST)
def test_the_inner_input_is_another_one(inner):
    # d/dy at y = x of x y^2 does not see the x: 2 x y, then the outer slope of 2 x^2.
    def g(x):
        return FIRST[inner](lambda y: x * y**2)(x)

    assert tg.grad(g)(X) == pytest.approx(4 * X)


def test_higher_order_functions():
    """The curried derivative: the perturbations of the two calls must not mix."""
    shift = lambda u: lambda f: lambda x: f(x + u)
    D = lambda g: lambda y: tg.jvp(g, (y,), (1.0,))[1]
    # d/du of (D f)(x + u) at u = 0 is f''(x)
    found = tg.jvp(lambda u: D(shift(u)(np.sin))(X), (0.0,), (1.0,))[1]
    assert found == pytest.approx(-math.sin(X), rel=1e-14)


def test_three_deep_with_shared_variables():
    def g(x):
        def h(y):
            return tg.grad(lambda z: x * y * z**2 * np.sin(x * z))(y)

        return x * tg.grad(h)(x)

    def by_hand(x):
        # h(y) = x y (2 y sin(xy) + x y^2 cos(xy)) = 2 x y^2 sin(xy) + x^2 y^3 cos(xy)
        y, s, c = x, math.sin(x * x), math.cos(x * x)
        return x * (4 * x * y * s + 2 * x**2 * y**2 * c + 3 * x**2 * y**2 * c - x**3 * y**3 * s)

    e = 1e-5
    assert g(X) == pytest.approx(by_hand(X), rel=1e-13)
    numeric = (by_hand(X + e) - by_hand(X - e)) / (2 * e)
    assert tg.grad(g)(X) == pytest.approx(numeric, rel=1e-8)


def test_inner_results_may_be_changed_in_place():
    def g(x):
        value, pull = tg.vjp(lambda y: y * y, x)
        value += 100.0
        value *= 3.0
        (first,) = pull(np.ones(2))
        first[0] = 0.0
        (second,) = pull(np.ones(2))
        return np.sum(value) + np.sum(first) + np.sum(second)

    x = np.array([1.0, 2.0])
    assert np.array_equal(tg.grad(g)(x), 6 * x + [0.0, 2.0] + 2.0)


def test_a_pullback_of_an_inner_recording():
    def g(x):
        _, pull = tg.vjp(lambda y: np.sin(x * y), x)
        _, push = tg.linearize(lambda y: np.sin(x * y), x)
        return pull(x)[0] + push(x)  # 2 x^2 cos(x^2)

    wanted = 4 * X * np.cos(X**2) - 4 * X**3 * np.sin(X**2)
    assert tg.grad(g)(X) == pytest.approx(wanted, rel=1e-13)


def test_gradient_descent_inside_a_function():
    """The derivative of where ten steps of descent end, by the start and by the rate."""

    def end(start, rate):
        x = start
        for _ in range(10):
            x = x - rate * tg.grad(lambda x: 0.5 * np.sum(x * x))(x)
        return np.sum(x)

    start = np.array([1.0, 2.0])
    by_start, by_rate = tg.grad(end, argnums=(0, 1))(start, 0.1)
    assert np.allclose(by_start, 0.9**10, rtol=1e-13)
    assert by_rate == pytest.approx(-10 * 0.9**9 * 3.0, rel=1e-13)


def test_a_recursive_function_with_its_own_gradient():
    def g(x, depth):
        return np.sin(x) if depth == 0 else x * tg.grad(g)(x, depth - 1)

    # x cos x, then x (cos x - x sin x)
    assert g(X, 2) == pytest.approx(X * (math.cos(X) - X * math.sin(X)), rel=1e-13)
    assert tg.grad(g)(X, 1) == pytest.approx(math.cos(X) - X * math.sin(X), rel=1e-13)


def test_constants_inside_stay_plain_numbers():
    def g(x):
        inner = tg.grad(np.sin)(tg.stop_gradient(x))
        return x * tg.stop_gradient(inner)

    assert tg.grad(g)(X) == pytest.approx(math.cos(X))


def test_nested_types():
    def g(x):
        value, gradient = tg.value_and_grad(lambda y: np.sum(y**2))(x)
        assert isinstance(value, tg.Variable) and isinstance(gradient, tg.Variable)
        assert gradient.shape == (3,)
        return value

    tg.grad(g)(np.ones(3))
