"""The ways to one derivative: in each mode, one in the other, and by programs."""

import numpy as np

import tapegrad as tg


def reverse_modes(f):
    program = tg.function(f)
    return {
        "grad": tg.grad(f),
        "program": program.grad,
        "gradient of a program": tg.grad(program),
        "jacrev": tg.jacrev(f),
        "program of the gradient": tg.function(tg.grad(f)),
        "jacobian of a program": program.jacobian,
        "pullback": lambda x: tg.vjp(f, x)[1](1.0)[0],
        "nested": lambda x: tg.jvp(tg.grad(f), (x,), (np.zeros_like(x),))[0],
    }


def forward_modes(f):
    program = tg.function(f)
    along = lambda x: np.ones_like(x)
    return {
        "jvp": lambda x: tg.jvp(f, (x,), (along(x),))[1],
        "jacfwd": tg.jacfwd(f),
        "program": lambda x: tg.jvp(program, (x,), (along(x),))[1],
        "program of the tangent": lambda x: tg.function(lambda x: tg.jvp(f, (x,), (along(x),))[1])(
            x
        ),
        "program of jacfwd": tg.function(tg.jacfwd(f)),
        "of a program": tg.jacfwd(program),
    }
