// The NumPy arrays that a program recording has read without their being its arguments: a program
// holds their values, so it must notice when somebody writes to them.
#pragma once

#include <unordered_map>
#include <vector>

#include "numpy_api.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

// Arrays up to this size are copied when they are read, larger ones are referenced.
inline constexpr std::int64_t kCopiedBytes = 16384;

// A hash of the bytes: of all if it is `whole` or up to 256 KiB, else of 1024 elements.
std::uint64_t fingerprint(const Array& array, bool whole);
// A hash that costs less than a microsecond: of all bytes up to 2 KiB, else of 64 elements.
std::uint64_t quick_fingerprint(const Array& array);

// Whether arrays are compared by all they hold (`tg.debug()`), or by what is quick to compare.
bool checks_are_full();
void set_full_checks(bool full);

class Watched {
 public:
  // `object` is an ndarray without Python objects in it.
  explicit Watched(PyObject* object);
  Watched(Watched&& o) noexcept;
  Watched& operator=(Watched&&) = delete;
  ~Watched();

  // The ndarray that owns the memory (new reference), or null if it has died: then nobody else can
  // see what the recording has read.
  PyObject* owner() const;
  // True if the owner lives and the bytes that were read are no longer the same.
  bool changed() const;
  // True if the owner is dead or only the constant holds it.
  bool is_temporary() const;
  bool covers(const Array& a) const;  // the same elements of the same memory

  // The constant that the tape has made of it, if an op has read it.
  Array constant;
  NodeId node = kNoOperand;

 private:
  friend class WatchedArrays;
  bool is_copied() const;

  PyObject* reference_;  // weak, to the owner
  PyObject* object_;     // borrowed, valid while `constant` refers to its memory
  char* owner_data_;
  npy_intp owner_size_;
  char* data_;
  Dims shape_, strides_;
  std::int64_t item_;
  int typenum_;  // NPY_NOTYPE if the bytes are swapped
  bool whole_;   // the fingerprint is of all bytes
  std::uint64_t fingerprint_, quick_;
};

class WatchedArrays {
 public:
  // From now on `object` is watched; null if it is no ndarray of numbers. A content that has been
  // seen before is not watched twice.
  Watched* watch(PyObject* object);
  // The same for all arrays in a tree of tuples, lists and dicts.
  void watch_all(PyObject* tree);
  // What is watched of this array with the content of now.
  Watched* find(const Array& a);
  bool changed() const;
  void forget_temporaries();
  void clear() {
    items_.clear();
    by_data_.clear();
  }
  const std::vector<Watched>& items() const { return items_; }

 private:
  std::vector<Watched> items_;
  std::unordered_multimap<const char*, std::size_t> by_data_;
};

}  // namespace tapegrad
