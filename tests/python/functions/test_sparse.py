"""Sparse matrices: products from both sides, solves, and derivatives to stored values."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.sparse.linalg as reference

import tapegrad as tg
from tapegrad._core import apply
from tapegrad.functions.sparse import pattern_of
from tapegrad.scipy import sparse
from tapegrad.scipy.sparse.linalg import factorized, splu, spsolve
from tapegrad.testing import check_grads

RNG = np.random.default_rng(13)
WIDE = sp.random_array((5, 4), density=0.5, rng=RNG).tocsr()
SQUARE = sp.csc_array(sp.random_array((5, 5), density=0.4, rng=RNG) + 4.0 * sp.eye_array(5))
X, Y, Z = RNG.standard_normal((4, 3)), RNG.standard_normal((3, 5)), RNG.standard_normal(5)
FORMATS = ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix])
def test_products_with_a_constant_matrix(kind, format):
    a = kind(WIDE).asformat(format)
    for f, x in [
        (lambda x: a @ x, X),
        (lambda x: a @ x, X[:, 0]),
        (lambda x: x @ a, Y),
        (lambda x: x @ a, Y[0]),
        (lambda x: a.T @ (a @ x) * x, X),
    ]:
        np.testing.assert_allclose(tg.vjp(f, x)[0], f(x), rtol=1e-12, atol=1e-12)
        check_grads(f, (x,), order=2)


def test_dot_works_or_says_what_to_write():
    np.testing.assert_allclose(tg.vjp(lambda x: WIDE.dot(x), X)[0], WIDE @ X)
    with pytest.raises(tg.DetachedError, match="A @ x"):
        tg.grad(lambda x: np.sum(WIDE.tocoo().dot(x)))(X)


def test_complex_matrices_and_vectors():
    a = WIDE * (1.0 + 2.0j)
    gradient = tg.grad(lambda x: np.sum(np.abs(a @ x) ** 2))(X[:, 0])
    dense = tg.grad(lambda x: np.sum(np.abs(a.toarray() @ x) ** 2))(X[:, 0])
    np.testing.assert_allclose(gradient, dense, rtol=1e-12)


def test_jacobians_batches_and_programs():
    np.testing.assert_allclose(tg.jacfwd(lambda x: WIDE @ x)(X[:, 0]), WIDE.toarray())
    np.testing.assert_allclose(tg.jacrev(lambda x: WIDE @ x)(X[:, 0]), WIDE.toarray())
    np.testing.assert_allclose(tg.vmap(lambda x: WIDE @ x)(X.T), (WIDE @ X).T, rtol=1e-12)
    inverse = tg.jacobian(lambda b: spsolve(SQUARE, b))(Z)
    np.testing.assert_allclose(inverse, np.linalg.inv(SQUARE.toarray()), rtol=1e-10, atol=1e-12)


def test_programs_notice_changed_matrices():
    a = WIDE.copy()
    f = tg.function(lambda x: a @ x)
    np.testing.assert_allclose(f(X), a @ X)
    a.data *= 2.0
    np.testing.assert_allclose(f(X), a @ X)


@pytest.mark.parametrize("trans", ["N", "T", "H"])
def test_solves(trans):
    for b in (Z, Y.T):
        f = lambda b: splu(SQUARE).solve(b, trans)
        np.testing.assert_allclose(f(b), reference.splu(SQUARE).solve(b, trans), rtol=1e-11)
        check_grads(f, (b,), order=2)
    np.testing.assert_allclose(factorized(SQUARE)(Z), spsolve(SQUARE, Z), rtol=1e-13)


def by_values(data, b):
    a = sparse.csc_array((data, SQUARE.indices, SQUARE.indptr), shape=SQUARE.shape)
    return spsolve(a, b) + a @ b + (b @ a) * np.sum((-2.0 * a / 3.0).toarray())


def test_derivatives_by_stored_values():
    found = by_values(SQUARE.data, Z)
    np.testing.assert_allclose(tg.vjp(by_values, SQUARE.data, Z)[0], found, rtol=1e-11)
    check_grads(by_values, (SQUARE.data, Z), order=2)
    check_grads(lambda d: by_values(d, Z)[0], (SQUARE.data,), order=2)
    f = tg.function(by_values)
    f(SQUARE.data, Z)
    np.testing.assert_allclose(f(1.1 * SQUARE.data, Z), by_values(1.1 * SQUARE.data, Z), rtol=1e-11)


def test_gradient_by_stored_values_is_that_of_the_dense_matrix_on_the_pattern():
    a = sp.coo_array(SQUARE)

    def solved(data):
        m = sparse.coo_array((data, (a.row, a.col)), shape=a.shape)
        return np.sum(spsolve(m, Z) ** 2)

    dense = tg.grad(lambda m: np.sum(np.linalg.solve(m, Z) ** 2))(a.toarray())
    np.testing.assert_allclose(tg.grad(solved)(a.data), dense[a.row, a.col], rtol=1e-10)


def test_constructors_agree():
    a = sp.coo_array(SQUARE.T)
    triplets, rows = (a.row, a.col), sp.csr_array(a)
    for make, arguments in [
        (sparse.coo_array, triplets),
        (sparse.coo_matrix, triplets),
        (sparse.csr_array, (rows.indices, rows.indptr)),
        (sparse.csr_matrix, (rows.indices, rows.indptr)),
        (sparse.csc_array, (SQUARE.indices, SQUARE.indptr)),
        (sparse.csc_matrix, (SQUARE.indices, SQUARE.indptr)),
    ]:
        transposed = make in (sparse.csc_array, sparse.csc_matrix)
        values = a.data if arguments is triplets else (SQUARE if transposed else rows).data
        dense = SQUARE.toarray() if transposed else a.toarray()

        def product(values, make=make, arguments=arguments):
            given = (values, arguments) if arguments is triplets else (values, *arguments)
            return make(given, shape=(5, 5)) @ Z

        np.testing.assert_allclose(tg.vjp(product, values)[0], dense @ Z, rtol=1e-12)
        assert sp.issparse(make(dense))


def test_pivoting_and_large_systems():
    """A random matrix with a zero diagonal needs pivots; a grid fills in."""
    a = sp.random_array((60, 60), density=0.1, rng=RNG).tolil()
    a.setdiag(0.0)
    permuted = sp.csc_array(a + sp.eye_array(60, k=1) * 3.0 + sp.eye_array(60, k=-59) * 2.0)
    line = sp.diags_array([-np.ones(19), 2.1 * np.ones(20), -np.ones(19)], offsets=[-1, 0, 1])
    grid = sp.csc_array(sp.kronsum(line, line))
    for matrix in (permuted, grid):
        b = RNG.standard_normal(matrix.shape[0])
        value, pullback = tg.vjp(lambda b, m=matrix: spsolve(m, b), b)
        np.testing.assert_allclose(matrix @ value, b, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(matrix.T @ pullback(b)[0], b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("transposed", [0, 1])
def test_ops_broadcast_stacks(transposed):
    row, column = np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2])
    pattern = pattern_of((3, 3), row, column)
    values, x = 3.0 + RNG.random((2, 1, 4)), RNG.standard_normal((3, 2))
    dense = np.zeros((2, 3, 3))
    dense[:, row, column] = values[:, 0]
    dense = np.swapaxes(dense, 1, 2) if transposed else dense
    y = apply("sparse_matmul", (values, x, pattern), (transposed, 3))
    np.testing.assert_allclose(y, dense @ x, rtol=1e-13)
    solved = apply("sparse_solve", (values, x, pattern), (transposed, 3))
    np.testing.assert_allclose(solved, np.linalg.solve(dense, x), rtol=1e-12)


def test_errors():
    with pytest.raises(ValueError, match="do not fit"):
        tg.grad(lambda x: np.sum(WIDE @ x))(np.ones(3))
    with pytest.raises(np.linalg.LinAlgError, match="Singular"):
        tg.grad(lambda b: np.sum(spsolve(sp.csc_array(np.diag([1.0, 0.0])), b)))(np.ones(2))
    with pytest.raises(tg.DetachedError, match=r"Call tapegrad\.scipy\.sparse\.linalg\.spsolve"):
        tg.grad(lambda b: np.sum(reference.spsolve(SQUARE, b)))(Z)
    with pytest.raises(tg.UnsupportedError, match="sparse right-hand side"):
        tg.grad(lambda d: spsolve(sparse.coo_array((d, ([0], [0]))), SQUARE[:1, :1]))(np.ones(1))
    assert sp.issparse(spsolve(SQUARE, SQUARE))  # SciPy's
    for bad in ([2, 2, 1, 0, 1, 1, 5], [2, 2], [2, 2, 1, 0, 2, 1, 0]):
        with pytest.raises(ValueError, match="pattern"):
            apply("sparse_matmul", (np.ones((1, 1)), np.ones((2, 1)), np.array(bad)), (0, 2))
