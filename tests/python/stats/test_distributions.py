"""tapegrad.stats: values and derivatives to second order in the argument, in every shape parameter,
loc and scale, against mpmath; supports, frozen distributions, and what is refused."""

from itertools import product

import mpmath as mp
import numpy as np
import pytest
import scipy.stats

import tapegrad as tg
from tapegrad import stats


def phi(y):
    return mp.erfc(-y / mp.sqrt(2)) / 2


def tail_of_t(y, df):
    return mp.betainc(df / 2, 0.5, 0, df / (df + y * y), regularized=True) / 2


# Name, shapes, (log density, cdf, sf) in standard form, points.
CONTINUOUS = [
    (
        "norm",
        (),
        lambda y: -y * y / 2 - mp.log(2 * mp.pi) / 2,
        phi,
        lambda y: phi(-y),
        (-6.0, -0.4, 0.7, 9.0),
    ),
    (
        "t",
        (3.7,),
        lambda y, v: (
            mp.log(1 + y * y / v) * -(v + 1) / 2 - mp.log(mp.beta(v / 2, 0.5)) - mp.log(v) / 2
        ),
        lambda y, v: tail_of_t(y, v) if y < 0 else 1 - tail_of_t(y, v),
        lambda y, v: 1 - tail_of_t(y, v) if y < 0 else tail_of_t(y, v),
        (-30.0, -1.3, 1e-3, 0.4, 4.0),
    ),
    (
        "gamma",
        (2.3,),
        lambda y, a: (a - 1) * mp.log(y) - y - mp.loggamma(a),
        lambda y, a: mp.gammainc(a, 0, y, regularized=True),
        lambda y, a: mp.gammainc(a, y, mp.inf, regularized=True),
        (1e-3, 0.7, 4.0, 30.0),
    ),
    (
        "chi2",
        (5.3,),
        lambda y, k: (k / 2 - 1) * mp.log(y / 2) - y / 2 - mp.loggamma(k / 2) - mp.log(2),
        lambda y, k: mp.gammainc(k / 2, 0, y / 2, regularized=True),
        lambda y, k: mp.gammainc(k / 2, y / 2, mp.inf, regularized=True),
        (0.01, 3.0, 40.0),
    ),
    (
        "beta",
        (2.2, 0.7),
        lambda y, a, b: (a - 1) * mp.log(y) + (b - 1) * mp.log(1 - y) - mp.log(mp.beta(a, b)),
        lambda y, a, b: mp.betainc(a, b, 0, y, regularized=True),
        lambda y, a, b: mp.betainc(b, a, 0, 1 - y, regularized=True),
        (0.01, 0.5, 0.97),
    ),
    ("expon", (), lambda y: -y, lambda y: -mp.expm1(-y), lambda y: mp.exp(-y), (1e-6, 0.8, 40.0)),
    (
        "weibull_min",
        (1.7,),
        lambda y, c: mp.log(c) + (c - 1) * mp.log(y) - y**c,
        lambda y, c: -mp.expm1(-(y**c)),
        lambda y, c: mp.exp(-(y**c)),
        (1e-3, 0.8, 6.0),
    ),
    (
        "lognorm",
        (0.6,),
        lambda y, s: -(mp.log(y) ** 2) / (2 * s * s) - mp.log(s * y * mp.sqrt(2 * mp.pi)),
        lambda y, s: phi(mp.log(y) / s),
        lambda y, s: phi(-mp.log(y) / s),
        (1e-3, 0.8, 6.0),
    ),
    (
        "laplace",
        (),
        lambda y: -abs(y) - mp.log(2),
        lambda y: mp.exp(y) / 2 if y < 0 else 1 - mp.exp(-y) / 2,
        lambda y: 1 - mp.exp(y) / 2 if y < 0 else mp.exp(-y) / 2,
        (-20.0, -0.3, 0.8, 30.0),
    ),
    (
        "logistic",
        (),
        lambda y: -y - 2 * mp.log(1 + mp.exp(-y)),
        lambda y: 1 / (1 + mp.exp(-y)),
        lambda y: 1 / (1 + mp.exp(y)),
        (-20.0, -0.3, 0.8, 30.0),
    ),
    ("uniform", (), lambda y: 0 * y, lambda y: y, lambda y: 1 - y, (0.1, 0.8)),
    (
        "cauchy",
        (),
        lambda y: -mp.log(mp.pi * (1 + y * y)),
        lambda y: mp.atan2(1, -y) / mp.pi,
        lambda y: mp.atan2(1, y) / mp.pi,
        (-1e4, -0.3, 0.8, 1e3),
    ),
]
LOC, SCALE = 0.25, 1.5


