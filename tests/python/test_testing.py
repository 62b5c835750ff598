"""The checker is checked: it passes what is right, and catches one part in a thousand."""

import numpy as np
import pytest

import tapegrad as tg
from tapegrad.testing import check_grads

X = np.linspace(-1.2, 1.1, 7)
stop = tg.stop_gradient


def wrong(value, part=1e-3):
    """The same value with a derivative that is wrong by `part`."""
    return value * (1.0 + part) - stop(value * part)


RIGHT = {
    "polynomial": (lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2), (X,)),
    "array result": (lambda x: np.sin(x) * x[0], (X,)),
    "number": (lambda x: np.exp(np.sin(x)), (0.3,)),
    "integer": (lambda x: x**3, (2,)),
    "two arguments": (lambda x, y: x * np.sum(y), (X, X[:3])),
    "tree": (
        lambda p, s: {"a": p["w"] @ p["b"] * s, "c": (np.sum(p["w"]), 3)},
        ({"w": np.eye(3) + 0.1, "b": np.arange(3.0)}, 2.0),
    ),
    "complex": (lambda z: np.exp(z) * np.conj(z), (X + 1j,)),
    "real of complex": (lambda z: np.sum(np.abs(z)), (X + 1j,)),
    "complex of real": (lambda x: np.exp(1j * x), (X,)),
    "float32": (lambda x: np.sin(x) * x, (X.astype(np.float32),)),
    "complex64": (lambda z: np.sin(z), (X.astype(np.complex64),)),
    "constant": (lambda x: 3.0, (X,)),
    "linear": (lambda x: x[::-1], (X,)),
    "unused argument": (lambda x, y: x * x, (X, X)),
    "empty": (lambda x: np.sum(x), (np.ones((0, 3)),)),
    "integer result": (lambda x: (np.sum(x**2), x > 0), (X,)),
    "at zero": (lambda x: np.cos(x) + x, (np.zeros(3),)),
    "kink elsewhere": (lambda x: np.sum(np.abs(x)), (X,)),
    "byte-swapped": (lambda x: np.sum(x**2), (X.astype(">f8"),)),
}
SCALES = {
    "high frequency": (lambda x: np.sum(np.sin(1e6 * x)), (X,)),
    "large result": (lambda x: 1e10 * np.sum(x**3), (X,)),
    "tiny argument and result": (lambda x: 1e-10 * np.sum(np.exp(1e8 * x)), (X * 1e-8,)),
    "large argument": (lambda x: np.sum(np.sqrt(x)), (np.array([1e12, 3e12]),)),
    "large offset": (lambda x: 1e8 + np.sum(np.exp(x)), (X,)),
    "mixed arguments": (np.log, (np.array([1e-8, 1.0, 1e8]),)),
    "edge of the domain": (lambda x: np.sum(np.sqrt(x)), (np.array([1e-6, 4.0]),)),
    "steep": (lambda x: np.exp(50.0 * x), (X,)),
}


@pytest.mark.parametrize("f, args", RIGHT.values(), ids=RIGHT)
def test_what_is_right_passes(f, args):
    check_grads(f, args)


@pytest.mark.parametrize("f, args", SCALES.values(), ids=SCALES)
def test_any_scale_passes(f, args):
    check_grads(f, args)


def test_third_order():
    check_grads(lambda x: np.sum(np.tanh(x) ** 2), (X[:3],), order=3)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
@pytest.mark.parametrize("f, args", SCALES.values(), ids=SCALES)
def test_one_part_in_a_thousand_is_caught_at_any_scale(f, args, mode):
    with pytest.raises(AssertionError, match=f"{mode} mode is wrong: order 1"):
        check_grads(lambda x: wrong(f(x)), args, order=1, modes=(mode,))


@pytest.mark.parametrize("name", ["array result", "number", "complex", "float32", "tree"])
def test_one_part_in_a_thousand_is_caught(name):
    f, args = RIGHT[name]

    def g(*args):
        value = f(*args)
        return {**value, "a": wrong(value["a"])} if name == "tree" else wrong(value)

    with pytest.raises(AssertionError, match=r"Taylor remainder falls as h.1"):
        check_grads(g, args, order=1)


def test_the_rule_of_one_operand():
    check_grads(lambda x, y: np.sum(x * y), (X, X))
    with pytest.raises(AssertionError, match="by argument 1"):
        check_grads(lambda x, y: np.sum(x * wrong(y)), (X, X), order=1)


def test_one_element_of_many():
    def f(x):
        y = np.sin(x)
        y[3] = wrong(y[3])
        return y

    with pytest.raises(AssertionError, match="mode is wrong"):
        check_grads(f, (np.linspace(0.5, 1.0, 20),), order=1)


