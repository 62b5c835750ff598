"""The demo's findings as text for a terminal, one function for each part."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from tapegrad.demo.data import Dataset
from tapegrad.demo.fit import Fit, disagreement
from tapegrad.demo.lecture import Accuracy, Cost, Neuron
from tapegrad.demo.terminal import duration, heading, table
from tapegrad.draw.drawing import Drawing


def data(read: Dataset) -> str:
    rows, columns = read.features.shape
    plural = "" if columns == 1 else "s"
    ones = read.labels.mean()
    return f"{read.title}: {rows} rows, {columns} feature{plural}, {ones:.1%} labelled 1"


def fits(found: Sequence[Fit], known: Fit) -> str:
    """One row a solver, scikit-learn's own solution last."""
    head = ("solver", "uses", "steps", "gradients", "2nd order", "time", "final loss", "differs")
    rows = [
        (
            f.solver + (" *" if f.complaint else ""),
            f.derivatives,
            str(f.iterations),
            str(f.gradients) if f.gradients else "-",
            str(f.curvatures) if f.curvatures else "-",
            duration(f.seconds),
            f"{f.loss:.9f}",
            f"{disagreement(f, known):.0e}" if f is not known else "-",
        )
        for f in (*found, known)
    ]
    worst = max(disagreement(f, known) for f in found)
    digits = floor(-log10(max(worst, 1e-16)))
    return "\n".join(
        [
            heading("Logistic loss with ridge: one NumPy function, derivatives by tapegrad"),
            table(head, rows, left=2),
            "  gradients, 2nd order: how often tapegrad was called for each",
            f"  differs: from scikit-learn's weights, over the largest: {digits} digits agree",
            *(f"  * {f.solver} says: {f.complaint}" for f in found if f.complaint),
        ]
    )


def accuracy(measured: Accuracy) -> str:
    rows = []
    for name, curve in (("forward", measured.forward), ("central", measured.central)):
        best = int(curve.argmin())
        rows.append((f"{name} differences", f"{curve[best]:.0e}", f"{measured.steps[best]:.0e}"))
    rows.append(("tapegrad", f"{measured.automatic:.0e}", "none"))
    return "\n".join(
        [
            heading("Accuracy of a derivative of that loss"),
            table(("method", "least relative error", "at step"), rows),
        ]
    )


def costs(measured: Sequence[Cost]) -> str:
    head = ("parameters", "function", "tapegrad", "ratio", "differences", "ratio")
    rows = [
        (
            f"{c.size:,}",
            duration(c.function),
            duration(c.gradient),
            f"{c.gradient / c.function:.1f}",
            duration(c.differences) + (" *" if c.timed < c.size else "  "),
            f"{c.differences / c.function:,.0f}",
        )
        for c in measured
    ]
    return "\n".join(
        [
            heading("Cost of a gradient (Rosenbrock): flat in reverse mode, linear by differences"),
            table(head, rows),
            f"  * estimated, not run in full: {measured[-1].timed} directions timed, scaled to n",
        ]
    )


def circuit(drawing: Drawing, gradient: Sequence[float]) -> str:
    return "\n".join(
        [
            heading("The circuit f = (x + y) z at (-2, 5, -4)"),
            *("  " + line for line in str(drawing).splitlines()),
            f"  gradient: ({', '.join(f'{float(g):g}' for g in gradient)})",
        ]
    )


def neuron(measured: Neuron) -> str:
    rows = [
        (
            f"({path[0, 0]:g}, {path[0, 1]:g})",
            f"{path[0, 2]:.4f}",
            f"({path[-1, 0]:.3f}, {path[-1, 1]:.3f})",
            f"{path[-1, 2]:.4f}",
        )
        for path in measured.paths
    ]
    steps = len(measured.paths[0])
    return "\n".join(
        [
            heading(f"A logistic neuron on '{measured.feature}', least squares, {steps} steps"),
            table(("start (w, b)", "loss", "end (w, b)", "loss"), rows),
        ]
    )
