"""The rows of the table, full and smoke: what is measured, at which size, against which target."""

from __future__ import annotations

from bench.measure import SMOKE, Effort
from bench.rows.base import Row, Target
from bench.rows.gradient import GradientRow
from bench.rows.growth import GrowthRow
from bench.rows.prepared import PreparedRow
from bench.rows.record_array import ArrayRecordRow
from bench.rows.record_scalar import ScalarRecordRow
from bench.rows.scaling import ScalingRow, ThreadsRow
from bench.workloads import (
    BUNDLE,
    BURGERS,
    GARCH,
    GMM,
    HAND,
    KMEANS,
    LEAST_SQUARES,
    LOG_SUM_EXP,
    LOGISTIC,
    LOTKA_VOLTERRA,
    LSTM,
    MINIMAX,
    MINORS,
    MLP,
    ODE,
    OSCILLATOR,
    PROBLEMS,
    ROSENBROCK,
    SMALL,
)

PREPARED_ROWS: tuple[Row, ...] = (
    PreparedRow(ROSENBROCK, 4),
    PreparedRow(ROSENBROCK, 10**4),
    PreparedRow(ROSENBROCK, 10**6),
    PreparedRow(GARCH, 2000),
    PreparedRow(LOTKA_VOLTERRA, 1000),
    PreparedRow(BURGERS, 256),
    PreparedRow(LOGISTIC, 20_000),
    PreparedRow(MLP, 256),
    PreparedRow(SMALL, 10, call_limit=1e-6),
)

PROBLEM_ROWS: tuple[Row, ...] = (
    PreparedRow(GMM, 1_000),
    PreparedRow(BUNDLE, 2_000),
    PreparedRow(LSTM, 50),
    PreparedRow(HAND, 500),
    PreparedRow(LEAST_SQUARES, 500),
    PreparedRow(LOG_SUM_EXP, 10**4),
    PreparedRow(KMEANS, 2_000),
    PreparedRow(MINORS, 5),
    PreparedRow(ODE, 100),
    PreparedRow(MINIMAX, 10),
)

SCALING_ROWS: tuple[Row, ...] = (
    ScalingRow(ROSENBROCK, (10, 100, 1_000, 10**4, 10**5, 10**6)),
    ScalingRow(GARCH, (20, 200, 2_000, 20_000)),
    ThreadsRow(ROSENBROCK, 10**6),
    ThreadsRow(BURGERS, 256),
    ThreadsRow(LOGISTIC, 20_000),
    ThreadsRow(MLP, 256),
)

FULL_ROWS: tuple[Row, ...] = (
    ScalarRecordRow(100_000),
    ArrayRecordRow((10, 1_000, 100_000)),
    GradientRow(OSCILLATOR, 10**5),
    GradientRow(OSCILLATOR, 10**7, second_order=False),
    GrowthRow(OSCILLATOR, 10**5),
    GrowthRow(OSCILLATOR, 5 * 10**6),
    GradientRow(ROSENBROCK, 4),
    GradientRow(ROSENBROCK, 10**4),
    GradientRow(ROSENBROCK, 10**6),
    GradientRow(LOGISTIC, 20_000),
    GradientRow(MLP, 256),
    *PREPARED_ROWS,
    *PROBLEM_ROWS,
    *SCALING_ROWS,
)

SMOKE_ROWS: tuple[Row, ...] = (
    ScalarRecordRow(500),
    ArrayRecordRow((10, 1_000)),
    GradientRow(OSCILLATOR, 800),
    GrowthRow(OSCILLATOR, 800),
    GradientRow(ROSENBROCK, 4),
    GradientRow(ROSENBROCK, 1_000),
    GradientRow(LOGISTIC, 50),
    GradientRow(MLP, 8),
    PreparedRow(ROSENBROCK, 4),
    PreparedRow(ROSENBROCK, 1_000),
    PreparedRow(GARCH, 20),
    PreparedRow(LOTKA_VOLTERRA, 10),
    PreparedRow(BURGERS, 8),
    PreparedRow(LOGISTIC, 50),
    PreparedRow(MLP, 8),
    PreparedRow(SMALL, 10),
    *(PreparedRow(problem, problem.small + 1) for problem in PROBLEMS),
    ScalingRow(ROSENBROCK, (4, 40)),
    ThreadsRow(ROSENBROCK, 1_000),
)


def rows_for(effort: Effort) -> dict[str, Row]:
    """The rows of a run by name, in the order of the table."""
    return {row.name: row for row in (SMOKE_ROWS if effort is SMOKE else FULL_ROWS)}


__all__ = ["Row", "Target", "rows_for"]
