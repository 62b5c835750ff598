// Faults of the user (`require`) apart from faults of our own (`ensure`). Used by every layer.
#pragma once

#include <stdexcept>
#include <string>

namespace tapegrad {

// Wrong shapes, dtypes or arguments: becomes ValueError (Error) or TypeError (TypeFault) in Python.
struct Error : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};
struct TypeFault : Error {
  using Error::Error;
};
// An op, or a dtype of an op, that has no rule: becomes tg.UnsupportedError.
struct Unsupported : Error {
  using Error::Error;
};
// LAPACK found the matrix singular or not positive definite: becomes numpy.linalg.LinAlgError.
struct SingularMatrix : Error {
  using Error::Error;
};

inline void require(bool condition, const char* message) {
  if (!condition) [[unlikely]]
    throw Error(message);
}
inline void require(bool condition, const std::string& message) {
  if (!condition) [[unlikely]]
    throw Error(message);
}
inline void ensure(bool condition, const char* message) {
  if (!condition) [[unlikely]]
    throw std::logic_error(std::string("tapegrad defect: ") + message);
}

}  // namespace tapegrad
