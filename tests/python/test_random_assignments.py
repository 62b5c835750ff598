"""Random programs of views and assignments: on Variables they must give what NumPy gives on plain
arrays, and derivatives as the complex step finds them (every step is analytic, so it is exact)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

import tapegrad as tg

SHAPE = (3, 4)
STEP = 1e-30
Arrays = list[Any]


def keys(ndim: int) -> list[Any]:
    """Keys of every kind for an array of 1 or 2 axes of length >= 2."""
    line: list[Any] = [0, -1, slice(None), slice(1, None), slice(None, -1), slice(None, None, -1)]
    line += [slice(None, None, 2), slice(-1, 0, -1), [1, 0], [0, -1, 0], slice(1, 1)]
    if ndim == 1:
        return [*line, Ellipsis, np.array([True, False])]
    plane: list[Any] = [(1, 1), (0, slice(1, None)), (slice(None), 1), (slice(None, None, -1), -1)]
    plane += [
        (slice(1, None), slice(None, -1)),
        ([0, 1], [1, 1]),
        (Ellipsis, 0),
        ([1, 0], slice(2)),
    ]
    return line + plane


def key_for(array: Any, choice: int) -> Any:
    """One of the keys; a mask is made to fit the length."""
    chosen = keys(array.ndim)[choice % len(keys(array.ndim))]
    if isinstance(chosen, np.ndarray):
        return np.resize(chosen, array.shape)
    return chosen


def source(arrays: Arrays, choice: int, shape: tuple[int, ...]) -> Any:
    """Something to assign to a part of this shape: an array that fits, an element or a number."""
    for k in range(len(arrays)):
        candidate = arrays[(choice + k) % len(arrays)]
        if candidate.shape == shape or (shape and candidate.shape == shape[-1:]):
            return candidate
    return arrays[choice % len(arrays)][(0,) * arrays[choice % len(arrays)].ndim] * 0.5


def write(array: Any, key: Any, value: Any, how: int) -> None:
    if how == 0:
        array[key] = value
    elif how == 1:
        array[key] += value
    elif how == 2:
        array[key] *= 0.5
    else:
        array[key] -= 0.25 * value


def usable(array: Any) -> bool:
    return array.ndim in (1, 2) and min(array.shape) >= 2


def append(arrays: Arrays, array: Any) -> None:
    if usable(array):
        arrays.append(array)


def view(arrays: Arrays, i: int, j: int) -> None:
    append(arrays, arrays[i][key_for(arrays[i], j)])


def transposed(arrays: Arrays, i: int, j: int) -> None:
    append(arrays, arrays[i].T if j % 2 else np.flip(arrays[i]))


def line(arrays: Arrays, i: int, j: int) -> None:
    """All elements in a row: a view where C order allows one, else a copy in both worlds."""
    del j
    plain = tg.stop_gradient(arrays[i])
    row = arrays[i].reshape(arrays[i].size)
    append(arrays, row if plain.flags.c_contiguous else row.copy())


def calculated(arrays: Arrays, i: int, j: int) -> None:
    other = arrays[j % len(arrays)]
    new = np.sin(arrays[i]) + (arrays[i] * other if other.shape == arrays[i].shape else 0.5)
    append(arrays, new.copy())


def assigned(arrays: Arrays, i: int, j: int) -> None:
    key = key_for(arrays[i], j)
    write(arrays[i], key, source(arrays, j // 7, arrays[i][key].shape), j % 4)


def whole(arrays: Arrays, i: int, j: int) -> None:
    array = arrays[i]
    array += 0.5 * source(arrays, j, array.shape)


def shifted(arrays: Arrays, i: int, j: int) -> None:
    if j % 2:
        arrays[i][1:] = arrays[i][:-1]
    else:
        arrays[i][:-1] += arrays[i][1:] * 0.5


def refused(arrays: Arrays, i: int, j: int) -> None:
    """An assignment that fails must leave everything as it was."""
    try:
        arrays[i][: j % 3] = np.ones(17)
    except ValueError:
        return
    raise AssertionError("the shapes do not fit")


def copied(arrays: Arrays, i: int, j: int) -> None:
    del j
    append(arrays, arrays[i].copy())


STEPS: dict[str, Callable[[Arrays, int, int], None]] = {
    f.__name__: f
    for f in (view, transposed, line, calculated, assigned, whole, shifted, refused, copied)
}
WEIGHTED = [*STEPS, "view", "view", "assigned", "assigned", "assigned", "transposed"]


def program(steps: list[tuple[str, int, int]]) -> Callable[[Any], Any]:
    """The function of x that runs these steps and adds up what all arrays then hold."""

    def run(x: Any) -> Any:
        arrays: Arrays = [x * 1.0, np.zeros_like(x)]
        for name, i, j in steps:
            STEPS[name](arrays, i % len(arrays), j)
        total = 0.0
        for k, array in enumerate(arrays):
            weights = np.cos(np.arange(array.size) + k).reshape(array.shape)
            total = total + (np.sin(array) * weights).sum() + array[(-1,) * array.ndim] ** 2
        return total

    def run_unless_refused(x: Any) -> Any:
        """A flattening that may be a view or a copy in NumPy is refused when that matters."""
        try:
            return run(x)
        except tg.UnsupportedError as error:
            assert "memory order" in str(error)
            reject()

    return run_unless_refused


programs = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 11), st.integers(0, 1000)), max_size=14
).map(program)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs, st.integers(0, 10**6))
def test_assignment_programs_agree_with_numpy(run: Callable[[Any], Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, v = rng.uniform(-1, 1, SHAPE), rng.uniform(-1, 1, SHAPE)
    expected = run(x + STEP * 1j * v)
    value, gradient = tg.value_and_grad(run)(x)
    np.testing.assert_allclose(value, expected.real, rtol=1e-12, atol=1e-12)
    slope = expected.imag / STEP
    np.testing.assert_allclose(np.vdot(gradient, v), slope, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(tg.jvp(run, (x,), (v,))[1], slope, rtol=1e-10, atol=1e-10)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs, st.integers(0, 10**6))
def test_second_order_of_assignment_programs(run: Callable[[Any], Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, v = rng.uniform(-1, 1, SHAPE), rng.uniform(-1, 1, SHAPE)
    product = tg.hvp(run)(x, v)
    nested = tg.grad(lambda x: (tg.grad(run)(x) * v).sum())(x)
    forward = tg.jvp(tg.grad(run), (x,), (v,))[1]
    gradient = tg.grad(run)
    central = (gradient(x + 1e-5 * v) - gradient(x - 1e-5 * v)) / 2e-5
    scale = 1 + abs(central).max()
    np.testing.assert_allclose(product, nested, rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(product, forward, rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(product, central, atol=1e-6 * scale)
