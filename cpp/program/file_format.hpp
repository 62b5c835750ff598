// What serialise.cpp and deserialise.cpp agree on; docs/file-format.md says it in words.
#pragma once

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

#include "base/array.hpp"

namespace tapegrad::file_format {

inline constexpr std::string_view kMagic{"\x89TGREC\r\n", 8};
// magic, version (u32), count of sections (u32), length of everything (u64), checksum of what
// follows (u64)
inline constexpr std::size_t kLengthAt = 16, kChecksumAt = 24, kHeaderBytes = 32;

// In the order in which they come; each has its tag (u32), zero (u32) and length (u64) before it.
enum class Section : std::uint32_t {
  ops = 1,
  shapes,
  nodes,
  operands,
  attributes,
  numbers,
  constants,
  ends,
  guards,
  lines,
  count = lines
};

inline constexpr std::size_t kMostAxes = 60;  // NumPy's 64, less what derivatives and batches add
inline constexpr std::int64_t kLongestAxis = std::int64_t{1} << 48;
inline constexpr std::int64_t kMostBytes = std::int64_t{1} << 50;  // of all values together

// A repeated axis lies in the file once.
inline bool is_repeated(std::int64_t extent, std::int64_t stride) {
  return stride == 0 && extent > 1;
}

// The axes that lie in the file, outermost first: those with the greatest strides in memory.
inline std::vector<std::size_t> axes_in_memory(const Dims& shape, const Dims& strides) {
  std::vector<std::size_t> axes;
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (!is_repeated(shape[d], strides[d])) axes.push_back(d);
  std::stable_sort(axes.begin(), axes.end(), [&](std::size_t a, std::size_t b) {
    const std::int64_t x = std::abs(strides[a]), y = std::abs(strides[b]);
    return x != y ? x > y : shape[a] > shape[b];
  });
  return axes;
}

inline Dims picked(const Dims& from, const std::vector<std::size_t>& axes) {
  Dims found;
  for (std::size_t d : axes) found.push_back(from[d]);
  return found;
}

// Strides of the same order of axes without gaps. Empty arrays are in C order.
inline Dims dense_strides(const Dims& shape, const std::vector<std::size_t>& axes,
                          std::int64_t item) {
  const Dims dense = Array::contiguous_strides(picked(shape, axes), item);
  Dims strides(shape.size(), 0);
  for (std::size_t i = 0; i < axes.size(); ++i) strides[axes[i]] = dense[i];
  return strides;
}

}  // namespace tapegrad::file_format
