"""Functions and programs as files, and as what pickle carries to other processes: the recordings,
and what is needed to call them. Derivatives are made again on first use.

docs/file-format.md describes the file. Loading imports nothing and runs no code; whatever is not
such a file raises ValueError.
"""

from __future__ import annotations

import functools
import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tapegrad import _core
from tapegrad.program.encoding import CannotStoreError, decode, encode
from tapegrad.program.signature import ByIdentity
from tapegrad.program.trace import Result, Trace
from tapegrad.program.traces import POLICIES, Traces
from tapegrad.pytree import LEAF, Structure, flatten

if TYPE_CHECKING:
    from tapegrad.program.function import Function

F = TypeVar("F", bound="Function")

MAGIC = b"\x89TGP\r\n\x1a\n"
FORMAT = 1
# magic, format, sections, version of the writer, length of the file, checksum of what follows
HEADER = struct.Struct("<8sII16sQQ")


def save(f: Function, path: str | os.PathLike[str]) -> None:
    """Write the programs of `f` to a file, which appears whole or not at all."""
    data, _ = to_bytes(f)
    target = os.fspath(path)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(target) or ".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def load(kind: type[F], path: str | os.PathLike[str], types: Iterable[Any] = ()) -> F:
    """The function or program in a file; ValueError, with the path, if there is none."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        made = from_bytes(data, types)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from None
    if not isinstance(made, kind):
        raise ValueError(
            f"{os.fspath(path)} holds a tapegrad.function, not a program: load it with "
            "tg.Function.load"
        )
    return made


def reduced(f: Function) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What pickle keeps: the bytes, and the classes in them, which it finds in its own way."""
    data, named = to_bytes(f)
    return from_bytes, (data, tuple(named))


# ---- writing


def to_bytes(f: Function) -> tuple[bytes, list[Any]]:
    """The bytes of a function with its programs, and the classes and functions they name."""
    described: list[Any] = []
    recordings: list[bytes] = []
    for key, traces in f.traces.by_key.items():
        for trace in traces:
            if trace.is_stale():
                continue
            result = trace.result
            parts = (result.structure, result.leaves, result.computed, trace.without)
            described.append((_storable(key), *parts, *_rules_of(f, trace.recording)))
            recordings.append(trace.recording.to_bytes())
    if not described:
        raise ValueError(f"{f.traces.name} has not been called yet: it has no program to save")
    try:
        head, named = encode({**_state_of(f), "traces": described})
    except CannotStoreError as error:
        raise ValueError(f"{f.traces.name} cannot be saved: {error}") from None
    return _joined([head, *recordings]), named


def _rules_of(f: Function, recording: _core.Recording) -> list[tuple[Any, ...]]:
    """The custom rules of a recording, by name; nothing if it has none."""
    if not recording.rules:
        return []
    from tapegrad.rules.describing import described

    try:
        return [tuple(map(described, recording.rules))]
    except CannotStoreError as error:
        raise ValueError(f"{f.traces.name} cannot be saved: {error}") from None


def _state_of(f: Function) -> dict[str, Any]:
    traces = f.traces
    state: dict[str, Any] = {
        "name": traces.name,
        "doc": f.__doc__,
        "on_branch": traces.on_branch,
        "limit": traces.limit,
        "without": tuple(traces.without),
        "static": f._static,
    }
    example = getattr(f, "example", None)
    if example is not None:
        leaves, structure = flatten(example.params() if example.has_params else None)
        state["example"] = (example.positional, _storable(example.key), example.has_params)
        state["params"] = (structure, leaves)
    return state


def _storable(key: Any) -> Any:
    if isinstance(key, ByIdentity):
        raise CannotStoreError(
            f"an argument, {key.value!r}, has no hash, so no call could be recognised"
        )
    return tuple(map(_storable, key)) if type(key) is tuple else key


def _joined(sections: Sequence[bytes]) -> bytes:
    from tapegrad import __version__

    body = b"".join(
        struct.pack("<Q", len(section)) + section + bytes(-len(section) % 8) for section in sections
    )
    version = __version__.encode()[:16]
    length = HEADER.size + len(body)
    head = HEADER.pack(MAGIC, FORMAT, len(sections), version, length, _core.checksum(body))
    return head + body


# ---- reading


def from_bytes(data: bytes, types: Iterable[Any] = ()) -> Function:
    """The function that gave these bytes; ValueError for any others."""
    head, *recordings = _sections(data)
    try:
        return _restored(decode(head, types), recordings)
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"the file is corrupt: {error}") from None


