"""numpy.fft against NumPy over lengths, axes and norms, and the derivatives of the transforms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from functions.expressions import (
    arguments,
    check_complex,
    check_derivatives,
    check_program,
    check_value,
    function_of,
)
from functions.replayed import check_replay
from ops.single_op import check_op, sample

import tapegrad as tg
import tapegrad.scipy.fft
from tapegrad import _core

EXPRESSIONS = """
np.fft.fft(v)
np.fft.fft(u)
np.fft.fft(x, axis=0)
np.fft.fft(a, 5, 1, "ortho")
np.fft.fft(z, n=2)
np.fft.fft(z, n=7, axis=0, norm="forward")
np.fft.ifft(v)
np.fft.ifft(z, axis=0)
np.fft.ifft(z, 6, norm="ortho")
np.fft.ifft(c, norm="forward")
np.fft.rfft(v)
np.fft.rfft(u)
np.fft.rfft(a, 3, axis=-1, norm="forward")
np.fft.rfft(x, 9, axis=0, norm="ortho")
np.fft.rfft(v, 1)
np.fft.irfft(c)
np.fft.irfft(c, 7)
np.fft.irfft(z, 5, axis=0, norm="ortho")
np.fft.irfft(z, 3)
np.fft.irfft(z, 1, norm="forward")
np.fft.irfft(v, 12)
np.fft.hfft(c)
np.fft.hfft(z, 5, axis=0, norm="ortho")
np.fft.hfft(x, norm="forward")
np.fft.ihfft(v)
np.fft.ihfft(x, 5, axis=0, norm="forward")
np.fft.fft2(a)
np.fft.fft2(z, s=(2, 5), norm="ortho")
np.fft.ifft2(a, axes=(0, 1))
np.fft.rfft2(a)
np.fft.rfft2(x, s=(5, 3), norm="forward")
np.fft.irfft2(z)
np.fft.irfft2(z, s=(3, 5))
np.fft.fftn(a)
np.fft.fftn(a, axes=(0, 2))
np.fft.fftn(a, axes=(1, 1))
np.fft.fftn(a, s=(4, -1), axes=(1, 0), norm="ortho")
np.fft.ifftn(a, axes=(2,))
np.fft.rfftn(a)
np.fft.rfftn(a, s=(3, 3), axes=(0, 1), norm="ortho")
np.fft.irfftn(a)
np.fft.irfftn(z, s=(4, 3), axes=(1, 0), norm="forward")
np.fft.irfft(np.fft.rfft(v) * np.fft.rfft(w)) ** 2
np.abs(np.fft.fft(v)) ** 2
np.fft.fftshift(x)
np.fft.fftshift(x, axes=0)
np.fft.fftshift(a, axes=(0, -1))
np.fft.ifftshift(x)
np.fft.ifftshift(u, axes=0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_values_and_derivatives(expression):
    check_value(expression)
    check_derivatives(expression)


@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS if ".rfft" not in e])
def test_complex(expression):
    if "ihfft" not in expression and "np.abs" not in expression:
        check_complex(expression)


@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS if "z" not in e and "c" not in e])
def test_programs(expression):
    function, names = function_of(expression)
    args = arguments(names)
    check_replay(function, args, [1.5 - x for x in args])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12])
