"""Looking at programs: counts, listings and drawings. Called by the methods of `Function`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapegrad import _core
from tapegrad.program.trace import KINDS, Request, Trace

if TYPE_CHECKING:
    from tapegrad.draw.drawing import Drawing
    from tapegrad.program.traces import Traces

EVERY_PASS = ("fold", "share", "identities")  # those that change the nodes


def stats(traces: Traces, calls: int) -> dict[str, Any]:
    """What `Function.stats` says; `calls` hits were served without Python."""
    kept = traces.all()
    kinds: dict[str, dict[str, int]] = {}
    for trace in kept:
        for request, program in trace.programs():
            counts = kinds.setdefault(request.kind, {"programs": 0})
            counts["programs"] += 1
            for name, count in program.stats().items():
                counts[name] = counts.get(name, 0) + count
    return {
        "traces": len(kept),
        "signatures": len(traces.by_key),
        "hits": traces.hits + calls,
        "records": traces.recorded,
        "re-records": max(0, traces.recorded - len(traces.by_key)),
        "evicted": traces.evicted,
        "nodes": sum(trace.recording.nodes for trace in kept),
        "guards": sum(len(trace.guards) for trace in kept),
        "bytes": sum(trace.nbytes() for trace in kept),
        "programs": kinds,
    }


def request_of(trace: Trace, kind: str) -> Request:
    """The program of this kind by the first argument; ValueError for a kind there is not."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind in ("gradient", "hvp", "hessian") and not trace.has_gradient():
        raise ValueError(f"a {kind} is that of a function of one real number")
    if kind != "value" and not trace.recording.inputs:
        raise ValueError(f"there is no {kind}: the function has no arguments with a fraction")
    return Request(kind, (0,) if kind != "value" else ())


def nodes_of(trace: Trace, kind: str, optimised: bool) -> _core.Recording:
    """The nodes that a kind of program is made from, or those before any simplification."""
    request = request_of(trace, kind)
    if optimised:
        return trace.derived(request)
    return trace.recording if kind == "value" else trace.derived(request, EVERY_PASS)


def listing(trace: Trace, kind: str, optimised: bool) -> str:
    """The steps of a program as text, or the nodes before any simplification."""
    if not optimised:
        return nodes_of(trace, kind, False).listing()
    nodes = nodes_of(trace, kind, True).listing(False)
    return f"{nodes}\n{trace.program(*request_of(trace, kind)).listing()}"


def draw(trace: Trace, kind: str, optimised: bool) -> Drawing:
    """The nodes as a picture; there are no values."""
    from tapegrad.draw.drawing import Drawing
    from tapegrad.draw.programs import graph_of_recording

    return Drawing(graph_of_recording(nodes_of(trace, kind, optimised)))
