"""What batches are compared with: a loop over the instances. Functions and points for the tests of
vmap and of batches of programs."""

import numpy as np

RNG = np.random.default_rng(11)
X = RNG.standard_normal((5, 4))
W = RNG.standard_normal(4)


def looped(f, *args, axes=None):
    """`f` for one instance after the other; axes: those of the arguments, None for shared ones."""
    axes = axes or [0] * len(args)
    count = next(np.shape(a)[x] for a, x in zip(args, axes, strict=True) if x is not None)
    one = lambda a, x, i: a if x is None else np.take(a, i, x)
    found = [f(*(one(a, x, i) for a, x in zip(args, axes, strict=True))) for i in range(count)]
    return np.stack([np.asarray(v) for v in found])


def check(found, wanted, rtol=1e-12):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def loop(x):
    s = 0.0
    for i in range(3):
        s = s + x[i] * np.sin(x[i + 1]) if x[i] > 0 else s * x[i + 1] - x[i] ** 3
    return s
