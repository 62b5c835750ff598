#!/usr/bin/env python3
"""Proves that an elementwise op is one line of the table: in a copy of the repository it adds a
made-up line to cpp/ops/elementwise.def, builds the extension and asks Python for its derivatives.

Called by .ci/run as `python tools/check_new_op.py`; exits 1 if the build or an answer fails. Needs
what building in place needs: a compiler, cmake, ninja, pybind11, NumPy.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = Path("cpp/ops/elementwise.def")
NAME = "cubic_plus"
LINE = f"UNARY({NAME}, C, x * x * x + x, T(3) * x * x + T(1), -2, 2)\n"
# Unoptimised: the answers are what counts, and the kernels compile in a fraction of the time.
OPTIONS = {
    "CMAKE_BUILD_TYPE": "Debug",
    "CMAKE_CXX_FLAGS_DEBUG": "-O0",
    "CMAKE_COMPILE_WARNING_AS_ERROR": "ON",
    "TAPEGRAD_IN_PLACE": "ON",
    "Python_EXECUTABLE": sys.executable,
}


def copy_sources(to: Path) -> None:
    """Every file of the checkout that git knows or does not ignore, as it is now."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in sorted(set(names.split("\0")) - {""}):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def add_line(table: Path) -> None:
    """The new op, as the last of the ops before the comparisons."""
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    place = next(i for i, line in enumerate(lines) if line.startswith("COMPARISON("))
    lines.insert(place, LINE)
    table.write_text("".join(lines), encoding="utf-8")


def build(source: Path) -> None:
    """The extension, in place in the copy."""
    options = [f"-D{name}={value}" for name, value in OPTIONS.items()]
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", "2")
    folder = source / "build"
    subprocess.run(["cmake", "-S", source, "-B", folder, "-G", "Ninja", *options], check=True)
    subprocess.run(["cmake", "--build", folder, "--target", "_core", "-j", jobs], check=True)


def ask(source: Path) -> None:
    """Runs `answers` in a fresh interpreter that imports the package of the copy."""
    environment = os.environ | {"PYTHONPATH": str(source / "python")}
    command = [sys.executable, __file__, "--answers", source]
    subprocess.run(command, cwd=source, env=environment, check=True)


def answers(source: Path) -> None:
    """Value and derivatives of the op, beside their closed forms: f = x^3 + x."""
    import numpy as np

    import tapegrad as tg
    from tapegrad import _core

    assert Path(tg.__file__).is_relative_to(source), tg.__file__
    f = lambda x: _core.apply(NAME, (x,))  # noqa: E731
    total = lambda x: np.sum(f(x))  # noqa: E731
    x, v = np.array([-1.5, 0.0, 0.5, 2.0]), np.array([1.0, -2.0, 0.25, 3.0])
    z = np.array([0.5 + 1j, -1.0 - 0.25j])
    row = next(row for row in _core.ops() if row["name"] == NAME)
    assert (row["kind"], row["complex"], row["low"], row["high"]) == ("unary", True, (-2,), (2,))

    checks = {
        "value": (f(x), x**3 + x),
        "value, float32": (f(x.astype(np.float32)), (x**3 + x).astype(np.float32)),
        "value, complex": (f(z), z**3 + z),
        "gradient": (tg.grad(total)(x), 3 * x**2 + 1),
        "gradient, one number": (tg.grad(f)(0.5), 1.75),
        "gradient, complex": (tg.jacobian(f, holomorphic=True)(z), np.diag(3 * z**2 + 1)),
        "forward mode": (tg.jvp(f, (x,), (v,))[1], (3 * x**2 + 1) * v),
        "hvp": (tg.hvp(total)(x, v), 6 * x * v),
        "hessian": (tg.hessian(total)(x), np.diag(6 * x)),
        "second derivative": (tg.derivative(f, order=2)(x), 6 * x),
        "third derivative": (tg.derivative(f, order=3)(x), np.full(4, 6.0)),
        "grad of grad": (tg.grad(tg.grad(f))(0.5), 3.0),
    }
    for what, (found, wanted) in checks.items():
        np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-14, err_msg=what)
        print(f"{NAME}: {what}: ok")
    tg.testing.check_grads(total, (x,), order=2)
    print(f"{NAME}: check_grads to order 2: ok")


def main(arguments: list[str]) -> int:
    if arguments:
        answers(Path(arguments[1]))
        return 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tapegrad-new-op-") as folder:
        source = Path(folder).resolve()
        copy_sources(source)
        add_line(source / TABLE)
        try:
            build(source)
            ask(source)
        except subprocess.CalledProcessError as failure:
            print(f"check_new_op: {failure}", file=sys.stderr)
            return 1
    print(f"one line in {TABLE} made the op {NAME}, in {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
