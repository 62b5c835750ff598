"""Custom rules: derivatives of functions that recordings do not look into, from any one rule, in
every transform, to second order and higher, one-shot and in programs."""

from __future__ import annotations

import ctypes
import ctypes.util
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

import tapegrad as tg

X = np.array([0.4, -1.1, 2.3])
V = np.array([1.0, 0.5, -2.0])


def opaque_cube(x):
    return np.asarray(x) ** 3


def by_vjp():
    rule = tg.custom_rule(opaque_cube)
    rule.vjp(lambda g, y, x: (3 * x**2 * g,))
    return rule


def by_jvp():
    rule = tg.custom_rule(opaque_cube)
    rule.jvp(lambda t, y, x: 3 * x**2 * t[0])
    return rule


def by_jacobian():
    rule = tg.custom_rule(opaque_cube)
    rule.jacobian(lambda y, x: np.diag(3 * x**2) if np.ndim(x) else 3 * x**2)
    return rule


def by_value():
    """The rule uses the result, so second derivatives go through it."""
    rule = tg.custom_rule(opaque_cube)
    rule.vjp(lambda g, y, x: (3 * y / x * g,))
    return rule


def by_hvp():
    """Rules that cannot be recorded: the second derivative is what `hvp` says."""
    rule = tg.custom_rule(opaque_cube)
    rule.vjp(lambda g, y, x: (3 * np.asarray(x) ** 2 * np.asarray(g),))
    rule.jvp(lambda t, y, x: 3 * np.asarray(x) ** 2 * np.asarray(t[0]))
    rule.hvp(lambda t, g, y, x: (6 * np.asarray(x) * np.asarray(g) * np.asarray(t[0]),))
    return rule


def by_hvp_alone():
    """The first derivative by recording the function, the second as `hvp` says."""
    rule = tg.custom_rule(lambda x: x**3)
    rule.hvp(lambda t, g, y, x: (6 * np.asarray(x) * np.asarray(g) * np.asarray(t[0]),))
    return rule


MAKERS = [by_vjp, by_jvp, by_jacobian, by_value, by_hvp, by_hvp_alone]


@pytest.mark.parametrize("make", MAKERS)
class TestFromOneRule:
    def test_first_order(self, make):
        cube = make()
        weights = np.array([1.0, -2.0, 0.5])
        value, gradient = tg.value_and_grad(lambda x: np.sum(weights * cube(x)))(X)
        assert value == pytest.approx(np.sum(weights * X**3), rel=1e-15)
        assert np.allclose(gradient, weights * 3 * X**2, rtol=1e-14)
        y, t = tg.jvp(cube, (X,), (V,))
        assert np.allclose(y, X**3) and np.allclose(t, 3 * X**2 * V, rtol=1e-14)
        for jacobian in (tg.jacfwd, tg.jacrev, tg.jacobian):
            assert np.allclose(jacobian(cube)(X), np.diag(3 * X**2))

    def test_second_order(self, make):
        cube = make()
        f = lambda x: np.sum(np.sin(cube(x)))
        plain = lambda x: np.sum(np.sin(x**3))
        assert np.allclose(tg.hessian(f)(X), tg.hessian(plain)(X), rtol=1e-12)
        assert np.allclose(tg.hvp(f)(X, V), tg.hvp(plain)(X, V), rtol=1e-12)
        over = tg.grad(lambda x: np.sum(tg.grad(f)(x) * V))  # reverse over reverse
        assert np.allclose(over(X), tg.hvp(plain)(X, V), rtol=1e-12)
        forward = tg.jvp(lambda x: tg.jvp(cube, (x,), (V,))[1], (X,), (V,))[1]
        assert np.allclose(forward, 6 * X * V**2, rtol=1e-12)

    def test_in_programs(self, make):
        cube = make()
        f = lambda x: np.sum(np.sin(cube(x)))
        plain = lambda x: np.sum(np.sin(x**3))
        F = tg.function(f)
        for x in (X, X + 0.3, 2.0 * X):
            assert F(x) == pytest.approx(plain(x), rel=1e-14)
            assert np.allclose(F.grad(x), tg.grad(plain)(x), rtol=1e-12)
            assert np.allclose(F.hvp(x, V), tg.hvp(plain)(x, V), rtol=1e-12)
            assert np.allclose(F.hessian(x), tg.hessian(plain)(x), rtol=1e-12)

    def test_batched(self, make):
        cube = make()
        batch = np.stack([X, X + 1.0, -X, 0.5 * X])
        assert np.allclose(tg.vmap(cube)(batch), batch**3)
        f = lambda x: np.sum(np.sin(cube(x)))
        plain = lambda x: np.sum(np.sin(x**3))
        assert np.allclose(tg.vmap(tg.grad(f))(batch), tg.vmap(tg.grad(plain))(batch))
        shared = lambda x, w: np.sum(w * cube(x))
        by_w = tg.grad(lambda w: np.sum(tg.vmap(shared, in_axes=(0, None))(batch, w)))(V)
        assert np.allclose(by_w, np.sum(batch**3, 0))
        by_shared = tg.grad(lambda x: np.sum(tg.vmap(lambda w: w * cube(x))(batch)))(X)
        assert np.allclose(by_shared, 3 * X**2 * np.sum(batch, 0))


