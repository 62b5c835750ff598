"""Snippets in which Python asks for a value: branches, loops, containers, casts to numbers, errors,
and derivatives within. Each is a function of a vector of five, which test_questions.py replays."""

import copy
import math

import numpy as np

import tapegrad as tg


def if_branch(x):
    return x[0] * 2.0 if x[0] > 0.6 else x[1]


def truth_of_numbers(x):
    return x[0] if x[3] else x[1]


def while_loop(x):
    y = x[2] * x[2] + 1.0
    while y > 1.0 and y < 1e6:
        y = y / 2.0
    return y


def integer_part(x):
    n = int(x[2]) if np.isfinite(x[2]) else 0
    return sum((x[0] for _ in range(n)), x[1])


def integer_index(x):
    return x[int(np.abs(np.nan_to_num(x[2]))) % 5] * 2.0


def integer_error(x):
    try:
        return x * int(x[0])
    except (ValueError, OverflowError):
        return x


def sorted_numbers(x):
    return np.stack(sorted(x[i] for i in range(5))) * np.arange(5.0)


def index_protocol(x):
    i = np.argmax(x)
    return [10.0, 20.0, 30.0, 40.0, 50.0][i] * x[0], np.arange(5)[i], x[i : i + 2], list(range(i))


def membership(x):
    return x if 1.0 in x else x * 2.0


def stopped(x):
    s = tg.stop_gradient(x)
    t = s * 2.0
    assert isinstance(t, np.ndarray) or not t.active
    if t[0] > 1.0:
        return s * x
    return s + float(s[1]), np.asarray(t).sum() * x


def frozen_numbers(x):
    return x * math.floor(tg.stop_gradient(x[1]) if np.isfinite(x[1]) else 0.0)


def plain_storage(x):
    a = np.zeros(5, int)
    b = np.zeros(5, bool)
    for i in range(5):
        a[i] = np.argsort(x)[i]
        b[i] = x[i] > 0
    b |= np.asarray(x > 2)
    return x[a], b


def text(x):
    assert f"{x[0]:.3f} {x} {x > 0!r}"
    return x * 2.0


def aliases(x):
    y = copy.deepcopy(x)
    y[0] = 3.0
    z = list(x)
    m = x > 0
    m[0] = True
    m[1] = x[0] > 5
    return y * z[1], np.where(m, x, 0.0), m


def singular(x):
    a = np.outer(x, x) + np.diag(np.where(x == 1.0, 0.0, 1.0))
    try:
        return np.linalg.solve(a[:2, :2], x[:2])
    except np.linalg.LinAlgError:
        return x[:2]


def lists_of_numbers(x):
    parts = [t * 2.0 for t in x if t > 0]
    best = max(x)
    return [*parts, best, sum(parts), parts.index(best * 2.0) if best > 0 else 0]


def keys(x):
    table = {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0}
    return x * table[np.argmax(x)], x * {True: 2.0, False: 3.0}[x[0] > 0.55], np.argmax(x) in {0, 1}


def shapes_of_values(x):
    assert np.result_type(x, np.float32).itemsize == 8 and np.can_cast(x, complex)
    return np.shape(x), np.size(x), np.ndim(x), len(x), x.shape, np.isrealobj(x)


def inner_derivative(x):
    def energy(z):
        return np.sum(np.where(z > 0.5, z * z, np.abs(z))) * (2.0 if z[0] > 0.7 else 1.0)

    return tg.grad(energy)(x), tg.hvp(energy, (x,), (np.ones(5),)), tg.jvp(energy, (x,), (x,))


def inner_pullback(x):
    y, pullback = tg.vjp(lambda z: np.sort(z) * z[np.argmax(z)], x)
    return y, pullback(x)[0], pullback(np.ones(5))[0]


def inner_extrema(x):
    return tg.grad(lambda z: np.max(z) * np.min(z))(x), tg.jacobian(lambda z: np.maximum(z, 0.5))(x)


def inner_norms(x):
    return tg.grad(lambda z: np.linalg.norm(z - x[0]))(x), tg.grad(lambda z: np.prod(z))(x)


def inner_plain_result(x):
    return tg.grad(lambda z: np.sum(z > 0))(x), tg.value_and_grad(lambda z: z[0] ** 2)(x)


def pure_numbers(x):
    s = x[0]
    return [s < 1, s > 1, s == 0.5, s != 0.5, s <= 0.5, s >= 0.5, (s > 0) * 2.0, not s, s is None]


def compared_with_nothing(x):
    return x if x is not None and (x != None) is not False else x * 2.0  # noqa: E711


INNER = {inner_derivative, inner_pullback, inner_extrema, inner_norms, inner_plain_result}
# Recorded as ops, so that one recording is good for every point.
FREE = [inner_pullback, aliases, shapes_of_values, text, inner_extrema]
