"""cumprod and the linear recurrence under its rules: values as in NumPy, both derivatives."""

import numpy as np
import pytest
from ops.derivatives import apply, check
from ops.single_op import sample

import tapegrad as tg


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (1,), (4, 1)])
def test_running_products(shape):
    for axis in range(len(shape)):
        x, after = sample(shape), (len(shape) - 1 - axis,)
        np.testing.assert_array_equal(apply("cumprod", [x], after), np.cumprod(x, axis))
        check(lambda x, after=after: apply("cumprod", [x], after), x)
    assert apply("cumprod", [np.zeros((0, 3))], (1,)).shape == (0, 3)
    with pytest.raises(ValueError, match="axis out of range"):
        apply("cumprod", [np.ones(3)], (1,))


def test_zeros_are_exact_to_second_order():
    x = np.array([2.0, 0.0, 3.0, 0.0, 5.0])
    jacobian = tg.jacobian(np.cumprod)(x)
    for i in range(5):
        for j in range(5):
            assert jacobian[i, j] == (np.prod(np.delete(x[: i + 1], j)) if j <= i else 0.0)
    hessian = tg.hessian(lambda x: np.cumprod(x)[3])(x)
    assert hessian[1, 3] == hessian[3, 1] == 6.0 and np.count_nonzero(hessian) == 2


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize(("a", "x"), [((6,), (6,)), ((2, 5), (5,)), ((4,), (3, 4)), ((2, 0), (0,))])
def test_recurrence(a, x, reverse):
    f, a, x = (lambda a, x: apply("recurrence", [a, x], (reverse,))), sample(a), sample(x)
    order = slice(None, None, -1) if reverse else slice(None)
    y = np.broadcast_arrays(a, x)[0] * 0.0
    for t in range(y.shape[-1])[order]:
        before = y[..., t + (1 if reverse else -1)] if t != (y.shape[-1] - 1) * reverse else 0.0
        y[..., t] = x[..., t] + a[..., t] * before
    np.testing.assert_allclose(f(a, x), y, rtol=1e-14)
    if y.size:
        check(f, a, x)
