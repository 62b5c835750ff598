"""The rows of the table, full and smoke: what is measured, at which size, against which target."""

from __future__ import annotations

from bench.measure import FULL, Effort
from bench.rows.base import Row, Target
from bench.rows.gradient import GradientRow
from bench.rows.growth import GrowthRow
from bench.rows.record_array import ArrayRecordRow
from bench.rows.record_scalar import ScalarRecordRow
from bench.workloads import LOGISTIC, MLP, OSCILLATOR, ROSENBROCK

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
)


def rows_for(effort: Effort) -> dict[str, Row]:
    """The rows of a run by name, in the order of the table."""
    return {row.name: row for row in (FULL_ROWS if effort is FULL else SMOKE_ROWS)}


__all__ = ["Row", "Target", "rows_for"]
