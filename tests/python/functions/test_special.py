"""Special functions: values and derivatives to second order, in every argument, forward, in reverse
and through programs, against mpmath."""

from itertools import pairwise, product

import mpmath
import numpy as np
import pytest
from scipy import special

import tapegrad as tg
from tapegrad.scipy import special as tspecial

mp = mpmath


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def ndtri(p):
    return -mp.sqrt(2) * inverse(mp.erfc, 2 * p, -special.ndtri(float(p)) / np.sqrt(2))


def inverse(f, y, near):
    return mp.findroot(lambda t: mp.log(f(t) / y), near)


def erfcx(x):
    return mp.exp(x * x) * mp.erfc(x)


def dawsn(x):
    return mp.sqrt(mp.pi) / 2 * mp.exp(-x * x) * mp.erfi(x)


def owens_t(h, a):
    f = lambda t: mp.exp(-h * h * (1 + t * t) / 2) / (1 + t * t)
    return mp.quad(f, [0, a]) / (2 * mp.pi)


def spherical(n):
    return lambda x: mp.sqrt(mp.pi / 2 / x) * mp.besselj(n + mp.mpf(1) / 2, x)


def incomplete(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def complement(a, x):
    return mp.gammainc(a, x, mp.inf, regularized=True)


def chi2(df, x):
    return incomplete(df / 2, x / 2)


def chi2_complement(df, x):
    return complement(df / 2, x / 2)


def student(df, t):
    x = t * t / (df + t * t)
    return (1 + mp.sign(t) * mp.betainc(mp.mpf(1) / 2, df / 2, 0, x, regularized=True)) / 2


def beta_incomplete(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def beta_complement(a, b, x):
    return mp.betainc(b, a, 0, 1 - x, regularized=True)


def ordered(f, n):
    """f(n, x) as a function of x."""
    return lambda x: f(n, x)


UNARY = [
    ("gammaln", special.gammaln, mp.loggamma, (1e-3, 0.7, 1.4, 12.0, 1e6)),
    ("gammaln left", special.gammaln, lambda x: mp.log(abs(mp.gamma(x))), (-0.4, -7.3)),
    ("loggamma", special.loggamma, mp.loggamma, (0.2, 3.3, 1e3)),
    ("gamma", special.gamma, mp.gamma, (-2.7, 0.3, 2.2, 30.0)),
    ("rgamma", special.rgamma, mp.rgamma, (-3.0, 0.0, -1.2, 0.4, 3.1, 60.0)),
    ("psi", special.psi, lambda x: mp.psi(0, x), (-3.4, 1e-3, 0.6, 20.0, 1e8)),
    ("polygamma 2", ordered(tspecial.polygamma, 2), lambda x: mp.psi(2, x), (-1.3, 0.2, 4.0, 1e5)),
    ("multigammaln", lambda x: tspecial.multigammaln(x, 3), None, (1.3, 20.0)),
    ("expm1", np.expm1, mp.expm1, (-40.0, 0.3)),
    ("erf", special.erf, mp.erf, (-2.0, 0.3, 5.0)),
    ("erfc", special.erfc, mp.erfc, (-2.0, 0.3, 9.0)),
    ("erfcx", special.erfcx, erfcx, (-3.0, 0.2, 0.6, 30.0, 1e5)),
    ("erfinv", special.erfinv, mp.erfinv, (-0.9, 1e-7, 0.3, 0.999)),
    (
        "erfcinv",
        special.erfcinv,
        lambda y: inverse(mp.erfc, y, special.erfcinv(float(y))),
        (1e-9, 1e-4, 0.4, 1.9),
    ),
    ("dawsn", special.dawsn, dawsn, (-0.4, 0.1, 3.0, 6.4, 7.0, 40.0)),
    ("ndtr", special.ndtr, ndtr, (-30.0, -1.0, 3.0)),
    ("log_ndtr", special.log_ndtr, lambda x: mp.log(ndtr(x)), (-1e3, -30.0, -1.0, 0.3, 5.0)),
    ("ndtri", special.ndtri, ndtri, (1e-9, 0.02, 0.4, 0.97)),
    ("expi", special.expi, mp.ei, (-3.0, 0.2, 2.0, 50.0)),
    ("exp1", special.exp1, mp.e1, (1e-3, 0.9, 30.0)),
    ("expn 0", ordered(special.expn, 0), lambda x: mp.expint(0, x), (0.3, 4.0)),
    ("expn 1", ordered(special.expn, 1), lambda x: mp.expint(1, x), (0.3, 4.0)),
    ("expn 3", ordered(special.expn, 3), lambda x: mp.expint(3, x), (0.3, 4.0)),
    ("si", lambda x: special.sici(x)[0], mp.si, (1e-6, 0.7, 5.0, 60.0)),
    ("ci", lambda x: special.sici(x)[1], mp.ci, (1e-6, 0.7, 5.0, 60.0)),
    ("ellipk", special.ellipk, mp.ellipk, (-8.0, -1e-3, 1e-9, 0.5, 0.7, 0.99)),
    ("ellipe", special.ellipe, mp.ellipe, (-8.0, -1e-3, 1e-9, 0.5, 0.7, 0.99)),
    ("j0", special.j0, lambda x: mp.besselj(0, x), (0.1, 3.0, 30.0)),
    ("j1", special.j1, lambda x: mp.besselj(1, x), (0.1, 3.0, 30.0)),
    ("jv 2.5", ordered(special.jv, 2.5), lambda x: mp.besselj(2.5, x), (0.1, 3.0, 30.0)),
    ("jn 3", ordered(special.jn, 3), lambda x: mp.besselj(3, x), (0.1, 5.0)),
    ("y0", special.y0, lambda x: mp.bessely(0, x), (0.1, 3.0, 30.0)),
    ("y1", special.y1, lambda x: mp.bessely(1, x), (0.1, 3.0, 30.0)),
    ("yn 2", ordered(special.yn, 2), lambda x: mp.bessely(2, x), (0.1, 3.0)),
    ("yv 0.3", ordered(special.yv, 0.3), lambda x: mp.bessely(0.3, x), (0.1, 3.0)),
    ("i0", special.i0, lambda x: mp.besseli(0, x), (-2.0, 0.1, 20.0)),
    ("i1", special.i1, lambda x: mp.besseli(1, x), (-2.0, 0.1, 20.0)),
    ("iv 1.5", ordered(special.iv, 1.5), lambda x: mp.besseli(1.5, x), (0.1, 20.0)),
    ("i0e", special.i0e, lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), (-3.0, 0.2, 25.0, 1e6)),
    ("i1e", special.i1e, lambda x: mp.exp(-abs(x)) * mp.besseli(1, x), (-3.0, 0.2, 25.0, 1e6)),
    ("ive 1.5", ordered(special.ive, 1.5), lambda x: mp.exp(-x) * mp.besseli(1.5, x), (0.2, 4.0)),
    ("k0", special.k0, lambda x: mp.besselk(0, x), (0.1, 3.0, 50.0)),
    ("k1", special.k1, lambda x: mp.besselk(1, x), (0.1, 3.0, 50.0)),
    ("kv 0.3", ordered(special.kv, 0.3), lambda x: mp.besselk(0.3, x), (0.1, 3.0, 50.0)),
    ("k0e", special.k0e, lambda x: mp.exp(x) * mp.besselk(0, x), (0.1, 3.0, 50.0, 1e6)),
    ("k1e", special.k1e, lambda x: mp.exp(x) * mp.besselk(1, x), (0.1, 3.0, 50.0, 1e6)),
    ("kve 0.3", ordered(special.kve, 0.3), lambda x: mp.exp(x) * mp.besselk(0.3, x), (0.1, 3.0)),
    ("spherical_jn 0", ordered(tspecial.spherical_jn, 0), spherical(0), (1e-5, 0.4, 9.0)),
    ("spherical_jn 3", ordered(tspecial.spherical_jn, 3), spherical(3), (1e-5, 0.4, 9.0)),
    (
        "hyp1f1",
        lambda z: special.hyp1f1(0.7, 1.9, z),
        lambda z: mp.hyp1f1(0.7, 1.9, z),
        (-3.0, 2.0),
    ),
    (
        "hyp2f1",
        lambda z: special.hyp2f1(0.7, 1.9, 2.3, z),
        lambda z: mp.hyp2f1(0.7, 1.9, 2.3, z),
        (-3.0, -0.2, 0.6),
    ),
    ("zeta", tspecial.zeta, mp.zeta, (1.01, 2.0, 30.0)),
]

SEVERAL = [
    (
        "gammainc",
        special.gammainc,
        incomplete,
        [(0.3, 0.1), (5.0, 2.0), (5.0, 9.0), (200.0, 180.0)],
    ),
    ("gammaincc", special.gammaincc, complement, [(0.3, 0.1), (5.0, 2.0), (5.0, 30.0)]),
    (
        "betainc",
        special.betainc,
        beta_incomplete,
        [(0.4, 0.6, 0.3), (2.0, 5.0, 1e-3), (2.0, 5.0, 0.3), (90.0, 60.0, 0.55)],
    ),
    ("chdtr", special.chdtr, chi2, [(3.0, 0.4), (0.7, 5.0)]),
    ("chdtrc", special.chdtrc, chi2_complement, [(3.0, 0.4), (2.0, 9.0)]),
    ("stdtr", special.stdtr, student, [(3.0, 0.4), (0.7, -5.0), (9.0, 0.02)]),
    ("betaincc", special.betaincc, beta_complement, [(0.4, 0.6, 0.3), (2.0, 5.0, 0.9)]),
    ("beta", special.beta, mp.beta, [(0.3, 2.0), (40.0, 0.2)]),
    (
        "betaln",
        special.betaln,
        lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b),
        [(0.3, 2.0), (1e4, 0.2)],
    ),
    ("zeta", tspecial.zeta, mp.zeta, [(1.5, 0.3), (4.0, 20.0)]),
    ("owens_t", special.owens_t, owens_t, [(0.4, 0.7), (-1.2, 3.0)]),
]


