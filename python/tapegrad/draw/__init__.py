"""Drawing a recording: `tg.draw(f, *args)`, whose result shows itself as SVG, DOT and text.

Imported with the package, so what draws is imported only when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapegrad.draw.drawing import Drawing

__all__ = ["draw"]


def draw(f: Callable[..., Any], *args: Any) -> Drawing:
    """Record `f(*args)` and return its graph, each node with op, shape, value and adjoint.

    Arguments are numbers, arrays or pytrees of them, as for `tg.grad`. Adjoints are those of a
    scalar result; for an array they start from ones, so they belong to the sum of its elements.
    The tape drops arrays that no derivative reads; the text says "released" in their place.
    The result has `_repr_svg_()` for Jupyter, `svg()`, `dot()` and `str()`; graphs of more than 300
    nodes are abbreviated in all of them, with a note.

    >>> import tapegrad as tg
    >>> drawing = tg.draw(lambda x, y, z: (x + y) * z, -2.0, 5.0, -4.0)
    >>> [(node.op, node.value, node.adjoint) for node in drawing.graph.nodes]
    [('input', '-2', '-4'), ('input', '5', '-4'), ('input', '-4', '3'), ('add', '3', '-4'), \
('multiply', '-12', '1')]
    """
    from tapegrad.draw.drawing import Drawing
    from tapegrad.draw.record import graph_of

    return Drawing(graph_of(f, args))
