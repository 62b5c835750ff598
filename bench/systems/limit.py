"""The limit: adjoints written by hand in C (`bench/limits`), compiled when the benchmark runs."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from bench.measure import Thunk
from bench.systems.base import System
from bench.workloads import Instance, Workload

SOURCES = Path(__file__).resolve().parent.parent / "limits"
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fPIC", "-shared")


def _compiler() -> str:
    return os.environ.get("CC", "gcc")


@dataclass(frozen=True)
class Adjoint:
    """A compiled workload with its constants, in one array."""

    library: ctypes.CDLL
    data: Any


class Limit(System):
    name = "limit"
    title = "C by hand"
    module = "ctypes"
    distribution = "C compiler"
    records = False
    one_shot = False
    prepared_only = True
    has_value = False
    second_order = False

    def __init__(self) -> None:
        self.np = numpy

    @classmethod
    def installed(cls) -> bool:
        return shutil.which(_compiler()) is not None

    @classmethod
    def version(cls) -> str:
        done = subprocess.run([_compiler(), "-dumpfullversion"], capture_output=True, text=True)
        return f"{_compiler()} {done.stdout.strip()} {' '.join(FLAGS[:3])}"

    @classmethod
    def takes(cls, workload: Workload, size: int) -> bool:
        return (SOURCES / f"{workload.name}.c").exists()

    def function(self, workload: Workload, instance: Instance) -> Any:
        return Adjoint(_library(workload.name), _flat(instance.data))

    def gradient(self, function: Callable[..., Any], params: Sequence[Any]) -> Thunk:
        assert isinstance(function, Adjoint)
        x, data, library = _flat(params), function.data, function.library
        sizes = ctypes.c_long(x.size), ctypes.c_long(data.size)
        gradient = numpy.empty_like(x)
        work = numpy.empty(library.workspace(*sizes))
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (x, data, gradient, work)]
        ends = numpy.cumsum([numpy.size(p) for p in params])[:-1]
        shapes = [numpy.shape(p) for p in params]
        parts = numpy.split(gradient, ends)
        gradients = tuple(p.reshape(s) for p, s in zip(parts, shapes, strict=True))
        # The arguments are those of an adjoint in a loop of C: converted once.
        arguments, call, owners = (*sizes, *pointers), library.value_and_grad, (x, data, work)
        return lambda _=owners: (call(*arguments), gradients)


def _flat(arrays: Sequence[Any]) -> Any:
    parts = [numpy.ravel(numpy.asarray(a, dtype=float)) for a in arrays]
    return numpy.concatenate(parts) if parts else numpy.empty(0)


def _library(name: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{name}.so"
        command = [_compiler(), *FLAGS, "-o", str(file), str(SOURCES / f"{name}.c"), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        library = ctypes.CDLL(str(file))
    library.workspace.restype = ctypes.c_long
    library.value_and_grad.restype = ctypes.c_double
    return library
