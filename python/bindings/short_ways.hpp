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
Way sum, prod, max, min, mean;
// (x) of everything
Way norm;
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
// (x, shape)
Way reshape;
// (x, axes)
Way transpose;
// (x, axis)
Way expand_dims, flip;
// (x, axis, axis)
Way swapaxes;
// (x)
Way ravel, flatten, squeeze, diff;
// (x, shift, axis)
Way roll;
// (parts, axis)
Way concatenate, stack;
// (parts)
Way hstack, vstack;
// (x, indices, axis)
Way take;

}  // namespace tapegrad::ways
