"""Every elementwise op of the registry: value, tangent, adjoint and second order, by a loop over
the table, in each dtype, shape and memory layout, against NumPy's and SciPy's own functions."""

from itertools import product

import numpy as np
import pytest
from ops.references import OURS, OWN, ROWS, ZERO, exact_slope, exactly, reference, slope
from ops.single_op import pairing

import tapegrad as tg
from tapegrad import _core

RNG = np.random.default_rng()


@pytest.fixture(autouse=True)
def same_numbers_in_any_order_of_tests():
    global RNG
    RNG = np.random.default_rng(7)


OPS = [name for name, row in ROWS.items() if row["kind"] in ("unary", "binary")]
COMPLEX = [name for name in OPS if ROWS[name]["complex"] and name not in OURS]
COMPARISONS = [name for name, row in ROWS.items() if row["kind"] == "comparison"]
BINARY = [name for name in OPS if ROWS[name]["kind"] == "binary"]


def arity(name):
    return len(ROWS[name]["low"])


def moving(name):
    """The operands that derivatives are taken to: those with a range to draw from."""
    row = ROWS[name]
    return [i for i in range(arity(name)) if row["low"][i] < row["high"][i]]


def draw(name, shapes, dtype=np.float64):
    """Arguments from the sample ranges of the table, away from kinks and poles."""
    row = ROWS[name]
    drawn = []
    for low, high, shape in zip(row["low"], row["high"], shapes, strict=False):
        x = RNG.uniform(low, high, shape) if low < high else np.full(shape, float(low))
        if dtype == np.complex128:
            x = x + 1j * RNG.uniform(-0.3, 0.3, shape)
        drawn.append(np.asarray(x, dtype))
    return drawn


def direction(x):
    v = RNG.uniform(0.5, 1.0, x.shape) * RNG.choice([-1, 1], x.shape)
    if x.dtype == np.complex128:
        v = v * np.exp(1j * RNG.uniform(0, 6, x.shape))
    return np.asarray(v, x.dtype)


def apply(name):
    return lambda *operands: _core.apply(name, operands)


def of_moving(name, xs):
    """The op as a function of the operands that derivatives are taken to, and those."""
    places = moving(name)

    def f(*values):
        operands = list(xs)
        for i, x in zip(places, values, strict=True):
            operands[i] = x
        return _core.apply(name, tuple(operands))

    return f, [xs[i] for i in places]


def close(found, wanted, rtol):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    atol = rtol * max(1.0, np.max(np.abs(wanted), initial=0.0))
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)


SHAPES = [
    ((), ()),
    ((5,), (5,)),
    ((33,), (33,)),
    ((2, 1), (1, 3)),
    ((3,), ()),
    ((), (2, 2)),
    ((2, 3), (3,)),
    ((0, 3), (3,)),
    ((1,), (0,)),
]


@pytest.mark.parametrize("name", OPS)
def test_value(name):
    for shapes in SHAPES:
        xs = draw(name, shapes)
        wanted = reference(name)(*xs)
        found = _core.apply(name, tuple(xs))
        atol = 1e-14 if name == "sinc_derivative" else 0  # the reference cancels
        rtol = 1e-13 if name in OURS else 2e-15
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)
        f, points = of_moving(name, xs)
        recorded = tg.jvp(f, tuple(points), tuple(map(np.zeros_like, points)))[0]
        np.testing.assert_array_equal(recorded, found)


SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.5, 1e-310, 1e300, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("name", OPS)
def test_value_at_special_numbers(name):
    if name in ("sinc_derivative", "expit_difference", "scale", *OURS):
        pytest.skip("the reference has another domain")
    xs = [SPECIAL] if arity(name) == 1 else [a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL)]
    if name == "ldexp":
        xs = [SPECIAL, np.full_like(SPECIAL, 3.0)]
    with np.errstate(all="ignore"):
        wanted = reference(name)(*xs)
        found = _core.apply(name, tuple(xs))
    for row in zip(*xs, found, wanted, strict=True):
        # atol: the spacing of subnormal numbers, where vector and scalar kernels round differently
        np.testing.assert_allclose(
            row[-2], row[-1], rtol=1e-14, atol=1e-322, err_msg=f"{name}{row[:-2]}"
        )


ORDERED = {"less", "less_equal", "greater", "greater_equal", "signbit"}  # not of complex numbers


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name):
    for dtype in (float, np.float32, complex, bool, np.int64):
        if dtype is complex and name in ORDERED:
            continue
        with np.errstate(all="ignore"):
            special = SPECIAL.astype(dtype)
        xs = (special[:, None], special)[: arity(name)]
        found = _core.apply(name, xs)
        assert found.dtype == bool
        np.testing.assert_array_equal(found, reference(name)(*xs))


INTEGER = (
    "add subtract multiply negative positive square absolute sign maximum minimum fmax fmin "
    "floor_divide remainder fmod"
).split()


