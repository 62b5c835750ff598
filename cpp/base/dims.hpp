// A short list of 64-bit integers (shape, strides, axes): six inline, more on the heap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace tapegrad {

class Dims {
 public:
  Dims() = default;
  explicit Dims(std::size_t n, std::int64_t fill = 0) {
    resize(n);
    std::fill_n(data(), n, fill);
  }
  Dims(std::initializer_list<std::int64_t> values) { assign(values.begin(), values.size()); }
  Dims(std::span<const std::int64_t> values) { assign(values.data(), values.size()); }
  Dims(const Dims& other) { assign(other.data(), other.size()); }
  Dims(Dims&& other) noexcept { steal(other); }
  Dims& operator=(const Dims& other) {
    if (this != &other) assign(other.data(), other.size());
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this != &other) steal(other);
    return *this;
  }

  std::size_t size() const { return size_; }
  int ndim() const { return static_cast<int>(size_); }
  bool empty() const { return size_ == 0; }
  std::int64_t* data() { return heap_ ? heap_.get() : inline_; }
  const std::int64_t* data() const { return heap_ ? heap_.get() : inline_; }
  std::int64_t& operator[](std::size_t i) { return data()[i]; }
  std::int64_t operator[](std::size_t i) const { return data()[i]; }
  std::int64_t* begin() { return data(); }
  std::int64_t* end() { return data() + size_; }
  const std::int64_t* begin() const { return data(); }
  const std::int64_t* end() const { return data() + size_; }
  std::int64_t back() const { return data()[size_ - 1]; }
  operator std::span<const std::int64_t>() const { return {data(), size_}; }

  void push_back(std::int64_t v) { insert(size_, v); }
  void insert(std::size_t at, std::int64_t v) {
    resize(size_ + 1);
    std::copy_backward(begin() + at, end() - 1, end());
    data()[at] = v;
  }
  void erase(std::size_t at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    --size_;
  }
  // Keeps the first min(old, n) entries; new entries are unspecified.
  void resize(std::size_t n) {
    if (n > kInline && n > capacity_) {
      auto grown = std::make_unique<std::int64_t[]>(2 * n);
      std::copy_n(data(), size_, grown.get());
      heap_ = std::move(grown);
      capacity_ = static_cast<std::uint32_t>(2 * n);
    }
    size_ = static_cast<std::uint32_t>(n);
  }
  std::int64_t product() const {
    std::int64_t p = 1;
    for (auto d : *this) p *= d;
    return p;
  }
  friend bool operator==(const Dims& a, const Dims& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
  std::string str() const {  // as Python prints a tuple
    std::string s = "(";
    for (std::size_t i = 0; i < size_; ++i) s += (i ? ", " : "") + std::to_string((*this)[i]);
    return s + (size_ == 1 ? ",)" : ")");
  }

 private:
  static constexpr std::size_t kInline = 6;
  void steal(Dims& other) {  // leaves `other` empty
    heap_ = std::move(other.heap_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    if (!heap_) std::copy_n(other.inline_, size_, inline_);
  }
  void assign(const std::int64_t* values, std::size_t n) {
    resize(n);
    std::copy_n(values, n, data());
  }
  std::unique_ptr<std::int64_t[]> heap_;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::int64_t inline_[kInline];
};

// A shape without its axes of length 1.
inline Dims without_ones(const Dims& shape) {
  Dims kept;
  for (const std::int64_t n : shape)
    if (n != 1) kept.push_back(n);
  return kept;
}

}  // namespace tapegrad
