"""The ops under the decompositions: derivatives of both orders and several directions at once,
against differences, and the checks of what repeated values leave open."""

from __future__ import annotations

import numpy as np
import pytest
from ops.derivatives import apply, check
from ops.single_op import sample

from tapegrad.functions.sparse import pattern_of

LA = np.linalg
SPREAD = np.array([[1.0, 2.5, 4.0]])
MARKED = np.ones((1, 2))  # values and vectors were used
SYMMETRIC = np.array([[2.0, 0.3, 0.1], [0.3, 5.0, 0.4], [0.1, 0.4, 9.0]])


def symmetric(a):
    return (a + np.swapaxes(a, -1, -2)) / 2


def with_marks(x):
    return apply("concatenate", (x, np.zeros((2, 2))), (1,))


def unmarked(packed):
    return packed[..., :-2]


PATTERN = pattern_of((3, 3), np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2]), np.array([2, 0, 1]))
CASES = {
    "over differences": (lambda m, w: apply("over_gaps", (m, w), (-1,)), (3, 3), SPREAD),
    "over values": (lambda m, w: apply("over_gaps", (m, w), (0,)), (2, 5, 3), SPREAD),
    "over sums": (lambda m, w: apply("over_gaps", (m, w), (1,)), (3, 3), SPREAD),
    "eigen_adjoint": (
        lambda g, m, w: apply("eigen_adjoint", (g, m, w, MARKED)),
        (1, 3),
        (3, 3),
        SPREAD,
    ),
    "of Hermitian": (
        lambda g, m, w: apply("eigen_adjoint", (g, m, w, MARKED), (1,)),
        (1, 3),
        (2, 3, 3),
        SPREAD,
    ),
    "average_repeated": (lambda g: apply("average_repeated", (g, np.ones((1, 3)))), (1, 3)),
    "factor": (lambda x: apply("factor", (with_marks(x),), (1, 3, 0)), (2, 6)),
    "eigh": (lambda a: unmarked(apply("eigh", (symmetric(a),))), SYMMETRIC),
    "eigvalsh": (lambda a: apply("eigvalsh", (symmetric(a),), (1,)), SYMMETRIC),
    "eigvals": (lambda a: apply("real", (apply("eigvals", (a,)),)), SYMMETRIC),
    "qr": (lambda a: apply("qr", (a,)), (2, 4, 3)),
    "svd": (lambda a: unmarked(apply("svd", (a,))), (4, 3)),
    "singular_values": (lambda a: apply("singular_values", (a,)), (2, 3, 4)),
    "pinv": (lambda a: apply("pinv", (a, np.full((1, 1), 1e-12))), (2, 3, 4)),
    "lu": (lambda a: apply("lu", (a,)), SYMMETRIC + np.triu(np.ones((3, 3)))),
    "sylvester": (
        lambda a, b, q: apply("sylvester", (a, b, q)),
        SYMMETRIC,
        SYMMETRIC[:2, :2],
        (2, 3, 2),
    ),
    "sqrtm": (lambda a: apply("sqrtm", (a,)), SYMMETRIC),
    "expm": (lambda a: apply("expm", (a,)), (2, 3, 3)),
    "logm": (lambda a: apply("logm", (a,)), SYMMETRIC),
    "cofactor": (lambda a: apply("cofactor", (a,)), (2, 3, 3)),
    "cofactor_derivative": (lambda a, e: apply("cofactor_derivative", (a, e)), (3, 3), (2, 3, 3)),
    "sparse_matmul": (
        lambda v, x: apply("sparse_matmul", (v, x, PATTERN), (0, 3)),
        (2, 1, 4),
        (3, 2),
    ),
    "sparse_sample": (lambda x, y: apply("sparse_sample", (x, y, PATTERN), (4,)), (3, 2), (3, 2)),
    "sparse_solve": (
        lambda v, b: apply("sparse_solve", (v * v + 1.0, b, PATTERN), (1, 3)),
        (1, 4),
        (2, 3, 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    f, *operands = CASES[name]
    check(f, *(sample(x) if isinstance(x, tuple) else x for x in operands))


def test_gaps_that_vanish():
    w = np.array([[1.0, 1.0 + 1e-15, 3.0]])
    m = np.array([[5.0, 0.0, 2.0], [0.0, 5.0, 2.0], [2.0, 2.0, 5.0]])
    found = apply("over_gaps", (m, w), (-1,))
    np.testing.assert_allclose(found, [[0, 0, 1], [0, 0, 1], [-1, -1, 0]], atol=1e-12)
    m[0, 1] = 1e-3
    with pytest.raises(LA.LinAlgError, match="repeated"):
        apply("over_gaps", (m, w), (-1,))


def test_equal_values_take_the_mean():
    g, w = np.array([[1.0, 3.0, 7.0]]), np.array([[2.0, 2.0, 0.0]])
    assert apply("average_repeated", (g, w)).tolist() == [[2.0, 2.0, 7.0]]
    assert apply("average_repeated", (g, w), (1,)).tolist() == [[2.0, 2.0, 0.0]]


def test_eigenvalues_in_a_given_order():
    a = np.array([[1.0, 2.0], [0.5, 3.0]])
    order = LA.eigvals(a)[::-1].astype(complex)
    packed = apply("eig", (a, order[None]))[:-2]
    np.testing.assert_allclose(packed[:2], order, rtol=1e-13)
    vectors = packed[2:].reshape(2, 2)
    np.testing.assert_allclose(a @ vectors, vectors * order, rtol=1e-12)
