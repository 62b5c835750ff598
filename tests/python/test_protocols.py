"""Python's protocols on recorded values: what works as on NumPy's numbers and arrays, and what is
refused, with which error."""

from __future__ import annotations

import copy
import functools
import itertools
import math
import operator
import pickle
import statistics

import numpy as np
import pytest

import tapegrad as tg
import tapegrad.numpy as tnp

X = np.array([0.3, 0.7, -0.4])

WORKS = {
    "sum": lambda x: sum(x),
    "sum of a generator": lambda x: sum(v * v for v in x),
    "max": lambda x: max(x) * 2.0,
    "min": lambda x: min(x) * x[0],
    "max of numbers": lambda x: max(x[0], x[1], 0.0),
    "abs": lambda x: abs(x),
    "round": lambda x: round(x[0]) + x[1],
    "round to a digit": lambda x: round(x[0], 1) * x[0],
    "trunc": lambda x: math.trunc(x[0] * 11.0) * x[0],
    "divmod": lambda x: divmod(x[0], 0.2)[1],
    "divmod from the right": lambda x: divmod(1.0, x[0])[1],
    "pow": lambda x: pow(x[0], 3) + 2 ** x[0] + x[1] ** x[0],
    "math.prod": lambda x: math.prod(x),
    "iteration": lambda x: [v * i for i, v in enumerate(x)][2],
    "unpacking": lambda x: (lambda a, *b: a * b[1])(*x),
    "in": lambda x: x[0] * (5.0 not in x) + x[1] * (5.0 in x),
    "sorted": lambda x: sorted(x)[0] * sorted(x)[1],
    "sorted with a key": lambda x: sorted(x, key=lambda v: -v)[0],
    "reversed": lambda x: next(reversed(x)) * x[0],
    "zip and map": lambda x: sum(a * b for a, b in zip(x, map(np.sin, x), strict=True)),
    "reduce": lambda x: functools.reduce(operator.mul, x),
    "accumulate": lambda x: list(itertools.accumulate(x, operator.mul))[-1],
    "any and all": lambda x: (any(x) + all(v > -1 for v in x)) * x[0],
    "copy": lambda x: copy.copy(x) * x,
    "deepcopy": lambda x: copy.deepcopy({"a": [x]})["a"][0] * x,
    "bool": lambda x: (x[0] if x[0] else x[1]) * (not x[2]) + (x[0] and x[1]) + (x[1] or x[0]),
    "chained comparison": lambda x: x[0] if 0 < x[0] < 1 else x[1],
    "int": lambda x: int(x[0] * 11.0) * x[0],
    "range": lambda x: sum(x[0] for _ in range(int(11.0 * x[1]))),
    "len": lambda x: x * len(x),
    "None": lambda x: x if x is not None and (x[0] != None) else 0.0,  # noqa: E711
    "lists and tuples": lambda x: [1.0, 2.0, 3.0] + x * (1, 2, 3) - [0.5, 1.0, 2.0] @ x,
    "in place": lambda x: operator.imul(operator.iadd(x.copy(), 1.0), x),
    "signs": lambda x: -x + +x * 2.0,
    "remainders": lambda x: x // 0.23 * x + x % 0.33 + 1.0 % x,
    "an object array": lambda x: _object_array(x).sum() * x[0],
}


def _object_array(x):
    row = np.empty(2, object)
    row[0], row[1] = x[0], x[1] * x[2]
    return row


@pytest.mark.parametrize("name", WORKS)
def test_works(name):
    f = WORKS[name]
    value, _ = tg.vjp(f, X)
    np.testing.assert_allclose(value, f(X), rtol=1e-15)
    tg.testing.check_grads(f, (X,))


@pytest.mark.parametrize("name", [n for n in WORKS if n not in ("copy", "an object array")])
def test_in_a_program(name):
    f = WORKS[name]
    for x in (X, X[::-1].copy(), X + 0.05):
        np.testing.assert_allclose(tg.function(f)(x), f(x), rtol=1e-14)


