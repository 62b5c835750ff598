"""A slow and simple replay of program recordings, to compare with the function itself, and the
points to replay at."""

import numpy as np

from tapegrad import _core
from tapegrad._core import Variable
from tapegrad.pytree import flatten

# Vectors of five: some share signs, order or integer parts, so some guards hold and some do not.
POINTS = [
    np.array(p)
    for p in (
        [0.5, -1.5, 2.25, 3.75, -0.25],
        [0.75, -1.25, 2.5, 3.5, -0.5],
        [0.6, -1.4, 2.3, 3.6, -0.3],
        [3.0, 1.0, 2.0, 0.0, -4.0],
        [1.0, 1.0, -2.0, -2.0, 0.0],
        [-0.5, -0.5, 0.5, 1e3, 1e-3],
        [np.nan, 1.0, np.inf, -np.inf, 2.0],
    )
]


class Diverged(Exception):
    """The replay has found a guard that does not hold, or an op has raised."""


class Recording:
    """One run of `f` in program mode."""

    def __init__(self, f, *args):
        self.tape = _core.Tape.enter(program=True)
        self.error = None
        try:
            variables = [self.tape.input(a, keep_dtype=True) for a in args]
            self.inputs = [self.tape.node(v) for v in variables]
            result = f(*(_core.copy(v) for v in variables))
            leaves, self.structure = flatten(result)
            # A Variable stands for a node; anything else is a constant of the program.
            self.outputs = [
                ("node", self.tape.node(leaf))
                if isinstance(leaf, Variable) and leaf.recorded
                else ("plain", _core.peek(leaf))
                for leaf in leaves
            ]
            self.guards = self.tape.guards()
            self.nodes = self.tape.nodes(0, self.tape.mark())
            self.attrs = [self.tape.attrs(node[0]) for node in self.nodes]
            self.constants = self.tape.scalar_constants()
        finally:
            self.tape.leave(True)

    def replay(self, *args):
        """The leaves of the result for other arguments; raises Diverged."""
        given = dict(zip(self.inputs, args, strict=True))
        values = []
        for node, attrs in zip(self.nodes, self.attrs, strict=True):
            with np.errstate(all="ignore"):
                values.append(self._value(node, attrs, given, values))
        for node, expected, file, line in self.guards:
            if not same(values[node], expected):
                raise Diverged(f"{file}:{line}")
        return [values[what] if kind == "node" else what for kind, what in self.outputs]

    def _value(self, node, attrs, given, values):
        number, op, operands, shape, dtype, value = node
        if op == "input":
            value = np.asarray(given[number], dtype)
        elif op == "constant":
            assert value is not None
        elif op in ("alias", "stop_gradient"):
            value = values[operands[0]]
        else:
            found = [np.asarray(self.constants[-1 - o]) if o < 0 else values[o] for o in operands]
            try:
                value = _core.apply(op, found, attrs)
            except (ValueError, np.linalg.LinAlgError) as error:
                raise Diverged(str(error)) from None
        value = np.asarray(value)
        assert value.shape == shape and value.dtype == dtype, (op, value, shape, dtype)
        return value


def same(a, b):
    """Bit for bit, but for NaN, which is equal to NaN."""
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and bool(np.all((a == b) | ((a != a) & (b != b))))


def close(a, b, rtol):
    a, b = np.asarray(a), np.asarray(b)
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=rtol, atol=rtol, equal_nan=True))
