"""Random programs through `tg.function`, at the point of recording and at others."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random_programs import SETTINGS, pairing, point, programs

import tapegrad as tg

PASSES = ("fold", "share", "identities", "fuse", "order", "recompute", "reuse")
seeds = st.integers(0, 1000)


def close(a, b, rtol):
    scale = max((np.max(np.abs(y), initial=0.0) for y in b), default=0.0)
    for x, y in zip(a, b, strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * (1.0 + scale))


@given(programs, seeds)
@SETTINGS
def test_values_and_gradients(program, seed):
    F = tg.function(program)
    for x in point(seed):
        assert F(*x) == pytest.approx(program(*x), rel=1e-12, abs=1e-12)
        value, gradient = F.value_and_grad(*x, argnums=(0, 1))
        wanted, found = tg.value_and_grad(program, argnums=(0, 1))(*x)
        assert value == pytest.approx(wanted, rel=1e-12, abs=1e-12)
        close(gradient, found, 1e-12)


@given(programs, seeds)
@settings(SETTINGS, max_examples=150)
def test_second_order_and_both_modes(program, seed):
    F = tg.function(program)
    x, v, u = point(seed)
    close(tg.hvp(F, x, v), tg.hvp(program, x, v), 1e-10)
    _, tangent = F.jvp(x, v)
    gradient = tg.grad(program, argnums=(0, 1))(*x)
    size = pairing(map(np.abs, gradient), map(np.abs, v)) + 1.0
    assert abs(tangent - pairing(gradient, v)) <= 1e-11 * size
    close(F.vjp(*x)[1](1.0), gradient, 1e-11)
    close(F.jacobian(*x, argnums=(0, 1)), gradient, 1e-11)
    H = tg.hessian(program, argnums=(0, 1))(*x)
    for row, wanted in zip(F.hessian(*x, argnums=(0, 1)), H, strict=True):
        close(row, wanted, 1e-10)
    close(tg.hvp(F, u, v), tg.hvp(program, u, v), 1e-10)


@given(programs, seeds, st.lists(st.sampled_from(PASSES), min_size=1, unique=True))
@settings(SETTINGS, max_examples=150)
def test_passes_change_no_bit_but_of_sums(program, seed, off):
    x, v, _ = point(seed)
    F, G = tg.function(program), tg.function(program, without=off)
    (a, ga), (b, gb) = (f.value_and_grad(*x, argnums=(0, 1)) for f in (F, G))
    assert a == pytest.approx(b, rel=1e-13, abs=1e-13)
    close(ga, gb, 1e-12)
    close(tg.hvp(F, x, v), tg.hvp(G, x, v), 1e-11)


@given(programs, seeds)
@settings(SETTINGS, max_examples=60)
def test_elementwise_passes_agree_to_the_last_bit(program, seed):
    """Without sums there is nothing to reassociate."""

    def elementwise(x, y):
        a = x * y[0, :1] + np.sin(x)
        for which, i, j, _ in program.steps:
            b = np.roll(a, i % 5)[: 3 + j % 2]
            a = np.tanh(a[: len(b)] * b) - 0.3 * np.maximum(a[: len(b)], b / 3.0) + 0.1 * which
        return a

    x, v, _ = point(seed)
    found = []
    for off in itertools.chain([()], [(p,) for p in PASSES], [PASSES]):
        F = tg.function(elementwise, without=off)
        found.append((F(*x), F.jvp(x, v)[1]))
    for value, tangent in found[1:]:
        np.testing.assert_array_equal(value, found[0][0])
        np.testing.assert_array_equal(tangent, found[0][1])


@given(programs, seeds)
@settings(SETTINGS, max_examples=60)
def test_float32(program, seed):
    F = tg.function(program)
    x = [a.astype(np.float32) for a in point(seed)[0]]
    gradient, wanted = F.grad(*x, argnums=(0, 1)), tg.grad(program, argnums=(0, 1))(*x)
    scale = 1.0 + max(np.max(np.abs(g)) for g in wanted)
    for a, b in zip(gradient, wanted, strict=True):
        assert a.dtype == np.float32
        assert np.max(np.abs(a - b)) < 0.02 * scale
