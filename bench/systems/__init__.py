"""The systems measured, one file each; the order is the order of the table's columns."""

from bench.systems.autograd import Autograd
from bench.systems.base import System
from bench.systems.casadi import Casadi
from bench.systems.jax import Jax, JaxJit
from bench.systems.limit import Limit
from bench.systems.python import Python
from bench.systems.tapegrad import Tapegrad
from bench.systems.torch import Torch
from bench.systems.xad import Xad

SYSTEMS: dict[str, type[System]] = {
    system.name: system
    for system in (Tapegrad, Limit, Autograd, Jax, JaxJit, Torch, Casadi, Xad, Python)
}

__all__ = ["SYSTEMS", "System"]
