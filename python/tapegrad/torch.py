"""Functions of NumPy code as parts of PyTorch models. `tg.torch.wrap` is all there is to it;
PyTorch must be installed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad.interop import Flat, Numeric, as_arrays, pulled

try:
    import torch
except ImportError:
    raise ImportError("tapegrad.torch needs PyTorch, which is not installed") from None

__all__ = ["wrap"]


def wrap(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, a function of NumPy arrays, as a function of PyTorch tensors.

    Tensors among the arguments (pytrees of them too) reach `f` as arrays; what it returns comes
    back as tensors on the device of the first of them. `backward` goes through `f` by tapegrad, to
    any order (`create_graph=True`). A `tg.function` replays its programs.

    >>> import numpy as np, tapegrad as tg, pytest
    >>> torch = pytest.importorskip("torch")
    >>> f = tg.torch.wrap(lambda x: np.sum(np.sin(x) ** 2))
    >>> x = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    >>> f(x).backward()
    >>> bool(torch.allclose(x.grad, torch.sin(2 * x)))
    True
    """

    forms = Flat(f, torch.is_tensor)

    @functools.wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        flat, tensors, rebuild = forms.at(args, kwargs)
        device = tensors[0].device if tensors else torch.device("cpu")
        return rebuild(_apply(flat, tensors, device))

    return wrapped


def _apply(f: Numeric, tensors: Sequence[Any], device: Any) -> list[Any]:
    """The results of a function of flat arrays; they know how to go back through it."""

    class Call(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.save_for_backward(*inputs)
            found = as_arrays(f(*map(_to_numpy, inputs)))
            return tuple(torch.from_numpy(a).to(device) for a in found)

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> Any:
            inputs = ctx.saved_tensors
            wanted = [k for k, needed in enumerate(ctx.needs_input_grad) if needed]
            back = _conjugated(pulled(f, len(cotangents), wanted), len(cotangents))
            found = iter(_apply(back, [*cotangents, *inputs], device))
            return tuple(next(found) if k in wanted else None for k in range(len(inputs)))

    return list(Call.apply(*tensors))


def _conjugated(back: Numeric, count: int) -> Numeric:
    """PyTorch's derivatives by complex numbers are the conjugates of ours."""

    def turned(*args: Any) -> Any:
        return [np.conj(g) for g in back(*map(np.conj, args[:count]), *args[count:])]

    return turned


def _to_numpy(tensor: Any) -> Any:
    return tensor.detach().resolve_conj().resolve_neg().cpu().numpy()
