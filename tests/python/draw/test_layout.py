"""The layered layout: nothing overlaps, edges run forward, positions are optimal where known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapegrad.draw.graph import Graph, Node
from tapegrad.draw.layout import layout, separate


def node(id: int, *operands: int, role: str = "operation") -> Node:
    return Node(id, "op", operands, (), "float64", "1", "1", role)  # type: ignore[arg-type]


def place(graph: Graph):
    return layout(graph, lambda n: (40.0 + 7 * (n.id % 5), 30.0))


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 40))
    nodes = []
    for i in range(count):
        some = draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else []
        nodes.append(node(i, *some))
    return Graph(tuple(nodes))


@given(graphs())
def test_boxes_do_not_overlap_and_fit_the_canvas(graph):
    plan = place(graph)
    boxes = list(plan.boxes.values())
    for i, a in enumerate(boxes):
        assert a.width / 2 <= a.x <= plan.width - a.width / 2
        assert a.height / 2 <= a.y <= plan.height - a.height / 2
        for b in boxes[i + 1 :]:
            apart_x = abs(a.x - b.x) >= (a.width + b.width) / 2 - 1e-6
            apart_y = abs(a.y - b.y) >= (a.height + b.height) / 2 - 1e-6
            assert apart_x or apart_y


@given(graphs())
def test_every_edge_has_a_route_that_runs_forward(graph):
    plan = place(graph)
    assert set(plan.routes) == {(k, n.id) for n in graph.nodes for k in n.operands}
    axis = 0 if plan.sideways else 1
    for route in plan.routes.values():
        assert all(a[axis] <= b[axis] + 1e-9 for a, b in pairwise(route))


@given(graphs())
def test_long_edges_pass_beside_boxes(graph):
    plan = place(graph)
    for (source, target), route in plan.routes.items():
        for x, y in route[1:-1]:
            for k, box in plan.boxes.items():
                inside_x = abs(x - box.x) < box.width / 2 - 1e-6
                inside_y = abs(y - box.y) < box.height / 2 - 1e-6
                assert not (inside_x and inside_y), (source, target, k)


def test_a_crossing_that_can_be_avoided_is():
    graph = Graph((node(0), node(1), node(2, 1), node(3, 0)))
    boxes = place(graph).boxes
    assert (boxes[0].y < boxes[1].y) == (boxes[3].y < boxes[2].y)


def test_deep_graphs_run_downwards_and_shallow_ones_sideways():
    chain = tuple(node(i, *([i - 1] if i else [])) for i in range(30))
    assert not place(Graph(chain)).sideways
    assert place(Graph(chain[:5])).sideways


def test_a_constant_sits_beside_its_first_use():
    chain = [node(i, *([i - 1] if i else [])) for i in range(6)]
    graph = Graph((*chain, node(6, role="constant"), node(7, 5, 6)))
    boxes = place(graph).boxes
    assert boxes[6].x == boxes[5].x


def test_no_nodes():
    assert layout(Graph(()), lambda n: (1.0, 1.0)).boxes == {}


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=12),
    st.data(),
)
def test_separate_is_the_projection(wish, data):
    gaps = data.draw(st.lists(st.floats(0.5, 20), min_size=len(wish) - 1, max_size=len(wish) - 1))
    got = np.array(separate(wish, gaps))
    assert np.all(np.diff(got) >= np.array(gaps) - 1e-9)
    # Optimality of a projection: no feasible point lies on the wish's side of it.
    offset = np.concatenate([[0.0], np.cumsum(gaps)])
    for other in (offset, offset + np.linspace(-5, 50, len(wish)), offset * 2 - 30):
        slack = np.dot(np.array(wish) - got, other - got)
        assert slack <= 1e-6 * (1 + np.abs(other).sum())


def test_separate_known():
    assert separate([0.0, 0.0, 9.0], [2.0, 2.0]) == pytest.approx([-1.0, 1.0, 9.0])
