"""Recorded functions in PyTorch and JAX, and arrays that come and go by DLPack."""

from __future__ import annotations

import numpy as np
import pytest

import tapegrad as tg

X = np.array([0.4, 1.1, 2.3])


def f(x, scale=1.0):
    return scale * np.sum(np.sin(x) * np.exp(0.3 * x)), {"y": x**3}


class TestTorch:
    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch")

    def test_first_and_second_order(self, torch):
        wrapped = tg.torch.wrap(lambda x: f(x)[0])
        x = torch.tensor(X, requires_grad=True)
        (gradient,) = torch.autograd.grad(wrapped(x), x, create_graph=True)
        assert np.allclose(gradient.detach(), tg.grad(lambda x: f(x)[0])(X))
        (curved,) = torch.autograd.grad((gradient * x).sum(), x, create_graph=True)
        plain = lambda x: np.sum(tg.grad(lambda x: f(x)[0])(x) * x)
        assert np.allclose(curved.detach(), tg.grad(plain)(X))
        (third,) = torch.autograd.grad(curved.sum(), x)
        assert np.allclose(third, tg.grad(lambda x: np.sum(tg.grad(plain)(x)))(X))

    def test_gradcheck(self, torch):
        wrapped = tg.torch.wrap(lambda a, z: np.real(z * a) ** 2 + np.abs(z) * np.sum(a))
        a = torch.tensor(X, requires_grad=True)
        z = torch.tensor(X + 1j * X[::-1].copy(), requires_grad=True)
        assert torch.autograd.gradcheck(wrapped, (a, z))
        assert torch.autograd.gradgradcheck(wrapped, (a, z))

    def test_containers_constants_and_dtypes(self, torch):
        wrapped = tg.torch.wrap(f)
        x = torch.tensor(X.astype(np.float32), requires_grad=True)
        value, parts = wrapped(x, scale=2.0)
        assert parts["y"].dtype == torch.float32 and set(parts) == {"y"}
        (value + parts["y"].sum()).backward()
        plain = lambda x: f(x, 2.0)[0] + np.sum(f(x)[1]["y"])
        assert x.grad.dtype == torch.float32
        assert np.allclose(x.grad, tg.grad(plain)(X), rtol=1e-5)
        assert not wrapped(torch.tensor(X))[0].requires_grad

    def test_programs_are_replayed(self, torch):
        calls = []

        @tg.function
        def counted(x):
            calls.append(1)
            return np.sum(x**2)

        wrapped = tg.torch.wrap(counted)
        for k in range(4):
            x = torch.tensor(X + k, requires_grad=True)
            wrapped(x).backward()
            assert np.allclose(x.grad, 2 * (X + k))
        assert len(calls) == 1


class TestJax:
    @pytest.fixture
    def jax(self):
        jax = pytest.importorskip("jax")
        jax.config.update("jax_enable_x64", True)
        return jax

    def test_reverse(self, jax):
        wrapped = tg.jax.wrap(lambda x: f(x)[0])
        gradient = jax.jit(jax.grad(wrapped))
        assert np.allclose(wrapped(X), f(X)[0]) and np.allclose(
            gradient(X), tg.grad(lambda x: f(x)[0])(X)
        )
        over = jax.grad(lambda x: (gradient(x) * x).sum())
        plain = lambda x: np.sum(tg.grad(lambda x: f(x)[0])(x) * x)
        assert np.allclose(over(X), tg.grad(plain)(X))
        batch = np.stack([X, 2 * X])
        assert np.allclose(jax.vmap(gradient)(batch), [gradient(x) for x in batch])

    def test_forward(self, jax):
        wrapped = tg.jax.wrap(lambda x: f(x)[0], mode="jvp")
        push = lambda x: jax.jvp(wrapped, (x,), (X,))[1]
        plain = lambda x: tg.jvp(lambda x: f(x)[0], (x,), (X,))[1]
        assert np.allclose(jax.jit(push)(X), plain(X))
        assert np.allclose(jax.jvp(push, (X,), (X,))[1], tg.jvp(plain, (X,), (X,))[1])
        with pytest.raises(ValueError, match="mode"):
            tg.jax.wrap(f, mode="both")

    def test_containers_and_constants(self, jax):
        wrapped = tg.jax.wrap(lambda d, name: f(d["x"], 2.0 if name == "two" else 1.0))
        value, parts = jax.jit(lambda x: wrapped({"x": x}, "two"))(X)
        assert np.allclose(value, f(X, 2.0)[0]) and np.allclose(parts["y"], X**3)
        total = lambda x: wrapped({"x": x}, "one")[1]["y"].sum()
        assert np.allclose(jax.grad(total)(X), 3 * X**2)


class TestDLPack:
    def test_what_comes_in(self):
        torch = pytest.importorskip("torch")
        x = torch.tensor(X)
        assert np.allclose(tg.grad(lambda x: np.sum(x**2))(x), 2 * X)
        assert np.allclose(tg.grad(lambda y: np.sum(y * x))(X), X)
        F = tg.function(lambda x: np.sum(x**2))
        assert F(x) == pytest.approx(np.sum(X**2)) and np.allclose(F.grad(2 * x), 4 * X)

    def test_what_goes_out(self):
        torch = pytest.importorskip("torch")
        found = torch.from_dlpack(tg.grad(lambda x: np.sum(x**2))(X))
        assert np.allclose(found, 2 * X)
        seen = []

        def look(x):
            y = tg.stop_gradient(x)
            seen.append(np.from_dlpack(y).sum())
            with pytest.raises(tg.DetachedError):
                np.from_dlpack(2.0 * x)
            return np.sum(x)

        tg.grad(look)(X)
        assert seen == [pytest.approx(np.sum(X))]
