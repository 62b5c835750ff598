"""SciPy's namespaces made explicit, for the functions that SciPy does not dispatch."""

from tapegrad.scipy import special

__all__ = ["special"]
