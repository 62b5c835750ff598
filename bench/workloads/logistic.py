"""Ridge logistic regression, `size` samples, 60 features: two matrix-vector products a gradient."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

FEATURES = 60
RIDGE = 1e-3


def function(np: Any, w: Any, x: Any, y: Any) -> Any:
    z = x @ w
    return np.sum(np.logaddexp(0.0, z) - y * z) / len(y) + 0.5 * RIDGE * (w @ w)


def function_torch(torch: Any, w: Any, x: Any, y: Any) -> Any:
    z = x @ w
    return torch.sum(torch.nn.functional.softplus(z) - y * z) / len(y) + 0.5 * RIDGE * (w @ w)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(2)
    x = rng.standard_normal((size, FEATURES))
    y = (rng.uniform(size=size) < 0.5).astype(float)
    return Instance(params=(0.1 * rng.standard_normal(FEATURES),), data=(x, y))


def gradient(w: Any, x: Any, y: Any) -> tuple[Any, ...]:
    probability = 1.0 / (1.0 + numpy.exp(-(x @ w)))
    return (x.T @ (probability - y) / len(y) + RIDGE * w,)


LOGISTIC = Workload(
    "logistic",
    "logistic regression",
    function,
    make,
    gradient,
    small=50,  # enough for the first product to load BLAS before memory is measured
    variants={"torch": function_torch},
)
