"""tapegrad.scipy.interpolate against SciPy, and derivatives in the argument and in the data."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.interpolate
from functions.replayed import check_replay

import tapegrad as tg
from tapegrad.scipy import interpolate

RNG = np.random.default_rng(11)


def points(n: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.cumsum(RNG.uniform(0.2, 1.0, n))
    return x, RNG.standard_normal((n, 2))


Y = RNG.standard_normal((2, 2))
CONDITIONS = [
    "not-a-knot",
    "natural",
    "clamped",
    "periodic",
    ((1, Y[0]), (2, Y[1])),
    ((2, Y[0]), (1, Y[1])),
    ("not-a-knot", (1, Y[0])),
    ("natural", "not-a-knot"),
]


def close(found, wanted, tolerance=1e-11):
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("bc_type", CONDITIONS)
@pytest.mark.parametrize("n", [2, 3, 4, 5, 30])
def test_cubic_spline(n, bc_type):
    x, y = points(n)
    if bc_type == "periodic":
        y[-1] = y[0]
    at = np.concatenate([RNG.uniform(x[0] - 1, x[-1] + 1, 5), x[[0, -1]]])
    theirs = scipy.interpolate.CubicSpline(x, y, bc_type=bc_type)
    for nu in range(5):
        value, _ = tg.vjp(lambda x, y: interpolate.CubicSpline(x, y, bc_type=bc_type)(at, nu), x, y)
        scale = np.max(np.abs(theirs(at, nu)), initial=1.0)
        close(value / scale, theirs(at, nu) / scale, 1e-9)
    spline = interpolate.CubicSpline(x, y, bc_type=bc_type)
    close(spline(at), theirs(at))
    close(tg.jvp(spline, (at,), (np.ones_like(at),))[1], theirs(at, 1), 1e-9)
    close(tg.vjp(lambda a: spline.integrate(a, x[-1] + 2.0), x[0])[0],
          theirs.integrate(x[0], x[-1] + 2.0), 1e-10)  # fmt: skip


@pytest.mark.parametrize("bc_type", [c for c in CONDITIONS if c != "periodic"])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_derivatives_of_cubic_splines_in_everything(n, bc_type):
    x, y = points(n)
    at = RNG.uniform(x[0], x[-1], 4)
    tg.testing.check_grads(
        lambda x, y, at: interpolate.CubicSpline(x, y, bc_type=bc_type)(at), (x, y, at)
    )


def test_derivatives_of_a_periodic_spline():
    x, y = points(6)

    def value(x, y, at):
        y = np.concatenate([y[:-1], y[:1]])
        spline = interpolate.CubicSpline(x, y, bc_type="periodic")
        return spline(at), spline.integrate(at[0], at[1])

    at = np.array([x[0] - 2.3, x[-1] + 4.1, x[2] + 0.1])
    tg.testing.check_grads(value, (x, y, at))
    with pytest.raises(ValueError, match="identical"):
        tg.vjp(lambda y: interpolate.CubicSpline(x, y, bc_type="periodic")(0.0), y)


def test_values_at_the_ends_are_differentiated():
    x, y = points(4)

    def value(start, end):
        return interpolate.CubicSpline(x, y, bc_type=((1, start), (2, end)))(x[0] + 0.3)

    tg.testing.check_grads(value, (Y[0], Y[1]))
    slope = tg.jacobian(
        lambda s: interpolate.CubicSpline(x, y, bc_type=((1, s), "natural"))(x[0], 1)
    )(Y[0])
    close(slope, np.eye(2))


def test_a_cubic_is_reproduced_and_differentiated():
    x = np.array([0.0, 0.5, 2.0, 3.0, 3.5])
    spline = interpolate.CubicSpline(x, x**3 - x)
    for at in (-1.0, 0.5, 1.2, 4.0):
        close(tg.grad(spline)(at), 3 * at**2 - 1, 1e-10)
        close(tg.derivative(spline, 2)(at), 6 * at, 1e-9)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_axes_and_complex(axis):
    x = np.arange(4.0)
    y = RNG.standard_normal((4, 4, 4))
    at = np.array([[0.3, 1.7], [2.2, -0.5]])
    for name in ("CubicSpline", "PchipInterpolator"):
        value, _ = tg.vjp(lambda y: getattr(interpolate, name)(x, y, axis=axis)(at), y)
        close(value, getattr(scipy.interpolate, name)(x, y, axis=axis)(at))
    z = y + 1j * y[::-1]
    value, _ = tg.vjp(lambda z: interpolate.CubicSpline(x, z, axis=axis)(at), z)
    close(value, scipy.interpolate.CubicSpline(x, z, axis=axis)(at))
    for kind in ("linear", "nearest", "previous", "cubic"):
        wanted = scipy.interpolate.interp1d(x, y, kind, axis, fill_value=7.0, bounds_error=False)
        value, _ = tg.vjp(
            lambda y: interpolate.interp1d(x, y, kind, axis, fill_value=7.0, bounds_error=False)(
                at
            ),
            y,
        )
        close(value, wanted(at))


def test_pchip():
    x, y = points(7)
    y[2:5, 0] = 1.0  # a plateau
    at = RNG.uniform(x[0] - 0.2, x[-1] + 0.2, 9)
    value, _ = tg.vjp(lambda x, y: interpolate.PchipInterpolator(x, y)(at), x, y)
    close(value, scipy.interpolate.PchipInterpolator(x, y)(at))
    x, y = points(6)
    tg.testing.check_grads(lambda x, y, at: interpolate.PchipInterpolator(x, y)(at), (x, y, at[:3]))
    plateau = tg.jacobian(lambda y: interpolate.PchipInterpolator(x, y)(at))(np.ones(6))
    assert np.isfinite(plateau).all()


def test_hermite_and_piecewise_polynomials():
    x, y = points(4)
    slopes, at = RNG.standard_normal((4, 2)), np.array([x[0] + 0.1, x[2] + 0.2])
    value, _ = tg.vjp(lambda s: interpolate.CubicHermiteSpline(x, y, s)(at), slopes)
    close(value, scipy.interpolate.CubicHermiteSpline(x, y, slopes)(at))
    tg.testing.check_grads(
        lambda x, y, s, at: interpolate.CubicHermiteSpline(x, y, s)(at), (x, y, slopes, at)
    )
    c = RNG.standard_normal((3, 3))
    theirs = scipy.interpolate.PPoly(c, x)
    ours = interpolate.PPoly(c, x)
    for nu in (-2, -1, 0, 1, 2, 3):
        value, _ = tg.vjp(lambda c: interpolate.PPoly(c, x).derivative(nu)(at), c)
        close(value, theirs.derivative(nu)(at))
    close(ours.roots(), theirs.roots())
    tg.testing.check_grads(
        lambda c, x, a, b: interpolate.PPoly(c, x).integrate(a, b), (c, x, x[0], x[2] + 0.1)
    )


def test_outside():
    x, y = np.arange(3.0), np.array([0.0, 1.0, 4.0])
    at = np.array([-1.0, 1.5, np.nan])
    for extrapolate in (False, True):
        wanted = scipy.interpolate.CubicSpline(x, y, extrapolate=extrapolate)(at)
        value, _ = tg.vjp(lambda y: interpolate.CubicSpline(x, y, extrapolate=extrapolate)(at), y)
        np.testing.assert_allclose(value, wanted, atol=1e-14)
    with pytest.raises(ValueError, match="outside the interpolation range"):
        tg.vjp(lambda y: interpolate.interp1d(x, y)(at), y)


@pytest.mark.parametrize(
    "kind", ["linear", "slinear", "nearest", "nearest-up", "previous", "zero", "next", "cubic"]
)
@pytest.mark.parametrize(
    "options",
    [
        {"fill_value": "extrapolate"},
        {"bounds_error": False},
        {"bounds_error": False, "fill_value": (-1.0, 5.0)},
    ],
)
def test_interp1d(kind, options):
    x, y = points(6)
    if kind == "zero" and options["fill_value" if "fill_value" in options else "bounds_error"]:
        options = {"bounds_error": False}
    shuffled = RNG.permutation(6)
    at = np.concatenate([RNG.uniform(x[0] - 1, x[-1] + 1, 8), x, 0.5 * (x[1:] + x[:-1])])
    wanted = scipy.interpolate.interp1d(x[shuffled], y[shuffled], kind, axis=0, **options)(at)
    value, _ = tg.vjp(
        lambda y: interpolate.interp1d(x[shuffled], y, kind, axis=0, **options)(at), y[shuffled]
    )
    np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-9)


def test_derivatives_of_interp1d():
    x, y = points(5)
    at = RNG.uniform(x[0], x[-1], 3)
    tg.testing.check_grads(lambda x, y, at: interpolate.interp1d(x, y, axis=0)(at), (x, y, at))
    steps = tg.grad(lambda at: interpolate.interp1d(x, y[:, 0], "nearest")(at))(at[0])
    assert steps == 0.0
    with pytest.raises(tg.UnsupportedError, match="quadratic"):
        tg.vjp(lambda y: interpolate.interp1d(x, y, "quadratic", axis=0)(at), y)


def test_programs_and_batches():
    x, y = points(6)
    at = np.array([x[0] + 0.05, x[3] + 0.1])
    elsewhere = np.array([x[4] + 0.05, x[1] + 0.1])
    check_replay(lambda y, at: interpolate.CubicSpline(x, y)(at), (y, at), (1.0 - y, elsewhere))
    check_replay(
        lambda y, at: interpolate.interp1d(x, y, axis=0)(at), (y, at), (1.0 - y, elsewhere)
    )
    rows = tg.vmap(lambda y: interpolate.CubicSpline(x, y)(at))(y.T)
    close(rows, scipy.interpolate.CubicSpline(x, y)(at).T)


def test_errors():
    x = np.arange(3.0)
    for call in (
        lambda y: interpolate.CubicSpline(x[::-1], y),
        lambda y: interpolate.CubicSpline(x[:2], y),
        lambda y: interpolate.CubicSpline(x, y, bc_type="other"),
        lambda y: interpolate.CubicSpline(x, y, bc_type=((3, 0.0), "natural")),
        lambda y: interpolate.CubicSpline(x, y, bc_type=((1, x), "natural")),
        lambda y: interpolate.CubicSpline(x, y, bc_type=("periodic", "natural")),
        lambda y: interpolate.CubicHermiteSpline(x, y, y[:2]),
        lambda y: interpolate.CubicSpline(x, y)(0.5, -1),
    ):
        with pytest.raises(ValueError):
            tg.vjp(lambda y, call=call: call(y) and y, x)
    assert interpolate.BSpline is scipy.interpolate.BSpline
