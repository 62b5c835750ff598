// Readable, stable text of recordings and plans.
#pragma once

#include <string>

#include "program/plan.hpp"

namespace tapegrad {
// `unused`: with the nodes that no output and no guard depends on.
std::string listing(const Recording& recording, bool unused = true);
std::string listing(const Plan& plan);
}  // namespace tapegrad
