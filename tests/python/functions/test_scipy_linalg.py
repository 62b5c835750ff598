"""tapegrad.scipy.linalg against scipy.linalg, and the message of SciPy's own functions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
import scipy.linalg as reference
import scipy.special
import scipy.stats
from functions.expressions import check_complex, check_derivatives, check_program, check_value

import tapegrad as tg
from tapegrad.scipy import linalg
from tapegrad.testing import check_grads

EXPRESSIONS = """
tlinalg.block_diag(m, v, x)
np.triu(tlinalg.cho_factor(m @ np.conj(m.T))[0])
tlinalg.cho_solve(tlinalg.cho_factor(m @ np.conj(m.T), True), u)
tlinalg.cho_solve((tlinalg.cholesky(m @ np.conj(m.T)), False), x)
tlinalg.cholesky(m @ np.conj(m.T))
tlinalg.cholesky(k @ np.conj(np.swapaxes(k, -1, -2)), lower=True)
tlinalg.circulant(v)
tlinalg.circulant(t)
tlinalg.det(k)
tlinalg.eig(m)
tlinalg.eig(m, right=False)
(lambda w_, v_: (v_ * np.sin(w_)) @ np.conj(v_.T))(*tlinalg.eigh(m + np.conj(m.T)))
tlinalg.eigvals(m)
tlinalg.eigvals(k)
tlinalg.eigvalsh(m + np.conj(m.T), subset_by_index=(1, 2))
tlinalg.eigvalsh(k + np.conj(np.swapaxes(k, -1, -2)))
tlinalg.expm(m)
tlinalg.expm(k)
tlinalg.hankel(v)
tlinalg.hankel(v, u)
tlinalg.hankel([1.0, 2.0], u)
tlinalg.inv(k)
tlinalg.logm(m)
tlinalg.lstsq(x.T, v)[0]
tlinalg.lu_factor(m)
tuple(tlinalg.lu_factor(k))
tlinalg.lu_solve(tlinalg.lu_factor(m), x)
tlinalg.lu_solve(tlinalg.lu_factor(m), x, 1)
tlinalg.lu_solve(tlinalg.lu_factor(m), u, 2)
tlinalg.lu_solve(tlinalg.lu_factor(k), a)
tlinalg.norm(m)
tlinalg.norm(m, 2)
tlinalg.norm(a, axis=(1, 2))
tlinalg.pinv(x)
tlinalg.qr(x.T, mode="economic")
tuple(tlinalg.qr(b, mode="economic"))
tlinalg.qr(x, mode="r")
tlinalg.solve(m, u)
tlinalg.solve(k, a)
tlinalg.solve(m @ np.conj(m.T), x, assume_a="pos")
tlinalg.solve_banded((1, 1), a + [[0.0], [6.0], [0.0]], v)
tlinalg.solve_banded((1, 2), np.vstack([x, w]) + [[0.0], [0.0], [8.0], [0.0]], v)
tlinalg.solve_continuous_lyapunov(m, n)
tlinalg.solve_discrete_lyapunov(m / 8.0, n)
tlinalg.solve_discrete_lyapunov(m / 8.0, n, "bilinear")
tlinalg.solve_lyapunov(m, n)
tlinalg.solve_sylvester(m, r[:2] @ r[:2].T + np.eye(2), b[0][:3, :2])
tlinalg.solve_triangular(m, x)
tlinalg.solve_triangular(m, u, 1)
tlinalg.solve_triangular(m, x, "C", True, True)
tlinalg.solve_triangular(k, a, lower=True)
tlinalg.sqrtm(m)
tlinalg.sqrtm(k)
(lambda u_, s_, vh: (u_ * np.sin(s_)) @ vh)(*tlinalg.svd(x, full_matrices=False))
tlinalg.svdvals(x)
tlinalg.svdvals(a)
tlinalg.toeplitz(v)
tlinalg.toeplitz(v, u)
""".strip().splitlines()

# The phases of complex vectors are arbitrary; SciPy does not solve the transposed complex system.
REAL = """
tlinalg.eigh(m + m.T, n @ n.T)
tlinalg.eigh(m + m.T, n @ n.T, lower=False)
tlinalg.solve(m, x, transposed=True)
tlinalg.svd(x, full_matrices=False)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS + REAL)
def test_values_derivatives_and_programs(expression):
    check_value(expression, rtol=1e-10)
    check_derivatives(expression)
    check_program(expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_complex(expression):
    check_complex(expression)


RNG = np.random.default_rng(12)
A, B = RNG.standard_normal((4, 4)), RNG.standard_normal((3, 3))
V = RNG.standard_normal(4)
NEGATIVE = np.diag([-4.0, 1.0, 2.0, 3.0]) + 0.1 * A
BAND = RNG.standard_normal((4, 5)) + np.array([0.0, 0.0, 4.0, 0.0])[:, None]


def both_parts(z):
    return np.real(z) + 2.0 * np.imag(z)


# Matrices where eigenvalues are negative or repeat. Each takes the module first: ours, or SciPy's.
SPECIAL = {
    "sqrtm of negative": (lambda of, a: both_parts(of.sqrtm(a)), NEGATIVE),
    "sqrtm of one": (lambda of, a: of.sqrtm(a), np.eye(3)),
    "expm of zero": (lambda of, a: of.expm(a), np.zeros((2, 2))),
    "expm complex of real": (lambda of, a: both_parts(of.expm(a + 1j * a @ a)), B),
    "logm of negative": (lambda of, a: both_parts(of.logm(a)), NEGATIVE),
    "logm of one": (lambda of, a: of.logm(a), np.eye(3)),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_matrices(name):
    call, a = SPECIAL[name]

    def f(x):
        return call(linalg, x)

    expected = call(reference, a)
    np.testing.assert_allclose(tg.vjp(f, a)[0], expected, rtol=1e-10, atol=1e-10)
    replayed = tg.function(f)
    replayed(a)
    expected = call(reference, 1.01 * a)
    np.testing.assert_allclose(replayed(1.01 * a), expected, rtol=1e-10, atol=1e-10)
    check_grads(f, (a,), order=2)


def test_real_equations_with_a_complex_right_side():
    """SciPy 1.17 solves them wrongly where real matrices have complex eigenvalues."""
    a = np.array([[1.0, -2.0], [2.0, 1.0]])
    q = np.array([[1.0, 2.0 + 1.0j], [1.0j, 3.0]])
    x, _ = tg.vjp(linalg.solve_sylvester, a, 3.0 * a, q)
    np.testing.assert_allclose(a @ x + x @ (3.0 * a), q, rtol=1e-12, atol=1e-14)
    x, _ = tg.vjp(linalg.solve_continuous_lyapunov, a, q)
    np.testing.assert_allclose(a @ x + x @ a.T, q, rtol=1e-12, atol=1e-14)


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


def test_circulant_of_a_stack_is_a_stack():
    """Older versions of SciPy flatten the argument."""
    stacked, _ = tg.vjp(linalg.circulant, A)
    assert np.array_equal(stacked, [reference.circulant(row) for row in A])
    check_grads(linalg.circulant, (A,))


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
        (linalg.hankel, "arguments that are not one-dimensional"),
    ]:
        with pytest.raises(tg.UnsupportedError, match=f"scipy.linalg.* with {name}"):
            tg.grad(lambda a, f=f: np.sum(f(a)[0]))(A)
    assert linalg.cosm is reference.cosm and "cosm" in dir(linalg)
