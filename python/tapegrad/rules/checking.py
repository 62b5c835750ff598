"""`rule.check`: the rules of one custom function against each other and against differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tapegrad.functions.operands import DIFFERENTIABLE
from tapegrad.rules.call import Call
from tapegrad.rules.node import Arrays, joined
from tapegrad.rules.numeric import along

if TYPE_CHECKING:
    from tapegrad.rules.custom import CustomRule

Numbers = dict[str, float]


def check(rule: CustomRule, args: Any, kwargs: dict[str, Any], tolerance: float, seed: int) -> None:
    """See `CustomRule.check`."""
    _Check(rule, args, kwargs, tolerance, seed).run()


class _Check:
    def __init__(
        self, rule: CustomRule, args: Any, kwargs: dict[str, Any], tolerance: float, seed: int
    ) -> None:
        self.rule = rule
        self.tolerance = tolerance
        call, self.operands, self.values = rule.called(args, kwargs)
        self.call: Call = call
        rng = np.random.default_rng(seed)
        self.tangents = [_drawn(rng, x) for x in self.operands]
        self.second = [_drawn(rng, x) for x in self.operands]
        self.weights = [
            np.zeros(y.shape) if w is None else w
            for y, w in ((y, _drawn(rng, y)) for y in self.values)
        ]
        self.active = tuple(t is not None for t in self.tangents)

    def run(self) -> None:
        rules = self.rule.rules
        if not rules.given():
            raise ValueError(f"custom rule {self.rule.__name__} has no rules to check")
        self._first_order()
        if rules.hvp is not None:
            self._second_order()
        self._pattern()

    def _first_order(self) -> None:
        """The number <weights, J tangents>, from each rule and from differences."""
        rules, call = self.rule.rules, self.call
        found: Numbers = {}
        if rules.jvp is not None:
            moved = call.user_jvp(self.operands, self.values, self.tangents)
            found["jvp"] = _inner(self.weights, moved)
        if rules.vjp is not None:
            found["vjp"] = self.pulled(self.operands, self.values, self.tangents)
        if rules.jacobian is not None:
            moved = call.by_jacobian(self.operands, self.values, self.tangents)
            found["jacobian"] = _inner(self.weights, moved)
        moved = along(call, self.operands, self.tangents, "central")
        self._compare(found, _inner(self.weights, moved), "of the function")

    def _second_order(self) -> None:
        """The number <second, H(weights) tangents>: `hvp` against differences of the adjoints."""
        wanted = [s for s in self.second if s is not None]
        curved = self.call.user_hvp(
            self.tangents, self.weights, self.values, self.operands, self.active
        )

        moved = along(_Pulled(self), self.operands, self.tangents, "central")
        self._compare({"hvp": _inner(wanted, curved)}, float(moved[0]), "of the adjoints")

    def pulled(self, operands: Arrays, values: Arrays, tangents: Arrays) -> float:
        adjoints = self.call.pull(joined(self.weights), joined(values), operands, self.active)
        return _inner(adjoints, [t for t in tangents if t is not None])

    def _compare(self, found: Numbers, expected: float, of: str) -> None:
        size = max(1.0, abs(expected), *(abs(number) for number in found.values()))
        wrong = [
            f"{self.rule.rules.described(which)} gives {number:.12g}"
            for which, number in found.items()
            if not abs(number - expected) <= self.tolerance * size
        ]
        if wrong:
            right = [w for w, n in found.items() if abs(n - expected) <= self.tolerance * size]
            agree = f"; {' and '.join(right)} agree with them" if right else ""
            raise AssertionError(
                f"custom rule {self.rule.__name__}: along a random direction "
                + ", ".join(wrong)
                + f", finite differences {of} give {expected:.12g}{agree}"
            )

    def _pattern(self) -> None:
        """No entry of the Jacobian may be non-zero where the declared pattern is empty."""
        pattern = self.rule.sparsity
        if pattern is None:
            return
        allowed = np.asarray(pattern.toarray() if hasattr(pattern, "toarray") else pattern) != 0
        for column in range(self.operands[0].size):
            unit = np.zeros(self.operands[0].shape, self.operands[0].dtype)
            unit.reshape(-1)[column] = 1.0
            (moved,) = self.call.push(self.operands, self.values[0], [unit])
            rows = np.flatnonzero((np.reshape(moved, -1) != 0) & ~allowed[:, column])
            if rows.size:
                raise AssertionError(
                    f"custom rule {self.rule.__name__}: its Jacobian is not zero at row "
                    f"{rows[0]}, column {column}, where its sparsity pattern is empty"
                )


class _Pulled:
    """The number <second, adjoints> as a map of the operands, for differences."""

    def __init__(self, check: _Check) -> None:
        self.check = check
        self.name = "the adjoints"

    def raw(self, operands: Arrays) -> Arrays:
        values = self.check.call.raw([x.copy() for x in operands])
        return [np.array(self.check.pulled(operands, values, self.check.second))]

    def likes(self) -> Arrays:
        return [np.zeros(())]


def _drawn(rng: np.random.Generator, like: Any) -> Any:
    """Numbers away from zero; None for integers."""
    if like.dtype not in DIFFERENTIABLE:
        return None
    drawn = rng.uniform(0.5, 1.5, like.shape) * rng.choice([-1.0, 1.0], like.shape)
    if like.dtype.kind == "c":
        drawn = drawn + 1j * rng.uniform(-1.0, 1.0, like.shape)
    return drawn.astype(like.dtype)


def _inner(a: Arrays, b: Arrays) -> float:
    pairs = zip(a, b, strict=True)
    return float(sum(np.real(np.sum(np.asarray(x) * np.asarray(y))) for x, y in pairs))
