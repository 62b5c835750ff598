"""The functions of NumPy and SciPy that users expect to be differentiable, by module. The page that
`generate_coverage.py` writes says which of them are missing."""

WANTED = {
    "numpy": """
        abs absolute fabs add subtract multiply divide true_divide floor_divide remainder mod fmod
        divmod negative positive power float_power square sqrt cbrt reciprocal exp exp2 expm1 log
        log2 log10 log1p logaddexp logaddexp2 sin cos tan arcsin arccos arctan arctan2 hypot sinh
        cosh tanh arcsinh arccosh arctanh deg2rad rad2deg degrees radians maximum minimum fmax fmin
        sign heaviside copysign nextafter ldexp conj conjugate real imag angle sinc i0 clip
        nan_to_num real_if_close acos asin atan atan2 acosh asinh atanh pow permute_dims concat
        vecdot matvec vecmat
        sum prod mean std var max min amax amin ptp cumsum cumprod diff ediff1d gradient trapezoid
        average median percentile quantile nansum nanmean nanvar nanstd nanmax nanmin nanprod
        nancumsum cov corrcoef histogram bincount all any argmax argmin count_nonzero
        reshape ravel squeeze expand_dims transpose swapaxes moveaxis rollaxis broadcast_to
        broadcast_arrays atleast_1d atleast_2d atleast_3d concatenate stack vstack hstack dstack
        column_stack append split array_split hsplit vsplit dsplit tile repeat flip fliplr flipud
        rot90 roll pad insert delete resize tril triu diag diagonal diagflat trace take
        take_along_axis put_along_axis compress choose select piecewise where block unique
        searchsorted apply_along_axis meshgrid sort argsort partition argpartition full_like
        zeros_like ones_like empty_like linspace geomspace logspace r_ c_
        dot inner outer matmul vdot tensordot einsum kron cross convolve correlate interp polyval
        vander
        equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor
        logical_not isnan isinf isfinite isclose isreal iscomplex isneginf isposinf isin allclose
        array_equal rint round around fix floor ceil trunc shape size ndim result_type nonzero
        flatnonzero argwhere
    """,
    "numpy.linalg": """
        solve inv pinv det slogdet cholesky qr svd svdvals eig eigvals eigh eigvalsh lstsq
        matrix_power cond norm tensorsolve tensorinv matrix_rank multi_dot
    """,
    "numpy.fft": """
        fft ifft rfft irfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn hfft ihfft fftshift
        ifftshift
    """,
    "scipy.linalg": """
        solve_triangular solve_banded solve_sylvester solve_continuous_lyapunov
        solve_discrete_lyapunov sqrtm expm logm cho_solve cho_factor lu_factor lu_solve block_diag
        toeplitz
    """,
    "scipy.sparse.linalg": "spsolve splu",
    "scipy.special": """
        beta betaln betainc gamma gammaln loggamma rgamma gammasgn digamma psi polygamma
        multigammaln gammainc gammaincc erf erfc erfcx erfinv erfcinv dawsn wofz expit logit
        log_expit logsumexp softmax log_softmax xlogy xlog1py entr rel_entr kl_div expi exp1 expn
        sici i0 i0e i1 i1e iv ive kv kve k0 k1 j0 j1 jn jv y0 y1 yn yv zeta hyp1f1 hyp2f1 ellipk
        ellipe ndtr log_ndtr ndtri owens_t spherical_jn
    """,
    "scipy.stats": """
        norm t gamma beta chi2 expon lognorm laplace logistic uniform cauchy weibull_min poisson
        binom nbinom dirichlet multivariate_normal
    """,
    "scipy.signal": "convolve fftconvolve lfilter",
    "scipy.integrate": "odeint solve_ivp quad",
    "scipy.interpolate": "CubicSpline interp1d",
}


def wanted() -> list[str]:
    """`numpy.linalg.solve` and so on."""
    return [f"{module}.{name}" for module, names in WANTED.items() for name in names.split()]
