"""Hand tracking: five fingers of three bones move `size` points of skin (linear blend skinning)
towards observed ones. Parameters: three angles and the translation of the wrist, 15 joint angles.
"""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload

FINGERS, JOINTS = 5, 3
# The cross product's matrix for each axis: exp(a K) = I + sin(a) K + (1 - cos(a)) K K.
AXES = numpy.cross(numpy.eye(3)[:, None], numpy.eye(3)[None]).swapaxes(1, 2)


def _rotation(np: Any, identity: Any, axis: Any, angle: Any) -> Any:
    return identity + np.sin(angle) * axis + (1.0 - np.cos(angle)) * (axis @ axis)


def function(
    np: Any,
    wrist: Any,
    angles: Any,
    skin: Any,
    blend: Any,
    joints: Any,
    seen: Any,
    axes: Any,
    eye: Any,
) -> Any:
    """`skin` (bones x points x 3): rest positions from each bone's joint; `blend` (bones x points
    x 1): their weights; `joints` (fingers x JOINTS x 3): each joint from the one before."""
    base = eye
    for k in range(3):
        base = base @ _rotation(np, eye, axes[k], wrist[k])
    rotations, origins = [], []
    for finger in range(FINGERS):
        turn, origin = base, wrist[3:6]
        for joint in range(JOINTS):
            origin = origin + turn @ joints[finger, joint]
            turn = turn @ _rotation(np, eye, axes[0], angles[finger, joint])
            rotations.append(turn)
            origins.append(origin)
    moved = skin @ np.swapaxes(np.stack(rotations), 1, 2) + np.stack(origins)[:, None]
    return 0.5 * np.sum((np.sum(blend * moved, axis=0) - seen) ** 2)


def make(size: int) -> Instance:
    rng = numpy.random.default_rng(12)
    bones = FINGERS * JOINTS
    blend = rng.uniform(size=(bones, size, 1)) ** 4
    data = (
        rng.standard_normal((bones, size, 3)),
        blend / blend.sum(axis=0),
        rng.standard_normal((FINGERS, JOINTS, 3)),
        rng.standard_normal((size, 3)),
        AXES,
        numpy.eye(3),
    )
    angles = 0.5 * rng.standard_normal((FINGERS, JOINTS))
    return Instance((0.3 * rng.standard_normal(6), angles), data)


HAND = Workload("hand", "hand tracking, skinned points", function, make, small=60)
