"""Functions of NumPy code as parts of JAX programs. `tg.jax.wrap` is all there is to it; JAX must
be installed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad.interop import Flat, Numeric, as_arrays, pulled, pushed

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    raise ImportError("tapegrad.jax needs JAX, which is not installed") from None

__all__ = ["wrap"]


def wrap(f: Callable[..., Any], mode: str = "vjp") -> Callable[..., Any]:
    """`f`, a function of NumPy arrays, as a function of JAX arrays.

    It works under `jax.jit`, where it is a callback; under `jax.grad` and `jax.vjp`, to any order;
    and under `jax.vmap`, one instance after the other. With `mode="jvp"` it works under `jax.jvp`
    and `jax.jacfwd` instead, to any order: JAX cannot transpose a callback, so a function has one
    of the two.

    To find shapes `f` runs once for each signature, at ones. Results have the dtypes that JAX is
    set to; for float64 set `jax_enable_x64`.

    >>> import numpy as np, tapegrad as tg, pytest
    >>> jax = pytest.importorskip("jax")
    >>> f = tg.jax.wrap(lambda x: np.sum(np.sin(x) ** 2))
    >>> bool(abs(jax.jit(jax.grad(f))(0.5) - np.sin(1.0)) < 1e-6)
    True
    """
    if mode not in ("vjp", "jvp"):
        raise ValueError(f"tg.jax.wrap: mode={mode!r} is neither vjp nor jvp")

    forms = Flat(f, _is_array)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        flat, arrays, rebuild = forms.at(args, kwargs)
        arrays = [jnp.asarray(x) for x in arrays]
        found = _applied(flat, arrays, mode)
        return rebuild(found)

    return wrapped


def _is_array(x: Any) -> bool:
    return isinstance(x, (jax.Array, np.ndarray, np.number, float, complex))


def _applied(f: Numeric, arrays: Sequence[Any], mode: str) -> Sequence[Any]:
    ones = [np.ones(x.shape, x.dtype) for x in arrays]
    metas = [
        jax.ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype))
        for a in as_arrays(f(*ones))
    ]

    def call(*inputs: Any) -> Any:
        return jax.pure_callback(host, metas, *inputs, vmap_method="sequential")

    def host(*inputs: Any) -> Any:
        found = as_arrays(f(*(np.array(x) for x in inputs)))
        return [a.astype(m.dtype) for a, m in zip(found, metas, strict=True)]

    moving = [k for k, x in enumerate(arrays) if jnp.issubdtype(x.dtype, jnp.inexact)]
    if mode == "jvp":
        return _with_jvp(f, call, moving)(*arrays)  # type: ignore[no-any-return]
    return _with_vjp(f, call, moving, len(metas))(*arrays)  # type: ignore[no-any-return]


def _with_vjp(f: Numeric, call: Callable[..., Any], moving: list[int], count: int) -> Any:
    function = jax.custom_vjp(call)

    def forward(*inputs: Any) -> Any:
        return function(*inputs), inputs

    def backward(inputs: Any, cotangents: Any) -> Any:
        back = pulled(f, count, moving)
        found = iter(_applied(back, [*cotangents, *inputs], "vjp"))
        return tuple(next(found) if k in moving else None for k in range(len(inputs)))

    function.defvjp(forward, backward)
    return function


def _with_jvp(f: Numeric, call: Callable[..., Any], moving: list[int]) -> Any:
    function = jax.custom_jvp(call)

    def both(primals: Any, tangents: Any) -> Any:
        along = [tangents[k] for k in moving]
        forward = pushed(f, len(primals), moving)
        return function(*primals), _applied(forward, [*primals, *along], "jvp")

    function.defjvp(both)
    return function
