"""`python -m tapegrad demo`: fit real data with exact derivatives, then measure what is claimed.

Called by tapegrad.__main__; uses nothing of tapegrad but its public interface.
"""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import tapegrad as tg
from tapegrad.demo import fit, lecture, report
from tapegrad.demo.data import Dataset, load
from tapegrad.demo.terminal import Progress, UserFault

__all__ = ["UserFault", "run"]

SIZES = (10, 100, 1000, 10_000, 100_000, 1_000_000)
STEPS = 2 + len(fit.METHODS) + 1 + 1 + len(SIZES) + 2 + 5
PACKAGES = {"matplotlib": "matplotlib", "sklearn": "scikit-learn"}


def run(data_file: Path | None, folder: Path) -> None:
    """Do the whole demo: tables to standard output, pictures into `folder`.

    Raises UserFault with one line for a missing package, a file that cannot serve, or a folder
    that cannot be written.
    """
    progress = Progress(STEPS)
    try:
        progress.step("loading packages")
        _require_packages()
        progress.step("reading the data")
        data = load(data_file)
        _make(folder)
        progress.say(report.data(data))
        with _one_thread():
            fits = _fit(progress, data)
            _measure(progress, data, fits, folder)
    finally:
        progress.finish()
    print(f"\nPictures: {folder.resolve()}")


def _require_packages() -> None:
    """Import what the demo needs beyond tapegrad's own dependencies."""
    missing = []
    for module, package in PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(package)
    if missing:
        names = " and ".join(missing)
        raise UserFault(f'the demo needs {names}: pip install "tapegrad[demo]"')


def _one_thread() -> AbstractContextManager[Any]:
    """Limits BLAS to one thread.

    NumPy and SciPy bring a BLAS each, and two pools of spinning threads fight over the cores: on
    small matrices a solver can lose a factor of a hundred.
    """
    limits = importlib.import_module("threadpoolctl")  # comes with scikit-learn
    limited: AbstractContextManager[Any] = limits.threadpool_limits(limits=1, user_api="blas")
    return limited


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise UserFault(f"cannot write pictures to {folder}: {error.strerror or error}") from None


def _fit(progress: Progress, data: Dataset) -> list[fit.Fit]:
    """The main job: three solvers, beside scikit-learn."""
    fits = []
    for method in fit.METHODS:
        progress.step(f"fitting by {method}")
        fits.append(fit.fit(data, method))
    progress.step("fitting by scikit-learn")
    progress.say(report.fits(fits, fit.reference(data)))
    return fits


def _measure(progress: Progress, data: Dataset, fits: list[fit.Fit], folder: Path) -> None:
    """The lecture's claims, each measured and shown, then every picture."""
    progress.step("differences against tapegrad")
    accuracy = lecture.accuracy(data)
    progress.say(report.accuracy(accuracy))
    costs = []
    for size in SIZES:
        progress.step(f"gradient cost, n = {size:,}")
        costs.append(lecture.cost(size))
    progress.say(report.costs(costs))
    progress.step("drawing a circuit")
    drawing = tg.draw(lecture.circuit, *lecture.CIRCUIT_AT)
    gradient = tg.grad(lecture.circuit, argnums=(0, 1, 2))(*lecture.CIRCUIT_AT)
    progress.say(report.circuit(drawing, gradient))
    progress.step("a neuron's descent")
    neuron = lecture.neuron(data)
    progress.say(report.neuron(neuron))

    from tapegrad.demo import pictures  # matplotlib is known to be here only now

    progress.step("painting the convergence")
    pictures.convergence(folder / "1-convergence.png", data.title, fits)
    progress.step("painting the differences")
    pictures.differences(folder / "2-differences.png", accuracy)
    progress.step("painting the costs")
    pictures.costs(folder / "3-cost.png", costs)
    progress.step("painting the circuit")
    pictures.circuit(folder / "4-circuit.png", drawing)
    progress.step("painting the neuron")
    pictures.neuron(folder / "5-neuron.png", neuron)
