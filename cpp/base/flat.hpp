// Growing flat storage for plain records. Grows by realloc, which large blocks on Linux do by
// moving pages and not bytes: recording stays linear in time and the peak is what is used.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

#include "base/error.hpp"

namespace tapegrad {

template <class T>
class Flat {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Flat() = default;
  Flat(const Flat&) = delete;
  Flat& operator=(const Flat&) = delete;
  Flat(Flat&& o) noexcept : data_(o.data_), size_(o.size_), capacity_(o.capacity_) {
    o.data_ = nullptr;
    o.size_ = o.capacity_ = 0;
  }
  ~Flat() { std::free(data_); }
  void swap(Flat& o) noexcept {
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    std::swap(capacity_, o.capacity_);
  }

  std::size_t size() const { return size_; }
  std::size_t capacity_bytes() const { return capacity_ * sizeof(T); }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T& back() { return data_[size_ - 1]; }

  void push(const T& v) {
    if (size_ == capacity_) [[unlikely]]
      grow(size_ + 1);
    data_[size_++] = v;
  }
  // Room for n more, uninitialised; returns the first.
  T* extend(std::size_t n) {
    if (size_ + n > capacity_) [[unlikely]]
      grow(size_ + n);
    T* first = data_ + size_;
    size_ += n;
    return first;
  }
  void truncate(std::size_t n) { size_ = n; }
  // Gives memory above `bytes` back to the system.
  void shrink(std::size_t bytes) {
    if (capacity_bytes() <= bytes || size_ != 0) return;
    std::free(data_);
    data_ = nullptr;
    capacity_ = 0;
  }

 private:
  void grow(std::size_t wanted) {
    std::size_t n = capacity_ + capacity_ / 2 + 256;
    if (n < wanted) n = wanted;
    auto* p = static_cast<T*>(std::realloc(static_cast<void*>(data_), n * sizeof(T)));
    if (!p) throw std::bad_alloc();
    data_ = p;
    capacity_ = n;
  }
  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace tapegrad
