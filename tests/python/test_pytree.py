"""tapegrad.pytree: taking containers apart, putting them together, and saying where they differ."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest

from tapegrad.pytree import LEAF, flatten, register_pytree, tree_map

Pair = namedtuple("Pair", "a b")


@dataclass
class Plain:
    w: object
    b: object


@dataclass(frozen=True, slots=True)
class Frozen:
    w: object
    name: str = field(metadata={"static": True})


@dataclass
class Derived:
    w: float
    twice: float = field(init=False)

    def __post_init__(self):
        if not isinstance(self.w, str) and self.w < 0:
            raise ValueError("w must not be negative")
        self.twice = 2 * self.w


TREES = [
    1.0,
    (),
    (1.0, 2.0),
    [1.0, [2.0, (3.0,)], []],
    {"b": 1.0, "a": {"c": 2.0}},
    OrderedDict([("z", 1.0), ("y", (2.0, None))]),
    Pair(1.0, [2.0]),
    Plain(1.0, {"x": 2.0}),
    Frozen(Pair(1.0, 2.0), "layer"),
    {"none": None, "x": 1.0},
]


@pytest.mark.parametrize("tree", TREES, ids=repr)
def test_round_trip(tree):
    leaves, structure = flatten(tree)
    assert all(isinstance(leaf, float) for leaf in leaves)
    assert structure.size == len(leaves)
    for put in structure.unflatten, structure.hold:
        again = put(leaves)
        assert again == tree and type(again) is type(tree)
    assert structure.match(tree, "tree") == leaves
    assert tree_map(lambda x: x, tree) == tree


def test_depth_first_in_the_order_of_the_user():
    leaves, structure = flatten({"b": [1, 2], "a": 3})
    assert leaves == [1, 2, 3]
    assert list(structure.unflatten(leaves)) == ["b", "a"]


def test_paths():
    tree = {"w": [1.0, Pair(2.0, 3.0)], 0: Plain(4.0, None)}
    _, structure = flatten(tree)
    assert structure.paths() == ["['w'][0]", "['w'][1].a", "['w'][1].b", "[0].w"]
    assert flatten(1.0)[1].paths() == [""]


def test_whatever_is_no_container_is_a_leaf():
    class Odd(dict):
        pass

    for leaf in (1.0, np.ones(3), "text", Odd(a=1), {1, 2}, range(3)):
        leaves, structure = flatten(leaf)
        assert leaves[0] is leaf and structure is LEAF


def test_dataclasses_run_their_init_for_values_and_not_for_derivatives():
    _, structure = flatten(Derived(3.0))
    assert structure.unflatten([4.0]).twice == 8.0
    with pytest.raises(ValueError, match="negative"):
        structure.unflatten([-1.0])
    held = structure.hold([-1.0])
    assert held.w == -1.0 and not hasattr(held, "twice")


def test_match_takes_keys_in_any_order():
    _, structure = flatten({"a": 1.0, "b": 2.0})
    assert structure.match({"b": 20.0, "a": 10.0}, "t") == [10.0, 20.0]


@pytest.mark.parametrize(
    "tree, other, message",
    [
        ((1.0, 2.0), (1.0,), "t is a tuple of 1, expected 2"),
        ((1.0,), [1.0], "t is a list, expected a tuple"),
        ({"a": (1.0, 2.0)}, {"a": 3.0}, r"t\['a'\] is a float, expected a tuple"),
        ({"a": 1.0}, {"b": 1.0}, r"t has the keys \['b'\], expected \['a'\]"),
        (Plain(1.0, 2.0), Plain(1.0, (2.0,)), "t.b is a tuple, expected a single value"),
        (Frozen(1.0, "x"), Frozen(1.0, "y"), "t differs in its static part"),
        (1.0, None, "t is a NoneType, expected a single value"),
    ],
)
def test_match_names_the_difference(tree, other, message):
    _, structure = flatten(tree)
    with pytest.raises(ValueError, match=message):
        structure.match(other, "t")


def test_register():
    class Line:
        def __init__(self, slope, offset, name):
            self.slope, self.offset, self.name = slope, offset, name

    assert flatten(Line(1.0, 2.0, "l"))[1] is LEAF
    made = register_pytree(
        Line, lambda line: ((line.slope, line.offset), line.name), lambda name, c: Line(*c, name)
    )
    assert made is Line
    leaves, structure = flatten([Line(1.0, 2.0, "l")])
    assert leaves == [1.0, 2.0] and structure.paths() == ["[0][0]", "[0][1]"]
    again = structure.unflatten([3.0, 4.0])[0]
    assert (again.slope, again.offset, again.name) == (3.0, 4.0, "l")


def test_register_refuses_what_has_a_meaning():
    with pytest.raises(ValueError, match="tuple"):
        register_pytree(tuple, lambda t: (t, None), lambda _, c: tuple(c))
    with pytest.raises(TypeError, match="class"):
        register_pytree(3, lambda t: (t, None), lambda _, c: c)