def reference(f, at, orders):
    """The derivative of these orders by mpmath, at enough digits for its differences."""
    with mp.workdps(60):
        point = tuple(map(mp.mpf, at))
        if sum(orders) == 0:
            return float(mp.re(f(*point)))
        step = mp.mpf(10) ** -14 * max(min(map(abs, point)), mp.mpf(10) ** -6)
        return float(mp.re(mp.diff(f, point, orders, h=step)))


def close(found, wanted, rtol):
    assert found == pytest.approx(wanted, rel=rtol, abs=1e-300), (found, wanted)


def multivariate_gamma(x):
    parts = sum(mp.loggamma(x - mp.mpf(k) / 2) for k in range(3))
    return parts + 3 * mp.log(mp.pi) / 2


@pytest.mark.parametrize("name, f, exact, points", UNARY, ids=lambda v: v if type(v) is str else "")
def test_one_argument(name, f, exact, points):
    exact = exact or multivariate_gamma
    program = tg.function(tg.derivative(f))
    for x in points:
        close(float(f(x)), reference(exact, (x,), (0,)), 1e-12)
        first, second = (reference(exact, (x,), (n,)) for n in (1, 2))
        close(tg.grad(f)(x), first, 1e-12)
        close(tg.jvp(f, (x,), (1.0,))[1], first, 1e-12)
        close(program(x), first, 1e-12)
        close(tg.derivative(f, 2)(x), second, 1e-11)
        close(float(tg.hvp(f, (x,), (1.0,))), second, 1e-11)


