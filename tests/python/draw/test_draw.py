"""`tg.draw`: what is recorded is what is drawn, with values and adjoints."""

from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest

import tapegrad as tg


def circuit(x, y, z):
    return (x + y) * z


def by_name(drawing):
    return {n.name: n for n in drawing.graph.nodes if n.role == "input"}


def test_the_lectures_circuit():
    drawing = tg.draw(circuit, -2.0, 5.0, -4.0)
    inputs = by_name(drawing)
    assert [inputs[k].value for k in "xyz"] == ["-2", "5", "-4"]
    assert [inputs[k].adjoint for k in "xyz"] == ["-4", "-4", "3"]
    add, multiply = (n for n in drawing.graph.nodes if n.role != "input")
    assert (add.op, add.value, add.adjoint) == ("add", "3", "-4")
    assert (multiply.op, multiply.value, multiply.role) == ("multiply", "-12", "output")
    assert "<svg" in drawing._repr_svg_()
    assert "digraph" in drawing.dot()
    assert "-12" in str(drawing)


def test_arrays_have_shapes_and_dtypes():
    drawing = tg.draw(lambda w: np.sum(np.exp(w)), np.ones((2, 3), np.float32))
    exp = next(n for n in drawing.graph.nodes if n.op == "exp")
    assert exp.shape == (2, 3) and exp.dtype == "float32"
    assert "(2, 3)" in str(drawing)


def test_operands_come_before_their_users_and_constants_are_shown():
    drawing = tg.draw(lambda x: 3.0 * np.sin(x) ** 2 + 1.5, 0.5)
    seen = set()
    for node in drawing.graph.nodes:
        assert set(node.operands) <= seen
        seen.add(node.id)
    assert "1.5" in str(drawing)


def test_pytree_arguments_are_named_by_place():
    drawing = tg.draw(lambda p, s: p["w"] * s[0] + p["b"] * s[1], {"w": 2.0, "b": 3.0}, (4.0, 5.0))
    assert len(by_name(drawing)) == 4
    assert all(name.startswith(("p", "s")) for name in by_name(drawing))


def test_names_are_taken_where_a_signature_cannot_be_read():
    assert len(by_name(tg.draw(np.multiply, 2.0, 3.0))) == 2
    assert set(by_name(tg.draw(lambda *xs: xs[0] * xs[1], 2.0, 3.0))) == {"xs[0]", "xs[1]"}


def test_an_array_result_starts_from_ones():
    drawing = tg.draw(lambda x: x * np.array([2.0, 3.0]), np.ones(2))
    assert by_name(drawing)["x"].adjoint == "[2, 3]"


def test_several_results():
    drawing = tg.draw(lambda x: {"s": np.sin(x), "c": np.cos(x)}, 0.0)
    assert [n.role for n in drawing.graph.nodes].count("output") == 2
    assert by_name(drawing)["x"].adjoint == "1"


def test_an_argument_returned_as_it_is():
    drawing = tg.draw(lambda x: x, 3.0)
    (only,) = drawing.graph.nodes
    assert only.role == "input" and only.adjoint == "1"


def test_a_result_that_depends_on_nothing_says_so():
    drawing = tg.draw(lambda x: 4.0, 1.0)
    assert "does not depend" in str(drawing)
    assert "<svg" in drawing.svg(graphviz=False)


def test_a_long_loop_is_abbreviated():
    def loop(x):
        for _ in range(1000):
            x = np.sin(x) + 0.1
        return x

    drawing = tg.draw(loop, 0.5)
    assert len(drawing.graph.nodes) > 2000
    assert "nodes recorded" in str(drawing) and len(str(drawing).splitlines()) < 310


def test_an_error_in_the_function_leaves_no_recording_open():
    def fails(x):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        tg.draw(fails, 1.0)
    assert tg.grad(lambda x: x * x)(3.0) == 6.0


def test_arguments_that_cannot_be_recorded():
    with pytest.raises(TypeError):
        tg.draw(lambda x: x, "a string")


def test_drawing_what_a_derivative_records():
    drawing = tg.draw(tg.grad(lambda x: np.sin(x) * x), 0.7)
    assert float(drawing.graph.nodes[-1].value) == pytest.approx(
        np.cos(0.7) * 0.7 + np.sin(0.7), rel=1e-4
    )


def test_drawing_inside_a_derivative_shows_the_outer_value_as_a_constant():
    drawn = []

    def f(x):
        drawn.append(tg.draw(lambda y: y * x, x))
        return x * x

    assert tg.grad(f)(2.0) == 4.0
    product = drawn[0].graph.nodes[-1]
    assert (product.op, product.value) == ("multiply", "4")
    assert [n.value for n in drawn[0].graph.nodes if n.role == "constant"] == ["2"]


@pytest.mark.parametrize("module", ["draw", "draw.svg", "draw.dot", "draw.graph", "draw.layout"])
def test_examples_in_docstrings(module):
    assert doctest.testmod(importlib.import_module(f"tapegrad.{module}")).failed == 0
