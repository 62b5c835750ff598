"""What a lecture on derivatives claims, measured: accuracy, cost, a circuit, a neuron."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

import tapegrad as tg
from tapegrad.demo.data import Array, Dataset
from tapegrad.demo.fit import logistic_loss

DIRECTIONS = 8
FULL_DIFFERENCES = 1000  # parameters up to which every direction is timed
TIMED_DIRECTIONS = 20
MOST_ROWS = 2000


def thinned(data: Dataset) -> Dataset:
    """At most MOST_ROWS rows, evenly spaced: enough for a claim about derivatives."""
    rows = np.unique(np.linspace(0, len(data.labels) - 1, MOST_ROWS).astype(int))
    return replace(data, features=data.features[rows], labels=data.labels[rows])


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Relative errors of directional derivatives, root mean square, at each step size.

    `automatic` is tapegrad's error, which has no step size.
    """

    steps: Array
    forward: Array
    central: Array
    automatic: float


def accuracy(data: Dataset) -> Accuracy:
    """Differences against the step size, and AD, beside a closed form in extended precision."""
    data = thinned(data)
    loss = logistic_loss(data.features, data.labels)
    rng = np.random.default_rng(7)
    w = 0.3 * rng.standard_normal(data.features.shape[1] + 1)
    directions = rng.standard_normal((DIRECTIONS, w.size))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    exact = directions @ closed_form_gradient(data, w)
    scale = float(np.sqrt(np.mean(exact**2)))

    def error(estimates: Any) -> float:
        gap = np.asarray(estimates) - exact
        return max(float(np.sqrt(np.mean(gap**2))) / scale, 1e-18)

    steps = np.logspace(-16, 0, 49)
    here = loss(w)
    ahead = [np.array([loss(w + h * v) for v in directions]) for h in steps]
    behind = [np.array([loss(w - h * v) for v in directions]) for h in steps]
    forward = [error((up - here) / h) for up, h in zip(ahead, steps, strict=True)]
    central = [
        error((up - down) / (2 * h)) for up, down, h in zip(ahead, behind, steps, strict=True)
    ]
    automatic = error(directions @ tg.grad(loss)(w))
    return Accuracy(steps, np.array(forward), np.array(central), automatic)


def closed_form_gradient(data: Dataset, w: Array) -> Any:
    """The loss's gradient by hand, X'(p - y) + w, in the longest floats NumPy has here."""
    x = data.features.astype(np.longdouble)
    y, weights = data.labels.astype(np.longdouble), w.astype(np.longdouble)
    residual = 1 / (1 + np.exp(-(x @ weights[:-1] + weights[-1]))) - y
    return np.append(residual @ x + weights[:-1], residual.sum())


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds for a function of `size` parameters, and for its gradient in two ways."""

    size: int
    function: float
    gradient: float
    differences: float
    timed: int  # directions timed for `differences`; fewer than `size` means scaled up


def rosenbrock(x: Array) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def cost(size: int) -> Cost:
    """Time Rosenbrock's function of `size` parameters and both kinds of gradient."""
    x = np.random.default_rng(size).standard_normal(size)
    function = seconds_per_call(lambda: rosenbrock(x))
    gradient = seconds_per_call(lambda: tg.grad(rosenbrock)(x))
    timed = size if size <= FULL_DIFFERENCES else TIMED_DIRECTIONS
    some = seconds_per_call(lambda: forward_differences(rosenbrock, x, timed))
    return Cost(size, function, gradient, some * size / timed, timed)


def forward_differences(f: Callable[[Array], Any], x: Array, count: int) -> Array:
    """The first `count` partial derivatives by forward differences, one evaluation each."""
    moved, here = x.copy(), f(x)
    partials = np.empty(count)
    for i in range(count):
        h = 1.5e-8 * max(1.0, abs(x[i]))
        moved[i] += h
        partials[i] = (f(moved) - here) / h
        moved[i] = x[i]
    return partials


def seconds_per_call(call: Callable[[], Any], budget: float = 0.12) -> float:
    """The time of one call, the least over batches, within about `budget` seconds."""
    begin = perf_counter()
    call()
    once = max(perf_counter() - begin, 1e-7)
    batch = max(1, int(budget / 7 / once))
    times = []
    for _ in range(7 if once < budget else 3):
        begin = perf_counter()
        for _ in range(batch):
            call()
        times.append((perf_counter() - begin) / batch)
    return min(times)


def circuit(x: Any, y: Any, z: Any) -> Any:
    """The lecture's first example; at (-2, 5, -4) it is -12 with gradient (-4, -4, 3)."""
    return (x + y) * z


CIRCUIT_AT = (-2.0, 5.0, -4.0)


@dataclass(frozen=True, slots=True)
class Neuron:
    """A logistic neuron s(w x + b) fitted to 0/1 labels by least squares, from several starts.

    `paths[k]` holds the rows (w, b, loss) of one descent; `surface[i, j]` is the loss at
    (ws[j], bs[i]).
    """

    feature: str
    x: Array
    y: Array
    paths: tuple[Array, ...]
    ws: Array
    bs: Array
    surface: Array


def neuron(data: Dataset, steps: int = 2000, rate: float = 4.0) -> Neuron:
    """Gradient descent on the feature that follows the label best."""
    column, sign = _best_feature(data)
    some = thinned(data)
    x, y = some.features[:, column], some.labels

    def loss(p: Array) -> Any:
        return np.mean((1.0 / (1.0 + np.exp(-(p[0] * x + p[1]))) - y) ** 2)

    value_and_grad = tg.value_and_grad(loss)
    starts = ((0.0, 0.0), (6.0 * sign, 7.0), (-4.0 * sign, -6.0))
    paths = []
    for start in starts:
        p, rows_of = np.array(start), []
        for _ in range(steps):
            value, slope = value_and_grad(p)
            rows_of.append((*p, float(value)))
            p = p - rate * slope
        paths.append(np.array(rows_of))
    ws, bs = _window([path[:, 0] for path in paths]), _window([path[:, 1] for path in paths])
    surface = np.array([[loss(np.array([w, b])) for w in ws] for b in bs])
    return Neuron(data.names[column], x, y, tuple(paths), ws, bs, surface)


def _best_feature(data: Dataset) -> tuple[int, float]:
    """The column most correlated with the label, and the correlation's sign."""
    correlation = data.features.T @ (data.labels - data.labels.mean())
    column = int(np.argmax(np.abs(correlation)))
    return column, 1.0 if correlation[column] >= 0 else -1.0


def _window(tracks: list[Array], points: int = 61) -> Array:
    low, high = min(t.min() for t in tracks), max(t.max() for t in tracks)
    pad = 0.15 * (high - low) + 0.5
    return np.linspace(low - pad, high + pad, points)
