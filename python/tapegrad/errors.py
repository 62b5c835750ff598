"""The exceptions users meet, and the raising of them with the user's file and line.

The extension calls `detached_float`, `detached_array`, `recording`, `memory_order`,
`unsupported` and `is_library`;
the package's Python code `unsupported` and `detached`. What SciPy did with a recorded value is
looked up on the stack, so that the message can name the function and what to call instead.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NoReturn

import numpy as np

__all__ = [
    "BranchError",
    "DetachedError",
    "NonFiniteError",
    "RecordingError",
    "UnsupportedError",
    "user_frame",
]


class DetachedError(TypeError):
    """A recorded value would have left the recording, and its derivative would have been lost.

    Raised by `float(x)`, `np.asarray(x)` and the like. The message has the file and line and what
    to write instead.
    """


class UnsupportedError(TypeError, NotImplementedError):
    """A function, an argument of a function or a dtype for which there is no derivative rule."""


class BranchError(RuntimeError):
    """A replay met a branch that goes another way than when the program was recorded.

    Raised where the program may not or cannot be recorded again. Names the user's file and line.
    """


class RecordingError(RuntimeError):
    """A Variable was used after its recording ended, in another recording or in another thread."""


class NonFiniteError(FloatingPointError):
    """Under `tg.debug()` a value or derivative was NaN or infinite.

    The message has the op that made it, the user's file and line, and its operands; `culprit` is
    the same as an object (`tg.Function.explain_nonfinite`), None where it could not be found.
    """

    def __init__(self, message: str, culprit: Any = None) -> None:
        super().__init__(message)
        self.culprit = culprit


def user_frame() -> tuple[str, int]:
    """File and line of the innermost running Python code outside tapegrad, NumPy and SciPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not is_library(file):
            return file, frame.f_lineno
        frame = frame.f_back
    return "<unknown>", 0


def is_library(file: str) -> bool:
    """Whether code in `file` is not the user's; asked by the extension once for each function."""
    return file.startswith(LIBRARIES)


def detached(what: str, advice: str = "") -> NoReturn:
    """Raise DetachedError: `what` happened to a recorded value, `advice` says what to write."""
    raise DetachedError(_located(what, advice))


def unsupported(what: str, advice: str = "") -> NoReturn:
    """Raise UnsupportedError: `what` has no rule."""
    raise UnsupportedError(_located(what, advice))


def memory_order() -> NoReturn:
    """Raise UnsupportedError where NumPy's answer depends on a memory order that is not known."""
    unsupported(
        "whether this ravel or reshape is a view or a copy in NumPy, or in which order it reads, "
        "depends on the memory order of NumPy's result, which is not known here",
        "Write y.ravel().copy() for a copy, and assign to y[...] itself to change y; for order 'K' "
        "or 'A' say 'C' or 'F'.",
    )


def detached_float() -> NoReturn:
    """Raise DetachedError for `float(x)`, `math.sin(x)`, `plain_array[0] = x` and the like."""
    _refuse_scipy_function()
    detached(
        "a recorded value was turned into a Python float (float(), math.*, a format, a[i] = x of "
        "a plain array), which would lose its derivative",
        "Use the value itself and np.* functions (np.sin for math.sin); make arrays to be filled "
        "with np.zeros_like(x) of a recorded x, or with zeros from `import tapegrad.numpy as np`; "
        "where a constant is meant, write float(tg.stop_gradient(x)).",
    )


