// `_core.Tape`, registered by module.cpp.
#pragma once

#include "base/array.hpp"
#include "numpy_api.hpp"

namespace tapegrad {
// Whether the elements lie one after the other, in some order of the axes.
bool is_dense(const Array& a);
void make_tape_type(py::module_& m);
}  // namespace tapegrad
