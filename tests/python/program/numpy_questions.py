"""Snippets in which NumPy and SciPy are asked for masks, places, orders, counts and integers. Each
is a function of a vector of five, which test_questions.py replays."""

import numpy as np
from scipy import special

import tapegrad as tg
import tapegrad.numpy as tnp


def boolean_operators(x):
    m = (x > 0.0) & ~(x > 2.0) | (x == -1.5) ^ (x < -1.0)
    m &= x != 0.5
    return np.where(m, x, -x), m


def logical_functions(x):
    m = np.logical_and(x > 0, np.logical_not(np.logical_or(x > 2, np.logical_xor(x < 1, x < 2))))
    return np.where(m, x * x, 0.0), m


def assigned_mask(x):
    y = x * 1.0
    y[y < 0.0] = 0.0
    y[x > 2.0] = x[0]
    y[np.isnan(x)] = np.float64(7)
    return y


def assigned_rows(x):
    y = np.outer(x, np.arange(3.0))
    y[x > 1.0] = np.arange(3.0)
    y[x < 0.0] = -1.0
    return y


def assigned_values_by_mask(x):
    y = x * 1.0
    y[x > 0.0] = 2.0 * x[x > 0.0]
    y[x < 0.0] += 1.0
    return y


def assigned_at_recorded_index(x):
    y = x * 1.0
    y[np.argmax(x)] = 0.0
    y[np.argsort(x)[:2]] = [7.0, 8.0]
    return y


def picked_by_argmax(x):
    i = np.argmax(x)
    return x[i] + x[i - 1] * x[-1 - i], i


def rows_picked_by_argmax(x):
    z = np.outer(x, x[::-1])
    best = np.argmax(z, axis=1)
    return (
        z[np.arange(5), best],
        z[best, 0],
        z[best],
        z[0, best],
        np.take_along_axis(z, best[:, None], 1),
        np.take(z, best, axis=1),
        np.take(x, best),
        best,
    )


def sorts(x):
    z = np.outer(x, x[::-1])
    order = np.argsort(z, axis=0)
    return np.sort(z, axis=0), np.sort(z), np.sort(z, axis=None), order, z[order[:, 0]], x.argsort()


def stable_sorts(x):
    z = np.round(x)
    return np.sort(z, kind="stable"), np.argsort(z, kind="stable"), np.argsort(-z, stable=True)


def counts(x):
    positive = np.sum(x > 0.0)
    return positive / 5.0, positive, np.count_nonzero(x), (x > 1.0).mean(), (x > 0).sum() * x[0]


def integer_arithmetic(x):
    i = np.argmin(x) + 1
    j = 2 * i - 3
    return [
        i * x[0], j // 2, j % 3, -j, abs(j), i / 2, i**2, i + 0.5, np.maximum(i, j), divmod(j, 2),
        i & 1, i << 1, i == j, i > 2, np.square(j), np.sign(j), (x > 0) + (x > 1), (x > 0) * 2,
        (x > 0) * (x > 1), np.minimum(x > 0, x > 1), np.cumsum(x > 0), np.max(np.argsort(x)),
        np.prod(1 + np.argsort(x)), np.cumsum(np.argsort(x)), np.sqrt(i), np.floor(x) // 2,
    ]  # fmt: skip


def casts(x):
    y = np.nan_to_num(x, posinf=9.0, neginf=-9.0)
    return [
        y.astype(int) * 2, y.astype(bool), (x > 0).astype(float), (x > 0).astype(int) - 1,
        y.astype(np.float32), np.astype(y, int),
    ]  # fmt: skip


def casts_that_wrap(x):
    return (x > 0).astype(np.int8), np.nan_to_num(x, posinf=9, neginf=9).astype(np.int32)


def any_and_all(x):
    z = np.outer(x, x)
    return [
        np.any(x > 2), np.all(x > -9), np.any(z > 1, axis=0), np.all(z > 0, axis=1, keepdims=True),
        (x > 1).any(), x.all(), np.logical_or.reduce(x > 3), np.logical_and.reduce(z > 0, axis=0),
        np.any(z, where=z > 2), np.any(x[:0]), np.all(z[:0], axis=0),
    ]  # fmt: skip


def questions_of_numbers(x):
    return np.isnan(x), np.isinf(x), np.isfinite(x), np.signbit(x), np.isposinf(x), np.isneginf(x)


def closeness(x):
    y = np.stack([x[0], x[0], x[2], x[3], x[4]])
    if np.allclose(x, y):
        return x
    if np.array_equal(x, y) or np.allclose(x, x + 1e-9, equal_nan=True):
        return np.where(np.isclose(x, y), 1.0, x), np.isclose(x, y, equal_nan=True)
    return -x


def clips(x):
    return np.clip(x, x[4], x[2]), x.clip(-1.0, 1.0), np.clip(x, np.minimum(x, 0), np.abs(x))