def test_the_message():
    def loss(p, scale):
        return scale * np.sum(p["a"] ** 2) + np.sum(wrong(p["b"][1]) ** 2)

    with pytest.raises(AssertionError) as caught:
        check_grads(loss, ({"a": X, "b": (X, 2.0)}, 3.0))
    message = str(caught.value)
    for part in ("order 1", "of loss", "argument 0['b'][1]", "direction", "expected h^3"):
        assert part in message


def test_a_wrong_second_derivative():
    def f(x):  # sin x with the right slope and no curvature
        return np.sum(x * stop(np.cos(x)) + stop(np.sin(x) - x * np.cos(x)))

    check_grads(f, (X,), order=1)
    with pytest.raises(AssertionError, match=r"order 2 \(\w+\) of f, by argument 0"):
        check_grads(f, (X,), order=2)


def test_an_unsymmetric_hessian(monkeypatch):
    right = tg.testing.hvp
    monkeypatch.setattr(tg.testing, "hvp", lambda f, x, v: right(f, x, v) + 1e-3 * np.cumsum(v[0]))
    with pytest.raises(AssertionError, match=r"not symmetric: order 2 of .*<v, H u>"):
        check_grads(lambda x: np.sum(np.sin(x) ** 2), (X,))


@pytest.mark.parametrize("mode, name", [("fwd", "linearize"), ("rev", "vjp")])
def test_a_wrong_mode(monkeypatch, mode, name):
    right = getattr(tg.testing, name)

    def off(f, *primals):
        value, along = right(f, *primals)
        if mode == "fwd":
            return value, lambda *v: along(*v) * 1.001
        return value, lambda c: tuple(a * 1.001 for a in along(c))

    monkeypatch.setattr(tg.testing, name, off)
    with pytest.raises(AssertionError, match=f"{mode} mode is wrong"):
        check_grads(np.sin, (X,), order=1, modes=(mode,))
    with pytest.raises(AssertionError, match="the modes disagree"):
        check_grads(np.sin, (X,), order=1)


def test_noise_is_told():
    rng = np.random.default_rng(0)

    def noisy(x):
        return np.sum(x**2) + 1e-3 * rng.standard_normal()

    with pytest.raises(AssertionError, match="eps must be given"):
        check_grads(noisy, (X,), order=1)
    check_grads(noisy, (X,), order=1, eps=1e-3, rtol=1e-2)


def test_not_smooth_here():
    with pytest.raises(AssertionError):
        check_grads(lambda x: np.sum(np.sqrt(np.abs(x))), (np.array([1e-300, 0.0]),), order=1)


def test_bad_calls():
    with pytest.raises(ValueError, match="modes"):
        check_grads(np.sin, (X,), modes=("forward",))
    with pytest.raises(TypeError, match="tuple"):
        check_grads(np.sin, X)


def test_order_zero_checks_nothing():
    check_grads(lambda x: wrong(x), (X,), order=0)


RELU = lambda x: np.sum(np.where(x > 0.0, x, 0.0))
AT_ZERO = np.array([1.0, 0.0, -2.0])


def test_a_kink_is_said_to_be_one():
    with pytest.raises(AssertionError, match=r"has a kink at the point: its slope is .* before"):
        check_grads(RELU, (AT_ZERO,), order=1)
    check_grads(RELU, (AT_ZERO + 0.1,))
    check_grads(lambda x: np.sum(np.maximum(x, 0.0)), (AT_ZERO,), order=1)  # shares


def test_the_edge_of_the_domain_and_jumps_are_said_to_be_so():
    with np.errstate(all="ignore"):
        with pytest.raises(AssertionError, match="edge of the domain"):
            check_grads(lambda x: np.sum(x**1.5), (np.array([1.0, 0.0]),), order=1)
        with pytest.raises(AssertionError, match="nan at the point itself"):
            check_grads(lambda x: np.sum(np.log(x)), (np.array([1.0, -1.0]),), order=1)
    with pytest.raises(AssertionError, match="jumps at the point"):
        check_grads(lambda x: np.sum(np.where(x >= 0.0, 1.0 + x, x)), (AT_ZERO,), order=1)


def test_the_element_is_named():
    def f(x):
        y = x.copy()
        y[2] = wrong(x[2] ** 2, 0.5)
        return np.sum(y)

    with pytest.raises(AssertionError, match=r"most at element \(2,\)"):
        check_grads(f, (X,))
    with pytest.raises(AssertionError, match=r"by argument 0\['w'\].*most at element \(0, 1\)"):
        check_grads(
            lambda p: np.sum(p["w"][1]) + wrong(p["w"][0, 1], 0.1), ({"w": np.ones((2, 2))},), 1
        )


def test_what_is_smooth_has_no_remark():
    with pytest.raises(AssertionError) as raised:
        check_grads(lambda x: wrong(np.sum(np.sin(x)), 0.1), (X,))
    assert "kink" not in str(raised.value) and "jumps" not in str(raised.value)