@pytest.mark.parametrize("name", INTEGER)
def test_integers(name):
    limits = np.iinfo(np.int64)
    values = np.array([0, 1, -1, 2, 3, -7, 10**9, limits.max, limits.min])
    xs = (values[:, None], values)[: arity(name)]
    found = _core.apply(name, xs)
    with np.errstate(all="ignore"):
        wanted = reference(name)(*xs)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", OPS)
def test_tangent_and_adjoint(name):
    xs = draw(name, [(40,), (40,)])
    for i in moving(name):
        wanted = exact_slope(name, xs, i)
        rtol = 1e-12 if exactly(name) else 1e-9

        def of_i(x, i=i):
            operands = list(xs)
            operands[i] = x
            return _core.apply(name, tuple(operands))

        v = direction(xs[i])
        close(tg.jvp(of_i, (xs[i],), (v,))[1], wanted * v, rtol)
        close(tg.vjp(of_i, xs[i])[1](v)[0], wanted * v, rtol)
        for k in range(3):
            at = tg.grad(lambda *o: _core.apply(name, o), argnums=i)(*(float(x[k]) for x in xs))
            close(at, wanted[k], rtol)


def unit(count, k, n):
    """Tangents of `count` operands, ones for operand k."""
    return tuple(np.full(n, float(i == k)) for i in range(count))


def pulled(f, i):
    """The derivative by operand i as a function of all, in reverse."""

    def first(*operands):
        y, pull = tg.vjp(f, *operands)
        return pull(np.ones_like(y))[i]

    return first


def pushed(f, i):
    """The same, forward."""
    return lambda *xs: tg.jvp(f, xs, unit(len(xs), i, len(xs[0])))[1]


@pytest.mark.parametrize("name", OPS)
def test_second_order(name):
    n = 20
    f, xs = of_moving(name, draw(name, [(n,), (n,)]))
    total = lambda *operands: np.sum(f(*operands))
    for i, j in product(range(len(xs)), repeat=2):
        wanted = np.zeros(n) if name in ZERO else slope(pulled(f, i), xs, j)
        tangents = unit(len(xs), j, n)
        by_hvp = tg.hvp(total, tuple(xs), tangents)
        close(by_hvp if len(xs) == 1 else by_hvp[i], wanted, 1e-7)
        for first in (pulled(f, i), pushed(f, i)):
            close(tg.jvp(first, tuple(xs), tangents)[1], wanted, 1e-7)
            close(tg.vjp(first, *xs)[1](np.ones(n))[j], wanted, 1e-7)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_broadcasting(name, shapes):
    """Adjoints have the shapes of the operands, and <w, J v> = <J^T w, v>."""
    f, xs = of_moving(name, draw(name, shapes))
    vs = [direction(x) for x in xs]
    y, t = tg.jvp(f, tuple(xs), tuple(vs))
    y, pull = tg.vjp(f, *xs)
    w = np.asarray(direction(np.asarray(y)))
    adjoints = pull(w)
    for a, x in zip(adjoints, xs, strict=True):
        assert a.shape == x.shape and a.dtype == x.dtype
    pairs = [pairing(a, v) for a, v in zip(adjoints, vs, strict=True)]
    assert sum(pairs) == pytest.approx(pairing(w, t), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", OPS)
def test_float32(name):
    xs = draw(name, [(30,), (30,)], np.float32)
    y = _core.apply(name, tuple(xs))
    assert y.dtype == np.float32
    with np.errstate(all="ignore"):
        close(y, np.asarray(reference(name)(*xs), np.float32), 3e-6)
    for i in moving(name):
        operand = lambda x, i=i: _core.apply(name, (*xs[:i], x, *xs[i + 1 :]))
        v = direction(xs[i])
        _, t = tg.jvp(operand, (xs[i],), (v,))
        a = tg.vjp(operand, xs[i])[1](v)[0]
        assert t.dtype == a.dtype == np.float32
        wide = [x.astype(np.float64) for x in xs]
        close(t, exact_slope(name, wide, i) * v, 2e-5)
        close(a, t, 2e-6)


@pytest.mark.parametrize("name", COMPLEX)
def test_complex(name):
    """The derivative of a holomorphic function: J v and w J are products with f'(z)."""
    operands = draw(name, [(25,), (25,)], np.complex128)
    if len(moving(name)) < len(operands):
        operands[0] = operands[0].real + 0j  # an order
    f, xs = of_moving(name, operands)

    def wanted_value(*points):
        values = [x.real if i not in moving(name) else x for i, x in enumerate(operands)]
        for i, x in zip(moving(name), points, strict=True):
            values[i] = x
        return reference(name)(*values)

    y, pull = tg.vjp(f, *xs)
    np.testing.assert_allclose(y, wanted_value(*xs), rtol=1e-13, atol=1e-13)
    w = direction(np.asarray(y))
    adjoints = pull(w)
    for i, x in enumerate(xs):
        wanted = slope(wanted_value, xs, i)
        vs = [direction(x) if k == i else np.zeros_like(x) for k, x in enumerate(xs)]
        close(tg.jvp(f, tuple(xs), tuple(vs))[1], wanted * vs[i], 1e-9)
        close(adjoints[i], wanted * w, 1e-9)

        def total(x, i=i):
            return np.sum(f(*xs[:i], x, *xs[i + 1 :]))

        second = slope(tg.grad(total, holomorphic=True), [x], 0)
        v = direction(x)
        found = tg.jvp(tg.grad(total, holomorphic=True), (x,), (v,))[1]
        close(found, second * v, 1e-7)


@pytest.mark.parametrize("name", [n for n in OPS if not ROWS[n]["complex"]])
def test_complex_numbers_are_refused(name):
    z = [np.full(3, 1.0 + 1.0j) for _ in range(arity(name))]
    with pytest.raises((tg.UnsupportedError, TypeError, ValueError), match=name):
        tg.vjp(apply(name), *z)


def layouts(x):
    """The same values in other memory."""
    wide = np.empty((x.size, 3))
    wide[:, 1] = x
    frozen = x.copy()
    frozen.setflags(write=False)
    backwards = x[::-1].copy()
    return {
        "strided": wide[:, 1],
        "negative": backwards[::-1],
        "read-only": frozen,
        "byte-swapped": x.astype(x.dtype.newbyteorder()),
    }


@pytest.mark.parametrize("name", OPS)
def test_memory_layouts(name):
    xs = draw(name, [(21,), (21,)])

    def derivatives(*operands):
        f, points = of_moving(name, operands)
        y, pull = tg.vjp(f, *points)
        return [y, *pull(np.ones(21))]

    wanted = derivatives(*xs)
    for kind in layouts(xs[0]):
        found = derivatives(*(layouts(x)[kind] for x in xs))
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=4e-16, atol=0)


