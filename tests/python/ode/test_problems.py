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


def robertson(t, y, k):
    made, met, grown = k[0] * y[0], k[1] * y[1] * y[2], k[2] * y[1] ** 2
    return np.stack([met - made, made - met - grown, grown])


RATES = np.array([0.04, 1e4, 3e7])


def with_sensitivities(t, u):
    """Robertson's problem with the derivatives of y by the logarithms of the rates."""
    y, s, k = u[:3], u[3:].reshape(3, 3), RATES
    by_y = np.array([[-k[0], k[1] * y[2], k[1] * y[1]], [k[0], -k[1] * y[2] - 2 * k[2] * y[1],
                     -k[1] * y[1]], [0.0, 2 * k[2] * y[1], 0.0]])  # fmt: skip
    by_k = np.array([[-y[0], y[1] * y[2], 0.0], [y[0], -y[1] * y[2], -y[1] ** 2],
                     [0.0, 0.0, y[1] ** 2]]) * k  # fmt: skip
    return np.concatenate([robertson(t, y, k), (by_y @ s + by_k).ravel()])


def test_stiff_derivatives_agree_with_forward_sensitivities():
    y0 = np.array([1.0, 0.0, 0.0])

    def end(k):
        return tg.ode.solve_ivp(
            robertson, (0.0, 100.0), y0, "Radau", args=(k,), rtol=1e-8, atol=1e-11
        ).y[:, -1]

    start = np.concatenate([y0, np.zeros(9)])
    exact = scipy.integrate.solve_ivp(
        with_sensitivities, (0.0, 100.0), start, "Radau", rtol=1e-12, atol=1e-15
    ).y[:, -1]
    np.testing.assert_allclose(tg.vjp(end, RATES)[0], exact[:3], rtol=1e-7)
    found = tg.jacrev(end)(RATES) * RATES
    np.testing.assert_allclose(found, exact[3:].reshape(3, 3), atol=1e-10)
    np.testing.assert_allclose(tg.jacfwd(end)(RATES) * RATES, found, rtol=1e-9, atol=1e-14)


def van_der_pol(t, y, k):
    return np.stack([y[1], k * (1.0 - y[0] ** 2) * y[1] - y[0]])


