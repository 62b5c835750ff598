"""tapegrad.scipy.linalg against scipy.linalg, and the message of SciPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg as reference
import scipy.special
import scipy.stats

import tapegrad as tg
from tapegrad.scipy import linalg
from tapegrad.testing import check_grads

RNG = np.random.default_rng(12)
A, B = RNG.standard_normal((4, 4)), RNG.standard_normal((3, 3))
Q, V, COLUMNS = (RNG.standard_normal(shape) for shape in [(4, 3), (4,), (4, 2)])
STACK = RNG.standard_normal((2, 3, 3))
POSITIVE = A @ A.T + 4.0 * np.eye(4)
NEGATIVE = np.diag([-4.0, 1.0, 2.0, 3.0]) + 0.1 * A
BAND = RNG.standard_normal((4, 5)) + np.array([0.0, 0.0, 4.0, 0.0])[:, None]


def hermitian(a):
    return (a + np.conj(np.swapaxes(a, -1, -2))) / 2


def both_parts(z):
    return np.real(z) + 2.0 * np.imag(z)


def triangular(trans, lower, unit):
    return lambda of, a, b: of.solve_triangular(a, b, trans, lower, unit)


# Each takes the module first: ours, or SciPy's.
CASES = {
    "solve": (lambda of, a, b: of.solve(a, b), A, V),
    "solve transposed": (lambda of, a, b: of.solve(a, b, transposed=True), A, V),
    "solve positive": (
        lambda of, a, b: of.solve(hermitian(a), b, assume_a="pos"),
        POSITIVE,
        COLUMNS,
    ),
    **{
        f"solve_triangular {trans} {lower} {unit}": (triangular(trans, lower, unit), A, COLUMNS)
        for trans, lower, unit in [(0, True, False), (1, False, False), ("C", True, True)]
    },
    "solve_banded": (lambda of, ab, b: of.solve_banded((1, 2), ab, b), BAND, BAND[0]),
    "solve_sylvester": (lambda of, a, b, q: of.solve_sylvester(a, b, q), A, B + 5 * np.eye(3), Q),
    "lyapunov": (lambda of, a, q: of.solve_continuous_lyapunov(a, q), A - 4 * np.eye(4), A),
    "discrete": (lambda of, a, q: of.solve_discrete_lyapunov(a, q), 0.3 * A, A),
    "bilinear": (lambda of, a, q: of.solve_discrete_lyapunov(a, q, "bilinear"), 0.3 * A, A),
    "sqrtm": (lambda of, a: of.sqrtm(a), POSITIVE),
    "sqrtm of negative": (lambda of, a: both_parts(of.sqrtm(a)), NEGATIVE),
    "sqrtm of one": (lambda of, a: of.sqrtm(a), np.eye(3)),
    "expm": (lambda of, a: of.expm(a), A),
    "expm of a stack": (lambda of, a: of.expm(a), STACK),
    "expm of zero": (lambda of, a: of.expm(a), np.zeros((2, 2))),
    "expm complex": (lambda of, a: both_parts(of.expm(a + 1j * a @ a)), B),
    "logm": (lambda of, a: of.logm(a), POSITIVE),
    "logm of negative": (lambda of, a: both_parts(of.logm(a)), NEGATIVE),
    "logm of one": (lambda of, a: of.logm(a), np.eye(3)),
    "cho_factor": (lambda of, a: np.triu(of.cho_factor(hermitian(a))[0]), POSITIVE),
    "cho_solve": (
        lambda of, a, b: of.cho_solve(of.cho_factor(hermitian(a), True), b),
        POSITIVE,
        V,
    ),
    "lu_factor": (lambda of, a: of.lu_factor(a)[0], A),
    "lu_factor of a stack": (lambda of, a: of.lu_factor(a)[0], STACK),
    **{
        f"lu_solve {trans}": (
            (lambda of, a, b, trans=trans: of.lu_solve(of.lu_factor(a), b, trans)),
            A,
            COLUMNS,
        )
        for trans in (0, 1, 2)
    },
    "block_diag": (lambda of, a, b, c: of.block_diag(a, b, c), B, V, Q),
    "toeplitz": (lambda of, c, r: of.toeplitz(c, r), V, BAND[0]),
    "toeplitz symmetric": (lambda of, c: of.toeplitz(c), V),
    "qr economic": (lambda of, a: of.qr(a, mode="economic"), Q),
    "qr r": (lambda of, a: of.qr(a, mode="r")[0], Q),
    "cholesky": (lambda of, a: of.cholesky(hermitian(a)), POSITIVE),
    "svd": (lambda of, a: of.svd(a, full_matrices=False), Q),
    "svdvals": (lambda of, a: of.svdvals(a), Q),
    "pinv": (lambda of, a: of.pinv(a), Q),
    "lstsq": (lambda of, a, b: of.lstsq(a, b)[0], Q, V),
    "det, inv, norm": (lambda of, a: (of.det(a), of.inv(a), of.norm(a, 2)), B),
    "eigh generalised": (
        lambda of, a, b: tuple(of.eigh(hermitian(a), hermitian(b))),
        A,
        POSITIVE,
    ),
    "eigh upper": (
        lambda of, a, b: tuple(of.eigh(hermitian(a), hermitian(b), lower=False)),
        A,
        POSITIVE,
    ),
    "eigvalsh subset": (
        lambda of, a: of.eigvalsh(hermitian(a), subset_by_index=(1, 2)),
        A,
    ),
    "eigvals": (lambda of, a: both_parts(of.eigvals(a)), B),
}


def compare(found, expected, rtol=1e-10):
    found, expected = (v if isinstance(v, tuple) else (v,) for v in (found, expected))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", CASES)
def test_values_derivatives_and_programs(name):
    call, *args = CASES[name]

    def f(*xs):
        return call(linalg, *xs)

    compare(tg.vjp(f, *args)[0], call(reference, *args))
    compare(f(*args), call(reference, *args))
    replayed = tg.function(f)
    replayed(*args)
    other = [1.01 * x for x in args]
    compare(replayed(*other), call(reference, *other))
    check_grads(f, tuple(args), order=2)


def test_expm_far_from_zero_keeps_its_accuracy():
    def f(x):
        return linalg.expm(x * np.array([[0.0, 1.0], [-1.0, 0.0]]))[0, 1]

    for order in (1, 2, 3):
        expected = np.sin(30.0 + order * np.pi / 2)
        assert tg.derivative(f, order)(30.0) == pytest.approx(expected, abs=1e-12)


def test_large_directions_do_not_spoil_expm():
    _, tangent = tg.jvp(linalg.expm, (0.1 * B,), (1e12 * B,))
    np.testing.assert_allclose(tangent, 1e12 * B @ reference.expm(0.1 * B), rtol=1e-12)


def test_logm_inverts_expm_to_second_order():
    def f(a):
        return linalg.logm(linalg.expm(a))

    identity = tg.jacobian(f)(0.3 * B)
    np.testing.assert_allclose(identity.reshape(9, 9), np.eye(9), atol=1e-12)
    assert np.abs(tg.hvp(lambda a: np.sum(B * f(a)), (0.3 * B,), (B,))).max() < 1e-11


def test_bands_agree_with_the_dense_matrix():
    def dense(ab):
        n = ab.shape[1]
        return sum(np.diag(ab[2 - k, max(k, 0) : n + min(k, 0)], k) for k in (-1, 0, 1, 2))

    b = BAND[1]
    banded = tg.grad(lambda ab: np.sum(linalg.solve_banded((1, 2), ab, b) ** 2))(BAND)
    through = tg.grad(lambda ab: np.sum(np.linalg.solve(dense(ab), b) ** 2))(BAND)
    np.testing.assert_allclose(banded, through, rtol=1e-10, atol=1e-12)


def test_lu_pivots_are_looked_at_by_programs():
    f = tg.function(lambda a: linalg.lu_factor(a)[0])
    for a in (A, A[::-1].copy(), A):
        np.testing.assert_allclose(f(a), reference.lu_factor(a)[0], rtol=1e-12)


@pytest.mark.parametrize(
    ("f", "called", "advice"),
    [
        (lambda x: reference.expm(x), "scipy.linalg.expm", "Call tapegrad.scipy.linalg.expm"),
        (lambda x: reference.lu_factor(x), "scipy.linalg.lu_factor", "Call tapegrad.scipy"),
        (lambda x: reference.solve(x, V), "scipy.linalg.solve", "Call tapegrad.scipy.linalg.solve"),
        (lambda x: reference.cosm(x), "scipy.linalg.cosm", "with functions of tapegrad.scipy"),
        (lambda x: scipy.special.logsumexp(x), "scipy.special.logsumexp", "Call tapegrad.scipy"),
        (lambda x: scipy.special.spherical_jn(1, x), "special.spherical_jn", "tapegrad.scipy"),
        (
            lambda x: scipy.interpolate.CubicSpline(np.arange(3.0), x)(0.5),
            "scipy.interpolate.CubicSpline",
            "Call tapegrad.scipy.interpolate.CubicSpline",
        ),
        (lambda x: scipy.stats.zscore(x), "scipy.stats.zscore", "tapegrad.scipy.stats"),
        (lambda x: scipy.stats.norm.pdf(x), "scipy.stats.norm.pdf", "tapegrad.scipy.stats"),
    ],
)
def test_functions_of_scipy_name_what_to_call(f, called, advice):
    with pytest.raises(tg.DetachedError) as caught:
        tg.grad(lambda x: np.sum(f(x)))(A)
    message = str(caught.value)
    assert f"{called} cannot take recorded values" in message and advice in message
    assert message.startswith(__file__)


def test_arguments_without_a_rule_are_named():
    for f, name in [
        (lambda a: linalg.qr(a, pivoting=True), "pivoting"),
        (lambda a: linalg.eig(a, a), "b"),
        (lambda a: linalg.sqrtm(a, disp=False), "disp"),
    ]:
        with pytest.raises(tg.UnsupportedError, match=f"scipy.linalg.* with {name}"):
            tg.grad(lambda a, f=f: np.sum(f(a)[0]))(A)
    assert linalg.cosm is reference.cosm and "cosm" in dir(linalg)
