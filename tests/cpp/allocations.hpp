// Counts what this program takes from the heap, for tests of code that must take nothing.
#pragma once

#include <cstddef>

namespace tapegrad::testing {

// How often this thread has called operator new.
std::size_t allocations();

}  // namespace tapegrad::testing
