// What keeps the replays of a program right: every plain value that leaves its recording is
// guarded, and integers and booleans are computed on the tape as NumPy computes them.
#pragma once

#include <optional>

#include "variable.hpp"

namespace tapegrad {

// The recording of a program that `v` is a node of; null outside of one. Brings `v` up to date.
Session* recorded_in_program(Variable* v);
// True if `v` has a node that carries a derivative: its plain value must not leave the recording.
bool carries_derivative(Variable* v);
// In a program: a replay must find this value again.
void observe(Variable* v);
// `x` without its derivative: a node in a program, elsewhere the plain value. What questions are
// asked of, so that the answers are recorded where that matters.
PyObject* seen(PyObject* x);

// A guarded answer: True or False of a value of one element, or its integer part.
bool guarded_truth(Session& session, const Value& value);
void guard_integer(Session& session, const Value& value, double number);

// An op of a program whose operands are all integers or booleans, if NumPy's result is of that kind
// too: recorded where there is a kernel, else NumPy's result on the observed values. Nothing if the
// op goes the usual way.
std::optional<Value> apply_to_integers(Op op, std::span<Argument> in);

// A Python number as a double; not of complex ones.
double number_of(const Array& scalar);

// &, |, ^, ~, << and >>.
PyObject* bitwise(const char* ufunc, std::optional<Op> logical, PyObject* a, PyObject* b);

}  // namespace tapegrad
