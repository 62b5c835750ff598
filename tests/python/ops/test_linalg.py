"""solve, inv, det, cofactor, logabsdet and cholesky: values, derivatives, singular matrices."""

from __future__ import annotations

import numpy as np
import pytest
from ops.single_op import Recorded, check_op, recording, sample, transposed

from tapegrad import _core

SIZES = [0, 1, 2, 4]
STACKS = [(), (2,), (2, 3), (0,)]
DTYPES = ["f8", "c16"]
KINDS = {0: lambda a: a, 1: np.tril, 2: np.triu}


def regular(stack: tuple[int, ...], n: int, dtype: str = "f8") -> np.ndarray:
    return sample((*stack, n, n), dtype) + 3 * np.eye(n, dtype=dtype)


def positive(stack: tuple[int, ...], n: int, dtype: str = "f8") -> np.ndarray:
    a = sample((*stack, n, n), dtype)
    return a @ transposed(a).conj() + np.eye(n, dtype=dtype)


def hermitian_part(t: np.ndarray) -> np.ndarray:
    return (t + transposed(t).conj()) / 2


def cofactors(a: np.ndarray) -> np.ndarray:
    """By definition: signed minors."""
    c = np.empty_like(a)
    for index in np.ndindex(a.shape):
        *stack, i, j = index
        minor = np.delete(np.delete(a[tuple(stack)], i, 0), j, 1)
        c[index] = (-1) ** (i + j) * np.linalg.det(minor)
    return c


