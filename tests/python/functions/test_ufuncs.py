"""ufuncs with keywords, their methods, those made of several ops, and SciPy's."""

from __future__ import annotations

import re

import numpy as np
import pytest
from functions.expressions import check_derivatives, check_value
from scipy import special

import tapegrad as tg

SMOOTH = """
np.divmod(x, p)
divmod(x, p)
np.divmod(x, 0.7)
np.modf(x)
np.frexp(x)[0]
np.float_power(p, v)
np.float_power(q, 2)
np.conjugate(z).imag
np.conj(c).imag
z.conj().imag
np.absolute(z)
abs(z)
np.abs(c)
np.sign(z).real
np.sign(c).imag
np.angle(z)
np.angle(c, deg=True)
np.angle(z + 0.1).sum()
np.real(z)
np.imag(z)
np.real(x)
np.real_if_close(c).real
np.sinc(x)
np.sinc(c).real
np.i0(x)
np.clip(x, -1, 1)
np.clip(x, None, 0.5)
np.clip(x, v, 1.9)
np.clip(x, min=-0.5)
np.clip(x, max=s)
x.clip(-1.2, 1.3)
x.clip(max=0.4)
np.nan_to_num(x)
np.nan_to_num(z).imag
np.unwrap(x * 4)
np.unwrap(x * 4, period=s)
np.unwrap(p * 4, period=t, axis=0)
np.logaddexp(x, y)
np.logaddexp2(x, s)
np.hypot(x, v)
np.arctan2(x, y)
np.ldexp(v, np.array([1, 2, 0, -1]))
np.copysign(x, y)
np.heaviside(x, 0.5)
np.power(p, 3)
p ** -2
2.0 ** v
np.pow(p, 1.5)
np.true_divide(x, p)
np.remainder(x, 0.7)
np.mod(x, p)
np.fmod(x, 0.7)
np.add(x, y, where=MASK, out=np.zeros_like(x))
np.exp(x, where=ROW, out=np.ones_like(x) * s)
np.add(v, w, dtype=np.complex128).real
np.multiply.reduce(x)
np.add.reduce(x, axis=1, keepdims=True)
np.add.reduce(a, axis=(0, 2))
np.add.reduce(x, axis=None)
np.add.reduce(x, axis=1, initial=s, where=MASK)
np.maximum.reduce(x, axis=1)
np.minimum.reduce(x, axis=None)
np.logaddexp.reduce(x, axis=1)
np.logaddexp.reduce(x, axis=(0, 1))
np.hypot.reduce(v)
np.hypot.reduce(x, axis=1, keepdims=True)
np.subtract.reduce(x, axis=0)
np.divide.reduce(q, axis=1)
np.fmax.reduce(x)
np.multiply.accumulate(v)
np.multiply.accumulate(np.tile(v, 5))
np.cumprod(np.tile(v, 5))
np.maximum.accumulate(np.repeat(v, 5))
np.multiply.accumulate(x, axis=1)
np.add.accumulate(x, axis=1)
np.maximum.accumulate(v)
np.logaddexp.accumulate(v)
np.subtract.accumulate(x, axis=1)
np.cumprod(x, axis=1)
np.cumprod(x)
x.cumprod(axis=0)
np.add.outer(u, v)
np.multiply.outer(x, v)
np.power.outer(p, u)
np.add.reduceat(v, [0, 2])
np.add.reduceat(v, [0, 3, 1])
np.multiply.reduceat(x, [0, 2, 1], axis=1)
special.expit(x)
special.logit(p / 3)
special.logit(np.array([1e-9, 0.3, 0.5, 0.7]) * special.expit(v))
special.log_expit(x)
special.erf(x)
special.erfc(v)
special.xlogy(v, p)
special.xlogy(2.0, p)
special.xlog1py(v, p)
special.entr(p)
special.rel_entr(p, p[::-1])
special.kl_div(p, p[::-1])
special.chdtr(2.5, p)
special.chdtrc(p, p[::-1])
special.stdtr(p, x)
special.ndtr(x)
special.cbrt(p)
special.expm1(v)
special.log1p(p)
special.exp2(v)
""".strip().splitlines()

VALUES = """
np.isnan(x)
np.isfinite(z)
np.isinf(x)
np.signbit(x)
np.logical_and(x > 0, y)
np.logical_not(x)
np.logical_or.reduce(x > 0, axis=1)
np.logical_and.reduce(x, axis=0)
np.greater(x, 0.0)
np.less_equal(x, v)
np.not_equal(x, y)
np.equal(x, x)
np.spacing(x)
np.frexp(x)[1]
np.floor(x)
np.rint(z * 2)
np.trunc(x)
np.fmin(x, y)
np.nextafter(x, y)
np.add(x, y, dtype=np.float32)
x > 0
x == y
""".strip().splitlines()