@pytest.mark.parametrize("make", [by_vjp, by_jvp, by_jacobian, by_value])
def test_third_order(make):
    cube = make()
    f = lambda x: np.sum(cube(x) * cube(x))  # x**6
    third = tg.grad(lambda x: np.sum(tg.grad(lambda x: np.sum(tg.grad(f)(x)))(x)))
    assert np.allclose(third(X), 120 * X**3, rtol=1e-11)
    assert tg.derivative(lambda x: make()(x), 3)(1.7) == pytest.approx(6.0)
    F = tg.function(third)
    assert np.allclose(F(X), 120 * X**3) and np.allclose(F(X + 1), 120 * (X + 1) ** 3)


def opaque_rules(which):
    rule = tg.custom_rule(opaque_cube, derivatives="central")
    if which == "vjp":
        rule.vjp(lambda g, y, x: (3 * np.asarray(x) ** 2 * np.asarray(g),))
    elif which == "jvp":
        rule.jvp(lambda t, y, x: 3 * np.asarray(x) ** 2 * np.asarray(t[0]))
    elif which == "jacobian":
        rule.jacobian(lambda y, x: np.diag(3 * np.asarray(x) ** 2))
    else:
        rule.hvp(lambda t, g, y, x: (6 * np.asarray(x) * np.asarray(g) * np.asarray(t[0]),))
    return rule


@pytest.mark.parametrize("which", ["vjp", "jvp", "jacobian", "hvp"])
def test_differences_of_rules_that_cannot_be_recorded(which):
    cube = opaque_rules(which)
    f = lambda x: np.sum(np.sin(cube(x)))
    plain = lambda x: np.sum(np.sin(x**3))
    assert np.allclose(tg.grad(f)(X), tg.grad(plain)(X), rtol=1e-9)
    hessian = tg.hessian(plain)(X)
    nearly = {"rtol": 1e-6, "atol": 1e-6 * np.max(np.abs(hessian))}
    for found in (tg.hessian(f)(X), tg.function(f).hessian(X), tg.jacrev(tg.grad(f))(X)):
        assert np.allclose(found, hessian, **nearly)
    assert np.allclose(tg.jacfwd(tg.jacfwd(f))(X), hessian, **nearly)
    batch = np.stack([X, X + 1.0])
    found = tg.vmap(lambda x: tg.hvp(f)(x, V))(batch)
    assert np.allclose(found, tg.vmap(lambda x: tg.hvp(plain)(x, V))(batch), rtol=1e-5)


def test_rules_that_can_be_recorded_are_not_differenced():
    rule = tg.custom_rule(opaque_cube, derivatives="central")
    rule.vjp(lambda g, y, x: (3 * x**2 * g,))
    assert np.allclose(tg.derivative(rule, 3)(1.7), 6.0, rtol=1e-14)