def _sections(data: bytes) -> list[bytes]:
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise ValueError("this is no tapegrad program, or only the beginning of one")
    _, form, count, writer, length, checksum = HEADER.unpack_from(data)
    if form > FORMAT:
        from tapegrad import __version__

        written = writer.rstrip(b"\0").decode("ascii", "replace")
        raise ValueError(
            f"the program is in format {form}, written by tapegrad {written}; this is tapegrad "
            f"{__version__}, which reads formats up to {FORMAT}: tapegrad {written} or newer is "
            "needed"
        )
    body = memoryview(data)[HEADER.size :]
    if length != len(data):
        raise ValueError(f"the file is corrupt: it has {len(data)} bytes, and should have {length}")
    if _core.checksum(bytes(body)) != checksum:
        raise ValueError("the file is corrupt: its checksum is another than it says")
    sections = []
    at = 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 8], "little")
        if size > len(body) - at - 8:
            raise ValueError("the file is corrupt: a section ends too early")
        sections.append(bytes(body[at + 8 : at + 8 + size]))
        padding = bytes(body[at + 8 + size : at + 8 + size + -size % 8])
        if len(padding) != -size % 8 or any(padding):
            raise ValueError("the file is corrupt: its padding is not zero")
        at += 8 + size + len(padding)
    if len(sections) != count or not sections or form == 0:
        raise ValueError("the file is corrupt: it lacks a section")
    return sections


def _restored(state: Any, recordings: Sequence[bytes]) -> Function:
    from tapegrad.program.function import Function
    from tapegrad.program.program import Example, Program

    _check(type(state) is dict and state["on_branch"] in POLICIES, "its description")
    _check(type(state["limit"]) is int and type(state["name"]) is str, "its description")
    _check(type(state["static"]) is frozenset, "its static arguments")
    without = _names(state["without"])
    traces = Traces(None, state["name"], state["on_branch"], state["limit"], without)
    _check(len(state["traces"]) == len(recordings), "its recordings")
    for (key, *parts), data in zip(state["traces"], recordings, strict=True):
        *parts, rules = (*parts, ()) if len(parts) == 4 else parts
        trace = _trace(parts, _core.Recording.from_bytes(data, _nodes(rules)))
        _check(_has_inputs(key, trace.recording), "a signature")
        traces.by_key.setdefault(key, []).append(trace)
    stand_in = _StandIn(state["name"], state["doc"])
    if "example" not in state:
        made = Function(stand_in, state["static"], traces)
    else:
        count, key, has_params = state["example"]
        structure, leaves = state["params"]
        _check(type(structure) is Structure and structure.size == len(leaves), "its params")
        _check(type(count) is int and key in traces.by_key, "its example")
        params = functools.cache(lambda: structure.unflatten(leaves))
        made = Program(stand_in, traces, Example(count, bool(has_params), params, key))
    del made.__dict__["__wrapped__"]  # its signature is not that of the stand-in
    return made


class _StandIn:
    """What a function from a file is called instead of its `f`, which stays behind."""

    def __init__(self, name: str, doc: str | None) -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = doc
        self.__module__ = __name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.__name__} came from a file, which holds programs and no function")


def _nodes(rules: Sequence[Any]) -> list[Any]:
    if not rules:
        return []
    from tapegrad.rules.describing import restored

    return [restored(rule) for rule in rules]


def _trace(parts: Sequence[Any], recording: _core.Recording) -> Trace:
    structure, leaves, computed, without = parts
    outputs = len(recording.outputs)
    _check(type(structure) is Structure and structure.size == len(leaves), "its result")
    _check(structure is LEAF or structure.container is not None, "its result")
    _check(type(leaves) is list and len(computed) == len(set(computed)) == outputs, "its result")
    _check(all(type(k) is int and 0 <= k < len(leaves) for k in computed), "its result")
    return Trace(recording, Result(structure, leaves, list(computed)), None, _names(without))


def _names(value: Any) -> tuple[str, ...]:
    _check(type(value) is tuple and all(type(name) is str for name in value), "its passes")
    return tuple(value)


def _has_inputs(key: Any, recording: _core.Recording) -> bool:
    """Whether a signature has a part for each input: `(shape or (), ...)`, not `(type, value)`."""
    _, parts = key
    dynamic = [part for part in parts if type(part[0]) is tuple]
    return len(dynamic) == len(recording.inputs)


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"the file is corrupt: {what} makes no sense")
