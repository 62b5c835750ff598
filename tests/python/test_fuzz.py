"""2000 random programs of the broad function set; tools/fuzz.py runs more of them."""

import warnings

import numpy as np
import pytest
from fuzzing.checks import Wrong, check, failure, reproducer
from fuzzing.programs import Program, point, random_program, shortened, usable
from fuzzing.steps import TEMPLATES

import tapegrad as tg

BLOCK = 100


@pytest.mark.parametrize("first", range(0, 2000, BLOCK))
def test_random_programs(first):
    for seed in range(first, first + BLOCK):
        program = random_program(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = failure(program, seed)
            if wrong is not None:
                pytest.fail(reproducer(program, seed, wrong))


def test_programs_are_diverse():
    sources = {random_program(seed).source for seed in range(50)}
    assert len(sources) == 50
    assert len(usable()) > 0.8 * len(TEMPLATES)
    assert random_program(3) == random_program(3)


WRONG = """{y} = np.sin(x); {y} = {y} * tg.stop_gradient(np.exp({y}))"""


def test_a_wrong_derivative_is_found_and_the_program_shortened(monkeypatch):
    monkeypatch.setitem(__import__("fuzzing.programs").programs.NAMESPACE, "tg", tg)
    statements = ["v1 = m * 2.0", WRONG.format(y="v2"), "v3 = np.cos(m)", "v4 = x + 1.0"]
    program = Program(tuple(statements))
    with pytest.raises(Wrong, match="gradient and differences"):
        check(program, 0)
    wrong = failure(program, 0)
    assert wrong is not None
    text = reproducer(program, 0, wrong)
    assert "stop_gradient" in text and "np.cos(m)" not in text and "m * 2.0" not in text


def test_shortening_keeps_what_is_needed():
    program = Program(("a = x + 1", "b = a * 2", "c = m"))
    assert shortened(program, lambda p: "b = a * 2" in p.statements and _runs(p)).statements == (
        "a = x + 1",
        "b = a * 2",
    )


def _runs(program):
    return np.isfinite(program.plainly(*point(np.random.default_rng(0))))
