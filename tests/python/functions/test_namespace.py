"""tapegrad.numpy and tapegrad.scipy: arrays made inside a recording hold recorded values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from functions.expressions import check_complex, check_derivatives, check_program, check_value
from scipy import special

import tapegrad as tg
import tapegrad.numpy as tnp
from tapegrad.scipy import special as tspecial

X = np.array([0.3, 0.7, -0.4])


def test_every_name_of_numpy():
    for name in np.__all__:
        assert hasattr(tnp, name), name
    for name in np.linalg.__all__:
        assert hasattr(tnp.linalg, name), name
    assert tnp.fft.fft is np.fft.fft and tnp.float64 is np.float64
    assert tnp.random.normal is np.random.normal and tnp.random.mtrand is np.random.mtrand
    with pytest.raises(AttributeError):
        tnp.nothing_of_the_kind


MAKERS = {
    "zeros": lambda: tnp.zeros(3),
    "ones": lambda: tnp.ones(3),
    "empty": lambda: tnp.empty(3),
    "full": lambda: tnp.full(3, 2.0),
    "array": lambda: tnp.array([1.0, 2.0, 3.0]),
    "asarray": lambda: tnp.asarray([1.0, 2.0, 3.0]),
    "arange": lambda: tnp.arange(3.0),
    "linspace": lambda: tnp.asarray(tnp.linspace(0.0, 1.0, 3).tolist()),
    "eye": lambda: tnp.eye(3)[1],
    "identity": lambda: tnp.identity(3)[0],
    "tri": lambda: tnp.tri(3)[2],
    "stack": lambda: tnp.stack([1.0, 2.0, 3.0]),
    "concatenate": lambda: tnp.concatenate([[1.0], [2.0, 3.0]]),
}


@pytest.mark.parametrize("name", MAKERS)
def test_made_inside_a_recording(name):
    def f(x):
        y = MAKERS[name]()
        y[1] = x[0] * x[2]
        y[0] = 2.0
        return tnp.sum(y[:2] * x[1])

    assert np.allclose(tg.grad(f)(X), [X[2] * X[1], 2.0 + X[0] * X[2], X[0] * X[1]])


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "empty"])
def test_made_outside_is_plain(name):
    assert type(MAKERS[name]()) is np.ndarray


NUMBERS = {
    "sum": lambda x, out: np.sum(x**2, out=out),
    "dot": lambda x, out: np.dot(x, x, out=out),
    "ufunc": lambda x, out: np.multiply(x[0], x[1], out=out),
    "std": lambda x, out: np.std(x, out=out),
    "median": lambda x, out: np.median(x, out=out),
    "item": lambda x, out: out.__setitem__((), x[0] * x[2]),
    "fill": lambda x, out: out.fill(x[1] ** 2),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("make", [tnp.zeros, tnp.empty, lambda shape: tnp.full(shape, 2.0)])
def test_arrays_without_axes_are_written_to(name, make):
    def f(x):
        out = make(())
        NUMBERS[name](x, out)
        return 3.0 * out

    plain = f(X)
    assert tg.vjp(f, X)[0] == tg.function(f)(X) == pytest.approx(plain, rel=1e-14)
    assert tg.vmap(f)(np.stack([X, X])) == pytest.approx(np.full(2, plain), rel=1e-14)
    tg.testing.check_grads(f, (X,), order=2)


def test_integers_stay_plain():
    def f(x):
        i = tnp.arange(2)
        assert type(i) is np.ndarray and type(tnp.zeros(3, dtype=int)) is np.ndarray
        return tnp.sum(x[i])

    assert np.array_equal(tg.grad(f)(X), [1, 1, 0])


def test_arrays_of_recorded_numbers():
    def f(x):
        a = tnp.array([[x[0], 1.0], [x[1] * x[2], x[0]]])
        b = tnp.asarray([x, [1.0, x[2], x[0]]])
        c = tnp.stack([x[0], 2.0 * x[1]])
        d = tnp.full((2, 2), x[0])
        e = tnp.r_[x, 1.0, x[0], 0:3] * tnp.r_[0:8]
        g = tnp.c_[x, x**2]
        h = tnp.vstack([[x[0], 1.0], [x[2], x[1]]])
        i = tnp.array(x, ndmin=2)
        j = tnp.hstack([x[0], [x[1], 4.0]])
        parts = (a, b, c, d, e, g, h, i, j)
        return sum(tnp.sum(tnp.sin(p) * tnp.arange(p.size * 1.0).reshape(p.shape)) for p in parts)

    tg.testing.check_grads(f, (X,))
    assert tg.vjp(f, X)[0] == pytest.approx(f(X), rel=1e-14)


@pytest.mark.parametrize("key", ["0", "0,2", "0,2,0", "1,2,0", "-1,3,1"])
def test_r_with_a_directive(key):
    value, _ = tg.vjp(lambda x: tnp.r_[key, x, x], X)
    assert np.array_equal(value, np.r_[key, X, X])


JOINED = """
tnp.r_[u, 1.0, s, 0:2]
tnp.r_["-1", x, y]
tnp.c_[v, w, 1j * v]
tnp.c_[x, y]
""".strip().splitlines()


@pytest.mark.parametrize("expression", JOINED)
def test_joined(expression):
    check_value(expression)
    check_derivatives(expression)
    check_program(expression)
    check_complex(expression)


SEQUENCES = {
    "sum": lambda np, x: np.sum([x[0], x[1] ** 2, 3.0]),
    "sum of products": lambda np, x: np.sum([v * k for k, v in enumerate(x)]),
    "mean": lambda np, x: np.mean([[x[0], 1.0], [2.0, x[1]]], axis=0),
    "max": lambda np, x: np.max([x[0], x[1], 0.0]),
    "dot": lambda np, x: np.dot([x[0], x[1]], [x[2], 2.0]),
    "prod": lambda np, x: np.prod((x[0], x[1])),
    "cumsum": lambda np, x: np.cumsum([x[0], x[1]]),
    "norm": lambda np, x: np.linalg.norm([x[0], x[1]]),
    "solve": lambda np, x: np.linalg.solve([[x[0], 1.0], [2.0, x[1]]], [1.0, x[2]]),
    "median": lambda np, x: np.median([x[0], 0.5, x[1]]),
    "transpose": lambda np, x: np.transpose([[x[0], 2.0 * x[1]]]),
    "argmax": lambda np, x: x[np.argmax([x[0], x[1]])],
    "sort": lambda np, x: np.sort([x[0], x[1], 0.5]),
    "interp": lambda np, x: np.interp(0.4, [0.0, 1.0], [x[0], x[1]]),
    "trapezoid": lambda np, x: np.trapezoid([x[0], x[1]]),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_functions_of_sequences(name):
    f = SEQUENCES[name]
    value, _ = tg.vjp(lambda x: f(tnp, x), X)
    np.testing.assert_allclose(value, f(np, X), rtol=1e-14)
    tg.testing.check_grads(lambda x: f(tnp, x), (X,))
    np.testing.assert_allclose(tg.function(lambda x: f(tnp, x))(X), f(np, X), rtol=1e-14)


def test_functions_that_detach_still_do():
    with pytest.raises(tg.DetachedError):
        tg.grad(lambda x: tnp.sum(np.zeros(1) + float(x[0])))(X)
    with pytest.raises(tg.DetachedError):
        tg.grad(lambda x: tnp.sum(np.asarray(x)))(X)


def test_ragged():
    with pytest.raises(ValueError, match="different shapes"):
        tg.grad(lambda x: tnp.sum(tnp.array([[x[0]], [x[1], x[2]]])))(X)


def test_array_copies_and_asarray_does_not():
    def f(x):
        y = tnp.array(x)
        y[0] = 0.0
        z = tnp.asarray(x)
        z[1] = 0.0
        return np.sum(x * x)

    assert np.array_equal(tg.grad(f)(X), [0.6, 0.0, -0.8])


A = np.array([[0.3, -1.2, 2.0, 0.1], [1.0, 0.4, -0.7, 0.9]])
B = np.array([[1.0, 2.0, 0.5, 0.0], [1.0, 1.0, 1.0, 3.0]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    for options in ({}, {"b": B}):
        expected = special.logsumexp(A, axis=axis, keepdims=keepdims, **options)

        def f(x, options=options):
            return tspecial.logsumexp(x, axis=axis, keepdims=keepdims, **options)

        np.testing.assert_allclose(f(A), expected, rtol=1e-13)
        value, _ = tg.vjp(f, A)
        np.testing.assert_allclose(value, expected, rtol=1e-13)
        tg.testing.check_grads(f, (A,))


def test_logsumexp_of_large_numbers_and_signs():
    x = np.array([1000.0, 1001.0, -2000.0])
    assert np.allclose(tg.grad(tspecial.logsumexp)(x), special.softmax(x))
    assert tspecial.logsumexp(x) == pytest.approx(special.logsumexp(x), rel=1e-15)
    b = np.array([1.0, -5.0, 2.0])
    expected = special.logsumexp(X, b=b, return_sign=True)
    value, _ = tg.vjp(lambda x: tspecial.logsumexp(x, b=b, return_sign=True), X)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    infinite = np.array([-np.inf, 0.0])
    assert np.array_equal(tg.grad(tspecial.logsumexp)(infinite), [0.0, 1.0])
    assert tspecial.logsumexp(np.zeros(0)) == -np.inf


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
def test_softmax(axis):
    for name in ("softmax", "log_softmax"):
        f = getattr(tspecial, name)
        expected = getattr(special, name)(A, axis=axis)
        value, _ = tg.vjp(lambda x, f=f: f(x, axis=axis), A)
        np.testing.assert_allclose(value, expected, rtol=1e-13)
        tg.testing.check_grads(lambda x, f=f: f(x, axis=axis), (A,))


def test_scipys_own_logsumexp_is_refused_with_advice():
    with pytest.raises(tg.DetachedError):
        tg.grad(special.logsumexp)(X)


def test_repr():
    seen = []

    def f(x):
        seen.extend([repr(x), repr(x[0]), repr(x.astype(np.float32))])
        return np.sum(x)

    tg.grad(f)(np.array([1.0, 2.5]))
    assert seen == ["Variable([1. , 2.5])", "Variable(1.)", "Variable([1. , 2.5], dtype=float32)"]


@pytest.mark.parametrize("name", ["tobytes", "view", "resize", "tofile"])
def test_methods_that_leave_the_recording(name):
    with pytest.raises(tg.DetachedError, match=name):
        tg.grad(lambda x: getattr(x, name)())(X)


IMPORTS = """
import tapegrad.numpy as np
import tapegrad.numpy.fft
import tapegrad.numpy.linalg as npla
import tapegrad.numpy.random as npr
from tapegrad.numpy.random import default_rng
from tapegrad.numpy.linalg import solve
from tapegrad.numpy import random, linalg, fft
import tapegrad.scipy
import tapegrad.scipy.fft
import tapegrad.scipy.integrate
import tapegrad.scipy.interpolate
import tapegrad.scipy.linalg as spla
import tapegrad.scipy.optimize
import tapegrad.scipy.signal
import tapegrad.scipy.sparse
import tapegrad.scipy.sparse.linalg
import tapegrad.scipy.special
from tapegrad.scipy.special import expit, logsumexp
import tapegrad.scipy.stats
import tapegrad.scipy.stats as stats
import tapegrad.scipy.stats.norm as norm
import tapegrad.scipy.stats.multivariate_normal as mvn
import tapegrad.scipy.stats.norm
from tapegrad.scipy.stats import norm, t, gamma
from tapegrad.scipy.stats.norm import logpdf
from tapegrad.scipy.integrate import odeint
from tapegrad.scipy.optimize import minimize
from tapegrad.stats import norm
from tapegrad import grad, jacobian, numpy, scipy
""".strip().splitlines()

IMPORTED_ALONE = """
import sys
for line in sys.stdin.read().splitlines():
    for name in [name for name in sys.modules if name.startswith("tapegrad.")]:
        if name.startswith(("tapegrad.numpy", "tapegrad.scipy", "tapegrad.stats")):
            del sys.modules[name]
    exec(line, {})
"""


def test_the_import_lines_of_other_packages():
    """Each line in a process that has not imported what it names."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORTED_ALONE],
        input="\n".join(IMPORTS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_distributions_imported_as_modules():
    import tapegrad.scipy.stats.norm as norm
    from tapegrad.scipy import stats
    from tapegrad.scipy.stats.norm import logpdf

    assert norm is stats.norm
    assert tg.grad(norm.logpdf)(1.0, 0.0, 2.0) == tg.grad(logpdf)(1.0, 0.0, 2.0) == -0.25
