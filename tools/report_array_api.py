"""Writes docs/array-api.md: what of the array API standard runs on recorded values. Each function
of the standard is called once through `x.__array_namespace__()`; the tests read the same list.

    PYTHONPATH=python python tools/report_array_api.py
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tapegrad as tg
import tapegrad.numpy as tnp

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "array-api.md"

# Calls by group of the standard (version 2024.12). `x`, `y` are recorded (3, 4), `p` is between 0.1
# and 0.9, `m` a symmetric positive (3, 3), `v` a vector of 4, `xp` their namespace, `i` integers.
STANDARD = {
    "creation functions": """
        arange(3.0) * v[0] | asarray(x) * x | empty((3, 4)) * 0.0 + x | empty_like(x) * 0.0 + x
        eye(3) @ x | from_dlpack(i) * v[0] | full((2,), 3.0) * v[0] | full_like(x, v[0])
        linspace(v[0], v[1], 5) | meshgrid(v, v) | ones((3, 4)) * x | ones_like(x) * x
        tril(x) | triu(x, k=1) | zeros((3, 4)) + x | zeros_like(x) + x""",
    "data types": """
        astype(x, xp.float32) | broadcast_arrays(x, v) | broadcast_to(v, (3, 4))
        can_cast(x.dtype, xp.float64) * x | finfo(x.dtype).eps * x | iinfo(i.dtype).max * 0.0 * x
        isdtype(x.dtype, "real floating") * x | result_type(x, i).itemsize * x""",
    "elementwise functions": """
        abs(x) | acos(p) | acosh(p + 1.0) | add(x, y) | asin(p) | asinh(x) | atan(x) | atan2(x, y)
        atanh(p) | bitwise_and(i, 1) * v[0] | bitwise_left_shift(i, 1) * v[0]
        bitwise_invert(i) * v[0] | bitwise_or(i, 1) * v[0] | bitwise_right_shift(i, 1) * v[0]
        bitwise_xor(i, 1) * v[0] | ceil(x) * x | clip(x, -0.5, 0.5) | conj(x) | copysign(x, y)
        cos(x) | cosh(x) | divide(x, p) | equal(x, y) * x | exp(x) | expm1(x) | floor(x) * x
        floor_divide(x, p) * x | greater(x, y) * x | greater_equal(x, y) * x | hypot(x, y)
        imag(x + 1j * y) | isfinite(x) * x | isinf(x) * x | isnan(x) * x | less(x, y) * x
        less_equal(x, y) * x | log(p) | log1p(p) | log2(p) | log10(p) | logaddexp(x, y)
        logical_and(x > 0, y > 0) * x | logical_not(x > 0) * x | logical_or(x > 0, y > 0) * x
        logical_xor(x > 0, y > 0) * x | maximum(x, y) | minimum(x, y) | multiply(x, y)
        negative(x) | nextafter(x, y) * 0.0 + x | not_equal(x, y) * x | positive(x) | pow(p, y)
        real(x + 1j * y) | reciprocal(p) | remainder(x, p) | round(x) * x | sign(x) * x
        signbit(x) * x | sin(x) | sinh(x) | square(x) | sqrt(p) | subtract(x, y) | tan(p)
        tanh(x) | trunc(x) * x""",
    "indexing functions": """
        take(x, i, axis=1) | take_along_axis(x, xp.argsort(x, axis=1), axis=1)""",
    "linear algebra functions": """
        matmul(x, y.T) | matrix_transpose(x) | tensordot(x, y, axes=2) | vecdot(x, y, axis=0)""",
    "manipulation functions": """
        concat([x, y], axis=1) | expand_dims(x, axis=1) | flip(x, axis=0) | moveaxis(x, 0, 1)
        permute_dims(x, (1, 0)) | repeat(x, 2, axis=1) | reshape(x, (2, 6)) | roll(x, 1, axis=0)
        squeeze(x[None], axis=0) | stack([x, y], axis=-1) | tile(x, (2, 1)) | unstack(x, axis=1)""",
    "searching functions": """
        argmax(x) * x | argmin(x, axis=0) * v | count_nonzero(x, axis=0) * v | nonzero(v)[0] * v
        searchsorted(xp.sort(v), v) * v | where(x > 0, x, y)""",
    "set functions": """
        unique_all(x).values | unique_counts(x).values | unique_inverse(x).values
        unique_values(x)""",
    "sorting functions": """
        argsort(v, descending=True) * v | argsort(v) * v | sort(x, axis=0)
        sort(x, axis=1, descending=True)""",
    "statistical functions": """
        cumulative_prod(x, axis=1) | cumulative_sum(x, axis=0, include_initial=True)
        max(x, axis=0) | mean(x, axis=(0, 1), keepdims=True) | min(x) | prod(x, axis=1)
        std(x, axis=0, correction=1) | sum(x, axis=1) | var(x, correction=1)""",
    "utility functions": "all(x > 0) * x | any(x > 0) * x | diff(x, axis=1, n=2)",
    "inspection": """
        __array_namespace_info__().default_device() == x.device and x
        __array_namespace_info__().dtypes()["float64"].itemsize * x""",
    "constants": """
        e * x | xp.where(x < xp.inf, x, 0.0) | nan != 0 and x | x[:, xp.newaxis] | pi * x""",
    "linear algebra extension": """
        linalg.cholesky(m + m.T) | linalg.cross(x[:, :3], y[:, :3]) | linalg.det(m)
        linalg.diagonal(x) | linalg.eigh(m + m.T).eigenvalues | linalg.eigvalsh(m + m.T)
        linalg.inv(m) | linalg.matmul(x, y.T) | linalg.matrix_norm(x) | linalg.matrix_power(m, 3)
        linalg.matrix_rank(m) * v[0] | linalg.matrix_transpose(x) | linalg.outer(v, v)
        linalg.pinv(x) | xp.abs(linalg.qr(m).R) | linalg.slogdet(m).logabsdet
        linalg.solve(m, x) | linalg.svd(m, full_matrices=False).S | linalg.svdvals(x)
        linalg.tensordot(x, y, axes=1 * [[0, 1], [0, 1]]) | linalg.trace(m)
        linalg.vecdot(x, y) | linalg.vector_norm(x, axis=1)""",
    "Fourier transform extension": """
        xp.abs(fft.fft(x)) | xp.abs(fft.ifft(x)) | xp.abs(fft.fftn(x)) | xp.abs(fft.ifftn(x))
        xp.abs(fft.rfft(x)) | fft.irfft(x + 0j) | xp.abs(fft.rfftn(x)) | fft.irfftn(x + 0j)
        fft.hfft(x + 0j) | xp.abs(fft.ihfft(x)) | fft.fftfreq(4) * v | fft.rfftfreq(6) * v
        fft.fftshift(x, axes=1) | fft.ifftshift(x)""",
    "array attributes and methods": """
        x.T | x.mT | x.ndim * x | x.shape[0] * x | x.size * x | x.dtype.itemsize * x
        x.to_device(x.device) | abs(x) | x + y | x / p | x // p * x | x @ y.T | x % p | x * y
        -x | +x | p**y | x - y | (x == y) * x | (x != y) * x | (x < y) * x | (x <= y) * x
        (x > y) * x | (x >= y) * x | bool(v[0]) * x | int(10 * v[0]) * x | x[1, 2:] | x[x > 0]
        x[xp.asarray([0, 2])]""",
}
RNG = np.random.default_rng(11)
A = RNG.standard_normal((3, 3))
ARGUMENTS = {
    "x": RNG.standard_normal((3, 4)),
    "y": RNG.standard_normal((3, 4)),
    "p": RNG.uniform(0.1, 0.9, (3, 4)),
    "m": A @ A.T + 3.0 * np.eye(3),
    "v": np.array([0.37, -1.3, 0.85, 2.1]),
}
NAMES = list(ARGUMENTS)
I = np.array([0, 2, 3, 1])  # noqa: E741


def calls() -> list[tuple[str, str]]:
    """(group, call) for each call of the table."""
    found = []
    for group, text in STANDARD.items():
        parts = [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]
        found += [(group, part) for part in parts]
    return found


def name_of(call: str) -> str:
    """What the page calls it: the function without its arguments."""
    bare = call.removeprefix("xp.abs(") if call.startswith("xp.abs(") else call
    head = bare.split("(")[0]
    return head if head.replace("_", "").replace(".", "").isalnum() and "(" in bare else call


def listed_as_missing() -> list[str]:
    """The calls that the page says do not work."""
    lines = PAGE.read_text().split("What does not work:")
    rest = lines[1].splitlines() if len(lines) > 1 else []
    return [line.split("`")[1] for line in rest if line.startswith("- `")]


def function_of(group: str, call: str) -> Callable[..., Any]:
    free = group == "array attributes and methods" or call.startswith(("xp.", "x["))
    text = ("" if free else "xp.") + call.replace("xp.abs(linalg", "xp.abs(xp.linalg").replace(
        "xp.abs(fft", "xp.abs(xp.fft"
    )
    code = compile(text, text, "eval")

    def function(*values: Any) -> Any:
        names = dict(zip(NAMES, values, strict=True))
        recorded = isinstance(values[0], tg.Variable)
        xp = values[0].__array_namespace__() if recorded else tnp
        return eval(code, {**names, "i": I, "xp": xp, "np": np})

    return function


def outcome(group: str, call: str) -> str:
    """ "yes", or why the call does not work on recorded values."""
    f, values = function_of(group, call), tuple(ARGUMENTS.values())
    try:
        tg.vjp(lambda *args: _leaves(f(*args)), *values)
        if "float32" not in call:
            tg.testing.check_grads(lambda *args: _leaves(f(*args)), values, order=1)
    except (tg.UnsupportedError, tg.DetachedError, TypeError, AttributeError, ValueError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0].split(': ', 1)[-1]}"
    except AssertionError as error:
        return f"wrong derivative: {error}"
    return "yes"


def _leaves(result: Any) -> Any:
    return list(result) if isinstance(result, (tuple, list)) else result


def page() -> str:
    lines = [
        "# The array API standard",
        "",
        "`x.__array_namespace__()` of a recorded value is `tapegrad.numpy`, so code for the",
        "[array API standard](https://data-apis.org/array-api/latest/) differentiates: libraries",
        "that ask for the namespace, and SciPy's functions that do under `SCIPY_ARRAY_API=1`.",
        "Arrays that are to meet recorded values in such a function must come from the same",
        "namespace: write `tapegrad.numpy.array(c)` of constants, inside the function.",
        "",
        "In its extension `special` SciPy finds special functions of recorded values, so",
        "`scipy.special.gammaln(x)` differentiates under the variable as it does without, and so",
        "do functions that call such ones: `stats.entropy`, `jarque_bera`, `ttest_1samp`. Those of",
        "several arguments want all arrays in one namespace; `tapegrad.scipy.special` mixes them.",
        "",
        "Functions of SciPy that assign to an array without axes, or mix one made of plain numbers",
        "with recorded ones, raise `TypeError`: `stats.tmean`, `tvar`, `gstd`, `mode`, `pearsonr`,",
        "`variation`, `skewtest`, `kurtosistest`, `bartlett`.",
        "",
        "`tools/report_array_api.py` calls each function of version 2024.12 on recorded values and",
        "checks the derivatives by differences; this page is its output.",
        "",
    ]
    works, total = 0, 0
    rest = []
    table = []
    for group in STANDARD:
        found = [(call, outcome(group, call)) for g, call in calls() if g == group]
        good = [f"`{name_of(call)}`" for call, what in found if what == "yes"]
        works, total = works + len(good), total + len(found)
        table += [f"**{group}** ({len(good)} of {len(found)}): " + ", ".join(good) + ".", ""]
        rest += [f"- `{call}`: {what}" for call, what in found if what != "yes"]
    lines += [f"{works} of {total} calls work.", "", *table]
    if rest:
        lines += ["What does not work:", "", *rest, ""]
    return "\n".join(lines)


def main() -> int:
    warnings.simplefilter("ignore")
    PAGE.write_text(page())
    print(PAGE.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
