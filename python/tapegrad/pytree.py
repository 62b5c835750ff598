"""Pytrees: nested tuples, lists, dicts, named tuples, dataclasses and what users register.

The transforms flatten arguments and results here and put derivatives into the same containers.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

__all__ = ["LEAF", "Structure", "flatten", "register_pytree", "tree_map"]


class Container(NamedTuple):
    """How one type of container comes apart and together. `meta` is what is not a child."""

    parts: Callable[[Any], tuple[Sequence[Any], Any]]
    build: Callable[[Any, Sequence[Any]], Any]
    # As `build`, but runs no code of the user: derivatives need not pass the checks of __init__.
    hold: Callable[[Any, Sequence[Any]], Any]
    names: Callable[[Any, int], list[str]]


class Structure:
    """The shape of a pytree: everything but its leaves."""

    __slots__ = ("children", "cls", "container", "meta", "size")

    def __init__(
        self, cls: type, container: Container | None, meta: Any, children: list[Structure]
    ) -> None:
        self.cls = cls
        self.container = container
        self.meta = meta
        self.children = children
        self.size: int = 1 if container is None else sum(child.size for child in children)

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The pytree with these leaves."""
        return self._put(iter(leaves), False)

    def hold(self, leaves: Iterable[Any]) -> Any:
        """The pytree with these leaves; dataclasses are filled without running their `__init__`."""
        return self._put(iter(leaves), True)

    def _put(self, leaves: Iterator[Any], raw: bool) -> Any:
        if self.container is None:
            return next(leaves)
        build = self.container.hold if raw else self.container.build
        return build(self.meta, [child._put(leaves, raw) for child in self.children])

    def paths(self) -> list[str]:
        """One text for each leaf, as one would write it after the tree's name: `['w'][0].scale`."""
        if self.container is None:
            return [""]
        names = self.container.names(self.meta, len(self.children))
        return [
            name + path
            for name, child in zip(names, self.children, strict=True)
            for path in child.paths()
        ]

    def match(self, tree: Any, what: str) -> list[Any]:
        """The leaves of `tree` in the order of this structure; ValueError where it differs.

        The keys of dicts may come in any order. `what` names the tree in the error.
        """
        leaves: list[Any] = []
        self._match(tree, what, leaves)
        return leaves

    def _match(self, tree: Any, what: str, leaves: list[Any]) -> None:
        if self.container is None:
            if container_of(type(tree)) is not None:
                raise ValueError(f"{what} is a {type(tree).__name__}, expected a single value")
            leaves.append(tree)
            return
        if type(tree) is not self.cls:
            expected = self.cls.__name__
            raise ValueError(f"{what} is a {type(tree).__name__}, expected a {expected}")
        parts, meta = self.container.parts(tree)
        if self.cls in (dict, OrderedDict):
            if set(meta) != set(self.meta):
                raise ValueError(f"{what} has the keys {list(meta)}, expected {list(self.meta)}")
            by_key = dict(zip(meta, parts, strict=True))
            parts = [by_key[key] for key in self.meta]
        elif len(parts) != len(self.children) or not _same(meta, self.meta):
            raise ValueError(
                f"{what} is a {self.cls.__name__} of {len(parts)}, expected {len(self.children)}"
                if len(parts) != len(self.children)
                else f"{what} differs in its static part: {meta!r}, expected {self.meta!r}"
            )
        names = self.container.names(self.meta, len(self.children))
        for child, part, name in zip(self.children, parts, names, strict=True):
            child._match(part, what + name, leaves)


LEAF = Structure(object, None, None, [])


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of `tree`, depth first, and its structure. Whatever is no container is a leaf.

    >>> leaves, structure = flatten({"w": (1.0, 2.0), "b": None})
    >>> leaves, structure.unflatten([3.0, 4.0])
    ([1.0, 2.0], {'w': (3.0, 4.0), 'b': None})
    """
    container = container_of(type(tree))
    if container is None:
        return [tree], LEAF
    parts, meta = container.parts(tree)
    leaves: list[Any] = []
    children = []
    for part in parts:
        below, child = flatten(part)
        leaves += below
        children.append(child)
    return leaves, Structure(type(tree), container, meta, children)


def tree_map(f: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with each leaf x replaced by `f(x)`."""
    leaves, structure = flatten(tree)
    return structure.unflatten([f(leaf) for leaf in leaves])


