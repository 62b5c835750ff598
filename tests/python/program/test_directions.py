"""Many directions at once through the programs of a function: Jacobians and Hessians against the
transforms of the plain function, and against one direction after the other."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from program.samples import SAMPLES
from test_random_programs import SETTINGS, close, point, programs

import tapegrad as tg
from tapegrad import _core

RNG = np.random.default_rng(5)
DIFFERENTIABLE = [
    name
    for name in SAMPLES
    # Positions have no derivative, hypergeometric functions not in every operand.
    if not name.startswith(("arg", "hyp"))
]


def check(found, wanted, rtol=1e-10):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol)


@given(programs, st.integers(0, 1000))
@settings(SETTINGS, max_examples=60)
def test_random_programs(program, seed):
    x, _, _ = point(seed)
    F = tg.function(program)
    gradient = tg.function(tg.grad(program, argnums=(0, 1)))
    close(tg.jacfwd(F, argnums=(0, 1))(*x), tg.grad(program, argnums=(0, 1))(*x), 1e-10)
    close(tg.jacrev(F, argnums=(0, 1))(*x), tg.grad(program, argnums=(0, 1))(*x), 1e-10)
    wanted = [block for row in tg.hessian(program, argnums=(0, 1))(*x) for block in row]
    found = [block for row in tg.hessian(F, argnums=(0, 1))(*x) for block in row]
    close(found, wanted, 1e-9)
    found = [block for row in tg.jacobian(gradient, argnums=(0, 1))(*x) for block in row]
    close(found, wanted, 1e-9)
    close([F.hessian(*x)], [wanted[0]], 1e-9)
    close([F.hessian(*x, argnums=1)], [wanted[3]], 1e-9)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_ops(name):
    """Each structured op, its tangents and adjoints in several directions."""
    for operands, attrs in SAMPLES[name]:
        operands = [np.asarray(a) for a in operands]
        places = [i for i, a in enumerate(operands) if a.dtype == np.float64]
        if not places:
            continue

        def f(*xs, name=name, attrs=attrs, operands=operands, places=places):
            values = list(operands)
            for i, x in zip(places, xs, strict=True):
                values[i] = np.sin(x) + 0.9 * x
            return _core.apply(name, values, attrs)

        xs = [operands[i] for i in places]
        value = np.asarray(f(*xs))
        if value.dtype != np.float64:
            continue
        argnums = tuple(range(len(xs)))
        for transform in (tg.jacfwd, tg.jacrev):
            wanted = transform(f, argnums)(*xs)
            for found, block in zip(transform(tg.function(f), argnums)(*xs), wanted, strict=True):
                check(found, block)
        scalar = lambda *xs, f=f: np.sum(np.cos(f(*xs)))
        wanted = tg.hessian(scalar, argnums)(*xs)
        found = tg.hessian(tg.function(scalar), argnums)(*xs)
        for i in argnums:
            for j in argnums:
                check(found[i][j], wanted[i][j], 1e-9)


def loop(x):
    s = 0.0
    y = np.zeros_like(x, shape=5)
    for i in range(len(x) - 1):
        s = s + (x[i + 1] - x[i] ** 2) ** 2
        if i < 5:
            y[i] = s * x[0]
    return np.sum(y) * s


def stencil(x):
    return np.sin(np.roll(x, 1) * x) + x[0] * np.cumsum(x) - x[::-1]


def test_one_program_for_all_directions():
    x = RNG.standard_normal(9)
    F = tg.function(loop)
    check(F.hessian(x), tg.hessian(loop)(x))
    H = F.hessian(x)
    assert np.array_equal(H, H.T)
    assert F.stats()["programs"]["hessian"]["programs"] == 1
    G = tg.function(stencil)
    for _ in range(2):
        check(G.jacobian(x), tg.jacobian(stencil)(x))
        check(tg.jacrev(G)(x), tg.jacrev(stencil)(x))
        check(tg.jacfwd(G)(x), tg.jacfwd(stencil)(x))
    wide = lambda x: np.stack([x @ x, x[0] * x[1]])
    check(tg.function(wide).jacobian(x), tg.jacobian(wide)(x))
    outer = lambda x: np.multiply.outer(x, x[:2])
    check(tg.function(outer).jacobian(x), tg.jacobian(outer)(x))
    check(tg.function(lambda a: a @ a).jacobian(np.eye(3)), tg.jacobian(lambda a: a @ a)(np.eye(3)))


def test_by_other_arguments():
    f = lambda w, x: np.sum(np.tanh(w @ x) ** 2)
    w, x = RNG.standard_normal((3, 2)), RNG.standard_normal(2)
    F = tg.function(f)
    for k in (0, 1, -1):
        check(F.hessian(w, x, argnums=k), tg.hessian(f, k)(w, x))
        check(F.jacobian(w, x, argnums=k), tg.jacobian(f, k)(w, x))
    assert F.hessian(w, x).shape == (3, 2, 3, 2)
    blocks = F.hessian(w, x, argnums=(0, 1))
    check(blocks[0][1], tg.hessian(f, (0, 1))(w, x)[0][1])


@pytest.mark.parametrize("chunk", [1, 2, 3, 9])
def test_chunks(chunk):
    x = RNG.standard_normal(9)
    check(tg.jacfwd(tg.function(stencil), chunk=chunk)(x), tg.jacfwd(stencil)(x))
    check(tg.jacrev(tg.function(stencil), chunk=chunk)(x), tg.jacrev(stencil)(x))
    check(tg.hessian(tg.function(loop), chunk=chunk)(x), tg.hessian(loop)(x))


def test_memory_bounds_the_directions(monkeypatch):
    monkeypatch.setattr("tapegrad.transforms.directions.MOST_NUMBERS", 400)
    x = RNG.standard_normal(30)
    check(tg.jacfwd(tg.function(stencil))(x), tg.jacfwd(stencil)(x))


def test_branches():
    f = lambda x: np.sum(np.exp(x) * x[0]) if x[0] > 0 else np.sum(x**3)
    F = tg.function(f)
    for x in (np.array([1.0, 2.0]), np.array([-1.0, 2.0]), np.array([0.5, 3.0])):
        check(F.hessian(x), tg.hessian(f)(x))
        check(F.jacobian(x), tg.jacobian(f)(x))


@pytest.mark.parametrize("dtype", ["f4", "c16"])
def test_dtypes(dtype):
    x = (RNG.standard_normal(4) + (1j if dtype == "c16" else 0)).astype(dtype)
    f = lambda x: np.sin(x) * x[0]
    holomorphic = dtype == "c16"
    found = tg.jacobian(tg.function(f), holomorphic=holomorphic)(x)
    wanted = tg.jacobian(f, holomorphic=holomorphic)(x)
    assert found.dtype == wanted.dtype == x.dtype
    check(found, wanted, 1e-5)
    real = lambda x: np.stack([np.sum(np.abs(x) ** 2), np.real(x[0])])
    check(tg.jacobian(tg.function(real))(x), tg.jacobian(real)(x), 1e-5)
    mixed = lambda x: x * (2.0 + 1j)
    check(tg.jacrev(tg.function(mixed))(np.ones(3)), tg.jacrev(mixed)(np.ones(3)))


def test_what_does_not_depend():
    x = np.ones(3)
    check(tg.jacfwd(tg.function(lambda x: x * 0 + 2.0))(x), np.zeros((3, 3)))
    check(tg.function(lambda x: np.floor(x)).jacobian(x), np.zeros((3, 3)))
    check(tg.function(lambda x: np.sum(x)).hessian(x), np.zeros((3, 3)))
    check(tg.function(lambda x: 3.0).hessian(x), np.zeros((3, 3)))
    pair = tg.function(lambda x: (x[0], 2.0, x * x))
    first, second, third = tg.jacobian(pair)(x)
    check(first, [1.0, 0, 0])
    check(second, np.zeros(3))
    check(third, 2 * np.eye(3))


def test_scalars_and_empty():
    assert tg.function(lambda x: x**3).hessian(2.0) == 12.0
    assert tg.function(lambda x: np.sin(x)).jacobian(0.0) == 1.0
    assert tg.function(lambda x: x * 2).jacobian(np.zeros(0)).shape == (0, 0)
    assert tg.function(lambda x: np.sum(x) ** 2).hessian(np.zeros(0)).shape == (0, 0)
    assert tg.function(lambda x: np.stack([x, x * x])).jacobian(3.0).tolist() == [1.0, 6.0]


def test_constant_arrays_of_inner_derivatives():
    """What a derivative within the function is taken by is a constant of the program."""
    F = tg.function(lambda x: x * tg.grad(lambda y: np.sum(y**2 * x))(np.ones(3)))
    check(F(2.0), np.full(3, 8.0))
    check(F(5.0), np.full(3, 50.0))
    assert tg.function(lambda x: x * tg.grad(lambda y: y**2)(3.0))(2.0) == 12.0
