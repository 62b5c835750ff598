"""`tg.custom_rule`: functions that recordings do not look into, with derivatives of the user's."""

from __future__ import annotations

import functools
import inspect
import types
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NoReturn, TypeVar, overload

from tapegrad import _core, errors
from tapegrad.functions.operands import seen
from tapegrad.pytree import flatten
from tapegrad.rules.blame import place_of
from tapegrad.rules.call import Arguments, Call, Result, evaluated
from tapegrad.rules.checking import check
from tapegrad.rules.numeric import METHODS
from tapegrad.rules.trees import Tree, copied, for_user, is_recorded, parted
from tapegrad.transforms.inputs import Variable

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)
Names = int | str | Iterable[int | str]


class Rules:
    """The derivatives that a user has given for one function."""

    def __init__(self) -> None:
        self.jvp: Function | None = None
        self.vjp: Function | None = None
        self.hvp: Function | None = None
        self.jacobian: Function | None = None

    def call(self, which: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, which)(*args, **kwargs)

    def described(self, which: str) -> str:
        """`vjp (file:line)`."""
        return f"{which} ({place_of(getattr(self, which))})"

    def given(self) -> list[str]:
        return [which for which in ("jvp", "vjp", "jacobian", "hvp") if getattr(self, which)]


class CustomRule:
    """A function with derivatives of its own; see `custom_rule`."""

    MOST_CALLS = 256  # kinds of calls that are kept; older ones are made again

    def __init__(
        self,
        function: Function,
        static: Names = (),
        nondifferentiable: Names = (),
        derivatives: str | None = None,
        sparsity: Any = None,
    ) -> None:
        if not callable(function):
            kind = type(function).__name__
            raise TypeError(f"custom_rule: expected a function, got a {kind}")
        if derivatives is not None and derivatives not in METHODS:
            raise ValueError(
                f"custom_rule: derivatives={derivatives!r} is none of {', '.join(METHODS)}"
            )
        functools.update_wrapper(self, function)
        self.__name__: str = getattr(function, "__name__", type(function).__name__)
        self.__qualname__: str = getattr(function, "__qualname__", self.__name__)
        self.function = function
        self.rules = Rules()
        self.derivatives = derivatives
        self.sparsity = sparsity
        self._signature = _signature_of(function)
        self._static = _chosen(static, self._signature, "static")
        self._fixed = _chosen(nondifferentiable, self._signature, "nondifferentiable")
        self._calls: OrderedDict[Hashable, Call] = OrderedDict()

    # ---- registration

    def vjp(self, rule: F) -> F:
        """Give the product with the transposed Jacobian.

        `rule(cotangent, value, *args)` gets something like the result, the result and the
        arguments; it returns a tuple with one adjoint for each argument, None where there is none.
        By a complex number z = x + iy the adjoint of a real f is df/dx - i df/dy, so a holomorphic
        derivative multiplies. Of a complex adjoint of a real number the real part counts if the
        result is complex; if it is real that is an error. Integers in the result have the cotangent
        None. Returns `rule`, so it may decorate it.
        """
        return self._register("vjp", rule)

    def jvp(self, rule: F) -> F:
        """Give the product with the Jacobian.

        `rule(tangents, value, *args)` gets a tuple with one tangent for each argument (zeros where
        it does not move, None for static and integer ones), the result and the arguments; it
        returns the tangent of the result. Returns `rule`.
        """
        return self._register("jvp", rule)

    def hvp(self, rule: F) -> F:
        """Give the second derivative: how the adjoints of `vjp` change along tangents.

        `rule(tangents, cotangent, value, *args)` returns one array for each argument: the product
        of the Hessian of <cotangent, function> and the tangents. Where no rule gives the first
        derivative, it is taken by recording the function, or by `derivatives`. Returns `rule`.
        """
        return self._register("hvp", rule)

    def jacobian(self, rule: F) -> F:
        """Give the Jacobian of a function of arrays that returns one array.

        `rule(value, *args)` returns a tuple with an array for each argument, the axes of the result
        before those of the argument, None where there is none; for one argument the array alone
        will do. It may be a matrix, also a sparse one, of their sizes. Returns `rule`.
        """
        return self._register("jacobian", rule)

    def _register(self, which: str, rule: F) -> F:
        if not callable(rule):
            raise TypeError(f"custom rule {self.__name__}: its {which} is no function")
        setattr(self.rules, which, rule)
        self._calls.clear()
        return rule

    # ---- calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _core.recording():
            return self.function(*args, **kwargs)
        arguments, operands = self._parted(args, kwargs)
        if not any(isinstance(x, Variable) for x in operands):
            with _core.Outside():
                return self.function(*args, **kwargs)
        result, numbers = self._evaluated(arguments, operands)
        if any(map(is_recorded, operands)):
            call = self.call(arguments, result)
            if self.sparsity is not None:
                call.check_pattern(operands, numbers)
            numbers = call.recorded(operands, numbers)
        return result.tree.filled(map(for_user, numbers))

    def call(self, arguments: Arguments, result: Result) -> Call:
        """The node for this kind of call."""
        key = (arguments.key(), result.key())
        found = self._calls.get(key)
        if found is None:
            found = self._calls[key] = Call(self, arguments, result)
            if len(self._calls) > self.MOST_CALLS:
                self._calls.popitem(last=False)
        return found

    def called(self, args: Any, kwargs: dict[str, Any]) -> tuple[Call, list[Any], list[Any]]:
        """The node for a call with plain arguments, the numbers in them and in the result."""
        arguments, numbers = self._parted(args, kwargs)
        operands = [copied(x) for x in numbers]
        with _core.Outside():
            result, values = evaluated(self, arguments, [x.copy() for x in operands])
        call = self.call(arguments, result)
        if self.sparsity is not None:
            call.check_pattern(operands, values)
        return call, operands, values

    def check(self, *args: Any, tolerance: float = 1e-6, seed: int = 0, **kwargs: Any) -> None:
        """Check the rules given so far at these arguments: against finite differences of the
        function, and so against each other, along one random direction; `hvp` against differences
        of the adjoints, the sparsity pattern against the Jacobian.

        Raises AssertionError, which says which of the rules is wrong and which agree.

        >>> import numpy as np, tapegrad as tg
        >>> square = tg.custom_rule(lambda x: x**2)
        >>> _ = square.vjp(lambda g, y, x: (2 * x * g,))
        >>> square.check(np.array([1.0, 2.0]))
        """
        check(self, args, kwargs, tolerance, seed)

    def _evaluated(self, arguments: Arguments, operands: list[Any]) -> tuple[Result, list[Any]]:
        try:
            with _core.Outside():
                return evaluated(self, arguments, [copied(x) for x in operands])
        except Exception:
            for x in operands:  # the user may catch it: a program is good for these values only
                if isinstance(x, Variable):
                    _core.value(x)
            raise

    def _parted(self, args: Any, kwargs: dict[str, Any]) -> tuple[Arguments, list[Any]]:
        if kwargs and self._signature is not None:
            bound = self._signature.bind(*args, **kwargs)
            args, kwargs = bound.args, bound.kwargs
        operands: list[Any] = []
        positional = [self._tree(i, arg, operands) for i, arg in enumerate(args)]
        keywords = []
        for name, value in kwargs.items():
            keywords.append((name, self._tree(name, value, operands)))
        return Arguments(tuple(positional), tuple(keywords)), operands

    def _tree(self, which: int | str, value: Any, operands: list[Any]) -> Tree:
        static = which in self._static
        tree, numbers = parted(value, static)
        if static and any(isinstance(leaf, Variable) for leaf in flatten(value)[0]):
            self._refuse(which, "is static, and got a recorded value; pass tg.stop_gradient of it")
        if which in self._fixed:
            numbers = [seen(x) for x in numbers]
        elif isinstance(which, str) and any(isinstance(x, Variable) and x.active for x in numbers):
            self._refuse(which, "has no derivative, because it is a keyword; pass it by position")
        operands += numbers
        return tree

    def _refuse(self, which: int | str, why: str) -> NoReturn:
        errors.unsupported(f"custom rule {self.__name__}: argument {which!r} {why}")

    def method(self) -> str:
        """How to differentiate where no rule is given."""
        if self.derivatives is None:
            errors.unsupported(
                f"the custom rule {self.__name__} has no first derivative",
                f"Register one with {self.__name__}.vjp, .jvp or .jacobian, or say "
                'custom_rule(derivatives="finite-differences").',
            )
        return self.derivatives

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        given = ", ".join(self.rules.given()) or self.derivatives or "no derivatives"
        return f"<custom rule {self.__name__}: {given}>"


