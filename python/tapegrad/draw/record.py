"""Records a function and reads its nodes off the tape: the only place here that knows the tape."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tapegrad import _core
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
        run.tape.keep_values()
        run.call(args, {}, tuple(range(len(args))))
        results = run.outputs().variables
        rows: list[Row] = run.tape.nodes(0, run.tape.mark())
        reader = _Reader(rows, run.begin, run.tape.scalar_constants())
        for result in results:
            reader.add_result(run.tape.adjoints(result, run.begin), _core.value(result))
        inputs = [_core.value(variable) for variable in run.inputs.variables]
    reader.read(_names(f, args), inputs)
    note = "" if results else "the result does not depend on the arguments"
    return Graph(tuple(reader.nodes), note)


@dataclass(slots=True)
class _Reader:
    """Turns rows of the tape into nodes that are numbered from zero.

    Scalar constants, and nodes of a recording around this one, come as nodes for each use, numbered
    after the rest: edges out of a common pool would cross everything.
    """

    rows: list[Row]
    begin: int
    constants: Sequence[float]
    nodes: list[Node] = field(default_factory=list)
    adjoints: dict[int, Any] = field(default_factory=dict)
    results: dict[int, Any] = field(default_factory=dict)

    def add_result(self, sweep: dict[int, Any], value: Any) -> None:
        """Take in the adjoints for one more result, which is the last node they reach."""
        self.results[max(sweep)] = value
        for at, adjoint in sweep.items():
            self.adjoints[at] = self.adjoints[at] + adjoint if at in self.adjoints else adjoint

    def read(self, names: Sequence[str], inputs: Sequence[Any]) -> None:
        """Make the nodes; the rows begin with those of the inputs."""
        waiting = list(zip(names, inputs, strict=True))
        extra = count(len(self.rows) - self.begin)
        for at, op, operands, shape, dtype, kept in self.rows[self.begin :]:
            role: Role = "output" if at in self.results else "operation"
            name, value = "", self.results.get(at, kept)
            if op == "constant":
                role = "constant"
            if waiting and op in INPUTS:
                role, operands = "input", ()
                name, value = waiting.pop(0)
            reads = tuple(self._operand(k, extra) for k in operands)
            said, adjoint = _said(value), _said(self.adjoints.get(at))
            node = Node(at - self.begin, op, reads, shape, dtype, said, adjoint, role, name)
            self.nodes.append(node)

    def _operand(self, operand: int, extra: Iterator[int]) -> int:
        if operand >= self.begin:
            return operand - self.begin
        made = next(extra)
        if operand < 0:
            row: Row = (made, "constant", (), (), "float64", self.constants[-operand - 1])
        else:
            row = self.rows[operand]
        _, op, _, shape, dtype, value = row
        self.nodes.append(Node(made, op, (), shape, dtype, _said(value), "", "constant"))
        return made


def _said(value: Any) -> str:
    return "" if value is None else short(value)


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
