"""Values of a program file that are no recordings, as bytes: numbers, text, arrays, containers and
the names of classes. docs/file-format.md describes the bytes; saving.py uses this.

Decoding imports nothing, runs nobody's code and trusts nothing.
"""

from __future__ import annotations

import dataclasses
import enum
import struct
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tapegrad.pytree import LEAF, Structure, container_of

DEEPEST = 64  # containers within containers
DTYPES = {np.dtype(c).newbyteorder("<").str: np.dtype(c) for c in "?bBhHiIlLqQefdFD"}
# Classes whose name in `builtins` is not theirs.
NAMELESS = {c.__name__: c for c in (types.FunctionType, types.BuiltinFunctionType, type(None))}


# What is stored by its name: the classes of such values. Custom rules are added to them.
NAMED: list[type] = [type, types.FunctionType, types.BuiltinFunctionType, np.ufunc]


class CannotStoreError(ValueError):
    """A value that has no form in a file."""


def encode(value: Any) -> tuple[bytes, list[Any]]:
    """The bytes of a value, and the classes and functions that they name."""
    encoder = _Encoder()
    encoder.put(value, 0)
    return bytes(encoder.out), encoder.named


class _Encoder:
    def __init__(self) -> None:
        self.out = bytearray()
        self.named: list[Any] = []

    def put(self, value: Any, depth: int) -> None:
        if depth > DEEPEST:
            raise CannotStoreError(f"containers are nested more than {DEEPEST} deep")
        kind = type(value)
        if kind in _WRITERS:
            _WRITERS[kind](self, value, depth)
        elif isinstance(value, np.generic):
            self._array(b"n", np.asarray(value))
        elif isinstance(value, enum.Enum):
            self.tag(b"E")
            self._name(kind)
            self._text(value.name)
        elif isinstance(value, tuple(NAMED)):
            self.tag(b"C")
            self._name(value)
        else:
            self._record(value, depth)

    def tag(self, tag: bytes) -> None:
        self.out += tag

    def _count(self, n: int) -> None:
        self.out += struct.pack("<Q", n)

    def _data(self, data: bytes) -> None:
        self._count(len(data))
        self.out += data

    def _text(self, text: str) -> None:
        self._data(text.encode("utf-8", "surrogatepass"))

    def _int(self, value: int, _: int) -> None:
        self.tag(b"i")
        self._data(value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))

    def _float(self, value: float, _: int) -> None:
        self.out += b"d" + struct.pack("<d", value)

    def _complex(self, value: complex, _: int) -> None:
        self.out += b"c" + struct.pack("<dd", value.real, value.imag)

    def _str(self, value: str, _: int) -> None:
        self.tag(b"s")
        self._text(value)

    def _bytes(self, value: bytes, _: int) -> None:
        self.tag(b"b")
        self._data(value)

    def _tuple(self, value: tuple[Any, ...], depth: int) -> None:
        self._sequence(b"(", value, depth)

    def _list(self, value: list[Any], depth: int) -> None:
        self._sequence(b"[", value, depth)

    def _dict(self, value: dict[Any, Any], depth: int) -> None:
        self._sequence(b"{", [part for item in value.items() for part in item], depth)

    def _slice(self, value: slice, depth: int) -> None:
        self._sequence(b"l", (value.start, value.stop, value.step), depth)

    def _range(self, value: range, depth: int) -> None:
        self._sequence(b"r", (value.start, value.stop, value.step), depth)

    def _frozenset(self, value: frozenset[Any], depth: int) -> None:
        parts = []
        for part in value:
            data, named = encode(part)
            parts.append(data)
            self.named += named
        self.tag(b"S")
        self._count(len(parts))
        for data in sorted(parts):
            self.out += data

    def _sequence(self, tag: bytes, parts: Sequence[Any], depth: int) -> None:
        self.tag(tag)
        self._count(len(parts))
        for part in parts:
            self.put(part, depth + 1)

    def _ndarray(self, value: np.ndarray[Any, Any], _: int) -> None:
        self._array(b"a", value)

    def _array(self, tag: bytes, value: np.ndarray[Any, Any]) -> None:
        code = value.dtype.newbyteorder("<").str
        if code not in DTYPES:
            raise CannotStoreError(f"an array of dtype {value.dtype} has no form in a file")
        self.tag(tag)
        self._text(code)
        self._count(value.ndim)
        for extent in value.shape:
            self._count(extent)
        self._data(value.astype(DTYPES[code]).tobytes())

    def _structure(self, value: Structure, depth: int) -> None:
        if value is LEAF:
            self.tag(b"L")
            return
        self.tag(b"P")
        self._name(value.cls)
        self.put(value.meta, depth + 1)
        self._sequence(b"(", value.children, depth)

    def _record(self, value: Any, depth: int) -> None:
        """A named tuple or a dataclass."""
        kind = type(value)
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            parts = list(value)
        elif dataclasses.is_dataclass(kind):
            parts = [getattr(value, field.name) for field in dataclasses.fields(kind)]
        else:
            raise CannotStoreError(
                f"a {kind.__module__}.{kind.__qualname__} has no form in a file: numbers, text, "
                "arrays, tuples, lists, dicts, named tuples, dataclasses, enums, classes and "
                "functions with a name have"
            )
        self.tag(b"O")
        self._name(kind)
        self._sequence(b"(", parts, depth)

    def _name(self, value: Any) -> None:
        module, name = _name_of(value)
        if "<lambda>" in name:
            raise CannotStoreError("a lambda has no name to be found by; give it one with def")
        self._text(module)
        self._text(name)
        if module != "builtins":
            self.named.append(value)