@pytest.mark.parametrize(
    "name, f, exact, points", SEVERAL, ids=lambda v: v if type(v) is str else ""
)
def test_several_arguments(name, f, exact, points):
    for at in points:
        n = len(at)
        every = tuple(range(n))
        value = float(tg.value_and_grad(f)(*at)[0])
        close(value, reference(exact, at, (0,) * n), 1e-12)
        unit = [tuple(int(i == k) for i in every) for k in every]
        gradient = tg.grad(f, every)(*at)
        program = tg.function(tg.grad(f, every))(*at)
        second = tg.hessian(lambda x: f(*x))(np.array(at))
        for i in every:
            wanted = reference(exact, at, unit[i])
            close(gradient[i], wanted, 1e-12)
            close(program[i], wanted, 1e-12)
            close(tg.jvp(f, at, tuple(map(float, unit[i])))[1], wanted, 1e-12)
        for i, j in product(every, repeat=2):
            orders = tuple(a + b for a, b in zip(unit[i], unit[j], strict=True))
            close(second[i, j], reference(exact, at, orders), 1e-11)


COMPLEX = [
    ("wofz", special.wofz, (0.3 + 0.2j, 2.0 + 3.0j, 9.0 + 0.1j)),
    ("erf", special.erf, (0.3 + 0.2j, -1.0 + 0.5j)),
    ("gamma", special.gamma, (0.3 + 0.2j, 3.0 - 1.0j)),
    ("loggamma", special.loggamma, (0.3 + 0.2j, 3.0 - 1.0j, -2.5 + 1.0j)),
    ("psi", special.psi, (0.3 + 0.2j, -2.5 + 1.0j)),
    ("exp1", special.exp1, (0.3 + 0.2j, 3.0 - 1.0j)),
    ("jv", ordered(special.jv, 1.5), (0.3 + 0.2j, 3.0 - 1.0j)),
    ("kv", ordered(special.kv, 1.5), (0.3 + 0.2j, 3.0 - 1.0j)),
]


