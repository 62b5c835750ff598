"""NumPy's functions on recorded values, composed of the ops of the extension. NumPy reaches them by
`__array_function__` and `__array_ufunc__`, which call `array_function` and `ufunc_fallback`."""

from tapegrad.functions import (
    arranging,
    choosing,
    creation,
    differences,
    einsum,
    elementwise,
    gufuncs,
    indexing,
    joining,
    linalg,
    methods,
    padding,
    polynomials,
    products,
    reductions,
    scipy_ufuncs,
    shapes,
    sorting,
    ufunc_methods,
    writing,
)
from tapegrad.functions.registry import IMPLEMENTATIONS, array_function, implements
from tapegrad.functions.ufuncs import ufunc_fallback

__all__ = [
    "IMPLEMENTATIONS",
    "arranging",
    "array_function",
    "choosing",
    "creation",
    "differences",
    "einsum",
    "elementwise",
    "gufuncs",
    "implements",
    "indexing",
    "joining",
    "linalg",
    "methods",
    "padding",
    "polynomials",
    "products",
    "reductions",
    "scipy_ufuncs",
    "shapes",
    "sorting",
    "ufunc_fallback",
    "ufunc_methods",
    "writing",
]

methods.attach()
