"""Program recordings bake nothing in silence: whatever Python has learned about a value is guarded.
The oracle: if all guards hold at another point, the replay gives what the function gives there."""

import copy
import math
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program.replay import Diverged, Recording, close, same
from scipy import special
from test_random_programs import SETTINGS, numbers, programs

import tapegrad as tg
import tapegrad.numpy as tnp
from tapegrad import _core
from tapegrad.pytree import flatten

# Vectors of five: some share signs, order or integer parts, so some guards hold and some do not.
POINTS = [
    np.array(p)
    for p in (
        [0.5, -1.5, 2.25, 3.75, -0.25],
        [0.75, -1.25, 2.5, 3.5, -0.5],
        [0.6, -1.4, 2.3, 3.6, -0.3],
        [3.0, 1.0, 2.0, 0.0, -4.0],
        [1.0, 1.0, -2.0, -2.0, 0.0],
        [-0.5, -0.5, 0.5, 1e3, 1e-3],
        [np.nan, 1.0, np.inf, -np.inf, 2.0],
    )
]


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


def index_protocol(x):
    i = np.argmax(x)
    return [10.0, 20.0, 30.0, 40.0, 50.0][i] * x[0], np.arange(5)[i], x[i : i + 2], list(range(i))


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


def membership(x):
    return x if 1.0 in x else x * 2.0


def differences(x):
    y = np.diff(x)
    return y if (y > 0).all() else y * y


def searches(x):
    return np.searchsorted(np.sort(x[:3]), x[3]) * x[0], np.digitize(x[1:], np.sort(x[:2]))


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


def lists_of_numbers(x):
    parts = [t * 2.0 for t in x if t > 0]
    best = max(x)
    return [*parts, best, sum(parts), parts.index(best * 2.0) if best > 0 else 0]


def special_functions(x):
    return (
        special.xlogy(np.abs(x), x * x), special.entr(x), special.rel_entr(x, x[::-1]),
        special.logit(special.expit(x)), tg_logsumexp(x), np.sinc(x), special.kl_div(x, x * x),
    )  # fmt: skip


def tg_logsumexp(x):
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


def keys(x):
    table = {0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 5.0}
    return x * table[np.argmax(x)], x * {True: 2.0, False: 3.0}[x[0] > 0.55], np.argmax(x) in {0, 1}


def functions_without_rules(x):
    i, s = np.argsort(x), tg.stop_gradient(np.nan_to_num(x, posinf=9.0, neginf=-9.0))
    norm = np.linalg.norm(np.outer(s, s), 2)
    return (
        np.bincount(i) * x, np.percentile(s, 30), norm, special.gamma(s), np.gcd(i, 4),
        (x > 0).view(np.int8), (x > 0).tobytes() == b"", np.histogram(s, 3)[0], np.median(s),
    )  # fmt: skip


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
SNIPPETS = [
    f for name, f in sorted(globals().items()) if callable(f) and getattr(f, "__code__", None)
    and f.__module__ == __name__ and f.__code__.co_varnames[:1] == ("x",) and name != "tg_logsumexp"
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("f", SNIPPETS, ids=lambda f: f.__name__)
def test_no_plain_value_is_baked(f):
    for at in POINTS:
        try:
            recording = Recording(f, at)
        except (ValueError, np.linalg.LinAlgError):
            with pytest.raises((ValueError, np.linalg.LinAlgError)):
                f(at)
            continue
        for point in POINTS:
            try:
                found = recording.replay(point)
            except Diverged:
                assert point is not at, "a replay of the same point holds"
                continue
            wanted, _ = flatten(f(point))
            assert len(found) == len(wanted)
            for a, b in zip(found, wanted, strict=True):
                assert close(a, b, 1e-12), (at, point, a, b)
                assert f in INNER or np.asarray(a).dtype == np.asarray(b).dtype, (a, b)


# Recorded as ops, so that one recording is good for every point.
FREE = [
    boolean_operators, logical_functions, assigned_mask, assigned_rows, picked_by_argmax, sorts,
    stable_sorts, counts, casts, quotients, complex_numbers, special_functions, inner_pullback,
    rows_picked_by_argmax, any_and_all, questions_of_numbers, clips, statistics, aliases,
    shapes_of_values, text, single_precision, without_axes, inner_extrema,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("f", FREE, ids=lambda f: f.__name__)
def test_questions_are_recorded(f):
    recording = Recording(f, POINTS[0])
    for point in POINTS[1:]:
        recording.replay(point)


# Random programs --------------------------------------------------------------------------------


def point(seed):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, 4), rng.uniform(-1, 1, (2, 3))


@pytest.mark.filterwarnings("ignore")
@given(programs, st.integers(0, 1000))
@SETTINGS
def test_random_programs(program, seed):
    recording = Recording(program, *point(seed))
    assert not recording.guards
    for other in (seed, seed + 1, seed + 2):
        (found,) = recording.replay(*point(other))
        assert close(found, program(*point(other)), 1e-12)


@pytest.mark.filterwarnings("ignore")
@given(programs, st.integers(0, 1000))
@settings(SETTINGS, max_examples=100)
def test_gradients_of_random_programs(program, seed):
    gradient = tg.grad(program, argnums=(0, 1))
    recording = Recording(gradient, *point(seed))
    for other in (seed, seed + 1):
        found, wanted = recording.replay(*point(other)), gradient(*point(other))
        scale = 1.0 + max(np.max(np.abs(w)) for w in wanted)
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * scale)


