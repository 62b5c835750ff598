"""The workloads, each stated once: NumPy function, inputs by size, independent gradient."""

from bench.workloads.base import Instance, Workload
from bench.workloads.logistic import LOGISTIC
from bench.workloads.mlp import MLP
from bench.workloads.oscillator import OSCILLATOR
from bench.workloads.rosenbrock import ROSENBROCK

WORKLOADS: dict[str, Workload] = {w.name: w for w in (ROSENBROCK, LOGISTIC, MLP, OSCILLATOR)}

__all__ = ["LOGISTIC", "MLP", "OSCILLATOR", "ROSENBROCK", "WORKLOADS", "Instance", "Workload"]
