"""What is wrong with a rule is said by name and place; what a rule raises leaves as it is."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg

X = np.array([0.4, -1.1, 2.3])


@tg.custom_rule
def double(x, y=0.0):
    return 2.0 * np.asarray(x) + y


def rule_of(which, rule):
    made = tg.custom_rule(double.function)
    getattr(made, which)(rule)
    return made


WRONG = [
    ("vjp", lambda g, v, x: (g, g), "returned 2 adjoints for 1 argument"),
    ("vjp", lambda g, v, x: (), "returned 0 adjoints for 1 argument"),
    ("vjp", lambda g, v, x: 2.0 * g, "returned a ndarray, expected a tuple"),
    ("vjp", lambda g, v, x: (g[:2],), r"an adjoint of shape \(2,\), expected \(3,\)"),
    ("vjp", lambda g, v, x: ("no",), "dtype <U2"),
    ("vjp", lambda g, v, x: ((g, g),), "expected"),
    ("jvp", lambda t, v, x: (t[0], t[0]), "expected"),
    ("jvp", lambda t, v, x: t[0][:1], r"the tangent of shape \(1,\), expected \(3,\)"),
    ("vjp", lambda g, v, x: (2j * g,), "an adjoint that is complex, of what is real"),
    ("jacobian", lambda v, x: 2j * np.eye(3), "a matrix that is complex"),
    ("jacobian", lambda v, x: np.eye(2), r"returned shape \(2, 2\), expected \(3, 3\)"),
    ("jacobian", lambda v, x: (np.eye(3), None), "returned 2 Jacobians for 1 argument"),
]


@pytest.mark.parametrize("which, rule, message", WRONG)
def test_wrong_results_name_rule_and_place(which, rule, message):
    made = rule_of(which, rule)
    with pytest.raises(ValueError, match=message) as caught:
        tg.grad(lambda x: np.sum(made(x)))(X)
    assert "custom rule double" in str(caught.value) and "test_errors.py" in str(caught.value)
    with pytest.raises(ValueError, match=message):
        tg.function(lambda x: np.sum(made(x))).grad(X)


class Broken(Exception):
    pass


def broken(*args):
    raise Broken("the simulator is down")


def notes_of(error):
    return " ".join(error.__notes__)


def test_exceptions_leave_with_a_note():
    made = rule_of("vjp", broken)
    for run in (tg.grad(lambda x: np.sum(made(x))), tg.function(lambda x: np.sum(made(x))).grad):
        with pytest.raises(Broken, match="down") as caught:
            run(X)
        assert "vjp" in notes_of(caught.value) and "rule double" in notes_of(caught.value)
        assert "test_errors.py" in notes_of(caught.value)


def test_an_exception_in_a_replay():
    @tg.custom_rule
    def root(x):
        if np.any(np.asarray(x) < 0.0):
            raise Broken("negative")
        return np.sqrt(x)

    root.vjp(lambda g, y, x: (g / (2.0 * y),))

    @tg.function
    def careless(x):
        return np.sum(root(x))

    assert careless(np.abs(X)) == pytest.approx(np.sum(np.sqrt(np.abs(X))))
    with pytest.raises(Broken, match="negative") as caught:
        careless(X)
    assert "custom rule root" in notes_of(caught.value)
    assert careless(np.abs(X)) == pytest.approx(np.sum(np.sqrt(np.abs(X))))

    @tg.function
    def careful(x):
        try:
            return np.sum(root(x))
        except Broken:
            return np.sum(x)

    for x in (np.abs(X), X, np.abs(X) + 1.0, X - 1.0, np.abs(X)):
        expected = np.sum(np.sqrt(x)) if (x >= 0).all() else np.sum(x)
        assert careful(x) == pytest.approx(expected)


def test_interrupts_are_not_swallowed():
    state = {"armed": False}

    @tg.custom_rule
    def slow(x):
        if state["armed"]:
            raise KeyboardInterrupt
        return np.asarray(x) * 1.0

    slow.vjp(lambda g, y, x: (g,))
    f = tg.function(lambda x: np.sum(slow(x)))
    f(X)
    state["armed"] = True
    with pytest.raises(KeyboardInterrupt):
        f(X + 1.0)


def test_no_rule_says_what_to_do():
    with pytest.raises(tg.UnsupportedError, match=r"double.*\.vjp.*finite-differences"):
        tg.grad(lambda x: np.sum(tg.custom_rule(double.function)(x)))(X)
    with pytest.raises(TypeError, match="function"):
        tg.custom_rule(3)
    with pytest.raises(TypeError, match="vjp is no function"):
        tg.custom_rule(np.sin).vjp(3)
    with pytest.raises(ValueError, match="magic"):
        tg.custom_rule(np.sin, derivatives="magic")


def test_complex_tangents_of_real_results():
    with pytest.raises(ValueError, match=r"jvp \(.*the tangent that is complex, of what is real"):
        tg.jvp(rule_of("jvp", lambda t, v, x: 2j * t[0]), (X,), (X,))


def test_complex_adjoints_that_lose_nothing():
    made = rule_of("vjp", lambda g, v, x: ((2.0 + 0j) * g,))
    assert np.array_equal(tg.grad(lambda x: np.sum(made(x)))(X), np.full(3, 2.0))
    turned = tg.custom_rule(lambda x: np.exp(1j * np.asarray(x)))
    turned.vjp(lambda g, v, x: (1j * v * g,))  # of a complex result the real part counts
    assert np.allclose(tg.grad(lambda x: np.sum(np.real(turned(x))))(X), -np.sin(X))


def test_a_function_with_hvp_alone_that_cannot_be_recorded():
    made = rule_of("hvp", lambda t, g, v, x: (0.0 * t[0],))
    with pytest.raises(tg.DetachedError) as caught:
        tg.grad(lambda x: np.sum(made(x)))(X)
    assert 'no rule for the first (give vjp, jvp or jacobian, or say derivatives="central")' in (
        notes_of(caught.value)
    )


def test_a_second_derivative_of_an_opaque_rule_is_refused():
    made = tg.custom_rule(lambda x: np.asarray(x) ** 2)
    made.vjp(lambda g, y, x: (2.0 * np.asarray(x) * np.asarray(g),))
    assert np.allclose(tg.grad(lambda x: np.sum(made(x)))(X), 2 * X)
    with pytest.raises(tg.DetachedError) as caught:
        tg.hessian(lambda x: np.sum(made(x)))(X)
    assert "by recording it" in notes_of(caught.value)


def test_a_recorded_value_that_comes_in_by_closure_is_refused():
    def f(x):
        hidden = tg.custom_rule(lambda y: np.asarray(y) * x)
        hidden.vjp(lambda g, v, y: (g,))
        return np.sum(hidden(2.0 * x))

    with pytest.raises((tg.RecordingError, tg.DetachedError)):
        tg.grad(f)(X)


def test_a_result_of_another_kind_than_recorded_is_recorded_again():
    @tg.custom_rule
    def positive(x):
        x = np.asarray(x)
        return x[x > 0], "some" if (x > 0).any() else "none"

    @positive.vjp
    def _(g, y, x):
        out = np.zeros(np.shape(x))
        out[x > 0] = g[0]
        return (out,)

    F = tg.function(
        lambda x: np.sum(positive(x)[0] ** 2) * (2.0 if positive(x)[1] == "some" else 1)
    )
    for x in (X, -X, np.abs(X), X, -np.abs(X)):
        wanted = 2.0 * np.sum(x[x > 0] ** 2)
        assert F(x) == pytest.approx(wanted)
        assert np.allclose(F.grad(x), 4.0 * np.where(x > 0, x, 0.0))


def test_an_exception_in_a_batch():
    @tg.custom_rule
    def root(x):
        if x < 0.0:
            raise Broken("negative")
        return np.sqrt(x)

    root.vjp(lambda g, y, x: (g / (2.0 * y),))
    slopes = tg.vmap(tg.grad(root))
    assert np.allclose(slopes(np.array([1.0, 4.0])), [0.5, 0.25])
    with pytest.raises(Broken, match="negative"):
        slopes(np.array([1.0, -4.0]))
    careful = tg.vmap(lambda x: root(x) if x > 0.0 else x)
    assert np.allclose(careful(np.array([4.0, -4.0, 9.0])), [2.0, -4.0, 3.0])