def test_ops(n):
    z = sample((2, n, 3), "c16")
    check_op("fft", lambda x: np.fft.fft(x, axis=1), [z], (1, 0))
    check_op("fft", lambda x: n * np.fft.ifft(x, axis=1), [z], (1, 1))
    x = sample((n, 2))
    check_op("rfft", lambda x: np.fft.fft(x, axis=0)[: n // 2 + 1], [x], (0,), holomorphic=False)
    half = sample((2, n // 2 + 1), "c16")
    check_op("irfft", lambda z: n * np.fft.irfft(z, n), [half], (1, n), holomorphic=False)


@pytest.mark.parametrize("n", [1, 5, 6])
def test_gradients_are_the_transposed_matrix(n):
    # The adjoint of a complex number is df/dx - i df/dy, without conjugation.
    matrix = np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n)) / n)
    w = sample((n,), "c16")
    _, pullback = tg.vjp(np.fft.fft, sample((n,), "c16"))
    np.testing.assert_allclose(pullback(w)[0], w @ matrix, atol=1e-12)
    _, pullback = tg.vjp(np.fft.fft, sample((n,)))
    np.testing.assert_allclose(pullback(w)[0], (w @ matrix).real, atol=1e-12)


def test_parseval():
    x = sample((9,))
    energy = tg.grad(lambda x: np.sum(np.abs(np.fft.fft(x, norm="ortho")) ** 2))(x)
    np.testing.assert_allclose(energy, 2 * x, rtol=1e-12)


def test_float32_transforms_in_double_precision():
    x = np.linspace(0, 1, 6, dtype=np.float32)
    value, pullback = tg.vjp(np.fft.rfft, x)
    assert value.dtype == np.complex128 and pullback(value)[0].dtype == np.float32
    value, _ = tg.vjp(np.fft.irfft, x)
    assert value.dtype == np.fft.irfft(x).dtype == np.float32


def test_empty_axes():
    e = np.zeros((0, 3))
    value, pullback = tg.vjp(np.fft.fft, e)
    assert value.shape == (0, 3) and pullback(value)[0].shape == (0, 3)
    value, pullback = tg.vjp(lambda e: np.fft.rfft(e, 4, axis=0), e)
    np.testing.assert_array_equal(value, np.zeros((3, 3)))
    assert pullback(value)[0].shape == (0, 3)
    with pytest.raises(ValueError, match=r"data points \(0\)"):
        tg.vjp(lambda e: np.fft.fft(e, axis=0), e)


def test_out():
    def f(x):
        out = np.fft.fft(x) * 0
        assert np.fft.ifft(x, out=out) is out
        return np.sum(np.abs(out) ** 2)

    np.testing.assert_allclose(tg.grad(f)(np.ones(4)), np.full(4, 0.5))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: np.fft.fft(x, n=0), ValueError),
        (lambda x: np.fft.fft(x, norm="other"), ValueError),
        (lambda x: np.fft.fft(x, axis=2), IndexError),
        (lambda x: np.fft.rfft(x + 1j), TypeError),
        (lambda x: np.fft.fftn(x, s=(2, 2), axes=(0,)), ValueError),
    ],
)
def test_errors(call, error):
    with pytest.raises(error):
        call(np.ones((3, 3)))
    with pytest.raises(error):
        tg.vjp(call, np.ones((3, 3)))


def test_batches():
    x = sample((4, 6))

    def power(x):
        return np.abs(np.fft.rfft(x)) ** 2

    np.testing.assert_allclose(tg.vmap(power)(x), power(x), rtol=1e-12)
    jacobians = tg.vmap(tg.jacobian(power))(x)
    for row, found in zip(x, jacobians, strict=True):
        np.testing.assert_allclose(found, tg.jacobian(power)(row), rtol=1e-10, atol=1e-10)


def test_ops_reject_other_dtypes():
    with pytest.raises(tg.UnsupportedError, match="fft takes complex128"):
        _core.apply("fft", (np.ones(3),), (0, 0))


SCIPY = """
tfft.fft(x, 3, 0, norm="ortho")
tfft.ifft(z)
tfft.rfft(x, n=5)
tfft.irfft(z, 5)
tfft.hfft(c)
tfft.ihfft(v)
tfft.fft2(a, s=(2, 5))
tfft.ifft2(a)
tfft.rfft2(a, norm="ortho")
tfft.irfft2(z)
tfft.hfft2(z, s=(3, 5))
tfft.ihfft2(a)
tfft.fftn(a, s=3, axes=1)
tfft.ifftn(a, axes=(0, 2), norm="forward")
tfft.rfftn(a, s=(2, 3), axes=(0, 1))
tfft.irfftn(z, s=(4, 3), axes=(1, 0))
tfft.hfftn(z)
tfft.ihfftn(a)
""".strip().splitlines()


@pytest.mark.parametrize("expression", SCIPY)
def test_scipy_fft(expression):
    check_value(expression)
    check_derivatives(expression)
    check_program(expression)
    if ".rfft" not in expression and "ihfft" not in expression:  # these take real arrays
        check_complex(expression)


def test_scipy_serves_plain_arrays():
    x, workers = np.arange(6.0).reshape(2, 3), 1
    for name in ("fft", "irfft", "fft2", "hfftn"):
        options = (4, 0) if name in ("fft", "irfft") else ((4, 2), (0, 1))
        found, expected = (
            getattr(module, name)(x, *options, "ortho", False, workers)
            for module in (tapegrad.scipy.fft, scipy.fft)
        )
        np.testing.assert_array_equal(found, expected)


def test_scipy_backend():
    x = np.arange(5.0)
    with scipy.fft.set_backend(tapegrad.scipy.fft):
        energy = tg.grad(lambda x: np.sum(np.abs(scipy.fft.fft(x)) ** 2))(x)
        np.testing.assert_allclose(scipy.fft.fft(x), np.fft.fft(x))
    np.testing.assert_allclose(energy, 10 * x)
    assert tapegrad.scipy.fft.next_fast_len(7) == scipy.fft.next_fast_len(7)
