"""Programs as files and in other processes: the same to the last bit, and whatever is no such file
raises ValueError."""

import contextlib
import dataclasses
import multiprocessing
import operator
import pickle
import random
import struct
import subprocess
import sys
from collections import OrderedDict, namedtuple
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_random_programs import SETTINGS, programs

import tapegrad as tg
from tapegrad import _core
from tapegrad.program import encoding, saving

X = np.array([0.3, -1.2, 2.5])
SECONDS_FOR_A_PROCESS = 120
Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass(frozen=True)
class Model:
    weight: object
    bias: object
    name: str = dataclasses.field(default="m", metadata={"static": True})


class Colour(Enum):
    red = 1


def energy(x, p):
    """Branches, indices, a product and constants."""
    y = np.sin(x) * p["w"]
    if y[0] > 0.1:
        y = y + x[::-1]
    z = np.concatenate([y, np.cumsum(x)])[np.array([0, 2, 4])]
    return np.sum(np.exp(-z) @ (np.arange(9.0).reshape(3, 3) / 7).T) + np.linalg.det(
        np.outer(x, x) + np.eye(3)
    )


def saved(f):
    """Through the bytes of a file."""
    data, _ = saving.to_bytes(f)
    made = saving.from_bytes(data)
    assert saving.to_bytes(made)[0] == data
    return made


def recorded():
    return tg.record(energy, X, params={"w": np.array([1.0, 2.0, 3.0])})


@pytest.fixture
def program():
    return recorded()


def same(a, b):
    assert type(a) is type(b)
    assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_everything_is_equal_to_the_last_bit(program, tmp_path):
    program.save(tmp_path / "p.tg")
    loaded = tg.Program.load(tmp_path / "p.tg")
    v = np.array([1.0, -0.5, 0.25])
    same(loaded(X), program(X))
    same(loaded.grad(X), program.grad(X))
    same(loaded.hvp(X, v), program.hvp(X, v))
    same(loaded.hessian(X), program.hessian(X))
    same(loaded.jvp((X,), (v,))[1], program.jvp((X,), (v,))[1])
    same(tg.grad(loaded)(X), tg.grad(program)(X))
    other = {"w": np.array([3.0, 0.5, 1.0])}
    same(loaded(X, params=other), program(X, params=other))
    assert loaded.__name__ == program.traces.name and "Branches" in loaded.__doc__
    assert [p.name for p in tmp_path.iterdir()] == ["p.tg"]


def test_the_file_is_deterministic(program, tmp_path):
    again = recorded()
    assert saving.to_bytes(program)[0] == saving.to_bytes(again)[0]
    program.grad(X)  # programs made since are no part of it
    assert saving.to_bytes(program)[0] == saving.to_bytes(again)[0]


def test_a_function_keeps_its_traces(tmp_path):
    def f(x, n, kind="a"):
        return x**n if kind == "a" else x * np.max(x)

    F = tg.function(f)
    calls = [((2.0, 2), {}), ((X, 3), {}), ((X, 3), {"kind": "b"}), ((np.float32(2), 2), {})]
    expected = [F(*args, **kwargs) for args, kwargs in calls]
    F.save(tmp_path / "f")
    loaded = tg.Function.load(tmp_path / "f")
    for (args, kwargs), value in zip(calls, expected, strict=True):
        same(loaded(*args, **kwargs), value)
    assert loaded.stats()["traces"] == 4
    with pytest.raises(ValueError, match=r"came from a file or from pickle.*no program for arg"):
        loaded(np.ones(7), 3)
    with pytest.raises(ValueError, match="no program for arguments"):
        loaded(2.0, 5)
    with pytest.raises(ValueError, match=r"holds a tapegrad\.function, not a program"):
        tg.Program.load(tmp_path / "f")


def test_branches_that_were_not_saved_say_so():
    F = tg.function(lambda x: x * 2.0 if x > 0 else -x)
    F(1.0)
    loaded = saved(F)
    assert loaded(3.0) == 6.0
    with pytest.raises(tg.BranchError, match=r"another branch at .*test_saving\.py:\d+"):
        loaded(-3.0)
    F(-1.0)
    assert saved(F)(-3.0) == 3.0


def test_other_shapes_than_the_example_raise(program):
    with pytest.raises(ValueError, match="was recorded for arguments of other containers, shapes"):
        saved(program)(np.ones(4))


def test_containers_come_back():
    def f(model, pair, more):
        y = model.weight @ pair.first + model.bias
        return {"y": y, "rest": [None, (y * 2, "text", 3)], "o": OrderedDict(a=pair.second), "n": 7}

    args = (Model(np.eye(3), X), Pair(X, 2.0), [{"k": (1.5,)}])
    F = tg.function(f)
    expected, found = F(*args), saved(F)(*args)
    assert list(found) == list(expected) and type(found["o"]) is OrderedDict and found["n"] == 7
    same(found["y"], expected["y"])
    same(found["rest"][1][0], expected["rest"][1][0])
    assert found["rest"][0] is None and found["rest"][1][1:] == ("text", 3)