def _signature_of(function: Function) -> inspect.Signature | None:
    """None for compiled functions that do not say."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _chosen(which: Names, signature: inspect.Signature | None, what: str) -> frozenset[int | str]:
    """Arguments by position; by name those that have none."""
    chosen: set[int | str] = set()
    for entry in (which,) if isinstance(which, (int, str)) else which:
        if isinstance(entry, int):
            if entry < 0:
                raise ValueError(f"custom_rule: {what}={entry} is no position of an argument")
            chosen.add(entry)
            continue
        parameters = {} if signature is None else signature.parameters
        if entry not in parameters:
            raise ValueError(f"custom_rule: {what}={entry!r} is no argument of the function")
        by_position = parameters[entry].kind != inspect.Parameter.KEYWORD_ONLY
        chosen.add(list(parameters).index(entry) if by_position else entry)
    return frozenset(chosen)


@overload
def custom_rule(
    function: Function,
    *,
    static: Names = (),
    nondifferentiable: Names = (),
    derivatives: str | None = None,
    sparsity: Any = None,
) -> CustomRule: ...
@overload
def custom_rule(
    function: None = None,
    *,
    static: Names = (),
    nondifferentiable: Names = (),
    derivatives: str | None = None,
    sparsity: Any = None,
) -> Callable[[Function], CustomRule]: ...
def custom_rule(
    function: Function | None = None,
    *,
    static: Names = (),
    nondifferentiable: Names = (),
    derivatives: str | None = None,
    sparsity: Any = None,
) -> CustomRule | Callable[[Function], CustomRule]:
    """A function that recordings take as one op, with derivatives that you give.

    The function may be anything that computes: NumPy, C through ctypes, a simulator in another
    process. It gets plain arrays, which are its own, and returns numbers, arrays or pytrees of
    them. It must be a function of its arguments: programs call it as often as they see fit.

    Register any one of `.vjp`, `.jvp` and `.jacobian` on the result; the others are derived from
    it. A rule in NumPy, or made of other custom rules, is recorded itself for second and higher
    derivatives; `.hvp` gives the second ones where that is impossible or slow. With `.hvp` alone
    the function is recorded for the first ones.

    Args:
        function: what to call; without it a decorator is returned.
        static: positions or names of arguments that are no numbers, or whose values must stay
            plain: sizes, names, options. Python integers, booleans, strings and other objects are
            constants in any case.
        nondifferentiable: positions or names of arguments whose derivative is zero by your word.
        derivatives: how to differentiate without a rule, and what rules cannot be recorded:
            "finite-differences" (or "central"), "forward" or "complex-step". Without it the one
            raises `tg.UnsupportedError`, the other `tg.DetachedError`.
        sparsity: where the Jacobian of a function of one array may be non-zero: a boolean matrix,
            dense or sparse, of the sizes of result and argument.

    Returns:
        A function of the same arguments, with `.vjp`, `.jvp`, `.hvp`, `.jacobian` and `.check`.

    Raises ValueError from a derivative where a rule returns the wrong number of adjoints, wrong
    shapes, or complex numbers where function and arguments are real; what the function or a rule
    raises leaves with a note that names the rule.

    >>> import numpy as np, tapegrad as tg
    >>> @tg.custom_rule
    ... def cube(x):
    ...     return np.asarray(x) ** 3
    >>> _ = cube.vjp(lambda cotangent, value, x: (3 * x**2 * cotangent,))
    >>> tg.grad(cube)(2.0), tg.jvp(cube, (2.0,), (1.0,))[1], tg.derivative(cube, 2)(2.0)
    (12.0, 12.0, 12.0)
    """

    def make(function: Function) -> CustomRule:
        return CustomRule(function, static, nondifferentiable, derivatives, sparsity)

    return make if function is None else make(function)
