"""Under `tg.debug()` what is not finite raises, and names op, line and operands."""

import numpy as np
import pytest

import tapegrad as tg

HALF = np.array([1.0, 0.0])


def here(code):
    """The line of this file with this code."""
    with open(__file__) as file:
        return next(k for k, line in enumerate(file, 1) if code in line)


def roots(x):
    y = 2.0 * x
    return np.sum(np.sqrt(y) * x[0])  # the root


def powers(x):
    return np.sum(x**1.5)


def fails(call, kind, op, line=None):
    with np.errstate(all="ignore"):
        call()  # no error without debug
        with tg.debug(), pytest.raises(tg.NonFiniteError) as raised:
            call()
    culprit = raised.value.culprit
    assert (culprit.kind, culprit.op) == (kind, op)
    assert culprit.file == __file__
    assert f"{__file__}:{culprit.line}" in str(raised.value)
    if line is not None:
        assert culprit.line == here(line)
    return raised.value


TRANSFORMS = [
    (lambda: tg.grad(roots)(-HALF), "value", "sqrt"),
    (lambda: tg.grad(roots)(HALF), "adjoint", "divide"),
    (lambda: tg.value_and_grad(roots)(HALF), "adjoint", "divide"),
    (lambda: tg.jvp(roots, (HALF,), (np.ones(2),)), "tangent", "divide"),
    (lambda: tg.vjp(roots, HALF)[1](1.0), "adjoint", "divide"),
    (lambda: tg.linearize(roots, HALF)[1](np.ones(2)), "tangent", "divide"),
]
PROGRAMS = [
    (lambda: tg.function(roots)(-HALF), "value", "sqrt"),
    (lambda: tg.function(roots).grad(HALF), "adjoint", "divide"),
    (lambda: tg.function(roots).hvp(HALF, np.ones(2)), "adjoint", "divide"),
    (lambda: tg.function(roots).hessian(HALF), "adjoint", "divide"),
    (lambda: tg.grad(tg.function(roots))(HALF), "adjoint", "divide"),
    (lambda: tg.record(roots, HALF).grad(HALF), "adjoint", "divide"),
]


@pytest.mark.parametrize(("call", "kind", "op"), TRANSFORMS + PROGRAMS)
def test_the_op_is_named(call, kind, op):
    fails(call, kind, op, "# the root")


@pytest.mark.parametrize("transform", [tg.hessian, lambda f: lambda x: tg.hvp(f)(x, np.ones(2))])
def test_second_order(transform):
    error = fails(lambda: transform(powers)(HALF), "second", "power")
    assert "the second derivative" in str(error)


def test_jacobians():
    fails(lambda: tg.jacfwd(np.sqrt)(HALF), "tangent", "divide")
    fails(lambda: tg.jacrev(np.sqrt)(HALF), "adjoint", "divide")


def test_containers_auxiliary_results_and_keywords():
    def f(p, k, *, shift):
        y = np.log(k * p["a"] + shift)
        return np.sum(y), {"y": y}

    call = lambda: tg.value_and_grad(f, has_aux=True)({"a": HALF}, 2, shift=0.0)
    error = fails(call, "value", "log")
    assert error.culprit.index == (1,)
    both = lambda: tg.vjp(lambda x: (x, np.sqrt(x), 1), HALF)[1]((HALF, HALF + 1.0, 0.0))
    fails(both, "adjoint", "divide")


def test_what_comes_from_an_argument_says_so():
    with np.errstate(all="ignore"), tg.debug():
        with pytest.raises(tg.NonFiniteError, match="an argument is inf") as raised:
            tg.grad(lambda x: np.sum(x * 2.0))(np.array([1.0, np.inf]))
        assert raised.value.culprit.index == (1,)
        with pytest.raises(tg.NonFiniteError, match="operand constant = nan"):
            tg.grad(lambda x: x * np.nan)(1.0)


def test_what_is_masked_is_no_error():
    def masked(x):
        return np.sum(np.where(x > 0.0, np.log(x), 0.0))

    with np.errstate(all="ignore"), tg.debug():
        np.testing.assert_array_equal(tg.grad(masked)(HALF), HALF)
        np.testing.assert_array_equal(tg.function(masked).grad(HALF), HALF)


def test_within_another_derivative():
    fails(lambda: tg.grad(lambda x: x * tg.grad(np.sqrt)(x))(0.0), "value", "divide")


def test_instances_of_a_batch():
    X = np.array([[1.0, 1.0], [2.0, 0.0]])
    error = fails(lambda: tg.vmap(tg.grad(roots))(X), "value", "divide")
    assert "instance 1" in str(error)


def test_a_fast_call_is_looked_at_too():
    F = tg.function(roots)
    for _ in range(3):
        F.grad(np.ones(2))
    with np.errstate(all="ignore"):
        assert not np.isfinite(F.grad(HALF)).all()
        with tg.debug(), pytest.raises(tg.NonFiniteError):
            F.grad(HALF)
        assert not np.isfinite(F.grad(HALF)).all()


def test_a_function_that_does_not_do_the_same_again():
    numbers = iter([0.0, 1.0])
    with np.errstate(all="ignore"), tg.debug():
        with pytest.raises(tg.NonFiniteError, match="a second run of it gave finite numbers") as e:
            tg.grad(lambda x: np.log(x * next(numbers)))(1.0)
        assert e.value.culprit is None
        numbers = iter([0.0])
        with pytest.raises(tg.NonFiniteError, match="raised StopIteration"):
            tg.grad(lambda x: np.log(x * next(numbers)))(1.0)


def test_errors_of_the_function_stay():
    def broken(x):
        raise KeyError("mine")

    with tg.debug(), pytest.raises(KeyError, match="mine"):
        tg.grad(broken)(1.0)


def test_all_of_a_large_constant_is_compared():
    """Without `tg.debug` a sample is, which this misses."""

    def f(x):
        e, y = np.zeros(x.size), 0.0
        for i in 3, 77:
            e[i] = 1.0
            y = y + e @ x
            e[i] = 0.0
        return y

    for use in tg.grad(f), tg.function(f), tg.function(f).grad:
        with tg.debug(), pytest.raises(ValueError, match="changed in place"):
            use(np.ones(40000))