REFERENCES = {
    "inv": (np.linalg.inv, True),
    "det": (np.linalg.det, True),
    "cofactor": (cofactors, True),
    "logabsdet": (lambda a: np.linalg.slogdet(a)[1], False),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", REFERENCES)
def test_functions_of_one_matrix(name, n, stack, dtype):
    reference, holomorphic = REFERENCES[name]
    check_op(name, reference, [regular(stack, n, dtype)], holomorphic=holomorphic)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("n", SIZES)
def test_cholesky(n, stack, dtype):
    a = positive(stack, n, dtype)
    check_op("cholesky", np.linalg.cholesky, [a], holomorphic=False, project=hermitian_part)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky_reads_the_lower_triangle_and_gives_a_symmetric_adjoint(dtype):
    a = positive((), 4, dtype)
    lower = np.linalg.cholesky(a)
    np.testing.assert_allclose(_core.apply("cholesky", (np.tril(a),)), lower, rtol=1e-12)
    with recording() as tape:
        (adjoint,) = Recorded(tape, "cholesky", [a]).adjoint(sample((4, 4), dtype))
    np.testing.assert_allclose(adjoint, transposed(adjoint).conj(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("first", "second"), [("f8", "f8"), ("f8", "c16"), ("c16", "f8")])
@pytest.mark.parametrize("columns", [0, 1, 3])
@pytest.mark.parametrize(("stack", "others"), [((), ()), ((2,), (3, 1)), ((), (3,)), ((3,), ())])
def test_solve(kind, first, second, columns, stack, others):
    for n in SIZES:
        a, b = regular(stack, n, first), sample((*others, n, columns), second)
        check_op("solve", lambda a, b: np.linalg.solve(KINDS[kind](a), b), [a, b], [kind])


@pytest.mark.parametrize("kind", [1, 2])
def test_triangular_solve_ignores_the_other_triangle(kind):
    a, b = regular((), 4), sample((4, 2))
    dirty = np.where(KINDS[kind](np.ones((4, 4))) != 0, a, np.nan)
    with recording() as tape:
        op = Recorded(tape, "solve", [dirty, b], [kind])
        adjoint_a, adjoint_b = op.adjoint(np.ones((4, 2)))
    assert np.array_equal(adjoint_a, KINDS[kind](adjoint_a)) and np.isfinite(adjoint_b).all()


@pytest.mark.parametrize("dtype", ["f8", "f4", "c16"])
def test_values_in_every_layout(dtype):
    tolerance = 1e-3 if dtype == "f4" else 1e-11
    a, b = regular((3,), 20, dtype) + 5 * np.eye(20, dtype=dtype), sample((20, 2), dtype)
    h = positive((3,), 20, dtype)
    solved, factor = np.linalg.solve(a, b), np.linalg.cholesky(h)
    for view in (
        lambda x: x,
        lambda x: transposed(np.ascontiguousarray(transposed(x))),
        lambda x: np.repeat(np.repeat(x, 2, -1), 2, -2)[..., ::2, ::2],
        lambda x: np.ascontiguousarray(x[..., ::-1, ::-1])[..., ::-1, ::-1],
    ):
        x, y = view(a), view(b)
        close = {"rtol": tolerance, "atol": tolerance}
        np.testing.assert_allclose(_core.apply("solve", (x, y), (0,)), solved, **close)
        np.testing.assert_allclose(_core.apply("inv", (x,)), np.linalg.inv(a), **close)
        np.testing.assert_allclose(_core.apply("det", (x,)), np.linalg.det(a), rtol=tolerance)
        np.testing.assert_allclose(_core.apply("cholesky", (view(h),)), factor, **close)
        for kind, part in ((1, np.tril), (2, np.triu)):
            expected = np.linalg.solve(part(a), b)
            np.testing.assert_allclose(_core.apply("solve", (x, y), (kind,)), expected, **close)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_gradient_of_det_at_singular_matrices(n, dtype):
    for rank in range(n):
        a = sample((n, rank), dtype) @ sample((rank, n), dtype)
        swapped = a.copy()
        swapped[:, 0] = 0  # the zero pivot comes first
        for x in (a, swapped):
            with recording() as tape:
                (adjoint,) = Recorded(tape, "det", [x]).adjoint(np.ones((), dtype))
            np.testing.assert_allclose(adjoint, cofactors(x), rtol=1e-9, atol=1e-9)


def test_det_neither_overflows_nor_underflows_on_the_way():
    a = np.diag([1e200, 1e200, 1e-200, 1e-200, 3.0])
    assert _core.apply("det", (a,)) == pytest.approx(3.0, rel=1e-12)


def test_closed_forms():
    a = positive((), 5)
    with recording() as tape:
        (g,) = Recorded(tape, "logabsdet", [a]).adjoint(1.0)
        np.testing.assert_allclose(g, np.linalg.inv(a).T, rtol=1e-9)
        (g,) = Recorded(tape, "det", [a]).adjoint(1.0)
        np.testing.assert_allclose(g, np.linalg.det(a) * np.linalg.inv(a).T, rtol=1e-9)
        # sum of the squares of L is the trace of A
        begin, x = tape.mark(), tape.input(a)
        lower = _core.apply("cholesky", (x,))
        (g,) = tape.adjoint([lower], [2 * np.linalg.cholesky(a)], [x], begin)
        np.testing.assert_allclose(g, np.eye(5), rtol=1e-9, atol=1e-9)


def test_float32_stays_float32():
    a = positive((), 3, "f4")
    b = sample((3, 2), "f4")
    for name, xs, attrs in [
        ("solve", [a, b], (0,)),
        ("solve", [a, b], (1,)),
        *((name, [a], ()) for name in ("inv", "det", "cofactor", "logabsdet", "cholesky")),
    ]:
        with recording() as tape:
            op = Recorded(tape, name, xs, attrs)
            g = np.ones(np.shape(_core.apply(name, tuple(xs), attrs)), "f4")
            assert op.tangent(xs).dtype == np.float32, name
            for x in (*op.adjoint(g), *op.second_order(g, xs)[2]):
                assert x.dtype == np.float32, name


def test_singular_matrices_raise_as_in_numpy():
    zeros, ones = np.zeros((2, 3, 3)), np.ones((3, 1))
    for name, operands, attrs in [
        ("inv", (zeros,), ()),
        ("solve", (zeros, ones), (0,)),
        ("solve", (zeros, ones), (1,)),
    ]:
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            _core.apply(name, operands, attrs)
    with pytest.raises(np.linalg.LinAlgError, match="Matrix is not positive definite"):
        _core.apply("cholesky", (-np.eye(3),))
    assert _core.apply("logabsdet", (zeros[0],)) == -np.inf
    assert _core.apply("det", (zeros[0],)) == 0


def det_expanded(a):
    """det by the first row: a polynomial, so complex steps and differences are exact."""
    n = a.shape[-1]
    if n == 0:
        return a.dtype.type(1)
    minors = (np.delete(np.delete(a, 0, 0), j, 1) for j in range(n))
    return sum((-1) ** j * a[0, j] * det_expanded(m) for j, m in enumerate(minors))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_second_derivative_of_det_at_singular_matrices(n, dtype):
    for rank in range(n + 1):
        a = sample((n, rank), dtype) @ sample((rank, n), dtype)
        e, t = sample((n, n), dtype), sample((n, n), dtype)
        # The coefficient of s t of a polynomial in both, by points on the unit circle.
        roots = np.exp(2j * np.pi * np.arange(n + 1) / (n + 1))
        mixed = np.mean([[det_expanded(a + s * e + r * t) / (s * r) for r in roots] for s in roots])
        found = np.sum(_core.apply("cofactor_derivative", (a, e)) * t)
        np.testing.assert_allclose(found, mixed, rtol=1e-10, atol=1e-10)
        with recording() as tape:
            seed = np.ones((), dtype)
            *_, (product,) = Recorded(tape, "det", [a]).second_order(seed, [e])
            np.testing.assert_allclose(np.sum(product * t), mixed, rtol=1e-10, atol=1e-10)


def test_derivatives_that_do_not_exist_at_singular_matrices():
    a = np.diag([1.0, 2.0, 0.0])
    with (
        recording() as tape,
        pytest.raises(np.linalg.LinAlgError, match="Singular matrix"),
    ):
        Recorded(tape, "logabsdet", [a]).adjoint(1.0)
    with (
        recording() as tape,
        pytest.raises(np.linalg.LinAlgError, match="no third derivative"),
    ):
        Recorded(tape, "cofactor", [a]).second_order(np.eye(3), [np.eye(3)])


@pytest.mark.parametrize(
    ("name", "shapes", "message"),
    [
        ("solve", [(2, 3), (2, 1)], r"last two axes of shape \(2, 3\) must be square"),
        ("solve", [(3, 3), (4, 1)], r"\(3, 3\) .* \(4, 1\) do not fit: it needs 3 rows"),
        ("solve", [(2, 3, 3), (4, 3, 1)], "leading axes .* do not broadcast"),
        ("inv", [(2, 3)], r"inv: .* \(2, 3\) must be square"),
        ("det", [(3,)], r"det: .* \(3,\) must be square"),
        ("cholesky", [()], r"cholesky: .* must be square"),
    ],
)
def test_shapes_that_do_not_fit(name, shapes, message):
    with pytest.raises(ValueError, match=message):
        _core.apply(name, tuple(np.ones(s) for s in shapes), (0,) if name == "solve" else ())
