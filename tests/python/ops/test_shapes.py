"""reshape, transpose, broadcast_to, slices, concatenate, roll: NumPy's values and derivatives."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from ops.derivatives import LAYOUTS, apply, arranged, check, recording
from ops.single_op import RNG, sample

RESHAPES = [
    ((6,), (2, 3)),
    ((2, 3), (6,)),
    ((2, 3), (3, 2)),
    ((4, 1, 6), (2, 2, 3, 1, 2)),
    ((2, 3, 4), (6, 4)),
    ((2, 3, 4), (2, 12)),
    ((1,), ()),
    ((), (1, 1)),
    ((0, 3), (5, 0)),
]
BROADCASTS = [
    ((), (3,)),
    ((3,), (2, 3)),
    ((1,), (4,)),
    ((2, 1), (2, 3)),
    ((2, 1, 3), (5, 2, 4, 3)),
    ((3,), (3,)),
    ((1, 3), (0, 3)),
]
# (shape, slices): start, step, length for each axis
SLICES = [
    ((5,), [(1, 1, 3)]),
    ((5,), [(4, -2, 3)]),
    ((7,), [(0, 3, 3)]),
    ((3, 4), [(0, 1, 3), (3, -1, 4)]),
    ((3, 4), [(2, 1, 1), (1, 2, 2)]),
    ((2, 3, 4), [(1, -1, 2), (0, 1, 0), (0, 1, 4)]),
    ((), []),
]


def flat(slices) -> list[int]:
    return [number for triple in slices for number in triple]


def picked(x, slices):
    axes = [start + step * np.arange(n) for start, step, n in slices]
    return x[np.ix_(*axes)] if axes else x


def full(slices, shape) -> list[int]:
    return flat((start, step, n) for (start, step, _), n in zip(slices, shape, strict=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "target"), RESHAPES)
def test_reshape(shape, target, layout):
    x = arranged(sample(shape), layout)
    np.testing.assert_array_equal(apply("reshape", [x], target), x.reshape(target))
    check(lambda x: apply("reshape", [x], target), x)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_transpose(layout):
    x = arranged(sample((2, 3, 4)), layout)
    for axes in itertools.permutations(range(3)):
        np.testing.assert_array_equal(apply("transpose", [x], axes), x.transpose(axes))
    check(lambda x: apply("transpose", [x], (2, 0, 1)), x)
    check(lambda x: apply("transpose", [x], ()), sample(()))


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "?", "i8"])
def test_copies_of_large_transposed_arrays(dtype):
    x = (RNG.random((67, 3, 90)) * 100).astype(dtype)
    for axes in itertools.permutations(range(3)):
        moved = x.transpose(axes)
        np.testing.assert_array_equal(apply("reshape", [moved], (x.size,)), moved.ravel())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "target"), BROADCASTS)
def test_broadcast_to(shape, target, layout):
    x = arranged(sample(shape), layout)
    np.testing.assert_array_equal(apply("broadcast_to", [x], target), np.broadcast_to(x, target))
    check(lambda x: apply("broadcast_to", [x], target), x)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("shape", "slices"), SLICES)
def test_slices(shape, slices, layout):
    x = arranged(sample(shape), layout)
    part = picked(x, slices)
    np.testing.assert_array_equal(apply("slice", [x], flat(slices)), part)
    v, whole = sample(part.shape), np.zeros(shape)
    picked_places = np.arange(math.prod(shape)).reshape(shape)
    places = picked(picked_places, slices).ravel()
    whole.reshape(-1)[places] = v.ravel()
    np.testing.assert_array_equal(apply("unslice", [v], full(slices, shape)), whole)
    changed = np.array(x, order="C")
    changed.reshape(-1)[places] = v.ravel()
    np.testing.assert_array_equal(apply("slice_set", [x, v], flat(slices)), changed)
    check(lambda x: apply("slice", [x], flat(slices)), x)
    check(lambda v: apply("unslice", [v], full(slices, shape)), v)
    check(lambda x, v: apply("slice_set", [x, v], flat(slices)), x, v)
    check(lambda v: apply("slice_set", [x, v], flat(slices)), v)
    check(lambda x: apply("slice_set", [x, v], flat(slices)), x)


def test_slice_set_of_a_complex_array_by_real_numbers():
    check(lambda x, v: apply("slice_set", [x, v], (1, 2, 2)), sample((4,), "c16"), sample((2,)))


def test_overlapping_slices_add_their_adjoints():
    x = sample((6,))
    check(lambda x: apply("slice", [x], (0, 1, 5)) * apply("slice", [x], (1, 1, 5)), x)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("shapes", "axis"),
    [
        (((3,), (2,)), 0),
        (((2, 3), (4, 3), (0, 3)), 0),
        (((2, 3), (2, 1)), 1),
        (((2, 2, 1), (2, 3, 1)), 1),
        (((3,),), 0),
        (((0,), (0,)), 0),
    ],
)
def test_concatenate(shapes, axis, layout):
    xs = [arranged(sample(s), layout) for s in shapes]
    np.testing.assert_array_equal(apply("concatenate", xs, [axis]), np.concatenate(xs, axis))
    check(lambda *xs: apply("concatenate", xs, [axis]), *xs)
    if len(xs) > 1:
        check(lambda x: apply("concatenate", [x, *xs[1:]], [axis]), xs[0])


def test_concatenate_takes_scalars_and_missing_last_axes():
    scalars = [sample(()) for _ in range(6)]
    np.testing.assert_array_equal(apply("concatenate", scalars, [0]), np.array(scalars))
    check(lambda *xs: apply("concatenate", xs, [0]), *scalars)
    check(lambda a, b: apply("concatenate", [a, b], [0]), sample(()), sample((3,)))
    rows = [sample((3,)) for _ in range(2)]
    np.testing.assert_array_equal(apply("concatenate", rows, [1]), np.stack(rows, 1))
    check(lambda *xs: apply("concatenate", xs, [1]), *rows)


def test_concatenate_promotes():
    single, double = np.float32([1, 2]), np.array([3.0 + 1j])
    joined = apply("concatenate", [single, double], [0])
    assert joined.dtype == np.complex128
    with recording() as tape:
        x = tape.input(single)
        (g,) = tape.adjoint(
            [apply("concatenate", [x, double], [0])], [np.array([1j, 2, 3])], [x], 0
        )
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g, [0, 2])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("shape", "shifts"),
    [
        ((5,), (2,)),
        ((5,), (-1,)),
        ((5,), (0,)),
        ((5,), (10,)),
        ((5,), (-13,)),
        ((1,), (3,)),
        ((3, 4), (0, 1)),
        ((3, 4), (-1, 6)),
        ((2, 3, 4), (1, -1, 2)),
        ((2, 0, 3), (1, 1, 1)),
        ((), ()),
    ],
)
def test_roll(shape, shifts, layout):
    x = arranged(sample(shape), layout)
    rolled = np.roll(x, shifts, tuple(range(len(shape)))) if shape else x
    np.testing.assert_array_equal(apply("roll", [x], shifts), rolled)
    check(lambda x: apply("roll", [x], shifts), x)


def test_roll_adds_to_an_adjoint_that_exists():
    x = sample((3, 4))
    check(lambda x: x * apply("roll", [x], (1, -1)) * apply("roll", [x], (0, 2)), x)


@pytest.mark.parametrize("dtype", ["f4", "c16", "?", "i8"])
def test_roll_of_every_dtype(dtype):
    x = (RNG.random((4, 5)) * 9).astype(dtype)
    rolled = apply("roll", [x], (1, -2))
    np.testing.assert_array_equal(rolled, np.roll(x, (1, -2), (0, 1)))
    assert rolled.dtype == x.dtype


@pytest.mark.parametrize(
    ("name", "shapes", "attrs", "message"),
    [
        ("reshape", [(6,)], (4,), r"cannot reshape array of size 6 into shape \(4,\)"),
        ("reshape", [(6,)], (-2, -3), "cannot reshape"),
        ("transpose", [(2, 3)], (0,), "axes don't match"),
        ("transpose", [(2, 3)], (1, 1), "no permutation"),
        ("broadcast_to", [(3,)], (2,), r"cannot broadcast shape \(3,\) to \(2,\)"),
        ("broadcast_to", [(2, 3)], (3,), "cannot broadcast"),
        ("slice", [(3,)], (1, 1, 3), "out of bounds"),
        ("slice", [(3,)], (1, 0, 1), "out of bounds"),
        ("slice", [(3,)], (), "for each axis"),
        ("unslice", [(3,)], (1, 1, 3), "out of bounds"),
        ("slice_set", [(3,), (3,)], (0, 1, 2), "could not assign"),
        ("concatenate", [(2, 3), (2, 4)], (0,), "must match"),
        ("concatenate", [(2, 3), (3, 3, 3)], (0,), "must match"),
        ("concatenate", [(2,), (3,)], (-1,), "non-negative axis"),
        ("roll", [(2, 3)], (1,), "a shift for each axis"),
    ],
)
def test_errors(name, shapes, attrs, message):
    with pytest.raises(ValueError, match=message):
        apply(name, [np.zeros(s) for s in shapes], attrs)
