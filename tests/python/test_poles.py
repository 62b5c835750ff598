"""Zero adjoints at infinite slopes: NaN where the element counts, nothing where it was left out,
for every op that has a pole and behind random chains of operations. Whether an element counts is
asked of NumPy: does the result move with it?"""

from __future__ import annotations

import numpy as np
import pytest
from modes import forward_modes, reverse_modes
from numpy.testing import assert_array_equal
from ops.references import ROWS
from scipy import special

import tapegrad as tg
from tapegrad import _core, stats

pytestmark = pytest.mark.filterwarnings("ignore")

POLES = {
    "sqrt": (np.sqrt, 0.0),
    "cbrt": (np.cbrt, 0.0),
    "power": (lambda x: np.power(x, 0.3), 0.0),
    "float exponent": (lambda x: x**0.5, 0.0),
    "log": (np.log, 0.0),
    "log2": (np.log2, 0.0),
    "log10": (np.log10, 0.0),
    "log1p": (np.log1p, -1.0),
    "reciprocal": (np.reciprocal, 0.0),
    "divide": (lambda x: 1.0 / x, 0.0),
    "arcsin": (np.arcsin, 1.0),
    "arccos": (np.arccos, 1.0),
    "arccosh": (np.arccosh, 1.0),
    "arctanh": (np.arctanh, 1.0),
}


def flat(value):
    """A function of slope 0 at this value, be it finite or not."""
    if np.isfinite(value):
        return lambda v: (v - value) ** 2
    return lambda v: np.exp(-np.abs(v))


@pytest.mark.parametrize("name", POLES)
def test_a_vanishing_adjoint_loses_the_slope(name):
    op, pole = POLES[name]
    outer = flat(op(np.float64(pole)))
    for mode, gradient in reverse_modes(lambda x: outer(op(x))).items():
        assert np.isnan(gradient(pole)), mode
    x = np.array([pole, 2.0 if name == "arccosh" else 0.5 + pole / 4, pole])
    for mode, gradient in reverse_modes(lambda x: np.sum(outer(op(x)))).items():
        assert_array_equal(np.isnan(gradient(x)), [True, False, True], mode)
    assert np.isnan(tg.hvp(lambda x: outer(op(x)), (pole,), (1.0,)))
    single = np.array([pole], np.float32)
    outer = flat(op(single)[0])
    assert np.isnan(tg.grad(lambda x: np.sum(outer(op(x))))(single)).all()


def poles_of(name):
    """Where the table's op has a value and an infinite slope, in one operand: functions of it."""
    row = ROWS[name]
    for k in range(len(row["low"])):
        if row["low"][k] == row["high"][k]:  # an order, which has no derivative
            continue
        for at in (0.0, 1.0, -1.0):
            others = (0.0, 1.0, -1.0) if len(row["low"]) == 2 else (None,)
            for other in others:
                operands = [at] if other is None else [other, at] if k else [at, other]
                if any(
                    lo == hi and v != lo
                    for lo, hi, v in zip(row["low"], row["high"], operands, strict=True)
                ):
                    continue

                def f(x, operands=tuple(operands), k=k):
                    return _core.apply(name, (*operands[:k], x, *operands[k + 1 :]), ())

                value, slope = tg.value_and_grad(f)(at)
                if not np.isnan(value) and not np.isfinite(slope):
                    yield f, at, value


@pytest.mark.parametrize(
    "name", [n for n, row in ROWS.items() if row["kind"] in ("unary", "binary") and n != "scale"]
)
def test_every_op_of_the_registry(name):
    """The list in ops/poles.hpp is complete."""
    for f, at, value in poles_of(name):
        outer = flat(value)
        for mode, gradient in reverse_modes(lambda x, f=f, outer=outer: outer(f(x))).items():
            if mode != "jacobian of a program":
                assert np.isnan(gradient(at)), (mode, at)


def test_many_ops_have_poles():
    assert sum(any(True for _ in poles_of(name)) for name in ROWS if ROWS[name]["low"]) > 30