TEXT = [
    lambda x: str(x),
    lambda x: f"{x[0]}",
    lambda x: f"{x[0]:.3f}",
    lambda x: f"{x[0]:8.2e}|{x[1]:>+9.4g}",
    lambda x: str(x[0]),
    lambda x: f"{x[1]:.1%}",
]


@pytest.mark.parametrize("f", TEXT)
def test_text(f):
    texts = []
    tg.grad(lambda x: texts.append(f(x)) or x[0])(X)
    wanted = f(X)
    assert texts[0] in (wanted, f"Variable({wanted})", "Variable([ 0.3,  0.7, -0.4])")


def _fill(x):
    row = [0.0] * 3
    row[0] = x[0]
    return np.array(row)


REFUSED = {
    "math.sin": (lambda x: math.sin(x[0]), tg.DetachedError, r"np\.sin for math\.sin"),
    "math.sqrt": (lambda x: math.sqrt(x[0]), tg.DetachedError, r"np\.\* functions"),
    "math.floor": (lambda x: math.floor(x[0]), tg.DetachedError, "float"),
    "math.fsum": (lambda x: math.fsum(x), tg.DetachedError, "float"),
    "float": (lambda x: float(x[0]), tg.DetachedError, "stop_gradient"),
    "complex": (lambda x: complex(x[0]), tg.DetachedError, "stop_gradient"),
    "%f": (lambda x: operator.mod("%.3f", x[0]), tg.DetachedError, "a format"),
    "statistics": (lambda x: statistics.mean(x), TypeError, "Variable"),
    "pow with a modulus": (lambda x: pow(x[0], 2, 3), TypeError, "modulus"),
    "pickle": (lambda x: pickle.dumps(x), TypeError, "pickle"),
    "hash": (lambda x: hash(x), TypeError, "unhashable"),
    "hash of a number": (lambda x: {x[0]: 1}, TypeError, "unhashable"),
    "bool of an array": (lambda x: bool(x), ValueError, "ambiguous"),
    "bool of nothing": (lambda x: bool(x[:0]), ValueError, "ambiguous"),
    "range": (lambda x: range(x[0]), TypeError, "integer"),
    "an index": (lambda x: [1, 2][x[0]], TypeError, "integer"),
    "len of a number": (lambda x: len(x[0]), TypeError, "unsized"),
    "iteration of a number": (lambda x: list(x[0]), TypeError, "0-d"),
    "~": (lambda x: ~x, TypeError, "unary ~"),
    "<<": (lambda x: x << 1, TypeError, "<<"),
    "del": (lambda x: operator.delitem(x, 0), ValueError, "delete"),
    "np.array of numbers": (lambda x: np.array([x[0], x[1]]), tg.DetachedError, "import tapegrad"),
    "np.array of objects": (lambda x: np.array([x[0]], object), tg.DetachedError, "import tapegr"),
    "np.sum of a list": (lambda x: np.sum([x[0], x[1]]), tg.DetachedError, "np.stack"),
    "objects": (lambda x: x.astype(object), tg.UnsupportedError, "object"),
    "recorded objects": (lambda x: tnp.array([x[0]], object), tg.UnsupportedError, "object"),
    "np.vectorize": (lambda x: np.vectorize(lambda v: v * v)(x), tg.DetachedError, "plain"),
    "np.frompyfunc": (lambda x: np.frompyfunc(abs, 1, 1)(x), tg.UnsupportedError, "abs"),
    "np.fromiter": (lambda x: np.fromiter(x, float), tg.DetachedError, "float"),
    "np.float64": (lambda x: np.float64(x[0]), tg.DetachedError, "plain"),
    "np.ma": (lambda x: np.ma.array(x), tg.DetachedError, "plain"),
    "np.matrix": (lambda x: np.matrix(x), tg.DetachedError, "plain"),
    "np.r_": (lambda x: np.r_[x, 1.0], tg.DetachedError, "plain"),
    "memoryview": (lambda x: memoryview(x), TypeError, "bytes-like"),
}


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    f, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        tg.grad(lambda x: f(x) and x[0])(X)


