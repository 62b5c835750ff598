"""The package as imported: its names, its version, and what importing it loads."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tapegrad as tg

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", tg.__all__)
def test_public_names(name):
    assert getattr(tg, name).__doc__
    assert name in dir(tg)


def test_unknown_names():
    with pytest.raises(AttributeError, match="no_such_name"):
        tg.no_such_name


def test_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert tg.__version__ == project["version"]


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_nothing_heavy():
    loaded = run("import sys, tapegrad; print(*sys.modules)").split()
    heavy = {"matplotlib", "sklearn", "scipy.optimize", "tapegrad.numpy", "tapegrad.draw.svg"}
    assert not heavy & set(loaded)


def test_draw_stays_a_function():
    run(
        "import tapegrad.draw.drawing, tapegrad.draw as d, tapegrad as tg; assert callable(tg.draw)"
    )


def test_numpy_is_there_without_an_import():
    run("import tapegrad as tg; assert tg.numpy.zeros(3).shape == (3,)")
