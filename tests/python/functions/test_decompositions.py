"""np.linalg: eigh, eig, svd, qr, pinv, lstsq, cond and what rests on them, at regular points and
where values repeat."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import check_derivatives, check_value
from numpy import linalg as la

import tapegrad as tg
from tapegrad.scipy import linalg
from tapegrad.testing import check_grads

RNG = np.random.default_rng(11)


def drawn(*shape, dtype=float):
    x = RNG.standard_normal(shape)
    return x + 1j * RNG.standard_normal(shape) if dtype is complex else x


def hermitian(a):
    return (a + np.conj(np.swapaxes(a, -1, -2))) / 2


def parts(*values):
    """Real and imaginary parts, for checks that take real results."""
    return tuple(np.stack([np.real(v), np.imag(v)]) for v in values)


def rebuilt(a):
    u, s, vh = la.svd(a, full_matrices=False)
    return parts((u * np.sin(s)[..., None, :]) @ vh)


def complement(q, k):
    return q[..., k:] @ np.conj(np.swapaxes(q[..., k:], -1, -2))


def of_hermitian(a):
    w, v = la.eigh(hermitian(a))
    return parts((v * np.sin(w)[..., None, :]) @ np.conj(np.swapaxes(v, -1, -2)))


SQUARE, STACK, TALL, WIDE = drawn(4, 4), drawn(2, 3, 3), drawn(5, 3), drawn(3, 5)
TALLS, COMPLEX, COMPLEX_TALL = (
    drawn(2, 4, 3),
    drawn(3, 3, dtype=complex),
    drawn(4, 3, dtype=complex),
)
APART = np.diag([1.0, 5.0, 9.0, 14.0]) + 0.1 * SQUARE
ROTATION = np.array([[1.0, -2.0, 0.3], [2.0, 1.5, 0.1], [0.2, 0.1, 3.0]])

CASES = {
    "eigvalsh": (lambda a: la.eigvalsh(hermitian(a)), SQUARE),
    "eigvalsh upper": (lambda a: la.eigvalsh(hermitian(a), "U"), STACK),
    "eigh": (lambda a: tuple(la.eigh(hermitian(a))), SQUARE),
    "eigh upper": (lambda a: tuple(la.eigh(hermitian(a), UPLO="U")), STACK),
    "eigh complex": (of_hermitian, COMPLEX),
    "svd tall": (lambda a: tuple(la.svd(a, full_matrices=False)), TALL),
    "svd wide": (lambda a: tuple(la.svd(a, full_matrices=False)), WIDE),
    "svd stack": (lambda a: tuple(la.svd(a, full_matrices=False)), TALLS),
    "svd complex": (rebuilt, COMPLEX_TALL),
    "svd full": (lambda a: (complement(la.svd(a)[0], 3), *la.svd(a)[1:]), TALL),
    "svd full wide": (lambda a: (la.svd(a)[0], complement(la.svd(a)[2].T, 3)), WIDE),
    "svd values": (lambda a: la.svd(a, compute_uv=False), TALLS),
    "svd hermitian": (lambda a: la.svd(hermitian(a), hermitian=True)[1], SQUARE),
    "qr": (lambda a: tuple(la.qr(a)), TALLS),
    "qr wide": (lambda a: tuple(la.qr(a)), WIDE),
    "qr r": (lambda a: la.qr(a, mode="r"), STACK),
    "qr complex": (lambda a: parts(*la.qr(a)), COMPLEX_TALL),
    "qr complete": (
        lambda a: (complement(la.qr(a, "complete")[0], 3), la.qr(a, "complete")[1]),
        TALL,
    ),
    "pinv": (la.pinv, TALLS),
    "pinv wide": (la.pinv, WIDE),
    "pinv complex": (lambda a: parts(la.pinv(a)), COMPLEX_TALL),
    "pinv of rank 2": (lambda a: la.pinv(a[:, :2] @ a[:2, :], rcond=1e-10), SQUARE),
    "pinv hermitian": (lambda a: la.pinv(hermitian(a), hermitian=True), SQUARE),
    "pinv cutoffs": (lambda a: la.pinv(a, np.array([1e-3, 1e-9])), TALLS),
    "lstsq": (lambda a: la.lstsq(a, a[:, 0] ** 2)[:2], TALL),
    "lstsq columns": (lambda a: la.lstsq(a, np.sin(a), rcond=1e-9)[:2], TALL),
    "lstsq wide": (lambda a: la.lstsq(a, np.sin(a[:, :2]))[0], WIDE),
    "lstsq of rank 2": (lambda a: la.lstsq(a[:, :2] @ a[:2, :], a[0], rcond=1e-9)[0], SQUARE),
    "lstsq singular values": (lambda a: la.lstsq(a, a[:, 0])[3], TALL),
    "eigvals": (la.eigvals, APART),
    "eigvals complex": (lambda a: parts(la.eigvals(a)), ROTATION),
    "eig": (lambda a: tuple(la.eig(a)), APART),
    "eig of rotations": (lambda a: parts(*la.eig(a)), ROTATION),
    "eig complex": (lambda a: parts(*la.eig(a)), COMPLEX),
    "norms": (lambda a: (la.norm(a, 2), la.norm(a, -2), la.norm(a, "nuc")), TALL),
    "norm axes": (lambda a: la.norm(a, "nuc", axis=(0, 2), keepdims=True), TALLS),
    "matrix power": (lambda a: la.matrix_power(a, -3), STACK),
    "tensorsolve": (lambda a: la.tensorsolve(a.reshape(2, 2, 4), a[:2, :2]), SQUARE),
    "tensorsolve axes": (
        lambda a: la.tensorsolve(a.reshape(2, 4, 2), a[0], axes=(0,)),
        SQUARE,
    ),
    "tensorinv": (lambda a: la.tensorinv(a.reshape(4, 2, 2), ind=1), SQUARE),
    "multi_dot": (lambda a: la.multi_dot([a, a.T, a[:, 0]]), SQUARE),
    **{
        f"cond {p}": ((lambda a, p=p: la.cond(a, p)), STACK)
        for p in (None, 2, -2, 1, -1, np.inf, "fro", "nuc")
    },
}


@pytest.mark.parametrize("name", CASES)
def test_values_derivatives_and_programs(name):
    f, x = CASES[name]
    expected = f(x)
    value, _ = tg.vjp(f, x)
    replayed = tg.function(f)
    replayed(x)
    again, at_other = replayed(1.01 * x), f(1.01 * x)
    for found, wanted in ((value, expected), (again, at_other)):
        found, wanted = (v if isinstance(v, tuple) else (v,) for v in (found, wanted))
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)
            assert np.asarray(a).dtype == np.asarray(b).dtype
    check_grads(f, (x,), order=2)


EXPRESSIONS = [
    "np.linalg.eigh(h + h.T)",
    "np.linalg.eigvalsh(h + h.T)",
    "np.linalg.eig(h)",
    "np.linalg.eigvals(h)",
    "np.linalg.svd(y, full_matrices=False)",
    "np.linalg.svdvals(k)",
    "np.linalg.qr(k)",
    "np.linalg.pinv(r)",
    "np.linalg.lstsq(r, v)[:2]",
    "np.linalg.cond(k)",
    "np.linalg.tensorsolve(m, u)",
    "np.linalg.tensorinv(m, ind=1)",
    "np.linalg.matrix_norm(k, ord='nuc')",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression):
    check_value(expression, rtol=1e-11)
    check_derivatives(expression)


@pytest.mark.parametrize("name", ["eigvalsh", "eigh", "svd", "qr", "pinv", "eigvals", "cond"])
def test_single_precision(name):
    x = APART.astype(np.float32)
    f = getattr(la, name)
    value, pullback = tg.vjp(f, hermitian(x) if "h" in name else x)
    for v, w in zip(*(t if isinstance(t, tuple) else (t,) for t in (value, f(x))), strict=True):
        given, wanted = np.asarray(v).dtype, np.asarray(w).dtype
        # eigenvalues are complex from NumPy 2.5 on, and recorded complex numbers are complex128
        assert given == (np.complex128 if wanted == np.complex64 else np.float32)
    assert pullback(value)[0].dtype == np.float32


@pytest.mark.parametrize("shape", [(0, 0), (2, 0, 0), (0, 3, 3), (0, 3), (3, 0)])
def test_empty(shape):
    x = np.zeros(shape)
    square = shape[-1] == shape[-2]
    for name in ("svd", "qr", "pinv", *(("eigh", "eigvalsh", "eig", "eigvals") if square else ())):
        f = getattr(la, name)
        value, pullback = tg.vjp(f, x)
        expected = f(x)
        if not isinstance(expected, tuple):
            expected, value = (expected,), (value,)
        assert [np.shape(v) for v in value] == [np.shape(v) for v in expected], name
        assert pullback(value if len(value) > 1 else value[0])[0].shape == shape


def test_rank_has_derivative_zero():
    assert not tg.grad(lambda a: np.sum(a) * 0.0 + la.matrix_rank(a))(SQUARE).any()


def test_vmap_and_jacobians_in_both_modes():
    def f(a):
        return np.sum(np.exp(la.eigvalsh(hermitian(a))))

    gradients = tg.vmap(tg.grad(f))(STACK)
    np.testing.assert_allclose(gradients, [tg.grad(f)(a) for a in STACK], rtol=1e-12)
    for g in (lambda a: la.svd(a)[0], lambda a: np.real(la.eigvals(a)), la.pinv):
        np.testing.assert_allclose(tg.jacfwd(g)(ROTATION), tg.jacrev(g)(ROTATION), atol=1e-12)


# Repeated values ----------------------------------------------------------------------------------

BASIS = la.qr(drawn(4, 4))[0]
REPEATED = BASIS @ np.diag([1.0, 1.0, 1.0, 3.0]) @ BASIS.T
WEIGHTS = hermitian(drawn(4, 4))


def matrix_function_by_eigh(a):
    w, v = la.eigh(hermitian(a))
    return np.sum(WEIGHTS * ((v * np.exp(w)) @ v.T))


def along_eigenspace(a):
    v = la.eigh(hermitian(a))[1]
    return np.sum(WEIGHTS * (v[:, :3] @ v[:, :3].T))


def best_of_rank_one(a):
    u, s, vh = la.svd(a)
    return np.sum(WEIGHTS * (u[:, :1] * s[:1] @ vh[:1]))


def by_oblique_projection(a):
    w, v = la.eig(a)
    return np.sum(WEIGHTS * np.real((v * (np.real(w) > 2.0)) @ la.inv(v)))


WELL_DEFINED = {
    "values": lambda a: np.sum(np.exp(la.eigvalsh(a))),
    "values of eigh": lambda a: np.sum(np.exp(la.eigh(a)[0])),
    "values of eig": lambda a: np.real(np.sum(la.eigvals(a) ** 3)),
    "nuclear norm": lambda a: la.norm(a, "nuc"),
    "projection": along_eigenspace,
    "low rank": best_of_rank_one,
    "oblique projection": by_oblique_projection,
    "full svd": lambda a: np.sum(WEIGHTS * complement(la.svd(a[:, :1])[0], 1)),
    "expm": lambda a: np.sum(WEIGHTS * linalg.expm(a)),
    "logm": lambda a: np.sum(WEIGHTS * linalg.logm(a)),
    "sqrtm": lambda a: np.sum(WEIGHTS * linalg.sqrtm(a)),
}


@pytest.mark.parametrize("name", WELL_DEFINED)
def test_repeated_values_of_well_defined_functions(name):
    f, direction = WELL_DEFINED[name], hermitian(drawn(4, 4))
    h = 1e-5
    expected = (f(REPEATED + h * direction) - f(REPEATED - h * direction)) / (2 * h)
    for gradient in (tg.grad(f)(REPEATED), tg.function(f).grad(REPEATED)):
        assert np.sum(gradient * direction) == pytest.approx(expected, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", ["values", "values of eig", "nuclear norm", "expm", "full svd"])
def test_repeated_values_forward(name):
    f, direction = WELL_DEFINED[name], hermitian(drawn(4, 4))
    _, tangent = tg.jvp(f, (REPEATED,), (direction,))
    assert tangent == pytest.approx(np.sum(tg.grad(f)(REPEATED) * direction), rel=1e-10)


@pytest.mark.parametrize("f", [matrix_function_by_eigh, lambda a: la.eigh(hermitian(a))[1][0, 0]])
def test_what_depends_on_the_basis_of_an_eigenspace_raises(f):
    for derivative in (tg.grad(f), tg.function(f).grad):
        with pytest.raises(la.LinAlgError, match="repeated eigen"):
            derivative(REPEATED)
    with pytest.raises(la.LinAlgError, match="repeated eigen"):
        tg.jvp(f, (REPEATED,), (WEIGHTS,))


def by_eigh(f):
    def function(a):
        w, v = la.eigh(hermitian(a))
        return (v * f(w)) @ v.T

    return function


def by_eig(f):
    def function(a):
        w, v = la.eig(a)
        return np.real((v * f(w)) @ la.inv(v))

    return function


def by_svd(f):
    def function(a):
        u, s, vh = la.svd(a)
        return (u * f(s)) @ vh

    return function


# Where f or a diagonal vanishes, the adjoints of the values and vectors alone would say nothing.
@pytest.mark.parametrize("way", [by_eigh, by_eig, by_svd])
@pytest.mark.parametrize("f", [np.exp, np.log])
def test_matrix_functions_written_out_raise_at_the_identity(way, f):
    for weights in (np.ones((3, 3)), np.diag([1.0, 2.0, 0.0]), np.eye(3)[::-1]):
        with pytest.raises(la.LinAlgError, match="repeated eigen"):
            tg.grad(lambda a, weights=weights: np.sum(weights * way(f)(a)))(np.eye(3))
    with pytest.raises(la.LinAlgError, match="repeated eigen"):
        tg.grad(lambda a: by_eigh(np.exp)(a)[0, 1])(np.eye(3))


def test_one_element_of_a_projection():
    def projection(a):
        v = la.eigh(hermitian(a))[1]
        return (v[:, :2] @ v[:, :2].T)[0, 1]

    assert not tg.grad(projection)(np.diag([1.0, 1.0, 2.0])).any()


@pytest.mark.parametrize("name", ["values", "values of eigh", "nuclear norm", "projection"])
def test_second_derivatives_at_repeated_values_are_right_or_raise(name):
    with pytest.raises(la.LinAlgError, match="repeated eigen"):
        tg.hvp(WELL_DEFINED[name], (REPEATED,), (WEIGHTS,))


def test_second_derivatives_of_matrix_functions_at_repeated_values():
    # The Hessian of tr exp at the identity is e times the scalar product.
    trace = tg.hvp(lambda a: np.trace(linalg.expm(a)), (np.eye(3),), (WEIGHTS[:3, :3],))
    np.testing.assert_allclose(trace, np.e * WEIGHTS[:3, :3].T, rtol=1e-12)


def test_equal_values_share_and_zero_is_flat():
    eye = np.eye(3)
    assert np.allclose(tg.grad(lambda a: la.norm(a, 2))(eye), eye / 3)
    assert np.allclose(tg.jacobian(la.eigvalsh)(eye), np.broadcast_to(eye / 3, (3, 3, 3)))
    assert np.allclose(tg.grad(lambda a: la.norm(a, "nuc"))(np.diag([2.0, 0.0])), np.diag([1.0, 0]))


def test_phases_of_complex_vectors_are_arbitrary():
    a = hermitian(COMPLEX)
    with pytest.raises(la.LinAlgError, match="phases"):
        tg.grad(lambda a: np.imag(la.eigh(a)[1][2, 0]) ** 2)(a)


def test_defective_matrices_raise():
    jordan = np.array([[1.0, 1.0], [0.0, 1.0]])
    for f in (lambda a: np.sum(np.real(la.eigvals(a))), lambda a: np.real(la.eig(a)[1][0, 1])):
        with pytest.raises(la.LinAlgError):
            tg.grad(f)(jordan)


def test_arguments_as_numpy_refuses_them():
    for f, error in [
        (lambda a: la.eigh(a, UPLO="X"), ValueError),
        (lambda a: la.eigh(a[:2]), la.LinAlgError),
        (lambda a: la.qr(a, mode="raw"), tg.UnsupportedError),
        (lambda a: la.qr(a, mode="other"), ValueError),
        (lambda a: la.pinv(a, rcond=0.1, rtol=0.1), ValueError),
        (lambda a: la.svd(a[0]), la.LinAlgError),
        (lambda a: la.eigvals(a * np.inf), la.LinAlgError),
    ]:
        with pytest.raises(error):
            tg.grad(lambda a, f=f: np.sum(f(a)[0]))(SQUARE)
