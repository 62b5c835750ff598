"""For each structured op operands and attributes to try it with; ops that the registry has and this
table has not make the tests fail."""

import numpy as np

RNG = np.random.default_rng(7)


def real(*shape):
    return RNG.uniform(-2, 2, shape)


def positive(n):
    a = real(n, n)
    return a @ a.T + n * np.eye(n)


def whole(*values):
    return np.array(values, np.int64)


SAMPLES = {
    "where": [((real(3) > 0, real(2, 3), real(3)), ()), ((real() > 0, real(), real()), ())],
    "cast": [((real(2, 3),), (1,)), ((real(),), (2,)), ((real(3),), (3,))],
    "real": [((real(3) + 1j * real(3),), ()), ((real(2),), ())],
    "imag": [((real(3) + 1j * real(3),), ()), ((real(2),), ())],
    "conjugate": [((real(3) + 1j * real(3),), ()), ((real(2),), ())],
    "part_set": [
        ((real(3) + 1j * real(3), real(3)), (0,)),
        ((real(2, 3) + 1j * real(2, 3), real(2, 3)), (1,)),
        ((real() + 1j * real(), real()), (1,)),
    ],
    "reshape": [((real(2, 3),), (3, 2)), ((real(4),), (2, 1, 2)), ((real(),), (1,))],
    "transpose": [((real(2, 3, 4),), (2, 0, 1)), ((real(3),), (0,))],
    "broadcast_to": [((real(3),), (2, 3)), ((real(),), (2,)), ((real(2, 1),), (4, 2, 3))],
    "slice": [((real(5),), (1, 2, 2)), ((real(3, 4),), (0, 1, 3, 3, -1, 2))],
    "unslice": [((real(2),), (1, 2, 5)), ((real(2, 2),), (0, 1, 3, 3, -1, 4))],
    "slice_set": [((real(5), real(2)), (1, 2, 2)), ((real(3, 4), real(3, 2)), (0, 1, 3, 3, -1, 2))],
    "concatenate": [
        ((real(2), real(), real(3)), (0,)),
        ((real(2, 3), real(2, 1), real(2)), (1,)),
        ((real(), real()), (0,)),
    ],
    "roll": [((real(5),), (2,)), ((real(3, 4),), (0, -1))],
    "item": [((real(4),), (2,)), ((real(2, 3),), (4,))],
    "item_set": [((real(4), real()), (2,)), ((real(2, 3), real()), (4,))],
    "gather": [((real(4), whole(0, 3, 3)), ()), ((real(2, 3), whole([5], [0])[:, 0]), ())],
    "scatter_add": [((real(3), whole(0, 3, 3)), (4,)), ((real(2), whole(5, 0)), (2, 3))],
    "put": [((real(4), real(2), whole(3, 1)), ()), ((real(2, 3), real(1), whole(4)), ())],
    "sum": [((real(2, 3),), (0, 0)), ((real(2, 3),), (1, 1)), ((real(4),), (0, 0))],
    "prod": [((real(2, 3),), (0, 0)), ((real(2, 3),), (1, 0, 1))],
    "max": [((real(2, 3),), (0, 0)), ((real(2, 3),), (1, 1))],
    "min": [((real(2, 3),), (0, 0)), ((real(2, 3),), (1, 1))],
    "cumsum": [((real(2, 3),), (1, 0)), ((real(4),), (0, 1))],
    "argmax": [((real(2, 3),), (1,)), ((real(4),), (0,))],
    "argmin": [((real(2, 3),), (0,)), ((real(4),), (0,))],
    "argsort": [((real(2, 3),), (1, 0)), ((real(4),), (0, 1))],
    "matmul": [
        ((real(3), real(3)), ()),
        ((real(2, 3), real(3)), ()),
        ((real(3), real(3, 2)), ()),
        ((real(2, 3), real(3, 4)), ()),
        ((real(5, 2, 3), real(3, 4)), ()),
        ((real(3), real(5, 3, 4)), ()),
        ((real(2, 3), real(5, 3, 4)), ()),
    ],
    "solve": [((positive(3), real(3, 2)), (0,)), ((positive(3), real(2, 3, 1)), (1,))],
    "inv": [((positive(3),), ())],
    "cholesky": [((positive(3),), ())],
    "det": [((positive(3),), ()), ((np.stack([positive(2), positive(2)]),), ())],
    "cofactor": [((positive(3),), ())],
    "logabsdet": [((positive(3),), ())],
    "fft": [((real(3) + 1j * real(3),), (0, 0)), ((real(2, 4) + 1j * real(2, 4),), (0, 1))],
    "rfft": [((real(5),), (0,)), ((real(4, 2),), (0,))],
    "allpole": [((real(5), real(2)), (0,)), ((real(3, 4), real(1)), (1,))],
    "irfft": [((real(3) + 1j * real(3),), (0, 5)), ((real(2, 3) + 1j * real(2, 3),), (1, 4))],
}
