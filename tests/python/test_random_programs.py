"""Random programs of NumPy code: derivatives against differences in extended precision, and all the
ways to a first and a second derivative against each other."""

from dataclasses import dataclass
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from scipy import special

import tapegrad as tg
from tapegrad import _core

# Where long double is double the differences are worth less.
PRECISE = np.finfo(np.longdouble).eps < 1e-18


def extended(name):
    """The ufunc of that name if it computes in long double too."""
    f = getattr(np, name, None) or getattr(special, name, None)
    if not isinstance(f, np.ufunc) or not any(set(t) <= set("g->") for t in f.types):
        return None
    return f


# Steps are left out: differences across one see a slope.
STEPS = {"floor", "ceil", "trunc", "rint", "floor_divide", "nextafter", "heaviside", "sign"}
TABLE = [row for row in _core.ops() if row["name"] not in STEPS and extended(row["name"])]
UNARY = [row for row in TABLE if row["kind"] == "unary"]
BINARY = [row for row in TABLE if row["kind"] == "binary"]


def squash(x, low, high):
    """Into the range where an op is smooth."""
    return (low + high) / 2 + (high - low) / 2 * np.sin(x)


def pick(pool, k):
    return pool[-1 - k % len(pool)]


def unary(pool, a, b, c):
    row = UNARY[a % len(UNARY)]
    return extended(row["name"])(squash(pick(pool, b), row["low"][0], row["high"][0]))


def binary(pool, a, b, c):
    row = BINARY[a % len(BINARY)]
    x, y = fitting(pick(pool, b), pick(pool, c))
    low, high = row["low"], row["high"]
    return extended(row["name"])(squash(x, low[0], high[0]), squash(y, low[1], high[1]))


def fitting(x, y):
    """Two values that broadcast."""
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        y = np.mean(y)
    return x, y


def reduction(pool, a, b, c):
    x = np.sin(pick(pool, b))
    axis = None if c % 3 == 0 or x.ndim == 0 else c % x.ndim
    name = ("sum", "mean", "prod", "max", "min", "var", "std")[a % 7]
    if name == "std":
        x = x * np.reshape(np.arange(1.0, x.size + 1), x.shape)  # no equal elements
        if x.size < 2 or (axis is not None and x.shape[axis] < 2):
            name = "sum"
    if a % 2:
        return getattr(np, name)(x, axis=axis, keepdims=c % 2 == 0)
    return getattr(x, name)(axis=axis)


def running_sum(pool, a, b, c):
    x = pick(pool, b)
    return np.cumsum(x, axis=None if x.ndim == 0 or a % 2 else a % x.ndim)


INDICES = [
    lambda x: x[::-1],
    lambda x: x[-1],
    lambda x: x[..., None],
    lambda x: x[None],
    lambda x: x[:1],
    lambda x: x[1::2] if len(x) > 1 else x[0],
    lambda x: x[[0, -1, 0]],
    lambda x: x[np.arange(len(x)) % 2 == 0],
    lambda x: x[..., 0],
    lambda x: x[np.array([[0], [-1]])],
    lambda x: x.flat[0] if x.ndim == 1 else x[0, ::-1],
]


def indexing(pool, a, b, c):
    x = pick(pool, b)
    if x.ndim == 0 or x.size > 60:
        return x * 2.0
    return INDICES[a % len(INDICES)](x)


SHAPING = [
    lambda x: np.reshape(x, -1),
    lambda x: x.T,
    lambda x: np.swapaxes(x, 0, -1),
    lambda x: np.expand_dims(x, 0),
    lambda x: np.squeeze(x),
    lambda x: np.flip(x, 0),
    lambda x: np.roll(x, 1),
    lambda x: np.concatenate([x, 2.0 * x]),
    lambda x: np.stack([x, x[::-1]], -1),
    lambda x: np.broadcast_to(x, (2, *x.shape)),
    lambda x: np.tile(x, 2),
    lambda x: np.moveaxis(x, 0, -1),
]


def shaping(pool, a, b, c):
    x = pick(pool, b)
    if x.ndim == 0:
        return np.stack([x, 3.0 * x])
    return SHAPING[a % len(SHAPING)](x) if x.size <= 60 else x[:1]


def assign_slice(y, v):
    y[::2] = v


def assign_sum(y, v):
    y[-1] += v


def assign_fancy(y, v):
    y[[0, -1]] *= v


def assign_mask(y, v):
    y[np.arange(y.shape[0]) % 2 == 1] = v


