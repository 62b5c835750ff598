"""Every expression of this folder on arguments of several memory orders: the result lies in memory
as NumPy's does, or it is noted that this is not known."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from functions.expressions import arguments, function_of

import tapegrad as tg

HERE = Path(__file__).parent
MODULES = [
    "call_forms",
    *sorted(path.stem for path in HERE.glob("test_*.py") if path != Path(__file__)),
]


def expressions():
    found = []
    for name in MODULES:
        for value in vars(importlib.import_module(f"functions.{name}")).values():
            if isinstance(value, list):
                found += [text for text in value if isinstance(text, str)]
    return list(dict.fromkeys(found))


def exchanged(a):
    """The first and the last axis exchanged in memory."""
    return np.swapaxes(np.swapaxes(a, 0, -1).copy(), 0, -1) if a.ndim else a


def cut_out(a):
    return np.concatenate([a, a], -1)[..., : a.shape[-1]] if a.ndim else a


LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "exchanged": exchanged,
    "cut out": cut_out,
}


def long_strides(a):
    return [stride for n, stride in zip(a.shape, a.strides, strict=True) if n > 1]


def parts_of(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


def misplaced(expression, layout):
    """Pairs of strides that differ, and how many results were compared."""
    function, names = function_of(expression)
    given = [layout(a) if type(a) is np.ndarray and a.ndim else a for a in arguments(names)]
    kept = []

    def f(*args):
        # Each argument in full: what is cut out stays so by a view.
        kept.append(function(*args))
        return np.sum(args[0]) * 0.0

    expected = function(*given)
    tg.vjp(f, *given)
    wrong, count = [], 0
    for plain, recorded in zip(parts_of(expected), parts_of(kept[0]), strict=False):
        if not isinstance(recorded, tg.Variable) or not isinstance(plain, np.ndarray):
            continue
        if recorded._guessed or recorded.size < 2 or plain.dtype != recorded.dtype:
            continue
        count += 1
        own = np.asarray(tg._core.peek(recorded))
        if long_strides(own) != long_strides(plain):
            wrong.append((expression, plain.strides, own.strides))
    return wrong, count


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_no_result_lies_elsewhere_than_it_says(layout):
    wrong, compared = [], 0
    for expression in expressions():
        try:
            found, count = misplaced(expression, layout)
        except Exception:  # no expression, or one that is refused: other tests ask
            continue
        wrong += found
        compared += count
    assert wrong == []
    assert compared > 300
