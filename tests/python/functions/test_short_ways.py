"""The calls that the extension serves without Python, and those of the same functions that it hands
on: each gives NumPy's value and the derivatives of differences."""

from __future__ import annotations

import inspect
import os
import sys

import numpy as np
import pytest
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

# Plain forms: no Python function of the package runs.
SHORT = """
np.sum(x)
np.sum(x, 0)
np.sum(a, axis=(2, 0))
np.sum(x, axis=-1, keepdims=True)
np.sum(a=x, axis=None)
x.sum()
x.sum(axis=1)
x.sum(1, keepdims=True)
a.sum((0, -1))
np.prod(x, axis=0)
v.prod()
np.max(x)
np.max(x, axis=1)
x.max(0, keepdims=True)
np.min(a, axis=(0, 1))
x.min()
np.mean(x)
np.mean(a, 1)
np.mean(x, axis=(0, 1), keepdims=True)
x.mean()
x.mean(axis=-1)
np.linalg.norm(v)
np.linalg.norm(x)
np.linalg.norm(x.T)
np.where(MASK, x, y)
np.where(MASK, x, 0.0)
np.where(ROW, 1, x)
np.where(True, x, v)
np.clip(x, -1.0, 1)
np.clip(x, v, None)
np.clip(x, None, y)
np.clip(x, a_min=-1.0, a_max=1.0)
x.clip(-0.5)
x.clip(-0.5, 0.5)
x.astype(complex).real
x.astype("f8")
np.zeros_like(x) + x
np.ones_like(x) * x
np.full_like(x, 2.5) * x
np.dot(x, v)
np.dot(v, w)
np.dot(x, r)
np.dot(s, x)
v.dot(r)
np.inner(v, w)
np.vdot(v, w)
np.outer(u, v)
np.reshape(x, (2, 6))
np.reshape(x, (2, -1))
np.reshape(x, -1)
np.reshape(x, shape=(6, 2))
x.reshape(2, 6)
x.reshape((4, 3))
x.reshape([4, -1])
x.reshape(-1)
x.T.reshape(12)
t.reshape(())
np.transpose(x)
np.transpose(a, (2, 0, 1))
a.transpose()
a.transpose(1, 0, 2)
a.transpose((-1, 0, 1))
a.transpose(None)
np.swapaxes(a, 0, -1)
a.swapaxes(1, 2)
np.flip(x)
np.flip(x, 1)
np.expand_dims(x, 1)
np.expand_dims(x, axis=-1)
np.ravel(x)
x.ravel()
x.T.ravel()
x.flatten()
x.T.flatten()
np.squeeze(x[None, :, None])
x[:, None].squeeze()
np.roll(v, 1)
np.roll(v, -9)
np.roll(x, 2, 1)
np.roll(x, 1, axis=-1)
np.roll(a, (1, -2), axis=(0, 2))
np.roll(a, (1, 2), axis=(1, 1))
np.diff(v)
np.diff(a)
np.concatenate([v, w])
np.concatenate((x, y, x), axis=1)
np.concatenate([x, np.ones((2, 4))], -2)
np.stack([x, y])
np.stack((x, y, x), axis=1)
np.stack([x, y], -1)
np.stack([np.ones(4), v])
np.stack([np.ones(4), v], axis=1)
np.stack([s, s * 2.0])
np.hstack([v, w])
np.hstack([x, y])
np.vstack([v, w])
np.vstack([x, y])
np.take(v, I)
np.take(x, J - 3)
np.take(v, I, axis=0)
v.take(J)
x[MASK]
v[ROW]
v[J]
v[[2, 0, -1]]
x[np.array([2, -1, 0, 0])]
a[J - 1]
""".strip().splitlines()

