"""The recording of a program: its guards and their lines, what leaves it, what it captures."""

import sys
import threading

import numpy as np
import pytest
from program.replay import POINTS, Diverged, Recording, same

import tapegrad as tg
from tapegrad import _core


def here():
    return sys._getframe(1).f_lineno


def test_guards_know_the_line():
    x = POINTS[0]
    line = here() + 3

    def f(x):
        return x if x[0] > 0 else -x

    recording = Recording(f, x)
    ((node, expected, file, found),) = recording.guards
    assert (file, found) == (__file__, line)
    assert expected.dtype == bool and expected
    assert recording.nodes[node][1] == "greater"
    tape = recording.tape
    assert tape.lines(0, tape.mark())[node] == (__file__, line)


def test_a_node_is_guarded_once():
    def f(x):
        big = x[0] > 0
        return x if big and big and big else -x

    assert len(Recording(f, POINTS[0]).guards) == 1


def test_looking_guards_nothing():
    def f(x):
        repr(x), str(x > 0), f"{x[0]:.2f}", x.shape, np.shape(x), np.array2string(x)
        x.reshape((5, 1), order="F").flat
        return np.zeros_like(x) + x

    assert not Recording(f, POINTS[0]).guards


def test_detached_values_leave_guarded_and_others_not_at_all():
    def f(x):
        with pytest.raises(tg.DetachedError):
            float(x[0])
        with pytest.raises(tg.DetachedError):
            np.asarray(x)
        return float(tg.stop_gradient(x[0])) * np.asarray(x > 0), float(np.argmax(x))

    assert len(Recording(f, POINTS[0]).guards) == 3


def test_one_shot_derivatives_get_plain_answers():
    def f(x):
        assert type(x > 0) is np.ndarray and isinstance(np.argmax(x), np.integer)
        assert type(x[0] > 0) is bool and isinstance(tg.stop_gradient(x), np.ndarray)
        assert type(np.isnan(x)) is np.ndarray and not _core.in_program()
        with pytest.raises(TypeError):
            range(x[0])
        with pytest.raises(TypeError):
            ~x
        with pytest.raises(TypeError):
            x & x
        return x[0] * 2.0

    tg.grad(f)(POINTS[0])


def test_programs_are_outermost():
    def f(x):
        with pytest.raises(ValueError, match="cannot be nested"):
            _core.Tape.enter(program=True)
        return x

    tg.grad(f)(1.0)
    Recording(f, np.ones(1))


def test_an_exception_closes_the_recording():
    def f(x):
        raise KeyError("user")

    with pytest.raises(KeyError, match="user"):
        Recording(f, POINTS[0])
    assert not _core.recording()
    assert tg.grad(lambda x: x * x)(3.0) == 6.0


def test_arguments_of_any_dtype_keep_it():
    def f(i, b, x):
        return x[i], np.where(b, x, 0.0), i + 1, x * i

    i, b, x = np.array([2, 0, -1]), np.array([True, False, True]), np.array([1.0, 2.0, 4.0])
    recording = Recording(f, i, b, x)
    j = np.array([1, 1, 2])
    for a, c in zip(recording.replay(j, ~b, 2 * x), f(j, ~b, 2 * x), strict=True):
        assert same(a, c) and a.dtype == c.dtype
    with pytest.raises(Diverged):  # out of bounds
        recording.replay(j + 5, b, x)


def test_values_between_are_freed():
    tape = _core.Tape.enter(program=True)
    x = tape.input(np.ones(1000))
    y = np.exp(np.sin(x)) * x
    tg.grad(lambda z: np.sum(z * z))(y)
    kept = [n[1] for n in tape.nodes(0, 4) if n[5] is not None]
    tape.leave()
    assert kept == []


def test_captured_arrays_are_noticed_when_they_change():
    weights, big, mask = np.ones(5), np.ones(100_000), np.arange(5) % 2 == 0
    index, table = np.array([0, 2]), np.ones((3, 4))

    def f(x):
        local = np.arange(5.0)
        y = x * weights[::-1] * local + np.where(mask, x, 1.0) + np.sum(big * x[0])
        return (
            y[index] * table[1, :2]
            + x.take(index)
            + x.compress(mask)[:2]
            + (2.0 * local)[:2] * x[0]
        )

    recording = Recording(f, POINTS[0])
    arrays = [array for array, _ in recording.tape.captured()]
    for wanted in (weights, big, mask, index, table):
        assert any(array is wanted for array in arrays)
    assert len(arrays) == 5
    assert not recording.tape.captured_changed()
    for array, place in ((weights, 1), (big, 0), (mask, 1), (index, 0), (table, (1, 0))):
        old = array[place].copy()
        array[place] = not old if array is mask else old + 1
        assert recording.tape.captured_changed()
        array[place] = old
        assert not recording.tape.captured_changed()
    table[0, 0] = 7.0  # not read
    assert not recording.tape.captured_changed()


def test_a_captured_array_is_one_constant():
    weights = np.ones(5)

    def f(x):
        for _ in range(10):
            x = x * weights
        weights[0] = 2.0  # what is read later is another constant
        return x + weights

    try:
        recording = Recording(f, POINTS[0])
    finally:
        weights[0] = 1.0
    assert [n[1] for n in recording.nodes].count("constant") == 2
    assert recording.tape.captured_changed()  # the function does not leave it as it was
    found = recording.replay(POINTS[1])[0]
    assert same(found, POINTS[1] + [2.0, 1.0, 1.0, 1.0, 1.0])


def test_arguments_are_not_captured():
    x = np.ones(5)
    assert Recording(lambda x: x * 2.0, x).tape.captured() == []


def test_other_threads_take_no_value_unseen():
    def f(x):
        errors = []

        def take():
            for ask in (np.argmax, tg.stop_gradient, np.isnan, bool, np.any, repr):
                try:
                    ask(x[0] if ask is bool else x)
                except tg.RecordingError as error:
                    errors.append(error)

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        assert len(errors) == 5  # looking is allowed
        return x

    Recording(f, POINTS[0])


def test_integers_take_no_numbers_in_place():
    def f(x):
        i = np.argsort(x)
        with pytest.raises(TypeError):
            i *= 1.5
        i += 1
        return i

    assert same(Recording(f, POINTS[0]).replay(POINTS[3])[0], np.argsort(POINTS[3]) + 1)


def test_sorts_order_ties_as_numpy():
    rng = np.random.default_rng(0)
    for dtype in (float, np.float32, complex, np.int64, bool):
        x = rng.integers(0, 5, (7, 300)).astype(dtype)
        for axis in (0, 1):
            for kind, name in enumerate(("quicksort", "stable")):
                found = _core.apply("argsort", (x,), (axis, kind))
                assert same(found, np.argsort(x, axis, name)), (dtype, axis, name)
        assert same(_core.apply("argmax", (x,), (1,)), np.argmax(x, 1))
        assert same(_core.apply("argmin", (x,), (0,)), np.argmin(x, 0))
