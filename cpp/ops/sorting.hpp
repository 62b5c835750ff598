// How sort and argsort order a row. The bindings put NumPy's own sorts in place of ours, so that
// ties are ordered as NumPy orders them.
#pragma once

#include "base/dtype.hpp"

namespace tapegrad {

enum class SortKind : std::uint8_t { quick, stable, count };

// NumPy's signatures: the values of a row, contiguous, how many, nothing.
using Sort = int (*)(void* values, std::intptr_t count, void*);
// The values; the indices 0, 1, ... to be put in order; how many; nothing.
using ArgSort = int (*)(void* values, std::intptr_t* indices, std::intptr_t count, void*);

Sort& sort_of(DType dtype, SortKind kind);
ArgSort& argsort_of(DType dtype, SortKind kind);

}  // namespace tapegrad
