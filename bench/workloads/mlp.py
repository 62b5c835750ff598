"""A 64-128-128-10 perceptron, tanh and cross-entropy, batch of `size`: matrix products dominate."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

LAYERS = (64, 128, 128, 10)


def _logits(np: Any, params: tuple[Any, ...], x: Any) -> Any:
    w1, b1, w2, b2, w3, b3 = params
    return np.tanh(np.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3


def function(np: Any, *args: Any) -> Any:
    *params, x, labels = args
    z = _logits(np, tuple(params), x)
    top = np.max(z, axis=1, keepdims=True)
    log_sum = np.log(np.sum(np.exp(z - top), axis=1)) + top[:, 0]
    return np.sum(log_sum - np.sum(labels * z, axis=1)) / len(x)


def function_torch(torch: Any, *args: Any) -> Any:
    *params, x, labels = args
    z = _logits(torch, tuple(params), x)
    return torch.nn.functional.cross_entropy(z, labels)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(3)
    params: list[Any] = []
    for rows, columns in pairwise(LAYERS):
        params += [
            rng.standard_normal((rows, columns)) / rows**0.5,
            0.1 * rng.standard_normal(columns),
        ]
    labels = numpy.eye(LAYERS[-1])[rng.integers(LAYERS[-1], size=size)]
    return Instance(params=tuple(params), data=(rng.standard_normal((size, LAYERS[0])), labels))


def gradient(*args: Any) -> tuple[Any, ...]:
    w1, b1, w2, b2, w3, b3, x, labels = args
    h1 = numpy.tanh(x @ w1 + b1)
    h2 = numpy.tanh(h1 @ w2 + b2)
    z = h2 @ w3 + b3
    weights = numpy.exp(z - z.real.max(axis=1, keepdims=True))
    d3 = (weights / weights.sum(axis=1, keepdims=True) - labels) / len(x)
    d2 = (d3 @ w3.T) * (1.0 - h2**2)
    d1 = (d2 @ w2.T) * (1.0 - h1**2)
    return (x.T @ d1, d1.sum(0), h1.T @ d2, d2.sum(0), h2.T @ d3, d3.sum(0))


MLP = Workload(
    "mlp",
    "MLP 64-128-128-10",
    function,
    make,
    gradient,
    small=4,
    variants={"torch": function_torch},
)
