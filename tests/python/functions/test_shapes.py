"""Functions of shape and arrangement against NumPy, and their derivatives; views write through."""

from __future__ import annotations

import re

import numpy as np
import pytest
from functions.expressions import check_complex, check_derivatives, check_value

import tapegrad as tg

SHAPES = """
np.reshape(x, (2, 6))
np.reshape(x, (4, -1))
np.reshape(x, -1)
np.reshape(a, (4, 6), order="F")
np.reshape(x.T, (2, 6), order="A")
np.reshape(x, (6, 2), copy=True)
x.reshape(2, 6)
x.reshape((2, -1))
x.reshape(2, -1, order="F")
x.T.reshape(-1)
np.ravel(x)
np.ravel(x, "F")
np.ravel(x.T, order="K")
x.ravel()
x.flatten()
x.flatten("F")
np.squeeze(x[None, :, None])
np.squeeze(x[None, :, None], axis=0)
np.squeeze(x[None, :, None], axis=(0, -2))
x[:, None].squeeze(1)
np.expand_dims(x, 1)
np.expand_dims(x, (0, -1))
np.transpose(x)
np.transpose(a, (2, 0, 1))
np.transpose(a, (-1, 0, 1))
np.permute_dims(a, (1, 2, 0))
a.transpose(1, 0, 2)
a.transpose((1, 0, 2))
a.transpose()
x.T
a.mT
np.matrix_transpose(a)
np.swapaxes(a, 0, -1)
a.swapaxes(1, 2)
np.moveaxis(a, 0, -1)
np.moveaxis(a, (0, 1), (-1, 0))
np.rollaxis(a, 2)
np.rollaxis(a, 0, 3)
np.broadcast_to(v, (3, 4))
np.broadcast_to(s, (2, 2))
np.broadcast_arrays(x, v, s)
np.atleast_1d(s, v)
np.atleast_2d(v)
np.atleast_2d(s)
np.atleast_3d(v)
np.atleast_3d(x)
np.flip(x)
np.flip(x, 0)
np.flip(a, (0, -1))
np.fliplr(x)
np.flipud(x)
np.rot90(x)
np.rot90(x, 2)
np.rot90(x, -1)
np.rot90(a, 3, axes=(1, 2))
np.array_split(v, 3)
np.array_split(x, [1, 2], axis=1)
np.array_split(v, [3, 1, 9])
np.split(v, 2)
np.split(x, 3)
np.hsplit(x, 2)
np.hsplit(v, 2)
np.vsplit(x, 3)
np.dsplit(a, 2)
np.unstack(x, axis=1)
np.meshgrid(v, u)
np.meshgrid(v, u, indexing="ij", sparse=True)
np.meshgrid(v, u, s, sparse=True)
np.ix_(v)
np.ix_(v, u, [1.0, 2.0])
np.ix_(x[0] > 0, v, [])[1]
""".strip().splitlines()

