// Rules written in Python, as the core sees them.
#pragma once

#include "numpy_api.hpp"
#include "ops/custom.hpp"

namespace tapegrad {

// The rule of a node (tapegrad/rules/node.py); the same one while somebody keeps it.
CustomRule::Handle rule_of(const py::object& node);
// The node of a rule; None if it was not written in Python.
py::object node_of(const CustomRule& rule);

// `_core.record_custom` and what goes with it.
void make_custom(py::module_& m);

}  // namespace tapegrad
