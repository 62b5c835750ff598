// Questions: calls about values, or about shapes and dtypes, whose answers carry no derivative.
// Outside of programs, which record what is asked about values, NumPy's own function gives the
// answer for plain values. Called where NumPy's protocols arrive.
#pragma once

#include "variable.hpp"

namespace tapegrad {

enum class Question { none, values, metas };

// What the Python implementation of a function says it asks.
Question question_of(PyObject* implementation);

// function(*args, **keywords) with plain values for Variables; `keywords` may be null. Null without
// an error if there are sequences in the arguments that only the long way knows.
PyObject* answer(PyObject* function, Question question, PyObject* args, PyObject* keywords);

}  // namespace tapegrad
