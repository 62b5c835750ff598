"""Where a NaN or an infinity comes from: the recording is computed op by op, as it was recorded,
first the value, then the adjoints of its derivative, then the tangents."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad import _core
from tapegrad.draw.graph import short
from tapegrad.program.signature import Arguments
from tapegrad.program.trace import Trace
from tapegrad.program.views import EVERY_PASS

if TYPE_CHECKING:
    from tapegrad.program.function import Function

PASSES = {
    "value": "the value",
    "adjoint": "the derivative, in reverse",
    "tangent": "the derivative, forward",
}
SAID = {**PASSES, "second": "the second derivative"}


@dataclass(frozen=True, slots=True)
class Culprit:
    """The op that made the first NaN or infinity.

    `kind`: "value", "adjoint", "tangent" or "second" (derivative). `index`: of the first such
    element of the result.
    `operands`: for each what it is and its value, at that index where the op is elementwise.
    `reaches`: whether the NaN or infinity is found in the result; if not, it was masked on the way.
    """

    kind: str
    op: str
    file: str
    line: int
    value: Any
    index: tuple[int, ...]
    operands: list[tuple[str, Any]]
    reaches: bool

    def __str__(self) -> str:
        at = f" at index {self.index}" if self.index else ""
        made = "is" if self.op in ("input", "constant") else "made"
        what = "an argument" if self.op == "input" else self.op
        lines = [f"{what} {made} {short(self.value)}{at} in {SAID[self.kind]}"]
        if self.file:
            code = linecache.getline(self.file, self.line).strip()
            lines.append(f"  {self.file}:{self.line}" + (f": {code}" if code else ""))
        lines += [f"  operand {name} = {short(value)}" for name, value in self.operands]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `explain_nonfinite` has found; `culprit` is None where results are all finite.

    `masked` are NaNs and infinities that were made on the way and are not in a result: those in
    the branch that `np.where` did not take, say.
    """

    culprit: Culprit | None
    masked: list[Culprit]

    def __bool__(self) -> bool:
        return self.culprit is not None

    def __str__(self) -> str:
        if self.culprit is not None:
            return str(self.culprit)
        said = "the value and its derivatives are finite"
        if not self.masked:
            return f"{said}, and so is all on the way to them"
        return "\n".join([f"{said}; on the way, and not in the results:", *map(str, self.masked)])


def explain(f: Function, args: Sequence[Any], kwargs: dict[str, Any]) -> Explanation:
    """What `Function.explain_nonfinite` gives."""
    arguments = f.arguments(args, kwargs)
    trace = f.traces.run(arguments, "value", ()).trace
    masked: list[Culprit] = []
    for kind in PASSES:
        made = recording_of(kind, trace, arguments)
        found = culprit_of(kind, arguments, *made) if made is not None else None
        if found is not None and found.reaches:
            return Explanation(found, masked)
        # What was masked in the value is computed again with its derivatives.
        if found is not None and not any(m.line == found.line and m.op == found.op for m in masked):
            masked.append(found)
    return Explanation(None, masked)


def recording_of(
    kind: str, trace: Trace, arguments: Arguments
) -> tuple[_core.Recording, list[Any]] | None:
    """What is computed and from which inputs; None if there is no such derivative."""
    if kind == "value":
        return trace.recording, list(arguments.dynamic)
    inputs, outputs = trace.recording.inputs, trace.recording.outputs
    wrt = [k for k, (_, dtype) in enumerate(inputs) if dtype.kind in "fc"]
    if not wrt or not any(dtype.kind in "fc" for _, dtype in outputs):
        return None
    made = trace.recording.derive(kind, wrt, EVERY_PASS)
    seeded = outputs if kind == "adjoint" else [inputs[k] for k in wrt]
    return made, [*arguments.dynamic, *map(_seed, seeded)]


def _seed(meta: tuple[tuple[int, ...], Any]) -> Any:
    """Numbers near one, all different, so that they do not cancel."""
    shape, dtype = meta
    if dtype.kind not in "fc":
        return np.zeros(shape, dtype)
    size = int(np.prod(shape))
    return np.linspace(0.75, 1.25, size + 2)[1:-1].reshape(shape).astype(dtype)


def culprit_of(
    kind: str, arguments: Arguments, recording: _core.Recording, inputs: list[Any]
) -> Culprit | None:
    """The origin of a NaN or infinity in a recording of this kind, None if all is finite."""
    found = recording.nonfinite(inputs)
    if found is None:
        return None
    node, op, (file, line), value, operands, reaches = found
    bad = np.argwhere(~np.isfinite(value))[0]
    index = tuple(int(k) for k in bad)
    rows = recording.rows()
    names = _input_names(recording, arguments)
    read = [
        (_name(k, rows, names), _at(part, value.shape, index, _is_elementwise(op)))
        for k, part in operands
    ]
    if op in ("input", "constant"):
        read = [(names.get(node, "a constant"), value[index])]
    return Culprit(kind, op, file, line, value[index], index, read, reaches)


def _is_elementwise(op: str) -> bool:
    return op in _ELEMENTWISE


_ELEMENTWISE = {"where", "cast"} | {op["name"] for op in _core.ops() if op["kind"] != "structured"}


def _at(value: Any, shape: tuple[int, ...], index: tuple[int, ...], elementwise: bool) -> Any:
    if elementwise:
        return np.broadcast_to(value, shape)[index]
    return value[()]


def _input_names(recording: _core.Recording, arguments: Arguments) -> dict[int, str]:
    """The inputs as one would write them: x is `args[0]`, further ones are seeds."""
    paths = arguments.structure.paths()
    names = [_argument(paths[place]) for place in arguments.places]
    nodes, _, _ = recording.ends()
    names += ["the seed"] * (len(nodes) - len(names))
    return dict(zip(nodes, names, strict=True))


def _argument(path: str) -> str:
    """`[0][1]['w']` of (args, kwargs) is argument 1 at ['w']; `[1]['p']` is the keyword p."""
    head, _, rest = path[1:].partition("]")
    inner, _, tail = rest[1:].partition("]")
    return f"argument {inner}{tail}" if head == "0" else f"argument {inner.strip(chr(39))}{tail}"


def _name(operand: int, rows: Sequence[Any], names: dict[int, str]) -> str:
    if operand < 0:
        return "constant"
    if operand in names:
        return names[operand]
    op, _, _, _, _, _, (file, line) = rows[operand]
    where = f" of line {line}" if file else ""
    return f"{op}{where}"
