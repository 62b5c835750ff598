// Which line of the user's code each node of a program recording came from.
#include "source_lines.hpp"

namespace tapegrad {

void SourceLines::clear() {
  if (Py_IsInitialized())
    for (auto& [code, lines] : codes_) Py_DECREF(code);
  codes_.clear();
  places_.resize(1);
}

SourceLines::Code& SourceLines::code_of(PyCodeObject* code) {
  const auto [found, fresh] = codes_.try_emplace(code);
  if (fresh) {
    Py_INCREF(code);
    found->second.users = !py::module_::import("tapegrad.errors")
                               .attr("is_library")(py::handle(code->co_filename))
                               .cast<bool>();
  }
  return found->second;
}

LineId SourceLines::line_of(PyCodeObject* code, int instruction) {
  const auto [found, fresh] = code_of(code).line_of.try_emplace(instruction, 0);
  if (fresh) {
    const int line = PyCode_Addr2Line(code, instruction);
    const char* file = PyUnicode_AsUTF8(code->co_filename);
    if (!file) PyErr_Clear();
    places_.push_back({file ? file : "<unknown>", line});
    found->second = static_cast<LineId>(places_.size() - 1);
  }
  return found->second;
}

LineId SourceLines::here() {
  PyFrameObject* frame = PyThreadState_GetFrame(PyThreadState_Get());
  LineId line = 0;
  while (frame && line == 0) {
    PyCodeObject* code = PyFrame_GetCode(frame);
    if (code_of(code).users) line = line_of(code, PyFrame_GetLasti(frame));
    Py_DECREF(code);
    PyFrameObject* back = line == 0 ? PyFrame_GetBack(frame) : nullptr;
    Py_DECREF(frame);
    frame = back;
  }
  Py_XDECREF(frame);
  return line;
}

}  // namespace tapegrad
