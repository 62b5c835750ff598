// Short ways: the plain calls of common NumPy functions and ndarray methods, done without Python.
// array_functions.cpp tries them first; what they decline goes to the Python package.
#pragma once

#include "variable.hpp"

namespace tapegrad::ways {

// The arguments of a call by parameter, null where not given; the first one always is.
using Given = PyObject* const*;

// Null without an error: the call is not of the plain form. Errors are thrown.
using Way = PyObject*(Given given);

// (x, axis, keepdims)
Way sum, prod, max, min, mean, ptp;
Way any, all, argmax, argmin;
// (x, axis, ddof, keepdims)
Way var, std;
// (x, order, axis, keepdims)
Way norm;
// (x, axis, kind)
Way argsort;
// (condition, x, y)
Way where;
// (x, low, high)
Way clip;
// (x, dtype)
Way astype;
// (x)
Way zeros_like, ones_like;
// (x, number)
Way full_like;
// (a, b)
Way dot, inner, vdot, outer;
// (a, b, axes)
Way tensordot;
// (subscripts, a, b, c, optimize)
Way einsum;
// (x, shape)
Way reshape;
// (x, axes)
Way transpose;
// (x, axis)
Way expand_dims, squeeze, flip;
// (x, axis, axis)
Way swapaxes, moveaxis;
// (x)
Way ravel, flatten, flipud, fliplr, matrix_transpose, atleast_1d, atleast_2d;
// (x, shift, axis)
Way roll;
// (x, n, axis)
Way diff;
// (x, spacing, axis)
Way gradient;
// (x, axis)
Way cumprod, sort;
// (parts, axis)
Way concatenate, stack;
// (parts)
Way hstack, vstack, column_stack;
// (a, b, axis)
Way append;
// (x, count, axis)
Way repeat;
// (x, counts)
Way tile;
// (x, widths, mode)
Way pad;
// (x, indices, axis)
Way take;
// (x, offset)
Way diagonal, trace, diag;

}  // namespace tapegrad::ways