class Pair(NamedTuple):
    total: float
    parts: np.ndarray


P = {"w": np.array([1.0, 2.0, -1.0]), "b": 0.5}


class TestContainers:
    def rule(self):
        @tg.custom_rule
        def split(p, scale, shift=0.0):
            return Pair(np.sum(np.asarray(p["w"])) * scale, np.asarray(p["w"]) * p["b"] + shift)

        @split.vjp
        def _(g, value, p, scale, *shift):
            w = g.total * scale + g.parts * p["b"]
            adjoints = {"w": w, "b": np.sum(g.parts * p["w"])}, g.total * np.sum(p["w"])
            return (*adjoints, *(np.sum(g.parts) for _ in shift))

        return split

    @staticmethod
    def plain(p, scale, shift=0.0):
        return Pair(np.sum(p["w"]) * scale, p["w"] * p["b"] + shift)

    def test_results_and_adjoints(self):
        split = self.rule()
        for order in (lambda f: f, tg.function):
            f = lambda s: lambda p, c: s(p, c).total ** 2 + np.sum(s(p, c).parts ** 3)
            found = tg.grad(order(f(split)), argnums=(0, 1))(P, 2.0)
            expected = tg.grad(f(self.plain), argnums=(0, 1))(P, 2.0)
            assert np.allclose(found[0]["w"], expected[0]["w"]) and found[1] == expected[1]
            assert found[0]["b"] == pytest.approx(expected[0]["b"])

    def test_forward_by_transposition(self):
        split = self.rule()
        moved = ({"w": V, "b": 2.0}, -1.0)
        value, tangent = tg.jvp(split, (P, 2.0), moved)
        expected = tg.jvp(self.plain, (P, 2.0), moved)[1]
        assert type(value) is Pair and type(tangent) is Pair
        assert tangent.total == pytest.approx(expected.total)
        assert np.allclose(tangent.parts, expected.parts)

    def test_keyword_by_name_of_a_positional(self):
        split = self.rule()
        f = lambda s: np.sum(split(P, 2.0, shift=s).parts ** 2)
        assert tg.grad(f)(0.3) == pytest.approx(np.sum(2 * (P["w"] * 0.5 + 0.3)))

    def test_hessian_of_two_arguments(self):
        split = self.rule()
        f = lambda s: lambda w, b: np.sum(s({"w": w, "b": b}, 2.0).parts ** 2)
        blocks = tg.hessian(f(split), argnums=(0, 1))(X, 0.7)
        expected = tg.hessian(f(self.plain), argnums=(0, 1))(X, 0.7)
        for row, wanted in zip(blocks, expected, strict=True):
            for a, b in zip(row, wanted, strict=True):
                assert np.allclose(a, b, rtol=1e-12)


