"""Statements that random programs are made of: NumPy code with places for operands.

`{y}` is the new value. `{A}`: any real value; `{B}`: one that broadcasts with it; `{D}`: one of its
shape; `{V}`, `{W}`: one axis and the same length; `{M}`, `{N}`: matrices that can be multiplied;
`{Q}`: a square one; `{C}`: complex; `{ax}`: an axis of the main operand; `{k}`: a small integer;
`{c}`: a number. Functions are kept inside their domains and away from their poles, not from their
kinks.
"""

from __future__ import annotations

STEPS: dict[str, str] = {
    "elementwise": """
        {y} = np.sin({A}) * {B}
        {y} = {A} + {B}
        {y} = {A} - 2 * {B}
        {y} = {A} * {B} - {c}
        {y} = {A} / (1.5 + np.cos({B}))
        {y} = {c} / (2.0 + {A} * {A})
        {y} = -{A}
        {y} = np.exp(np.sin({A}))
        {y} = np.expm1(0.3 * np.cos({A}))
        {y} = np.log(1.0 + {A} ** 2)
        {y} = np.log1p({A} * {A})
        {y} = np.log2(2 + np.sin({A})) + np.log10(3 + np.cos({A}))
        {y} = np.sqrt(0.5 + {A} ** 2)
        {y} = np.cbrt(1.5 + np.sin({A}))
        {y} = np.tanh({A}) + np.arctan({B})
        {y} = np.arcsin(0.9 * np.sin({A})) + np.arccos(0.8 * np.cos({A}))
        {y} = np.arctan2({A}, 1.3 + np.cos({B}))
        {y} = np.hypot({A}, 1.0 + {B} ** 2)
        {y} = np.logaddexp({A}, {B})
        {y} = np.logaddexp2({A}, {B})
        {y} = np.sinh(np.sin({A})) - np.cosh(np.cos({A}))
        {y} = np.arcsinh({A}) + np.arccosh(2.0 + np.sin({A})) + np.arctanh(0.7 * np.cos({A}))
        {y} = (1.5 + np.sin({A})) ** {B}
        {y} = np.power(1.2 + np.cos({A}), {c})
        {y} = np.sin({A}) ** {k}
        {y} = {k} ** np.sin({A})
        {y} = np.float_power(2.0 + np.sin({A}), 2)
        {y} = np.square({A}) - np.reciprocal(2.0 + np.sin({B}))
        {y} = np.exp2(np.sin({A})) + np.deg2rad({B}) + np.rad2deg(0.01 * {A})
        {y} = np.maximum({A}, {B}) + np.minimum({A}, 0.3)
        {y} = np.fmax({A}, {c}) - np.fmin({B}, {A})
        {y} = abs({A}) + np.fabs({B} - 0.2)
        {y} = np.clip({A}, -0.4, 0.9)
        {y} = np.copysign({A}, {B} + 0.123)
        {y} = np.remainder({A}, 0.7) + np.fmod({B}, 1.1)
        {y} = np.divmod({A}, 1.3)[1] + np.modf({B})[0]
        {y} = np.floor({A}) * {B} + np.rint({B}) + np.sign({A}) * np.trunc({B} + 0.5)
        {y} = np.sinc({A}) + np.i0(0.3 * {B})
        {y} = np.ldexp(np.sin({A}), {k})
        {y} = np.nan_to_num({A}) * np.heaviside({B}, 0.5)
        {y} = special.expit({A}) + special.erf({B})
        {y} = special.xlogy(1.5 + np.sin({A}), 2.0 + np.cos({B}))
        {y} = special.entr(1.2 + np.sin({A})) + special.log_expit({B})
        {y} = special.gammaln(2.0 + np.sin({A})) + special.digamma(3.0 + np.cos({B}))
        {y} = special.j0({A}) + special.ndtr({B})
        {y} = np.unwrap(3.0 * np.sort(np.reshape({A}, -1)))
    """,
    "reduction": """
        {y} = np.sum({A}, axis={ax})
        {y} = {A}.sum(axis={ax}, keepdims=True) * {A}
        {y} = np.mean({A}, axis={ax}, keepdims=True)
        {y} = np.prod(np.sin({A}), axis={ax})
        {y} = np.var({A}, axis={ax}) + {A}.mean()
        {y} = np.std({A} + np.reshape(np.arange(1.0, 1.0 + {A}.size), {A}.shape), axis={ax})
        {y} = np.max({A}, axis={ax}) - np.min({A})
        {y} = {A}.max(axis={ax}, keepdims=True) - {A}
        {y} = np.ptp({A}, axis={ax})
        {y} = np.average({A}, axis={ax}, weights=1.5 + np.sin({D}))
        {y} = np.cumsum({A}, axis={ax})
        {y} = np.cumprod(np.sin({A}), axis={ax})
        {y} = np.sum({A}, where={D} > 0.1)
        {y} = np.max({A}, initial=0.2, where={D} > -0.3)
        {y} = np.add.reduce({A}, axis={ax})
        {y} = np.logaddexp.reduce({A}, axis={ax})
        {y} = np.multiply.accumulate(np.cos({A}), axis={ax})
        {y} = np.add.reduceat({V}, [0, len({V}) - 1])
        {y} = np.diff({V}) + np.ediff1d({V})
        {y} = np.gradient({V})
        {y} = np.trapezoid({V})
        {y} = np.linalg.norm({A} + 0.1)
        {y} = np.linalg.norm({M} + 0.2, axis={ax})
        {y} = np.median({A}, axis={ax})
        {y} = np.quantile({V}, 0.3) + np.percentile({V}, [20, 70])
        {y} = np.nansum({A}, axis={ax}) + np.nanmean({A})
        {y} = np.cov({M})
        {y} = np.count_nonzero({A} > 0.2) * np.mean({A})
        {y} = {A} * np.argmax(np.reshape({D}, -1))
        {y} = np.bincount([0, 1] * (len({V}) // 2), weights={V}[: 2 * (len({V}) // 2)])
    """,
    "indexing": """
        {y} = {V}[::-1]
        {y} = {V}[1:] * {V}[:-1]
        {y} = {V}[[0, -1, 0]]
        {y} = {V}[-1]
        {y} = {V}[np.array([[0], [-1]])]
        {y} = {V}[{V} > 0.1]
        {y} = {V}[np.argsort({V})]
        {y} = {V}[int(np.argmax({V}))]
        {y} = {M}[:, 0] - {M}[:, -1]
        {y} = {M}[..., None] * {M}[0]
        {y} = {M}[[0, -1], [0, -1]]
        {y} = {M}[0, ::-1]
        {y} = {M}[{M} > 0.0]
        {y} = {M}[None, 1:]
        {y} = np.take({A}, [0, -1, 0], mode="wrap")
        {y} = np.take_along_axis({M}, np.argsort({M}, axis=1), axis=1)
        {y} = np.compress([True, False], {M}, axis=0)
        {y} = np.choose(np.array([0, 1, 0]), [{V}[:1], {V}[-1:]])
        {y} = np.select([{A} > 0.5, {A} > 0.0], [{A} ** 2, {D}], default={c})
        {y} = np.piecewise({V}, [{V} > 0.3], [np.sin, lambda t: t * t])
        {y} = np.where({A} > {B}, {A}, np.sin({B}))
        {y} = np.where({A} > 0.2, np.log(np.where({A} > 0.2, {A}, 1.0)), {B})
        {y} = np.extract({V} < 0.5, {V})
        {y} = np.interp({V}, [-1.0, 0.0, 1.0], [0.0, {c}, 1.0])
        {y} = {A}.flat[0] * {A}
        {y} = np.sort({A}, axis={ax})
        {y} = np.partition({V}, 1)
        {y} = np.unique({V})
        {y} = np.diagonal({Q}) + np.trace({Q})
        {y} = np.tril({Q}) - np.triu({Q}, 1)
        {y} = np.diag({V}) * {c}
    """,
    "shape": """
        {y} = np.reshape({A}, -1)
        {y} = {M}.T
        {y} = np.swapaxes({M}, 0, 1).copy()
        {y} = np.moveaxis(np.stack([{M}, {c} * {M}]), 0, -1)
        {y} = np.expand_dims({A}, 0)
        {y} = np.squeeze({A})
        {y} = np.atleast_2d({A})
        {y} = np.flip({A})
        {y} = np.roll({A}, {k})
        {y} = np.roll({M}, (1, -1), axis=(0, 1))
        {y} = np.rot90({M}, {k})
        {y} = np.concatenate([{V}, 2.0 * {V}])
        {y} = np.stack([{A}, {D}], axis=-1)
        {y} = np.hstack([{M}, {M}[:, :1]])
        {y} = np.vstack([{M}, {M}[::-1]])
        {y} = np.append({A}, {c})
        {y} = np.tile({V}, 2)
        {y} = np.repeat({A}, 2, axis={ax})
        {y} = np.broadcast_to({V}, (2, len({V})))
        {y} = np.array_split({V}, 2)[0]
        {y} = np.split({M}, [1], axis=1)[1]
        {y} = np.pad({V}, 1)
        {y} = np.pad({M}, ((1, 0), (0, 1)), mode="edge")
        {y} = np.pad({V}, 1, mode="reflect")
        {y} = np.insert({V}, 1, {c}) + 0.0
        {y} = np.delete({V}, 0)
        {y} = np.resize({V}, 3)
        {y} = np.meshgrid({V}[:2], {V}[-2:])[1]
        {y} = np.block([[{M}, {M}], [{M} * 2, {M}]])
        {y} = np.ravel({M}, order="F")
        {y} = np.linspace({V}[0], {V}[1], 3)
        {y} = np.full_like({A}, {c}) * {A}
        {y} = np.apply_along_axis(lambda t: t * t[0], 0, {M})
    """,
    "assignment": """
        {y} = {A} * 1.0; {y}[...] *= {c}
        {y} = {V}.copy(); {y}[::2] = {c} * {V}[0]
        {y} = {V}.copy(); {y}[-1] += {V}[0] * {V}[1]
        {y} = {V}.copy(); {y}[[0, -1]] *= np.sin({V}[0])
        {y} = {V}.copy(); {y}[{y} > 0.2] = {V}[0]
        {y} = {V}.copy(); {y} += {W}; {y}[0] = 0.0
        {y} = np.zeros_like({V}); {y}[1:] = {V}[:-1]; {y}[0] = {V}[-1] ** 2
        {y} = {M}.copy(); t = {y}[0]; t *= {M}[-1]; {y}[:, 0] -= t[0]
        {y} = {M}.copy(); {y}.T[0] = {c}; {y} *= {y}
        {y} = {M}.copy(); {y}[1:, :] = {M}[:-1, :]; {y}[0] += 1.5
        {y} = {M}.reshape(-1).reshape({M}.shape) * 2; {y}.reshape(-1)[1] = {M}[0, 0]
        {y} = {V}.copy(); np.add.at({y}, [0, 0, 1], {V}[:1])
        {y} = {V}.copy(); np.multiply({V}, {W}, out={y})
        {y} = {A} + 0; np.exp(np.sin({A}), out={y}, where={A} > 0.1)
        {y} = {Q}.copy(); np.fill_diagonal({y}, {c})
        {y} = {V}.copy(); np.put({y}, [0], {V}[1])
        {y} = {V}.copy(); {y}[np.argmax({y})] = {c}
    """,
    "product": """
        {y} = {M} @ {N}
        {y} = np.dot({M}, {N})
        {y} = np.matmul({M}.T, {M})
        {y} = np.inner({V}, {W})
        {y} = np.outer({V}, {V}[:2])
        {y} = np.vdot({V}, {W})
        {y} = {V} @ np.outer({W}, {W})
        {y} = np.tensordot({M}, {N}, 1)
        {y} = np.einsum("ij,jk->ik", {M}, {N})
        {y} = np.einsum("i,j->ji", {V}, {V})
        {y} = np.einsum("ii->i", {Q})
        {y} = np.einsum("ij->", {M})
        {y} = np.kron({V}[:2], {V}[-2:])
        {y} = np.cross({V}[:3], {V}[:3][::-1]) if len({V}) > 2 else {V}
        {y} = np.convolve({V}, {V}[:2])
        {y} = np.correlate({V}, {V}[:2])
        {y} = np.polyval({V}[:3], np.sin({W}))
        {y} = np.vander(np.sin({V}), 3)
        {y} = np.multiply.outer({V}, {V}[:2])
        {y} = np.linalg.multi_dot([{M}, {N}, {N}.T])
        {y} = np.matmul({Q}[None], np.stack([{Q}, 0.7 * {Q}.T]))
    """,
    "linalg": """
        {y} = np.linalg.solve({Q} + 4.0 * np.eye(len({Q})), {Q}[0])
        {y} = np.linalg.solve({Q} + 4.0 * np.eye(len({Q})), {Q}.T)
        {y} = np.linalg.inv({Q} + 4.0 * np.eye(len({Q})))
        {y} = np.linalg.det({Q} + 4.0 * np.eye(len({Q}))) * 0.01
        {y} = np.linalg.slogdet({Q} + 4.0 * np.eye(len({Q})))[1]
        {y} = np.linalg.cholesky({Q} @ {Q}.T + 2.0 * np.eye(len({Q})))
        {y} = np.linalg.matrix_power(0.3 * {Q}, {k})
        {y} = np.linalg.inv(np.stack([{Q}, 0.7 * {Q}.T]) + 4.0 * np.eye(len({Q})))
        {y} = np.linalg.eigvalsh({Q} + {Q}.T + np.diag(3.0 * np.arange(len({Q}))))
        {y} = np.abs(np.linalg.eigh({Q} + {Q}.T + np.diag(5.0 * np.arange(len({Q}))))[1])
        {y} = np.linalg.svd({M} + np.eye(*{M}.shape) * 2.0, compute_uv=False)
        {y} = np.abs(np.linalg.qr({Q} + 4.0 * np.eye(len({Q})))[1])
        {y} = np.linalg.pinv({M} + 2.0 * np.eye(*{M}.shape))
        {y} = np.linalg.lstsq({Q} + 4.0 * np.eye(len({Q})), {Q}[0], rcond=None)[0]
        {y} = np.linalg.norm({M} + 0.3, "nuc") + np.linalg.norm({M}, 1)
    """,
    "complex": """
        {y} = np.reshape({A}, -1)[:3] + 1j * np.cos(np.reshape({A}, -1)[:3])
        {y} = np.sin({C}) * {C}
        {y} = np.exp(1j * {A})
        {y} = {C} * np.conj({C}) + {c}
        {y} = np.real({C}) - np.imag({C})
        {y} = np.abs({C} + 2.0)
        {y} = np.angle({C} + 3.0)
        {y} = {C}.real * {C}.imag
        {y} = np.sqrt({C} + 4.0) / (3.0 + {C} * {C}.conj())
        {y} = np.cumsum({C}) * 1j
        {y} = np.prod(np.cos({C}))
        {y} = {C}[::-1] @ {C}
        {y} = np.outer({C}, np.conj({C}))
        {y} = np.where({C}.real > 0.1, {C}, 1j)
        {y} = {C}.copy(); {y}[0] = {V}[0]; {y} *= 1j
        {y} = np.fft.fft({V})
        {y} = np.fft.rfft({V})
        {y} = np.fft.irfft({C}, n={k} + 2)
        {y} = np.fft.ifft({C}, norm="ortho")
        {y} = np.fft.fft2({M})
        {y} = np.fft.fftshift({V})
        {y} = np.linalg.solve({Q} + 4.0j * np.eye(len({Q})), {Q}[0])
    """,
    "control": """
        {y} = {A} if np.sum({A}) > 0.3 else np.sin({A})
        {y} = {A} * int(abs(np.sum({A})))
        {y} = sum(t * t for t in {V})
        {y} = np.stack([t + {V}[0] for t in {V}])
        {y} = max({V}) - min({V})
        {y} = np.sin({A}) if bool(np.any({A} > 1.0)) else {A} - 0.5
        {y} = np.hypot(*{V}[:2])
        {y} = {V} * len(np.flatnonzero({V} > 0))
    """,
}
TEMPLATES = [line.strip() for lines in STEPS.values() for line in lines.strip().splitlines()]