@pytest.mark.parametrize("name", POLES)
def test_what_is_left_out_hands_nothing_on(name):
    op, pole = POLES[name]
    x = np.array([pole, 2.0 if name == "arccosh" else 0.5 + pole / 4, pole])
    slope = tg.grad(lambda x: op(x))(x[1])
    for form, f in {
        "where": lambda x: np.sum(np.where(x == pole, 0.0, op(x))),
        "where of a product": lambda x: np.sum(np.where(x == pole, 0.0, op(x) * op(x))) / 2,
        "slice": lambda x: np.sum(op(x)[1:2]),
        "element": lambda x: op(x)[1],
        "gather": lambda x: np.sum(op(x)[np.array([1])]),
        "mask": lambda x: np.sum(op(x)[x != pole]),
        "overwritten": lambda x: np.sum(overwritten(op(x))),
    }.items():
        factor = op(x[1]) if "product" in form else 1.0
        for mode, gradient in reverse_modes(f).items():
            np.testing.assert_allclose(
                gradient(x), [0.0, factor * slope, 0.0], 1e-14, err_msg=f"{form} {mode}"
            )


def overwritten(y):
    y = y + 0.0
    y[0] = 1.0
    y[2:] = 2.0
    return y


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.maximum(np.sqrt(x), 1.0)),
        lambda x: np.sum(np.fmax(1.0, np.sqrt(x))),
        lambda x: np.max(np.sqrt(x)),
        lambda x: np.sum(np.array([0.0, 1.0]) * np.sqrt(x)),
        lambda x: np.sum(np.sqrt(x) * (x > 0)),
        lambda x: np.clip(np.sqrt(x), 1.0, 3.0)[1],
    ],
)
def test_not_chosen_or_times_a_constant_zero(f):
    x = np.array([0.0, 4.0])
    for mode, gradient in reverse_modes(f).items():
        assert_array_equal(gradient(x), [0.0, 0.25], mode)
    assert_array_equal(tg.hvp(f, (x,), (np.ones(2),)), [0.0, -1.0 / 32])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sqrt(np.maximum(x, 0.0))),
        lambda x: np.sum(np.log(np.clip(x, 0.0, 9.0))),
        lambda x: np.sum(np.sqrt(np.max(np.stack([x, np.zeros(2)]), axis=0))),
        lambda x: np.sqrt(np.fmax(x[0], 0.0)) + np.sqrt(x[1]),
    ],
)
def test_what_was_not_chosen_gets_nothing_of_an_infinite_slope(f):
    x = np.array([-1.0, 4.0])
    wanted = [0.0, 0.25]
    for mode, gradient in (reverse_modes(f) | {"jacfwd": tg.jacfwd(f)}).items():
        assert_array_equal(gradient(x), wanted, mode)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.round(np.sqrt(x)),
        lambda x: np.sign(np.sqrt(x)),
        lambda x: (x > 0.0) * np.sqrt(x),
    ],
)
def test_behind_steps_nothing_counts(f):
    for mode, gradient in reverse_modes(f).items():
        if mode != "jacobian of a program":  # in forward mode
            assert gradient(0.0) == 0.0, mode


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sign(x) * np.sqrt(np.abs(x)),
        lambda x: np.sign(x) * np.abs(x) ** 0.7,
        lambda x: np.sign(x) * np.cbrt(np.abs(x)),
        lambda x: np.heaviside(x, 0.0) * np.sqrt(x),
        lambda x: np.floor(x) * np.sqrt(x),
    ],
)
def test_a_step_that_is_zero_at_its_jump_leaves_nothing_out(f):
    for mode, gradient in (reverse_modes(f) | forward_modes(f)).items():
        assert np.isnan(gradient(0.0)), mode


PARAMETRIC = {
    "gammainc": lambda x: special.gammainc(0.5, x) ** 2,
    "gammaincc": lambda x: (1.0 - special.gammaincc(0.5, x)) ** 2,
    "betainc": lambda x: special.betainc(0.5, 2.0, x) ** 2,
    "jv": lambda x: special.jv(0.5, x) ** 2,
    "beta": lambda x: 1.0 / special.beta(x, 2.0),
    "betaln": lambda x: np.exp(-special.betaln(x, 2.0)),
    "chi2": lambda x: stats.chi2.cdf(x, 1.0) ** 2,
}


