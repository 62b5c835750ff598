"""The benchmark's building blocks: checks find wrong results, figures and table are right."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # bench is run from the repository root and never installed

from bench import __main__ as cli  # noqa: E402
from bench import compare, measure, picture, report, runner, systems, worker  # noqa: E402
from bench.checks import (  # noqa: E402
    CheckFailed,
    complex_step,
    projected,
    relative_error,
    require_close,
    slope,
)
from bench.results import Measurement, Run  # noqa: E402
from bench.rows import rows_for  # noqa: E402
from bench.rows.base import Target, power_text  # noqa: E402
from bench.rows.gradient import GradientRow  # noqa: E402
from bench.rows.prepared import PreparedRow  # noqa: E402
from bench.rows.scaling import SPEEDUP, ThreadsRow  # noqa: E402
from bench.systems.limit import SOURCES, Limit  # noqa: E402
from bench.systems.tapegrad import Tapegrad  # noqa: E402
from bench.workloads import MLP, ROSENBROCK, WORKLOADS  # noqa: E402


class Analytic(systems.System):
    """Rosenbrock's derivatives by hand, multiplied by `gradient_factor` and `hvp_factor`."""

    name = "python"
    title = "analytic"
    module = distribution = "numpy"
    gradient_factor = 1.0
    hvp_factor = 1.0

    def __init__(self):
        self.np = np

    def gradient(self, function, params):
        (x,) = params
        return lambda: (function(x), self.gradient_factor * ROSENBROCK.gradient(x)[0])

    def hvp(self, function, params, tangents):
        (product,) = complex_step(ROSENBROCK.gradient, params, tangents)
        return lambda: self.hvp_factor * product


class WrongGradient(Analytic):
    gradient_factor = 1.001


class WrongInOnePlace(Analytic):
    gradient_factor = 1.0 + 1e-3 * np.eye(3)[1]


class WrongHvp(Analytic):
    hvp_factor = 1.001


ROW = GradientRow(ROSENBROCK, 3)
CLOSED_FORMS = {name: w for name, w in WORKLOADS.items() if w.gradient is not None}
# Rosenbrock as a workload whose derivatives are checked by projections.
PROJECTED = GradientRow(dataclasses.replace(ROSENBROCK, gradient=None), 3)


class TestChecks:
    @pytest.mark.parametrize("row", [ROW, PROJECTED])
    def test_right_result_passes(self, row):
        found = row.measure(Analytic(), measure.SMOKE)
        assert {"time", "HVP / gradient"} <= {m.metric for m in found}

    @pytest.mark.parametrize(
        ("system", "text"),
        [(WrongGradient, "gradient"), (WrongInOnePlace, "gradient"), (WrongHvp, "Hessian")],
    )
    @pytest.mark.parametrize("row", [ROW, PROJECTED])
    def test_error_of_one_in_a_thousand_is_found(self, row, system, text):
        with pytest.raises(CheckFailed, match=f"rosenbrock: {text}"):
            row.measure(system(), measure.SMOKE)

    def test_relative_error(self):
        assert relative_error([1.0, 2.0], [1.0, 2.0]) == 0.0
        assert relative_error([], []) == 0.0
        assert relative_error([1.0, np.nan], [1.0, 2.0]) == np.inf
        assert relative_error([1.0], [1.0, 2.0]) == np.inf
        assert relative_error([0.0, 1e-3], [0.0, 0.0]) == 1e-3

    def test_a_missing_gradient_is_found(self):
        with pytest.raises(CheckFailed, match="1 results where 2"):
            require_close("f", [1.0], [1.0, 2.0], 1e-9)


class TestWorkloads:
    @pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
    def test_independent_gradient_is_the_functions(self, workload):
        instance, step = workload.make(workload.small), 1e-6
        direction = instance.tangents()

        def value(sign):
            moved = [p + sign * step * d for p, d in zip(instance.params, direction, strict=True)]
            return workload.function(np, *moved, *instance.data)

        def function(*params):
            return workload.function(np, *params, *instance.data)

        if workload.gradient is None:
            computed = slope(function, instance.params, direction)
        else:
            gradient = workload.gradient(*instance.params, *instance.data)
            computed = projected(gradient, direction)
        assert computed == pytest.approx((value(1) - value(-1)) / (2 * step), rel=1e-7, abs=1e-8)

    @pytest.mark.parametrize("workload", CLOSED_FORMS.values(), ids=CLOSED_FORMS)
    def test_complex_step_is_the_gradients_derivative(self, workload):
        instance, step = workload.make(workload.small), 1e-6
        direction = instance.tangents()

        def gradient(*params):
            return workload.gradient(*params, *instance.data)

        product = complex_step(gradient, instance.params, direction)
        ahead, behind = (
            gradient(*(p + s * d for p, d in zip(instance.params, direction, strict=True)))
            for s in (step, -step)
        )
        for p, a, b in zip(product, ahead, behind, strict=True):
            np.testing.assert_allclose(p, (a - b) / (2 * step), rtol=1e-6, atol=1e-7)

    def test_mlp_has_a_gradient_for_each_parameter(self):
        instance = MLP.make(4)
        gradients = MLP.gradient(*instance.params, *instance.data)
        assert [g.shape for g in gradients] == [p.shape for p in instance.params]


