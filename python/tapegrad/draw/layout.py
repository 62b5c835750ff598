"""A layered (Sugiyama) layout: longest-path layers, barycentre ordering, least-squares positions.

Called by Drawing for the SVG that needs no other program, and by whoever paints a graph otherwise.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tapegrad.draw.graph import Graph, Node

Point = tuple[float, float]
Size = tuple[float, float]

LAYER_GAP = 46.0
NODE_GAP = 18.0
LANE = 8.0  # room kept for an edge that passes a layer
DEEPEST_SIDEWAYS = 10  # deeper graphs run from top to bottom
ORDERING_SWEEPS = 12
SPREADING_SWEEPS = 24


@dataclass(frozen=True, slots=True)
class Box:
    """A node's rectangle: its centre and its size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything goes: boxes by node id, and for each edge the points it passes."""

    width: float
    height: float
    sideways: bool
    boxes: dict[int, Box]
    routes: dict[tuple[int, int], tuple[Point, ...]]


# A vertex is a node id, or (source, layer): the bend of every edge of `source` that passes `layer`.
Vertex = int | tuple[int, int]


@dataclass(slots=True)
class _Ranks:
    """The layered graph while it is being worked on."""

    layers: list[list[Vertex]]
    before: dict[Vertex, list[Vertex]]
    after: dict[Vertex, list[Vertex]]


def layout(graph: Graph, size: Callable[[Node], Size]) -> Layout:
    """Place `graph`, whose nodes take `size(node)` pixels: left to right if shallow, else down."""
    if not graph.nodes:
        return Layout(2 * NODE_GAP, 2 * NODE_GAP, True, {}, {})
    layer_of = _longest_path(graph.nodes)
    sideways = max(layer_of.values()) < DEEPEST_SIDEWAYS
    sizes = {node.id: size(node) for node in graph.nodes}
    # From here on "along" runs with the layers and "across" within one.
    along = {k: wh[0] if sideways else wh[1] for k, wh in sizes.items()}
    across = {k: wh[1] if sideways else wh[0] for k, wh in sizes.items()}
    ranks = _rank(graph.nodes, layer_of)
    _order(ranks)
    place = _spread(ranks, across)
    return _assemble(graph, layer_of, sizes, place, _bands(ranks, along), sideways)


def _longest_path(nodes: Sequence[Node]) -> dict[int, int]:
    """The layer of each node; constants sit just before their first use."""
    layer: dict[int, int] = {}
    for node in nodes:
        layer[node.id] = 1 + max((layer[k] for k in node.operands), default=-1)
    first_use: dict[int, int] = {}
    for node in nodes:
        for k in node.operands:
            first_use[k] = min(first_use.get(k, layer[node.id]), layer[node.id])
    for node in nodes:
        if node.role == "constant" and node.id in first_use:
            layer[node.id] = first_use[node.id] - 1
    return layer


def _rank(nodes: Sequence[Node], layer_of: dict[int, int]) -> _Ranks:
    """Vertices by layer, with one shared chain of bends for all the long edges of a node."""
    layers: list[list[Vertex]] = [[] for _ in range(max(layer_of.values()) + 1)]
    before: dict[Vertex, list[Vertex]] = {}
    after: dict[Vertex, list[Vertex]] = {}

    def add(vertex: Vertex, at: int) -> None:
        layers[at].append(vertex)
        before[vertex], after[vertex] = [], []

    for node in nodes:
        add(node.id, layer_of[node.id])
    for node in nodes:
        for source in dict.fromkeys(node.operands):
            tail: Vertex = source
            for at in range(layer_of[source] + 1, layer_of[node.id]):
                bend = (source, at)
                if bend not in before:
                    add(bend, at)
                    after[tail].append(bend)
                    before[bend].append(tail)
                tail = bend
            after[tail].append(node.id)
            before[node.id].append(tail)
    return _Ranks(layers, before, after)


def _order(ranks: _Ranks) -> None:
    """Sort each layer by its neighbours' barycentres, there and back; the best order stays."""
    best, fewest = [list(layer) for layer in ranks.layers], _crossings(ranks)
    last = len(ranks.layers) - 1
    for sweep in range(ORDERING_SWEEPS):
        if fewest == 0:
            break
        if sweep % 2 == 0:
            for at in range(1, last + 1):
                _sort_by_barycentre(ranks.layers[at], ranks.layers[at - 1], ranks.before)
        else:
            for at in range(last - 1, -1, -1):
                _sort_by_barycentre(ranks.layers[at], ranks.layers[at + 1], ranks.after)
        crossings = _crossings(ranks)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in ranks.layers], crossings
    ranks.layers = best


