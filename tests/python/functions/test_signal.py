"""tapegrad.scipy.signal against SciPy, and its derivatives; the op of the recursive filter."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from functions.expressions import check_complex, check_derivatives, check_program, check_value
from functions.replayed import check_replay
from ops.single_op import check_op, sample

import tapegrad as tg
from tapegrad.scipy import signal

EXPRESSIONS = """
tsignal.convolve(v, u)
tsignal.correlate(v, u)
tsignal.correlate(x, m, "same")
tsignal.fftconvolve(x, m, "same")
tsignal.oaconvolve(v, u)
tsignal.oaconvolve(x, m, "valid")
tsignal.oaconvolve(x, y, axes=1)
tsignal.lfilter(u, p, x)
tsignal.lfilter_zi(u, p)
tsignal.filtfilt(u, [1.0, -0.4, 0.1], x, padlen=2)
tsignal.sosfilt(np.stack([u, w[:3]]) @ np.eye(3, 6) + np.eye(6)[3], x)
tsignal.sosfilt([[0.2, 0.3, -0.1, 1.0, -0.5, 0.2]], x, zi=r.reshape(1, 4, 2)[:, :3])
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression):
    check_value(expression, rtol=1e-11)
    check_derivatives(expression)
    check_program(expression)
    check_complex(expression)


SHAPES = [
    ((5,), (3,)),
    ((3,), (5,)),
    ((4,), (4,)),
    ((1,), (3,)),
    ((4, 5), (2, 3)),
    ((3, 2, 4),) * 2,
]


@pytest.mark.parametrize("method", ["direct", "fft", "auto"])
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize(("first", "second"), SHAPES)
def test_convolve_and_correlate(first, second, mode, method):
    x, y = sample(first), sample(second)
    z, w = sample(first, "c16"), sample(second, "c16")
    for name in ("convolve", "correlate"):
        ours, theirs = getattr(signal, name), getattr(scipy.signal, name)

        def call(x, y, ours=ours):
            return ours(x, y, mode, method)

        for args in ((x, y), (z, w), (x, w)):
            value, _ = tg.vjp(call, *args)
            expected = theirs(*args, mode, method)
            np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
            assert value.dtype == expected.dtype
        if method != "auto":
            tg.testing.check_grads(call, (x, y), order=2 if mode == "full" else 1)
            tg.testing.check_grads(call, (z, w), order=1)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_fftconvolve_along_axes(mode):
    x, y = sample((3, 5, 4)), sample((3, 2, 1))
    for function in ("fftconvolve", "oaconvolve"):
        value, _ = tg.vjp(lambda x, y: getattr(signal, function)(x, y, mode, axes=1), x, y)
        expected = getattr(scipy.signal, function)(x, y, mode, axes=1)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    tg.testing.check_grads(lambda x, y: signal.fftconvolve(x, y, mode, axes=[1, -1]), (x, y))


def test_convolutions_of_numbers_nothing_and_misfits():
    assert tg.grad(lambda x: signal.convolve(x, 3.0))(2.0) == 3.0
    empty, _ = tg.vjp(lambda x: signal.fftconvolve(x, np.zeros(0)), np.ones(2))
    assert empty.shape == (0,)
    for call, error in [
        (lambda x: signal.convolve(x, np.ones((2, 2))), ValueError),
        (lambda x: signal.convolve(x, np.ones(2), mode="other"), ValueError),
        (lambda x: signal.convolve(x, np.ones(2), method="other"), ValueError),
        (lambda x: signal.convolve(x.reshape(3, 1), np.ones((1, 2)), "valid"), ValueError),
    ]:
        with pytest.raises(error):
            tg.vjp(call, np.ones(3))
    x = np.linspace(0, 1, 5, dtype=np.float32)
    for method in ("direct", "fft"):
        value, pullback = tg.vjp(lambda x: signal.convolve(x, x, method=method), x)
        assert value.dtype == np.float32 and pullback(value)[0].dtype == np.float32


