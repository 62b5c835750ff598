"""Reading and writing by item, slice, mask and fancy index, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from functions.expressions import ARRAYS, check_derivatives, check_value
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tapegrad as tg
from tapegrad.functions.indexing import flat_indices, last_writes

READS = """
x[1]
x[-1, 2]
x[1:, ::2]
x[::-1]
x[..., 0]
x[None, :, None, 1]
x[()]
a[0, ..., 1:3]
v[I]
x[I]
x[:, I]
x[I, 1]
x[I, I]
x[J, 0]
x[J]
x[[0, 2]]
x[[0, 2], 1:3]
x[MASK]
x[:, ROW]
x[ROW[:3]]
x[x > 0]
x[[True, False, True]]
x[MASK.any(axis=1), 1]
a[:, [0, 2], :]
a[0, :, [1, 2]]
a[[0], :, [1, 2]]
a[[[0], [1]], [[0, 2]]]
a[..., J]
a[None, I - 1, ..., None]
x[[]]
x[np.array([], dtype=int)]
v[np.int64(2)]
v[np.array(2)]
v[-np.array([1, 4])]
x[np.ix_([0, 2], [1, 3])]
e[:, 1]
v[True]
t[()]
t[None]
t[...]
v[np.argsort(v)]
""".strip().splitlines()


@pytest.mark.parametrize("expression", READS)
def test_read(expression):
    check_value(expression)


@pytest.mark.parametrize("expression", [r for r in READS if not r.startswith("e")])
def test_read_derivatives(expression):
    check_derivatives(expression, order=1)


KEYS = [
    np.s_[1],
    np.s_[1, 2],
    np.s_[1:, ::2],
    np.s_[::-1],
    np.s_[..., 0],
    np.s_[[0, 2]],
    np.s_[[0, 2, 0]],
    np.s_[:, [3, 1]],
    np.s_[[0, 1], [1, 1]],
    np.s_[np.array([[0, 1], [2, 0]])],
    np.s_[np.array([True, False, True])],
    np.s_[:, np.array([True, False, True, True])],
    np.s_[np.eye(3, 4, dtype=bool)],
    np.s_[None, 1],
    np.s_[...],
    np.s_[2:1],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("kind", ["array", "broadcast", "scalar"])
def test_write(key, kind):
    x = ARRAYS["x"]
    shape = x[key].shape
    values = np.linspace(0.5, 1.7, int(np.prod(shape))).reshape(shape)
    b = {"array": values, "broadcast": values[..., :1] if shape else values, "scalar": 0.7}[kind]

    def write(x, b):
        y = x * 1.0
        y[key] = b
        return y

    value, _ = tg.vjp(write, x, b)
    assert np.array_equal(value, write(x, b))
    tg.testing.check_grads(write, (x, b), order=1)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_add_in_place(key):
    def add(x, b):
        y = x * 1.0
        y[key] += b * x[key]
        return y

    x = ARRAYS["x"]
    value, _ = tg.vjp(add, x, 0.4)
    assert np.array_equal(value, add(x, 0.4))
    tg.testing.check_grads(add, (x, 0.4))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_flat_indices_are_numpys(data):
    shape = data.draw(hnp.array_shapes(max_dims=4, max_side=4, min_dims=1))
    key = data.draw(
        st.one_of(
            hnp.integer_array_indices(shape),
            hnp.arrays(bool, shape),
            hnp.basic_indices(shape, allow_newaxis=True),
        )
    )
    flat = np.arange(int(np.prod(shape))).reshape(shape)
    assert np.array_equal(flat_indices(shape, key), flat[key])


@given(hnp.arrays(np.int64, st.integers(0, 12), elements=st.integers(0, 5)))
def test_last_writes_win(indices):
    target = np.full(6, -1)
    target[indices] = np.arange(indices.size)
    kept = last_writes(indices)
    if kept is None:
        assert len(set(indices.tolist())) == indices.size
        return
    again = np.full(6, -1)
    again[indices[kept]] = np.arange(indices.size)[kept]
    assert np.array_equal(again, target)
    assert len(set(indices[kept].tolist())) == len(kept)


@pytest.mark.parametrize(
    "key", [np.s_[5], np.s_[[0, 7]], np.s_[[0, -9]], np.s_[0, 0, 0], np.s_[[0], [9]]], ids=str
)
def test_out_of_bounds(key):
    with pytest.raises(IndexError):
        tg.grad(lambda x: np.sum(x[key]))(ARRAYS["x"])


def test_float_index():
    with pytest.raises(IndexError):
        tg.grad(lambda x: np.sum(x[np.array([0.5])]))(np.ones(3))


WRITERS = {
    "copyto": lambda y, b: np.copyto(y, b),
    "copyto where": lambda y, b: np.copyto(y, b, where=np.array([True, False, True, True])),
    "putmask": lambda y, b: np.putmask(y, np.array([True, False, True, True]), b),
    "place": lambda y, b: np.place(y, np.array([True, False, True, True]), b[:2]),
    "put": lambda y, b: np.put(y, [3, 0, 3], b),
    "put clip": lambda y, b: y.put([9, 1], b[:1], mode="clip"),
    "put_along_axis": lambda y, b: np.put_along_axis(y, np.array([2, 0]), b[:2], 0),
    "fill": lambda y, b: y.fill(b[1]),
    "sort": lambda y, b: y.sort(),
    "partition": lambda y, b: y.partition(2),
    "flat": lambda y, b: y.flat.__setitem__(slice(1, 3), b[:2]),
    "view": lambda y, b: y.reshape(2, 2).__setitem__((slice(None), 1), b[:2]),
    "transposed view": lambda y, b: y.reshape(2, 2).T.__setitem__(1, b[1:3]),
    "ravel": lambda y, b: y.reshape(2, 2).ravel().__setitem__(slice(None), b),
    "flip": lambda y, b: np.flip(y).__setitem__(0, b[2]),
    "split": lambda y, b: np.split(y, 2)[1].__setitem__(0, b[2]),
    "expand_dims": lambda y, b: np.expand_dims(y, 0).__setitem__((0, 1), b[2]),
    "moveaxis": lambda y, b: np.moveaxis(y[None], 0, 1).__setitem__((2, 0), b[2]),
    "flatten copies": lambda y, b: y.flatten().__setitem__(0, b[2]),
    "copy copies": lambda y, b: y.copy().__setitem__(0, b[2]),
    "fancy copies": lambda y, b: y[[0, 1]].__setitem__(0, b[2]),
}


@pytest.mark.parametrize("name", WRITERS)
def test_writers(name):
    def write(x, b):
        y = x * 1.0
        WRITERS[name](y, b)
        return y

    x, b = ARRAYS["v"], ARRAYS["w"]
    value, _ = tg.vjp(write, x, b)
    assert np.array_equal(value, write(x, b))
    tg.testing.check_grads(write, (x, b), order=1)


def test_fill_diagonal():
    def write(x, b):
        y = x * 1.0
        np.fill_diagonal(y, b)
        return y

    x, b = ARRAYS["m"], ARRAYS["u"]
    value, _ = tg.vjp(write, x, b)
    assert np.array_equal(value, write(x, b))


@pytest.mark.parametrize("writer", [np.copyto, np.ndarray.__setitem__])
def test_writing_to_a_plain_array_is_refused(writer):
    def f(x):
        y = np.zeros(2)
        if writer is np.copyto:
            np.copyto(y, x)
        else:
            y[:] = x
        return np.sum(y)

    with pytest.raises(tg.DetachedError):
        tg.grad(f)(np.ones(2))


def test_iteration_and_membership():
    assert np.array_equal(tg.grad(lambda x: sum(e**2 for e in x))(np.arange(3.0)), [0, 2, 4])
    assert np.array_equal(tg.grad(lambda x: sum(x.flat))(np.ones((2, 2))), np.ones((2, 2)))
    assert tg.grad(lambda x: np.sum(x) if 1.0 in x else 0.0 * np.sum(x))(np.arange(2.0))[0] == 1.0


def test_an_index_that_changes_between_reads():
    index = np.array([0, 1, 2])

    def f(x):
        first = x[index]
        index[:] = [2, 2, 0]
        second = x[index]
        index[:] = [0, 1, 2]
        return np.sum(first * [1.0, 2.0, 4.0]) + np.sum(second * [8.0, 16.0, 32.0])

    assert tg.grad(f)(np.ones(3)).tolist() == [33.0, 2.0, 28.0]


def test_an_index_that_fits_one_array_and_not_another():
    index = np.array([0, 2])

    def f(x):
        return np.sum(x[index]) + np.sum(x[:2][index])

    with pytest.raises(IndexError, match="index 2 is out of bounds"):
        tg.grad(f)(np.ones(3))