@pytest.mark.parametrize("name", PARAMETRIC)
def test_functions_with_parameters(name):
    f = PARAMETRIC[name]
    for mode, gradient in reverse_modes(f).items():
        assert np.isnan(gradient(0.0)), mode
    x = np.array([0.0, 0.5])
    wanted = [0.0, tg.grad(f)(0.5)]
    for mode, gradient in reverse_modes(lambda x: np.sum(np.where(x > 0.0, f(x), 0.0))).items():
        np.testing.assert_allclose(gradient(x), wanted, 1e-12, err_msg=mode)
    assert np.isnan(tg.hvp(f, (0.0,), (1.0,)))


def test_a_constant_infinite_slope():
    f = lambda x: np.sum(np.exp(-np.abs(x / 0.0)))
    for mode, gradient in reverse_modes(f).items():
        assert np.isnan(gradient(np.ones(2))).all(), mode


@pytest.mark.parametrize("base", [2.0, 10.0])
def test_powers_of_a_constant_overflow(base):
    for mode, gradient in reverse_modes(lambda x: 1.0 / (1.0 + base**x)).items():
        if mode != "jacobian of a program":  # in forward mode
            assert gradient(2000.0) == 0.0, mode


def test_overflow_is_no_pole():
    """Where exp overflows, a sigmoid is flat, as its value says."""
    sigmoid = lambda x: 1.0 / (1.0 + np.exp(-x))
    for mode, gradient in reverse_modes(sigmoid).items():
        if mode == "jacobian of a program":  # of one argument: in forward mode, where it is NaN
            continue
        assert gradient(-800.0) == 0.0