ARRANGED = """
np.concatenate([x, y])
np.concatenate((x, y), axis=1)
np.concatenate([x, y, v], axis=None)
np.concatenate([x, np.ones((2, 4))])
np.concatenate([[s, 2.0], v])
np.concat([x, y], axis=-1)
np.stack([x, y])
np.stack([x, y], axis=-1)
np.stack([s, s * 2.0])
np.vstack([v, x])
np.vstack([s, s])
np.hstack([x, y])
np.hstack([v, s])
np.dstack([x, y])
np.dstack([v, v])
np.column_stack([v, r])
np.append(x, v)
np.append(x, [[s, 1.0, 2.0, s]], axis=0)
np.block([[m, n], [n, m]])
np.block([v, s])
np.tile(v, 2)
np.tile(x, (2, 3))
np.tile(v, (2, 1))
np.tile(a, 2)
np.tile(s, 3)
np.repeat(v, 2)
np.repeat(x, 3, axis=0)
np.repeat(x, [1, 0, 2], axis=0)
np.repeat(x, 2)
x.repeat(2, axis=1)
np.roll(v, 1)
np.roll(x, 5)
np.roll(x, -1, axis=1)
np.roll(x, (1, 2), axis=(0, 1))
np.roll(x, 1, axis=(0, 1))
np.roll(v, 0)
np.roll(v, 9)
np.resize(x, (2, 7))
np.delete(x, 1, axis=0)
np.delete(x, [0, 5])
np.delete(x, slice(0, 2), axis=1)
np.insert(v, 1, s)
np.insert(x, [1, 2], y[:2], axis=0)
np.tril(x)
np.tril(x, -1)
np.triu(a, 1)
np.triu(v)
np.diag(v)
np.diag(v, 1)
np.diag(v, -2)
np.diag(x)
np.diag(x, 1)
np.diagflat(x)
np.diagonal(a)
np.diagonal(a, 1, 1, 2)
np.diagonal(x, -1)
np.diagonal(x, 2)
np.diagonal(x, 1, -1, 0)
np.diagonal(x, 9)
x.diagonal()
np.trace(x)
np.trace(a, offset=1, axis1=-2, axis2=-1)
x.trace()
np.linalg.trace(a)
np.linalg.diagonal(a, offset=-1)
np.take(v, I)
np.take(x, J, axis=1, mode="clip")
np.take(x, J + 9, mode="wrap")
np.take(x, 1, axis=0)
np.take(x, -1, axis=1)
x.take([0, 2], axis=0)
np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
np.compress([True, False, True], x, axis=0)
np.compress(ROW, v)
np.extract(x > 0, x)
np.choose(np.array([0, 1, 1, 0]), [v, w])
np.select([v > 0, v > -1], [v**2, w], default=s)
np.piecewise(v, [v > 0, v < -1], [lambda o: o**2, 3.0, lambda o: o**3])
np.where(x > 0, x**2, y)
np.where(MASK, x, 0.0)
np.where(MASK, 1, x)
np.where(ROW, s, v)
np.pad(v, 2)
np.pad(x, ((1, 0), (0, 2)))
np.pad(x, 1, constant_values=s)
np.pad(x, ((1, 2), (0, 1)), constant_values=((1.0, 2.0), (3.0, 4.0)))
np.pad(v, 3, mode="edge")
np.pad(x, 2, mode="reflect")
np.pad(x, 1, "symmetric")
np.pad(x, (1, 2), mode="wrap")
np.pad(v, (2, 3), mode="linear_ramp", end_values=(s, 1.0))
np.pad(x, {1: (1, 2)})
np.apply_along_axis(lambda o: o * o[0], 0, x)
np.apply_along_axis(np.sum, 1, x)
np.apply_over_axes(np.sum, a, (0, 2))
np.sort(v)
np.sort(x, axis=0)
np.sort(x, axis=None)
np.sort(x, kind="stable")
np.partition(v, 2)
np.partition(x, 1, axis=0)
np.unique(v)
np.linspace(s, 2.0, 5)
np.linspace(v, w, 4, axis=-1)
np.linspace(s, 2.0, 4, endpoint=False)
np.linspace(0.0, s, 3, retstep=True)
np.linspace(s, 1.0, 1)
np.logspace(s, 2.0, 4)
np.logspace(0.0, 1.0, 3, base=p, axis=1)
np.geomspace(s, 5.0, 4)
np.geomspace(p, 7.0, 3, endpoint=False)
np.polyval(v, s)
np.polyval([1.0, 2.0, 3.0], x)
np.vander(v)
np.vander(v, 3, increasing=True)
np.copy(x)
x.copy()
np.full_like(x, s)
x.astype(np.complex128).real
z.real
z.imag
x.flat[3]
x.tolist()[1][2]
x.item(1, 2)
x.item(5)
np.array_split(x, 2)[0].sum(0)
np.trim_zeros(np.pad(v, 2))
""".strip().splitlines()

