"""Functions whose results carry no derivative (comparisons, integers, dtypes, text), and those of
the explicit namespaces."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import arguments, check_derivatives, check_value, function_of
from program.replay import Recording

VALUES = """
np.less(x, y)
np.less_equal(x, v)
np.greater(x, y)
np.greater_equal(x, s)
np.equal(x, y)
np.not_equal(x, x)
np.logical_and(x > 0, y > 0)
np.logical_or(x > 0, y > 0)
np.logical_xor(x > 0, y > 0)
np.logical_not(x > 0)
np.bitwise_and(x > 0, y > 0)
np.bitwise_or(x > 0, MASK)
np.bitwise_xor(x > 0, y > 0)
np.invert(x > 0)
np.left_shift(np.argsort(v), 1)
np.right_shift(np.argsort(v), 1)
np.bitwise_count(np.argsort(v))
np.gcd(np.argsort(v), 6)
np.lcm(np.argsort(v) + 1, 6)
np.isnan(x)
np.isinf(x)
np.isfinite(x)
np.signbit(x)
np.spacing(x)
np.isneginf(x)
np.isposinf(x)
np.iscomplex(z)
np.isin(np.round(x), [1.0, 2.0])
np.array_equiv(x, x)
np.nanargmax(x, axis=1)
np.nanargmin(x, axis=0)
np.unravel_index(np.argmax(x), (3, 4))
np.ravel_multi_index((np.argmax(x, axis=0) % 2, [0, 1, 0, 1]), (2, 2))
np.diag_indices_from(m)
np.tril_indices_from(m)
np.triu_indices_from(m)
np.ix_(np.argsort(v), [0])
np.einsum_path("ij,jk", m, n)[0] == ["einsum_path", (0, 1)]
""".strip().splitlines()

STRUCTURE = """
np.array2string(v)
np.array_repr(v)
np.array_str(x)
np.can_cast(np.result_type(x, y), "c16")
np.common_type(x, z)
np.min_scalar_type(v)
np.isrealobj(x)
np.shares_memory(x, y)
np.may_share_memory(x, y)
np.result_type(x, z)
""".strip().splitlines()

SMOOTH = """
np.astype(x, np.float64)
np.sort_complex(x).real
np.linalg.matrix_transpose(a)
np.matrix_transpose(a)
tnp.array([s, 2.0 * s, 1.0])
tnp.asarray([v, w])
tnp.asanyarray([v, v * w])
tnp.ascontiguousarray(x.T)
tnp.asfortranarray(x)
tnp.full(3, s)
tnp.full((2, 4), v)
tnp.fromfunction(lambda i, j: s * i + j, (2, 3))
tnp.fromiter((o * o for o in v), float)
tspecial.logsumexp(x)
tspecial.logsumexp(x, axis=1, b=q)
tspecial.logsumexp(v, keepdims=True)
tspecial.softmax(x, axis=1)
tspecial.softmax(v)
tspecial.log_softmax(x, axis=0)
tspecial.log_softmax(v)
""".strip().splitlines()


@pytest.mark.parametrize("expression", VALUES + SMOOTH)
def test_value(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", STRUCTURE)
def test_structure(expression):
    f, names = function_of(expression)
    args = arguments(names)
    found = []

    def recorded(*args):
        found.append(f(*args))
        return 0.0

    Recording(recorded, *args)
    assert found == [f(*args)]


@pytest.mark.parametrize("expression", SMOOTH)
def test_derivatives(expression):
    check_derivatives(expression)


@pytest.mark.parametrize("expression", [e for e in SMOOTH if "fromiter" not in e])
def test_float32(expression):
    check_value(expression, np.float32)