MATRIX = np.array([[0.0, 1.0, 0.0, 2.0], [1.0, 0.0, 0.0, 0.0], [0.0, 3.0, 1.0, 0.0], [0, 0, 1, 1]])
STEPS = {
    "reversed": lambda y: y[::-1],
    "first": lambda y: y[: max(1, y.size // 2)],
    "last": lambda y: y[-3:],
    "roll": lambda y: np.roll(y, 1),
    "longer": lambda y: np.concatenate([y, y[:1] + 1.0]),
    "repeat": lambda y: np.repeat(y, 2),
    "take": lambda y: np.take(y, [0, y.size // 2, -1]),
    "where": lambda y: np.where(np.arange(y.size) % 3 == 0, 0.7, y),
    "where of the value": lambda y: np.where(y > 0.9, y, 0.2),
    "maximum": lambda y: np.maximum(y, 0.45),
    "minimum": lambda y: np.minimum(y, 1.05),
    "mask": lambda y: y * (np.arange(y.size) % 2),
    "scaled": lambda y: -2.0 * y,
    "cumsum": np.cumsum,
    "sort": np.sort,
    "table": lambda y: np.outer(y, np.array([1.0, 0.0])).T.ravel(),
    "square": np.square,
    "exp": np.exp,
    "sum of parts": lambda y: y[: y.size // 2 + 1] + y[: y.size // 2 + 1][::-1],
    "assigned": lambda y: assigned(y),
    "maxima": lambda y: np.max(np.stack([y, y[::-1] * 1.5]), axis=0),
    "pad": lambda y: np.pad(y, 1),
    "elements": lambda y: np.stack([y[0], y[-1] * 2.0]),
    "matmul": lambda y: MATRIX[: min(4, y.size), : min(4, y.size)] @ y[:4],
    "rows": lambda y: (np.stack([y, 2.0 * y], axis=1) @ np.array([[1.0, 2.0], [0.5, 1.0]]))[:, 1],
    "stacks": lambda y: (np.stack([y, y[::-1]])[:, :, None] @ np.ones((1, 2)))[1, :, 0],
    "products": lambda y: np.prod(np.stack([y + 1.0, y + 2.0]), axis=0),
    "total": lambda y: np.atleast_1d(np.sum(y)),
}


def assigned(y):
    z = np.zeros_like(y)
    z[1:] = y[:-1]
    z[0] = 3.0
    return z


def chain(rng):
    names = rng.choice(list(STEPS), size=rng.integers(1, 6))
    if {"sort", "maxima"} & set(names):  # ties count by choice: none with zeros of other origin
        names = [
            name for name in names if name not in ("table", "pad", "mask", "maximum", "minimum")
        ]

    def run(y):
        for name in names:
            y = STEPS[name](y)
        return y

    return run, names


@pytest.mark.parametrize("seed", range(150))
def test_random_chains(seed):
    rng = np.random.default_rng(seed)
    run, names = chain(rng)
    n = 6
    x = np.where(rng.random(n) < 0.5, 0.0, 0.3 + rng.random(n))
    if {"sort", "maxima"} & set(names):  # no ties
        x[1:] = 0.3 + rng.random(n - 1)
    y = np.sqrt(x)
    rest = run(y)

    def lost(x):  # 0, and so is every adjoint behind the square
        return (run(np.sqrt(x)) - rest) ** 2

    moves = np.empty((rest.size, n), bool)  # whether an element of the result counts element i
    for i in range(n):
        other = y.copy()
        other[i] += 0.01
        moves[:, i] = run(other) != rest
    program = tg.function(lost)
    total = lambda x: np.sum(lost(x))
    derivatives = {
        "total": (reverse_modes(total), moves.any(axis=0)),
        "rows": ({"jacrev": tg.jacrev(lost), "of a program": tg.jacrev(program)}, moves),
    }
    for transforms, moved in derivatives.values():
        for mode, derivative in transforms.items():
            if mode == "jacobian of a program":  # in forward mode, for one argument
                continue
            found = ~np.isfinite(derivative(x))  # infinite where a program rounds sums differently
            assert not np.any(moved & (x == 0) & ~found), f"{names} {mode}"
            if "matmul" not in names:  # with zeros in it, which count all the same
                assert_array_equal(found, moved & (x == 0), f"{names} {mode}")


def test_infinite_adjoints_and_tangents_at_singular_values_that_are_zero():
    """The slope 0 of their kink does not swallow them."""
    a = np.diag([1.0, 0.0])
    log_volume = lambda a: np.sum(np.log(np.linalg.svd(a, compute_uv=False)))
    for gradient in tg.grad(log_volume), tg.function(log_volume).grad:
        assert np.isnan(gradient(a)).any()
    steep = lambda x: np.linalg.norm(np.sqrt(x) * np.eye(2), 2)  # sqrt(x)
    for mode, derivative in (reverse_modes(steep) | forward_modes(steep)).items():
        assert not np.isfinite(derivative(0.0)), mode


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    "f", [lambda a: np.linalg.norm(a, 2), lambda a: np.linalg.norm(a, "nuc"), np.linalg.pinv]
)
def test_singular_values_of_what_is_not_finite(f, value):
    for transform in tg.grad, tg.function:
        with pytest.raises(np.linalg.LinAlgError, match="did not converge"):
            transform(lambda a: np.sum(f(a)))(np.full((3, 3), value))


MEETING = np.array([1.0, 0.0, 2.0])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: MEETING @ np.sqrt(x),
        lambda x: np.dot(np.sqrt(x), MEETING),
        lambda x: np.einsum("i,i->", MEETING, np.sqrt(x)),
        lambda x: np.sum(np.diag(MEETING) @ np.sqrt(x)),
        lambda x: np.sum(np.sqrt(x)[None] @ np.diag(MEETING)),
        lambda x: np.sum(np.stack([np.diag(MEETING)] * 2) @ np.sqrt(x)) / 2.0,
    ],
)
def test_zero_weights_of_a_product_of_matrices_leave_out_what_they_meet(f):
    x = np.array([4.0, 0.0, 1.0])
    for mode, gradient in reverse_modes(f).items():
        if mode != "jacobian of a program":  # in forward mode
            np.testing.assert_allclose(gradient(x), [0.25, 0.0, 1.0], 1e-14, err_msg=mode)