def assign_view(y, v):
    part = y[1:]
    part *= v
    part[...] -= y[0]


def assign_transposed(y, v):
    y.T[..., 0] = v


def assign_flat(y, v):
    w = y.reshape(-1)
    w[w.size // 2 :] = v
    y += v


ASSIGNMENTS = [
    assign_slice,
    assign_sum,
    assign_fancy,
    assign_mask,
    assign_view,
    assign_transposed,
    assign_flat,
]


def assignment(pool, a, b, c):
    y = pick(pool, b)
    # In C order, so that reshape gives a view.
    y = np.sin(np.reshape(np.reshape(y, -1), y.shape)) * 1.5
    v = np.cos(np.mean(pick(pool, c)))
    if y.ndim == 0:
        return y + v
    ASSIGNMENTS[a % len(ASSIGNMENTS)](y, v)
    return y


def products(pool, a, b, c):
    x, y = (np.sin(np.reshape(pick(pool, k), -1)[:3]) for k in (b, c))
    outer = np.multiply.outer(x, y)
    return [
        lambda: outer,
        lambda: outer @ y,
        lambda: x @ outer,
        lambda: outer.T @ outer,
        lambda: np.dot(x, x),
        lambda: np.matmul(outer[None], outer.T),
        lambda: np.inner(outer, y),
        lambda: np.einsum("ij,j->i", outer, y),
    ][a % 8]()


def choice(pool, a, b, c):
    x, y = fitting(pick(pool, b), pick(pool, c))
    x = x + 0.0 * y
    even = np.arange(x.size).reshape(x.shape) % 2 == 0
    return np.where(even, np.sin(x), y) if a % 2 else np.maximum(np.sin(x), np.cos(y) - 0.1)


def python_loop(pool, a, b, c):
    x = np.reshape(pick(pool, b), -1)
    s = 0.1 * a
    for k in range(1 + c % 4):
        s = np.tanh(s) * x[k % x.size] + 0.3 if k % 2 else s + x[-1] * x[k % x.size]
    return np.sin(s)


STEPS_OF_A_PROGRAM = [
    unary,
    unary,
    binary,
    binary,
    reduction,
    running_sum,
    indexing,
    shaping,
    assignment,
    products,
    choice,
    python_loop,
]


@dataclass(frozen=True)
class Program:
    """A list of steps (which, a, b, c); it runs on arrays of any float type and on Variables."""

    steps: tuple

    def __call__(self, x, m):
        pool = [x, m]
        for which, a, b, c in self.steps:
            pool.append(STEPS_OF_A_PROGRAM[which % len(STEPS_OF_A_PROGRAM)](pool, a, b, c))
        total = 0.0
        for k, value in enumerate(pool):
            total = total + np.sum(np.sin(value + 0.1 * k)) / (1.0 + 0.1 * k)
        return total


numbers = st.integers(0, 40)
programs = st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=9).map(
    lambda steps: Program(tuple(steps))
)
SETTINGS = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def point(seed):
    rng = np.random.default_rng(seed)
    draw = lambda: (rng.uniform(-1, 1, 4), rng.uniform(-1, 1, (2, 3)))
    return draw(), draw(), draw()


def pairing(a, b):
    return sum(np.sum(x * y) for x, y in zip(a, b, strict=True))


def differences(f, x, v):
    """The derivative of f along v and an error bound; None where f is not smooth enough."""
    wide = [np.asarray(a, np.longdouble) for a in x]
    h = np.longdouble(2e-4 if PRECISE else 4e-3)

    def central(h):
        ahead = f(*(a + h * d for a, d in zip(wide, v, strict=True)))
        return (ahead - f(*(a - h * d for a, d in zip(wide, v, strict=True)))) / (2 * h)

    rows = [central(h), central(h / 2), central(h / 4)]
    finer = [(4 * b - a) / 3 for a, b in pairwise(rows)]
    best = (16 * finer[1] - finer[0]) / 15
    return float(best), float(abs(best - finer[1]))


def close(a, b, rtol):
    scale = max(np.max(np.abs(y), initial=0.0) for y in b)
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * (1.0 + scale))


@given(programs, st.integers(0, 1000))
@SETTINGS
def test_gradient(program, seed):
    x, v, _ = point(seed)
    value, gradient = tg.value_and_grad(program, argnums=(0, 1))(*x)
    with np.errstate(all="raise", under="ignore"):
        plain = program(*x)
    assert value == pytest.approx(plain, rel=1e-12, abs=1e-12)
    wanted, error = differences(program, x, v)
    scale = max(1.0, abs(wanted))
    assume(error < 1e-7 * scale)  # a kink is near
    assert pairing(gradient, v) == pytest.approx(wanted, rel=1e-8, abs=1e-8 * scale)


