"""What a node's card says and in which colours: one place for svg, dot and the demo's pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tapegrad.draw.graph import Node

INK = "#22303c"
PAPER = "#ffffff"
EDGE = "#8a97a3"
VALUE = "#1f7a54"
ADJOINT = "#bf3b31"
# role -> (fill, stroke)
FILLS = {
    "input": ("#e4effa", "#2f6fb0"),
    "constant": ("#f3f5f7", "#b9c2cb"),
    "operation": ("#ffffff", "#5c6b78"),
    "output": ("#fdf1dc", "#c9821a"),
    "elided": ("#f3f5f7", "#8a97a3"),
}

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def printable(text: str) -> str:
    """`text` with a `?` for each character that XML, and so SVG, cannot hold."""
    return _NOT_XML.sub("?", text)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a card: its text and colour; the title is bold."""

    text: str
    colour: str
    bold: bool = False


def card(node: Node) -> list[Line]:
    """The lines of `node`, top to bottom: title, shape (arrays only), value, adjoint."""
    if node.role == "constant":
        lines = [Line(node.value or node.op, INK)]
    else:
        lines = [Line(node.name or node.op, INK, bold=True)]
    if node.role == "elided":
        return lines
    if node.shape or node.dtype != "float64":
        lines.append(Line(f"{node.dtype} {shape_text(node.shape)}", EDGE))
    if node.value and node.role != "constant":
        lines.append(Line(node.value, VALUE))
    if node.adjoint:
        lines.append(Line(node.adjoint, ADJOINT))
    return lines


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as NumPy writes it: `()`, `(3,)`, `(2, 3)`."""
    return str(tuple(shape))


def sentence(node: Node) -> str:
    """The node in one line, operands in order: `%2 = multiply(%0, %1)`; what a tooltip shows."""
    operands = ", ".join(f"%{k}" for k in node.operands)
    said = f"%{node.id} = {node.op}({operands})" if node.operands else f"%{node.id} = {node.op}"
    facts = [f"{node.dtype} {shape_text(node.shape)}"] if node.dtype else []
    facts += [f"value {node.value}"] if node.value else []
    facts += [f"adjoint {node.adjoint}"] if node.adjoint else []
    facts += [node.line] if node.line else []
    return said + "".join(f"; {fact}" for fact in facts)
