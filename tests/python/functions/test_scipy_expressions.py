"""SciPy's special functions of several arguments and the distributions, as expressions: both modes
to second order, float32, and through programs. Their numbers are held against mpmath elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import check_derivatives, check_program, check_value

SMOOTH = """
special.beta(p, 1.3)
special.beta(q, p)
special.betaln(p, q)
special.betainc(p, 1.3, 0.4)
special.betaincc(0.8, p, 0.4)
special.gammainc(p, 1.1)
special.gammaincc(s, p)
special.hyp1f1(0.7, 1.9, v)
special.hyp2f1(0.7, 1.9, 2.3, v * 0.3)
special.sici(p)
special.yn(2, p)
tspecial.multigammaln(p + 1.0, 2)
tspecial.polygamma(1, p)
tspecial.spherical_jn(2, p)
tspecial.zeta(p + 1.5)
stats.norm.logpdf(v, s, t)
stats.norm.cdf(v)
stats.t.logpdf(v, p)
stats.gamma.logpdf(p, t)
stats.beta.logpdf(special.expit(v), p, t)
stats.chi2.logpdf(p, t)
stats.expon.logpdf(p, scale=t)
stats.lognorm.logpdf(p, s)
stats.laplace.logpdf(v, scale=t)
stats.logistic.logpdf(v, s)
stats.uniform.logpdf(v, -3.0, p + 6.0)
stats.cauchy.logpdf(v, s)
stats.weibull_min.logpdf(p, t)
stats.poisson.logpmf(2, p)
stats.binom.logpmf(2, 5, special.expit(v))
stats.nbinom.logpmf(2, 3, special.expit(v))
stats.dirichlet.logpdf(np.full(4, 0.25), p)
stats.multivariate_normal.logpdf(u, u * 0.1, (h + h.T) / 2)
""".strip().splitlines()


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    check_value(expression, rtol=2e-12)
    check_derivatives(expression)
    check_program(expression)


@pytest.mark.parametrize("expression", [e for e in SMOOTH if e.startswith("special")])
def test_float32(expression):
    check_derivatives(expression, 1, np.float32)


def test_a_complex_function():
    check_derivatives("special.wofz(c)", 1)
    check_value("special.wofz(c)")