def detached_array(x: object) -> np.ndarray[Any, Any]:
    """Raise DetachedError for `np.asarray(x)`, `np.array([x, y])`, `plain_array[i] = x`.

    Sparse matrices alone get an answer, when they ask whether the right operand of @ is an array:
    an object, by which they know that it is not, and leave the product to Variable.
    """
    frame = sys._getframe(1)
    if frame.f_code.co_name == "_matmul_dispatch" and _module(frame).startswith("scipy.sparse"):
        answer = np.empty((), object)
        answer[()] = x
        return answer
    _refuse_scipy_function()
    detached(
        "a recorded value was turned into a plain NumPy array (np.asarray, np.array, a[i] = x), "
        "which would lose its derivative",
        "Use the value itself; build arrays with np.stack or np.concatenate, or with zeros, array "
        "and the like from `import tapegrad.numpy as np` or np.zeros_like(x); where a constant is "
        "meant, write np.asarray(tg.stop_gradient(x)).",
    )


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _refuse_scipy_function() -> None:
    """Raise DetachedError that names the function of SciPy which the user has called, if one is
    running."""
    called = _scipy_function()
    if called is None:
        return
    package, name = called
    if not name:
        detached(
            f"a method of {package} cannot take recorded values, which would lose their derivative",
            "Products with sparse matrices are written A @ x and x @ A.",
        )
    detached(
        f"{package}.{name} cannot take recorded values, which would lose their derivative",
        f"Call tapegrad.{package}.{name}, which differentiates."
        if _has_replacement(package, name)
        else f"Write it in NumPy, or with functions of tapegrad.{package}; where a constant is "
        "meant, pass tg.stop_gradient(x).",
    )


def _scipy_function() -> tuple[str, str] | None:
    """Package and public name of the function of SciPy nearest to the user's code on the stack; no
    name for methods of sparse matrices."""
    found: tuple[str, str] | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and is_library(frame.f_code.co_filename):
        if _module(frame).startswith("scipy."):
            found = _public_name(frame) or found
            if found is None and _module(frame).startswith("scipy.sparse._"):
                found = "scipy.sparse", ""
        frame = frame.f_back
    return found


def _public_name(frame: FrameType) -> tuple[str, str] | None:
    """`scipy.linalg`, `expm`; of distributions `scipy.stats`, `norm.pdf`; of objects the class."""
    for module, name in _names(frame):
        parts = module.split(".")
        for length in range(len(parts), 1, -1):
            package = ".".join(parts[:length])
            if any(part.startswith("_") for part in parts[:length]) or package not in sys.modules:
                continue
            public = vars(sys.modules[package])
            owner = getattr(frame.f_locals.get("self"), "name", None)
            if isinstance(owner, str) and owner in public and not name.startswith("_"):
                return package, f"{owner}.{name}"
            if callable(public.get(name)):
                return package, name
    return None


def _names(frame: FrameType) -> Iterator[tuple[str, str]]:
    """Module and name of what runs: the function, the one that it decorates, the class of self,
    but for sparse matrices, of which only some methods refuse."""
    yield _module(frame), frame.f_code.co_name
    for wrapped in map(frame.f_locals.get, ("f", "func", "fun")):
        if callable(wrapped):
            yield str(getattr(wrapped, "__module__", "")), str(getattr(wrapped, "__name__", ""))
    if "self" in frame.f_locals and not _module(frame).startswith("scipy.sparse."):
        kind = type(frame.f_locals["self"])
        yield kind.__module__, kind.__name__


def _has_replacement(package: str, name: str) -> bool:
    try:
        ours = importlib.import_module(f"tapegrad.{package}")
    except ImportError:
        return False
    first = name.split(".")[0]
    own = getattr(ours, first, None)
    return own is not None and own is not getattr(sys.modules[package], first, None)


def recording(inside: bool) -> NoReturn:
    """Raise RecordingError; `inside`: another recording is open on this thread."""
    where = "in another recording or another thread" if inside else "after its recording had ended"
    raise RecordingError(
        _located(
            f"a recorded value was used {where}",
            "Return it from the differentiated function (has_aux=True for what is not to be "
            "differentiated), or keep tg.stop_gradient(x), its plain value.",
        )
    )


def _located(what: str, advice: str) -> str:
    file, line = user_frame()
    return f"{file}:{line}: {what}" + (f"\n  {advice}" if advice else "")


def _folder(file: str | None) -> str:
    return os.path.dirname(os.path.abspath(file or "")) + os.sep


# SciPy lies beside NumPy; importing it here only to ask would be slow. "<__array_function__" and
# "<frozen" name code without a file.
LIBRARIES = (
    _folder(__file__),
    _folder(np.__file__),
    os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(np.__file__))), "scipy") + os.sep,
    "<__array_function__",
    "<frozen",
)