def by_operand(f, xs, i):
    """f as a function of its operand i."""
    return lambda x: f(*xs[:i], x, *xs[i + 1 :])


@pytest.mark.parametrize("name", [n for n in OPS if n not in OWN])
def test_numpys_own_function_is_recorded(name):
    """`np.sin(x)` on a Variable is the op `sin`, with an array, a number, and mixed operands."""
    xs = draw(name, [(4,), (4,)])
    for i in moving(name):
        found, wanted = (
            tg.vjp(by_operand(f, xs, i), xs[i])[1](np.ones(4))[0]
            for f in (reference(name), apply(name))
        )
        np.testing.assert_array_equal(found, wanted)
        single = [float(x[0]) for x in xs]
        at = tg.grad(by_operand(reference(name), single, i))(single[i])
        assert isinstance(at, float)
        np.testing.assert_allclose(at, wanted[0], rtol=1e-15)


NAN_FREE = [
    ("absolute", (0.0,), (0.0,)),
    ("fabs", (0.0,), (0.0,)),
    ("sign", (0.0,), (0.0,)),
    ("maximum", (1.0, 1.0), (0.5, 0.5)),
    ("minimum", (1.0, 1.0), (0.5, 0.5)),
    ("fmax", (1.0, 1.0), (0.5, 0.5)),
    ("fmin", (1.0, 1.0), (0.5, 0.5)),
    ("fmax", (np.nan, 1.0), (0.0, 1.0)),
    ("hypot", (0.0, 0.0), (0.0, 0.0)),
    ("arctan2", (0.0, 0.0), (0.0, 0.0)),
    ("power", (0.0, 0.0), (0.0, 0.0)),
    ("power", (0.0, 1.0), (1.0, 0.0)),
    ("power", (0.0, 2.0), (0.0, 0.0)),
    ("power", (-2.0, 3.0), (12.0, None)),
    ("sinc", (0.0,), (0.0,)),
    ("logaddexp", (-np.inf, 0.0), (0.0, 1.0)),
    ("logaddexp", (-np.inf, -np.inf), (0.5, 0.5)),
    ("logaddexp2", (np.inf, np.inf), (0.5, 0.5)),
    ("expit", (800.0,), (0.0,)),
    ("expit", (-800.0,), (0.0,)),
    ("heaviside", (0.0, 0.5), (0.0, 1.0)),
    ("rint", (0.5,), (0.0,)),
]


@pytest.mark.parametrize("name, at, wanted", NAN_FREE, ids=lambda v: str(v))
def test_kinks(name, at, wanted):
    with np.errstate(all="ignore"):
        numbers = tg.grad(apply(name), argnums=tuple(range(len(at))))(*at)
        arrays = tg.vjp(apply(name), *(np.full(2, x) for x in at))[1](np.ones(2))
        tangents = [
            tg.jvp(lambda x, i=i: _core.apply(name, (*at[:i], x, *at[i + 1 :])), (a,), (1.0,))[1]
            for i, a in enumerate(at)
        ]
    for i, slope_ in enumerate(wanted):
        if slope_ is not None:
            assert numbers[i] == slope_ and tangents[i] == slope_
            assert np.array_equal(arrays[i], [slope_, slope_])
