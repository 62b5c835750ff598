"""The library's own errors: what detaches, what has no rule and what is used after its recording
names the user's file and line, and the fix."""

import re
import threading

import numpy as np
import pytest

import tapegrad as tg
from tapegrad import errors

HERE = "test_errors.py"


def line_of(excinfo):
    """The line number that the message names, after the file."""
    return int(str(excinfo.value).split(f"{HERE}:")[1].split(":")[0])


def raising_line(excinfo):
    """The line of this file that raised."""
    trace, line = excinfo.tb, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == __file__:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def test_types():
    assert issubclass(tg.DetachedError, TypeError)
    assert issubclass(tg.UnsupportedError, TypeError)
    assert issubclass(tg.UnsupportedError, NotImplementedError)
    assert issubclass(tg.RecordingError, RuntimeError)


def test_user_frame_is_outside_of_libraries():
    seen = []
    np.apply_along_axis(lambda row: seen.append(errors.user_frame()) or 0, 0, np.ones((2, 1)))
    assert seen[0][0] == __file__


@pytest.mark.parametrize(
    "raiser, kind",
    [
        (errors.detached, tg.DetachedError),
        (errors.unsupported, tg.UnsupportedError),
    ],
)
def test_messages_have_the_line_and_the_advice(raiser, kind):
    with pytest.raises(kind, match=r"float\(x\) .*\n.*write this") as caught:
        raiser("float(x) was called", "write this instead")
    assert line_of(caught) == raising_line(caught)


DETACHING = {
    "float": lambda x: float(x),
    "complex": lambda x: complex(x),
    "asarray": lambda x: np.sum(np.asarray(x)),
    "array": lambda x: np.sum(np.array(x)),
    "object": lambda x: np.sum(np.array([x, x])),
    "assignment of an item": lambda x: np.zeros(2).__setitem__(0, x),
    "assignment of a slice": lambda x: np.zeros(2).__setitem__(slice(None), x),
    "in-place addition": lambda x: np.zeros(2).__iadd__(x),
    "out=": lambda x: np.sin(x, out=np.zeros(())),
}


@pytest.mark.parametrize("f", DETACHING.values(), ids=DETACHING)
def test_nothing_detaches_silently(f):
    with pytest.raises(tg.DetachedError, match=HERE) as caught:
        tg.grad(f)(2.0)
    assert line_of(caught) == raising_line(caught)


@pytest.mark.parametrize("value", [np.ones(3), 2.0])
def test_plain_buffers_do_not_take_recorded_values(value):
    def f(x):
        y = np.zeros(3)
        y[:] = x
        return np.sum(y)

    try:
        gradient = tg.grad(f)(value)
    except tg.DetachedError as error:
        assert HERE in str(error)
    else:
        assert np.array_equal(gradient, np.ones(3) if np.ndim(value) else 3.0)


def test_the_advice_for_float_works():
    assert tg.grad(lambda x: float(tg.stop_gradient(x)) * x)(3.0) == 3.0


def test_unsupported_functions_are_named():
    with pytest.raises(tg.UnsupportedError, match="packbits"):
        tg.grad(lambda x: np.sum(np.packbits(x)))(np.ones(8))


# ---- recordings ----


def kept():
    """A Variable whose recording has ended."""
    out = []
    tg.grad(lambda x: out.append(x * 2) or x)(1.0)
    return out[0]


ENDED = "test_errors.py:.*(after its recording had ended|in another recording or another thread)"

USES = {
    "add": lambda v: v + 1.0,
    "in place": lambda v: v.__iadd__(1.0),
    "transpose": lambda v: v.T,
    "truth": lambda v: bool(v),
    "number": lambda v: int(v),
    "choice": lambda v: np.where(v > 0, v, 0.0),
    "join": lambda v: np.stack([v, v]),
    "copy": lambda v: v.copy(),
    "program": lambda v: tg.function(np.sin)(v),
    "ufunc": lambda v: np.sin(v),
    "function": lambda v: np.sum(v),
    "compare": lambda v: v > 0,
    "grad": lambda v: tg.grad(np.sin)(v),
    "jvp": lambda v: tg.jvp(np.sin, (1.0,), (v,)),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_variable_kept_after_its_recording(use):
    with pytest.raises(tg.RecordingError, match=ENDED):
        use(kept())


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_variable_in_another_recording(use):
    v = kept()
    with pytest.raises(tg.RecordingError, match=ENDED):
        tg.grad(lambda x: use(v) * x)(1.0)


def test_a_kept_variable_has_a_repr():
    assert "Variable" in repr(kept())


@pytest.mark.parametrize("inside", [False, True])
def test_an_inner_pullback_kept_after_its_recording(inside):
    kept = []

    def f(x):
        kept.append(tg.vjp(lambda y: y * x, x)[1])
        kept.append(tg.linearize(lambda y: y * x, x)[1])
        return x

    tg.grad(f)(2.0)
    for late in kept:
        with pytest.raises(tg.RecordingError, match=HERE):
            tg.grad(lambda z, late=late: late(z))(1.0) if inside else late(1.0)


@pytest.mark.parametrize("inside", [False, True])
def test_a_variable_in_another_thread(inside):
    caught = []

    def other(v):
        try:
            tg.grad(lambda x: x * v)(1.0) if inside else v * 2.0
        except tg.RecordingError as error:
            caught.append(error)

    def f(x):
        thread = threading.Thread(target=other, args=(x,))
        thread.start()
        thread.join()
        return x * x

    assert tg.grad(f)(3.0) == 6.0
    assert len(caught) == 1
    assert re.search(ENDED, str(caught[0]))


def test_a_generator_of_a_recording_that_ended():
    def rows(x):
        yield from x

    out = []
    tg.grad(lambda x: out.append(rows(x)) or x[0])(np.ones(3))
    with pytest.raises(tg.RecordingError):
        next(out[0]) * 1.0