class TestArguments:
    def test_static(self):
        seen = []

        @tg.custom_rule(static=("name", 2))
        def power(x, name, n):
            seen.append((name, n))
            return np.asarray(x) ** n

        power.vjp(lambda g, y, x, name, n: (n * x ** (n - 1) * g, None, None))
        assert tg.grad(power)(2.0, "a", 3.0) == 12.0 and seen[-1] == ("a", 3.0)
        assert tg.grad(power)(2.0, name="b", n=2) == 4.0 and seen[-1] == ("b", 2)
        with pytest.raises(tg.UnsupportedError, match="static"):
            tg.grad(power, argnums=2)(2.0, "a", 3.0)
        with pytest.raises(ValueError, match="nothing"):
            tg.custom_rule(lambda x: x, static="nothing")

    def test_integers_are_constants_and_integer_arrays_are_not_differentiated(self):
        @tg.custom_rule
        def take(x, k, rows):
            assert type(k) is int
            return np.asarray(x)[k] * np.asarray(x)[rows]

        @take.vjp
        def _(g, y, x, k, rows):
            adjoint = np.zeros_like(x)
            np.add.at(adjoint, rows, x[k] * g)
            adjoint[k] += np.sum(g * x[rows])
            return adjoint, None, None

        plain = lambda x, rows: np.sum(x[1] * x[rows])
        rows = np.array([0, 2, 2])
        f = lambda x, rows: np.sum(take(x, 1, rows))
        assert np.allclose(tg.grad(f)(X, rows), tg.grad(plain)(X, rows))
        F = tg.function(f)
        assert np.allclose(F.grad(X, rows), tg.grad(plain)(X, rows))
        assert np.allclose(F.grad(X, rows[::-1]), tg.grad(plain)(X, rows[::-1]))
        assert np.allclose(F.grad(X, rows - 1), tg.grad(plain)(X, rows - 1))

    def test_nondifferentiable(self):
        @tg.custom_rule(nondifferentiable=1)
        def scaled(x, by):
            return np.asarray(x) * np.asarray(by)

        scaled.vjp(lambda g, y, x, by: (g * by, None))
        F = tg.function(lambda x: np.sum(scaled(x, x)))
        for f in (tg.grad(lambda x: np.sum(scaled(x, x))), F.grad):
            assert np.array_equal(f(X), X) and np.array_equal(f(2.0 * X), 2.0 * X)

    def test_keyword_only(self):
        @tg.custom_rule
        def scaled(x, *, by):
            return np.asarray(x) * by

        scaled.vjp(lambda g, y, x, *, by: (g * by,))
        assert np.array_equal(tg.grad(lambda x: np.sum(scaled(x, by=3.0)))(X), [3.0, 3.0, 3.0])
        with pytest.raises(tg.UnsupportedError, match="position"):
            tg.grad(lambda b: np.sum(scaled(X, by=b)))(3.0)

    def test_several_results_of_several_dtypes(self):
        @tg.custom_rule
        def analyse(x):
            x = np.asarray(x)
            return np.max(x), int(np.argmax(x)), np.argsort(x), x > 0

        @analyse.vjp
        def _(g, y, x):
            assert g[1] is None and g[2] is None and g[3] is None
            assert y[2].dtype == np.int64 and y[3].dtype == bool
            return (np.where(np.arange(np.size(x)) == y[2][-1], 1.0, 0.0) * g[0],)

        def f(x):
            top, at, order, positive = analyse(x)
            return top * np.sum(x[order][1:] * 1.0) + x[at] * np.sum(positive)

        plain = lambda x: np.max(x) * np.sum(np.sort(x)[1:]) + np.max(x) * np.sum(x > 0)
        F = tg.function(f)
        for x in (X, -X, X[::-1].copy()):
            assert np.allclose(tg.grad(f)(x), tg.grad(plain)(x))
            assert F(x) == pytest.approx(plain(x)) and np.allclose(F.grad(x), tg.grad(plain)(x))

    @pytest.mark.parametrize("dtype", [np.float32, np.complex128])
    def test_dtypes(self, dtype):
        cube = by_vjp()
        x = X.astype(dtype) if dtype is np.float32 else X + 1j * V
        weigh = lambda y: np.sum(np.abs(y) ** 2)
        for f in (
            lambda g: tg.grad(lambda x: weigh(g(x))),
            lambda g: tg.function(lambda x: weigh(g(x))).grad,
        ):
            found, expected = f(cube)(x), f(lambda x: x**3)(x)
            assert found.dtype == dtype and np.allclose(found, expected, rtol=1e-4)
        t = V.astype(dtype)
        assert np.allclose(tg.jvp(cube, (x,), (t,))[1], 3 * x**2 * t, rtol=1e-5)

    def test_empty_and_scalars(self):
        cube = by_vjp()
        assert tg.grad(lambda x: np.sum(cube(x)))(np.zeros((0, 2))).shape == (0, 2)
        assert tg.grad(cube)(2.0) == 12.0 and tg.grad(cube)(np.float32(2.0)) == 12.0
        assert tg.grad(cube)(np.array(2.0)) == 12.0

    def test_methods(self):
        class Model:
            k = 3.0

            @tg.custom_rule
            def scaled(self, x):
                return self.k * np.asarray(x)

            @scaled.vjp
            def _(g, y, self, x):
                return None, self.k * g

        assert tg.grad(Model().scaled)(2.0) == 3.0