def exact(method, log_density, cdf, sf):
    """The method of x, shapes, loc and scale."""

    def f(x, *parameters):
        *shapes, loc, scale = parameters
        y = (x - loc) / scale
        part = log_density if "pdf" in method else cdf if "cdf" in method else sf
        value = part(y, *shapes)
        if method == "logpdf":
            return value - mp.log(scale)
        if method == "pdf":
            return mp.exp(value) / scale
        return mp.log(value) if method.startswith("log") else value

    return f


def reference(f, at, orders):
    with mp.workdps(60):
        point = tuple(map(mp.mpf, at))
        if sum(orders) == 0:
            return float(f(*point))
        return float(mp.diff(f, point, orders, h=mp.mpf(10) ** -16))


def agree(found, wanted, rtol, scale):
    assert abs(found - wanted) <= rtol * max(abs(wanted), scale), (found, wanted)


def check_method(f, wanted, at, moving):
    """Value, gradient in all ways, and Hessian. What is much smaller than the largest derivative at
    the point counts relative to that: terms by argument, loc and scale cancel there."""
    n = len(at)
    unit = {i: tuple(int(i == k) for k in range(n)) for i in moving}
    value = reference(wanted, at, (0,) * n)
    agree(float(f(*at)), value, 1e-12, 0)
    first = [reference(wanted, at, unit[i]) for i in moving]
    small = 1e-3 * max(map(abs, first))
    for transform in (tg.grad(f, moving), tg.function(tg.grad(f, moving))):
        for found, slope in zip(transform(*at), first, strict=True):
            agree(found, slope, 1e-12, small)
    for i, slope in zip(moving, first, strict=True):
        direction = tuple(map(float, unit[i]))
        agree(tg.jvp(f, at, direction)[1] if len(moving) == n else slope, slope, 1e-12, small)
    fixed = [k for k in range(n) if k not in moving]

    def of_moving(v):
        values = dict(zip(moving, v, strict=True)) | {k: at[k] for k in fixed}
        return f(*(values[k] for k in range(n)))

    second = tg.hessian(of_moving)(np.array([at[i] for i in moving]))
    pairs = list(product(range(len(moving)), repeat=2))
    exact_second = {
        (i, j): reference(
            wanted, at, tuple(a + b for a, b in zip(unit[moving[i]], unit[moving[j]], strict=True))
        )
        for i, j in pairs
    }
    small = max(map(abs, [*first, *exact_second.values()]))
    for i, j in pairs:
        agree(second[i, j], exact_second[i, j], 1e-11, small)


CASES = [
    (row, method)
    for row in CONTINUOUS
    for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf")
]


@pytest.mark.parametrize("row, method", CASES, ids=lambda v: v if type(v) is str else v[0])
def test_continuous(row, method):
    name, shapes, *formulas, points = row
    f = getattr(getattr(stats, name), method)
    for y in points:
        at = (LOC + SCALE * y, *shapes, LOC, SCALE)
        check_method(f, exact(method, *formulas), at, tuple(range(len(at))))


DISCRETE = [
    (
        "poisson",
        (3.4,),
        lambda k, mu: mp.exp(k * mp.log(mu) - mu) / mp.factorial(k),
        (0, 2, 11),
        (0,),
    ),
    (
        "binom",
        (9, 0.3),
        lambda k, n, p: mp.binomial(n, k) * p**k * (1 - p) ** (n - k),
        (0, 3, 8),
        (1,),
    ),
    (
        "nbinom",
        (2.6, 0.3),
        lambda k, n, p: mp.gamma(n + k) / mp.gamma(n) / mp.factorial(k) * p**n * (1 - p) ** k,
        (0, 3, 20),
        (0, 1),
    ),
]


