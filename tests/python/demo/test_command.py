"""`python -m tapegrad` as a user runs it: output, pictures, exit statuses, no traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tapegrad import demo as demo_package
from tapegrad.__main__ import main


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "tapegrad", *map(str, arguments)]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def quick(monkeypatch):
    """The demo with its small sizes only."""
    monkeypatch.setattr(demo_package, "SIZES", (10, 100, 1000, 2000))


def assert_pictures(folder: Path) -> None:
    names = ["1-convergence", "2-differences", "3-cost", "4-circuit", "5-neuron"]
    assert sorted(p.name for p in folder.iterdir()) == [f"{n}.png" for n in names]
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 5000


def test_the_demo(quick, tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for word in ("L-BFGS-B", "Newton-CG", "trust-exact", "scikit-learn", "Wisconsin", "estimated"):
        assert word in shown.out
    assert "gradient: (-4, -4, 3)" in shown.out and "-12" in shown.out
    assert int(re.findall(r"(\d+) digits agree", shown.out)[0]) >= 4
    assert_pictures(tmp_path / "tapegrad-demo")


def test_the_demo_on_a_users_csv(quick, tmp_path, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    path = tmp_path / "mine.csv"
    path.write_text(
        "age,dose,ill\n" + "".join(f"{i},{i * i % 7},{i % 3 // 2}\n" for i in range(40))
    )
    assert main(["demo", "--data", str(path), "--out", str(tmp_path / "pictures")]) == 0
    assert "mine.csv: 40 rows, 2 features" in capsys.readouterr().out
    assert_pictures(tmp_path / "pictures")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("", "no data"),
        ("a,y\nx,0\n", "not a number"),
        ("a,y\nnan,0\n", "nan"),
        ("1,0\n2,0\n", "every label is 0"),
        ("1,0\n2,3\n", "not 0 or 1"),
    ],
)
def test_bad_data_is_one_line_and_status_2(tmp_path, text, says):
    if text is not None:
        (tmp_path / "mine.csv").write_text(text)
    done = command("demo", "--data", "mine.csv", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and says in done.stderr
    assert not (tmp_path / "tapegrad-demo").exists()


@pytest.mark.parametrize(
    ("absent", "says"),
    [
        (("matplotlib",), "needs matplotlib:"),
        (("sklearn",), "needs scikit-learn:"),
        (("matplotlib", "sklearn"), "needs matplotlib and scikit-learn:"),
    ],
)
def test_a_missing_package_is_named(monkeypatch, tmp_path, capsys, absent, says):
    for module in absent:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) == 1
    assert says in shown.err and 'pip install "tapegrad[demo]"' in shown.err


def test_a_folder_that_cannot_be_made(tmp_path, monkeypatch, capsys):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tapegrad-demo").write_text("in the way")
    assert main(["demo"]) == 2
    shown = capsys.readouterr()
    assert len(shown.err.splitlines()) == 1 and "cannot write pictures" in shown.err


def test_version(tmp_path):
    done = command("--version", cwd=tmp_path)
    assert done.returncode == 0 and re.fullmatch(r"tapegrad \d+\.\d+\S*\n", done.stdout)


def test_cmake_dir_is_a_folder_or_an_error(tmp_path):
    done = command("--cmake-dir", cwd=tmp_path)
    if done.returncode == 0:
        assert Path(done.stdout.rstrip("\n")).is_dir()
    else:
        assert done.returncode == 2 and "no CMake package" in done.stderr


def test_no_command_shows_help(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