class TestOpaque:
    def test_ctypes(self):
        libm = ctypes.CDLL(ctypes.util.find_library("m"))
        libm.cbrt.restype, libm.cbrt.argtypes = ctypes.c_double, [ctypes.c_double]
        cbrt = tg.custom_rule(lambda x: libm.cbrt(x))
        cbrt.vjp(lambda g, y, x: (g / (3.0 * y * y),))
        assert tg.grad(cbrt)(8.0) == pytest.approx(1 / 12, rel=1e-14)
        assert tg.function(cbrt).grad(27.0) == pytest.approx(1 / 27, rel=1e-14)
        assert tg.derivative(cbrt, 2)(8.0) == pytest.approx(-2 / 9 * 8.0 ** (-5 / 3), rel=1e-12)

    def test_another_process(self):
        code = "import sys; print(float(sys.argv[1]) ** 2 * float(sys.argv[2]))"

        @tg.custom_rule
        def elsewhere(x, y):
            command = [sys.executable, "-S", "-c", code, repr(float(x)), repr(float(y))]
            return float(subprocess.run(command, capture_output=True, check=True).stdout)

        elsewhere.vjp(lambda g, value, x, y: (2.0 * x * y * g, x * x * g))
        f = lambda x: np.sin(elsewhere(x, 3.0 * x)) * x
        exact = np.sin(3 * 0.7**3) + np.cos(3 * 0.7**3) * 9 * 0.7**3
        assert tg.grad(f)(0.7) == pytest.approx(exact, rel=1e-14)
        assert tg.function(f).grad(0.7) == pytest.approx(exact, rel=1e-14)

    def test_an_opaque_vjp_is_transposed_by_columns(self):
        rule = tg.custom_rule(lambda x: np.asarray(x)[:2] ** 2)
        calls = []

        @rule.vjp
        def _(g, y, x):
            calls.append(1)
            out = np.zeros(3)
            memory = np.asarray(x, dtype=float)
            out[:2] = 2 * memory[:2] * np.asarray(g)
            return (out,)

        assert np.allclose(tg.jvp(rule, (X,), (V,))[1], 2 * X[:2] * V[:2])
        assert len(calls) <= 3 and np.allclose(tg.jacfwd(rule)(X), 2 * np.eye(2, 3) * X)

    def test_arguments_belong_to_the_function(self):
        @tg.custom_rule
        def greedy(x):
            x *= 2.0
            return x

        @greedy.vjp
        def _(g, y, x):
            return (g * 2.0,)

        x = X.copy()
        assert np.array_equal(tg.grad(lambda x: np.sum(greedy(x) * x))(x), 4 * X)
        assert np.array_equal(x, X)

    def test_a_result_buffer_that_is_used_again(self):
        buffer = np.empty(3)

        @tg.custom_rule
        def into(x):
            np.multiply(x, x, out=buffer)
            return buffer

        into.vjp(lambda g, y, x: (2 * x * g,))
        f = lambda x: np.sum(into(x) * into(x + 1.0))
        plain = lambda x: np.sum(x**2 * (x + 1.0) ** 2)
        assert np.allclose(tg.grad(f)(X), tg.grad(plain)(X))
        assert np.allclose(tg.function(f).grad(X), tg.grad(plain)(X))

    def test_finite_differences_on_request(self):
        with pytest.raises(tg.UnsupportedError, match="wave"):
            tg.grad(tg.custom_rule(wave))(0.3)
        rule = tg.custom_rule(wave, derivatives="finite-differences")
        assert tg.grad(rule)(0.3) == pytest.approx(np.cos(0.3) * np.exp(np.sin(0.3)), rel=1e-9)
        f = lambda x: np.sum(rule(x) ** 2)
        plain = lambda x: np.sum(np.exp(np.sin(x)) ** 2)
        assert np.allclose(tg.grad(f)(X), tg.grad(plain)(X), rtol=1e-8)
        assert np.allclose(tg.hessian(f)(X), tg.hessian(plain)(X), rtol=1e-5, atol=1e-5)
        assert np.allclose(tg.function(f).grad(X), tg.grad(plain)(X), rtol=1e-8)


