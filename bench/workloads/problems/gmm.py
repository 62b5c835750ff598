"""Log posterior of a Gaussian mixture with full covariances and a Wishart prior, `size` points.

A component's inverse square root of the covariance is lower triangular: diagonal exp(scales), the
rest as it stands (DIMENSION numbers in a row for each place below the diagonal).
"""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

DIMENSION, COMPONENTS = 10, 5
STRENGTH, FREEDOM = 1.0, 0


def _log_sum_exp(np: Any, z: Any) -> Any:
    """Along the first axis."""
    top = np.max(z, axis=0)
    return top + np.log(np.sum(np.exp(z - top), axis=0))


def function(
    np: Any, weights: Any, means: Any, scales: Any, below: Any, points: Any, place: Any, mask: Any
) -> Any:
    diagonal = np.exp(scales)
    lower = below[:, place] * mask
    centred = points - means[:, None]  # components x points x dimension
    white = diagonal[:, None] * centred + centred @ np.swapaxes(lower, 1, 2)
    log_scale = np.sum(scales, axis=1)
    terms = (weights + log_scale)[:, None] - 0.5 * np.sum(white**2, axis=2)
    fit = np.sum(_log_sum_exp(np, terms)) - len(points) * _log_sum_exp(np, weights)
    spread = np.sum(diagonal**2) + np.sum(below**2)
    return fit - 0.5 * STRENGTH**2 * spread + FREEDOM * np.sum(log_scale)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(9)
    rows, columns = numpy.tril_indices(DIMENSION, -1)
    place = numpy.zeros((DIMENSION, DIMENSION), dtype=int)
    place[rows, columns] = numpy.arange(len(rows))
    mask = numpy.tril(numpy.ones((DIMENSION, DIMENSION)), -1)
    params = (
        rng.standard_normal(COMPONENTS),
        rng.standard_normal((COMPONENTS, DIMENSION)),
        0.1 * rng.standard_normal((COMPONENTS, DIMENSION)),
        0.1 * rng.standard_normal((COMPONENTS, len(rows))),
    )
    return Instance(params, data=(rng.standard_normal((size, DIMENSION)), place, mask))


GMM = Workload("gmm", "Gaussian mixture, 10 dimensions, 5 components", function, make, small=60)
