"""Bundle adjustment: squared reprojection error of `size` observations through cameras with a
rotation vector, a translation, a focal length and two radial distortions."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

OBSERVATIONS_PER_CAMERA, OBSERVATIONS_PER_POINT = 50, 4


def _rotate(np: Any, vector: Any, x: Any) -> Any:
    """Rodrigues' formula, row by row."""
    angle = np.sqrt(np.sum(vector**2, axis=1, keepdims=True))
    axis = vector / angle
    along = axis * np.sum(axis * x, axis=1, keepdims=True)
    return along + np.cos(angle) * (x - along) + np.sin(angle) * np.cross(axis, x)


def function(np: Any, cameras: Any, points: Any, seen: Any, camera: Any, point: Any) -> Any:
    used = cameras[camera]
    x = _rotate(np, used[:, 0:3], points[point]) + used[:, 3:6]
    flat = x[:, 0:2] / x[:, 2:3]
    square = np.sum(flat**2, axis=1, keepdims=True)
    bent = flat * (1.0 + used[:, 7:8] * square + used[:, 8:9] * square**2)
    return 0.5 * np.sum((used[:, 6:7] * bent - seen) ** 2)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(10)
    count, spots = 1 + size // OBSERVATIONS_PER_CAMERA, 1 + size // OBSERVATIONS_PER_POINT
    cameras = numpy.concatenate(
        [
            0.2 * rng.standard_normal((count, 3)),
            numpy.array([0.0, 0.0, 5.0]) + 0.1 * rng.standard_normal((count, 3)),
            numpy.array([1.0, 0.01, 0.001]) * (1.0 + 0.1 * rng.standard_normal((count, 3))),
        ],
        axis=1,
    )
    data = rng.standard_normal((size, 2)), rng.integers(count, size=size)
    return Instance(
        (cameras, rng.standard_normal((spots, 3))), (*data, rng.integers(spots, size=size))
    )


BUNDLE = Workload("bundle", "bundle adjustment", function, make, small=4)
