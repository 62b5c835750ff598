"""The result of `tg.draw`: one recorded graph that shows itself as SVG, DOT or text."""

from __future__ import annotations

from dataclasses import dataclass

from tapegrad.draw.dot import dot
from tapegrad.draw.graph import Graph, abbreviated
from tapegrad.draw.layout import Layout, layout
from tapegrad.draw.svg import by_graphviz, card_size, paint
from tapegrad.draw.text import text


@dataclass(frozen=True, slots=True)
class Drawing:
    """A recorded graph. In Jupyter it shows as a picture; `print` shows a table.

    `graph` holds the nodes as plain data; large ones are abbreviated when shown, and say so.
    """

    graph: Graph

    @property
    def shown(self) -> Graph:
        """What the renderers draw: `graph`, abbreviated where it is large."""
        return abbreviated(self.graph)

    def layout(self) -> Layout:
        """Boxes and edge routes in pixels for `shown`, without any other program."""
        return layout(self.shown, card_size)

    def svg(self, *, graphviz: bool = True) -> str:
        """The picture as SVG text, laid out by graphviz's `dot` where that program is installed.

        `graphviz=False` always takes tapegrad's own layout.
        """
        made = by_graphviz(self.dot()) if graphviz else None
        return made if made is not None else paint(self.shown, self.layout())

    def dot(self) -> str:
        """The graph in the DOT language."""
        return dot(self.shown)

    def _repr_svg_(self) -> str:
        return self.svg()

    def __str__(self) -> str:
        return text(self.shown)
