"""The main job: one plain NumPy loss, fitted by three SciPy methods with tapegrad's derivatives."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import minimize

import tapegrad as tg
from tapegrad.demo.data import Array, Dataset


def logistic_loss(features: Array, labels: Array) -> Callable[[Array], Any]:
    """Logistic loss with a ridge on the weights, as a function of (weights..., intercept).

    It is what scikit-learn's `LogisticRegression(C=1)` minimises: the intercept is free.
    """

    def loss(w: Array) -> Any:
        margin = features @ w[:-1] + w[-1]
        return np.sum(np.logaddexp(0.0, margin) - labels * margin) + 0.5 * np.sum(w[:-1] ** 2)

    return loss


@dataclass(slots=True)
class Counted:
    """A function that counts its calls."""

    function: Callable[..., Any]
    calls: int = 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.function(*args)


@dataclass(frozen=True, slots=True)
class Fit:
    """One solver's run; `path` has the loss, and `clock` the seconds gone, after each iteration."""

    solver: str
    derivatives: str
    weights: Array
    loss: float
    iterations: int
    gradients: int
    curvatures: int
    seconds: float
    path: tuple[float, ...] = ()
    clock: tuple[float, ...] = ()
    complaint: str = ""


# method -> (what it reads, SciPy's name for the second-order argument)
METHODS: dict[str, tuple[str, str | None]] = {
    "L-BFGS-B": ("gradient", None),
    "Newton-CG": ("gradient, H @ v", "hessp"),
    "trust-exact": ("gradient, Hessian", "hess"),
}


def _tolerances(method: str, rows: int) -> dict[str, float]:
    """Tight options for `method`; the gradient of a sum over rows grows with the rows."""
    if method == "L-BFGS-B":
        return {"ftol": 1e-15, "gtol": 1e-9 * rows, "maxiter": 5000, "maxfun": 20000}
    return {"xtol": 1e-6} if method == "Newton-CG" else {"gtol": 1e-8 * rows}


def fit(data: Dataset, method: str) -> Fit:
    """Minimise the loss from zero, every derivative from tapegrad."""
    loss = logistic_loss(data.features, data.labels)
    derivatives, second = METHODS[method]
    first = Counted(tg.value_and_grad(loss))
    curvature = Counted(tg.hvp(loss) if second == "hessp" else tg.hessian(loss))
    start = np.zeros(data.features.shape[1] + 1)
    # What only the first call costs is nobody's iteration.
    first.function(start)
    curvature.function(*([start, start] if second == "hessp" else [start]))
    points, clock = [start], [0.0]

    def visit(w: Array) -> None:
        points.append(np.array(w))
        clock.append(perf_counter() - begin)

    begin = perf_counter()
    found = minimize(
        first,
        start,
        jac=True,
        method=method,
        callback=visit,
        options=_tolerances(method, len(data.labels)),
        **({second: curvature} if second else {}),
    )
    seconds = perf_counter() - begin
    return Fit(
        solver=method,
        derivatives=derivatives,
        weights=found.x,
        loss=float(found.fun),
        iterations=int(found.nit),
        gradients=first.calls,
        curvatures=curvature.calls,
        seconds=seconds,
        path=tuple(float(loss(w)) for w in points),
        clock=tuple(clock),
        complaint=""
        if found.success
        else str(found.message).splitlines()[0].removeprefix("Warning: "),
    )


def reference(data: Dataset) -> Fit:
    """scikit-learn's solution of the same problem, to a tight tolerance."""
    model = importlib.import_module("sklearn.linear_model").LogisticRegression(
        C=1.0, tol=1e-12, max_iter=1000, solver="newton-cholesky"
    )
    begin = perf_counter()
    with warnings.catch_warnings():
        # Its line search warns when rounding, not the tolerance, ends the last iteration.
        warnings.simplefilter("ignore")
        model.fit(data.features, data.labels)
    seconds = perf_counter() - begin
    weights = np.append(model.coef_[0], model.intercept_)
    return Fit(
        solver="scikit-learn",
        derivatives="its own",
        weights=weights,
        loss=float(logistic_loss(data.features, data.labels)(weights)),
        iterations=int(model.n_iter_[0]),
        gradients=0,
        curvatures=0,
        seconds=seconds,
    )


def disagreement(fitted: Fit, other: Fit) -> float:
    """The largest difference of a weight, relative to the largest weight."""
    scale = max(float(np.abs(other.weights).max()), 1e-300)
    return float(np.abs(fitted.weights - other.weights).max()) / scale
