"""tools/check_layers.py: the sources keep the layer order, and a wrong include is caught."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(root: Path) -> tuple[int, list[str]]:
    script = ROOT / "tools" / "check_layers.py"
    done = subprocess.run([sys.executable, script, root], capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_sources_keep_the_order() -> None:
    assert run(ROOT) == (0, [])


def test_leftward_includes_pass(tmp_path: Path) -> None:
    tree = write(
        tmp_path,
        {
            "cpp/base/dims.hpp": "#include <vector>\n",
            "cpp/tape/tape.hpp": '#include "base/dims.hpp"\n#include "node.hpp"\n',
            "cpp/tape/node.hpp": '#include "../base/dims.hpp"\n',
            "cpp/include/tapegrad/tapegrad.hpp": '#include "sweeps/adjoint.hpp"\n',
            "python/bindings/module.cpp": "#include <pybind11/pybind11.h>\n"
            '#include <tapegrad/tapegrad.hpp>\n#include "sweeps/adjoint.hpp"\n',
        },
    )
    assert run(tree) == (0, [])


@pytest.mark.parametrize(
    ("file", "include", "target"),
    [
        ("cpp/base/dims.hpp", '"tape/node.hpp"', "tape"),
        ("cpp/base/dims.hpp", '"../tape/node.hpp"', "tape"),
        ("cpp/ops/kernels.def", "<sweeps/adjoint.hpp>", "sweeps"),
        ("cpp/sweeps/adjoint.cpp", "<tapegrad/tapegrad.hpp>", "tapegrad"),
        ("cpp/tape/tape.cpp", "<Python.h>", "bindings"),
        ("cpp/ops/kernels.cpp", "<numpy/arrayobject.h>", "bindings"),
        ("cpp/include/tapegrad/var.hpp", '"bindings/variable.hpp"', "bindings"),
    ],
)
def test_a_rightward_include_is_named(tmp_path: Path, file: str, include: str, target: str) -> None:
    tree = write(tmp_path, {"cpp/tape/node.hpp": "", file: f"// first line\n#include {include}\n"})
    code, (line,) = run(tree)
    assert code == 1
    assert line.startswith(f"{file}:2: ")
    assert f"may not include {target} ({include[1:-1]})" in line


def test_a_folder_outside_the_order_is_named(tmp_path: Path) -> None:
    code, (line,) = run(write(tmp_path, {"cpp/misc/thing.hpp": "int x;\n"}))
    assert code == 1
    assert line.startswith("cpp/misc/thing.hpp:1: 'misc' is not in the order base < ops")
