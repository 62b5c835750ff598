"""The calls that the extension serves without Python, and those of the same functions that it hands
on: each gives NumPy's value and the derivatives of differences."""

from __future__ import annotations

import inspect
import os
import sys

import numpy as np
import pytest
from functions.call_forms import LONG, SHORT
from functions.expressions import (
    arguments,
    check_complex,
    check_derivatives,
    check_value,
    function_of,
)

import tapegrad as tg
from tapegrad import functions

FOLDER = os.path.dirname(functions.__file__)


def package_calls(expression: str) -> list[str]:
    """The functions of the package's Python code that the recorded expression runs."""
    function, names = function_of(expression)
    called = []

    def note(frame, event, argument):
        del argument
        if event == "call" and frame.f_code.co_filename.startswith(FOLDER):
            called.append(frame.f_code.co_name)

    def profiled(*args):
        sys.setprofile(note)
        try:
            return function(*args)
        finally:
            sys.setprofile(None)

    tg.vjp(profiled, *arguments(names))
    return called


@pytest.mark.parametrize("expression", SHORT)
def test_plain_calls_run_no_python(expression):
    if "einsum" in expression:
        package_calls(expression)  # the steps are worked out once
    assert package_calls(expression) == []


@pytest.mark.parametrize("expression", [*SHORT, *LONG])
def test_values_and_derivatives(expression):
    check_value(expression)
    check_derivatives(expression)


@pytest.mark.parametrize("expression", [*SHORT, *LONG])
def test_single_precision(expression):
    if "float" not in expression and "'f8'" not in expression:
        check_value(expression, np.float32)


@pytest.mark.parametrize(
    "expression",
    [
        e
        for e in SHORT
        if not any(
            w in e for w in ("max", "min", "ptp", "var", "std", "clip", "astype", "norm", "vdot")
        )
    ],
)
def test_complex(expression):
    check_complex(expression)


