"""NumPy's functions on recorded values, composed of the ops of the extension. NumPy reaches them by
`__array_function__`, which looks them up in IMPLEMENTATIONS, and `__array_ufunc__`, which calls
`ufunc_fallback`."""

from tapegrad.functions import (
    arranging,
    choosing,
    creation,
    decompositions,
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
    sparse,
    ufunc_methods,
    writing,
)
from tapegrad.functions.registry import IMPLEMENTATIONS, implements
from tapegrad.functions.ufuncs import ufunc_fallback

__all__ = [
    "IMPLEMENTATIONS",
    "arranging",
    "choosing",
    "creation",
    "decompositions",
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
    "sparse",
    "ufunc_fallback",
    "ufunc_methods",
    "writing",
]

methods.attach()
