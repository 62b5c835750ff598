"""Programs on many points of few numbers: their intermediate arrays lie with the long axis
innermost. Nothing but speed and the order of sums may depend on it."""

import itertools

import numpy as np
import pytest

import tapegrad as tg

POINTS, SIZE = 160, 5
RANDOM = np.random.default_rng(11)
DATA = RANDOM.uniform(0.5, 1.5, (POINTS, SIZE))
STACK = RANDOM.uniform(0.5, 1.5, (3, POINTS, SIZE))
SQUARE = RANDOM.uniform(-0.5, 0.5, (SIZE, SIZE))
ROW = RANDOM.uniform(0.5, 1.5, SIZE)
CENTRES = RANDOM.standard_normal((3, SIZE))
UNTURNED = ("order",)


def listing(f, x, without=()):
    program = tg.function(f, without=without)
    program(x)
    return program.listing()


def turned(f, x):
    """Whether some array of the program lies in another order than that of its axes."""
    return listing(f, x) != listing(f, x, UNTURNED)


def distances(x):
    return np.sum((DATA[:, None] - x) ** 2, axis=2)


FUNCTIONS = {
    "nearest": lambda x: np.sum(np.min(distances(x), axis=1)),
    "soft nearest": lambda x: -np.sum(np.log(np.sum(np.exp(-distances(x)), axis=1))),
    "largest product": lambda x: np.sum(np.max(np.prod(DATA[:, None] - x, axis=2), axis=1)),
    "products of matrices": lambda x: np.sum(
        np.sum(((DATA - x[:, None]) @ SQUARE) ** 2, axis=2) * np.exp(-x[:, :1])
    ),
    "stacks of products": lambda x: np.sum(
        np.tanh((STACK - x[:, None]) @ np.swapaxes(x[:, :, None] * x[:, None], 1, 2))
    ),
    "one matrix for all": lambda x: np.sum(np.sum(np.sin(DATA - x[0]) @ (x.T @ x), axis=1) ** 2),
    "norms": lambda x: np.sum(np.sqrt(np.sum((STACK * x[:, None]) ** 2, axis=2))),
    "softmax": lambda x: np.sum((np.exp(DATA * x[0]).T / np.sum(np.exp(DATA * x[0]), axis=1)) ** 2),
    "slices and rolls": lambda x: np.sum(
        np.sum((DATA * x[0])[1:] * (DATA + x[1])[:-1], axis=1)
        * np.roll(np.sum(DATA * x[2], axis=1), 3)[1:]
    ),
    "masks": lambda x: np.sum(np.where(x[0] < DATA, DATA * x[1], x[2]).sum(axis=1) ** 2),
    "reshaped": lambda x: np.sum(
        np.sum((DATA * x[0]).reshape(POINTS, 1, SIZE) * x, axis=2).reshape(3, POINTS) ** 2
    ),
    "kept axes": lambda x: np.sum(
        (STACK - np.mean(STACK * x[:, None], axis=2, keepdims=True)) ** 3
    ),
    "assignment": lambda x: np.sum(assigned(DATA * x[0]) * x[1]),
}


def assigned(y):
    y[3:7] = np.sum(y[:4], axis=1, keepdims=True)
    y[:, 1] *= 2.0
    return y


