"""The named chores: `nox -s tests`, `lint`, `bench`, `docs`. Each makes its own environment."""

import nox

nox.options.sessions = ["lint", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True
nox.options.default_venv_backend = "venv"

PYTHONS = ["3.11", "3.12", "3.13"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The Python tests against an installed package; arguments go to pytest."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", *(session.posargs or ["tests/python"]))


@nox.session
@nox.parametrize("preset", ["dev", "asan+ubsan", "tsan"])
def tests_cpp(session: nox.Session, preset: str) -> None:
    """The C++ tests, plain and under the sanitizers; needs GoogleTest."""
    session.install("cmake>=3.25", "ninja")
    session.run("cmake", "--preset", preset, "-DTAPEGRAD_BUILD_PYTHON=OFF")
    session.run("cmake", "--build", "--preset", preset)
    session.run("ctest", "--preset", preset)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, types, the layer order, stubs and coverage page."""
    session.install(".[dev]")
    session.run("pre-commit", "run", "--all-files")
    session.run("mypy")
    session.run("python", "tools/generate_stubs.py", "--check")
    session.run("python", "tools/generate_coverage.py", "--check")


@nox.session
def tidy(session: nox.Session) -> None:
    """clang-tidy, by building the core through it."""
    session.install("cmake>=3.25", "ninja")
    session.run("cmake", "--preset", "tidy")
    session.run("cmake", "--build", "--preset", "tidy")


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks beside every peer; arguments go to `python -m bench`."""
    session.install(".[bench,demo]")
    session.run("python", "-m", "bench", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Runs what README.md and docs/ show."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", "tests/python/test_readme.py")
