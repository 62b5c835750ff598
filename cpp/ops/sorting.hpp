// How argsort orders a row. The bindings put NumPy's own sorts in place of ours, so that ties are
// ordered as NumPy orders them.
#pragma once

#include "base/dtype.hpp"

namespace tapegrad {

enum class SortKind : std::uint8_t { quick, stable, count };

// NumPy's signature: the values of a row, contiguous; the indices 0, 1, ... to be put in order; how
// many; nothing.
using ArgSort = int (*)(void* values, std::intptr_t* indices, std::intptr_t count, void*);

ArgSort& argsort_of(DType dtype, SortKind kind);

}  // namespace tapegrad
