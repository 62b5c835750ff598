"""Calls that cannot work raise the kind of error that Python or NumPy would raise, with what was
expected and what came; exceptions of the function pass through, and nothing is left open."""

import contextlib

import numpy as np
import pytest

import tapegrad as tg

NOT_NUMBERS = {
    "text": ("text", "argument 0 is a str"),
    "bytes": (b"text", "argument 0 is a bytes"),
    "bool": (True, "argument 0 is a bool"),
    "NumPy's bool": (np.True_, "argument 0 is a bool"),
    "array of bools": (np.array([True]), "argument 0 is of dtype bool"),
    "array of texts": (np.array(["a"]), "argument 0 is of dtype <U1"),
    "array of objects": (np.array([1.0, None]), "argument 0 is an object array"),
    "None": (None, "argument 0 is None"),
    "object": (object(), "argument 0 is a object.*register_pytree"),
    "set": ({1.0, 2.0}, "argument 0 is a set"),
    "float16": (np.ones(2, np.float16), "float16.*astype"),
    "longdouble": (np.ones(2, np.longdouble), "derivatives exist for float64"),
    "masked array": (np.ma.masked_array([1.0]), "MaskedArray"),
    "text within a dict": ({"w": [1.0, "a"]}, r"argument 0\['w'\]\[1\] is a str"),
}
TRANSFORMS = {
    "grad": lambda f, x: tg.grad(f)(x),
    "vjp": lambda f, x: tg.vjp(f, x),
    "jvp": lambda f, x: tg.jvp(f, (x,), (x,)),
    "linearize": lambda f, x: tg.linearize(f, x),
    "hvp": lambda f, x: tg.hvp(f)(x, x),
    "jacobian": lambda f, x: tg.jacobian(f)(x),
    "hessian": lambda f, x: tg.hessian(f)(x),
    "derivative": lambda f, x: tg.derivative(f)(x),
    "elementwise_grad": lambda f, x: tg.elementwise_grad(f)(x),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("value, message", NOT_NUMBERS.values(), ids=NOT_NUMBERS)
def test_arguments_that_are_no_numbers(transform, value, message):
    with pytest.raises(TypeError, match=message) as caught:
        TRANSFORMS[transform](lambda x: x, value)
    assert str(caught.value).startswith(transform)


def assigned(x):
    y = x.copy()
    y[:2] = np.ones(3)
    return np.sum(y)


def added_in_place(x):
    y = x.copy()
    y += np.ones((2, 3))
    return np.sum(y)


# Of a vector of three numbers; each is refused with both shapes named.
WRONG_SHAPES = {
    "sum": (lambda x: x + np.ones(4), ValueError, r"with shapes \(3,\) \(4,\)"),
    "reflected": (lambda x: np.ones((2, 2)) - x, ValueError, r"with shapes \(2, 2\) \(3,\)"),
    "ufunc": (lambda x: np.arctan2(x, np.ones(4)), ValueError, r"with shapes \(3,\) \(4,\)"),
    "matmul": (lambda x: np.ones((2, 2)) @ x, ValueError, r"shapes \(2, 2\) and \(3,\) do not fit"),
    "einsum": (lambda x: np.einsum("ij,j", np.ones((2, 2)), x), ValueError, "lengths 2 and 3"),
    "reshape": (lambda x: x.reshape(2, 2), ValueError, r"array of size 3 into shape \(2, 2\)"),
    "joining": (lambda x: np.concatenate([x, np.ones((2, 2))]), ValueError, r"\(3,\), \(2, 2\)"),
    "assignment": (assigned, ValueError, r"from shape \(3,\) into shape \(2,\)"),
    "in place": (added_in_place, ValueError, r"shape \(3,\) doesn't match .* shape \(2, 3\)"),
    "index": (lambda x: x[5], IndexError, "index 5 is out of bounds for axis 0 with size 3"),
    "axis": (lambda x: np.sum(x, axis=2), ValueError, "axis 2 is out of bounds"),
    "solve": (lambda x: np.linalg.solve(np.ones((2, 3)), x), ValueError, r"\(2, 3\) must be"),
}  # fmt: skip


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("f, kind, message", WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_wrong_shapes(f, kind, message, replayed):
    def total(x):
        return np.sum(f(x))

    with pytest.raises(kind, match=message):
        tg.grad(tg.function(total) if replayed else total)(np.ones(3))
    assert isinstance(tg.grad(np.sin)(0.5), float)  # nothing is left open


OBJECTS = np.array([1.0, None, 2.0])
TEXT = np.array(["a", "b", "c"])
NO_OPERANDS = {
    "an object array": (lambda x: x * OBJECTS, "an operand has dtype object.*astype"),
    "an object array in front": (lambda x: OBJECTS * x, "an operand has dtype object.*astype"),
    "objects in a ufunc": (lambda x: np.maximum(x, OBJECTS), "an operand has dtype object"),
    "objects in where": (lambda x: np.where([True] * 3, x, OBJECTS), "an operand has dtype object"),
    "objects to join": (lambda x: np.concatenate([x, OBJECTS]), "an operand has dtype object"),
    "an array of text": (lambda x: x * TEXT, "an operand has dtype <U1"),
    "a text": (lambda x: x + "a", "unsupported operand .*'tapegrad.Variable' and 'str'"),
    "a text in a ufunc": (lambda x: np.multiply(x, "a"), "NotImplemented.*'Variable', 'str'"),
    "a text to assign": (lambda x: x.copy().__setitem__(0, "a"), "cannot assign a str"),
    "None": (lambda x: x + None, "unsupported operand .*'NoneType'"),
    "dates": (lambda x: x * np.array(["2020-01-01"] * 3, "datetime64[D]"), "dtype datetime64"),
}


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("f, message", NO_OPERANDS.values(), ids=NO_OPERANDS)
def test_operands_that_are_no_numbers(f, message, replayed):
    def total(x):
        return np.sum(f(x))

    with pytest.raises(TypeError, match=message):
        tg.grad(tg.function(total) if replayed else total)(np.ones(3))


def test_text_is_no_index():
    with pytest.raises(IndexError, match="only integers, slices"):
        tg.grad(lambda x: x["a"])(np.ones(3))


@pytest.mark.parametrize("x", [np.array([1, -2]), np.array([1, 2], np.uint8), [1, -2]])
def test_integers_are_numbers(x):
    gradient = tg.grad(lambda x: np.sum(np.asarray(1.5) * x[0] ** 2 / x[1]))(x)
    a, b = float(x[0]), float(x[1])
    for found, expected in zip(gradient, [3.0 * a / b, -1.5 * a**2 / b**2], strict=True):
        assert found == expected and np.asarray(found).dtype == float
    assert tg.grad(lambda x: 1 / x)(2) == -0.25
    with pytest.raises(OverflowError, match="int too large"):
        tg.grad(lambda x: x * 2.0)(10**400)


@pytest.mark.parametrize("constant", [3.0, 7, np.float64(2.0), np.ones(())])
@pytest.mark.parametrize("replayed", [False, True])
def test_a_constant_has_derivative_zero(constant, replayed):
    def f(x):
        return constant

    if replayed:
        f = tg.function(f)
    x = np.ones(3)
    assert tg.grad(f)(x).tolist() == [0.0] * 3
    value, gradient = tg.value_and_grad(f)(x)
    assert value == constant and gradient.tolist() == [0.0] * 3
    assert tg.hessian(f)(x).tolist() == [[0.0] * 3] * 3
    assert tg.hvp(f)(x, x).tolist() == [0.0] * 3
    for jacobian in (tg.jacobian, tg.jacfwd, tg.jacrev):
        assert jacobian(lambda x: f(x) * np.ones(2))(x).tolist() == [[0.0] * 3] * 2
    assert tg.jvp(f, (x,), (x,)) == (constant, 0.0)
    assert tg.vjp(f, x)[1](1.0)[0].tolist() == [0.0] * 3
    assert tg.derivative(f)(1.0) == 0.0


def test_second_argument_is_named():
    with pytest.raises(TypeError, match=r"argument 1\['a'\] is a str"):
        tg.grad(lambda x, y: x, argnums=(0, 1))(1.0, {"a": "b"})


@pytest.mark.parametrize(
    "f, x, kind, message",
    [
        (lambda x: x * 2, np.ones(3), ValueError, r"shape \(3,\), expected a scalar.*tg.jacobian"),
        (lambda x: x[:, None], np.ones(1), ValueError, r"shape \(1, 1\), expected a scalar"),
        (lambda x: (x, x), 1.0, TypeError, "tuple, expected a scalar.*has_aux"),
        (lambda x: {"a": x}, 1.0, TypeError, "dict, expected a scalar"),
        (lambda x: None, 1.0, TypeError, "expected a scalar"),
        (lambda x: "s", 1.0, TypeError, "a str, expected a scalar"),
        (lambda x: x * 1j, 1.0, TypeError, "complex number.*holomorphic=True"),
        (lambda z: z * z, 1.0 + 2.0j, TypeError, "complex number.*holomorphic=True"),
    ],
)
def test_results_that_have_no_gradient(f, x, kind, message):
    for transform in (tg.grad, tg.value_and_grad, tg.hessian):
        with pytest.raises(kind, match=message):
            transform(f)(x)


def test_holomorphic_needs_complex_numbers():
    with pytest.raises(TypeError, match="holomorphic=True, but argument 0 is float64"):
        tg.grad(lambda z: z * z, holomorphic=True)(1.0)
    with pytest.raises(TypeError, match="returned float64"):
        tg.grad(lambda z: np.real(z), holomorphic=True)(1.0 + 1.0j)


@pytest.mark.parametrize("transform", [tg.grad, tg.jacobian, tg.hessian, tg.hvp, tg.derivative])
def test_what_is_no_function(transform):
    with pytest.raises(TypeError, match="expected a function, got a float"):
        transform(3.0)


@pytest.mark.parametrize(
    "argnums, message",
    [
        (2, "argnums=2, but .* called with 2 positional"),
        (-3, "argnums=-3"),
        ((0, 0), "twice"),
        ((), "no argument"),
        ("x", "integer"),
        (1.0, "integer"),
    ],
)
def test_argnums(argnums, message):
    with pytest.raises((TypeError, ValueError), match=message):
        tg.grad(lambda x, y: x * y, argnums=argnums)(1.0, 2.0)


@pytest.mark.parametrize(
    "primals, tangents, message",
    [
        ((np.ones(3),), (np.ones(4),), r"tangents\[0\] has shape \(4,\), expected \(3,\)"),
        ((1.0,), (1.0, 1.0), "tangents is a tuple of 2, expected 1"),
        ((np.ones(3),), (1.0,), r"tangents\[0\] has shape \(\), expected \(3,\)"),
        (({"a": 1.0},), ({"b": 1.0},), r"tangents\[0\] has the keys \['b'\]"),
        ((1.0,), (1.0j,), r"tangents\[0\] is complex"),
        ((1.0,), ("a",), r"tangents\[0\] is a str"),
        ((1.0,), (None,), r"tangents\[0\]"),
        (np.ones(3), np.ones(3), r"primals must be a tuple.*\(x,\)"),
    ],
)
def test_tangents_that_do_not_fit(primals, tangents, message):
    def f(*args):
        return np.sum(args[0]["a"] if isinstance(args[0], dict) else args[0])

    for transform in (tg.jvp, tg.hvp, tg.gauss_newton_product):
        with pytest.raises((TypeError, ValueError), match=message):
            transform(f, primals, tangents)


def test_cotangents_that_do_not_fit():
    _, pull = tg.vjp(lambda x: {"y": x[:2], "s": np.sum(x)}, np.ones(3))
    with pytest.raises(ValueError, match=r"cotangent\['y'\] has shape \(3,\), expected \(2,\)"):
        pull({"y": np.ones(3), "s": 1.0})
    with pytest.raises(ValueError, match="keys"):
        pull({"y": np.ones(2)})
    with pytest.raises(ValueError, match="expected a dict"):
        pull(np.ones(2))


def test_other_bad_options():
    with pytest.raises(ValueError, match="chunk"):
        tg.jacobian(np.sin, chunk=0)
    with pytest.raises(ValueError, match="order"):
        tg.derivative(np.sin, order=-1)
    with pytest.raises(TypeError, match=r"\(value, auxiliary\)"):
        tg.grad(lambda x: x, has_aux=True)(1.0)
    with pytest.raises(ValueError, match="not elementwise"):
        tg.elementwise_grad(np.sum)(np.ones(3))
    with pytest.raises(ValueError, match="not elementwise"):
        tg.derivative(np.sum)(np.ones(3))


def test_exceptions_leave_no_recording_behind():
    def faulty(x):
        if x > 0:
            raise KeyError("mine")
        return x

    for transform in TRANSFORMS.values():
        with pytest.raises(KeyError, match="mine"):
            transform(faulty, 1.0)
    with pytest.raises(KeyError):
        tg.grad(lambda x: x * tg.grad(faulty)(x))(1.0)
    assert isinstance(tg.grad(np.sin)(0.5), float)  # a number: nothing is open


def test_an_exception_caught_in_the_function_does_no_harm():
    def f(x):
        with contextlib.suppress(TypeError):
            tg.grad(lambda y: y * "text")(x)
        return x * tg.grad(np.sin)(x)

    x = 0.7
    assert tg.grad(f)(x) == pytest.approx(np.cos(x) - x * np.sin(x), rel=1e-14)


def test_recursion_without_end_is_pythons_own_error():
    def f(x):
        return tg.grad(f)(x)

    def plain(x):
        return plain(x * 1.0)

    program = tg.function(lambda x: program(x))
    for endless in (tg.grad(f), tg.grad(plain), program):
        with pytest.raises(RecursionError, match="maximum recursion depth exceeded"):
            endless(1.0)
    assert isinstance(tg.grad(np.sin)(0.5), float)


def test_recursion_with_an_end():
    def power(x, n):
        return x if n == 0 else x * tg.grad(power)(x, n - 1)

    # f_0 = x, f_n = x f_{n-1}': x, x, x, ...
    assert tg.grad(power)(2.0, 3) == 1.0


def test_interrupts_pass_through():
    def f(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tg.grad(f)(1.0)
    assert tg.grad(lambda x: x)(1.0) == 1.0
