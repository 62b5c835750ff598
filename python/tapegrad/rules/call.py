"""A custom function called in one way: the same containers, constants and results. The node that
its recordings refer to, with the user's rules where they are given and derived ones elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tapegrad import _core, errors
from tapegrad.functions.operands import DIFFERENTIABLE, is_complex, shape_of
from tapegrad.rules import derived
from tapegrad.rules.blame import blamed
from tapegrad.rules.completing import OpaqueAdjoint, OpaqueTangent, Recorded
from tapegrad.rules.node import (
    Adjoint,
    Arrays,
    Mask,
    Node,
    Opaque,
    Tangent,
    fitted,
    split,
    zeros_like,
)
from tapegrad.rules.numeric import differenced
from tapegrad.rules.second_order import AdjointWithProduct, TangentWithProduct
from tapegrad.rules.trees import (
    Tree,
    for_user,
    has_imaginary_part,
    is_differentiable,
    is_number,
    parted,
)

if TYPE_CHECKING:
    from tapegrad.rules.custom import CustomRule


class Arguments(NamedTuple):
    """How a function was called: its arguments, one tree each, without their numbers."""

    positional: tuple[Tree, ...]
    keywords: tuple[tuple[str, Tree], ...]

    def key(self) -> Hashable:
        return (
            tuple(tree.key() for tree in self.positional),
            tuple((name, tree.key()) for name, tree in self.keywords),
        )

    def filled(self, numbers: Arrays) -> tuple[list[Any], dict[str, Any]]:
        """The arguments with these numbers in them."""
        rest = iter([for_user(x) for x in numbers])
        args = [tree.filled(rest) for tree in self.positional]
        return args, {name: tree.filled(rest) for name, tree in self.keywords}

    def held(self, numbers: Arrays) -> tuple[Any, ...]:
        """Something for each positional argument, in its containers."""
        rest = iter([for_user(x) for x in numbers])
        return tuple(tree.held(rest) for tree in self.positional)

    def counts(self) -> list[int]:
        """How many numbers each positional argument has."""
        return [tree.leaves.count(None) for tree in self.positional]


class Result(NamedTuple):
    """What a function returned, without the numbers in it."""

    tree: Tree
    metas: tuple[tuple[tuple[int, ...], np.dtype[Any]], ...]

    def key(self) -> Hashable:
        return (self.tree.key(), self.metas)

    def likes(self) -> Arrays:
        """Arrays of the same shapes and dtypes, without memory."""
        return [np.broadcast_to(np.zeros((), dtype), shape) for shape, dtype in self.metas]


class Call(Opaque):
    """A custom function for one kind of arguments and results."""

    def __init__(self, rule: CustomRule, arguments: Arguments, result: Result) -> None:
        super().__init__(rule.__name__)
        self.rule = rule
        self.arguments = arguments
        self.result = result
        self._likes = result.likes()

    # ---- values

    def value(self, operands: Arrays) -> Arrays:
        result, numbers = evaluated(self.rule, self.arguments, operands)
        if result.key() != self.result.key():
            raise ValueError(
                f"custom rule {self.name} returned something else than when it was recorded: "
                f"{_described(result)}, it was {_described(self.result)}"
            )
        return numbers

    def raw(self, operands: Arrays) -> Arrays:
        """As `value`, of whatever dtype: at complex numbers where the recording had real ones."""
        return evaluated(self.rule, self.arguments, operands)[1]

    def likes(self) -> Arrays:
        return self._likes

    @property
    def method(self) -> str:
        """How to differentiate what has no rule; UnsupportedError if nothing is said."""
        return self.rule.method()

    # ---- derivatives

    def tangent(self, active: Mask) -> Node:
        if self.rule.rules.hvp is not None:
            return self.made(TangentWithProduct, active)
        return self.made(Tangent if self.rule.derivatives is None else OpaqueTangent, active)

    def adjoint(self, active: Mask) -> Node:
        if self.rule.rules.hvp is not None:
            return self.made(AdjointWithProduct, active)
        return self.made(Adjoint if self.rule.derivatives is None else OpaqueAdjoint, active)

    def recorded_itself(self) -> Node | None:
        """The code of a function with a second derivative and nothing that gives the first one."""
        alone = self.rule.rules.given() == ["hvp"] and self.rule.derivatives is None
        return self.made(Recorded) if alone else None

    def push(self, operands: Arrays, value: Any, tangents: Arrays) -> Arrays:
        rules = self.rule.rules
        itself = self.recorded_itself()
        if itself is not None:
            return itself.push(operands, value, tangents)
        values = split(value, self.likes())
        if rules.jvp is not None:
            return self.user_jvp(operands, values, tangents)
        if rules.vjp is not None:
            active = tuple(t is not None for t in tangents)

            def pull(*cotangents: Any) -> Arrays:
                return self.user_vjp(list(cotangents), values, operands, active)

            along = [t for t in tangents if t is not None]
            return derived.transposed(pull, along, self.likes())
        if rules.jacobian is not None:
            return self.by_jacobian(operands, values, tangents)
        return differenced(self, operands, tangents)

    def pull(self, cotangent: Any, value: Any, operands: Arrays, active: Mask) -> Arrays:
        rules = self.rule.rules
        itself = self.recorded_itself()
        if itself is not None:
            return itself.pull(cotangent, value, operands, active)
        likes = self.likes()
        values, cotangents = split(value, likes), split(cotangent, likes)
        if rules.vjp is not None:
            return self.user_vjp(cotangents, values, operands, active)
        if rules.jacobian is not None and rules.jvp is None:
            blocks = self.user_jacobian(operands, values)
            return [
                derived.transposed_times(block, cotangents[0], x)
                for block, x, wanted in zip(blocks, operands, active, strict=True)
                if wanted
            ]

        def push(*along: Any) -> Arrays:
            rest = iter(along)
            tangents = [next(rest) if wanted else None for wanted in active]
            return self.push(operands, value, tangents)

        moving = [x for x, wanted in zip(operands, active, strict=True) if wanted]
        by = derived.by_columns if rules.jvp is None else derived.transposed
        return by(push, cotangents, moving)

    # ---- the user's rules

    def user_jvp(self, operands: Arrays, values: Arrays, tangents: Arrays) -> Arrays:
        args, kwargs = self.arguments.filled(operands)
        moves = self.arguments.held(_with_zeros(tangents, operands))
        with self.blamed("jvp"):
            found = self.rule.rules.call("jvp", moves, self.user_value(values), *args, **kwargs)
        return self.parts_of(found, "jvp", "the tangent")

    def user_vjp(
        self, cotangents: Arrays, values: Arrays, operands: Arrays, active: Mask
    ) -> Arrays:
        args, kwargs = self.arguments.filled(operands)
        cotangent = self.cotangent_tree(cotangents)
        with self.blamed("vjp"):
            found = self.rule.rules.call("vjp", cotangent, self.user_value(values), *args, **kwargs)
        return self.adjoints_of(found, "vjp", operands, active)

    def user_hvp(
        self, tangents: Arrays, cotangents: Arrays, values: Arrays, operands: Arrays, active: Mask
    ) -> Arrays:
        args, kwargs = self.arguments.filled(operands)
        moves = self.arguments.held(_with_zeros(tangents, operands))
        cotangent = self.cotangent_tree(cotangents)
        with self.blamed("hvp"):
            found = self.rule.rules.call(
                "hvp", moves, cotangent, self.user_value(values), *args, **kwargs
            )
        return self.adjoints_of(found, "hvp", operands, active)

    def by_jacobian(self, operands: Arrays, values: Arrays, tangents: Arrays) -> Arrays:
        """The tangent of the result from the Jacobian that the user gives."""
        return [derived.times(self.user_jacobian(operands, values), tangents, values[0])]

    def check_pattern(self, operands: Arrays, values: Arrays) -> None:
        """ValueError if the declared sparsity pattern is not of the sizes of the Jacobian."""
        if len(operands) != 1 or len(values) != 1:
            raise ValueError(
                f"custom rule {self.name}: a sparsity pattern is for a function of one array that "
                "returns one array"
            )
        sizes = (derived.size_of(values[0]), derived.size_of(operands[0]))
        if np.shape(self.rule.sparsity) != sizes:
            raise ValueError(
                f"custom rule {self.name}: its sparsity pattern has shape "
                f"{np.shape(self.rule.sparsity)}, its Jacobian {sizes}"
            )

    def user_jacobian(self, operands: Arrays, values: Arrays) -> Arrays:
        """A matrix for each operand, or None."""
        args, kwargs = self.arguments.filled(operands)
        with self.blamed("jacobian"):
            found = self.rule.rules.call("jacobian", self.user_value(values), *args, **kwargs)
        counts = self.arguments.counts()
        if len(values) != 1 or max(counts, default=0) > 1:
            raise self.fault(
                "jacobian", "is for functions of arrays that return one array; give vjp or jvp"
            )
        if not isinstance(found, (tuple, list)):
            found = (found,)
        if len(found) == sum(counts) != len(counts):
            given = iter(found)
            found = [next(given) if count else None for count in counts]
        self._check_count(found, "jacobian", "Jacobian")
        blocks = [block for block, count in zip(found, counts, strict=True) if count]
        blocks += [None] * (len(operands) - len(blocks))
        return [
            None if block is None else self._matrix(block, values[0], x)
            for block, x in zip(blocks, operands, strict=True)
        ]

    def _matrix(self, block: Any, value: Any, x: Any) -> Any:
        shape, rows, columns = shape_of(block), derived.size_of(value), derived.size_of(x)
        full = shape_of(value) + shape_of(x)
        if not (is_complex(value) or is_complex(x)):
            entries = block.tocoo().data if hasattr(block, "tocoo") else block
            self._require_real(entries, "jacobian", "a matrix")
        if shape == (rows, columns):
            return block
        if shape != full:
            raise self.fault(
                "jacobian", f"returned shape {shape}, expected {full} (result axes first)"
            )
        return np.reshape(block, (rows, columns))

    # ---- between lists and the user's containers

    def user_value(self, values: Arrays) -> Any:
        """The result as the function returned it: integers, which travel as numbers, are such."""
        parts = [
            x if dtype in DIFFERENTIABLE else np.asarray(_core.peek(x)).astype(dtype)
            for x, (_, dtype) in zip(values, self.result.metas, strict=True)
        ]
        return self.result.tree.filled(map(for_user, parts))

    def cotangent_tree(self, cotangents: Arrays) -> Any:
        """None for results that are integers."""
        parts = [
            for_user(g) if dtype in DIFFERENTIABLE else None
            for g, (_, dtype) in zip(cotangents, self.result.metas, strict=True)
        ]
        return self.result.tree.held(parts)

    def parts_of(self, found: Any, which: str, what: str) -> Arrays:
        """The numbers of something like the result."""
        try:
            parts = self.result.tree.numbers(found, what)
        except ValueError as error:
            raise self.fault(which, f"returned something unlike the result: {error}") from None
        return [
            self._fitted(part, like, which, what)
            for part, like in zip(parts, self.likes(), strict=True)
        ]

    def adjoints_of(self, found: Any, which: str, operands: Arrays, active: Mask) -> Arrays:
        """The numbers of what has an entry for each argument; zeros for None."""
        if not isinstance(found, (tuple, list)):
            raise self.fault(
                which,
                f"returned a {type(found).__name__}, expected a tuple with one adjoint for each "
                "argument (and None where there is none)",
            )
        self._check_count(found, which, "adjoint")
        adjoints: Arrays = []
        for i, (tree, adjoint) in enumerate(zip(self.arguments.positional, found, strict=True)):
            try:
                adjoints += tree.numbers(adjoint, f"the adjoint of argument {i}")
            except ValueError as error:
                raise self.fault(
                    which, f"returned something unlike its argument: {error}"
                ) from None
        adjoints += [None] * (len(operands) - len(adjoints))  # keywords have none
        wanted = [(g, x) for g, x, moves in zip(adjoints, operands, active, strict=True) if moves]
        return [self._fitted(g, x, which, "an adjoint") for g, x in wanted]

    def _check_count(self, found: Any, which: str, what: str) -> None:
        count = len(self.arguments.positional)
        if len(found) != count:
            raise self.fault(
                which,
                f"returned {len(found)} {what}{'s' * (len(found) != 1)} for {count} "
                f"argument{'s' * (count != 1)}: there must be one for each, None where there is "
                "none",
            )

    def _fitted(self, x: Any, like: Any, which: str, what: str) -> Any:
        if x is None:
            return zeros_like(like)
        if not is_number(x):
            x = np.asarray(x)
            if x.dtype.kind not in "fciub":
                raise self.fault(which, f"returned {what} of dtype {x.dtype}, expected a number")
        if shape_of(x) != shape_of(like):
            raise self.fault(
                which, f"returned {what} of shape {shape_of(x)}, expected {shape_of(like)}"
            )
        # Where the result is complex, the adjoint of a real argument is the real part.
        projected = which != "jvp" and any(map(is_complex, self.likes()))
        if not projected and not is_complex(like):
            self._require_real(x, which, what)
        return fitted(x, like)

    def _require_real(self, x: Any, which: str, what: str) -> None:
        if has_imaginary_part(x):
            raise self.fault(which, f"returned {what} that is complex, of what is real")

    def blamed(self, which: str) -> Any:
        return blamed(f"the {self.rule.rules.described(which)} of the custom rule {self.name}")

    def fault(self, which: str, what: str) -> ValueError:
        file, line = errors.user_frame()
        described = self.rule.rules.described(which)
        return ValueError(f"custom rule {self.name}: its {described} {what} ({file}:{line})")


def evaluated(rule: CustomRule, arguments: Arguments, operands: Arrays) -> tuple[Result, Arrays]:
    """The function at plain operands, which it may write to: its result and the numbers in it."""
    args, kwargs = arguments.filled(operands)
    with blamed(f"the custom rule {rule.__name__}"):
        found = rule.function(*args, **kwargs)
    tree, numbers = parted(found)
    arrays = [_supported(rule, np.array(x)) for x in numbers]
    return Result(tree, tuple((a.shape, a.dtype) for a in arrays)), arrays


def _supported(rule: Callable[..., Any], a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Results of other precisions as recordings have them."""
    if a.dtype in DIFFERENTIABLE or a.dtype.kind in "iub":
        return a
    if a.dtype.kind == "c":
        return a.astype(np.complex128)
    return a.astype(np.float32 if a.dtype.itemsize < 4 else np.float64)


def _with_zeros(tangents: Arrays, operands: Arrays) -> Arrays:
    """Zeros for numbers that do not move, None for integers."""
    return [
        t if t is not None else zeros_like(x) if is_differentiable(x) else None
        for t, x in zip(tangents, operands, strict=True)
    ]


def _described(result: Result) -> str:
    parts = [f"{dtype}{list(shape)}" for shape, dtype in result.metas]
    return ", ".join(parts) or "nothing"
