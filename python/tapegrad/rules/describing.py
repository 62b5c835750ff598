"""Nodes of custom rules as what a program file can hold: the name of the rule, how it was called,
and which derivatives were taken. `program/saving.py` writes and reads them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tapegrad.program.encoding import NAMED, CannotStoreError, lookup
from tapegrad.pytree import Structure
from tapegrad.rules.call import Arguments, Call, Result
from tapegrad.rules.custom import CustomRule
from tapegrad.rules.node import Derived, Node
from tapegrad.rules.numeric import Differenced
from tapegrad.rules.trees import Leaf, Tree

NAMED.append(CustomRule)
DEEPEST = 16  # derivatives of derivatives


def described(node: Node) -> tuple[Any, ...]:
    """`node` as tuples; CannotStoreError if its rule cannot be found by its name."""
    if isinstance(node, Call):
        _check_name(node.rule)
        metas = tuple((shape, dtype.str) for shape, dtype in node.result.metas)
        return ("call", node.rule, node.arguments, node.result.tree, metas)
    if isinstance(node, Differenced):
        return ("differenced", described(node.parent), node.moving)
    assert isinstance(node, Derived)
    return (node.kind, described(node.parent), *node.how())


def _check_name(rule: CustomRule) -> None:
    module, name = rule.__module__, rule.__qualname__
    found = lookup(module, name)
    if found is not None and found is not rule:
        raise CannotStoreError(
            f"the custom rule {module}.{name} is found by its name, which is that of something "
            "else; use tg.custom_rule as a decorator, or set its __qualname__"
        )


def restored(description: Any, depth: int = 0) -> Node:
    """The node that was described so; ValueError for what cannot have been."""
    _check(type(description) is tuple and len(description) > 2 and depth < DEEPEST)
    kind, *rest = description
    if kind == "call":
        return _call(*rest)
    parent = restored(rest[0], depth + 1)
    masks = [how for how in rest[1:] if type(how) is tuple]
    _check(len(masks) == 1 and all(type(active) is bool for active in masks[0]))
    if kind == "batched":
        _check(len(rest) == 3 and type(rest[2]) is int and rest[2] > 0)
        return parent.batched(rest[1], rest[2])
    _check(kind in ("tangent", "adjoint", "differenced") and len(rest) == 2)
    if kind == "differenced":
        _check(isinstance(parent, (Call, Differenced)))
        return parent.made(Differenced, rest[1])
    return parent.tangent(rest[1]) if kind == "tangent" else parent.adjoint(rest[1])


def _call(rule: Any, arguments: Any, tree: Any, metas: Any) -> Node:
    if not isinstance(rule, CustomRule):
        name = f"{getattr(rule, '__module__', '')}.{getattr(rule, '__qualname__', rule)}"
        raise ValueError(f"it needs the custom rule {name}, which is none now")
    _check(isinstance(arguments, Arguments))
    positional, keywords = arguments
    _check(type(positional) is tuple and type(keywords) is tuple)
    trees = [*positional, tree]
    for entry in keywords:
        _check(type(entry) is tuple and len(entry) == 2 and type(entry[0]) is str)
        trees.append(entry[1])
    for each in trees:
        _check(isinstance(each, Tree) and type(each.structure) is Structure)
        _check(type(each.leaves) is tuple and len(each.leaves) == each.structure.size)
        _check(all(leaf is None or isinstance(leaf, Leaf) for leaf in each.leaves))
    return rule.call(arguments, Result(tree, tuple(map(_meta, metas))))


def _meta(meta: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    _check(type(meta) is tuple and len(meta) == 2 and type(meta[0]) is tuple)
    shape, code = meta
    _check(all(type(n) is int and n >= 0 for n in shape) and type(code) is str)
    return shape, np.dtype(code)


def _check(condition: bool) -> None:
    if not condition:
        raise ValueError("the file is corrupt: its custom rules make no sense")
