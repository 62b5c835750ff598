"""where, cast, real, imag, conjugate: values as NumPy's, and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from ops.derivatives import LAYOUTS, apply, arranged, check, gradients, recording
from ops.single_op import RNG, sample

from tapegrad import _core

DTYPES = ["f8", "f4", "c16", "?", "i8"]
SHAPES = [(), (1,), (5,), (3, 4), (2, 1, 7), (0,), (3, 0)]
BROADCASTS = [((4,), (4,), (4,)), ((3, 4), (4,), (3, 1)), ((), (3,), ()), ((3, 1), (), (1, 2))]


def values(shape, dtype):
    if dtype == "?":
        return np.asarray(RNG.random(shape) < 0.5)
    if dtype == "i8":
        return np.asarray(RNG.integers(-5, 6, shape))
    return sample(shape, dtype)


def assert_same(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_values(shape, dtype, layout):
    x = arranged(values(shape, dtype), layout)
    assert_same(apply("real", [x]), x.real)
    assert_same(apply("imag", [x]), x.imag)
    if dtype == "c16":
        for k, name in enumerate(("real", "imag")):
            v = arranged(values(shape, "f8"), layout)
            expected = np.array(x)
            setattr(expected, name, v)
            assert_same(apply("part_set", [x, v], [k]), expected)
    assert_same(apply("conjugate", [x]), x if dtype == "?" else np.conjugate(x))
    condition = arranged(values(shape, "?"), layout)
    assert_same(apply("where", [condition, x, x[..., :1] if shape else x]),
                np.where(condition, x, x[..., :1] if shape else x))  # fmt: skip
    for code, target in enumerate(DTYPES):
        part = x.real if dtype == "c16" and target not in ("c16", "?") else x
        assert_same(apply("cast", [x], [code]), part.astype(target))


@pytest.mark.parametrize(("c", "a", "b"), BROADCASTS)
@pytest.mark.parametrize("kinds", ["dd", "DD", "dD", "Dd"])
def test_where_derivatives(c, a, b, kinds):
    condition = values(c, "?")
    check(lambda x, y: apply("where", [condition, x, y]), *map(sample, (a, b), _codes(kinds)))
    wide = sample(b, _codes(kinds)[1])
    check(lambda x: apply("where", [condition, x, wide]), sample(a, _codes(kinds)[0]))
    check(lambda x: apply("where", [condition, wide, x]), sample(a, _codes(kinds)[0]))


def _codes(kinds: str) -> list[str]:
    return ["c16" if k == "D" else "f8" for k in kinds]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_complex_part_derivatives(shape):
    for name in ("real", "imag", "conjugate"):
        check(lambda x, name=name: apply(name, [x]), sample(shape, "c16"))
        check(lambda x, name=name: apply(name, [x]), sample(shape))
    for k in (0, 1):
        z, v = sample(shape, "c16"), sample(shape)
        check(lambda z, v, k=k: apply("part_set", [z, v], [k]), z, v)
    check(lambda x: apply("cast", [x], [2]), sample(shape))
    check(lambda x: apply("cast", [x], [0]), sample(shape, "c16"))


def test_where_keeps_the_branch_not_taken_out_of_the_gradient():
    x = np.array([0.0, 4.0])
    (g,) = gradients(lambda x: apply("where", [x > 0, np.sqrt(x), x]), [x], np.ones(2))
    np.testing.assert_array_equal(g, [1.0, 0.25])


def test_single_precision_gradients_stay_single():
    with recording() as tape:
        x = tape.input(np.float32([1, 2, 3]))
        y = apply("where", [np.array([True, False, True]), x, 2 * x])
        wide = apply("cast", [y], [0])
        (g,) = tape.adjoint([wide], [np.ones(3)], [x], 0)
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g, [1, 2, 1])


def test_errors():
    x = np.ones(3)
    with pytest.raises(TypeError, match="condition must be boolean"):
        apply("where", [x, x, x])
    with pytest.raises(ValueError, match="broadcast"):
        apply("where", [x > 0, np.ones(2), x])
    with pytest.raises(ValueError, match="dtype code"):
        apply("cast", [x], [9])
    for z, v, k, message in (
        (x, x, 0, "part of a complex array"),
        (x + 0j, x + 0j, 0, "part of a complex array"),
        (x + 0j, np.ones(2), 1, r"shape \(2,\) to a part of shape \(3,\)"),
        (x + 0j, x, 2, "part 0 or 1"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            apply("part_set", [z, v], [k])
    assert isinstance(_core.apply("real", (1.5,)), float)