def _single(tag: bytes) -> Callable[[_Encoder, Any, int], None]:
    def write(encoder: _Encoder, _: Any, __: int) -> None:
        encoder.tag(tag)

    return write


_WRITERS: dict[type, Callable[[_Encoder, Any, int], None]] = {
    type(None): _single(b"N"),
    bool: lambda encoder, value, _: encoder.tag(b"T" if value else b"F"),
    type(Ellipsis): _single(b"."),
    int: _Encoder._int,
    float: _Encoder._float,
    complex: _Encoder._complex,
    str: _Encoder._str,
    bytes: _Encoder._bytes,
    tuple: _Encoder._tuple,
    list: _Encoder._list,
    dict: _Encoder._dict,
    slice: _Encoder._slice,
    range: _Encoder._range,
    frozenset: _Encoder._frozenset,
    np.ndarray: _Encoder._ndarray,
    Structure: _Encoder._structure,
}


def _name_of(value: Any) -> tuple[str, str]:
    name = getattr(value, "__qualname__", None) or value.__name__
    if isinstance(value, np.ufunc):
        known = (m for m in ("numpy", "scipy.special") if lookup(m, name) is value)
        return next(known, "numpy"), name
    return str(getattr(value, "__module__", None) or "builtins"), str(name)


def lookup(module: str, name: str) -> Any:
    """What is called so in a module that has been imported; None if nothing is. Runs no code."""
    found: Any = sys.modules.get(module)
    if not isinstance(found, types.ModuleType):
        return None
    if module == "builtins" and name in NAMELESS:
        return NAMELESS[name]
    for part in name.split("."):
        try:
            space = object.__getattribute__(found, "__dict__")
        except AttributeError:
            return None
        found = space.get(part)
    return found


def decode(data: bytes, given: Iterable[Any] = ()) -> Any:
    """The value of these bytes; ValueError for bytes that `encode` cannot have written.

    Classes and functions are found by name: among `given` first, then in modules that have been
    imported already.
    """
    decoder = _Decoder(data, {_name_of(value): value for value in given})
    value = decoder.get(0)
    if decoder.at != len(data):
        raise ValueError("it is longer than it should be")
    return value