QUESTIONS = [
    lambda x, k: np.where(x > x.flat[k % x.size], x, 0.5 * x),
    lambda x, k: x * np.argmax(np.reshape(x, -1)),
    lambda x, k: np.sort(x, axis=k % x.ndim),
    lambda x, k: np.reshape(x, -1)[np.argsort(np.reshape(x, -1))[: 1 + k % 3]],
    lambda x, k: x * (2.0 if np.sum(x) > 0 else 3.0),
    lambda x, k: x * int(3.0 * np.mean(x)),
    lambda x, k: x[x > 0].sum() * x,
    lambda x, k: x * np.any(x > 0.9) + (~(x < 0)).sum(),
    lambda x, k: tg.stop_gradient(x) * np.clip(x, -0.3, 0.4),
    lambda x, k: x * len(np.unique(np.round(2 * x))),
]


@pytest.mark.filterwarnings("ignore")
@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6), numbers)
@SETTINGS
def test_random_questions(steps, seed):
    def f(x, m):
        for which, k in steps:
            x = QUESTIONS[which % len(QUESTIONS)](x, k) + np.sin(m[0, k % 3])
        return x

    recording = Recording(f, *point(seed))
    for other in (seed, seed + 1, seed + 2):
        try:
            (found,) = recording.replay(*point(other))
        except Diverged:
            assert other != seed
            continue
        assert close(found, f(*point(other)), 1e-12)


# The recording itself ---------------------------------------------------------------------------


def here():
    return sys._getframe(1).f_lineno


def test_guards_know_the_line():
    x = POINTS[0]
    line = here() + 3

    def f(x):
        return x if x[0] > 0 else -x

    recording = Recording(f, x)
    ((node, expected, file, found),) = recording.guards
    assert (file, found) == (__file__, line)
    assert expected.dtype == bool and expected
    assert recording.nodes[node][1] == "greater"
    tape = recording.tape
    assert tape.lines(0, tape.mark())[node] == (__file__, line)


def test_a_node_is_guarded_once():
    def f(x):
        big = x[0] > 0
        return x if big and big and big else -x

    assert len(Recording(f, POINTS[0]).guards) == 1


def test_looking_guards_nothing():
    def f(x):
        repr(x), str(x > 0), f"{x[0]:.2f}", x.shape, np.shape(x), np.array2string(x)
        x.reshape((5, 1), order="F").flat
        return np.zeros_like(x) + x

    assert not Recording(f, POINTS[0]).guards


def test_detached_values_leave_guarded_and_others_not_at_all():
    def f(x):
        with pytest.raises(tg.DetachedError):
            float(x[0])
        with pytest.raises(tg.DetachedError):
            np.asarray(x)
        return float(tg.stop_gradient(x[0])) * np.asarray(x > 0), float(np.argmax(x))

    assert len(Recording(f, POINTS[0]).guards) == 3


def test_one_shot_derivatives_get_plain_answers():
    def f(x):
        assert type(x > 0) is np.ndarray and isinstance(np.argmax(x), np.integer)
        assert type(x[0] > 0) is bool and isinstance(tg.stop_gradient(x), np.ndarray)
        assert type(np.isnan(x)) is np.ndarray and not _core.in_program()
        with pytest.raises(TypeError):
            range(x[0])
        with pytest.raises(TypeError):
            ~x
        with pytest.raises(TypeError):
            x & x
        return x[0] * 2.0

    tg.grad(f)(POINTS[0])


def test_programs_are_outermost():
    def f(x):
        with pytest.raises(ValueError, match="cannot be nested"):
            _core.Tape.enter(program=True)
        return x

    tg.grad(f)(1.0)
    Recording(f, np.ones(1))


