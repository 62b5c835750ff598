"""SVG, DOT and text of a graph: well-formed, escaped, abbreviated, with graphviz or without."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from tapegrad.draw.dot import dot, quoted
from tapegrad.draw.drawing import Drawing
from tapegrad.draw.graph import MOST_NODES, Graph, Node, abbreviated, short
from tapegrad.draw.svg import xml

HOSTILE = "<&>\"'\\\x00\x1b\ud800 é ]]>"
SVG = "{http://www.w3.org/2000/svg}"


def circuit() -> Graph:
    return Graph(
        (
            Node(0, "input", (), (), "float64", "-2", "-4", "input", "x"),
            Node(1, "input", (), (), "float64", "5", "-4", "input", "y"),
            Node(2, "input", (), (), "float64", "-4", "3", "input", "z"),
            Node(3, "add", (0, 1), (), "float64", "3", "-4", "operation"),
            Node(4, "multiply", (3, 2), (), "float64", "-12", "1", "output"),
        )
    )


def hostile() -> Graph:
    return Graph(
        (
            Node(0, HOSTILE, (), (2,), HOSTILE, HOSTILE, HOSTILE, "input", HOSTILE),
            Node(1, HOSTILE, (0, 0), (), "float64", "1", "", "output"),
        ),
        note=HOSTILE,
    )


def chain(count: int) -> Graph:
    nodes = [Node(0, "input", (), (), "float64", "0", "1", "input", "x")]
    for i in range(1, count):
        nodes.append(Node(i, "sin", (i - 1,), (), "float64", str(i), "1", "operation"))
    return Graph(tuple(nodes))


def texts(svg: str) -> list[str]:
    return [t.text or "" for t in ET.fromstring(svg).iter(f"{SVG}text")]


def test_svg_says_op_value_and_adjoint_of_every_node():
    said = texts(Drawing(circuit()).svg(graphviz=False))
    for word in ("x", "y", "z", "add", "multiply", "-2", "5", "3", "-12", "1"):
        assert word in said
    assert said.count("-4") == 4


def test_svg_has_an_arrow_for_each_edge():
    root = ET.fromstring(Drawing(circuit()).svg(graphviz=False))
    assert len([p for p in root.iter(f"{SVG}path") if "marker-end" in p.attrib]) == 4


@pytest.mark.parametrize("graph", [circuit(), hostile(), chain(40), chain(1000), Graph(())])
def test_svg_is_well_formed(graph):
    ET.fromstring(Drawing(graph).svg(graphviz=False))


def test_xml_escapes_and_drops_what_xml_cannot_hold():
    assert xml("<&>\"'") == "&lt;&amp;&gt;&quot;&#x27;"
    assert xml("a\x00\x1b\ud800b\ufffe") == "a???b?"


def test_without_graphviz_the_own_layout_serves(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "tapegrad-tip" in Drawing(circuit())._repr_svg_()


def test_a_graphviz_that_fails_is_replaced(monkeypatch):
    def fails(*args, **kwargs):
        raise subprocess.CalledProcessError(1, "dot")

    monkeypatch.setattr(shutil, "which", lambda name: "/somewhere/dot")
    monkeypatch.setattr(subprocess, "run", fails)
    assert "tapegrad-tip" in Drawing(circuit())._repr_svg_()


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
@pytest.mark.parametrize("graph", [circuit(), hostile(), chain(1000)])
def test_with_graphviz(graph):
    svg = Drawing(graph)._repr_svg_()
    assert svg.startswith("<svg") and "tapegrad-tip" not in svg
    ET.fromstring(svg)


def test_dot_has_nodes_and_edges():
    source = dot(circuit())
    assert source.startswith("digraph tapegrad {") and source.endswith("}\n")
    for edge in ("n0 -> n3", "n1 -> n3", "n2 -> n4", "n3 -> n4"):
        assert edge in source
    assert "adjoint -4" in source and "-12" in source


def test_dot_strings_cannot_be_left():
    assert quoted('a"b\\') == '"a\\"b\\\\"'
    assert quoted("a\nb", "c") == '"a b\\nc"'


def test_text_is_a_table_in_recorded_order():
    lines = str(Drawing(circuit())).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["%0", "%1", "%2", "%3", "%4"]
    assert lines[-1].split() == [
        "%4", "multiply", "(output)", "%3,", "%2", "float64", "()", "-12", "1",
    ]  # fmt: skip


def test_text_shows_constants_where_they_are_used():
    graph = Graph(
        (
            Node(0, "input", (), (), "float64", "3", "6", "input", "x"),
            Node(2, "constant", (), (), "float64", "2", "", "constant"),
            Node(1, "power", (0, 2), (), "float64", "9", "1", "output"),
        )
    )
    shown = str(Drawing(graph))
    assert "%0, 2" in shown and "constant" not in shown


def test_a_value_that_was_released_is_said_to_be():
    graph = Graph((Node(0, "add", (), (3,), "float64", "", "", "output"),))
    assert "released" in str(Drawing(graph))


@pytest.mark.parametrize("count", [MOST_NODES, MOST_NODES + 1, 5000])
def test_large_graphs_are_abbreviated_and_say_so(count):
    drawing = Drawing(chain(count))
    shown = drawing.shown
    assert len(shown.nodes) <= MOST_NODES
    if count <= MOST_NODES:
        assert shown is drawing.graph and not shown.note
        return
    assert f"{count} nodes recorded" in str(drawing)
    for rendered in (drawing.svg(graphviz=False), drawing.dot()):
        assert f"{count} nodes recorded" in rendered and "nodes not shown" in rendered
    assert shown.nodes[0].id == 0 and shown.nodes[-1].id == count - 1
    ids = set()
    for node in shown.nodes:
        assert set(node.operands) <= ids
        ids.add(node.id)


def test_abbreviation_keeps_the_first_and_the_last_and_counts_the_rest():
    shown = abbreviated(chain(100), most=10)
    assert len(shown.nodes) == 10
    assert [n.role for n in shown.nodes].count("elided") == 1
    assert "91 in the middle" in shown.note


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-12.0, "-12"),
        (1 / 3, "0.33333"),
        (1e-300, "1e-300"),
        (float("nan"), "nan"),
        (True, "True"),
        (7, "7"),
        (1 + 2j, "1+2j"),
        ([], "[]"),
        ([1.0, 2.5], "[1, 2.5]"),
        (range(9), "[0, 1, ... 8]"),
    ],
)
def test_short(value, text):
    assert short(value) == text
