"""The demo's pictures, one function each, in one palette; the only importer of matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve
from matplotlib.patheffects import withStroke

from tapegrad.demo.fit import Fit
from tapegrad.demo.lecture import FULL_DIFFERENCES, Accuracy, Cost, Neuron
from tapegrad.draw.card import ADJOINT, EDGE, FILLS, INK, VALUE, card
from tapegrad.draw.drawing import Drawing

SURFACE = LinearSegmentedColormap.from_list("surface", ["#fffdf6", "#e9e4d6", "#8c95a0"])
HALO = [withStroke(linewidth=4.0, foreground="white")]
BLUE, ORANGE, GREEN, GREY = "#2f6fb0", "#d9822b", "#1f7a54", "#8a97a3"
STYLE: Any = {
    "font.size": 11.0,
    "axes.titlesize": 12.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e8ec",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2.0,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "mathtext.fontset": "dejavusans",
}


@contextmanager
def _figure(path: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure in the common style, saved to `path` at the end."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        figure.savefig(path, metadata={"Software": "tapegrad"})


def convergence(path: Path, title: str, fits: Sequence[Fit]) -> None:
    """Distance of the loss from its minimum, by iteration and by time."""
    lowest = min(min(fit.path) for fit in fits)
    floor = 2e-16 * abs(lowest)  # what rounding leaves of a loss
    with _figure(path, 10, 4.4) as figure:
        by_iteration, by_time = figure.subplots(1, 2, sharey=True)
        marks = dict(zip([fit.solver for fit in fits], "osD", strict=True))
        for fit, colour in zip(fits, (BLUE, ORANGE, GREEN), strict=True):
            gap = np.maximum(np.array(fit.path) - lowest, floor)
            look = {"color": colour, "marker": marks[fit.solver], "markersize": 4.5}
            by_iteration.semilogy(range(len(gap)), gap, label=fit.solver, **look)
            by_time.semilogy(1e3 * np.array(fit.clock), gap, label=fit.solver, **look)
        by_iteration.set(xlabel="iteration", ylabel="loss above its minimum")
        by_time.set(xlabel="time, ms")
        by_iteration.set_title("Logistic loss with ridge, by iteration")
        by_time.set_title("and by time")
        by_iteration.set_ylim(floor / 3, None)
        by_iteration.legend(title="derivatives by tapegrad")
        figure.suptitle(title, x=0.01, ha="left", color=GREY, fontsize=10)


def differences(path: Path, measured: Accuracy) -> None:
    """The V of finite differences beside AD's error."""
    with _figure(path, 8, 4.8) as figure:
        axes = figure.subplots()
        axes.loglog(measured.steps, measured.forward, color=BLUE)
        axes.loglog(measured.steps, measured.central, color=ORANGE)
        axes.axhline(measured.automatic, color=GREEN)
        axes.invert_xaxis()
        axes.set_ylim(min(measured.automatic, 1e-16) / 8, 10)
        axes.set(xlabel="step size h  (smaller to the right)", ylabel="relative error")
        axes.set_title("Differences trade truncation for rounding; AD has neither")
        # The forward label fits inside its V, the central one below its own.
        for curve, name, colour, lift in (
            (measured.forward, "forward differences", BLUE, 2e3),
            (measured.central, "central differences", ORANGE, 1e-2),
        ):
            best = int(np.argmin(curve))
            axes.plot(measured.steps[best], curve[best], "o", color=colour, markersize=7)
            axes.text(
                measured.steps[best],
                curve[best] * lift,
                f"{name}\nbest {curve[best]:.0e} at h = {measured.steps[best]:.0e}",
                ha="center",
                va="center",
                color=colour,
                fontsize=10,
            )
        axes.text(
            measured.steps[-2],
            measured.automatic * 1.6,
            f"tapegrad: {measured.automatic:.0e}, no step to choose",
            color=GREEN,
            va="bottom",
            fontsize=10,
        )


def costs(path: Path, measured: Sequence[Cost]) -> None:
    """A gradient's cost in evaluations of the function, against the number of parameters."""
    size = np.array([c.size for c in measured])
    automatic = np.array([c.gradient / c.function for c in measured])
    scaled = np.array([c.timed < c.size for c in measured])
    by_steps = np.array([c.differences / c.function for c in measured])
    with _figure(path, 8, 4.8) as figure:
        axes = figure.subplots()
        axes.loglog(size, by_steps, color=ORANGE)
        axes.loglog(size[~scaled], by_steps[~scaled], "o", color=ORANGE, label="measured in full")
        axes.loglog(
            size[scaled],
            by_steps[scaled],
            "o",
            color=ORANGE,
            markerfacecolor="white",
            markeredgewidth=2,
            label=f"a few directions timed, scaled to n (n > {FULL_DIFFERENCES})",
        )
        axes.loglog(size, automatic, "o-", color=GREEN)
        axes.annotate(
            "forward differences: linear",
            (size[3], by_steps[3]),
            (10, -12),
            textcoords="offset points",
            color=ORANGE,
        )
        axes.annotate(
            f"tapegrad, reverse mode: flat, {automatic[-1]:.1f} at n = {size[-1]:,}",
            (size[-1], automatic[2:].max()),
            (0, 14),
            textcoords="offset points",
            ha="right",
            color=GREEN,
        )
        axes.set_ylim(0.7, None)
        axes.set(xlabel="parameters n", ylabel="gradient / function, time")
        axes.set_title("The price of a gradient, in function evaluations (Rosenbrock)")
        axes.legend(loc="upper left")


