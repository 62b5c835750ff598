"""One step of the Radau IIA method of order 5, for stiff problems (Hairer and Wanner, Solving
Ordinary Differential Equations II, section IV.8). Used by problems.py and stepping.py.

The equations of a step are solved by Newton's method without derivatives. Newton steps that are
recorded, with the matrix of the solution as a constant, then give the derivatives of the solution:
k of them are exact to order k.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tapegrad.functions.operands import Array, is_complex, seen
from tapegrad.ode.methods import Slope, Start, Tolerance, mean_norm

__all__ = ["Radau"]

MOST_ITERATIONS = 8
RECORDED_ITERATIONS = 3

NODES = np.array([4.0 - 6.0**0.5, 4.0 + 6.0**0.5, 10.0]) / 10.0
_POWERS = NODES[:, None] ** np.arange(4)
# Integrals from 0 to each node of the polynomials that are 1 at one node and 0 at the others.
WEIGHTS = (_POWERS[:, 1:] / np.arange(1, 4)) @ np.linalg.inv(_POWERS[:, :3])
# From the values at the nodes to the coefficients of x, x^2, x^3.
TO_POWERS = np.linalg.inv(_POWERS[:, 1:])
# The real eigenvalue of the inverse of WEIGHTS, and the weights of the error estimate.
REAL_EIGENVALUE = 3.0 + 3.0 ** (2 / 3) - 3.0 ** (1 / 3)
ERROR_WEIGHTS = np.array([-13.0 - 7.0 * 6.0**0.5, -13.0 + 7.0 * 6.0**0.5, -1.0]) / 3.0


class RadauStep:
    """A step that was tried; `z` is how far the solution has moved at the nodes."""

    def __init__(self, slope: Slope, start: Start, h: Any, z: Array, jacobian: Any):
        self.t, self.y, self.f = start
        self.h, self.z = h, z
        self.y_new = self.y + z[2]
        self.f_new = slope(self.t + h, self.y_new)
        self._slope, self._jacobian = slope, jacobian

    def error(self, scale: Any) -> Any:
        width = seen(self.h)
        moved = ERROR_WEIGHTS @ seen(self.z) / width
        matrix = REAL_EIGENVALUE / width * np.eye(self.y.shape[0]) - self._jacobian
        error = np.linalg.solve(matrix, seen(self.f) + moved)
        if mean_norm(error / scale) > 1:  # once more, which damps what is stiff
            f = seen(self._slope(seen(self.t), seen(self.y) + error))
            error = np.linalg.solve(matrix, f + moved)
        return mean_norm(error / scale)

    def dense(self, slope: Slope) -> Callable[[Any], Array]:
        first, second, third = (TO_POWERS @ self.z)[:]
        return lambda x: self.y + x * (first + x * (second + x * third))


class Radau:
    """The method; `jac` is d slope/dy as solve_ivp takes it: a function of (t, y), a matrix, or
    None to have it derived."""

    order = 3

    def __init__(self, jac: Any = None):
        self._jac = jac

    def step(self, slope: Slope, start: Start, h: Any, tolerance: Tolerance) -> RadauStep | None:
        """None if Newton's method does not converge."""
        t, y = seen(start[0]), seen(start[1])
        if is_complex(y):
            raise ValueError("The method Radau takes real values only.")
        width = seen(h)
        jacobian = self._jacobian(slope, t, y)
        matrix = np.eye(3 * y.size) - np.kron(width * WEIGHTS, jacobian)
        z = self._iterated(slope, (t, y, width), matrix, tolerance)
        if z is None:
            return None
        # The error of the matrix, with which that of the derivatives falls, is squared twice.
        matrix = self._matrix(slope, (t, y, width), z)
        z = seen(_improved(slope, (t, y, width), matrix, z))
        matrix = self._matrix(slope, (t, y, width), z)
        for _ in range(RECORDED_ITERATIONS):
            z = _improved(slope, (start[0], start[1], h), matrix, z)
        return RadauStep(slope, start, h, z, jacobian)

    def _iterated(
        self, slope: Slope, start: Start, matrix: Any, tolerance: Tolerance
    ) -> Any | None:
        """Newton's method with one matrix, until what is left is far below the tolerance."""
        y = start[1]
        z, scale = np.zeros((3, y.size)), tolerance.scale(y)
        rtol = np.max(tolerance.rtol)
        enough = max(10 * np.finfo(float).eps / rtol, min(0.03, rtol**0.5))
        before: Any = None
        for _ in range(MOST_ITERATIONS):
            better = seen(_improved(slope, start, matrix, z))
            change = mean_norm((better - z) / scale)
            z = better
            if change == 0:
                return z
            if not change < np.inf:
                return None
            if before is not None:
                rate = change / before
                if rate >= 1:
                    return None
                if rate / (1 - rate) * change < enough:
                    return z
            before = change
        return None

    def _matrix(self, slope: Slope, start: Start, z: Any) -> Any:
        """The matrix of the equations at their solution."""
        t, y, width = start
        n = y.size
        at = [self._jacobian(slope, t + c * width, y + z[i]) for i, c in enumerate(NODES)]
        blocks = (width * WEIGHTS)[:, None, :, None] * np.stack(at, 1)
        return np.eye(3 * n) - np.reshape(blocks, (3 * n, 3 * n))

    def _jacobian(self, slope: Slope, t: Any, y: Any) -> Any:
        if self._jac is None:
            from tapegrad.transforms import jacobian

            return seen(jacobian(lambda y: slope(t, y))(y))
        found = self._jac(t, y) if callable(self._jac) else self._jac
        return seen(found) if hasattr(found, "ndim") else np.asarray(found)


def _improved(slope: Slope, start: tuple[Any, Any, Any], matrix: Any, z: Array) -> Array:
    """A Newton step for z_i = h sum_j WEIGHTS[i, j] slope(t + c_j h, y + z_j)."""
    t, y, h = start
    slopes = np.stack([slope(t + c * h, y + z[i]) for i, c in enumerate(NODES)])
    left = h * (WEIGHTS @ slopes) - z
    return z + np.reshape(np.linalg.solve(matrix, np.reshape(left, (-1,))), z.shape)
