"""Plain arrays that recorded values are written to: no derivative is lost in silence. Every kind of
assignment either raises DetachedError, or the array does not hold floats."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg
import tapegrad.numpy as tnp

X = np.array([1.5, 2.0, 3.0])
WRITES = """
y[0] = x[0]**2
y[:] = x**2
y[1:] = x[1:]
y[:] = x[0]
y[...] = x
y[(0,)] = x[0]
y[y == 0] = x
y[[0, 2]] = x[:2]
y[0], y[1] = x[1], x[0]
y[0] += x[0]
y[1:] *= x[1:]
y += x
y -= x
y *= x
y /= x
y //= x
y %= x
y **= x
m @= np.outer(x, x)
y[1:][0] = x[0]
y.T[:] = x
y.flat = x
y.fill(x[0])
y.put([0], x[0])
y.__setitem__(0, x[0])
y.setfield(x, float)
z.real = x
z[0] = x[0]
s[0] = x[0]
r["a"] = x
np.put(y, [0, 1], x[:2])
np.place(y, y == 0, x)
np.putmask(y, y == 0, x)
np.copyto(y, x)
np.copyto(y, x, where=[True, False, True])
np.put_along_axis(y, np.array([0, 1]), x[:2], 0)
np.fill_diagonal(m, x)
m[np.diag_indices(3)] = x
np.add.at(y, [0, 1], x[:2])
np.sin(x, out=y)
np.add(x, 1.0, y)
np.add(y, x, out=y)
np.sum(np.outer(x, x), axis=0, out=y)
np.mean(np.outer(x, x), axis=0, out=y)
np.median(np.outer(x, x), axis=0, out=y)
np.cumsum(x, out=y)
np.cumprod(x, out=y)
np.clip(x, 0, 1, out=y)
np.round(x, 1, out=y)
np.dot(np.eye(3), x, out=y)
np.matmul(np.eye(3), x, out=y)
np.take(x, [0, 1, 2], out=y)
np.compress([True] * 3, x, out=y)
np.choose([0, 0, 0], [x, x], out=y)
np.concatenate([x[:1], x[1:]], out=y)
np.stack([x], out=y[None])
np.einsum("i->i", x, out=y)
np.max(np.outer(x, x), axis=0, out=y)
np.nan_to_num(y, copy=False, nan=x[0]); y[:] = x
""".strip().splitlines()


def written(statement):
    def f(x):
        names = {
            "x": x,
            "np": np,
            "y": np.zeros(3),
            "m": np.eye(3),
            "z": np.zeros(3, complex),
            "s": np.zeros(3, np.float32),
            "r": np.zeros(3, dtype=[("a", float)]),
        }
        exec(statement, names)
        return np.sum(names["y"]) + 0.0 * x[0]

    return f


@pytest.mark.parametrize("statement", WRITES)
def test_a_plain_array_refuses(statement):
    f = written(statement)
    f(X)
    with pytest.raises(tg.DetachedError, match="zeros_like"):
        tg.grad(f)(X)


def test_flat_items_are_refused_by_numpy():
    with pytest.raises(ValueError, match="single item"):
        tg.grad(written("y.flat[0] = x[0]"))(X)


def test_an_array_in_a_closure_stays_as_it_was():
    y = np.zeros(3)
    with pytest.raises(tg.DetachedError):
        tg.grad(lambda x: y.__setitem__(0, x[0]) or np.sum(y))(X)
    assert y.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("dtype", [int, bool, "U8"])
def test_arrays_that_hold_no_floats_take_the_value(dtype):
    def f(x):
        z = np.zeros(3, dtype)
        z[0] = x[0]
        return x[0] * 2.0 if z[0] else x[1]

    assert tg.grad(f)(X).tolist() == [2.0, 0.0, 0.0]


MAKERS = {
    "zeros_like": lambda x: np.zeros_like(x),
    "empty_like": lambda x: np.empty_like(x),
    "zeros_like with a shape": lambda x: np.zeros_like(x, shape=3),
    "full_like": lambda x: np.full_like(x, 7.0),
    "tapegrad.numpy.zeros": lambda x: tnp.zeros(3),
    "tapegrad.numpy.array": lambda x: tnp.array([0.0, 0.0, 0.0]),
    "a product with zero": lambda x: 0.0 * x,
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "statement", [s for s in WRITES if "y" in s.replace("np.", "") and "m[" not in s]
)
def test_an_array_made_for_recorded_values_takes_them(name, statement):
    if any(part in statement for part in ("(m", "setfield", "flat", "[None]")):
        return

    def f(x):
        y = MAKERS[name](x)
        y[...] = np.array([0.0, 0.0, 0.0])
        exec(statement, {"x": x, "np": np, "y": y})
        return y * np.array([1.0, 2.0, 3.0])

    with np.errstate(all="ignore"):
        expected = f(X)
        value, _ = tg.vjp(f, X)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    if not any(part in statement for part in ("//", "%", "**=", "round", "clip")):
        tg.testing.check_grads(f, (X,), order=1)


def test_lists_collect():
    def collected(x):
        parts = []
        for v in x:
            parts.append(v * v)
        return np.stack(parts) + tnp.array(parts)

    tg.testing.check_grads(collected, (X,))
