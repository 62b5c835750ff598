"""Problems in the style of the public benchmarks of automatic differentiation, written anew."""

from bench.workloads.problems.bundle import BUNDLE
from bench.workloads.problems.gmm import GMM
from bench.workloads.problems.hand import HAND
from bench.workloads.problems.kmeans import KMEANS
from bench.workloads.problems.least_squares import LEAST_SQUARES
from bench.workloads.problems.log_sum_exp import LOG_SUM_EXP
from bench.workloads.problems.lstm import LSTM
from bench.workloads.problems.minimax import MINIMAX
from bench.workloads.problems.minors import MINORS
from bench.workloads.problems.ode import ODE

__all__ = [
    "BUNDLE",
    "GMM",
    "HAND",
    "KMEANS",
    "LEAST_SQUARES",
    "LOG_SUM_EXP",
    "LSTM",
    "MINIMAX",
    "MINORS",
    "ODE",
]
