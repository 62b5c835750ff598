"""The array API standard on recorded values: the page of the docs is right, and SciPy's functions
that follow the standard differentiate."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tapegrad as tg
import tapegrad.numpy as tnp

ROOT = Path(__file__).resolve().parents[3]


def _report():
    path = ROOT / "tools" / "report_array_api.py"
    spec = importlib.util.spec_from_file_location("report_array_api", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REPORT = _report()
MISSING = REPORT.listed_as_missing()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("group", "call"), REPORT.calls())
def test_the_standard(group, call):
    found = REPORT.outcome(group, call)
    if call in MISSING:
        if found == "yes":
            pytest.skip("works now: run tools/report_array_api.py")
        assert "wrong" not in found
    else:
        assert found == "yes"


def test_the_page_names_every_call():
    text = REPORT.PAGE.read_text()
    for _, call in REPORT.calls():
        assert f"`{REPORT.name_of(call)}`" in text or f"`{call}`" in text


def test_namespace_and_device():
    seen = []

    def f(x):
        seen.extend([x.__array_namespace__(), x.__array_namespace__(api_version="2024.12")])
        seen.extend([x.device, x.to_device("cpu") is x])
        return x[0]

    tg.grad(f)(np.ones(2))
    assert seen == [tnp, tnp, "cpu", True]
    with pytest.raises(ValueError, match="cpu"):
        tg.grad(lambda x: x.to_device("cuda")[0])(np.ones(2))


def test_descending():
    x = np.array([[1.0, 3.0, 3.0, -1.0], [2.0, 2.0, 0.0, 5.0]])
    for axis in (0, 1, -1):
        order = tnp.argsort(x, axis, descending=True)
        assert np.array_equal(order, np.argsort(-x, axis, stable=True))
        value, _ = tg.vjp(lambda x, k=axis: tnp.sort(x, k, descending=True), x)
        assert np.array_equal(value, np.take_along_axis(x, order, axis))
    assert tnp.sort(x, None, descending=True).tolist() == sorted(x.ravel(), reverse=True)
    tg.testing.check_grads(lambda x: tnp.sort(x, descending=True), (x[:, ::2] + 0.01,))


SCIPY = """
import numpy as np, tapegrad as tg, tapegrad.numpy as tnp
from scipy import integrate, optimize, special, stats
from scipy.spatial.transform import Rotation

X = np.array([0.3, 0.7, 0.4, 1.2, 2.0])
FUNCTIONS = {
    "logsumexp": special.logsumexp,
    "logsumexp with weights": lambda x: special.logsumexp(x, b=tnp.array(X)),
    "softmax": special.softmax,
    "log_softmax": special.log_softmax,
    "trapezoid": integrate.trapezoid,
    "cumulative_trapezoid": integrate.cumulative_trapezoid,
    "cumulative_simpson": integrate.cumulative_simpson,
    "romb": integrate.romb,
    "rosen": optimize.rosen,
    "rosen_der": optimize.rosen_der,
    "zscore": stats.zscore,
    "skew": stats.skew,
    "kurtosis": stats.kurtosis,
    "gmean": stats.gmean,
    "hmean": stats.hmean,
    "pmean": lambda x: stats.pmean(x, 2),
    "moment": lambda x: stats.moment(x, 3),
    "sem": stats.sem,
    "circmean": stats.circmean,
    "kstat": lambda x: stats.kstat(x, 3),
    "iqr": stats.iqr,
    "lmoment": stats.lmoment,
    "median_abs_deviation": stats.median_abs_deviation,
    "quantile": lambda x: stats.quantile(x, 0.3),
    "describe": lambda x: stats.describe(x).variance,
    "entropy": stats.entropy,
    "relative entropy": lambda x: stats.entropy(x, tnp.array(X[::-1])),
    "jarque_bera": lambda x: stats.jarque_bera(x).pvalue,
    "ttest_1samp": lambda x: stats.ttest_1samp(x, 0.1).pvalue,
    "ttest_ind": lambda x: stats.ttest_ind(x, tnp.array(X[::-1] ** 2)).pvalue,
    "zmap": lambda x: stats.zmap(x, x * x),
    "Rotation": lambda x: Rotation.from_rotvec(x[:3]).as_matrix(),
}
for name, f in FUNCTIONS.items():
    value, _ = tg.vjp(f, X)
    assert np.allclose(value, f(X), rtol=1e-12), name
    tg.testing.check_grads(f, (X,), order=1)
    print(name)
"""


SPECIAL = """
import numpy as np, tapegrad as tg
import tapegrad.scipy.special as tspecial
from scipy import special

X = np.array([0.3, 0.7, 0.4])
ONE = "digamma entr erf erfc erfinv expit gamma gammaln i0 i0e i1 log_ndtr logit ndtr rgamma sinc"
TWO = "beta betaln chdtr chdtrc gammainc gammaincc kl_div rel_entr stdtr xlog1py xlogy zeta"
for name in ONE.split() + ["exprel"]:
    if name == "exprel":
        tg.implement(special.exprel, lambda x: np.expm1(x) / x)
    for f in (getattr(special, name), getattr(tspecial, name)):
        tg.testing.check_grads(f, (X,), order=2)
for name in TWO.split():
    f, g = getattr(special, name), getattr(tspecial, name)
    for call in (f, g):
        tg.testing.check_grads(lambda x: call(x + 2.0, x), (X,), order=1)
        tg.testing.check_grads(lambda x: call(1.5, x), (X + 1.5 * (name == "zeta"),), order=1)
    tg.testing.check_grads(lambda x: g(np.full(3, 2.5), x), (X,), order=1)
    assert np.allclose(f(X + 2.0, X), g(X + 2.0, X), rtol=1e-12, equal_nan=True), name
for f in (special.betainc, tspecial.betainc):
    tg.testing.check_grads(f, (X, 2.0 * X, X), order=1)
for f in (special.logsumexp, tspecial.logsumexp, special.softmax, tspecial.softmax):
    tg.testing.check_grads(f, (X,), order=2)
print("all")
"""


@pytest.mark.parametrize(("code", "last"), [(SCIPY, "Rotation"), (SPECIAL, "all")])
def test_scipys_functions_of_the_standard(code, last):
    environment = {**os.environ, "SCIPY_ARRAY_API": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert last in run.stdout
