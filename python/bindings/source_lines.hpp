// Which line of the user's code each node of a program recording came from.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "numpy_api.hpp"

namespace tapegrad {

using LineId = std::uint32_t;  // index into `places`; 0: unknown

struct SourceLine {
  std::string file;
  int line = 0;
};

class SourceLines {
 public:
  SourceLines() = default;
  SourceLines(const SourceLines&) = delete;
  SourceLines& operator=(const SourceLines&) = delete;
  ~SourceLines() { clear(); }

  // The line of the innermost running Python code outside tapegrad, NumPy and SciPy.
  LineId here();
  const std::vector<SourceLine>& places() const { return places_; }
  void clear();

 private:
  // A code object, kept alive while its address is a key, and the lines of its instructions.
  struct Code {
    bool users = false;
    std::unordered_map<int, LineId> line_of;  // by instruction
  };
  Code& code_of(PyCodeObject* code);
  LineId line_of(PyCodeObject* code, int instruction);

  std::unordered_map<PyCodeObject*, Code> codes_;
  std::vector<SourceLine> places_{SourceLine{}};
};

}  // namespace tapegrad
