// Recordings as bytes, for files and other processes; docs/file-format.md describes them. Equal
// recordings give equal bytes. Called by the bindings, which put a Python program around them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ops/custom.hpp"
#include "program/recording.hpp"

namespace tapegrad {

inline constexpr std::uint32_t kFormatVersion = 1;

// Rules of the op `custom` are no part of the bytes: nodes name them by their place among these.
std::string serialise(const Recording& recording);
// The rules that nodes name, in the order in which they do.
std::vector<CustomRule::Handle> custom_rules(const Recording& recording);

// Runs no op and trusts nothing: raises Error, which says what is wrong, for whatever `serialise`
// cannot have written. Memory it takes is in proportion to the bytes.
std::unique_ptr<Recording> deserialise(std::string_view bytes,
                                       std::span<const CustomRule::Handle> rules = {});

}  // namespace tapegrad