class TestTapegrad:
    @pytest.mark.parametrize("name", rows_for(measure.SMOKE))
    def test_every_row_is_right(self, name):
        pytest.importorskip("tapegrad")
        row = rows_for(measure.SMOKE)[name]
        found = row.measure(Tapegrad(), measure.SMOKE)
        assert found and {m.metric for m in found} <= set(row.targets)


@pytest.mark.skipif(not Limit.installed(), reason="no C compiler")
class TestLimit:
    @pytest.mark.parametrize("name", sorted(file.stem for file in SOURCES.glob("*.c")))
    def test_the_adjoint_by_hand_is_right(self, name):
        workload = WORKLOADS[name]
        for size in (workload.small, workload.small + 3):
            found = PreparedRow(workload, size).measure(Limit(), measure.SMOKE)
            assert {"first call", "gradient"} <= {m.metric for m in found}


class TestSelection:
    def test_a_whole_name_is_that_row_and_a_part_is_all_that_hold_it(self):
        rows = rows_for(measure.FULL)
        assert list(cli._chosen_rows(rows, ["rosenbrock-4"])) == ["rosenbrock-4"]
        assert len(cli._chosen_rows(rows, ["rosenbrock"])) > 5


class TestMeasure:
    def test_times_are_those_of_one_call(self):
        times = measure.time_together(
            {"a": lambda: None, "b": lambda: sum(range(2000))}, measure.SMOKE
        )
        assert 0.0 < times["a"] < times["b"] < 1e-2

    def test_peak_memory_sees_an_array(self):
        # In a process of its own, as the rows are: memory that other tests freed would hide it.
        code = (
            "import numpy as np; from bench import measure; memory = measure.PeakMemory()\n"
            "np.ones(4_000_000).sum(); print(memory.bytes())"
        )
        command = [sys.executable, "-c", code]
        child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert int(child.stdout) > 16_000_000 or sys.platform != "linux"

    def test_threads_are_limited(self):
        environment = worker.thread_environment(1)
        assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"


class TestCommandLine:
    def test_smoke_in_child_processes(self, tmp_path):
        file = tmp_path / "new" / "run.json"
        arguments = [
            "--smoke",
            "--only",
            "rosenbrock-4",
            "--systems",
            "python",
            "--json",
            str(file),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "Rosenbrock, n = 4" in done.stdout
        (only,) = json.loads(file.read_text())["measurements"]
        assert only["system"] == "python" and only["value"] > 0.0

    def test_a_wrong_system_is_an_error(self, monkeypatch, capsys):
        def in_this_process(row, system, settings):
            task = {"row": row, "system": system, "effort": "smoke", "threads": settings.threads}
            return runner.Failure(row, system, worker.perform(task)["failure"])

        monkeypatch.setitem(systems.SYSTEMS, "python", WrongGradient)
        monkeypatch.setattr(runner, "_run_child", in_this_process)
        assert cli.main(["--smoke", "--only", "rosenbrock-4", "--systems", "python"]) == 1
        assert "python: wrong result, not timed: rosenbrock: gradient" in capsys.readouterr().err

    def test_a_dead_process_is_an_error(self, monkeypatch):
        monkeypatch.setattr(runner.sys, "executable", "false")
        settings = runner.Settings(measure.SMOKE, threads=1, timeout=60.0)
        failure = runner._run_child("rosenbrock-4", "python", settings)
        assert "ended with status 1" in failure.reason

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["--only", "nothing"], "no row matches 'nothing'"),
            (["--systems", "nobody"], "no system is called 'nobody'"),
        ],
    )
    def test_unknown_names(self, arguments, text, capsys):
        assert cli.main(["--smoke", *arguments]) == 2
        assert text in capsys.readouterr().err

    def test_missing_tapegrad_is_said(self, monkeypatch, capsys):
        monkeypatch.setattr(Tapegrad, "installed", classmethod(lambda cls: False))
        assert cli.main(["--smoke"]) == 2
        assert "not installed: tapegrad; install it with pip install ." in capsys.readouterr().err

    def test_missing_peer_is_left_out(self, monkeypatch, capsys):
        monkeypatch.setattr(systems.SYSTEMS["xad"], "installed", classmethod(lambda cls: False))
        monkeypatch.setattr(Tapegrad, "installed", classmethod(lambda cls: True))
        chosen = [s.name for s in cli._chosen_systems(None)]
        assert "tapegrad" in chosen and "xad" not in chosen
        assert "xad is not installed" in capsys.readouterr().err


def _run(tapegrad, torch):
    return Run(
        machine={"commit": "abc"},
        settings={"effort": "full", "threads": 1},
        measurements=[
            Measurement("rosenbrock-4", "time", "tapegrad", tapegrad, "s"),
            Measurement("rosenbrock-4", "time", "torch", torch, "s", "a note"),
        ],
    )