@pytest.mark.parametrize("taps", [1, 2, 12, 13, 33, 40])
@pytest.mark.parametrize("n", [1, 2, 31, 70])
def test_every_way_to_convolve_rows(n, taps):
    b, x = sample((taps,)), sample((3, n))
    value, pullback = tg.vjp(lambda b, x: signal.lfilter(b, 1.0, x), b, x)
    np.testing.assert_allclose(value, scipy.signal.lfilter(b, 1.0, x), rtol=1e-12, atol=1e-12)
    tangents = sample(b.shape), sample(x.shape)
    _, tangent = tg.jvp(lambda b, x: signal.lfilter(b, 1.0, x), (b, x), tangents)
    expected = scipy.signal.lfilter(tangents[0], 1.0, x) + scipy.signal.lfilter(b, 1.0, tangents[1])
    np.testing.assert_allclose(tangent, expected, rtol=1e-12, atol=1e-12)
    w = sample(x.shape)
    paired = sum(np.sum(g * t) for g, t in zip(pullback(w), tangents, strict=True))
    assert paired == pytest.approx(np.sum(w * tangent), rel=1e-10, abs=1e-12)


def test_nan_stays_where_it_is_in_direct_convolution():
    x = np.array([np.nan, 1.0, 2.0, 3.0])
    value, _ = tg.vjp(lambda x: signal.convolve(x, np.ones(2), method="direct"), x)
    np.testing.assert_array_equal(value, [np.nan, np.nan, 3.0, 5.0, 3.0])


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize(
    ("x", "a"), [((6,), (2,)), ((2, 5), (1,)), ((4,), (3, 2)), ((3, 4), (3, 0))]
)
@pytest.mark.parametrize("dtype", ["f8", "c16"])
def test_allpole(x, a, reverse, dtype):
    def reference(x, a):
        if reverse:
            x = x[..., ::-1]
        lead = np.broadcast_shapes(x.shape[:-1], a.shape[:-1])
        y = np.zeros((*lead, x.shape[-1]), np.result_type(x, a))
        for t in range(x.shape[-1]):
            y[..., t] = x[..., t]
            for k in range(min(t, a.shape[-1])):
                y[..., t] -= a[..., k] * y[..., t - 1 - k]
        return y[..., ::-1] if reverse else y

    check_op("allpole", reference, [sample(x, dtype), 0.3 * sample(a, dtype)], (reverse,))


