// `_core.Recording`, `_core.Executable` and `_core.FastCall`, registered by module.cpp.
#pragma once

#include "backends/executable.hpp"
#include "numpy_api.hpp"
#include "watched.hpp"

namespace tapegrad {

// What a recording has read besides its arguments: the contents of NumPy arrays, and the values of
// names (globals, closure variables, attributes, items of lists and dicts).
class Surroundings {
 public:
  explicit Surroundings(WatchedArrays arrays) : arrays_(std::move(arrays)) {}
  void watch(py::object container, py::object key, py::object value) {
    arrays_.watch(value.ptr());  // if it is one
    names_.push_back({std::move(container), std::move(key), std::move(value)});
  }
  bool changed() const;

 private:
  struct Name {
    py::object container, key, value;
  };
  static bool is_same(const Name& name);
  WatchedArrays arrays_;
  std::vector<Name> names_;
};

// A value as an input of these shape and dtype, contiguous; Error if it has another shape.
Array input_array(py::handle value, const Meta& meta);

void make_program_types(py::module_& m);
void make_program_tools(py::module_& m);
void make_instances(py::module_& m);
void make_batches(py::module_& m);
void make_fast_call(py::module_& m);

}  // namespace tapegrad