def discrete(method, mass, k, count):
    def below(*shapes):
        return sum(mass(mp.mpf(i), *shapes) for i in range(k + 1))

    def f(*shapes):
        value = mass(mp.mpf(k), *shapes) if "pmf" in method else below(*shapes)
        value = 1 - value if "sf" in method else value
        return mp.log(value) if method.startswith("log") else value

    return f


@pytest.mark.parametrize("row", DISCRETE, ids=lambda row: row[0])
@pytest.mark.parametrize("method", ["pmf", "logpmf", "cdf", "sf", "logcdf", "logsf"])
def test_discrete(row, method):
    name, shapes, mass, ks, moving = row
    distribution = getattr(stats, name)
    for k in ks:
        f = lambda *shapes, k=k: getattr(distribution, method)(float(k), *shapes)
        check_method(f, discrete(method, mass, k, len(shapes)), shapes, moving)


@pytest.mark.parametrize("row", CONTINUOUS, ids=lambda row: row[0])
def test_outside_of_the_support(row):
    """Constant, with slope zero in everything, and what SciPy gives."""
    name, shapes, *_ = row
    ours, theirs = getattr(stats, name), getattr(scipy.stats, name)
    low, high = theirs.support(*shapes)
    outside = [x for x in (low - 1.0, high + 1.0) if np.isfinite(x)]
    for x, method in product(outside, ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf")):
        f = getattr(ours, method)
        at = (x, *shapes, 0.0, 1.0)
        value, gradient = tg.value_and_grad(f, tuple(range(len(at))))(*at)
        assert value == getattr(theirs, method)(*at)
        assert gradient == (0.0,) * len(at)


def test_invalid_parameters_are_nan():
    assert np.isnan(tg.value_and_grad(stats.norm.logpdf, 2)(0.3, 0.0, -1.0)[0])
    assert np.isnan(tg.value_and_grad(stats.gamma.cdf, 1)(0.3, -2.0)[0])


def test_arrays_keywords_and_frozen():
    x, a = np.array([0.3, 1.2, 2.5]), np.array([[1.5], [4.0]])
    f = lambda x, a, scale: stats.gamma.logpdf(x, a=a, scale=scale)
    tg.testing.check_grads(f, (x, a, 2.0), order=2)
    frozen = tg.grad(lambda s: np.sum(stats.norm(loc=0.5, scale=s).logsf(x)))(1.5)
    assert frozen == tg.grad(lambda s: np.sum(stats.norm.logsf(x, 0.5, s)))(1.5)
    assert stats.norm.logpdf(x, 0.5).tolist() == scipy.stats.norm.logpdf(x, 0.5).tolist()
    with pytest.raises(TypeError, match="unexpected"):
        tg.grad(lambda x: stats.norm.pdf(x, df=3))(0.0)
    with pytest.raises(TypeError, match="missing"):
        tg.grad(lambda x: stats.gamma.pdf(x))(0.5)


def test_programs_ask_again_about_the_support():
    slope = tg.function(tg.grad(stats.gamma.logpdf))
    assert slope(1.0, 3.0) == 1.0 and slope(-1.0, 3.0) == 0.0
    slope = tg.function(tg.grad(stats.t.cdf))
    for y in (1e-3, 0.5, 5.0):
        assert slope(y, 3.0) == pytest.approx(scipy.stats.t.pdf(y, 3.0), rel=1e-12)


def test_discrete_arguments_are_refused():
    with pytest.raises(tg.UnsupportedError, match=r"poisson.logpmf .*argument k"):
        tg.grad(lambda k: stats.poisson.logpmf(k, 2.0))(3.0)
    with pytest.raises(tg.UnsupportedError, match=r"binom.cdf .*argument n"):
        tg.grad(lambda n: stats.binom.cdf(2, n, 0.5))(3.0)
    assert tg.grad(lambda p: stats.binom.pmf(2.5, 4, p))(0.5) == 0.0


def test_counts_are_integers_in_programs():
    slope = tg.function(tg.grad(lambda mu, k: np.sum(stats.poisson.logpmf(k, mu))))
    for k in (np.array([0, 3, 5]), np.array([1, 1, 1])):
        assert slope(2.0, k) == pytest.approx(np.sum(k) / 2.0 - 3.0)


def test_everything_else_is_scipys_and_refuses():
    assert stats.norm.ppf(0.5) == 0.0 and stats.zscore([1.0, 2.0]).tolist() == [-1.0, 1.0]
    assert stats.gumbel_r.pdf(0.3) == scipy.stats.gumbel_r.pdf(0.3)
    assert stats.norm(0.0, 1.0).ppf(0.5) == 0.0
    for f, name in (
        (stats.norm.ppf, "norm.ppf"),
        (stats.gumbel_r.logpdf, "gumbel_r.logpdf"),
        (lambda x: stats.pearsonr([x, 1.0], [1.0, 2.0]), "pearsonr"),
    ):
        with pytest.raises(tg.UnsupportedError, match=name):
            tg.grad(f)(0.5)


def test_dirichlet():
    x, alpha = np.array([0.2, 0.3, 0.5]), np.array([1.5, 0.7, 3.0])
    for method in ("logpdf", "pdf"):
        ours, theirs = getattr(stats.dirichlet, method), getattr(scipy.stats.dirichlet, method)
        value = tg.value_and_grad(lambda a, f=ours: f(x, a))(alpha)[0]
        assert value == pytest.approx(theirs(x, alpha), rel=1e-13)
        tg.testing.check_grads(lambda a, f=ours: f(x, a), (alpha,), order=2)
        tg.testing.check_grads(lambda y, f=ours: f(y, alpha), (x[:2],), order=2)
    entropy = tg.value_and_grad(stats.dirichlet.entropy)(alpha)[0]
    assert entropy == pytest.approx(scipy.stats.dirichlet.entropy(alpha), rel=1e-13)
    tg.testing.check_grads(stats.dirichlet.entropy, (alpha,), order=2)
    many = np.array([[0.2, 0.1], [0.3, 0.4], [0.5, 0.5]])
    found = tg.vjp(lambda a: stats.dirichlet.logpdf(many, a), alpha)[0]
    np.testing.assert_allclose(found, scipy.stats.dirichlet.logpdf(many, alpha), rtol=1e-13)


def test_multivariate_normal():
    rng = np.random.default_rng(3)
    mean, root = rng.normal(size=3), rng.normal(size=(3, 3))
    cov = root @ root.T + np.eye(3)
    ours, theirs = stats.multivariate_normal, scipy.stats.multivariate_normal
    for x in (rng.normal(size=3), rng.normal(size=(2, 4, 3))):
        value = tg.vjp(lambda m, x=x: ours.logpdf(x, m, cov), mean)[0]
        np.testing.assert_allclose(value, theirs.logpdf(x, mean, cov), rtol=1e-12)
        # SciPy reads one triangle of a covariance: it has to be symmetric.
        f = lambda x, m, c: ours.logpdf(x, m, c + c.T)
        tg.testing.check_grads(f, (x, mean, 0.5 * cov), order=2)
    tg.testing.check_grads(
        lambda m: ours.pdf(rng.normal(size=3) * 0 + 0.3, m, cov), (mean,), order=2
    )
    entropy = tg.value_and_grad(lambda c: ours.entropy(mean, c))(cov)[0]
    assert entropy == pytest.approx(theirs.entropy(mean, cov), rel=1e-13)
    tg.testing.check_grads(lambda c: ours(mean, c + c.T).entropy(), (cov,), order=2)
    assert tg.grad(lambda x: ours.logpdf(x))(0.7) == pytest.approx(-0.7)
    assert tg.grad(lambda v: ours.logpdf(np.ones(3), None, v))(2.0) == pytest.approx(-0.375)
    with pytest.raises(tg.UnsupportedError, match=r"multivariate_normal.cdf"):
        tg.grad(lambda x: ours.cdf(x))(0.5)
