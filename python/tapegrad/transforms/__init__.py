"""The transforms: functions of functions, built from the sweeps of `tapegrad._core`."""

from tapegrad.transforms.forward import derivative, jvp, linearize
from tapegrad.transforms.jacobians import jacfwd, jacobian, jacrev
from tapegrad.transforms.outputs import stop_gradient
from tapegrad.transforms.reverse import elementwise_grad, grad, value_and_grad, vjp
from tapegrad.transforms.second_order import gauss_newton_product, hessian, hvp

__all__ = [
    "derivative",
    "elementwise_grad",
    "gauss_newton_product",
    "grad",
    "hessian",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jvp",
    "linearize",
    "stop_gradient",
    "value_and_grad",
    "vjp",
]