def test_refusals_name_the_line():
    with pytest.raises(tg.DetachedError, match=r"test_protocols\.py:\d+: "):
        tg.grad(lambda x: math.exp(x[0]))(X)


# Containers of other libraries -------------------------------------------------------------------


class Series:
    """As a pandas Series: it takes ufuncs over, through its plain values."""

    __array_priority__ = 1000

    def __init__(self, values):
        self.values = np.asarray(values, float)

    dtype = property(lambda self: self.values.dtype)
    shape = property(lambda self: self.values.shape)
    ndim = property(lambda self: self.values.ndim)

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return Series(getattr(ufunc, method)(*map(np.asarray, inputs), **kwargs))

    def __mul__(self, other):
        return Series(self.values * np.asarray(other))


class DataArray:
    """As an xarray DataArray: an array by `__array__` only."""

    def __init__(self, values):
        self.values = np.asarray(values, float)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


@pytest.mark.parametrize("kind", [Series, DataArray])
def test_containers_are_no_arguments(kind):
    for call in (tg.grad, tg.hessian, lambda f: tg.function(f).grad):
        with pytest.raises(TypeError, match=rf"{kind.__name__}.*np\.asarray"):
            call(lambda x: np.sum(x**2))(kind(X))


CONSTANTS = {
    "x * c": lambda x, c: x * c,
    "np.add": lambda x, c: np.add(x, c),
    "np.dot": lambda x, c: np.dot(x, c),
    "x @ c": lambda x, c: x @ c,
    "concatenate": lambda x, c: np.concatenate([x, c]) ** 2,
    "interp": lambda x, c: np.interp(x, np.arange(3.0), c),
    "tnp.array": lambda x, c: tnp.array(c) * x,
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_containers_are_constants(name):
    f = CONSTANTS[name]
    expected = tg.grad(lambda x: np.sum(f(x, X)))(X)
    assert np.array_equal(tg.grad(lambda x: np.sum(f(x, DataArray(X))))(X), expected)


@pytest.mark.parametrize(
    "container",
    [Series(X), np.ma.masked_array(X, mask=[0, 1, 0]), np.diag(X).view(np.matrix)],
    ids=lambda c: type(c).__name__,
)
def test_containers_with_rules_of_their_own_are_no_operands(container):
    """Labels, masks and another product would be lost in silence."""
    operations = (
        lambda x, c: x * c,
        lambda x, c: x - c,
        lambda x, c: x @ c,
        np.maximum,
        lambda x, c: np.add(c, x) if isinstance(c, np.matrix) else np.add(x, c),
    )
    for f in operations:
        for transform in tg.grad, tg.function:
            with pytest.raises(TypeError, match=rf"{type(container).__name__}.*np\.asarray"):
                transform(lambda x, f=f: np.sum(f(x, container)))(X)
    plain = np.asarray(container)
    wanted = tg.grad(lambda x: np.sum(x * np.array(plain)))(X)
    assert np.array_equal(tg.grad(lambda x: np.sum(x * plain))(X), wanted)


def test_containers_do_not_take_recorded_values():
    for f in (lambda x: Series(X) * x, lambda x: np.add(Series(X), x), DataArray, Series):
        with pytest.raises(tg.DetachedError):
            tg.grad(lambda x, f=f: np.sum(np.asarray(f(x))))(X)


@pytest.mark.parametrize("library", ["pandas", "xarray"])
def test_the_libraries_themselves(library):
    module = pytest.importorskip(library)
    kind = module.Series if library == "pandas" else module.DataArray
    with pytest.raises(TypeError, match=r"np\.asarray"):
        tg.grad(lambda x: np.sum(x**2))(kind(X))
    assert np.array_equal(tg.grad(lambda x: np.dot(x, kind(X)))(X), X)
    with pytest.raises(TypeError, match="rules of its own"):
        tg.grad(lambda x: np.sum(x * kind(X)))(X)
    with pytest.raises((tg.DetachedError, TypeError)):
        tg.grad(lambda x: np.sum(np.asarray(kind(x))))(X)