@given(programs, st.integers(0, 1000))
@SETTINGS
def test_first_derivatives_agree(program, seed):
    x, v, _ = point(seed)
    gradient = tg.grad(program, argnums=(0, 1))(*x)
    slope = pairing(gradient, v)
    size = pairing(map(np.abs, gradient), map(np.abs, v)) + 1.0
    same = lambda found: abs(found - slope) <= 1e-11 * size
    assert same(tg.jvp(program, x, v)[1])
    assert same(tg.linearize(program, *x)[1](*v))
    close(tg.vjp(program, *x)[1](1.0), gradient, 1e-13)
    close(tg.jacfwd(program, argnums=(0, 1))(*x), gradient, 1e-10)
    close(tg.jacrev(program, argnums=(0, 1), chunk=1)(*x), gradient, 1e-10)
    # The same inside another recording, where the sweep is recorded.
    close(tg.vjp(tg.grad(program, argnums=(0, 1)), *x)[0], gradient, 1e-12)
    assert same(tg.grad(lambda t: program(*(a + t * d for a, d in zip(x, v, strict=True))))(0.0))


@given(programs, st.integers(0, 1000))
@SETTINGS
def test_second_order(program, seed):
    x, v, u = point(seed)
    product = tg.hvp(program, x, v)
    gradient = tg.grad(program, argnums=(0, 1))
    size = pairing(map(np.abs, product), map(np.abs, u)) + 1.0
    back = tg.hvp(program, x, u)
    size += pairing(map(np.abs, back), map(np.abs, v))
    assert abs(pairing(product, u) - pairing(back, v)) <= 1e-10 * size
    close(tg.jvp(gradient, x, v)[1], product, 1e-10)
    close(tg.vjp(gradient, *x)[1](v), product, 1e-10)
    along = lambda *x: tg.jvp(program, x, v)[1]
    close(tg.grad(along, argnums=(0, 1))(*x), product, 1e-10)
    twice = tg.jvp(along, x, u)[1]
    assert abs(twice - pairing(product, u)) <= 1e-10 * size
    check_differences_of_gradients(gradient, x, v, u, pairing(product, u), size)


def check_differences_of_gradients(gradient, x, v, u, wanted, size):
    def slope(h):
        ahead = gradient(*(a + h * d for a, d in zip(x, v, strict=True)))
        behind = gradient(*(a - h * d for a, d in zip(x, v, strict=True)))
        return (pairing(ahead, u) - pairing(behind, u)) / (2 * h)

    rows = [slope(2e-3), slope(1e-3), slope(5e-4)]
    finer = [(4 * b - a) / 3 for a, b in pairwise(rows)]
    if abs(finer[1] - finer[0]) < 1e-6 * size:  # else a kink is near
        assert abs(finer[1] - wanted) <= 1e-5 * size


@given(programs, st.integers(0, 1000))
@settings(SETTINGS, max_examples=100)
def test_hessian_and_chunks(program, seed):
    x, v, _ = point(seed)
    H = tg.hessian(program, argnums=(0, 1))(*x)
    products = [np.tensordot(row[0], v[0], 1) + np.tensordot(row[1], v[1], 2) for row in H]
    close(products, tg.hvp(program, x, v), 1e-10)
    chunked = tg.hessian(program, argnums=(0, 1), chunk=3)(*x)
    for a, b in zip(H, chunked, strict=True):
        close(a, b, 1e-11)
    J = tg.jacobian(tg.grad(program, argnums=(0, 1)), argnums=(0, 1))(*x)
    for a, b in zip(J, H, strict=True):
        close(a, b, 1e-10)


@given(programs, st.integers(0, 1000))
@settings(SETTINGS, max_examples=100)
def test_float32(program, seed):
    x, _, _ = point(seed)
    single = [a.astype(np.float32) for a in x]
    gradient = tg.grad(program, argnums=(0, 1))(*single)
    wide = tg.grad(program, argnums=(0, 1))(*(a.astype(np.float64) for a in single))
    scale = 1.0 + max(np.max(np.abs(g)) for g in wide)
    for a, b in zip(gradient, wide, strict=True):
        assert a.dtype == np.float32
        # Programs may amplify rounding; a wrong rule is off by far more.
        assert np.max(np.abs(a - b)) < 0.05 * scale