def wave(x):
    return np.exp(np.sin(np.asarray(x)))


class TestMixedWithRecordedCode:
    """Rules that call transforms, other custom rules and themselves."""

    @staticmethod
    def residual(x, p):
        return x**3 + p[0] * x - p[1]

    def implicit(self):
        residual = self.residual

        @tg.custom_rule
        def root(p):
            x = 1.0
            for _ in range(60):
                x -= (x**3 + p[0] * x - p[1]) / (3.0 * x**2 + p[0])
            return x

        @root.vjp
        def _(g, x, p):
            """The implicit function theorem, with derivatives of the residual by recording it."""
            by_x, by_p = tg.grad(residual, argnums=(0, 1))(x, p)
            return (-g * by_p / by_x,)

        return root

    def test_implicit_function(self):
        root = self.implicit()
        p = np.array([2.0, 5.0])
        x = root(p)
        slope = 1.0 / (3 * x**2 + p[0])
        gradient = np.array([-x * slope, slope])
        assert np.allclose(tg.grad(root)(p), gradient, rtol=1e-13)
        h = 1e-5
        columns = [
            (tg.grad(root)(p + h * e) - tg.grad(root)(p - h * e)) / (2 * h) for e in np.eye(2)
        ]
        assert np.allclose(tg.hessian(root)(p), columns, rtol=1e-8)
        F = tg.function(lambda p: root(p) ** 2)
        assert np.allclose(F.grad(p), 2 * x * gradient)
        plain = tg.hessian(lambda p: root(p) ** 2)
        assert np.allclose(F.hessian(p), plain(p)) and np.allclose(F.hessian(p + 1), plain(p + 1))
        many = np.stack([p, p + 0.5, p + 1.0])
        assert np.allclose(tg.vmap(tg.grad(root))(many), [tg.grad(root)(q) for q in many])
        assert np.allclose(
            tg.vmap(tg.hessian(root))(many), [tg.hessian(root)(q) for q in many], rtol=1e-10
        )

    def test_rules_that_need_each_other(self):
        sine, cosine = tg.custom_rule(opaque_sine), tg.custom_rule(opaque_cosine)
        sine.vjp(lambda g, y, x: (cosine(x) * g,))
        cosine.jvp(lambda t, y, x: -sine(x) * t[0])
        for order, exact in enumerate([np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)]):
            assert tg.derivative(sine, order)(0.4) == pytest.approx(exact(0.4), rel=1e-14)
        f = tg.function(lambda x: np.sum(sine(x) * cosine(x)))
        assert np.allclose(f.hessian(X), np.diag(-2 * np.sin(2 * X)), atol=1e-14)

    def test_a_transform_within_a_recording(self):
        cube = by_jvp()
        f = lambda x: np.sum(tg.jacobian(cube)(x) @ x) + tg.grad(lambda y: np.sum(cube(y)))(x)[0]
        plain = lambda x: np.sum(3 * x**3) + 3 * x[0] ** 2
        assert f(X) == pytest.approx(plain(X))
        assert np.allclose(tg.grad(f)(X), tg.grad(plain)(X))
        F = tg.function(f)
        assert np.allclose(F.grad(X), tg.grad(plain)(X))
        assert np.allclose(F.hessian(X + 1), tg.hessian(plain)(X + 1))


def opaque_sine(x):
    return np.sin(np.asarray(x))


def opaque_cosine(x):
    return np.cos(np.asarray(x))
