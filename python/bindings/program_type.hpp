// `_core.Recording`, `_core.Executable` and `_core.FastCall`, registered by module.cpp.
#pragma once

#include "backends/executable.hpp"
#include "numpy_api.hpp"
#include "watched.hpp"

namespace tapegrad {

// The NumPy arrays that a recording has read: a program holds their values.
class CapturedArrays {
 public:
  explicit CapturedArrays(WatchedArrays arrays) : arrays_(std::move(arrays)) {}
  bool changed() const { return arrays_.changed(); }

 private:
  WatchedArrays arrays_;
};

void make_program_types(py::module_& m);
void make_instances(py::module_& m);
void make_fast_call(py::module_& m);

}  // namespace tapegrad