def selections(x):
    return (
        np.select([x < 0, x < 1], [x * x, 2 * x], 7.0),
        np.piecewise(x, [x < 0, x >= 2], [lambda t: -t, lambda t: t * t, 3.0]),
        np.choose((x > 0).astype(int), [x, x * x]),
        np.where(x > 0, 1, 0),
        np.where(x, x, 1.0),
        np.extract(x > 0, x),
        np.compress(x > 0, x),
    )


def masked_part(x):
    return x[x > 0.0], x[~np.isnan(x)].sum(), len(np.nonzero(x)[0]) * x[0], x[np.where(x > 1)]


def unique_values(x):
    return np.unique(np.round(x)), np.unique(x > 0)


def rounding(x):
    y = np.nan_to_num(x, posinf=9.0, neginf=-9.0)
    return (
        np.round(x, 1),
        round(x[0], 1),
        round(y[1]),
        np.round(y.astype(int)),
        np.rint(x),
        np.fix(x),
    )


def quotients(x):
    q, r = divmod(x, 0.7)
    whole, part = np.modf(x)[::-1]
    return q, r, whole, part, x // 0.3, x % 0.3, np.sign(x)


def exponents(x):
    return np.frexp(x), x * 2.0


def absolutes(x):
    return abs(x), np.abs(x[0]), np.fabs(x), x.max(), max(x[0], x[1]), min(x[2], x[3]), np.ptp(x)


def differences(x):
    y = np.diff(x)
    return y if (y > 0).all() else y * y


def searches(x):
    return np.searchsorted(np.sort(x[:3]), x[3]) * x[0], np.digitize(x[1:], np.sort(x[:2]))


def determinants(x):
    x = np.where(np.isfinite(x), x, 2.0)
    a = np.outer(x, x) + np.diag(x + 4.5)
    sign, logarithm = np.linalg.slogdet(a)
    return sign, logarithm, np.linalg.det(a), np.linalg.norm(x, 3), np.linalg.norm(x, 0)


def complex_numbers(x):
    z = x + 1j * x[::-1]
    y = np.where(z.real > 0, z, np.conj(z))
    return y * (2.0 if z[0] == z[4] else 3.0), np.isnan(z), np.real_if_close(z), np.sort(z)


def complex_order(x):
    z = x + 1j * x[::-1]
    return (z > z[0]) * x, np.argsort(z), z == z[0]


def single_precision(x):
    y = x.astype(np.float32)
    return np.where(y > 0.5, y, 2.0 * y), y > 0, np.argmax(y), y[np.argmin(y)], y * 2, y + 1


def without_axes(x):
    s = x[0]
    return np.where(s > 0, s, -s), np.any(s > 0), np.sort(np.atleast_1d(s)), np.isnan(s), s == s


def special_functions(x):
    return (
        special.xlogy(np.abs(x), x * x), special.entr(x), special.rel_entr(x, x[::-1]),
        special.logit(special.expit(x)), _logsumexp(x), np.sinc(x), special.kl_div(x, x * x),
    )  # fmt: skip


def _logsumexp(x):
    from tapegrad.scipy.special import logsumexp

    return (
        logsumexp(x, b=np.array([1.0, 2.0, 3.0, 0.0, 1.0]))
        if isinstance(x, tg.Variable)
        else (special.logsumexp(x, b=np.array([1.0, 2.0, 3.0, 0.0, 1.0])))
    )


def statistics(x):
    positive = x > 0
    return (
        np.mean(x, where=positive), np.sum(x, where=positive), np.var(x, where=positive),
        np.average(x, weights=np.where(positive, 1.0, 2.0)), np.max(x, initial=0.0, where=positive),
        np.prod(x, where=positive), np.std(x),
    )  # fmt: skip


def creations(x):
    a = tnp.zeros(5) if isinstance(x, tg.Variable) else np.zeros(5)
    a[1] = x[0]
    b = np.zeros_like(x)
    b[x > 1] = 1.0
    c = np.zeros_like(x > 0)
    d = np.full_like(x, x[0])
    np.copyto(d, 5.0, where=x > 0)
    grid = np.cumsum(x * x) + np.arange(5.0)
    return a, b, c, d, np.gradient(x, grid), np.geomspace(np.abs(np.nan_to_num(x[2])) + 1.0, 8.0, 3)


def functions_without_rules(x):
    i, s = np.argsort(x), tg.stop_gradient(np.nan_to_num(x, posinf=9.0, neginf=-9.0))
    norm = np.linalg.norm(np.outer(s, s), 2)
    return (
        np.bincount(i) * x, np.percentile(s, 30), norm, special.gamma(s), np.gcd(i, 4),
        (x > 0).view(np.int8), (x > 0).tobytes() == b"", np.histogram(s, 3)[0], np.median(s),
    )  # fmt: skip


# Recorded as ops, so that one recording is good for every point.
FREE = [
    boolean_operators, logical_functions, assigned_mask, assigned_rows, picked_by_argmax, sorts,
    stable_sorts, counts, casts, quotients, complex_numbers, special_functions,
    rows_picked_by_argmax, any_and_all, questions_of_numbers, clips, statistics, single_precision,
    without_axes,
]  # fmt: skip
