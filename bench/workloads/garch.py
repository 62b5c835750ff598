"""GARCH(1,1) log-likelihood of `size` returns: a plain Python loop over scalars."""

from __future__ import annotations

from typing import Any

import numpy

from bench.workloads.base import Instance, Workload


def function(np: Any, theta: Any, returns: Any) -> Any:
    mu, omega, alpha, beta = theta[0], theta[1], theta[2], theta[3]
    variance = omega / (1.0 - alpha - beta)
    total = 0.0
    for r in returns:
        e = r - mu
        total = total + np.log(variance) + e * e / variance
        variance = omega + alpha * e * e + beta * variance
    return 0.5 * total


def function_torch(torch: Any, theta: Any, returns: Any) -> Any:
    return function(torch, theta, returns.tolist())


def function_jax(np: Any, theta: Any, returns: Any) -> Any:
    import jax

    mu, omega, alpha, beta = theta

    def step(variance: Any, r: Any) -> Any:
        e = r - mu
        term = np.log(variance) + e * e / variance
        return omega + alpha * e * e + beta * variance, term

    _, terms = jax.lax.scan(step, omega / (1.0 - alpha - beta), returns)
    return 0.5 * np.sum(terms)


def make(size: int) -> Instance:
    mu, omega, alpha, beta = theta = numpy.array([0.05, 0.1, 0.1, 0.8])
    noise = numpy.random.default_rng(4).standard_normal(size)
    returns, variance = numpy.empty(size), omega / (1.0 - alpha - beta)
    for t in range(size):
        returns[t] = mu + variance**0.5 * noise[t]
        variance = omega + alpha * (returns[t] - mu) ** 2 + beta * variance
    return Instance(params=(theta * [0.8, 1.1, 0.9, 1.02],), data=(returns,))


def gradient(theta: Any, returns: Any) -> tuple[Any, ...]:
    """The adjoint recursion a[t] = dL/dh[t] + beta a[t+1] on the variances h."""
    mu, omega, alpha, beta = theta
    rest, e = 1.0 - alpha - beta, returns - mu
    h = numpy.empty_like(e)
    h[0] = omega / rest
    for t in range(1, len(e)):
        h[t] = omega + alpha * e[t - 1] ** 2 + beta * h[t - 1]
    a = 0.5 * (1.0 / h - (e / h) ** 2)
    for t in range(len(e) - 1, 0, -1):
        a[t - 1] += beta * a[t]
    start = a[0] * h[0] / rest
    return (
        numpy.array(
            [
                -numpy.sum(e / h) - 2.0 * alpha * numpy.sum(a[1:] * e[:-1]),
                numpy.sum(a[1:]) + a[0] / rest,
                numpy.sum(a[1:] * e[:-1] ** 2) + start,
                numpy.sum(a[1:] * h[:-1]) + start,
            ]
        ),
    )


GARCH = Workload(
    "garch",
    "GARCH(1,1) likelihood, plain loop",
    function,
    make,
    gradient,
    small=5,
    unit="steps",
    symbolic=True,
    variants={"torch": function_torch, "jax-jit": function_jax},
)
