"""What random programs (tools/fuzz.py) have found: each failed before it was fixed."""

import numpy as np
import pytest

import tapegrad as tg


def test_unique_guards_which_values_are_equal_and_not_the_values():
    """They may differ by rounding from replay to replay: a BranchError at the very same input."""

    def f(q):
        return np.sum(np.cos(np.unique(q.sum(axis=-1, keepdims=True) * q)))

    F = tg.function(f)
    rng = np.random.default_rng(0)
    for _ in range(5):
        q = rng.normal(size=(3, 3))
        np.testing.assert_allclose(F.grad(q), tg.grad(f)(q), rtol=1e-12)
    assert F.stats()["traces"] == 1
    G = tg.function(np.unique)
    for values in ([1.0, 1.0, 2.0], [3.0, 1.0, 2.0], [np.nan, 0.0, np.nan], [2.0, 2.0, 2.0]):
        np.testing.assert_array_equal(G(np.array(values)), np.unique(values))
    ties = np.array([2.0, 1.0, 1.0])
    np.testing.assert_array_equal(tg.jacobian(G)(ties), tg.jacobian(np.unique)(ties))


def test_accumulate_along_no_axis():
    x = np.array([1.0, 2.0, 3.0])
    tg.testing.check_grads(lambda x: np.multiply.accumulate(x, axis=None), (x,))
    tg.testing.check_grads(lambda x: np.add.accumulate(x, axis=None), (x,))
    with pytest.raises(ValueError, match="multiple axes"):
        tg.jvp(
            lambda x: np.multiply.accumulate(x, axis=None), (np.ones((2, 2)),), (np.ones((2, 2)),)
        )


@pytest.mark.parametrize("exponent", [3, np.int64(3), np.array([3, 1])])
def test_ldexp_of_float32(exponent):
    """A Python integer came out as zero."""
    x = np.array([1.5, 2.5], np.float32)
    value, gradient = tg.value_and_grad(lambda x: np.sum(np.ldexp(x, exponent)))(x)
    assert value == np.sum(np.ldexp(x, exponent))
    np.testing.assert_array_equal(gradient, np.ldexp(np.ones(2, np.float32), exponent))


def broadcast_row(x):
    return np.broadcast_to(x[0], (2, 4)) * 2.0


def transposed_and_row(x):
    return x.T + x[0, :3]


def two_transposed(x):
    return x.T * np.broadcast_to(x[:, 0], (4, 3))


def stacked(x):
    return np.sin(np.broadcast_to(x.T[:, None], (4, 2, 3)))


@pytest.mark.parametrize("made", [broadcast_row, transposed_and_row, two_transposed, stacked])
def test_a_reshape_is_a_view_where_it_is_one_in_numpy(made):
    """The result of an op on broadcast arrays lay otherwise in memory, so a write was lost."""

    def f(x):
        y = made(x)
        y.reshape(-1)[1:3] = 10.0 * x[0, 0]
        return y * np.arange(1.0, y.size + 1.0).reshape(y.shape)

    x = np.linspace(0.5, 1.5, 12).reshape(3, 4)
    np.testing.assert_allclose(tg.vjp(f, x)[0], f(x), rtol=1e-14)
    tg.testing.check_grads(f, (x,))


def test_nothing_is_resized_to_zeros():
    f = lambda x: np.sum(np.resize(x[x > 0.5], (2, 2)) ** 2) + x[0]
    program = tg.function(f)
    for x in ([0.1, 0.9], [0.1, 0.2], [0.7, 0.8]):
        x = np.array(x)
        for derivative in (tg.grad(f), program.grad):
            wanted = (2.0 * 4 / max((x > 0.5).sum(), 1)) * x * (x > 0.5)
            np.testing.assert_allclose(derivative(x) - [1.0, 0.0], wanted)


def test_linspace_of_single_precision():
    f = lambda x: np.linspace(x[0], x[1], 4)
    x = np.array([0.1, 0.7], np.float32)
    value, pullback = tg.vjp(f, x)
    assert value.dtype == f(x).dtype == np.float32
    np.testing.assert_allclose(pullback(np.ones(4, np.float32))[0], [2.0, 2.0], rtol=1e-6)


def test_running_products_tie_where_they_do_in_numpy():
    f = lambda x: np.unique(np.multiply.accumulate(np.cos(np.pad(x, 1))))
    program = tg.function(f)
    for x in np.random.default_rng(0).standard_normal((6, 4)):
        np.testing.assert_array_equal(tg.vjp(f, x)[0], f(x))
        np.testing.assert_array_equal(program(x), f(x))