QUESTIONS = """
np.any(x > 5.0)
np.any(x)
np.all(x, axis=0)
x.any(axis=1, keepdims=True)
x.all()
np.argmax(x)
np.argmax(x, axis=1)
x.argmin(0)
v.argmin(keepdims=True)
np.argsort(x)
np.argsort(v, kind="stable")
x.argsort(0)
np.isnan(x)
np.isfinite(s)
np.greater(x, v)
np.equal(x, y)
np.logical_not(x)
np.shape(x)
np.ndim(x)
np.iscomplexobj(x)
np.count_nonzero(x, axis=0)
np.allclose(x, y, atol=9.0)
np.array_equal(v, w)
np.nonzero(x > 0.0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", QUESTIONS)
def test_questions_have_numpys_answers(expression):
    function, names = function_of(expression)
    expected = function(*arguments(names))
    answers = []
    assert package_calls(f"[{expression}, x][1]" if "x" in names else f"[{expression}, v][1]") == []
    tg.vjp(lambda *args: answers.append(function(*args)) or args[0], *arguments(names))
    np.testing.assert_equal(answers[0], expected)
    assert type(answers[0]) is type(expected)


def test_questions_about_ended_recordings():
    kept = []
    tg.grad(lambda x: kept.append(x) or np.sum(x))(np.ones(3))
    (x,) = kept
    assert np.shape(x) == (3,) and np.ndim(x) == 1
    for f in (np.any, np.argmax, np.isnan, np.allclose, lambda x: x.argmin(), np.add.reduce):
        with pytest.raises(tg.RecordingError, match="after its recording had ended"):
            f(x, x) if f is np.allclose else f(x)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_roll_is_one_node(axis):
    def f(x):
        tape = tg._core.Tape.enter()
        begin = tape.mark()
        y = np.roll(x, 2, axis)
        recorded.append(str(tape.nodes(begin, tape.mark())))
        tape.leave()
        return np.sum(y)

    recorded = []
    tg.grad(f)(np.ones((1, 5)))
    assert recorded[0].count("roll") == 1 and "concatenate" not in recorded[0]


# Errors, out=, subclasses, views ------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    [
        "np.sum(x, axis=2)",
        "np.sum(x, axis=(0, 0))",
        "x.sum(axis=-3)",
        "np.max(e)",
        "np.mean(x, 5)",
        "x.reshape(5, -1)",
        "x.reshape(5, 2)",
        "x.reshape(-1, -1)",
        "np.transpose(x, (0, 0))",
        "np.transpose(x, (0,))",
        "np.expand_dims(x, 4)",
        "np.swapaxes(x, 0, 2)",
        "np.flip(x, 2)",
        "np.squeeze(x, 0)",
        "np.roll(x, 1, 2)",
        "np.roll(x, (1, 2), (0, 1, 1))",
        "np.concatenate([x, v])",
        "np.concatenate([x, r])",
        "np.concatenate([s, s])",
        "np.stack([x, y.T])",
        "np.stack([v, w], axis=2)",
        "np.take(v, 9)",
        "v[np.array([0, 4])]",
        "v[np.array([-5])]",
        "v[MASK[0, :3]]",
        "np.dot(x, u)",
        "np.var(x, axis=2)",
        "np.tensordot(x, u, 1)",
        "np.tensordot(x, v, 2)",
        "np.tensordot(x, y, ([0], [0, 1]))",
        "np.einsum('ij,j', x, u)",
        "np.einsum('ij', v)",
        "np.moveaxis(x, 2, 0)",
        "np.fliplr(v)",
        "np.squeeze(x[None], 1)",
        "np.diff(x, axis=2)",
        "np.diff(x, n=-1)",
        "np.gradient(v[:1])",
        "np.cumprod(x, axis=2)",
        "np.repeat(v, -1)",
        "np.pad(x, -1)",
        "np.pad(x, ((1, 1), (1, 1), (1, 1)))",
        "np.sort(v, axis=1)",
        "np.append(x, v, axis=0)",
        "np.column_stack([x, u[:2]])",
        "np.take(x, [3], axis=0)",
        "np.argmax(x, axis=2)",
        "np.add.reduce(x, 2)",
        "np.maximum.reduce(e)",
        "np.inner(v, u)",
        "np.where(MASK, x, u)",
        "np.clip(x, u, 1.0)",
        "x.astype('no dtype')",
        "np.sum(x, axes=0)",
        "x.mean(a=1)",
        "x.sum(0, None, None, False, 0.0, None, 1)",
    ],
)
def test_what_numpy_refuses_is_refused(expression):
    function, names = function_of(expression)
    with pytest.raises(Exception) as plain:
        function(*arguments(names))
    with pytest.raises((plain.type, ValueError, TypeError, IndexError)):
        tg.vjp(function, *arguments(names))


@pytest.mark.parametrize(
    "write",
    [
        lambda x, out: np.sum(x, 0, out=out),
        lambda x, out: x.sum(axis=0, out=out),
        lambda x, out: np.mean(x, axis=0, out=out),
        lambda x, out: np.max(x, 0, out),
        lambda x, out: np.clip(x[0], -1.0, 1.0, out),
        lambda x, out: np.dot(np.ones(2), x, out=out),
        lambda x, out: np.concatenate([x[0, :1], x[1, 1:]], out=out),
        lambda x, out: np.take(x[0], np.array([0, 2, 1]), out=out),
    ],
)
def test_out(write):
    x = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]])
    expected = np.zeros(3)
    write(x, expected)

    def recorded(x):
        out = np.zeros_like(x[0])
        assert write(x, out) is out
        return np.sum(out * np.array([1.0, 2.0, 3.0]))

    tg.testing.check_grads(recorded, (x,), order=1)
    assert np.allclose(tg.value_and_grad(recorded)(x)[0], expected @ [1.0, 2.0, 3.0])
    with pytest.raises(tg.DetachedError, match=os.path.basename(__file__)):
        tg.grad(lambda x: np.sum(write(x, np.zeros(3))))(x)


def test_subclasses_of_ndarray_go_the_long_way():
    class Tagged(np.ndarray):
        pass

    constant = np.array([1.0, 2.0, 3.0]).view(Tagged)
    x = np.array([0.5, -1.0, 2.0])
    for f in (
        lambda x, c: np.where(np.array([True, False, True]), x, c),
        lambda x, c: np.concatenate([x, c]),
        lambda x, c: np.stack([c, x]),
        lambda x, c: np.dot(c, x),
        lambda x, c: np.clip(x, c, None),
        lambda x, c: x[(c > 1.5).view(Tagged)],
    ):
        value, _ = tg.vjp(lambda x: f(x, constant), x)
        np.testing.assert_array_equal(value, np.asarray(f(x, constant)))


def test_views_write_through():
    def f(x):
        y = x.copy()
        y.reshape(2, 2)[0, 1] = 10.0 * x[0]
        np.transpose(y.reshape(2, 2))[0, 1] = 3.0  # y[2]
        y.ravel()[3] = x[0] ** 2
        np.flip(y)[3] *= 2.0  # y[0]
        y.flatten()[1] = 99.0  # a copy
        return np.sum(y)

    value, (gradient,) = tg.value_and_grad(lambda x: f(x), (0,))(np.arange(1.0, 5.0))
    assert value == 2.0 + 10.0 + 3.0 + 1.0
    np.testing.assert_array_equal(gradient, [2.0 + 10.0 + 2.0, 0.0, 0.0, 0.0])


def test_a_constant_written_to_later_has_been_copied():
    def f(x):
        indices, mask, other = np.array([2, 0]), np.array([True, False, True]), np.ones(3)
        y = x[indices].sum() + x[mask].sum() + np.dot(x, other) + np.sum(np.where(mask, x, other))
        indices[:], mask[:], other[:] = 1, False, 7.0
        return y

    np.testing.assert_array_equal(tg.grad(f)(np.zeros(3)), [4.0, 1.0, 4.0])


def test_ended_recordings_are_refused():
    kept = []
    tg.grad(lambda x: kept.append(x) or np.sum(x))(np.ones(3))
    (x,) = kept
    np.testing.assert_array_equal(tg.stop_gradient(np.zeros_like(x)), np.zeros(3))
    for f in (np.mean, np.ravel, np.diff, np.linalg.norm, lambda x: x.reshape(3, 1)):
        with pytest.raises(tg.RecordingError, match="after its recording had ended"):
            f(x)


def test_functions_without_rule_say_so():
    with pytest.raises(tg.UnsupportedError, match=r"numpy\.packbits has no derivative rule"):
        tg.grad(lambda x: np.sum(np.packbits(x)))(np.ones(8))


def test_methods_have_signatures():
    assert str(inspect.signature(tg.Variable.reshape)) == "(self, /, *shape, order='C', copy=None)"
    assert tg.Variable.mean.__doc__ == "As numpy.ndarray.mean."


# einsum keeps its steps -------------------------------------------------------------------------


def test_einsum_plans_once_a_shape():
    from tapegrad.functions.einsum import steps

    steps.cache_clear()
    x = np.ones((3, 17))
    for subscripts in ("uv,v->u", [[0, 1], [1], [0]]):
        for n in (17, 17, 12):

            def f(x, n=n, subscripts=subscripts):
                if isinstance(subscripts, str):
                    return np.sum(np.einsum(subscripts, x[:, :n], np.ones(n)))
                first, second, last = subscripts
                return np.sum(np.einsum(x[:, :n], first, np.ones(n), second, last))

            np.testing.assert_array_equal(tg.grad(f)(x), np.arange(17) < n + 0 * x)
    assert steps.cache_info().misses == 4 and steps.cache_info().hits == 1
    assert steps("uv,v->u", ((3, 17), (17,)), False) == [("matmul", (0, 1), ())]


def test_einsum_diagonals():
    cube = np.arange(27.0).reshape(3, 3, 3) / 7.0
    for subscripts in ("iii->i", "iij->ij", "iji->j", "iii"):
        tg.testing.check_grads(lambda x, s=subscripts: np.einsum(s, x), (cube,), order=2)
        value, _ = tg.vjp(lambda x, s=subscripts: np.einsum(s, x), cube)
        np.testing.assert_allclose(value, np.einsum(subscripts, cube))
    with pytest.raises(ValueError, match=r"collapsing index 'i' don't match \(2 != 3\)"):
        tg.grad(lambda x: np.einsum("ii->", x))(np.ones((2, 3)))


# Programs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("expression", [e for e in SHORT if "np.float64" not in e])
def test_programs_replay_the_same(expression):
    function, names = function_of(expression)

    def f(*args):
        result = function(*args)
        parts = result if isinstance(result, tuple) else (result,)
        return sum(np.sum(np.sin(1.0 + part) ** 2) for part in parts)

    program = tg.function(f)
    argnums = tuple(range(len(names)))
    first = arguments(names)
    # Distinct numbers move apart, so that orders and extremes stay.
    for args in (first, first, tuple(x * 1.01 for x in first)):
        value, gradient = tg.value_and_grad(f, argnums)(*args)
        replayed, replayed_gradient = tg.value_and_grad(program, argnums)(*args)
        np.testing.assert_allclose(replayed, value, rtol=1e-12)
        for a, b in zip(replayed_gradient, gradient, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
