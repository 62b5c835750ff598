"""The progress bar, tables and units of the demo."""

from __future__ import annotations

import doctest
import io

import pytest

from tapegrad.demo import terminal
from tapegrad.demo.terminal import Progress, duration, table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_fills_and_leaves_nothing_behind(capsys):
    stream = Terminal()
    progress = Progress(2, stream)
    progress.step("first")
    progress.say("words")
    progress.step("second")
    progress.finish()
    written = stream.getvalue()
    assert "  0%  first" in written and " 50%  second" in written
    assert written.endswith("\r\x1b[2K")
    assert capsys.readouterr().out == "words\n"


def test_no_bar_where_there_is_no_terminal(capsys):
    stream = io.StringIO()
    progress = Progress(2, stream)
    progress.step("first")
    progress.say("words")
    progress.finish()
    assert stream.getvalue() == "" and capsys.readouterr().out == "words\n"


def test_table_aligns():
    assert table(("name", "n"), [("a", "100"), ("long", "1")]).splitlines() == [
        "  name    n",
        "  ----  ---",
        "  a     100",
        "  long    1",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(4.2e-6, "4.2 us"), (0.0123, "12.3 ms"), (5.0, "5.00 s"), (600, "10.0 min"), (9e3, "2.5 h")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_examples_in_docstrings():
    assert doctest.testmod(terminal).failed == 0
