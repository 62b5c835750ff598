"""A language model: one LSTM layer over `size` characters, cross-entropy of the next one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

HIDDEN, LETTERS = 32, 14


def _sigmoid(np: Any, z: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-z))


def _step(np: Any, params: tuple[Any, ...], state: Any, now: Any, following: Any) -> Any:
    """((hidden, cell) after the letter `now`, the cross-entropy of the one that follows)."""
    (weights, bias, out, out_bias), (hidden, cell) = params, state
    gates = weights @ np.concatenate([now, hidden]) + bias
    forget, take = _sigmoid(np, gates[:HIDDEN]), _sigmoid(np, gates[HIDDEN : 2 * HIDDEN])
    show = _sigmoid(np, gates[2 * HIDDEN : 3 * HIDDEN])
    cell = forget * cell + take * np.tanh(gates[3 * HIDDEN :])
    hidden = show * np.tanh(cell)
    scores = out @ hidden + out_bias
    return (hidden, cell), np.log(np.sum(np.exp(scores))) - np.sum(scores * following)


def function(np: Any, weights: Any, bias: Any, out: Any, out_bias: Any, text: Any) -> Any:
    """`weights` maps (letter, hidden state) to the four gates, `text` is one-hot row by row."""
    params = weights, bias, out, out_bias
    state, total = (0.0 * bias[:HIDDEN], 0.0 * bias[:HIDDEN]), 0.0
    for now, following in pairwise(text):
        state, loss = _step(np, params, state, now, following)
        total = total + loss
    return total / (len(text) - 1)


def function_jax(np: Any, weights: Any, bias: Any, out: Any, out_bias: Any, text: Any) -> Any:
    import jax

    params = weights, bias, out, out_bias

    def step(state: Any, letters: Any) -> Any:
        return _step(np, params, state, *letters)

    start = np.zeros(HIDDEN), np.zeros(HIDDEN)
    _, losses = jax.lax.scan(step, start, (text[:-1], text[1:]))
    return np.mean(losses)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(11)
    params = (
        0.2 * rng.standard_normal((4 * HIDDEN, LETTERS + HIDDEN)),
        0.1 * rng.standard_normal(4 * HIDDEN),
        0.2 * rng.standard_normal((LETTERS, HIDDEN)),
        0.1 * rng.standard_normal(LETTERS),
    )
    return Instance(params, data=(numpy.eye(LETTERS)[rng.integers(LETTERS, size=size)],))


LSTM = Workload(
    "lstm",
    "LSTM of 32, plain loop",
    function,
    make,
    small=3,
    unit="characters",
    variants={"jax-jit": function_jax},
)