class Counted(ThreadsRow):
    """Answers without a child process: a second thread brings 1.5."""

    def answer(self, system, settings):
        seconds = 3.0 / (1.0 + 0.5 * (settings.threads - 1))
        metric = f"{settings.threads} thread{'s' * (settings.threads > 1)}"
        return [Measurement(self.name, metric, system, seconds, "s")]


class TestThreads:
    def test_each_count_has_its_process_and_the_ratio_is_added(self, monkeypatch):
        row = Counted(ROSENBROCK, 3)
        monkeypatch.setattr(runner, "_run_child", lambda name, s, settings: row.answer(s, settings))
        run = Run({}, {})
        settings = runner.Settings(measure.SMOKE, threads=1, timeout=60.0)
        runner.run_rows([row], [Tapegrad], settings, run, lambda line: None)
        found = {m.metric: m.value for m in run.measurements}
        assert found == {"1 thread": 3.0, "2 threads": 2.0, SPEEDUP: pytest.approx(2 / 3)}


class TestPicture:
    @staticmethod
    def _drawn(rows, path):
        run = Run({"processor": "a processor"}, {"effort": "full", "threads": 1})
        for row in rows:
            for metric in ("gradient", *row.targets):
                for number, system in enumerate(("tapegrad", "torch"), 1):
                    run.measurements.append(Measurement(row.name, metric, system, number, "s"))
        picture.save(run, {row.name: row for row in rows}, path)

    def test_prepared_and_scaling_rows_are_drawn(self, tmp_path):
        pytest.importorskip("matplotlib")
        file = tmp_path / "run.png"
        self._drawn(rows_for(measure.FULL).values(), file)
        assert file.read_bytes().startswith(b"\x89PNG")

    def test_nothing_to_draw_is_said(self, tmp_path):
        pytest.importorskip("matplotlib")
        with pytest.raises(ValueError, match="nothing to draw"):
            self._drawn([ROW], tmp_path / "run.png")


class TestReport:
    def test_ratios_targets_and_notes(self):
        table = report.build(_run(10e-6, 42e-6), rows_for(measure.FULL))
        ((line,),) = [section.lines for section in table.sections]
        assert line == ["time", "10 us", "42 us (4.2x) [1]", "<= torch: met"]
        assert table.notes == ["a note"]
        assert "[1] a note" in report.text(table)
        assert "| time | 10 us |" in report.markdown(table, _run(10e-6, 42e-6))

    def test_missed_target(self):
        table = report.build(_run(50e-6, 42e-6), rows_for(measure.FULL))
        assert table.sections[0].lines[0][-1] == "<= torch: MISSED"

    @pytest.mark.parametrize(
        ("value", "unit", "text"),
        [
            (22e-9, "s/op", "22 ns/op"),
            (1.5, "s", "1.5 s"),
            (48.0, "B/op", "48 B/op"),
            (123e6, "B", "123 MB"),
            (2.04, "x", "2.04 x"),
            (1638.4, "B/op", "1638 B/op"),
        ],
    )
    def test_quantities(self, value, unit, text):
        assert report.quantity(value, unit) == text

    def test_target_needs_every_limit(self):
        target = Target(at_most=1.0, peers=("torch", "xad"))
        assert target.met({"tapegrad": 0.5, "torch": 0.6})
        assert not target.met({"tapegrad": 0.5, "torch": 0.6, "xad": 0.4})
        assert not target.met({"tapegrad": 1.5, "torch": 2.0})
        assert Target(times={"limit": 2.5}).met({"tapegrad": 2.0, "limit": 1.0})
        assert not Target(times={"limit": 2.5}).met({"tapegrad": 3.0, "limit": 1.0})

    def test_sizes(self):
        assert [power_text(n) for n in (256, 12_345, 20_000, 10**7)] == [
            "256",
            "12345",
            "2e4",
            "1e7",
        ]


class TestCompare:
    def _save(self, folder, **runs):
        for name, run in runs.items():
            run.save(folder / name)
        return [str(folder / name) for name in runs]

    def test_growth_is_shown_and_can_fail(self, tmp_path, capsys):
        files = self._save(tmp_path, a=_run(10e-6, 42e-6), b=_run(20e-6, 42e-6))
        assert compare.main(files) == 0
        out = capsys.readouterr().out
        assert "tapegrad slower or larger:\n  rosenbrock-4: time 2.00x" in out
        assert "1 of 2 figures moved" in out
        assert compare.main([*files, "--fail-above", "1.5"]) == 1
        assert compare.main([*reversed(files), "--fail-above", "1.5"]) == 0

    def test_a_run_survives_its_file(self, tmp_path):
        (file,) = self._save(tmp_path, a=_run(1.0, 2.0))
        assert Run.load(Path(file)) == _run(1.0, 2.0)

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"schema": 99}'])
    def test_a_file_that_is_no_run(self, tmp_path, capsys, content):
        bad = tmp_path / "bad.json"
        bad.write_text(content)
        assert compare.main([str(bad), str(bad)]) == 2
        assert "bad.json" in capsys.readouterr().out
