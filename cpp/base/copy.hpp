// Copies between strided arrays. Called wherever contiguous memory is wanted and by the ops that
// overwrite a part of an array.
#pragma once

#include "base/array.hpp"

namespace tapegrad {

// to[...] = from, broadcast to the shape of `to`. One dtype; the two do not overlap. Raises Error
// when the shape of `from` does not broadcast to that of `to`.
void copy_into(const Array& from, const Array& to);

// `a` itself if it is C-contiguous, else a copy that is.
Array contiguous(const Array& a);

// Uninitialised, of the shape of `like`, its axes in memory in the order of `like`.
Array empty_in_order(DType dtype, const Array& like);

// A copy that lies in memory in the order of `a` (NumPy's order 'K').
Array copy_in_order(const Array& a);

// Whether the axes of `a` are in C order in memory, with gaps or without.
bool lies_in_rows(const Array& a);

}  // namespace tapegrad
