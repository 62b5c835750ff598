"""tg.ode against SciPy's solvers, closed forms and its own derivatives."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.integrate

import tapegrad as tg
from tapegrad.scipy import integrate

METHODS = ["RK23", "RK45", "DOP853"]


def driven(t, y, k):
    return np.stack([y[1], -k * y[0] + 0.1 * np.sin(t)])


Y0 = np.array([1.0, 0.3])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("end", [3.0, -2.0])
def test_steps_are_those_of_scipy(method, end):
    options = {"method": method, "rtol": 1e-6, "atol": 1e-8}
    wanted = scipy.integrate.solve_ivp(driven, (0.0, end), Y0, args=(2.0,), **options)
    times = np.linspace(0.0, end, 7)
    wanted_at = scipy.integrate.solve_ivp(
        driven, (0.0, end), Y0, args=(2.0,), t_eval=times, dense_output=True, **options
    )

    def solve(y0, k):
        found = tg.ode.solve_ivp(driven, (0.0, end), y0, args=(k,), **options)
        assert found.success and found.status == 0 and found.t.shape == wanted.t.shape
        np.testing.assert_allclose(tg.stop_gradient(found.t), wanted.t, rtol=1e-5)
        at = tg.ode.solve_ivp(
            driven, (0.0, end), y0, args=(k,), t_eval=times, dense_output=True, **options
        )
        assert at.t.tolist() == times.tolist()
        return found.y, at.y, at.sol(times), at.sol(0.5 * end)

    y, at, dense, middle = tg.vjp(solve, Y0, 2.0)[0]
    np.testing.assert_allclose(y[:, -1], wanted.y[:, -1], rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(at, wanted_at.y, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(dense, wanted_at.sol(times), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(middle, wanted_at.sol(0.5 * end), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_derivatives_of_the_steps_are_exact(method):
    # Steps of one length, whatever the values: the solution is smooth in all of them.
    options = {"method": method, "rtol": 0.1, "atol": 0.5, "first_step": 0.25, "max_step": 0.25}

    def solve(y0, k, start, end):
        solution = tg.ode.solve_ivp(driven, (start, end), y0, args=(k,), **options)
        at = tg.ode.solve_ivp(
            driven, (start, end), y0, args=(k,), t_eval=np.stack([start + 0.3, end]), **options
        )
        return solution.y[:, -1], at.y

    tg.testing.check_grads(solve, (Y0, 2.0, 0.1, 1.2))


def test_closed_forms():
    def end(y0, k, t):
        solution = tg.ode.solve_ivp(
            lambda _, y: -k * y, (0.0, t), y0, method="DOP853", rtol=1e-12, atol=1e-13
        )
        return solution.y[0, -1]

    y0, k, t = np.array([2.0]), 1.5, 0.8
    value = 2.0 * math.exp(-k * t)
    by_y0, by_k, by_t = tg.grad(end, (0, 1, 2))(y0, k, t)
    np.testing.assert_allclose(by_y0, [value / 2.0], rtol=1e-10)
    np.testing.assert_allclose([by_k, by_t], [-t * value, -k * value], rtol=1e-9)
    second = tg.derivative(lambda k: end(y0, k, t), 2)(k)
    np.testing.assert_allclose(second, t * t * value, rtol=1e-8)
    _, tangent = tg.jvp(lambda k: end(y0, k, t), (k,), (1.0,))
    np.testing.assert_allclose(tangent, by_k, rtol=1e-12)


def test_parameters_in_a_closure():
    def loss(k):
        solution = integrate.solve_ivp(lambda t, y: -k * y, (0, 1), [1.0], rtol=1e-9, atol=1e-10)
        return solution.y[0, -1]

    assert tg.grad(loss)(1.0) == pytest.approx(-math.exp(-1.0), rel=1e-7)


def test_odeint():
    times = np.linspace(0.0, 2.0, 5)

    def solve(k, y0, times):
        return integrate.odeint(lambda y, t, k: [y[1], -k * y[0]], y0, times, (k,), rtol=1e-11,
                                atol=1e-12)  # fmt: skip

    value, _ = tg.vjp(solve, 2.0, [1.0, 0.0], times)
    w = math.sqrt(2.0)
    np.testing.assert_allclose(value[:, 0], np.cos(w * times), atol=1e-9)
    by_k = tg.jacobian(solve)(2.0, np.array([1.0, 0.0]), times)
    np.testing.assert_allclose(by_k[:, 0], -times * np.sin(w * times) / (2 * w), atol=1e-8)
    by_time = tg.jacobian(solve, 2)(2.0, np.array([1.0, 0.0]), times)
    slopes = np.diagonal(by_time[:, 0])
    np.testing.assert_allclose(slopes[1:], -w * np.sin(w * times[1:]), atol=1e-7)
    plain = scipy.integrate.odeint(lambda y, t: [y[1], -2.0 * y[0]], [1.0, 0.0], times)
    np.testing.assert_allclose(value, plain, atol=1e-6)


def test_programs_take_new_steps():
    def end(y0, k):
        return tg.ode.solve_ivp(driven, (0.0, 3.0), y0, args=(k,), rtol=1e-5).y[:, -1]

    program = tg.function(end)
    for k in (2.0, 2.001, 0.2, 20.0, 2.0):
        wanted = scipy.integrate.solve_ivp(driven, (0.0, 3.0), Y0, args=(k,), rtol=1e-5).y[:, -1]
        np.testing.assert_allclose(program(Y0, k), wanted, rtol=1e-9, atol=1e-12)
        found = tg.jacobian(program, 1)(Y0, k)
        np.testing.assert_allclose(found, tg.jacobian(end, 1)(Y0, k), rtol=1e-8, atol=1e-10)


def test_complex_values():
    def end(y0):
        return tg.ode.solve_ivp(lambda t, y: 1j * y, (0.0, 1.0), y0, rtol=1e-10, atol=1e-12).y[
            :, -1
        ]

    value, pullback = tg.vjp(end, np.array([1.0 + 0j]))
    np.testing.assert_allclose(value, [np.exp(1j)], rtol=1e-9)
    np.testing.assert_allclose(pullback(np.array([1.0 + 0j]))[0], [np.exp(1j)], rtol=1e-9)


def test_an_interval_of_no_length_and_no_way_on():
    still = tg.jacobian(lambda y0: tg.ode.solve_ivp(driven, (1.0, 1.0), y0, args=(2.0,)).y[:, -1])
    np.testing.assert_array_equal(still(Y0), np.eye(2))

    def blown_up(y0):
        solution = tg.ode.solve_ivp(lambda t, y: y * y, (0.0, 2.0), y0)
        assert solution.status == -1 and not solution.success
        return solution.y[0, 1]

    tg.grad(blown_up)(np.array([1.0]))


def test_what_is_refused():
    def solve(**options):
        return lambda y0: tg.ode.solve_ivp(driven, (0.0, 1.0), y0, args=(1.0,), **options).y

    for options in ({"method": "LSODA"}, {"events": lambda t, y: y[0]}, {"jac": None}):
        with pytest.raises(tg.UnsupportedError):
            tg.vjp(solve(**options), Y0)
    for options in (
        {"t_eval": [0.5, 2.0]},
        {"t_eval": [0.5, 0.2]},
        {"atol": -1.0},
        {"max_step": 0},
    ):
        with pytest.raises(ValueError):
            tg.vjp(solve(**options), Y0)
    with pytest.raises(ValueError, match="1-dimensional"):
        tg.vjp(solve(), np.ones((2, 1)))
