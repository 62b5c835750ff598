"""Program recordings bake nothing in silence: whatever Python has learned about a value is guarded.
The oracle: if all guards hold at another point, the replay gives what the function gives there."""

from inspect import isfunction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program import numpy_questions, python_questions
from program.python_questions import INNER
from program.replay import POINTS, Diverged, Recording, close
from test_random_programs import SETTINGS, numbers, programs

import tapegrad as tg
from tapegrad.pytree import flatten

SNIPPETS = [
    f
    for module in (numpy_questions, python_questions)
    for name, f in vars(module).items()
    if isfunction(f) and f.__module__ == module.__name__ and not name.startswith("_")
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("f", SNIPPETS, ids=lambda f: f.__name__)
def test_no_plain_value_is_baked(f):
    for at in POINTS:
        try:
            recording = Recording(f, at)
        except (ValueError, np.linalg.LinAlgError):
            with pytest.raises((ValueError, np.linalg.LinAlgError)):
                f(at)
            continue
        for point in POINTS:
            try:
                found = recording.replay(point)
            except Diverged:
                assert point is not at, "a replay of the same point holds"
                continue
            wanted, _ = flatten(f(point))
            assert len(found) == len(wanted)
            for a, b in zip(found, wanted, strict=True):
                assert close(a, b, 1e-12), (at, point, a, b)
                assert f in INNER or np.asarray(a).dtype == np.asarray(b).dtype, (a, b)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "f", [*numpy_questions.FREE, *python_questions.FREE], ids=lambda f: f.__name__
)
def test_questions_are_recorded(f):
    recording = Recording(f, POINTS[0])
    for point in POINTS[1:]:
        recording.replay(point)


# Random programs --------------------------------------------------------------------------------


def point(seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, 4), rng.uniform(-1, 1, (2, 3))


@pytest.mark.filterwarnings("ignore")
@given(programs, st.integers(0, 1000))
@SETTINGS
def test_random_programs(program, seed):
    recording = Recording(program, *point(seed))
    assert not recording.guards
    for other in (seed, seed + 1, seed + 2):
        (found,) = recording.replay(*point(other))
        assert close(found, program(*point(other)), 1e-12)


@pytest.mark.filterwarnings("ignore")
@given(programs, st.integers(0, 1000))
@settings(SETTINGS, max_examples=100)
def test_gradients_of_random_programs(program, seed):
    gradient = tg.grad(program, argnums=(0, 1))
    recording = Recording(gradient, *point(seed))
    for other in (seed, seed + 1):
        found, wanted = recording.replay(*point(other)), gradient(*point(other))
        scale = 1.0 + max(np.max(np.abs(w)) for w in wanted)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * scale)


QUESTIONS = [
    lambda x, k: np.where(x > x.flat[k % x.size], x, 0.5 * x),
    lambda x, k: x * np.argmax(np.reshape(x, -1)),
    lambda x, k: np.sort(x, axis=k % x.ndim),
    lambda x, k: np.reshape(x, -1)[np.argsort(np.reshape(x, -1))[: 1 + k % 3]],
    lambda x, k: x * (2.0 if np.sum(x) > 0 else 3.0),
    lambda x, k: x * int(3.0 * np.mean(x)),
    lambda x, k: x[x > 0].sum() * x,
    lambda x, k: x * np.any(x > 0.9) + (~(x < 0)).sum(),
    lambda x, k: tg.stop_gradient(x) * np.clip(x, -0.3, 0.4),
    lambda x, k: x * len(np.unique(np.round(2 * x))),
]


@pytest.mark.filterwarnings("ignore")
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), numbers)
@SETTINGS
def test_random_questions(steps, seed):
    def f(x, m):
        for which, k in steps:
            x = QUESTIONS[which % len(QUESTIONS)](x, k) + np.sin(m[0, k % 3])
        return x

    recording = Recording(f, *point(seed))
    for other in (seed, seed + 1, seed + 2):
        try:
            (found,) = recording.replay(*point(other))
        except Diverged:
            assert other != seed
            continue
        assert close(found, f(*point(other)), 1e-12)
