// Questions to all elements of an array, as fast as memory: loops of vectors, which end early where
// an answer is found early.
#pragma once

#include "base/array.hpp"

namespace tapegrad {

bool any_zero(const Array& a);
bool any_nonfinite(const Array& a);
bool any_true(const Array& truth);  // booleans

}  // namespace tapegrad