def test_an_exception_closes_the_recording():
    def f(x):
        raise KeyError("user")

    with pytest.raises(KeyError, match="user"):
        Recording(f, POINTS[0])
    assert not _core.recording()
    assert tg.grad(lambda x: x * x)(3.0) == 6.0


def test_arguments_of_any_dtype_keep_it():
    def f(i, b, x):
        return x[i], np.where(b, x, 0.0), i + 1, x * i

    i, b, x = np.array([2, 0, -1]), np.array([True, False, True]), np.array([1.0, 2.0, 4.0])
    recording = Recording(f, i, b, x)
    j = np.array([1, 1, 2])
    for a, c in zip(recording.replay(j, ~b, 2 * x), f(j, ~b, 2 * x), strict=True):
        assert same(a, c) and a.dtype == c.dtype
    with pytest.raises(Diverged):  # out of bounds
        recording.replay(j + 5, b, x)


def test_values_between_are_freed():
    tape = _core.Tape.enter(program=True)
    x = tape.input(np.ones(1000))
    y = np.exp(np.sin(x)) * x
    tg.grad(lambda z: np.sum(z * z))(y)
    kept = [n[1] for n in tape.nodes(0, 4) if n[5] is not None]
    tape.leave()
    assert kept == []


def test_captured_arrays_are_noticed_when_they_change():
    weights, big, mask = np.ones(5), np.ones(100_000), np.arange(5) % 2 == 0
    index, table = np.array([0, 2]), np.ones((3, 4))

    def f(x):
        local = np.arange(5.0)
        y = x * weights[::-1] * local + np.where(mask, x, 1.0) + np.sum(big * x[0])
        return (
            y[index] * table[1, :2]
            + x.take(index)
            + x.compress(mask)[:2]
            + (2.0 * local)[:2] * x[0]
        )

    recording = Recording(f, POINTS[0])
    arrays = [array for array, _ in recording.tape.captured()]
    for wanted in (weights, big, mask, index, table):
        assert any(array is wanted for array in arrays)
    assert len(arrays) == 5
    assert not recording.tape.captured_changed()
    for array, place in ((weights, 1), (big, 0), (mask, 1), (index, 0), (table, (1, 0))):
        old = array[place].copy()
        array[place] = not old if array is mask else old + 1
        assert recording.tape.captured_changed()
        array[place] = old
        assert not recording.tape.captured_changed()
    table[0, 0] = 7.0  # not read
    assert not recording.tape.captured_changed()


def test_a_captured_array_is_one_constant():
    weights = np.ones(5)

    def f(x):
        for _ in range(10):
            x = x * weights
        weights[0] = 2.0  # what is read later is another constant
        return x + weights

    try:
        recording = Recording(f, POINTS[0])
    finally:
        weights[0] = 1.0
    assert [n[1] for n in recording.nodes].count("constant") == 2
    assert recording.tape.captured_changed()  # the function does not leave it as it was
    found = recording.replay(POINTS[1])[0]
    assert same(found, POINTS[1] + [2.0, 1.0, 1.0, 1.0, 1.0])


def test_arguments_are_not_captured():
    x = np.ones(5)
    assert Recording(lambda x: x * 2.0, x).tape.captured() == []


def test_other_threads_take_no_value_unseen():
    def f(x):
        errors = []

        def take():
            for ask in (np.argmax, tg.stop_gradient, np.isnan, bool, np.any, repr):
                try:
                    ask(x[0] if ask is bool else x)
                except tg.RecordingError as error:
                    errors.append(error)

        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
        assert len(errors) == 5  # looking is allowed
        return x

    Recording(f, POINTS[0])


def test_integers_take_no_numbers_in_place():
    def f(x):
        i = np.argsort(x)
        with pytest.raises(TypeError):
            i *= 1.5
        i += 1
        return i

    assert same(Recording(f, POINTS[0]).replay(POINTS[3])[0], np.argsort(POINTS[3]) + 1)


def test_sorts_order_ties_as_numpy():
    rng = np.random.default_rng(0)
    for dtype in (float, np.float32, complex, np.int64, bool):
        x = rng.integers(0, 5, (7, 300)).astype(dtype)
        for axis in (0, 1):
            for kind, name in enumerate(("quicksort", "stable")):
                found = _core.apply("argsort", (x,), (axis, kind))
                assert same(found, np.argsort(x, axis, name)), (dtype, axis, name)
        assert same(_core.apply("argmax", (x,), (1,)), np.argmax(x, 1))
        assert same(_core.apply("argmin", (x,), (0,)), np.argmin(x, 0))