# Other forms of the same functions.
LONG = """
np.sum(x, dtype=float)
np.sum(x, axis=0, initial=2.0)
np.sum(x, where=MASK)
x.sum(where=MASK)
np.max(x, initial=0.5)
x.max(axis=0, where=MASK, initial=-9.0)
np.prod(x, axis=np.int64(1))
np.mean(x, where=MASK)
np.mean(x, axis=0, keepdims=1)
x.mean(None, float)
np.mean(e, axis=1)
np.linalg.norm(x, axis=1)
np.linalg.norm(x, 1)
np.linalg.norm(v, ord=3)
np.where([True, False, True, True], x, y)
np.where(MASK.astype(int), x, y)
np.where(MASK, [s, 1.0, 2.0, s], y)
np.where(MASK, np.float64(2.0), x)
np.clip(x, min=-1.0, max=1.0)
np.clip(x, [-1.0, 0.0, 0.5, -2.0], 1.0)
np.clip(x, None, None)
x.clip(max=0.5)
np.dot([s, 2.0], r.T[:, :2].T[:2])
np.dot(a, r)
np.inner(a, x)
np.outer(x, y)
np.vdot(x, y)
np.reshape(x, (2, 6), order="F")
x.reshape((6, 2), order="F")
x.reshape(np.int64(12))
np.reshape(x, (6, 2), copy=True)
np.transpose(a, [2, 0, 1])
np.ravel(x, "F")
x.flatten("F")
np.squeeze(x[None], 0)
np.expand_dims(x, (0, 1))
np.flip(a, (0, 1))
np.roll(x, 3)
np.roll(v, (1, 2))
np.roll(x, 1, axis=(0, 1))
np.roll(x, (2, 1), axis=0)
np.diff(x, axis=0)
np.diff(v, n=2)
np.diff(v, prepend=s)
np.concatenate([x, [[s, 1.0, s, 2.0]]])
np.concatenate([x, y], axis=None)
np.concatenate([x, y], dtype=complex).real
np.stack([v, [1.0, 2.0, s, s]])
np.stack(x)
np.hstack([s, v])
np.vstack([s, s])
np.vstack([x, v])
np.take(x, I, axis=0)
np.take(x, [0, 3])
np.take(x, J + 9, mode="wrap")
x[:, I]
x[ROW[:3]]
x[J, 1]
v[ROW.tolist()]
""".strip().splitlines()


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
    [e for e in SHORT if not any(w in e for w in ("max", "min", "clip", "astype", "norm", "vdot"))],
)
def test_complex(expression):
    check_complex(expression)


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
    with pytest.raises(tg.UnsupportedError, match=r"numpy\.linalg\.eigvals has no derivative rule"):
        tg.grad(lambda x: np.sum(np.linalg.eigvals(x)))(np.eye(2))


def test_methods_have_signatures():
    assert str(inspect.signature(tg.Variable.reshape)) == "(self, /, *shape, order='C', copy=None)"
    assert tg.Variable.mean.__doc__ == "As numpy.ndarray.mean."


# einsum keeps its steps -------------------------------------------------------------------------


def test_einsum_plans_once_a_shape():
    from tapegrad.functions.einsum import _steps

    _steps.cache_clear()
    x = np.ones((3, 4))
    for n in (4, 4, 2):
        tg.grad(lambda x, n=n: np.sum(np.einsum("ij,j->i", x[:, :n], np.ones(n))))(x)
    assert _steps.cache_info().misses == 2
    assert _steps("ij,j->i", ((3, 4), (4,)), False) == [("matmul", (0, 1), ())]


def test_einsum_diagonals():
    cube = np.arange(27.0).reshape(3, 3, 3) / 7.0
    for subscripts in ("iii->i", "iij->ij", "iji->j", "iii"):
        tg.testing.check_grads(lambda x, s=subscripts: np.einsum(s, x), (cube,), order=2)
        value, _ = tg.vjp(lambda x, s=subscripts: np.einsum(s, x), cube)
        np.testing.assert_allclose(value, np.einsum(subscripts, cube))
    with pytest.raises(ValueError, match=r"collapsing index 'i' don't match \(2 != 3\)"):
        tg.grad(lambda x: np.einsum("ii->", x))(np.ones((2, 3)))
