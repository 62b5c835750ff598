// Readable, stable text of recordings and plans.
#pragma once

#include <string>

#include "program/plan.hpp"

namespace tapegrad {
std::string listing(const Recording& recording);
std::string listing(const Plan& plan);
}  // namespace tapegrad