@pytest.mark.parametrize("expression", SMOOTH + VALUES)
def test_value(expression):
    # A sum that starts from half its terms rounds otherwise.
    check_value(expression, rtol=1e-12)


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    check_derivatives(expression)


@pytest.mark.parametrize(
    "expression",
    [e for e in SMOOTH if not re.search(r"\bs\b|special|float_power|complex|ldexp", e)],
)
def test_float32(expression):
    check_value(expression, np.float32, rtol=3e-5)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("name", [n for n in dir(np) if isinstance(getattr(np, n), np.ufunc)])
def test_every_ufunc_answers(name):
    """Every ufunc of NumPy gives its value or says that it has no rule."""
    ufunc = getattr(np, name)
    args = [np.array([[0.3, 0.7], [0.2, 0.6]])] * ufunc.nin
    if name == "ldexp":
        args[1] = np.array([1, 2])
    try:
        expected = ufunc(*args)
    except TypeError:  # integers or times only
        with pytest.raises(TypeError):
            tg.vjp(ufunc, *args)
        return
    value, _ = tg.vjp(ufunc, *args)
    for v, e in zip(
        value if isinstance(value, tuple) else (value,),
        expected if isinstance(expected, tuple) else (expected,),
        strict=True,
    ):
        np.testing.assert_allclose(v, e, rtol=1e-14)


def test_out_and_in_place():
    def f(x):
        y = np.zeros_like(x)
        np.sin(x, out=y)
        np.multiply(y, x, out=y, where=np.array([True, False, True]))
        y += x
        np.divmod(x, 0.3, out=(np.zeros_like(x), y[:]))
        return np.sum(y * x)

    tg.testing.check_grads(f, (np.array([0.4, 1.0, 1.4]),))


def test_plain_out_is_refused():
    with pytest.raises(tg.DetachedError, match=r"test_ufuncs\.py.*sin.*out="):
        tg.grad(lambda x: np.sum(np.sin(x, out=np.zeros(2))))(np.ones(2))

    def add_to_plain(x):
        y = np.zeros(2)
        y += x
        return np.sum(y)

    with pytest.raises(tg.DetachedError, match="zeros_like"):
        tg.grad(add_to_plain)(np.ones(2))


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.divide, np.maximum])
def test_at(ufunc):
    indices = np.array([0, 2, 0, 1, 0])

    def f(x, b):
        y = x * 1.0
        ufunc.at(y, indices, b)
        return y

    x, b = np.array([0.3, -0.4, 2.0]), np.array([1.5, 0.7, -1.2, 0.9, 2.2])
    expected = x.copy()
    ufunc.at(expected, indices, b)
    value, _ = tg.vjp(f, x, b)
    np.testing.assert_allclose(value, expected, rtol=1e-15)
    tg.testing.check_grads(f, (x, b))


def test_unary_at():
    def f(x):
        y = x * 1.0
        np.square.at(y, [1, 1, 2])
        return y

    value, _ = tg.vjp(f, np.array([2.0, 3.0, 5.0]))
    assert np.array_equal(value, [2.0, 81.0, 25.0])


def test_kinks_are_finite():
    zero = np.zeros(2)
    assert np.array_equal(tg.grad(lambda x: np.sum(np.hypot(x, x)))(zero), zero)
    assert np.array_equal(tg.grad(lambda x: np.sum(np.abs(x + 0j)))(zero), zero)
    assert np.array_equal(tg.grad(lambda x: np.sum(np.sinc(x)))(zero), zero)
    assert tg.grad(lambda x: special.xlogy(x, 2.0))(0.0) == pytest.approx(np.log(2.0))
    assert tg.grad(lambda x: special.xlogy(0.0, x))(0.0) == 0.0
    assert np.array_equal(tg.grad(lambda x: np.sum(np.clip(x, 0.0, 1.0)))(zero), [0.5, 0.5])


def test_unsupported_is_named():
    with pytest.raises(tg.UnsupportedError, match=r"numpy\.packbits"):
        tg.grad(lambda x: np.sum(np.packbits(x)))(np.ones(8))
    with pytest.raises(tg.UnsupportedError, match="gammaincinv"):
        tg.grad(lambda x: special.gammaincinv(x, 0.5))(2.0)
    with pytest.raises(tg.UnsupportedError, match="maximum of complex"):
        tg.grad(lambda x: np.abs(np.maximum(x + 0j, 1.0)))(2.0)