def test_results_are_put_into_classes():
    F = tg.function(lambda x: (Pair(x, x * 2), Model(x, 1.0, "n")))
    F(X)
    pair, model = saved(F)(X)
    assert type(pair) is Pair and type(model) is Model and model.name == "n" and model.bias == 1.0


def test_classes_are_given_or_imported_already():
    @dataclasses.dataclass
    class Local:
        x: object

    F = tg.function(lambda t: t.x * 2)
    F(Local(1.0))
    data, _ = saving.to_bytes(F)
    with pytest.raises(ValueError, match=r"Local.*has not been imported.*types=\[Local\]"):
        saving.from_bytes(data)
    assert saving.from_bytes(data, [Local])(Local(4.0)) == 8.0


def test_registered_containers_are_not_built_by_loading():
    built = []

    class Own:
        def __init__(self, x):
            self.x = x

    def unflatten(static, children):
        built.append(children)
        return Own(*children)

    tg.register_pytree(Own, lambda o: ((o.x,), None), unflatten)
    P = tg.record(lambda x, p: Own(x * p.x), 2.0, params=Own(3.0))
    data, _ = saving.to_bytes(P)
    built.clear()
    loaded = saving.from_bytes(data, [Own])
    assert not built
    assert loaded(2.0).x == 6.0


def test_functions_and_enums_as_static_arguments():
    F = tg.function(lambda x, g, c: g(x), static_argnums=(1, 2))
    assert F(2.0, np.square, Colour.red) == saved(F)(2.0, np.square, Colour.red) == 4.0
    F = tg.function(lambda x, g: g(x), static_argnums=1)
    F(2.0, lambda x: x)
    with pytest.raises(ValueError, match="cannot be saved: a lambda has no name"):
        saving.to_bytes(F)


def test_what_has_no_form_is_named():
    F = tg.function(lambda x, s: x, static_argnums=1)
    with pytest.raises(ValueError, match="has not been called"):
        saving.to_bytes(F)
    F(1.0, object)
    saved(F)
    F(1.0, {1, 2}.__len__)
    with pytest.raises(ValueError, match=r"no form in a file|cannot be saved"):
        saving.to_bytes(F)


def test_within_another_recording(program):
    loaded = saved(program)
    same(tg.grad(lambda x: loaded(x) ** 2)(X), tg.grad(lambda x: program(x) ** 2)(X))
    same(tg.hessian(lambda x: loaded(x * 1.5))(X), tg.hessian(lambda x: program(x * 1.5))(X))
    outer = tg.function(lambda x: loaded(x) * 2.0)
    same(outer(X), program(X) * 2.0)
    # Its guards are guards of the outer program.
    F = tg.function(lambda x: x * 2.0 if x > 0 else -x)
    F(1.0), F(-1.0)
    inner = saved(F)
    outer = tg.function(lambda x: inner(x) + 1.0)
    assert outer(2.0) == 5.0 and outer(-2.0) == 3.0 and outer(3.0) == 7.0


def test_copies_are_the_function_itself(program):
    import copy

    assert copy.copy(program) is program and copy.deepcopy([program])[0] is program


@pytest.mark.filterwarnings("ignore")
@given(programs, st.integers(0, 1000))
@settings(SETTINGS, max_examples=100)
def test_random_programs(program, seed):
    rng = np.random.default_rng(seed)
    point = rng.uniform(-1, 1, 4), rng.uniform(-1, 1, (2, 3))
    F = tg.function(program)
    value = F(*point)
    loaded = saved(F)
    same(loaded(*point), value)
    same(tg.grad(loaded)(*point), tg.grad(F)(*point))


# ---- other processes


def test_pickle_and_spawn(program):
    again = pickle.loads(pickle.dumps(program))
    same(again(X), program(X))
    context = multiprocessing.get_context("spawn")
    # Functions of the standard library: a worker may be unable to import this module, and a pool
    # replaces workers that cannot read their task without end.
    with context.Pool(1) as pool:
        value = pool.apply_async(operator.call, (program, X))
        gradient = pool.apply_async(operator.methodcaller("grad", X), (program,))
        same(value.get(SECONDS_FOR_A_PROCESS), program(X))
        same(gradient.get(SECONDS_FOR_A_PROCESS), program.grad(X))


def test_pickle_finds_classes_by_itself():
    F = tg.function(lambda m: m.weight * 2)
    F(Model(2.0, 1.0))
    # The folder this module is imported from, whatever the working directory is.
    path = [str(Path(__file__).parents[__name__.count(".")]), *sys.path]
    code = "import pickle; F, m = pickle.loads(bytes.fromhex(sys.stdin.read()));print(F(m))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path = {path!r}; {code}"],
        input=pickle.dumps((F, Model(3.0, 1.0))).hex(),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "6.0", done.stderr