@pytest.mark.parametrize("jac", [None, "given"])
def test_second_derivatives_of_implicit_steps(jac):
    options = {"rtol": 0.1, "atol": 0.5, "first_step": 0.1, "max_step": 0.1}
    if jac:
        options["jac"] = lambda t, y, k: np.stack(
            [np.stack([0.0 * y[0], 1.0 + 0.0 * y[0]]),
             np.stack([-2.0 * k * y[0] * y[1] - 1.0, k * (1.0 - y[0] ** 2)])]
        )  # fmt: skip

    def end(p):
        span, args = (0.0, p[3]), (p[2],)
        return tg.ode.solve_ivp(van_der_pol, span, p[:2], "Radau", args=args, **options).y[:, -1]

    def differences(f, at, h=1e-4):
        return np.stack([(f(at + h * e) - f(at - h * e)) / (2 * h) for e in np.eye(4)], -1)

    at = np.array([1.0, 0.5, 3.0, 0.25])
    first = differences(lambda p: tg.vjp(end, p)[0], at)
    np.testing.assert_allclose(tg.jacfwd(end)(at), first, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(tg.jacrev(end)(at), tg.jacfwd(end)(at), rtol=1e-9)
    second = differences(tg.jacfwd(end), at)
    for outer, inner in ((tg.jacfwd, tg.jacrev), (tg.jacrev, tg.jacrev), (tg.jacfwd, tg.jacfwd)):
        np.testing.assert_allclose(outer(inner(end))(at), second, rtol=1e-5, atol=1e-5)


def test_implicit_steps_in_programs_and_dense_output():
    def values(k):
        found = tg.ode.solve_ivp(
            van_der_pol, (0.0, 2.0), [2.0, 0.0], "Radau", [0.3, 2.0], True, args=(k,), rtol=1e-6
        )
        return found.y, found.sol(np.array([0.1, 1.7]))

    program = tg.function(values)
    for k in (5.0, 5.01, 50.0):
        theirs = scipy.integrate.solve_ivp(
            van_der_pol, (0.0, 2.0), [2.0, 0.0], "Radau", [0.3, 2.0], True, args=(k,), rtol=1e-9,
            atol=1e-9,
        )  # fmt: skip
        y, dense = program(k)
        np.testing.assert_allclose(y, theirs.y, rtol=2e-4)
        np.testing.assert_allclose(dense, theirs.sol([0.1, 1.7]), rtol=2e-4)
        np.testing.assert_allclose(y, tg.vjp(values, k)[0][0], rtol=1e-9)
        found = tg.jacobian(lambda k: program(k)[0])(k)
        np.testing.assert_allclose(found, tg.jacobian(lambda k: values(k)[0])(k), rtol=1e-7)


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

    for options in ({"method": "LSODA"}, {"method": "BDF"}, {"jac": None}):
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


def falling(t, y, g):
    return np.stack([y[1], 0.0 * y[0] - g])


def ground(t, y, g):
    return y[0]


def summit(t, y, g):
    return y[1]


ground.terminal, ground.direction = True, -1


def test_events_are_differentiated_as_roots():
    def flight(g, height):
        found = tg.ode.solve_ivp(
            falling, (0.0, 10.0), np.stack([height, 1.0]), events=[ground, summit], args=(g,),
            rtol=1e-8, atol=1e-8, dense_output=True,
        )  # fmt: skip
        assert found.status == 1 and found.message == "A termination event occurred."
        return found.t_events[0][0], found.t_events[1][0], found.y_events[0], found.t, found.y

    def exact(g, height):
        return (1.0 + np.sqrt(1.0 + 2.0 * g * height)) / g

    at = (9.81, 3.0)
    plain, recorded = flight(*at), tg.vjp(flight, *at)[0]
    for one, other in zip(plain, recorded, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert recorded[3][-1] == recorded[0] and abs(recorded[4][0, -1]) < 1e-13
    hit = lambda p: flight(p[0], p[1])[0]
    reference = lambda p: exact(p[0], p[1])
    point = np.array(at)
    np.testing.assert_allclose(tg.grad(hit)(point), tg.grad(reference)(point), rtol=1e-12)
    np.testing.assert_allclose(tg.hessian(hit)(point), tg.hessian(reference)(point), rtol=1e-10)
    top = tg.grad(lambda g: flight(g, 3.0)[1])
    np.testing.assert_allclose(top(9.81), -1 / 9.81**2, rtol=1e-12)
    program = tg.function(hit)
    for g in (9.81, 9.9, 2.0):
        point = np.array([g, 3.0])
        np.testing.assert_allclose(program(point), reference(point), rtol=1e-12)
        np.testing.assert_allclose(tg.grad(program)(point), tg.grad(reference)(point), rtol=1e-10)


def test_counted_events_and_times_after_the_end():
    def zero(t, y, w):
        return y[0]

    zero.terminal = 3

    def solve(w, method="DOP853"):
        return tg.ode.solve_ivp(
            lambda t, y, w: np.stack([w * y[1], -w * y[0]]), (0.0, 20.0), [1.0, 0.0], method,
            np.linspace(0.0, 20.0, 41), events=zero, args=(w,), rtol=1e-9, atol=1e-9,
        )  # fmt: skip

    plain, recorded = solve(1.0), tg.vjp(lambda w: (solve(w).t, solve(w).t_events[0]), 1.0)[0]
    assert recorded[0].shape == plain.t.shape
    np.testing.assert_allclose(recorded[1], math.pi * np.array([0.5, 1.5, 2.5]), rtol=1e-7)
    last = tg.grad(lambda w: solve(w, "Radau").t_events[0][2])
    np.testing.assert_allclose(last(1.0), -2.5 * math.pi, rtol=1e-6)


def test_an_event_alone_may_be_recorded():
    def when(level):
        event = lambda t, y: y[0] - level
        return tg.ode.solve_ivp(lambda t, y: -y, (0.0, 5.0), [1.0], "DOP853", events=event,
                                rtol=1e-10, atol=1e-12).t_events[0][0]  # fmt: skip

    assert tg.grad(when)(0.5) == pytest.approx(-2.0, rel=1e-8)
