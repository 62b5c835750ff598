"""`tg.hook`: sees and replaces adjoints in sweeps, nested ones, programs and batches."""

import numpy as np
import pytest

import tapegrad as tg

X = np.array([0.5, 1.0, 2.0])


def halved(x):
    return tg.hook(x, lambda g: 0.5 * g) ** 2


def looked_at(x, seen):
    return np.sum(np.sin(tg.hook(x, seen.append)) * x)


def test_it_is_the_identity_that_sees_its_adjoint():
    seen = []
    value, gradient = tg.value_and_grad(lambda x: looked_at(x, seen))(X)
    assert value == np.sum(np.sin(X) * X)
    np.testing.assert_allclose(gradient, np.cos(X) * X + np.sin(X), rtol=1e-14)
    (adjoint,) = seen
    np.testing.assert_allclose(adjoint, np.cos(X) * X, rtol=1e-14)  # of this use of x only


def test_it_sees_the_sum_over_all_uses():
    seen = []

    def f(x):
        h = tg.hook(x, seen.append)
        return np.sum(h * 2.0) + np.sum(h * 3.0)

    tg.grad(f)(X)
    np.testing.assert_array_equal(seen, [np.full(3, 5.0)])


def test_numbers():
    seen = []
    assert tg.grad(lambda x: tg.hook(x, seen.append) * 3.0)(2.0) == 3.0
    assert seen == [3.0] and isinstance(seen[0], float)
    assert tg.grad(halved)(3.0) == 3.0


def test_replays_call_it():
    seen = []
    F = tg.function(lambda x: looked_at(x, seen))
    F(X)
    assert seen == []
    for k in range(3):
        x = X + k
        np.testing.assert_allclose(F.grad(x), np.cos(x) * x + np.sin(x), rtol=1e-14)
        np.testing.assert_allclose(seen.pop(), np.cos(x) * x, rtol=1e-14)
    G = tg.function(lambda x: np.sum(halved(x)))
    np.testing.assert_allclose(G.grad(X), X)
    np.testing.assert_allclose(G.hessian(X), np.eye(3))


def test_forward_mode_has_no_adjoints():
    seen = []
    value, tangent = tg.jvp(lambda x: tg.hook(x, seen.append) ** 2, (3.0,), (1.0,))
    assert (value, tangent) == (9.0, 6.0) and not seen
    assert tg.jvp(halved, (3.0,), (1.0,)) == (9.0, 6.0)


def test_every_direction_and_instance():
    twice = lambda x: tg.hook(x, lambda g: 2.0 * g) * np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(tg.jacrev(twice)(X), np.diag([2.0, 4.0, 6.0]))
    np.testing.assert_array_equal(tg.vmap(tg.grad(halved))(X), X)


def test_a_replacement_is_differentiated():
    """The gradient of g is clip(exp(x), -2, 2), and its derivative exp(x) or zero."""
    clipped = lambda x: np.sum(np.exp(tg.hook(x, lambda g: np.clip(g, -2.0, 2.0))))
    np.testing.assert_allclose(tg.grad(clipped)(X), np.minimum(np.exp(X), 2.0))
    slopes = np.diag(np.where(np.exp(X) < 2.0, np.exp(X), 0.0))
    np.testing.assert_allclose(tg.jacfwd(tg.grad(clipped))(X), slopes)
    np.testing.assert_allclose(tg.hessian(clipped)(X), slopes)
    np.testing.assert_allclose(tg.hvp(clipped)(X, np.ones(3)), np.diag(slopes))


def test_complex_values_and_containers():
    turned = lambda z: np.abs(tg.hook(z, lambda g: 1j * g)) ** 2
    assert tg.grad(turned)(1 + 2j) == 1j * (2 - 4j)
    f = lambda x: np.sum(tg.hook({"a": x, "b": 2.0 * x}, lambda g: 10.0 * g)["b"])
    np.testing.assert_array_equal(tg.grad(f)(X), np.full(3, 20.0))


def test_plain_values_pass():
    assert tg.hook(3.0, print) == 3.0
    assert tg.hook(X, print) is X
    assert tg.grad(lambda x: x * np.sum(tg.hook(X, print)))(1.0) == np.sum(X)


def test_float32_stays():
    seen = []
    gradient = tg.grad(lambda x: looked_at(x, seen))(X.astype(np.float32))
    assert gradient.dtype == np.float32 and seen[0].dtype == np.float32


def test_errors():
    with pytest.raises(TypeError, match="hook: expected a function of the adjoint"):
        tg.hook(X, 3.0)
    with pytest.raises(ValueError, match=r"test_hook.py:\d+: the hook .*shape \(2,\), expected"):
        tg.grad(lambda x: np.sum(tg.hook(x, lambda g: g[:2])))(X)

    def broken(g):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as raised:
        tg.grad(lambda x: np.sum(tg.hook(x, broken)))(X)
    assert "in the hook broken" in raised.value.__notes__[0]


def test_its_argument_cannot_be_written_to():
    def zeroed(g):
        g[...] = 0.0

    f = lambda x: np.sum(tg.hook(x, zeroed) ** 2)
    for derivative in (tg.grad(f), tg.function(f).grad, tg.hessian(f), tg.jacfwd(tg.grad(f))):
        with pytest.raises(ValueError, match="read-only") as caught:
            derivative(X)
        assert "zeroed" in caught.value.__notes__[0]
    g = lambda x: np.sum(tg.hook(x, lambda g: np.multiply(g, 0.5)) ** 2)
    np.testing.assert_array_equal(tg.grad(g)(X), X)


def test_complex_replacements_of_real_adjoints():
    with pytest.raises(ValueError, match=r"the hook .*complex, of a real value"):
        tg.grad(lambda x: tg.hook(x, lambda g: 1j * g) ** 2)(2.0)
    assert tg.grad(lambda x: tg.hook(x, lambda g: g + 0j) ** 2)(2.0) == 4.0
