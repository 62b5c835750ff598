"""A graph as SVG: painted from our own layout, or by graphviz's `dot` where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from html import escape

from tapegrad.draw.card import ADJOINT, EDGE, FILLS, INK, PAPER, VALUE, card, printable, sentence
from tapegrad.draw.graph import Graph, Node
from tapegrad.draw.layout import Box, Layout, Point, Size

FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
CHAR, ROW, PAD = 7.3, 17.0, 8.0  # of a 12 px monospaced letter
LEGEND = 26.0
GRAPHVIZ_SECONDS = 10


def xml(text: str) -> str:
    """`text` as XML character data or attribute value; what XML cannot hold becomes `?`.

    >>> xml('a<b & "c"')
    'a&lt;b &amp; &quot;c&quot;'
    """
    return escape(printable(text), quote=True)


def card_size(node: Node) -> Size:
    """Width and height of a node's card in pixels."""
    lines = card(node)
    return max(len(line.text) for line in lines) * CHAR + 2 * PAD, len(lines) * ROW + PAD


def paint(graph: Graph, layout: Layout) -> str:
    """The SVG of `graph` at the places of `layout`."""
    caption = _caption(graph)
    width = max(layout.width, len(caption) * CHAR + 2 * PAD, 220.0)
    height = layout.height + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" font-family="{FONT}" font-size="12">',
        f'<rect width="100%" height="100%" fill="{PAPER}"/>',
        '<defs><marker id="tapegrad-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{EDGE}"/></marker></defs>',
    ]
    parts += [_edge(route, layout.sideways) for route in layout.routes.values()]
    parts += [_node(node, layout.boxes[node.id]) for node in graph.nodes]
    parts += [_legend(caption, layout.height + 8.0), "</svg>"]
    return "\n".join(parts)


def _caption(graph: Graph) -> str:
    legend = "" if graph.is_program() else "value  adjoint"
    return legend + (f"  {graph.note}" if graph.note else "")


def _legend(caption: str, y: float) -> str:
    if not caption.startswith("value"):
        return f'<text x="{PAD}" y="{y}" fill="{INK}">{xml(caption.strip())}</text>'
    value, adjoint, rest = caption[:5], caption[7:14], caption[16:]
    return (
        f'<text x="{PAD}" y="{y}" xml:space="preserve"><tspan fill="{VALUE}">{value}</tspan>  '
        f'<tspan fill="{ADJOINT}">{adjoint}</tspan>  <tspan fill="{INK}">{xml(rest)}</tspan></text>'
    )


def _edge(points: tuple[Point, ...], sideways: bool) -> str:
    """A smooth curve through `points`, along the layers' direction at each of them."""
    x, y = points[0]
    path = [f"M{x:.1f} {y:.1f}"]
    for nx, ny in points[1:]:
        mx, my = (x + nx) / 2, (y + ny) / 2
        bend = (mx, y, mx, ny) if sideways else (x, my, nx, my)
        path.append(f"C{bend[0]:.1f} {bend[1]:.1f} {bend[2]:.1f} {bend[3]:.1f} {nx:.1f} {ny:.1f}")
        x, y = nx, ny
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{EDGE}" stroke-width="1.3" '
        'marker-end="url(#tapegrad-tip)"/>'
    )


def _node(node: Node, box: Box) -> str:
    fill, stroke = FILLS[node.role]
    left, top = box.x - box.width / 2, box.y - box.height / 2
    dashes = ' stroke-dasharray="4 3"' if node.role == "elided" else ""
    parts = [
        f"<g><title>{xml(sentence(node))}</title>",
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="6" fill="{fill}" stroke="{stroke}"{dashes}/>',
    ]
    for i, line in enumerate(card(node)):
        weight = ' font-weight="bold"' if line.bold else ""
        parts.append(
            f'<text x="{box.x:.1f}" y="{top + PAD / 2 + ROW * (i + 0.72):.1f}" '
            f'text-anchor="middle" fill="{line.colour}"{weight}>{xml(line.text)}</text>'
        )
    return "".join(parts) + "</g>"


def by_graphviz(source: str) -> str | None:
    """The `<svg>` that graphviz makes of DOT text; None where `dot` is absent, fails or is slow."""
    program = shutil.which("dot")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input=source.encode(),
            capture_output=True,
            timeout=GRAPHVIZ_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    text = done.stdout.decode(errors="replace")
    start = text.find("<svg")
    return text[start:] if start >= 0 else None
