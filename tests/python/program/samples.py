"""For each structured op operands and attributes to try it with; ops that the registry has and this
table has not make the tests fail."""

import numpy as np

from tapegrad.functions.sparse import pattern_of

RNG = np.random.default_rng(7)


def real(*shape):
    return RNG.uniform(-2, 2, shape)


def positive(n):
    a = real(n, n)
    return a @ a.T + n * np.eye(n)


def between(low, high, *shape):
    return RNG.uniform(low, high, shape)


def spread(n):
    """A matrix with real eigenvalues that lie apart."""
    return np.diag(3.0 * np.arange(1, n + 1)) + 0.3 * real(n, n)


def whole(*values):
    return np.array(values, np.int64)


# Of a 3 by 3 matrix with entries at (0, 0), (0, 2), (1, 1) and (2, 2).
PATTERN = pattern_of((3, 3), whole(0, 0, 1, 2), whole(0, 2, 1, 2))
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
    "argsort": [((real(2, 3),), (1, 0)), ((real(4),), (0, 1)), ((real(2, 3, 4),), (1, 0, 1))],
    "sort": [((real(2, 3),), (1, 0)), ((real(2, 3, 4),), (1, 1)), ((real(4),), (0, 1))],
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
    "cofactor_derivative": [((positive(3), real(3, 3)), ())],
    "eigh": [((positive(3),), ()), ((positive(2),), (1,))],
    "eigvalsh": [((positive(3),), ()), ((positive(2),), (1,))],
    "eig": [((spread(3),), ())],
    "eigvals": [((spread(3),), ())],
    "over_gaps": [((real(3, 3), between(1, 2, 1, 3).cumsum(1)), (gap,)) for gap in (-1, 0, 1)],
    "eigen_adjoint": [
        ((real(1, 3), real(3, 3), between(1, 2, 1, 3).cumsum(1), np.ones((1, 2))), ())
    ],
    "average_repeated": [((real(1, 3), np.array([[2.0, 2.0, 5.0]])), ())],
    "factor": [((real(2, 7),), (1, 4, 1))],
    "qr": [((real(4, 3),), ()), ((real(3, 3),), (1,))],
    "svd": [((real(4, 3),), ()), ((real(2, 3),), ())],
    "singular_values": [((real(2, 3),), ())],
    "pinv": [((real(2, 3), np.full((1, 1), 1e-12)), ())],
    "lu": [((positive(3),), ())],
    "lu_pivots": [((positive(3),), ())],
    "sylvester": [((positive(3), positive(2), real(3, 2)), ())],
    "sqrtm": [((positive(3),), ())],
    "expm": [((real(3, 3),), ())],
    "logm": [((positive(3),), ())],
    "sparse_matmul": [((real(1, 4), real(3, 2), PATTERN), (0, 3))],
    "sparse_sample": [((real(3, 2), real(3, 2), PATTERN), (4,))],
    "sparse_solve": [((between(2, 3, 1, 4), real(3, 2), PATTERN), (0, 3))],
    "fft": [((real(3) + 1j * real(3),), (0, 0)), ((real(2, 4) + 1j * real(2, 4),), (0, 1))],
    "rfft": [((real(5),), (0,)), ((real(4, 2),), (0,))],
    "cumprod": [((real(2, 4),), ()), ((real(3, 2),), (1,))],
    "recurrence": [((real(2, 5), real(5)), ()), ((real(4), real(3, 4)), (1,))],
    "allpole": [((real(5), real(2)), (0,)), ((real(3, 4), real(1)), (1,))],
    "irfft": [((real(3) + 1j * real(3),), (0, 5)), ((real(2, 3) + 1j * real(2, 3),), (1, 4))],
    "gammainc": [((between(0.5, 4, 3), between(0.5, 4, 2, 3)), (n,)) for n in (0, 1)],
    "gammaincc": [((between(0.5, 4, 3), between(0.5, 4)), ())],
    "betainc": [
        ((between(0.5, 4, 3), between(0.5, 4, 2, 1), between(0.1, 0.5, 3)), orders)
        for orders in ((), (0, 0), (1, 0), (0, 1), (1, 1))
    ],
    "betaincc": [((between(0.5, 4), between(0.5, 4, 2), between(0.1, 0.5)), ())],
    "beta_density": [((between(1.5, 4, 3), between(1.5, 4), between(0.1, 0.5, 2, 3)), ())],
    "betaln": [((between(0.5, 4, 3), between(0.5, 4, 2, 3)), ())],
    "beta": [((between(0.5, 4, 3), between(0.5, 4, 2, 3)), ())],
    "polygamma_difference": [((between(0.5, 4, 3), between(0.5, 4, 2, 3)), (n,)) for n in (0, 1)],
    "zeta": [((between(1.5, 4, 3), between(0.5, 4, 2, 3)), (n,)) for n in (0, 1)],
    "hyp1f1": [((between(0.5, 2), between(0.5, 2), between(-1, 1, 3)), ())],
    "hyp2f1": [((between(0.5, 2), between(0.5, 2), between(0.5, 2), between(-0.5, 0.5, 3)), ())],
}
