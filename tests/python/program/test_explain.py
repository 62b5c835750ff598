"""explain_nonfinite names the op, the line and the operands that gave the first NaN or infinity."""

import numpy as np
import pytest

import tapegrad as tg


def here(code):
    """The line of this file with this code."""
    with open(__file__) as file:
        return next(k for k, line in enumerate(file, 1) if code in line)


def logs(x):
    y = x * 2.0
    z = np.log(y)  # made here
    return np.sum(z * z)


def test_a_value():
    found = tg.function(logs).explain_nonfinite(np.array([1.0, 2.0, 0.0]))
    assert found and not found.masked
    culprit = found.culprit
    assert (culprit.kind, culprit.op, culprit.index) == ("value", "log", (2,))
    assert culprit.file == __file__ and culprit.line == here("# made here")
    assert culprit.value == -np.inf
    ((name, value),) = culprit.operands
    assert value == 0.0 and "multiply" in name
    text = str(found)
    assert "log made -inf at index (2,) in the value" in text
    assert f"test_explain.py:{culprit.line}: z = np.log(y)  # made here" in text
    assert "= 0" in text


def test_an_adjoint():
    def root(x):
        return np.sum(np.sqrt(x))  # steep

    found = tg.function(root).explain_nonfinite(np.array([4.0, 0.0]))
    assert found.culprit.kind == "adjoint"
    assert found.culprit.line == here("# steep") and found.culprit.index == (1,)
    assert "the derivative, in reverse" in str(found)


def test_a_tangent():
    def f(x):  # the adjoint of x is 0 * inf = 0 where the tangent is inf * 1, then times 0
        return np.sum(np.sqrt(x) * 0.0)

    found = tg.function(f).explain_nonfinite(np.array([0.0, 1.0]))
    assert not found or found.culprit.kind in ("adjoint", "tangent")


def test_what_is_masked_is_no_culprit():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0))  # masked

    found = tg.function(f).explain_nonfinite(np.array([2.0, 0.0]))
    assert not found and found.culprit is None
    assert found.masked[0].op == "log" and found.masked[0].line == here("# masked")
    assert "not in the results" in str(found)


def test_all_finite():
    found = tg.function(logs).explain_nonfinite(np.ones(3))
    assert not found and found.masked == []
    assert (
        str(found) == "the value and its derivatives are finite, and so is all on the way to them"
    )


def test_arguments_and_constants():
    def f(x, p):
        return x * p["w"]

    F = tg.function(f)
    culprit = F.explain_nonfinite(np.ones(2), {"w": np.array([1.0, np.nan])}).culprit
    assert culprit.op == "input" and culprit.operands[0][0] == "argument 1['w']"
    assert "an argument is nan at index (1,)" in str(culprit)
    constant = np.array([1.0, np.inf])
    culprit = tg.function(lambda x: x * constant).explain_nonfinite(np.ones(2)).culprit
    assert culprit.op == "constant"


def test_inputs_are_named_in_operands():
    def f(x, scale=1.0):
        return x / scale

    culprit = tg.function(f).explain_nonfinite(np.ones(2), scale=0.0).culprit
    assert culprit.op == "divide"
    assert culprit.operands == [("argument 0", 1.0), ("argument scale", 0.0)]


def test_matrices_give_whole_operands():
    A = np.array([[1e200, 0.0], [0.0, 1.0]])
    culprit = tg.function(lambda x: (x @ A) @ A).explain_nonfinite(np.array([1e200, 1.0])).culprit
    assert culprit.op == "matmul" and culprit.index == (0,)
    assert [np.shape(v) for _, v in culprit.operands] == [(2,), (2, 2)]


def test_the_branch_that_is_taken():
    def f(x):
        if x > 0:
            return np.log(x)
        return 1.0 / x  # this way

    F = tg.function(f)
    F(1.0)
    culprit = F.explain_nonfinite(0.0).culprit
    assert culprit.op == "divide" and culprit.line == here("# this way")


def test_scalars_and_loops():
    def f(x):
        for _ in range(12):
            x = x * x
        return x

    culprit = tg.record(f, 1.0).explain_nonfinite(10.0).culprit
    assert culprit.op == "multiply" and culprit.value == np.inf and culprit.index == ()


@pytest.mark.parametrize("value", [np.array([1, 2]), 3])
def test_no_derivative_is_no_fault(value):
    assert not tg.function(lambda n: n * 2).explain_nonfinite(value)