def circuit(path: Path, drawing: Drawing) -> None:
    """The graph of f = (x + y) z with values and adjoints, at the places of its own layout."""
    plan = drawing.layout()
    with _figure(path, max(5.0, plan.width / 70), max(2.6, plan.height / 70 + 0.8)) as figure:
        axes = figure.subplots()
        axes.set(xlim=(0, plan.width), ylim=(plan.height + 14, 0))
        axes.set_aspect("equal")
        axes.set_axis_off()
        for points in plan.routes.values():
            _arrow(axes, points, plan.sideways)
        for node in drawing.shown.nodes:
            _card(axes, plan.boxes[node.id], node)
        axes.set_title("f = (x + y) z at (-2, 5, -4)")
        axes.text(18, plan.height + 8, "value", color=VALUE, fontsize=10)
        axes.text(66, plan.height + 8, "adjoint df/dnode", color=ADJOINT, fontsize=10)


def _arrow(axes: Any, points: Sequence[tuple[float, float]], sideways: bool) -> None:
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x, y), (nx, ny) in pairwise(points):
        mx, my = (x + nx) / 2, (y + ny) / 2
        bend = [(mx, y), (mx, ny)] if sideways else [(x, my), (nx, my)]
        vertices += [*bend, (nx, ny)]
        codes += [Curve.CURVE4] * 3
    arrow = FancyArrowPatch(
        path=Curve(vertices, codes), arrowstyle="-|>", mutation_scale=13, color=EDGE, linewidth=1.6
    )
    axes.add_patch(arrow)


def _card(axes: Any, box: Any, node: Any) -> None:
    fill, stroke = FILLS[node.role]
    left, top, lines = box.x - box.width / 2, box.y - box.height / 2, card(node)
    axes.add_patch(
        FancyBboxPatch(
            (left, top),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=6",
            facecolor=fill,
            edgecolor=stroke,
            linewidth=1.5,
        )
    )
    for i, line in enumerate(lines):
        axes.text(
            box.x,
            top + box.height * (i + 0.55) / len(lines),
            line.text,
            color=line.colour,
            ha="center",
            va="center",
            family="monospace",
            fontsize=10.5,
            weight="bold" if line.bold else "normal",
        )


def neuron(path: Path, measured: Neuron) -> None:
    """The loss surface with the descents on it, the loss along them, and the fitted neuron."""
    colours = (BLUE, ORANGE, GREEN)
    with _figure(path, 13, 4.4) as figure:
        surface, descent, curve = figure.subplots(1, 3, width_ratios=(1.25, 1, 1))
        filled = surface.contourf(
            measured.ws, measured.bs, measured.surface, levels=24, cmap=SURFACE
        )
        figure.colorbar(filled, ax=surface, label="loss", shrink=0.9)
        surface.grid(False)
        line = np.linspace(measured.x.min() - 0.3, measured.x.max() + 0.3, 200)
        curve.plot(measured.x, measured.y, "|", color=GREY, markersize=9, alpha=0.5)
        # The fitted neurons may coincide: each is narrower than the one before, so all show.
        for track, colour, width in zip(measured.paths, colours, (6.5, 3.8, 1.6), strict=True):
            w, b, loss = track.T
            surface.plot(w, b, color=colour, path_effects=HALO)
            surface.plot(w[0], b[0], "o", color=colour, markersize=7, markeredgecolor="white")
            surface.plot(w[-1], b[-1], "*", color=colour, markersize=14, markeredgecolor="white")
            name = f"({w[0]:.0f}, {b[0]:.0f})"
            descent.semilogx(np.arange(1, len(loss) + 1), loss, color=colour, label=name)
            fitted = 1 / (1 + np.exp(-(w[-1] * line + b[-1])))
            curve.plot(line, fitted, color=colour, linewidth=width)
        surface.set(xlabel="weight w", ylabel="bias b")
        surface.set_title("Loss surface and descents")
        descent.set(xlabel="gradient step", ylabel="mean squared error", ylim=(0, None))
        descent.set_title("The plateau costs steps")
        descent.legend(title="start (w, b)")
        curve.set(xlabel=f"{measured.feature}, standardised", ylabel="label and s(w x + b)")
        curve.set_title("The fitted neuron")
