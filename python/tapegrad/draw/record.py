"""Records a function and reads its nodes off the tape: the only place here that knows the tape."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tapegrad.draw.graph import Graph, Node, Role, short
from tapegrad.pytree import flatten
from tapegrad.transforms.recording import Run, check_function

INPUTS = ("input", "alias")  # an argument is an alias where it was recorded before
# id, op, operands, shape, dtype, value (None once released); an operand below zero is -(k + 1) for
# scalar constant k.
Row = tuple[int, str, tuple[int, ...], tuple[int, ...], str, Any]


def graph_of(f: Callable[..., Any], args: Sequence[Any]) -> Graph:
    """The graph of `f(*args)` with all arguments as inputs and the adjoints of the results' sum."""
    check_function(f, "draw")
    if not args:
        raise TypeError("draw: expected the arguments to call the function with")
    with Run("draw", f) as run:
        run.call(args, {}, tuple(range(len(args))))
        results = run.outputs().variables
        rows: list[Row] = run.tape.nodes(run.begin, run.tape.mark())
        reader = _Reader(run.begin, len(rows), run.tape.scalar_constants(), _names(f, args))
        for result in results:
            reader.add_adjoints(run.tape.adjoints(result, run.begin))
    for row in rows:
        reader.read(row)
    note = "" if results else "the result does not depend on the arguments"
    return Graph(tuple(reader.nodes), note)


@dataclass(slots=True)
class _Reader:
    """Turns rows of the tape into nodes that are numbered from zero, constants after the rest."""

    begin: int
    next_id: int
    constants: Sequence[float]
    names: list[str]
    nodes: list[Node] = field(default_factory=list)
    adjoints: dict[int, Any] = field(default_factory=dict)
    results: set[int] = field(default_factory=set)

    def add_adjoints(self, sweep: dict[int, Any]) -> None:
        """Take in the sweep of one more result, which is the last node it reached."""
        self.results.add(max(sweep))
        for at, adjoint in sweep.items():
            self.adjoints[at] = self.adjoints[at] + adjoint if at in self.adjoints else adjoint

    def read(self, row: Row) -> None:
        at, op, operands, shape, dtype, value = row
        reads = tuple(self._operand(k) for k in operands if k < 0 or k >= self.begin)
        adjoint = short(np.asarray(self.adjoints[at])) if at in self.adjoints else ""
        role: Role = "output" if at in self.results else "operation"
        name = ""
        if self.names and op in INPUTS:
            role, name = "input", self.names.pop(0)
        shown = "" if value is None else short(value)
        node = Node(at - self.begin, op, reads, shape, dtype, shown, adjoint, role, name)
        self.nodes.append(node)

    def _operand(self, operand: int) -> int:
        if operand >= 0:
            return operand - self.begin
        # One node for each use: edges out of a common pool would cross everything.
        made, self.next_id = self.next_id, self.next_id + 1
        text = short(self.constants[-operand - 1])
        self.nodes.append(Node(made, "constant", (), (), "float64", text, "", "constant"))
        return made


def _names(f: Callable[..., Any], args: Sequence[Any]) -> list[str]:
    """What the user calls each leaf of the arguments: `x`, `params['w']`, `xs[1]`."""
    names = [f"argument {i}" for i in range(len(args))]
    try:
        signature = inspect.signature(f)
        bound = signature.bind(*args).arguments
    except (TypeError, ValueError):  # no signature can be read of some compiled functions
        bound = {}
    if bound:
        names = []
        for name, value in bound.items():
            several = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            names += [f"{name}[{k}]" for k in range(len(value))] if several else [name]
    return [
        name + path
        for name, arg in zip(names, args, strict=True)
        for path in flatten(arg)[1].paths()
    ]