FILTERS = [
    ([0.5, 0.2, -0.3], [1.0, -0.4, 0.1]),
    ([0.5], [2.0, -0.4, 0.3, 0.1]),
    ([0.5, 0.2, -0.3, 0.7], [1.5]),
    ([2.0], [4.0]),
]


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize(("b", "a"), FILTERS)
def test_lfilter(b, a, n):
    b, a, x = np.array(b), np.array(a), sample((2, n, 3))
    order = max(len(a), len(b)) - 1
    value, _ = tg.vjp(lambda b, a, x: signal.lfilter(b, a, x, 1), b, a, x)
    np.testing.assert_allclose(value, scipy.signal.lfilter(b, a, x, 1), rtol=1e-12, atol=1e-12)
    tg.testing.check_grads(lambda b, a, x: signal.lfilter(b, a, x, axis=1), (b, a, x))
    zi = sample((2, order, 3))

    def with_state(b, a, x, zi):
        return signal.lfilter(b, a, x, axis=1, zi=zi)

    expected = scipy.signal.lfilter(b, a, x, axis=1, zi=zi)
    for found, wanted in zip(tg.vjp(with_state, b, a, x, zi)[0], expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    tg.testing.check_grads(with_state, (b, a, x, zi))


def test_lfilter_splits():
    # The final state of one part is the initial state of the next.
    b, a, x = np.array([0.2, 0.3, -0.1]), np.array([1.0, -0.5, 0.3, 0.2]), sample((9,))

    def parts(x):
        first, state = signal.lfilter(b, a, x[:2], zi=np.zeros(3))
        second, state = signal.lfilter(b, a, x[2:3], zi=state)
        third, _ = signal.lfilter(b, a, x[3:], zi=state)
        return np.concatenate([first, second, third])

    value, _ = tg.vjp(parts, x)
    np.testing.assert_allclose(value, scipy.signal.lfilter(b, a, x), rtol=1e-12)
    whole = tg.jacobian(lambda x: signal.lfilter(b, a, x))(x)
    np.testing.assert_allclose(tg.jacobian(parts)(x), whole, atol=1e-14)


def test_lfilter_complex_long_and_wrong():
    b, a = np.array([1.0, 0.5j]), np.array([1.0, -0.3 + 0.4j])
    x = sample((200,))
    value, _ = tg.vjp(lambda a: signal.lfilter(b, a, x), a)
    np.testing.assert_allclose(value, scipy.signal.lfilter(b, a, x), rtol=1e-12)
    tg.testing.check_grads(lambda b, a: signal.lfilter(b, a, x), (b, a), order=1)
    taps = sample((150,))
    value, _ = tg.vjp(lambda x: signal.lfilter(taps, 1.0, x), x)
    np.testing.assert_allclose(value, scipy.signal.lfilter(taps, 1.0, x), atol=1e-12)
    single = np.ones(4, np.float32)
    value, _ = tg.vjp(lambda x: signal.lfilter(single, single, x), single)
    assert value.dtype == np.float32
    for call in (
        lambda x: signal.lfilter([1.0], [0.0, 1.0], x),
        lambda x: signal.lfilter(np.ones((2, 2)), [1.0], x),
        lambda x: signal.lfilter([1.0], [1.0, 1.0], x, zi=np.ones(2)),
        lambda x: signal.lfilter([1.0], [1.0, 1.0], x, zi=np.ones((1, 1))),
    ):
        with pytest.raises(ValueError):
            tg.vjp(call, x)


def test_sosfilt():
    sos = scipy.signal.butter(4, 0.3, output="sos")
    x, zi = sample((6,)), sample((2, 2))
    value, _ = tg.vjp(lambda x: signal.sosfilt(sos, x), x)
    np.testing.assert_allclose(value, scipy.signal.sosfilt(sos, x), rtol=1e-12)
    expected = scipy.signal.sosfilt(sos, x, zi=zi)
    found, _ = tg.vjp(lambda x, zi: signal.sosfilt(sos, x, zi=zi), x, zi)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


@pytest.mark.parametrize(("b", "a"), FILTERS[:3])
def test_lfilter_zi(b, a):
    b, a = np.array(b), np.array(a)
    value, _ = tg.vjp(signal.lfilter_zi, b, a)
    np.testing.assert_allclose(value, scipy.signal.lfilter_zi(b, a), rtol=1e-12, atol=1e-14)
    tg.testing.check_grads(signal.lfilter_zi, (b, a))


@pytest.mark.parametrize("padtype", ["odd", "even", "constant", None])
@pytest.mark.parametrize("padlen", [None, 0, 1, 4])
def test_filtfilt(padtype, padlen):
    b, a = np.array([0.2, 0.3, 0.1]), np.array([1.0, -0.5, 0.2])
    for x, axis in ((sample((12,)), -1), (sample((11, 2)), 0), (sample((5,)), 0)):
        if padlen is None and padtype is not None and x.shape[axis] < 10:
            with pytest.raises(ValueError, match="padlen"):
                tg.vjp(lambda x: signal.filtfilt(b, a, x, axis, padtype, padlen), x)
            continue
        wanted = scipy.signal.filtfilt(b, a, x, axis, padtype, padlen)
        value, _ = tg.vjp(lambda x: signal.filtfilt(b, a, x, axis, padtype, padlen), x)
        np.testing.assert_allclose(value, wanted, rtol=1e-11, atol=1e-12)
    tg.testing.check_grads(
        lambda b, a, x: signal.filtfilt(b, a, x, padtype=padtype, padlen=1), (b, a, sample((4,)))
    )
    with pytest.raises(tg.UnsupportedError, match="gust"):
        tg.vjp(lambda x: signal.filtfilt(b, a, x, method="gust"), x)


def test_programs_and_batches():
    b, a, x = np.array([0.5, 0.2]), np.array([1.0, -0.4, 0.1]), sample((6,))
    check_replay(signal.lfilter, (b, a, x), (b + 1, a * 1.5, x - 1))
    check_replay(lambda x, k: signal.convolve(x, k, "same"), (x, b), (x * 2, b - 1))
    check_replay(lambda x, k: signal.fftconvolve(x, k), (x, b), (x * 2, b - 1))
    rows = sample((3, 6))
    filtered = tg.vmap(lambda x: signal.lfilter(b, a, x))(rows)
    np.testing.assert_allclose(filtered, scipy.signal.lfilter(b, a, rows), rtol=1e-12)
    poles = np.stack([a, a * 1.1, a * 1.2])
    filtered = tg.vmap(lambda a, x: signal.lfilter(b, a, x))(poles, rows)
    for row, (a_row, x_row) in zip(filtered, zip(poles, rows, strict=True), strict=True):
        np.testing.assert_allclose(row, scipy.signal.lfilter(b, a_row, x_row), rtol=1e-12)


def test_scipy_serves_what_is_not_recorded():
    assert signal.convolve([1, 2], [3, 4]).tolist() == [3, 10, 8]
    assert signal.firwin is scipy.signal.firwin
