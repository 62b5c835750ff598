"""The function that each elementwise op is named after, from NumPy, SciPy or mpmath, and its
slopes: what test_elementwise.py compares with."""

from itertools import pairwise

import mpmath
import numpy as np
from scipy import special

from tapegrad import _core


def sinc_derivative(order, x):
    assert np.all(np.asarray(order) == 1)
    return order * (np.cos(np.pi * x) - np.sinc(x)) / x


def ldexp(x, y):
    return np.ldexp(x, np.asarray(y).astype(int))


def by_mpmath(f):
    """A function that SciPy has not, at NumPy arrays, to 30 digits before rounding."""

    def at(*numbers):
        with mpmath.workdps(30):
            return float(f(*(mpmath.mpf(float(x)) for x in numbers)))

    def call(*xs):
        dtype = np.result_type(*(np.asarray(x) for x in xs))
        return np.vectorize(at, otypes=[float])(*xs).astype(dtype)[()]

    return call


def derivative(f):
    """f^(n)(x) as a function of n and x."""
    return by_mpmath(lambda n, x: mpmath.diff(f, x, int(n), h=mpmath.mpf(10) ** -8))


def gamma_density(a, x):
    return x ** (a - 1) * mpmath.exp(-x) / mpmath.gamma(a)


# Ops that have no ufunc.
OURS = {
    "erfcx_derivative": derivative(lambda x: mpmath.exp(x * x) * mpmath.erfc(x)),
    "dawsn_derivative": derivative(
        lambda x: mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(-x * x) * mpmath.erfi(x)
    ),
    "log_minus_psi": by_mpmath(lambda x, a: mpmath.log(x) - mpmath.psi(0, a)),
    "gamma_density": by_mpmath(gamma_density),
    "polygamma": by_mpmath(lambda n, x: mpmath.psi(int(n), x)),
    "expn": by_mpmath(mpmath.expint),
    "alpha_integral": by_mpmath(lambda n, x: mpmath.expint(-n, x)),
    "sine_integral": by_mpmath(mpmath.si),
    "cosine_integral": by_mpmath(mpmath.ci),
    "ellipk_derivative": derivative(mpmath.ellipk),
    "ellipe_derivative": derivative(mpmath.ellipe),
    "i0e_derivative": derivative(lambda x: mpmath.exp(-abs(x)) * mpmath.besseli(0, x)),
    "k0e_derivative": derivative(lambda x: mpmath.exp(x) * mpmath.besselk(0, x)),
    "spherical_jn": special.spherical_jn,
}
OWN = {
    **OURS,
    "scale": np.multiply,
    "root": np.sqrt,
    "sinc_derivative": sinc_derivative,
    "ldexp": ldexp,
    "i0": special.i0,
    "expit_difference": lambda x, y: special.expit(x - y),
}
# The derivative is zero: by convention, though the value moves, or between steps.
ZERO = {"nextafter", "floor_divide"}


def reference(name):
    """The function that the op is named after."""
    return OWN.get(name) or getattr(np, name, None) or getattr(special, name)


ROWS = {row["name"]: row for row in _core.ops()}


def slope(f, xs, i):
    """df/dx_i, elementwise, by central differences extrapolated three times."""

    def central(h):
        ahead, behind = list(xs), list(xs)
        ahead[i] = xs[i] + h
        behind[i] = xs[i] - h
        return (f(*ahead) - f(*behind)) / (2 * h)

    with np.errstate(all="ignore"):
        table = [central(h) for h in (8e-3, 4e-3, 2e-3, 1e-3)]
    for ratio in (4, 16, 64):
        table = [(ratio * b - a) / (ratio - 1) for a, b in pairwise(table)]
    return table[0]


def exactly(name):
    """Whether a complex step is exact: it is for NumPy's functions, not for all of SciPy's."""
    return ROWS[name]["complex"] and name not in OWN and hasattr(np, name)


def exact_slope(name, xs, i):
    """By a complex step where NumPy's function takes complex numbers, else by differences."""
    f = reference(name)
    if name in ZERO:
        return np.zeros(np.broadcast_shapes(*(x.shape for x in xs)))
    if exactly(name) and not any(map(np.iscomplexobj, xs)):
        stepped = [x.astype(complex) for x in xs]
        stepped[i] = stepped[i] + 1e-30j
        return np.imag(f(*stepped)) / 1e-30
    return slope(f, xs, i)
