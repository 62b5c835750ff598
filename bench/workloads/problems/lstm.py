"""A language model: one LSTM layer over `size` characters, cross-entropy of the next one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

HIDDEN, LETTERS = 32, 14


def _sigmoid(np: Any, z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def function(np: Any, weights: Any, bias: Any, out: Any, out_bias: Any, text: Any) -> Any:
    """`weights` maps (letter, hidden state) to the four gates, `text` is one-hot row by row."""
    hidden = cell = 0.0 * bias[:HIDDEN]
    total = 0.0
    for now, following in pairwise(text):
        gates = weights @ np.concatenate([now, hidden]) + bias
        forget, take = _sigmoid(np, gates[:HIDDEN]), _sigmoid(np, gates[HIDDEN : 2 * HIDDEN])
        show = _sigmoid(np, gates[2 * HIDDEN : 3 * HIDDEN])
        cell = forget * cell + take * np.tanh(gates[3 * HIDDEN :])
        hidden = show * np.tanh(cell)
        scores = out @ hidden + out_bias
        total = total + np.log(np.sum(np.exp(scores))) - np.sum(scores * following)
    return total / (len(text) - 1)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(11)
    params = (
        0.2 * rng.standard_normal((4 * HIDDEN, LETTERS + HIDDEN)),
        0.1 * rng.standard_normal(4 * HIDDEN),
        0.2 * rng.standard_normal((LETTERS, HIDDEN)),
        0.1 * rng.standard_normal(LETTERS),
    )
    return Instance(params, data=(numpy.eye(LETTERS)[rng.integers(LETTERS, size=size)],))


LSTM = Workload("lstm", "LSTM of 32, plain loop", function, make, small=3, unit="characters")
