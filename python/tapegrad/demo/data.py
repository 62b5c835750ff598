"""The data the demo fits: scikit-learn's bundled breast-cancer data, or a CSV of the user's."""

from __future__ import annotations

import csv
import importlib
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tapegrad.demo.terminal import UserFault

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Standardised features of shape (rows, columns), and labels 0.0 or 1.0 of shape (rows,)."""

    title: str
    features: Array
    labels: Array
    names: tuple[str, ...]


def load(path: Path | None) -> Dataset:
    """The user's CSV, or the Wisconsin breast-cancer data where `path` is None."""
    return _bundled() if path is None else read_csv(path)


def _bundled() -> Dataset:
    bunch = importlib.import_module("sklearn.datasets").load_breast_cancer()
    names = tuple(str(name) for name in bunch.feature_names)
    title = "Wisconsin breast cancer (bundled with scikit-learn)"
    return _standardised(title, np.asarray(bunch.data, float), np.asarray(bunch.target), names)


def read_csv(path: Path) -> Dataset:
    """Read a CSV whose last column is the 0/1 label; a first line of names is optional.

    Raises UserFault with the line and column of whatever is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserFault(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise UserFault(f"{path}: {error.strerror or error}") from None
    rows = list(_rows(path, text))
    if not rows:
        raise UserFault(f"{path}: the file has no data")
    names = tuple(f"column {i + 1}" for i in range(len(rows[0][1]) - 1))
    if rows[0][1][-1].strip() and not _is_number(rows[0][1][-1]):
        names = tuple(name.strip() or names[i] for i, name in enumerate(rows.pop(0)[1][:-1]))
    if not rows:
        raise UserFault(f"{path}: a header line and no data")
    if not names:
        raise UserFault(f"{path}: needs a feature column before the label, separated by commas")
    table = np.array([_numbers(path, line, cells, names) for line, cells in rows])
    labels = table[:, -1]
    if labels.min() == labels.max():
        raise UserFault(f"{path}: every label is {labels[0]:.0f}; fitting needs both 0 and 1")
    return _standardised(path.name, table[:, :-1], labels, names)


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with its line number."""
    reader = csv.reader(io.StringIO(text))
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise UserFault(f"{path}: line {reader.line_num}: {error}") from None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(path: Path, line: int, cells: list[str], names: tuple[str, ...]) -> list[float]:
    """One row as floats: finite features, then a label that is 0 or 1."""
    where = f"{path}: line {line}"
    if len(cells) != len(names) + 1:
        raise UserFault(f"{where}: {len(cells)} columns where {len(names) + 1} were expected")
    for i, (cell, name) in enumerate(zip(cells, (*names, "the label"), strict=True)):
        place = f"{where}, column {i + 1}"
        place += f" ({name})" if name != f"column {i + 1}" else ""
        if not cell.strip():
            raise UserFault(f"{place} is empty")
        if not _is_number(cell):
            raise UserFault(f"{place} is {cell.strip()!r}, not a number")
        if not math.isfinite(float(cell)):
            raise UserFault(f"{place} is {cell.strip()}, not a finite number")
    if float(cells[-1]) not in (0.0, 1.0):
        raise UserFault(f"{where}: the label, last column, is {cells[-1].strip()}, not 0 or 1")
    return [float(cell) for cell in cells]


def _standardised(title: str, features: Array, labels: Array, names: tuple[str, ...]) -> Dataset:
    """Mean 0 and deviation 1 in each column; a constant column becomes zeros."""
    scale = np.abs(features).max(axis=0)
    unit = features / np.where(scale > 0.0, scale, 1.0)  # so that no square overflows
    centred = unit - unit.mean(axis=0)
    deviation = centred.std(axis=0)
    constant = deviation <= 1e-12
    scaled = np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation))
    return Dataset(title, np.ascontiguousarray(scaled), np.asarray(labels, float), names)
