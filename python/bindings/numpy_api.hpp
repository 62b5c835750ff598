// NumPy's C API, shared by all files of the bindings; module.cpp imports it.
#pragma once

#include <pybind11/pybind11.h>

#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL tapegrad_numpy_api
#define PY_UFUNC_UNIQUE_SYMBOL tapegrad_ufunc_api
#ifndef TAPEGRAD_IMPORTS_NUMPY
#define NO_IMPORT_ARRAY
#define NO_IMPORT_UFUNC
#endif
#include <numpy/arrayobject.h>
#include <numpy/ufuncobject.h>

namespace py = pybind11;
