"""item, item_set, gather, scatter_add, put: values as NumPy's, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from ops.derivatives import LAYOUTS, apply, arranged, check, gradients
from ops.single_op import RNG, sample

from tapegrad import _core

SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4)]
INDEX_SHAPES = [(), (0,), (3,), (2, 5), (2, 1, 3)]


def indices(shape, size, layout="C"):
    return arranged(np.asarray(RNG.integers(0, size, shape)), layout)


def distinct(shape, size):
    n = int(np.prod(shape, dtype=int))
    return np.resize(RNG.permutation(size)[:n], shape) if n <= size else None


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_item(shape, layout):
    x = arranged(sample(shape), layout)
    for k in {0, x.size // 2, x.size - 1}:
        assert apply("item", [x], [k]) == x.ravel()[k]
        changed = np.array(x, order="C")
        changed.reshape(-1)[k] = 7
        np.testing.assert_array_equal(apply("item_set", [x, 7.0], [k]), changed)
    k = x.size // 2
    check(lambda x: apply("item", [x], [k]), x)
    check(lambda x, v: apply("item_set", [x, v], [k]), x, sample(()))
    check(lambda v: apply("item_set", [x, v], [k]), sample(()))
    check(lambda x: apply("item_set", [x, 2.0], [k]), x)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("index_shape", INDEX_SHAPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_gather_and_scatter_add(shape, index_shape, layout):
    x = arranged(sample(shape), layout)
    where = indices(index_shape, x.size, layout)
    np.testing.assert_array_equal(apply("gather", [x, where]), x.ravel()[where])
    g, total = arranged(sample(index_shape), layout), np.zeros(shape)
    np.add.at(total.reshape(-1), where, g)
    np.testing.assert_array_equal(apply("scatter_add", [g, where], shape), total)
    check(lambda x: apply("gather", [x, where]), x)
    check(lambda g: apply("scatter_add", [g, where], shape), g)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("index_shape", [(), (0,), (3,), (2, 2)])
def test_put(index_shape, layout):
    x = arranged(sample((3, 4)), layout)
    where, v = distinct(index_shape, x.size), arranged(sample(index_shape), layout)
    changed = np.array(x, order="C")
    changed.reshape(-1)[where] = v
    np.testing.assert_array_equal(apply("put", [x, v, where]), changed)
    check(lambda x, v: apply("put", [x, v, where]), x, v)
    check(lambda v: apply("put", [x, v, where]), v)
    check(lambda x: apply("put", [x, v, where]), x)


@pytest.mark.parametrize("dtype", ["f4", "c16", "?", "i8"])
def test_other_dtypes(dtype):
    x = (RNG.random((3, 4)) * 4).astype(dtype).T
    where = indices((2, 3), 12)
    for name, operands, attrs in [("gather", [x, where], ()), ("item", [x], (5,))]:
        found = np.asarray(apply(name, operands, attrs))
        assert found.dtype == x.dtype
    np.testing.assert_array_equal(apply("gather", [x, where]), x.ravel()[where])


def test_complex_derivatives():
    x, where = sample((2, 3), "c16"), np.array([4, 0, 4])
    check(lambda x: apply("gather", [x, where]), x)
    check(lambda x, v: apply("put", [x, v, where[:2]]), x, sample((2,), "c16"))
    check(lambda x, v: apply("put", [x, v, where[:2]]), x, sample((2,)))
    check(lambda x, v: apply("item_set", [x, v], [3]), x, sample(()))


def test_repeated_reads_add_their_adjoints():
    x = sample((4,))
    check(lambda x: apply("item", [x], [1]) * apply("item", [x], [1]) + apply("item", [x], [3]), x)
    (g,) = gradients(lambda x: apply("gather", [x, np.array([2, 2, 2])]), [x], np.ones(3))
    np.testing.assert_array_equal(g, [0, 0, 3, 0])


@pytest.mark.parametrize(
    ("name", "operands", "attrs", "message"),
    [
        ("item", [np.zeros(3)], (3,), "out of bounds"),
        ("item", [np.zeros(3)], (-1,), "out of bounds"),
        ("item_set", [np.zeros(3), np.zeros(2)], (1,), "scalar"),
        ("gather", [np.zeros(3), np.array([3])], (), "out of bounds"),
        ("gather", [np.zeros(3), np.array([-1])], (), "out of bounds"),
        ("scatter_add", [np.zeros(3), np.array([0])], (3,), "another shape"),
        ("put", [np.zeros(3), np.zeros(2), np.array([0])], (), "one shape"),
        ("put", [np.zeros(3), np.zeros(1), np.array([9])], (), "out of bounds"),
    ],
)
def test_errors(name, operands, attrs, message):
    with pytest.raises(ValueError, match=message):
        apply(name, operands, attrs)


def test_indices_must_be_integers():
    with pytest.raises(TypeError, match="int64"):
        apply("gather", [np.zeros(3), np.zeros(2)])
    assert _core.apply("gather", (np.zeros(3), np.array(2))) == 0
