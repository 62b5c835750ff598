"""The registry drives the tests: no function with a rule is without one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from tapegrad.functions import scipy_linalg

TOOLS = Path(__file__).resolve().parents[3] / "tools"


@pytest.fixture(scope="module")
def registry():
    sys.path.insert(0, str(TOOLS))
    try:
        yield importlib.import_module("coverage_registry")
    finally:
        sys.path.remove(str(TOOLS))


def test_every_registered_function_is_tested(registry):
    missing = registry.untested(registry.entries(), registry.tested())
    assert not missing, (
        "these functions have a rule and no test: add an expression that calls each to a list in "
        f"tests/python/functions/test_*.py (see expressions.py): {', '.join(missing)}"
    )


def test_the_registry_is_read_in_full(registry):
    names = {entry.name: entry.kind for entry in registry.entries()}
    assert names["numpy.sum"] == names["numpy.linalg.solve"] == "function"
    assert names["numpy.sin"] == names["scipy.special.erf"] == "op"
    assert names["numpy.argmax"] == names["numpy.less"] == "zero"
    assert names["numpy.shape"] == "structure"
    assert names["tapegrad.scipy.special.logsumexp"] == "function"


def test_whatever_stands_for_the_original_is_registered(registry):
    """Wrappers that bear SciPy's name and module, objects, and modules made at run time too."""
    names = {entry.name for entry in registry.entries()}
    assert {f"tapegrad.scipy.linalg.{name}" for name in scipy_linalg.__all__} <= names
    assert {
        "tapegrad.numpy.c_",
        "tapegrad.numpy.polynomial.chebyshev.chebval",
        "tapegrad.numpy.zeros",
        "tapegrad.scipy.fft.hfftn",
        "tapegrad.scipy.integrate.simpson",
        "tapegrad.scipy.signal.lfilter",
        "tapegrad.scipy.stats.norm",
        "tapegrad.stats.norm",
    } <= names
    # NumPy's own that are handed on or take sequences too, SciPy's own, and those that refuse.
    assert (
        not {
            "tapegrad.numpy.sum",
            "tapegrad.numpy.linalg.solve",
            "tapegrad.scipy.linalg.cosm",
            "tapegrad.scipy.stats.zscore",
        }
        & names
    )


def test_a_function_without_a_test_is_found(registry):
    entry = registry.Entry("numpy.busday_count", object(), "function")
    assert registry.untested([entry], registry.tested()) == ["numpy.busday_count"]


def test_what_is_wanted_and_missing_is_known(registry):
    entries = registry.entries()
    assert registry.is_covered("numpy.linalg.solve", entries)
    assert registry.is_covered("numpy.acos", entries)
    assert registry.is_covered("numpy.r_", entries)
    assert registry.is_covered("scipy.special.logsumexp", entries)
    assert not registry.is_covered("numpy.busday_count", entries)
    assert not registry.is_covered("scipy.stats.skewnorm", entries)
