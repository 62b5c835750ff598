"""`tg.trace_report`: counts, bytes and lines of the ops of a call."""

import numpy as np
import pytest

import tapegrad as tg


def here(code):
    """The line of this file with this code."""
    with open(__file__) as file:
        return next(k for k, line in enumerate(file, 1) if code in line)


def model(x, y, steps):
    a = np.sin(x) * y  # first
    for _ in range(steps):
        a = a @ a  # a loop
    return np.sum(a**2)


X = np.ones((10, 10))


def rows_of(report, code):
    return {row.op: row for row in report.rows if row.line == here(code)}


def test_ops_are_counted_by_line():
    report = tg.trace_report(model, X, X, 3)
    first, loop = rows_of(report, "# first"), rows_of(report, "# a loop")
    assert first["sin"].value.count == first["multiply"].value.count == 1
    assert first["cos"].value.count == 0 and first["cos"].reverse.count == 1
    assert loop["matmul"].value.count == 3 and loop["matmul"].reverse.count == 6
    assert loop["matmul"].value.nbytes == 3 * 800
    assert all(row.file == __file__ for row in report.rows)
    assert report.value.count == 2 + 3 + 2
    assert report.value.seconds > 0 and report.reverse.seconds > 0
    assert report.value.nbytes == 6 * 800 + 8


def test_what_is_shown():
    report = tg.trace_report(model, X, X, 2, repeats=1)
    text = str(report)
    assert text.startswith("model; value: 6 ops")
    assert f"test_report.py:{here('# a loop')}" in text and "a = a @ a" in text
    assert text.count("a = a @ a") == 1  # the code once, however many ops it has
    page = report._repr_html_()
    assert page.count("<tr>") == len(report.rows) + 1 and "a @ a" in page
    assert "&lt;lambda&gt;" in tg.trace_report(lambda x: x < x, X)._repr_html_()


def test_lines_are_sorted_by_time():
    report = tg.trace_report(model, X, X, 3)
    seconds: dict[int, float] = {}
    for row in report.rows:
        spent = row.value.seconds + row.reverse.seconds
        seconds[row.line] = seconds.get(row.line, 0.0) + spent
    assert list(seconds) == sorted(seconds, key=lambda line: -seconds[line])


def test_containers_keywords_and_no_derivative():
    report = tg.trace_report(lambda p, *, shift: {"y": p["w"] * shift}, {"w": X}, shift=2.0)
    assert [(row.op, row.value.count) for row in report.rows if row.value.count] == [
        ("multiply", 1)
    ]
    report = tg.trace_report(lambda x: np.argmax(x), X)
    assert report.reverse.count == 0 and report.value.count >= 1
    assert tg.trace_report(lambda: 1.0).rows == []


def test_errors():
    with pytest.raises(TypeError, match="trace_report: expected a function"):
        tg.trace_report(3.0, X)
