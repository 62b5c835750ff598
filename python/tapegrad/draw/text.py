"""A graph as a table of plain text; what `print(tg.draw(f, x))` and `print(P.draw())` show."""

from __future__ import annotations

from tapegrad.draw.card import shape_text
from tapegrad.draw.graph import Graph, Node

HEAD = ("node", "op", "operands", "dtype", "shape")


def text(graph: Graph) -> str:
    """One row a node in recorded order; scalar constants appear where they are used."""
    constants = {
        node.id: node.value
        for node in graph.nodes
        if node.role == "constant" and node.value and not node.shape
    }
    program = graph.is_program()
    rows: list[tuple[str, ...]] = [(*HEAD, "line") if program else (*HEAD, "value", "adjoint")]
    rows += [_row(node, constants, program) for node in graph.nodes if node.id not in constants]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * w for w in widths))
    if graph.note:
        lines.append(graph.note)
    return "\n".join(lines)


def _row(node: Node, constants: dict[int, str], program: bool) -> tuple[str, ...]:
    if node.role == "elided":
        return ("...", node.name) + ("",) * (4 if program else 5)
    operands = ", ".join(constants.get(k, f"%{k}") for k in node.operands)
    op = node.name if node.name.startswith(node.op) else f"{node.op} {node.name}".rstrip()
    marked = f"{op} (output)" if node.role == "output" else op
    facts = (f"%{node.id}", marked, operands, node.dtype, shape_text(node.shape))
    if program:
        return (*facts, node.line)
    return (*facts, node.value or "released", node.adjoint or "-")
