"""A function from a file, called within another recording: its nodes are recorded there one by one,
as the function itself would have been."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapegrad import _core
from tapegrad.program.signature import Arguments
from tapegrad.program.trace import Failed, Trace
from tapegrad.program.traces import Traces
from tapegrad.pytree import flatten, tree_map
from tapegrad.transforms.inputs import Variable


def inlined(
    traces: Traces,
    arguments: Callable[[Any, dict[str, Any]], Arguments],
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:
    """The result, recorded; ValueError or BranchError where no program is valid."""
    leaves, _ = flatten((tuple(args), kwargs))
    plain_args, plain_kwargs = tree_map(_plain, (tuple(args), kwargs))
    found = arguments(plain_args, plain_kwargs)
    inputs = [leaves[place] for place in found.places]
    failed: tuple[Trace, Failed] | None = None
    for trace in traces.by_key.get(found.key, ()):
        outputs = replayed(trace, inputs)
        if not isinstance(outputs, Failed):
            return trace.result.filled(outputs)
        failed = (trace, outputs)
    traces.miss(failed)


def replayed(trace: Trace, inputs: Sequence[Any]) -> list[Any] | Failed:
    """The outputs of a recording, op by op on whatever the inputs are."""
    recording = trace.recording
    input_nodes, outputs, guards = recording.ends()
    numbers = recording.numbers()
    values: list[Any] = []
    given = dict(zip(input_nodes, inputs, strict=True))

    def of(operand: int) -> Any:
        return values[operand] if operand >= 0 else np.float64(numbers[-operand - 1])

    for node, (op, operands, attrs, _, dtype, constant, _) in enumerate(recording.rows()):
        if op == "input":
            values.append(_as(given[node], dtype))
        elif op == "constant":
            values.append(constant)
        elif op == "alias":
            values.append(of(operands[0]))
        elif op == "stop_gradient":
            values.append(_core.seen(of(operands[0])))
        else:
            values.append(_core.apply(op, [of(k) for k in operands], attrs))
    for k, ((expected, _, _), node) in enumerate(zip(recording.guards, guards, strict=True)):
        if not _holds(of(node), np.asarray(expected)):
            return Failed(k)
    return [of(k) for k in outputs]


def _as(value: Any, dtype: str) -> Any:
    return value if type(value) is Variable else np.asarray(value, dtype)[()]


def _holds(value: Any, expected: Any) -> bool:
    """Equal, NaN to NaN; in the recording of a program this is a guard again."""
    same = value == expected
    if expected.dtype.kind in "fc":
        same = same | ((value != value) & np.isnan(expected))
    return bool(np.all(same))


def _plain(leaf: Any) -> Any:
    return _core.peek(leaf) if type(leaf) is Variable else leaf
