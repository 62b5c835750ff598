"""A graph as DOT text, for graphviz and for whatever else reads it."""

from __future__ import annotations

from tapegrad.draw.card import EDGE, FILLS, INK, card, printable, sentence
from tapegrad.draw.graph import Graph, Node
from tapegrad.draw.layout import DEEPEST_SIDEWAYS


def dot(graph: Graph) -> str:
    """The digraph of `graph`, one statement a line, nodes in recorded order."""
    direction = "LR" if graph.depth() < DEEPEST_SIDEWAYS else "TB"
    lines = [
        "digraph tapegrad {",
        f"  rankdir={direction};",
        f'  node [shape=box, style="rounded,filled", fontname="monospace", fontcolor="{INK}"];',
        f'  edge [color="{EDGE}"];',
    ]
    if graph.note:
        lines.append(f"  label={quoted(graph.note)};")
    lines += [_node(node) for node in graph.nodes]
    lines += [
        f"  n{source} -> n{node.id};"
        for node in graph.nodes
        for source in dict.fromkeys(node.operands)
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _node(node: Node) -> str:
    fill, stroke = FILLS[node.role]
    texts = [line.text for line in card(node)]
    if node.adjoint and node.role != "constant":
        texts[-1] = f"adjoint {texts[-1]}"
    return (
        f"  n{node.id} [label={quoted(*texts)}, tooltip={quoted(sentence(node))}, "
        f'fillcolor="{fill}", color="{stroke}"];'
    )


def quoted(*lines: str) -> str:
    r"""A double-quoted DOT string whose `lines` are centred.

    >>> print(quoted('say "a"', "b"))
    "say \"a\"\nb"
    """
    plain = (" ".join(printable(line).splitlines()) for line in lines)
    return '"' + "\\n".join(s.replace("\\", "\\\\").replace('"', '\\"') for s in plain) + '"'