def register_pytree(
    cls: type[T],
    flatten: Callable[[T], tuple[Sequence[Any], Any]],
    unflatten: Callable[[Any, Sequence[Any]], T],
) -> type[T]:
    """Let the transforms look into objects of type `cls`.

    `flatten(object)` returns `(children, static)`: the parts that derivatives go through, and all
    the rest; `unflatten(static, children)` makes an object again, with numbers, arrays or recorded
    values as children, so it should not convert or check them. Subclasses are registered by
    themselves. Returns `cls`.

    Tuples, lists, dicts, named tuples and dataclasses need no registration; a dataclass field made
    with `field(metadata={"static": True})` belongs to the static part.

    >>> class Line:
    ...     def __init__(self, slope, name):
    ...         self.slope, self.name = slope, name
    >>> _ = register_pytree(Line, lambda l: ((l.slope,), l.name), lambda name, c: Line(*c, name))
    >>> import tapegrad as tg
    >>> tg.grad(lambda l: l.slope**2)(Line(3.0, "a")).slope
    6.0
    """
    if not isinstance(cls, type):
        raise TypeError(f"register_pytree: expected a class, got {cls!r}")
    if cls in _BUILT_IN:
        raise ValueError(f"register_pytree: {cls.__name__} has its meaning already")
    _CONTAINERS[cls] = Container(flatten, unflatten, unflatten, _indices)
    return cls


def container_of(cls: type) -> Container | None:
    """How objects of this very type come apart, or None for leaves."""
    try:
        return _CONTAINERS[cls]
    except KeyError:
        return _CONTAINERS.setdefault(cls, _derived(cls))


def _derived(cls: type) -> Container | None:
    """Named tuples and dataclasses are recognised when the first one comes by."""
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        fields = tuple(cls._fields)

        def make(_: Any, parts: Sequence[Any]) -> Any:
            return cls(*parts)

        return Container(lambda t: (t, None), make, make, lambda _, n: [f".{k}" for k in fields])
    return _dataclass_container(cls) if dataclasses.is_dataclass(cls) else None


def _dataclass_container(cls: type) -> Container:
    fields = [field for field in dataclasses.fields(cls) if field.init]
    moving = [field.name for field in fields if not field.metadata.get("static")]
    static = [field.name for field in fields if field.metadata.get("static")]

    def parts(value: Any) -> tuple[list[Any], Any]:
        return [getattr(value, k) for k in moving], tuple(getattr(value, k) for k in static)

    def build(meta: Any, children: Sequence[Any]) -> Any:
        return cls(
            **dict(zip(moving, children, strict=True)), **dict(zip(static, meta, strict=True))
        )

    def hold(meta: Any, children: Sequence[Any]) -> Any:
        made: Any = object.__new__(cls)
        for name, value in zip(moving + static, [*children, *meta], strict=True):
            object.__setattr__(made, name, value)  # frozen classes too
        return made

    return Container(parts, build, hold, lambda _, n: [f".{k}" for k in moving])


def _indices(_: Any, count: int) -> list[str]:
    return [f"[{i}]" for i in range(count)]


def _same(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (TypeError, ValueError):  # arrays in the static part
        return a is b


def _sequence(cls: Callable[[Sequence[Any]], Any]) -> Container:
    def build(_: Any, parts: Sequence[Any]) -> Any:
        return cls(parts)

    return Container(lambda t: (t, None), build, build, _indices)


def _mapping(cls: type) -> Container:
    def build(keys: Any, parts: Sequence[Any]) -> Any:
        return cls(zip(keys, parts, strict=True))

    return Container(
        lambda d: (list(d.values()), tuple(d)),
        build,
        build,
        lambda keys, _: [f"[{key!r}]" for key in keys],
    )


def _nothing(_: Any, parts: Sequence[Any]) -> None:
    return None


# What has been seen; None for leaves, so that they are found at once.
_CONTAINERS: dict[type, Container | None] = {
    tuple: _sequence(tuple),
    list: _sequence(list),
    dict: _mapping(dict),
    OrderedDict: _mapping(OrderedDict),
    type(None): Container(lambda _: ((), None), _nothing, _nothing, _indices),
    float: None,
    int: None,
    complex: None,
}
_BUILT_IN = frozenset(_CONTAINERS)
