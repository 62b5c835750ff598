"""One test for each fixed defect of views and of what is written through them; each failed
before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tapegrad as tg
import tapegrad.numpy as tnp

X = np.array([1.0, 2.0, 3.0, 4.0])


def value_of(f: Callable[[Any], Any], x: Any = X) -> Any:
    return tg.vjp(f, x)[0]


# Views ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cut",
    [
        lambda y: y[::-1][2:],
        lambda y: y[::-1][::-1],
        lambda y: np.flip(y)[1:],
        lambda y: y.reshape(2, 2)[::-1][1],
        lambda y: y.reshape(2, 2).T[::-1, ::-1][0, 1:],
    ],
)
def test_views_of_reversed_views_write_through(cut: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        cut(y)[0] = 9.0
        return y

    np.testing.assert_array_equal(value_of(f), f(X))


def test_a_reshape_that_copies_is_no_view() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        z = y.T.reshape(-1)
        z[0] = 99.0
        return y

    for _ in range(20):  # it depended on where the copy lay in memory
        np.testing.assert_array_equal(value_of(f), f(X))


def test_a_reshape_is_a_view_after_a_write_through_the_transpose() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        y.T[0] = x[:2] * 10.0
        y.reshape(-1)[3] = x[0]
        return y

    np.testing.assert_array_equal(value_of(f), f(X))


def test_the_chain_of_views_stays_short() -> None:
    def f(x: Any) -> Any:
        total = 0.0
        while x.shape[0] > 1:
            total = total + x[0] * x[1]
            x = x[1:]
        return total

    n = 30000  # took time in proportion to n**2: minutes
    begin = time.perf_counter()
    gradient = tg.grad(f)(np.ones(n))
    assert time.perf_counter() - begin < 10
    np.testing.assert_array_equal(gradient, [1.0, *[2.0] * (n - 2), 1.0])


@pytest.mark.parametrize("shaped", [np.atleast_1d, lambda s: s.reshape(1), np.expand_dims])
def test_a_shaped_scalar_does_not_write_to_the_scalar(shaped: Callable[..., Any]) -> None:
    def f(x: Any) -> Any:
        s = x[0]
        z = shaped(s, 0) if shaped is np.expand_dims else shaped(s)
        z += 10.0
        return s * x[1]

    value, gradient = tg.value_and_grad(f)(X)
    assert value == 2.0
    np.testing.assert_array_equal(gradient, [2.0, 1.0, 0.0, 0.0])


def test_a_refused_assignment_leaves_the_parent_as_it_was() -> None:
    def f(x: Any) -> Any:
        y = x * 2.0
        with pytest.raises(ValueError, match="read-only"):
            np.broadcast_to(y, (3, 4))[0, 0] = 5.0
        return y

    np.testing.assert_array_equal(value_of(f), 2 * X)
    np.testing.assert_array_equal(tg.jacobian(f)(X), 2 * np.eye(4))


# Views that become active through their parent ----------------------------------------------------


def late(x: Any) -> Any:
    """A view made before its parent held anything recorded."""
    y = tnp.zeros(4)
    v = y[:2]
    y[0] = 3.0 * x[0]
    return v


@pytest.mark.parametrize("transform", [tg.jacobian, tg.jacfwd, tg.jacrev])
def test_a_view_that_became_active_is_no_constant(transform: Callable[..., Any]) -> None:
    expected = np.zeros((2, 4))
    expected[0, 0] = 3.0
    np.testing.assert_array_equal(transform(late)(X), expected)


def test_a_view_that_became_active_does_not_detach() -> None:
    with pytest.raises(tg.DetachedError):
        tg.grad(lambda x: np.asarray(late(x)).sum() * x[0])(X)


def test_a_view_outside_of_a_recording_shows_its_parent() -> None:
    def f(x: Any) -> Any:
        y = tnp.zeros(3)
        made.append((y, y[1:]))
        return x[0]

    made: list[Any] = []
    tg.grad(f)(X)
    y, v = made[0]
    y[1] = 5.0
    np.testing.assert_array_equal(tg.stop_gradient(v), [5.0, 0.0])


# Views of another kind: flat, and the parts of complex numbers ------------------------------------


def test_flat_of_a_transposed_array_writes_through() -> None:
    def f(x: Any) -> Any:
        y = x.reshape(2, 2) * 1.0
        row = y.T.flat
        y[1, 0] = x[3] * 3.0  # seen by the view
        row[2] = 7.0 * row[1]
        y.T.flat[[0, 3]] = 5.0
        return np.sum(y * np.array([[1.0, 10.0], [100.0, 1000.0]]))

    value, gradient = tg.value_and_grad(f)(X)
    assert value == 5.0 + 10.0 * 21.0 * X[3] + 100.0 * 3.0 * X[3] + 5000.0
    assert gradient.tolist() == [0.0, 0.0, 0.0, 510.0]
    tg.testing.check_grads(f, (X,), order=2)
    assert tg.grad(lambda x: x.reshape(2, 2).T.flat[1] ** 2)(X).tolist() == [0.0, 0.0, 6.0, 0.0]


def test_real_and_imaginary_parts_write_through() -> None:
    def f(np_: Any, x: Any) -> Any:
        z = x * (1.0 + 2.0j)
        real, corner = z.real, z.reshape(2, 2)[1].imag
        z.real[1] = 3.0 * x[0]  # a view of a view
        z.imag[...] = x**2
        corner[0] = 5.0 * x[1]  # z[2]
        z.real = z.imag * 2.0
        real[0] += x[3]
        z.imag[2:] *= x[0]
        return np_.sum(real * np_.array([1.0, 10.0, 100.0, 1000.0])) + np_.sum(z.imag**2)

    value, gradient = tg.value_and_grad(lambda x: f(np, x))(X)
    assert value == f(np, X.copy())
    tg.testing.check_grads(lambda x: f(np, x), (X,), order=2)
    program = tg.function(lambda x: f(np, x))
    for x in (X, X + 1.0):
        assert tg.grad(program)(x) == pytest.approx(tg.grad(lambda x: f(np, x))(x), rel=1e-14)
    assert tg.hessian(program)(X) == pytest.approx(tg.hessian(lambda x: f(np, x))(X), rel=1e-13)
    assert gradient.shape == (4,)


@pytest.mark.parametrize("special", [np.inf, -np.inf, np.nan, -0.0])
def test_parts_that_are_no_numbers_stay_apart(special: float) -> None:
    def f(x: Any) -> Any:
        z = x + 1j * np.array([special, 1.0])
        z.real[0] = special
        z.imag[1] = special
        return z.real, z.imag

    with np.errstate(all="ignore"):
        for found, expected in zip(tg.vjp(f, X[:2])[0], f(X[:2]), strict=True):
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))


def test_what_has_no_parts_to_assign() -> None:
    def imaginary(x: Any) -> Any:
        x = x.copy()
        x.imag = 1.0

    def number(x: Any) -> Any:
        (x[0] + 1j).real = 1.0

    def gone(x: Any) -> Any:
        z = x + 1j
        del z.real

    for f, message in (
        (imaginary, "no imaginary part"),
        (number, "no parts to assign"),
        (gone, "cannot delete"),
    ):
        with pytest.raises(TypeError, match=message):
            tg.grad(f)(X)

    def real(x: Any) -> Any:
        y = x * 2.0
        y.real = x**2
        return np.sum(y)

    assert tg.grad(real)(X).tolist() == (2.0 * X).tolist()


# Views or copies, and memory orders ---------------------------------------------------------------

M = np.arange(9.0).reshape(3, 3) + 1.0
WEIGHTS = np.arange(9.0)


def slope_by_differences(f: Callable[[Any], Any], x: Any, step: float = 1e-5) -> Any:
    gradient = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        shift = np.zeros(x.shape)
        shift[i] = step
        gradient[i] = (f(x + shift) - f(x - shift)) / (2.0 * step)
    return gradient


def scaled(y: Any, flat: Any) -> Any:
    """Writes through what is a view in NumPy, reads the base."""
    flat *= np.arange(2.0, 2.0 + flat.size).reshape(flat.shape)
    return np.sum(y**2)


def halved(x: Any) -> Any:
    y = x * 1.0
    t = y.reshape(-1)
    y *= 0.5
    return np.sum(t * WEIGHTS)


def parts_of_complex(x: Any) -> Any:
    z = x + 2j * x
    z.real.ravel()[:] = 0.0  # a copy
    t = z.imag.reshape(-1)  # a view
    t *= WEIGHTS
    return np.sum(np.abs(z) ** 2)


def written_flat(x: Any) -> Any:
    y = x * 1.0
    t = y.flat[1:3]
    t *= 7.0
    y.flat[4:6] = 2.0 * x[0, :2]
    y.flat[::4] *= 3.0
    return np.sum(y**2)


def real_conjugate(x: Any) -> Any:
    y = x * 1.0
    t, u = y.conj(), np.conj(y)
    t *= 2.0
    u *= 5.0
    return np.sum(y**2)


def reshape_copies(x: Any) -> Any:
    y = x * 1.0
    for t in (np.reshape(y, y.shape, copy=True), np.reshape(y, 9, copy=True), np.block(y)):
        t *= 9.0
    return np.sum(y**2)


def columns_raveled(x: Any) -> Any:
    y = x * 1.0
    y[:, 0].ravel()[:] = 0.0  # a copy, because there are gaps
    y[1].ravel()[:] = 4.0 * x[0]
    y[:, 1].reshape(-1)[:2] = x[2, 0]
    return np.sum(y**2)


def diagonal_by_einsum(x: Any) -> Any:
    y = x * 1.0
    np.einsum("ii->i", y)[:] = 3.0 * x[0]
    np.einsum("ij->ji", y)[0, 2] = x[1, 1] ** 2
    np.einsum("ji", y)[1, 2] = x[0, 0]
    t = np.einsum("ij->i", y)
    t *= 0.0
    return np.sum(y**2)


def diagonal_by_einsum_of_a_transpose(x: Any) -> Any:
    y = np.stack([x.T, 2.0 * x]).transpose(1, 2, 0)
    np.einsum("iij->ij", y)[1:] = x[:2, :2]
    return np.sum(y**2)


def stale_windows(x: Any) -> Any:
    y = x[0] * 1.0
    windows = np.lib.stride_tricks.sliding_window_view(y, 2)
    y[:] = y * 3.0
    return np.sum(windows * np.arange(4.0).reshape(2, 2))


def stale_diagonal(x: Any) -> Any:
    y = x * 1.0
    d, e = np.diagonal(y, 1), np.diag(y)
    y *= x
    return np.sum(d**2) + np.sum(e * np.arange(3.0))


def copied_orders(x: Any) -> Any:
    total = 0.0
    for y in (x.T.copy("F"), x.T.copy("K"), x.T.copy(), x.T.copy("A"), np.copy(x.T)):
        total = total + y.reshape(-1, order="A") @ WEIGHTS**2 + y.ravel("K") @ WEIGHTS
        total = total + scaled(y, y.ravel())
    return total


SURE = [
    lambda x: scaled(y := x * 1.0, y.ravel()),
    lambda x: scaled(y := np.zeros_like(x) + x, y.reshape(9)),
    lambda x: scaled(y := np.where(x.T > 0, x.T, 0.0), y.ravel()),
    lambda x: scaled(y := np.where(x > 4, x, x.T), y.ravel()),
    lambda x: scaled(y := x.T * 1.0, y.reshape(-1)),
    lambda x: scaled(y := x.T * 1.0, y.T.reshape(-1)),
    lambda x: scaled(y := x * 1.0, y.T.ravel("F")),
    lambda x: scaled(y := x.T * 1.0, y.ravel("K")),
    lambda x: scaled(y := np.stack([x, x**2]), y.reshape(-1)),
    lambda x: scaled(y := np.concatenate([x, x**2]), y.ravel()),
    lambda x: scaled(y := np.sum(np.stack([x, x**2]), 0), y.ravel()),
    lambda x: scaled(y := x @ x, y.ravel()),
    lambda x: scaled(y := x[[0, 2]], y.ravel()),
    lambda x: scaled(y := np.sort(x, axis=0), y.ravel()),
    lambda x: scaled(y := np.cumsum(x, axis=0), y.ravel()),
    lambda x: scaled(y := x.T.astype(complex).real, y.reshape(-1)),
    lambda x: scaled(y := np.full_like(x.T, 2.0) * 1.0 + x.T, y.reshape(-1)),
    lambda x: np.where(x.T > 0, x.T, 0.0).ravel("K") @ WEIGHTS,
    lambda x: np.transpose(x.reshape(1, 3, 3), (1, 0, 2)).ravel("K") @ WEIGHTS,
    lambda x: (x.T + 1j).ravel("K").real @ WEIGHTS,
    halved,
    parts_of_complex,
    written_flat,
    real_conjugate,
    reshape_copies,
    columns_raveled,
    diagonal_by_einsum,
    diagonal_by_einsum_of_a_transpose,
    stale_windows,
    stale_diagonal,
    copied_orders,
]


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("f", SURE)
def test_views_and_copies_are_numpys(f: Callable[[Any], Any], layout: Callable[..., Any]) -> None:
    x = layout(M * 0.3)
    expected, slope = f(x.copy("K")), slope_by_differences(lambda y: f(layout(y)), M * 0.3)
    try:
        tg.grad(f)(x)
    except tg.UnsupportedError:  # results of other ops than elementwise ones
        assert layout is np.asfortranarray
        return
    for g in (f, tg.function(f)):
        value, gradient = tg.value_and_grad(g)(x)
        np.testing.assert_allclose(value, expected, rtol=1e-13)
        np.testing.assert_allclose(gradient, slope, rtol=1e-7, atol=1e-6)
        np.testing.assert_allclose(tg.jacfwd(f)(x), slope, rtol=1e-7, atol=1e-6)
    batch = np.stack([M * 0.3, M * 0.2])
    expected = [f(one.copy()) for one in batch]
    np.testing.assert_allclose(tg.vmap(f)(batch), expected, rtol=1e-13)


def test_a_program_is_good_for_one_memory_order() -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        return scaled(y, y.ravel())

    program = tg.function(f)
    for x in (M, np.asfortranarray(M), M, np.repeat(M, 2, 1)[:, ::2].copy()):
        np.testing.assert_allclose(program(x), f(x), rtol=1e-13)


def test_instances_of_a_batch_have_the_memory_order_of_their_rows() -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        return scaled(y, y.ravel())

    rows = np.arange(24.0).reshape(2, 3, 4) * 0.1
    mapped = tg.vmap(f)
    for batch in (rows, rows.swapaxes(1, 2), rows):
        np.testing.assert_allclose(mapped(batch), [f(one) for one in batch], rtol=1e-13)
        gradient = tg.grad(lambda x: np.sum(mapped(x)))(batch)
        order = "C" if batch.flags.c_contiguous else "F"
        expected = [
            slope_by_differences(lambda x, order=order: f(np.array(x, order=order)), one)
            for one in batch
        ]
        np.testing.assert_allclose(gradient, expected, atol=1e-6)
    with pytest.raises(tg.UnsupportedError, match="memory order"):  # instances with gaps
        tg.vmap(f, in_axes=1)(rows)


GUESSED = {
    "columns by a list": lambda x: x[:, [0, 1]],
    "columns by a mask": lambda x: x[:, np.array([True, False, True])],
    "the last axis by a list": lambda x: x[..., [0, 2]],
    "concatenate": lambda x: np.concatenate([x.T, x.T]),
    "stack": lambda x: np.stack([x.T, x.T]),
    "sort": lambda x: np.sort(x.T, axis=0),
    "partition": lambda x: np.partition(x.T, 1, axis=0),
    "cumsum": lambda x: np.cumsum(x.T, axis=0),
    "cumprod": lambda x: np.cumprod(x.T, axis=0),
    "sum": lambda x: np.sum(np.stack([x.T, x.T]).T, axis=2),
    "roll": lambda x: np.roll(x.T, 1, axis=0),
    "pad": lambda x: np.pad(x.T, 1),
    "reflected": lambda x: np.pad(x.T, 1, mode="reflect"),
    "fft": lambda x: np.fft.fft(x.T, axis=0).real,
    "qr": lambda x: np.linalg.qr(x + np.eye(3))[0],
    "svd": lambda x: np.linalg.svd(x + np.eye(3))[0],
    "windows": lambda x: np.lib.stride_tricks.sliding_window_view(x[0], 2) * 1.0,
    "einsum": lambda x: np.einsum("ij,jk->ki", x, x),
    "after a write": lambda x: (y := x.T * 1.0, y.__setitem__(0, 1.0))[0],
    "of a guess": lambda x: np.zeros_like(np.sort(x.T, axis=0)) + x[:, [0, 1, 2]],
}


@pytest.mark.parametrize("make", GUESSED.values(), ids=GUESSED.keys())
def test_where_numpys_memory_order_is_not_known_a_flattening_is_not_guessed(
    make: Callable[[Any], Any],
) -> None:
    def refused(f: Callable[[Any], Any]) -> None:
        for g in (f, tg.function(f)):
            with pytest.raises(tg.UnsupportedError, match=r"test_regressions_views.*memory order"):
                tg.grad(g)(M * 0.3)

    def written(x: Any) -> Any:
        y = make(x)
        t = y.reshape(-1)
        t *= 2.0
        return np.sum(y)

    def raveled(x: Any) -> Any:
        y = make(x)
        y.ravel()[:2] = 2.0
        return np.sum(y)

    def stale(x: Any) -> Any:
        y = make(x)
        t = y.ravel()
        y *= 2.0
        return np.sum(t)

    def copied(x: Any) -> Any:
        y = make(x)
        t = y.ravel().copy()
        t *= 2.0
        y[...] = y * 3.0
        return np.sum(y**2) + np.sum(t) + np.sum(make(x).reshape(-1) ** 2)

    for f in (written, raveled, stale, lambda x: np.sum(make(x).ravel("K") ** 2)):
        refused(f)
    refused(lambda x: np.sum(make(x).reshape(-1, order="A") ** 2))
    value, gradient = tg.value_and_grad(copied)(M * 0.3)
    np.testing.assert_allclose(value, copied(M * 0.3), rtol=1e-12)
    np.testing.assert_allclose(gradient, slope_by_differences(copied, M * 0.3), atol=1e-6)


@pytest.mark.parametrize(
    "cut",
    [
        np.diagonal,
        np.diag,
        lambda y: np.diagonal(y, 1),
        lambda y: np.diagonal(np.stack([y, y]), 0, 1, 2),
        lambda y: np.lib.stride_tricks.sliding_window_view(y[0], 2),
    ],
)
def test_diagonals_and_windows_are_read_only(cut: Callable[[Any], Any]) -> None:
    def f(x: Any) -> Any:
        y = x * 1.0
        cut(y)[0] = 5.0
        return np.sum(y)

    with pytest.raises(ValueError, match="read-only"):
        f(M)
    for g in (f, tg.function(f)):
        with pytest.raises(ValueError, match="read-only"):
            tg.grad(g)(M)


def _through_one_element(v):
    v = v.copy()
    y = v[0, ...]
    y += 1.0
    return np.sum(v) * y


def _through_squeeze(v):
    v = v.copy()
    y = np.squeeze(v[:1])
    y *= 3.0
    return np.sum(v**2)


def _follows_its_array(v):
    v = v.copy()
    y, z = v[1, ...], v[0:1].reshape(())
    v[:] *= 2.0
    z -= y
    return y * z + v[0]


def _sum_kept_in_a_list(v):
    s = np.zeros_like(v[0])
    kept = []
    for q in v:
        s += q**2
        kept.append(s)
    return kept[0] * 1.0


def _numbers_rebind(v):
    kept = []
    s = v[0]
    for q in v:
        s += q**2
        kept.append(s)
    return kept[0] + np.sum(v)


def _written_by_item(v):
    y = v.copy()
    part = y[1, ...]
    part[()] = v[0] ** 2
    part[...] += 1.0
    return np.sum(y**2)


@pytest.mark.parametrize(
    "f",
    [
        _through_one_element,
        _through_squeeze,
        _follows_its_array,
        _sum_kept_in_a_list,
        _numbers_rebind,
        _written_by_item,
    ],
)
def test_arrays_without_axes_are_written_to(f):
    x = np.array([0.3, 1.2])
    step = 1e-20
    slopes = [f(x + step * 1j * unit).imag / step for unit in np.eye(2)]
    for transform in tg.value_and_grad, lambda f: tg.function(f).value_and_grad:
        value, gradient = transform(f)(x)
        np.testing.assert_allclose(value, f(x), 1e-15)
        np.testing.assert_allclose(gradient, slopes, 1e-14)
    np.testing.assert_allclose(tg.jacfwd(f)(x), slopes, 1e-14)
    np.testing.assert_allclose(tg.vmap(f)(np.stack([x, x])), [f(x)] * 2, 1e-15)


def _gram(x):
    c = x.T @ x
    c.ravel()[::5] += 0.1
    return np.sum(c**2)


def _stacked_columns(x):
    y = np.stack([x[:, 0], x[:, 1]], 1).reshape(-1)
    y[0] = 0.0
    return np.sum(y**2)


def _padded_interior(x):
    y = np.pad(x[1:-1, 1:-1], 1).ravel()
    y[0] = x[0, 0]
    return np.sum(y**2)


def _diagonal_of_a_factor(x):
    lower = np.linalg.cholesky(x.T @ x + np.eye(4))
    line = lower.reshape(-1)
    line[::5] = np.log(line[::5])
    return np.sum(lower)


@pytest.mark.parametrize("f", [_gram, _stacked_columns, _padded_interior, _diagonal_of_a_factor])
def test_flattenings_of_what_is_made_of_slices_and_products_are_written(f):
    x = np.random.default_rng(3).uniform(1.0, 2.0, (6, 4))
    value, gradient = tg.value_and_grad(f)(x)
    np.testing.assert_allclose(value, f(x), 1e-13)
    h = 1e-6
    along = np.cos(np.arange(24.0)).reshape(6, 4)
    np.testing.assert_allclose(
        np.vdot(gradient, along), (f(x + h * along) - f(x - h * along)) / (2 * h), 1e-6
    )
