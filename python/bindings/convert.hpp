// Between NumPy arrays and Array, without copying where dtype and layout allow.
#pragma once

#include "base/array.hpp"
#include "numpy_api.hpp"

namespace tapegrad {

// The Array of any array-like (never of a Variable). Integers become int64; float16 becomes
// float32; complex64 becomes complex128; other dtypes raise TypeError that names them and `what`.
// New arrays share the memory of `object` and hold it.
Array array_from(PyObject* object, const char* what);

// A 0-d value for a Python or NumPy number; false if `object` is not one. `weak` is set for
// Python's own numbers, which take the dtype of what they meet; theirs says what kind they are.
bool number_from(PyObject* object, Array& value, bool& weak);

// A NumPy array on the memory of `array` (new reference; null with an error set). Writeable if
// asked and the handle is exclusive.
PyObject* array_to_numpy(Array array, bool writeable);

// Python float or complex for 0-d float64/complex128 values, an array otherwise.
PyObject* value_to_python(const Array& array);

int typenum_of(DType dtype);  // NumPy's number of a dtype
PyObject* dims_to_tuple(const Dims& dims);
PyObject* dtype_to_numpy(DType dtype);  // new reference
Dims dims_from(PyObject* sequence);     // raises through py::error_already_set

}  // namespace tapegrad