class _Decoder:
    def __init__(self, data: bytes, given: dict[tuple[str, str], Any]) -> None:
        self.data = data
        self.at = 0
        self.given = given

    def get(self, depth: int) -> Any:
        tag = self._take(1)
        if depth > DEEPEST or tag not in _READERS:
            raise ValueError(f"a value of unknown kind {tag!r}, or too deep")
        return _READERS[tag](self, depth)

    def _take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def _count(self) -> int:
        return int(struct.unpack("<Q", self._take(8))[0])

    def _data(self) -> bytes:
        return self._take(self._count())

    def _text(self) -> str:
        return self._data().decode("utf-8", "surrogatepass")

    def _int(self, _: int) -> int:
        return int.from_bytes(self._data(), "little", signed=True)

    def _float(self, _: int) -> float:
        return float(struct.unpack("<d", self._take(8))[0])

    def _complex(self, _: int) -> complex:
        return complex(*struct.unpack("<dd", self._take(16)))

    def _parts(self, depth: int) -> list[Any]:
        count = self._count()
        if count > len(self.data) - self.at:  # each part takes a byte at least
            raise ValueError("it ends too early")
        return [self.get(depth + 1) for _ in range(count)]

    def _dict(self, depth: int) -> dict[Any, Any]:
        parts = self._parts(depth)
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def _three(self, depth: int) -> list[Any]:
        parts = self._parts(depth)
        if len(parts) != 3:
            raise ValueError("a slice or range of other than three parts")
        return parts

    def _array(self, _: int) -> np.ndarray[Any, Any]:
        code = self._text()
        shape = [self._count() for _ in range(min(self._count(), 65))]
        data = self._data()
        if code not in DTYPES or len(shape) > 64:
            raise ValueError(f"an array of dtype {code!r} or of too many axes")
        if any(extent > len(data) for extent in shape) and len(data):
            raise ValueError("an array of another size than its shape says")
        # NumPy's own check of the size: a product that overflows does not pass it.
        return np.frombuffer(data, np.dtype(code)).reshape(shape).astype(DTYPES[code])

    def _scalar(self, depth: int) -> Any:
        array = self._array(depth)
        if array.shape != ():
            raise ValueError("a number with axes")
        return array[()]

    def _name(self) -> Any:
        module, name = self._text(), self._text()
        found = self.given.get((module, name))
        if found is None:
            found = lookup(module, name)
        if not isinstance(found, tuple(NAMED)):
            raise ValueError(
                f"it needs {module}.{name}, which has not been imported; import {module} before, "
                f"or pass it: load(path, types=[{name.rpartition('.')[2]}])"
            )
        return found

    def _class(self) -> type:
        found = self._name()
        if not isinstance(found, type):
            raise ValueError(f"{found!r} is no class")
        return found

    def _enum(self, _: int) -> Any:
        kind, name = self._class(), self._text()
        if not issubclass(kind, enum.Enum) or name not in kind.__members__:
            raise ValueError(f"{kind.__qualname__} has no member {name}")
        return kind.__members__[name]

    def _record(self, depth: int) -> Any:
        kind, parts = self._class(), self.get(depth + 1)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            if len(parts) != len(kind._fields):
                raise ValueError(f"{kind.__qualname__} has other fields now")
            return tuple.__new__(kind, parts)
        if not dataclasses.is_dataclass(kind):
            raise ValueError(f"{kind.__qualname__} is no named tuple or dataclass")
        fields = dataclasses.fields(kind)
        if len(parts) != len(fields):
            raise ValueError(f"{kind.__qualname__} has other fields now")
        made: Any = object.__new__(kind)
        for field, part in zip(fields, parts, strict=True):
            object.__setattr__(made, field.name, part)
        return made

    def _structure(self, depth: int) -> Structure:
        kind, meta, children = self._class(), self.get(depth + 1), self.get(depth + 1)
        container = container_of(kind)
        if container is None:
            raise ValueError(
                f"{kind.__module__}.{kind.__qualname__} is no container any more; call "
                "tg.register_pytree for it before"
            )
        if type(children) is not tuple or not all(type(c) is Structure for c in children):
            raise ValueError("a container of something else than containers and leaves")
        return Structure(kind, container, meta, list(children))


_READERS: dict[bytes, Callable[[_Decoder, int], Any]] = {
    b"N": lambda decoder, _: None,
    b"T": lambda decoder, _: True,
    b"F": lambda decoder, _: False,
    b".": lambda decoder, _: Ellipsis,
    b"i": _Decoder._int,
    b"d": _Decoder._float,
    b"c": _Decoder._complex,
    b"s": lambda decoder, _: decoder._text(),
    b"b": lambda decoder, _: decoder._data(),
    b"(": lambda decoder, depth: tuple(decoder._parts(depth)),
    b"[": _Decoder._parts,
    b"{": _Decoder._dict,
    b"l": lambda decoder, depth: slice(*decoder._three(depth)),
    b"r": lambda decoder, depth: range(*decoder._three(depth)),
    b"S": lambda decoder, depth: frozenset(decoder._parts(depth)),
    b"a": _Decoder._array,
    b"n": _Decoder._scalar,
    b"E": _Decoder._enum,
    b"C": lambda decoder, _: decoder._name(),
    b"O": _Decoder._record,
    b"P": _Decoder._structure,
    b"L": lambda decoder, _: LEAF,
}
