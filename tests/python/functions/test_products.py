"""Products, einsum and np.linalg against NumPy, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import check_complex, check_derivatives, check_value

import tapegrad as tg

PRODUCTS = """
np.dot(v, w)
np.dot(x, v)
np.dot(x, r)
np.dot(a, v)
np.dot(a, b)
np.dot(s, x)
np.dot(2.0, x)
np.dot(v, r)
x.dot(v)
x @ v
v @ x.T
a @ b
x @ b
np.array([1.0, 2.0, 3.0]) @ x
np.matmul(a, b)
np.matmul(x, y, axes=[(0, 1), (1, 0), (0, 1)])
np.inner(v, w)
np.inner(x, y)
np.inner(a, v)
np.inner(s, v)
np.outer(v, u)
np.outer(x, s)
np.linalg.outer(v, u)
np.vdot(v, w)
np.vdot(x, y)
np.vdot(c, v).real
np.vdot(z, z).real
np.tensordot(a, b, axes=([1, 2], [2, 1]))
np.tensordot(a, x, axes=2)
np.tensordot(v, w, axes=0)
np.tensordot(a, b, axes=(0, 0))
np.tensordot(a, v, axes=(-1, 0))
np.kron(v, u)
np.kron(x, m)
np.kron(v, x)
np.kron(s, x)
np.cross(u, m)
np.cross(m, n, axisa=0, axisc=0)
np.cross(m, n, axis=0)
np.linalg.cross(m, n)
np.vecdot(x, v)
np.vecdot(z, c).imag
np.vecdot(x, y, axis=0)
np.linalg.vecdot(x, y, axis=0)
np.matvec(a, v)
np.vecmat(v, b)
np.linalg.matmul(a, b)
np.linalg.tensordot(x, r, axes=1)
np.linalg.multi_dot([x, r, r.T, v])
np.linalg.multi_dot([v, r, r.T])
np.linalg.multi_dot([m, n])
np.linalg.matrix_power(m, 3)
np.linalg.matrix_power(m, -2)
np.linalg.matrix_power(k, 0)
""".strip().splitlines()

EINSUM = """
np.einsum("ij,jk", x, r)
np.einsum("ij,jk->ik", x, r)
np.einsum("ij->ji", x)
np.einsum("ij->", x)
np.einsum("ij->j", x)
np.einsum("ji", x)
np.einsum("ii", m)
np.einsum("ii->i", m)
np.einsum("iij->ij", k.T)
np.einsum("...ii->...i", k)
np.einsum("...ii", k)
np.einsum("i,i", v, w)
np.einsum("i,i->i", v, w)
np.einsum("i,j", v, u)
np.einsum("ij,j->i", x, v)
np.einsum("ij,ij->", x, y)
np.einsum("ijk,ikl->ijl", a, b)
np.einsum("ijk,lk->lji", a, x)
np.einsum("...jk,...kl", a, b)
np.einsum("...jk,kl", a, r)
np.einsum("...,...", a, x)
np.einsum("i...->...", a)
np.einsum("...j,j->...", a, v)
np.einsum("ijk,jk,k->i", a, x, v)
np.einsum("ij,jk,kl->il", m, n, m, optimize="optimal")
np.einsum("ij,jk,kl,li", m, n, m, n, optimize=True)
np.einsum("i,ij,j", u, m, u, optimize=["einsum_path", (0, 1), (0, 1)])
np.einsum("ij,ij,ij->i", x, y, x)
np.einsum(x, [0, 1], v, [1])
np.einsum(x, [0, 1], r, [1, 2], [2, 0])
np.einsum(a, [Ellipsis, 1], v, [1], [Ellipsis])
np.einsum("ij,kj->ik", x[:, :1], y)
np.einsum("ij,ij->ij", x[:1], y)
np.einsum(" i j , j k -> i k ", x, r)
np.einsum("i->", v)
np.einsum("ab,cd->acbd", m, n)
np.einsum(",i->i", s, v)
np.einsum("bij,bjk,bkl->bil", a, b, a)
np.einsum("ij,jk", z, r).real
np.einsum("i,j,k->ijk", u, v, u)
np.einsum("ij,j", e, u)
np.einsum("ij,ik->jk", e, e)
""".strip().splitlines()

LINALG = """
np.linalg.solve(m, u)
np.linalg.solve(m, n)
np.linalg.solve(k, n)
np.linalg.solve(k, u)
np.linalg.solve(m, k)
np.linalg.solve(d, u).real
np.linalg.inv(m)
np.linalg.inv(k)
np.linalg.inv(d).imag
np.linalg.det(m)
np.linalg.det(k)
np.linalg.det(d).real
np.linalg.slogdet(m)[1]
np.linalg.slogdet(k).logabsdet
np.linalg.slogdet(d)[0].imag
np.linalg.slogdet(d)[1]
np.linalg.cholesky(m @ np.conj(m.T))
np.linalg.cholesky(m @ np.conj(m.T), upper=True)
np.linalg.norm(v)
np.linalg.norm(x)
np.linalg.norm(x, "fro")
np.linalg.norm(x, axis=1)
np.linalg.norm(x, axis=0, keepdims=True)
np.linalg.norm(x, keepdims=True)
np.linalg.norm(a)
np.linalg.norm(a, axis=(0, 2))
np.linalg.norm(v, 1)
np.linalg.norm(v, np.inf)
np.linalg.norm(v, -np.inf)
np.linalg.norm(v, 3)
np.linalg.norm(v, 0.5)
np.linalg.norm(v, -2)
np.linalg.norm(x, 2.5, axis=1)
np.linalg.norm(x, 1)
np.linalg.norm(x, -1)
np.linalg.norm(x, np.inf)
np.linalg.norm(x, -np.inf, keepdims=True)
np.linalg.norm(a, 1, axis=(2, 0))
np.linalg.norm(a, np.inf, axis=(-1, 1), keepdims=True)
np.linalg.norm(z)
np.linalg.norm(c, 3)
np.linalg.norm(c, 1)
np.linalg.vector_norm(a, axis=(0, 2))
np.linalg.vector_norm(x, ord=3, keepdims=True)
np.linalg.matrix_norm(a, ord=1)
np.linalg.matrix_norm(a, keepdims=True)
np.linalg.matrix_norm(a, ord=None)
np.linalg.vector_norm(x, ord=None, axis=1)
""".strip().splitlines()

EVERYTHING = PRODUCTS + EINSUM + LINALG


@pytest.mark.parametrize("expression", EVERYTHING)
def test_value(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", EVERYTHING)
def test_derivatives(expression):
    check_derivatives(expression)


@pytest.mark.parametrize("expression", [e for e in PRODUCTS + EINSUM if "s," not in e])
def test_float32(expression):
    check_value(expression, np.float32)


VALUES = """
np.linalg.norm(v, 0)
np.linalg.slogdet(m)[0]
np.linalg.matrix_rank(m)
""".strip().splitlines()


@pytest.mark.parametrize("expression", VALUES)
def test_zero_gradient(expression):
    check_value(expression)


@pytest.mark.parametrize("order", [None, 2, 3, 1, np.inf])
def test_norm_of_zero_is_flat(order):
    assert np.array_equal(tg.grad(lambda x: np.linalg.norm(x, order))(np.zeros(3)), np.zeros(3))


NORMS = [np.linalg.norm, np.linalg.vector_norm, np.linalg.matrix_norm]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("order", [None, "nuc", 1, 2, np.inf])
def test_norms_of_nothing_are_zero_in_every_transform(norm, shape, order):
    if norm is np.linalg.vector_norm and order == "nuc":
        return
    x, stack = np.zeros(shape), np.zeros((2, *shape))

    def f(x):
        return norm(x, ord=order)

    assert tg.vjp(f, x)[0] == tg.function(f)(x) == 0.0
    assert tg.grad(f)(x).shape == tg.hvp(f, (x,), (x,)).shape == shape
    assert tg.vmap(tg.grad(f))(stack).shape == stack.shape


@pytest.mark.parametrize("order", [-1, -2, -np.inf])
def test_smallest_norms_of_nothing_do_not_exist(order):
    shape = (3, 0) if order == -1 else (0, 3)
    with pytest.raises(ValueError, match="zero-size array to reduction operation"):
        tg.grad(lambda x: np.linalg.norm(x, order))(np.zeros(shape))


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, 2, -np.inf])
def test_matrix_norm_needs_two_axes(order):
    with pytest.raises(np.exceptions.AxisError, match="axis -2 is out of bounds"):
        tg.grad(lambda x: np.linalg.matrix_norm(x, ord=order))(np.ones(3))


def test_errors():
    with pytest.raises(np.linalg.LinAlgError):
        tg.grad(lambda x: np.sum(np.linalg.inv(x)))(np.zeros((2, 2)))
    with pytest.raises(np.linalg.LinAlgError):
        tg.grad(lambda x: np.sum(np.linalg.inv(x)))(np.ones((2, 3)))
    with pytest.raises(ValueError, match="shape"):
        tg.grad(lambda x: np.sum(np.tensordot(x, np.ones(4), 1)))(np.ones((2, 3)))
    with pytest.raises(ValueError, match="labelled 'j'"):
        tg.grad(lambda x: np.einsum("ij,j->", x, np.ones(4)))(np.ones((2, 3)))
    with pytest.raises(ValueError, match="operands"):
        tg.grad(lambda x: np.einsum("ij,jk", x))(np.ones((2, 3)))


@pytest.mark.parametrize("expression", EVERYTHING)
def test_complex(expression):
    check_complex(expression)
