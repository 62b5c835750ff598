"""vmap gives what a loop over the instances gives: of every op and of random programs."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from program.looped import RNG, check, looped
from program.samples import SAMPLES
from test_random_programs import SETTINGS, programs

import tapegrad as tg
from tapegrad import _core

ELEMENTWISE = [row for row in _core.ops() if row["kind"] != "structured"]


def arity_of(row):
    try:
        _core.apply(row["name"], (1.0, 1.0))
    except ValueError:
        return 1
    return 2


def batched_op(name, operands, attrs, marks, count=3):
    """The op on a batch, and one by one."""
    wobble = lambda a: (
        a if a.dtype.kind in "ib" else a * np.asarray(1 + 0.01 * RNG.random(), a.dtype)
    )
    stacks = [
        np.stack([wobble(a) for _ in range(count)]) if mark else a
        for a, mark in zip(operands, marks, strict=True)
    ]
    axes = tuple(0 if mark else None for mark in marks)
    f = lambda *xs: _core.apply(name, xs, attrs)
    return tg.vmap(f, axes)(*stacks), looped(f, *stacks, axes=axes)


def marks_for(count):
    return [m for m in itertools.product([True, False], repeat=count) if any(m)]


def batchable(name, operands):
    """How many operands may differ between instances: all but the sparsity pattern, the last."""
    return len(operands) - name.startswith("sparse_")


@pytest.mark.parametrize("row", ELEMENTWISE, ids=lambda row: row["name"])
def test_elementwise_ops(row):
    arity = arity_of(row)
    low, high = row["low"] or (-2, -2), row["high"] or (2, 2)
    for shapes in [((), ()), ((2,), ()), ((), (2,)), ((2, 1), (3,))]:
        operands = [np.asarray(RNG.uniform(low[i], high[i], shapes[i])) for i in range(arity)]
        for marks in marks_for(arity):
            check(*batched_op(row["name"], operands, (), marks))


def test_samples_are_complete():
    names = {row["name"] for row in _core.ops() if row["kind"] == "structured"}
    names.remove("custom")  # its attributes name a rule: see tests/python/rules
    assert names == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_structured_ops(name):
    for operands, attrs in SAMPLES[name]:
        operands = [np.asarray(a) for a in operands]
        count = batchable(name, operands)
        for marks in marks_for(count):
            if name == "where" and not any(marks[1:]):
                continue
            marks += (False,) * (len(operands) - count)
            found, wanted = batched_op(name, operands, attrs, marks)
            check(found, wanted, 1e-10)


@pytest.mark.parametrize("name", SAMPLES)
def test_structured_ops_twice(name):
    """A batch of batches: ops that carry lanes already are batched again."""
    for operands, attrs in SAMPLES[name]:
        operands = [np.asarray(a) for a in operands]
        count = batchable(name, operands)
        stacks = [np.stack([np.stack([a] * 3)] * 2) for a in operands[:count]]
        rest = operands[count:]
        f = lambda *xs, attrs=attrs, rest=rest: _core.apply(name, (*xs, *rest), attrs)
        found = tg.vmap(tg.vmap(f))(*stacks)
        check(found, np.stack([looped(f, *(s[i] for s in stacks)) for i in range(2)]), 1e-10)
        inner = tuple(0 if i == 0 else None for i in range(len(stacks)))
        mixed = [stacks[0], *(s[:, 0] for s in stacks[1:])]
        found = tg.vmap(tg.vmap(f, inner))(*mixed)
        wanted = [looped(f, *(s[i] for s in mixed), axes=list(inner)) for i in range(2)]
        check(found, np.stack(wanted), 1e-10)


# ---- random programs -----------------------------------------------------------------------------


def or_skip(wanted):
    """The result, unless the program assigns recorded values into plain arrays."""
    try:
        return wanted()
    except tg.DetachedError:
        assume(False)


@given(programs)
@settings(SETTINGS, max_examples=60)
def test_random_programs(program):
    rng = np.random.default_rng(3)
    x, m = rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (3, 2, 3))
    check(tg.vmap(program)(x, m), looped(program, x, m), 1e-9)
    check(tg.vmap(program, (0, None))(x, m[0]), looped(program, x, m[0], axes=[0, None]), 1e-9)


@given(programs)
@settings(SETTINGS, max_examples=40)
def test_random_gradients(program):
    rng = np.random.default_rng(3)
    x, m = rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (3, 2, 3))
    gradient = tg.grad(program, argnums=1)
    wanted = or_skip(lambda: looped(gradient, x, m))
    scale = 1.0 + np.max(np.abs(wanted))
    check(tg.vmap(gradient)(x, m) / scale, wanted / scale, 1e-9)
    total = lambda m: np.sum(tg.vmap(program)(x, m))
    check(tg.grad(total)(m) / scale, wanted / scale, 1e-9)
    check(tg.function(total).grad(m) / scale, wanted / scale, 1e-9)
    F = tg.function(program)
    check(F.batch(x, m, kind="grad", argnums=1) / scale, wanted / scale, 1e-9)


@given(programs)
@settings(SETTINGS, max_examples=40)
def test_random_programs_that_close_over_a_recorded_value(program):
    rng = np.random.default_rng(3)
    x, m = rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (2, 3))
    total = lambda m: np.sum(tg.vmap(lambda row: program(row, m))(x))
    wanted = or_skip(lambda: tg.grad(lambda m: sum(program(row, m) for row in x))(m))
    scale = 1.0 + np.max(np.abs(wanted))
    check(tg.grad(total)(m) / scale, wanted / scale, 1e-9)
    check(tg.function(total).grad(m) / scale, wanted / scale, 1e-9)