VALUES = """
np.argsort(x, axis=0)
x.argsort()
np.argpartition(v, 2)
np.searchsorted(np.sort(v), [0.0, 1.0])
np.nonzero(x > 0)
np.flatnonzero(v > 0)
np.argwhere(x > 1)
np.shape(x)
np.ndim(x)
np.size(x)
np.allclose(x, x)
np.array_equal(x, y)
np.isclose(x, y)
np.isreal(x)
np.iscomplexobj(z)
np.zeros_like(x)
np.ones_like(x, dtype=int)
np.empty_like(x).shape
np.unique(np.round(v), return_counts=True)[1]
np.fix(x)
np.round(x, 1)
np.around(x * 100, -1)
x.round(2)
np.unravel_index(5, x.shape) + (x.size,)
x.astype(np.float32)
x.astype(int)
np.lexsort((v, w))
np.digitize(v, [0.0, 1.0])
np.reshape(e, (3, 0))
np.concatenate([e, x[:, :3]])
np.sort(e, axis=1)
np.tile(e, (2, 2))
np.roll(e, 1)
np.repeat(e, 2, axis=0)
np.transpose(e)
np.flip(e)
np.take(e, [], axis=0)
np.where(e > 0, e, 1.0)
np.split(e, 3, axis=1)
""".strip().splitlines()

EVERYTHING = SHAPES + ARRANGED


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated:DeprecationWarning")
@pytest.mark.parametrize("expression", EVERYTHING + VALUES)
def test_value(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", EVERYTHING)
def test_derivatives(expression):
    check_derivatives(expression, order=1)


# Recorded scalars have a dtype of their own, where Python floats take that of what they meet.
FLOAT32 = [e for e in EVERYTHING if not re.search(r"space|\bs\b|item|tolist", e)]


@pytest.mark.parametrize("expression", FLOAT32)
def test_float32(expression):
    check_value(expression, np.float32)


def test_ix_is_differentiable_as_an_open_grid():
    def f(x, y):
        a, b = np.ix_(x, y)
        return np.sum(a * b**2)

    by_x, by_y = tg.grad(f, (0, 1))(np.array([1.0, 2.0]), np.array([3.0, 4.0, 5.0]))
    assert by_x.tolist() == [50.0, 50.0] and by_y.tolist() == [18.0, 24.0, 30.0]


@pytest.mark.parametrize("wrapped", [lambda f: f, tg.function])
def test_ix_takes_the_positions_of_masks(wrapped):
    def f(x):
        return np.sum(x[np.ix_(x[:, 0] > 0.0, np.argsort(x[0]) > 0)] ** 2)

    x = np.array([[1.0, 2.0], [-3.0, 4.0], [5.0, 6.0]])
    assert tg.grad(wrapped(f))(x).tolist() == [[0.0, 4.0], [0.0, 0.0], [0.0, 12.0]]


@pytest.mark.parametrize("wrong", [np.ones((2, 2)), 1.0])
def test_ix_refuses_what_numpy_refuses(wrong):
    with pytest.raises(ValueError, match="Cross index must be 1 dimensional"):
        tg.grad(lambda x: np.sum(np.ix_(x, wrong)[0]))(np.ones(2))


@pytest.mark.parametrize("expression", EVERYTHING)
def test_complex(expression):
    check_complex(expression)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"kind": "stable", "stable": True}, ValueError, "can't be provided at the same time"),
        ({"kind": "quicksort", "stable": False}, ValueError, "can't be provided at the same time"),
        ({"kind": []}, TypeError, "sort kind must be str"),
    ],
)
@pytest.mark.parametrize("wrapped", [lambda f: f, tg.function])
def test_sort_refuses_what_numpy_refuses(options, error, text, wrapped):
    with pytest.raises(error, match=text):
        tg.grad(wrapped(lambda x: np.sum(np.sort(x, **options))))(np.ones((2, 3)))


@pytest.mark.parametrize("wrapped", [lambda f: f, tg.function])
def test_partition_refuses_what_numpy_refuses(wrapped):
    with pytest.raises(ValueError, match="out of bounds"):
        tg.grad(wrapped(lambda x: np.partition(x, 9)[0]))(np.ones(5))
