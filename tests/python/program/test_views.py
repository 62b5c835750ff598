"""Views of values that had to be copied are cut from the copy, not from what it was made of."""

import numpy as np
import pytest

import tapegrad as tg

CUTS = [
    lambda y: y[::-1],
    lambda y: y.T,
    lambda y: y[1:, :2],
    lambda y: np.roll(y, 1, 0),
    lambda y: y[1, 2] * y[0],
    lambda y: y.T.reshape(-1)[::2],
]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("shape", [(2, 6), (6, 2), (3, 4), (4, 3)])
def test_cuts_of_a_reshaped_repeat(cut, shape):
    def f(x):
        repeated = np.broadcast_to(np.sin(x)[:, None, :], (2, 2, 3))
        y = repeated.reshape(shape) if shape[1] > 2 else repeated.reshape(4, 3)
        return cut(y) * 1.5

    x = np.arange(6.0).reshape(2, 3) / 3
    F = tg.function(f)
    np.testing.assert_array_equal(F(x), f(x))
    np.testing.assert_array_equal(F(x + 1), f(x + 1))