def _sort_by_barycentre(
    layer: list[Vertex], fixed: list[Vertex], neighbours: dict[Vertex, list[Vertex]]
) -> None:
    at = {vertex: i for i, vertex in enumerate(fixed)}
    own = {vertex: float(i) for i, vertex in enumerate(layer)}

    def barycentre(vertex: Vertex) -> float:
        around = neighbours[vertex]
        return sum(at[k] for k in around) / len(around) if around else own[vertex]

    layer.sort(key=barycentre)


def _crossings(ranks: _Ranks) -> int:
    """How many pairs of edges between adjacent layers cross."""
    total = 0
    for upper, lower in pairwise(ranks.layers):
        at = {vertex: i for i, vertex in enumerate(lower)}
        seen: list[int] = []
        for vertex in upper:
            ends = sorted(at[k] for k in ranks.after[vertex])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _spread(ranks: _Ranks, across: dict[int, float]) -> dict[Vertex, float]:
    """Positions within layers: each vertex near the mean of its neighbours, none overlapping."""
    place: dict[Vertex, float] = {}

    def room(vertex: Vertex) -> float:
        return across[vertex] if isinstance(vertex, int) else LANE

    for layer in ranks.layers:
        edge = 0.0
        for vertex in layer:
            place[vertex] = edge + room(vertex) / 2
            edge += room(vertex) + NODE_GAP
    for sweep in range(SPREADING_SWEEPS):
        for layer in ranks.layers if sweep % 2 == 0 else reversed(ranks.layers):
            wish = []
            for vertex in layer:
                around = ranks.before[vertex] + ranks.after[vertex]
                mean = sum(place[k] for k in around) / len(around) if around else place[vertex]
                wish.append(mean)
            gaps = [(room(a) + room(b)) / 2 + NODE_GAP for a, b in pairwise(layer)]
            place.update(zip(layer, separate(wish, gaps), strict=True))
    low = min(place[v] - room(v) / 2 for v in place)
    return {vertex: position - low for vertex, position in place.items()}


def separate(wish: Sequence[float], gaps: Sequence[float]) -> list[float]:
    """The positions p nearest to `wish` in least squares with p[i+1] - p[i] >= gaps[i].

    With the gaps subtracted this is isotonic regression; adjacent violators are pooled.

    >>> separate([0.0, 0.0, 9.0], [2.0, 2.0])
    [-1.0, 1.0, 9.0]
    """
    offset = [0.0]
    for gap in gaps:
        offset.append(offset[-1] + gap)
    blocks: list[tuple[float, int]] = []  # (sum of wishes, how many)
    for target, shift in zip(wish, offset, strict=False):
        total, count = target - shift, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            earlier, more = blocks.pop()
            total, count = total + earlier, count + more
        blocks.append((total, count))
    level = [total / count for total, count in blocks for _ in range(count)]
    return [base + shift for base, shift in zip(level, offset, strict=False)]


@dataclass(frozen=True, slots=True)
class _Band:
    """The strip of one layer: where it begins and ends along the layers' direction."""

    begin: float
    end: float


def _bands(ranks: _Ranks, along: dict[int, float]) -> list[_Band]:
    bands, edge = [], NODE_GAP
    for layer in ranks.layers:
        thick = max((along[v] for v in layer if isinstance(v, int)), default=0.0)
        bands.append(_Band(edge, edge + thick))
        edge += thick + LAYER_GAP
    return bands


def _assemble(
    graph: Graph,
    layer_of: dict[int, int],
    sizes: dict[int, Size],
    place: dict[Vertex, float],
    bands: list[_Band],
    sideways: bool,
) -> Layout:
    """Turn (along, across) into (x, y), and string the edges."""

    def point(along: float, across: float) -> Point:
        return (along, across + NODE_GAP) if sideways else (across + NODE_GAP, along)

    boxes, half = {}, {}
    for k, (width, height) in sizes.items():
        band = bands[layer_of[k]]
        boxes[k] = Box(*point((band.begin + band.end) / 2, place[k]), width, height)
        half[k] = (width if sideways else height) / 2
    routes = {}
    for node in graph.nodes:
        for source in node.operands:
            first, last = bands[layer_of[source]], bands[layer_of[node.id]]
            start = point((first.begin + first.end) / 2 + half[source], place[source])
            stop = point((last.begin + last.end) / 2 - half[node.id], place[node.id])
            bends = [
                point(along, place[source, at])
                for at in range(layer_of[source] + 1, layer_of[node.id])
                for along in (bands[at].begin, bands[at].end)
            ]
            routes[source, node.id] = (start, *bends, stop)
    reach = [place[k] + (h if sideways else w) / 2 for k, (w, h) in sizes.items()]
    corner = point(bands[-1].end + NODE_GAP, max(*reach, *place.values()) + NODE_GAP)
    return Layout(*corner, sideways, boxes, routes)
