"""A recording as plain data: the nodes left on the tape, with values and adjoints as short text.

Made by record.py; everything else in this folder reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

MOST_NODES = 300
Role = Literal["input", "constant", "operation", "output", "elided"]


@dataclass(frozen=True, slots=True)
class Node:
    """One recorded node. `value` and `adjoint` are short texts, "" where there is none.

    `line` is the user's file and line, in drawings of programs.
    """

    id: int
    op: str
    operands: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str
    value: str
    adjoint: str
    role: Role
    name: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes, operands before their users, and a note on what was left out, if anything."""

    nodes: tuple[Node, ...]
    note: str = ""

    def is_program(self) -> bool:
        """Whether nodes have lines in place of values and adjoints."""
        return any(node.line for node in self.nodes)

    def depth(self) -> int:
        """The number of edges on the longest path."""
        level: dict[int, int] = {}
        for node in self.nodes:
            level[node.id] = 1 + max((level[k] for k in node.operands), default=-1)
        return max(level.values(), default=0)


def abbreviated(graph: Graph, most: int = MOST_NODES) -> Graph:
    """`graph` itself, or its first and last nodes around one that stands for those left out."""
    count = len(graph.nodes)
    if count <= most:
        return graph
    head = most // 2
    tail = count - (most - head) + 1
    hidden = {node.id for node in graph.nodes[head:tail]}
    gap = graph.nodes[head].id
    shown = [*graph.nodes[:head]]
    reads = (k for node in graph.nodes[head:tail] for k in node.operands if k not in hidden)
    label = f"{len(hidden)} nodes not shown"
    into = tuple(dict.fromkeys(reads))
    shown.append(Node(gap, "elided", into, (), "", "", "", "elided", label))
    for node in graph.nodes[tail:]:
        operands = tuple(gap if k in hidden else k for k in node.operands)
        shown.append(replace(node, operands=operands))
    note = f"{count} nodes recorded, {most - 1} shown: {len(hidden)} in the middle are left out"
    return Graph(tuple(shown), note)


def short(value: Any) -> str:
    """A value in a few characters: a number, a small array in full, a large one by its ends.

    >>> short(-12.0), short([1.0, 2.5]), short(range(9))
    ('-12', '[1, 2.5]', '[0, 1, ... 8]')
    """
    array = np.asarray(value)
    if array.ndim == 0:
        return _number(array[()])
    flat = array.ravel()
    if flat.size <= 4:
        return "[" + ", ".join(_number(x) for x in flat) + "]"
    return f"[{_number(flat[0])}, {_number(flat[1])}, ... {_number(flat[-1])}]"


def _number(x: Any) -> str:
    return f"{x:.5g}" if isinstance(x, (float, complex, np.inexact)) else str(x)
