// Runs scalar code: straight-line float64 programs, as compiled by compile_scalars.
#pragma once

#include "program/scalar_code.hpp"

namespace tapegrad {

// Computes every value of `code` in the workspace `slots`, which holds code.end doubles or more.
// Allocates nothing; calls on different workspaces may run at the same time.
void run_scalars(const ScalarCode& code, double* slots);

}  // namespace tapegrad
