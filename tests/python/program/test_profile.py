"""Profiles: every step is timed, and all the time is shared out to ops and lines."""

import numpy as np
import pytest

import tapegrad as tg


def f(x):
    y = np.sin(x)
    z = y @ (y * np.ones((x.size, x.size)))
    return np.sum(np.exp(-z))


@pytest.mark.parametrize("kind", ["value", "gradient", "pullback", "pushforward", "hvp", "hessian"])
def test_times_add_up(kind):
    found = tg.function(f).profile(np.linspace(0, 1, 20), kind=kind, repeats=3)
    assert found.kind == kind and found.repeats == 3 and found.total > 0
    for rows in (found.by_op, found.by_line, found.steps):
        assert sum(row.seconds for row in rows) == pytest.approx(found.total)
        assert all(row.nodes >= 1 and row.seconds >= 0 for row in rows)
    seconds = [row.seconds for row in found.by_line]
    assert seconds == sorted(seconds, reverse=True)


def test_lines_are_the_users():
    found = tg.function(f).profile(np.linspace(0, 1, 20), kind="gradient", repeats=1)
    ops = {row.name for row in found.by_op}
    assert {"sin", "cos", "exp", "matmul"} <= ops
    lines = " ".join(row.name for row in found.by_line)
    assert "test_profile.py:10  y = np.sin(x)" in lines
    assert "return np.sum(np.exp(-z))" in lines


def test_the_table_says_it():
    P = tg.record(f, np.linspace(0, 1, 20))
    text = str(P.profile(np.linspace(0, 1, 20)))
    assert text.startswith("value: ") and "share" in text and "matmul" in text
    assert "fastest of" in text and "%" in text


def test_a_long_table_is_cut():
    def g(x):
        for k in range(1, 40):
            x = np.cumsum(x, axis=k % 2) * k
        return x

    text = str(tg.function(g).profile(np.ones((3, 3)), repeats=2))
    assert "more" in text


def test_errors_of_kinds():
    F = tg.function(lambda x: x * 2)
    with pytest.raises(ValueError, match="kind must be one of value, gradient"):
        F.profile(np.ones(3), kind="gradients")
    with pytest.raises(ValueError, match="a gradient is that of a function of one real number"):
        F.profile(np.ones(3), kind="gradient")


def test_stats_by_kind():
    F = tg.function(f)
    x = np.linspace(0, 1, 20)
    F(x), F.grad(x), F.hvp(x, x)
    kinds = F.stats()["programs"]
    assert set(kinds) >= {"value", "gradient", "hvp"}
    assert kinds["gradient"]["programs"] == 1 and kinds["gradient"]["steps"] >= 1


def test_listings_before_and_after():
    F = tg.function(lambda x: np.sum(np.sin(x) * 2.0 + np.sin(x)) if x[0] > 0 else 0.0)
    with pytest.raises(ValueError, match="has not been called yet"):
        F.listing()
    F(np.ones(4))
    before, after = F.listing(optimised=False), F.listing()
    assert before.count("= sin") == 2 and after.count("= sin") < 4
    assert "# test_profile.py:" in before and "guard" in before and "is True" in before
    assert "loop over (4,)" in after and "= sin r0" in after and "workspace of" in after
    assert F.listing("gradient", optimised=False).count("cos") >= 2
    assert F.listing() == tg_again(F)


def tg_again(F):
    G = tg.function(F.traces.f)
    G(np.ones(4))
    return G.listing()


def test_drawings():
    F = tg.function(lambda x: np.sum(x * 2.0))
    F(np.ones(4))
    drawing = F.draw()
    assert "<svg" in drawing._repr_svg_() and "digraph" in drawing.dot()
    text = str(drawing)
    assert "%0    input 0 " in text and "sum (output)" in text and "test_profile.py:" in text
    assert "released" not in text
    assert "multiply" in str(F.draw("gradient"))
    assert "<svg" in F.draw("gradient").svg(graphviz=False)
