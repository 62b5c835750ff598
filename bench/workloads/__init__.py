"""The workloads, each stated once: NumPy function, inputs by size, independent gradient."""

from bench.workloads.base import Instance, Workload
from bench.workloads.burgers import BURGERS
from bench.workloads.garch import GARCH
from bench.workloads.logistic import LOGISTIC
from bench.workloads.lotka_volterra import LOTKA_VOLTERRA
from bench.workloads.mlp import MLP
from bench.workloads.oscillator import OSCILLATOR
from bench.workloads.problems import (
    BUNDLE,
    GMM,
    HAND,
    KMEANS,
    LEAST_SQUARES,
    LOG_SUM_EXP,
    LSTM,
    MINIMAX,
    MINORS,
    ODE,
)
from bench.workloads.rosenbrock import ROSENBROCK
from bench.workloads.small import SMALL

PROBLEMS = (
    GMM,
    BUNDLE,
    LSTM,
    HAND,
    LEAST_SQUARES,
    LOG_SUM_EXP,
    KMEANS,
    MINORS,
    ODE,
    MINIMAX,
)
WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        ROSENBROCK,
        GARCH,
        LOTKA_VOLTERRA,
        BURGERS,
        LOGISTIC,
        MLP,
        OSCILLATOR,
        SMALL,
        *PROBLEMS,
    )
}

__all__ = [
    "BUNDLE",
    "BURGERS",
    "GARCH",
    "GMM",
    "HAND",
    "KMEANS",
    "LEAST_SQUARES",
    "LOGISTIC",
    "LOG_SUM_EXP",
    "LOTKA_VOLTERRA",
    "LSTM",
    "MINIMAX",
    "MINORS",
    "MLP",
    "ODE",
    "OSCILLATOR",
    "PROBLEMS",
    "ROSENBROCK",
    "SMALL",
    "WORKLOADS",
    "Instance",
    "Workload",
]
