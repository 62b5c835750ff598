"""What the demo writes to a terminal: a progress bar, tables, and times in readable units."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TextIO


class UserFault(Exception):
    """What the user can mend; its text is the one line they see, and the exit status is 2."""


class Progress:
    """A bar on standard error, drawn only where that is a terminal.

    `step(label)` says what begins now; `say(text)` prints to standard output above the bar.
    """

    def __init__(self, steps: int, stream: TextIO | None = None) -> None:
        self._steps = steps
        self._done = -1
        self._label = ""
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()

    def step(self, label: str) -> None:
        self._done += 1
        self._label = label
        self._draw()

    def say(self, text: str = "") -> None:
        self.clear()
        print(text, flush=True)
        self._draw()

    def clear(self) -> None:
        if self._live:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def finish(self) -> None:
        self._done = self._steps
        self.clear()
        self._live = False

    def _draw(self) -> None:
        if not self._live or self._done < 0:
            return
        room = max(10, min(30, shutil.get_terminal_size().columns - 40))
        full = min(room, room * self._done // self._steps)
        percent = 100 * self._done // self._steps
        bar = "#" * full + "-" * (room - full)
        self._stream.write(f"\r\x1b[2K[{bar}] {percent:3d}%  {self._label[:28]}")
        self._stream.flush()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """An aligned table: the first `left` columns to the left, the others to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]

    def line(cells: Sequence[str]) -> str:
        sides = [str.ljust] * left + [str.rjust] * (len(widths) - left)
        padded = (side(c, w) for side, c, w in zip(sides, cells, widths, strict=True))
        return ("  " + "  ".join(padded)).rstrip()

    return "\n".join([line(head), line(["-" * w for w in widths]), *map(line, rows)])


def heading(text: str) -> str:
    return f"\n{text}\n{'=' * len(text)}"


def duration(seconds: float) -> str:
    """Seconds in the unit that suits.

    >>> duration(4.2e-6), duration(0.0123), duration(5.0), duration(7200.0)
    ('4.2 us', '12.3 ms', '5.00 s', '2.0 h')
    """
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 120:
        return f"{seconds:.2f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