def check(f, x, **tolerance):
    """Value, gradient, Hessian-vector product of the programs, beside those of the function."""
    v = np.cos(np.arange(x.size, dtype=x.dtype)).reshape(x.shape)
    for program in (tg.function(f), tg.function(f, without=UNTURNED)):
        for at in (x, x * 0.75):
            np.testing.assert_allclose(program(at), f(at), **tolerance)
            np.testing.assert_allclose(program.grad(at), tg.grad(f)(at), **tolerance)
            found, wanted = tg.hvp(program, (at,), (v,)), tg.hvp(f, (at,), (v,))
            np.testing.assert_allclose(found, wanted, **tolerance)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_replays_are_those_of_the_function(name):
    check(FUNCTIONS[name], CENTRES, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", ["nearest", "products of matrices", "norms"])
def test_arrays_are_turned(name):
    assert turned(FUNCTIONS[name], CENTRES)


def test_other_dtypes():
    single = DATA.astype(np.float32)
    f = lambda x: np.sum(np.sum((single[:, None] - x) ** 2, axis=2) ** 1.5)
    check(f, CENTRES.astype(np.float32), rtol=2e-4)

    def energy(x):
        return np.sum(np.abs(np.sum((DATA + 1j * DATA[::-1])[:, None] * np.exp(1j * x), axis=2)))

    program = tg.function(energy)
    np.testing.assert_allclose(program.grad(CENTRES), tg.grad(energy)(CENTRES), rtol=1e-11)


def test_what_is_mostly_the_callers_stays_in_order():
    f = lambda x: np.tanh(x) * x
    x = RANDOM.standard_normal((400, 3))
    assert not turned(f, x)
    assert tg.function(f)(x).flags.c_contiguous


def test_results_have_the_callers_order():
    f = lambda x: (distances(x), np.argmin(distances(x), axis=1), DATA * x[0])
    for found, wanted in zip(tg.function(f)(CENTRES), f(CENTRES), strict=True):
        assert found.flags.c_contiguous
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_captured_arrays_keep_their_own_order():
    held = DATA.copy()
    program = tg.function(
        lambda x: np.sum(np.min(np.sum((held[:, None] - x) ** 2, axis=2), axis=1))
    )
    first = program(CENTRES)
    np.testing.assert_array_equal(held, DATA)
    held *= 2.0  # recorded anew
    assert program(CENTRES) != first
    np.testing.assert_allclose(
        program(CENTRES), np.sum(np.min(np.sum((held[:, None] - CENTRES) ** 2, axis=2), axis=1))
    )


def test_batches_and_files(tmp_path):
    f = FUNCTIONS["soft nearest"]
    many = RANDOM.standard_normal((200, 3, SIZE))
    found = tg.vmap(tg.grad(f))(many[:4])
    np.testing.assert_allclose(found, [tg.grad(f)(x) for x in many[:4]], rtol=1e-10)
    small = lambda x: np.sum(np.sum(x[:, None] * SQUARE[:3], axis=2) ** 2)
    program = tg.record(small, CENTRES)
    np.testing.assert_allclose(program.batch(many), [small(x) for x in many], rtol=1e-12)
    program = tg.record(f, CENTRES)
    program.save(tmp_path / "program")
    assert tg.Program.load(tmp_path / "program")(many[0]) == program(many[0])


# ---- random programs ----

STEPS = [
    lambda r, a, x: np.sin(a) + x[0, 0],
    lambda r, a, x: a * x[r.integers(3)],
    lambda r, a, x: a - np.mean(a, axis=-1, keepdims=True),
    lambda r, a, x: a * np.sum(a, axis=-2, keepdims=True) / POINTS,
    lambda r, a, x: a + 0.1 * np.roll(a, int(r.integers(1, 5)), axis=int(r.integers(-2, 0))),
    lambda r, a, x: np.maximum(a, x[1]),
    lambda r, a, x: np.where(a > 0.4, a, 0.5 * a),
    lambda r, a, x: a @ (SQUARE + np.diag(x[2])),
    lambda r, a, x: np.swapaxes(np.swapaxes(a, -1, -2) * 1.5, -1, -2),
    lambda r, a, x: np.exp(-(a**2)) * DATA,
    lambda r, a, x: a[..., ::-1, :] + DATA[:, ::-1],
    lambda r, a, x: np.concatenate([a[..., :7, :], 0.5 * a[..., 7:, :]], axis=-2),
    lambda r, a, x: np.sum((a[..., :, None, :] - x) ** 2, axis=-1)[..., :1] * a,
    lambda r, a, x: np.tanh(a) * ROW,
    lambda r, a, x: np.stack([a, 2.0 * a]).max(axis=0),
    lambda r, a, x: np.cumsum(a, axis=-1) / SIZE,
]


def random_function(seed):
    def f(x):
        r = np.random.default_rng(seed)
        a = (DATA, STACK)[int(r.integers(2))] * x[0]
        kept = []
        for _ in range(int(r.integers(2, 8))):
            a = STEPS[int(r.integers(len(STEPS)))](r, a, x)
            kept.append(a)
        ends = [
            np.sum(np.sqrt(1.0 + np.sum(b**2, axis=-1))) for b in kept[:: int(r.integers(1, 3))]
        ]
        return sum(ends) + np.sum(np.max(a, axis=-2))

    return f


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed):
    check(random_function(seed), CENTRES, rtol=1e-8, atol=1e-9)


def test_random_programs_are_turned():
    count = sum(turned(random_function(seed), CENTRES) for seed in range(60))
    assert count > 30


def test_columns_of_products():
    """Operands by rows, by columns and neither; a result by columns."""
    for rows, columns in itertools.product((130, 300), (2, 9, 16)):
        left = RANDOM.standard_normal((2, rows, 6))
        right = RANDOM.standard_normal((2, 6, columns))

        def f(x, left=left, right=right):
            return np.sum(np.sum(np.tanh((left * x) @ (right + x)), axis=2) ** 2)

        program = tg.function(f)
        np.testing.assert_allclose(program.grad(0.3), tg.grad(f)(0.3), rtol=1e-10)