@pytest.mark.parametrize("name, f, points", COMPLEX, ids=lambda v: v if type(v) is str else "")
def test_complex_arguments(name, f, points):
    h = 1e-3
    for z in points:
        slopes = [(f(z + s) - f(z - s)) / (2 * s) for s in (h, h / 2, h / 4)]
        slopes = [(4 * b - a) / 3 for a, b in pairwise(slopes)]
        wanted = (16 * slopes[1] - slopes[0]) / 15
        assert tg.grad(f, holomorphic=True)(z) == pytest.approx(wanted, rel=1e-9)


def test_wofz_of_real_values():
    found = tg.grad(lambda x: special.wofz(x).imag)(0.7)
    assert found == pytest.approx(2 / np.sqrt(np.pi) * tg.grad(special.dawsn)(0.7), rel=1e-13)


def test_gammasgn_has_slope_zero():
    assert tg.grad(special.gammasgn)(-0.5) == 0.0


@pytest.mark.parametrize("f", [special.jv, special.yv, special.iv, special.kv, special.ive])
def test_orders_are_refused(f):
    name = f.__name__
    with pytest.raises(tg.UnsupportedError, match=f"{name} .*first argument"):
        tg.grad(lambda v: f(v, 2.0))(1.5)
    with pytest.raises(tg.UnsupportedError, match=f"{name} .*first argument"):
        tg.function(tg.grad(lambda v: f(v, 2.0)))(1.5)
    assert tg.function(lambda v, x: f(v, x))(1.5, 2.0) == f(1.5, 2.0)


def test_parameters_of_hypergeometric_functions_are_refused():
    for k, name in enumerate("abc"):
        with pytest.raises(tg.UnsupportedError, match=f"hyp2f1 .*{name}"):
            tg.grad(special.hyp2f1, k)(0.3, 0.4, 0.5, 0.6)


def test_arrays_broadcast_in_single_precision_and_empty():
    a, x = np.array([[0.5], [2.0]]), np.array([0.1, 1.0, 5.0])
    for f in (special.gammainc, special.beta, special.jv):
        tg.testing.check_grads(lambda x, f=f: f(a, x), (x,), order=2)
    single = np.float32(0.4)
    assert tg.grad(lambda x: special.gammainc(np.float32(2.0), x))(single).dtype == np.float32
    assert tg.grad(lambda x: np.sum(special.betainc(2.0, 3.0, x)))(np.zeros(0)).shape == (0,)


def test_ends_of_the_domain():
    assert tg.grad(special.gammainc, 1)(1.0, 0.0) == 1.0
    assert tg.grad(special.gammainc, 1)(2.0, 0.0) == 0.0
    assert tg.grad(special.betainc, 2)(1.0, 3.0, 0.0) == 3.0
    assert tg.grad(special.gammainc, 0)(2.0, 0.0) == 0.0
    assert tg.grad(special.i0e)(0.0) == 0.0


def test_values_do_not_depend_on_what_was_called_before():
    """SciPy's loop of expn truncates the order, and warns while it runs; ours says NaN."""
    special.expn(2, 1.5)
    tg.grad(lambda x: special.expn(2, x))(1.5)
    assert np.isnan(tg.vjp(lambda x: special.expn(2.01, x), 2.8)[0])
