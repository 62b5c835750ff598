// `_core.Tape`, registered by module.cpp.
#pragma once

#include "numpy_api.hpp"

namespace tapegrad {
void make_tape_type(py::module_& m);
}
