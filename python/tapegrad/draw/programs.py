"""The nodes of a program as a graph: without values, because those differ at each call."""

from __future__ import annotations

import os
from itertools import count

from tapegrad import _core
from tapegrad.draw.graph import Graph, Node, Role, short


def graph_of_recording(recording: _core.Recording) -> Graph:
    """The graph of a recording that is not open; guards are in its note."""
    inputs, outputs, guards = recording.ends()
    numbers = recording.numbers()
    rows = recording.rows()
    extra = count(len(rows))  # scalar constants come as nodes for each use
    names = {node: f"input {k}" for k, node in enumerate(inputs)}
    nodes: list[Node] = []

    def constant(number: float) -> int:
        made = next(extra)
        nodes.append(Node(made, "constant", (), (), "float64", short(number), "", "constant"))
        return made

    for k, (op, operands, _, shape, dtype, value, (file, line)) in enumerate(rows):
        role: Role = "output" if k in outputs else "operation"
        if op == "constant":
            role = "constant"
        elif op == "input":
            role = "input"
        reads = tuple(o if o >= 0 else constant(numbers[-o - 1]) for o in operands)
        said = "" if value is None else short(value)
        at = f"{os.path.basename(file)}:{line}" if file else "no line"
        nodes.append(Node(k, op, reads, shape, dtype, said, "", role, names.get(k, ""), at))
    note = f"{len(guards)} guards" if guards else ""
    return Graph(tuple(nodes), note)