def test_a_fresh_process_gives_the_same_bits(program, tmp_path):
    path = tmp_path / "p.tg"
    program.save(path)
    code = (
        f"import sys; sys.path = {sys.path!r}; import numpy as np, tapegrad as tg;"
        f"P = tg.Program.load({str(path)!r}); x = np.array({X.tolist()});"
        "print(P(x).hex(), P.grad(x).tobytes().hex(), P.hessian(x).tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    expected = program(X).hex(), program.grad(X).tobytes().hex(), program.hessian(X).tobytes().hex()
    assert tuple(done.stdout.split()) == expected, done.stderr


def test_files_of_the_first_format_are_read():
    """Written by tapegrad 0.1.0; what this test reads, every later version must."""
    P = tg.Program.load(Path(__file__).parent / "data" / "format-1.tg")
    for x, total in (([1.0, 2.0], 4.394748067337996), ([4.0, 2.0], 4.101970612341232)):
        found = P(np.array(x))
        assert found["note"] == "kept" and found["total"] == pytest.approx(total, rel=1e-12)
    assert P.__doc__.startswith("Has a branch") and P.stats()["guards"] == 2
    with pytest.raises(ValueError, match="recorded for arguments of other"):
        P(np.ones(3))


# ---- files that are none


def repaired(data):
    """With a checksum that fits."""
    body = data[saving.HEADER.size :]
    return data[: saving.HEADER.size - 8] + struct.pack("<Q", _core.checksum(body)) + body


def test_loading_names_the_path_and_the_fault(program, tmp_path):
    data, _ = saving.to_bytes(program)
    path = tmp_path / "p.tg"
    faults = {
        b"": "this is no tapegrad program",
        b"\x89PNG" + data[4:]: "this is no tapegrad program",
        data[:-3]: "corrupt: it has",
        data[:200] + b"?" + data[201:]: "its checksum",
        data[:8] + b"\x07" + data[9:]: r"format 7, written by tapegrad .* or newer is needed",
    }
    for content, fault in faults.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"p\.tg: .*{fault}"):
            tg.Program.load(path)
    with pytest.raises(FileNotFoundError):
        tg.Program.load(tmp_path / "none")


def test_loading_imports_and_runs_nothing(program):
    data, _ = saving.to_bytes(program)
    before = set(sys.modules)
    for name in (b"os\0\0", b"this"):
        with pytest.raises(ValueError):
            saving.from_bytes(repaired(data.replace(b"dict", name)))
    assert set(sys.modules) == before


def test_fuzz_every_change_is_noticed(program):
    data, _ = saving.to_bytes(program)
    source = random.Random(1)
    for _ in range(3000):
        bad = bytearray(data)
        for _ in range(source.randint(1, 4)):
            bad[source.randrange(len(bad))] ^= 1 << source.randrange(8)
        if source.random() < 0.2:
            del bad[source.randrange(len(bad)) :]
        if bytes(bad) == data:
            continue
        try:
            made = saving.from_bytes(bytes(bad))
        except ValueError:
            continue
        # The version of the writer is outside the checksum.
        assert saving.to_bytes(made)[0] == data


def test_fuzz_with_checksums_put_right(program):
    """What the checks behind the checksum let through can be used; nothing else than ValueError."""
    data, _ = saving.to_bytes(program)
    source = random.Random(2)
    loaded = 0
    for _ in range(4000):
        bad = bytearray(data)
        for _ in range(source.randint(1, 3)):
            at = source.randrange(saving.HEADER.size, len(bad))
            bad[at] = source.choice((0, 255, bad[at] ^ 1, source.randrange(256)))
        try:
            made = saving.from_bytes(repaired(bytes(bad)))
        except ValueError:
            continue
        loaded += 1
        assert isinstance(made, tg.Function)
    assert loaded < 4000


def test_fuzz_of_values():
    value = (
        None, True, ..., 3, -(2**70), 1.5, 2j, "text", b"bytes", [1, (2,)], {"a": X, 3: "b"},
        frozenset({1, "x"}), slice(1, None), range(3), np.float32(2), np.ones((2, 0)), Pair(1, 2),
        Model(1, 2), Colour.red, np.sin, energy, Pair, np.eye(2).T, np.array([True]),
    )  # fmt: skip
    data, named = encoding.encode(value)
    assert encoding.encode(encoding.decode(data))[0] == data
    assert Pair in named and Colour in named and np.sin in named
    source = random.Random(3)
    for _ in range(20000):
        bad = bytearray(data)
        at = source.randrange(len(bad))
        bad[at] = source.choice((0, 255, bad[at] ^ (1 << source.randrange(8))))
        if source.random() < 0.1:
            del bad[source.randrange(len(bad)) :]
        # TypeError: a list as a key; `from_bytes` makes it a fault of the file.
        with contextlib.suppress(ValueError, TypeError):
            encoding.decode(bytes(bad))


def test_deep_nesting_is_refused():
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(ValueError, match="nested more than"):
        encoding.encode(deep)
    with pytest.raises(ValueError, match="too deep"):
        encoding.decode(b"[\1\0\0\0\0\0\0\0" * 5000 + b"N")
