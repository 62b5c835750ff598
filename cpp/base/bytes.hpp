// Writing and reading of binary files: little-endian numbers at multiples of their size, and a
// checksum. What is read is checked against the end of the data, so a file cannot lead outside it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.hpp"

namespace tapegrad {

static_assert(std::endian::native == std::endian::little, "files are little-endian");

// CRC-64/XZ (ECMA-182, reflected): 0x995dc9bbdf1939fa for "123456789".
std::uint64_t crc64(std::string_view bytes);

class ByteWriter {
 public:
  template <class T>
  void put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put_text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
  }
  // Zeros up to the next multiple of eight bytes.
  void align() { bytes_.resize((bytes_.size() + 7) / 8 * 8); }
  // Room for `count` bytes, which the caller fills before anything else is written.
  char* extend(std::size_t count) {
    bytes_.resize(bytes_.size() + count);
    return bytes_.data() + bytes_.size() - count;
  }
  template <class T>
  void replace(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  std::size_t size() const { return bytes_.size(); }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Raises Error, which says that `what` is corrupt, instead of reading past the end.
class ByteReader {
 public:
  ByteReader(std::string_view bytes, const char* what) : bytes_(bytes), what_(what) {}

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text() { return take(get<std::uint32_t>()); }
  std::string_view take(std::size_t count) {
    check(count <= left(), "it ends too early");
    const std::string_view found = bytes_.substr(at_, count);
    at_ += count;
    return found;
  }
  // A count of records of `size` bytes, which must all be there.
  std::size_t count(std::size_t size) {
    const auto n = get<std::uint64_t>();
    check(n <= left() / size, "it ends too early");
    return static_cast<std::size_t>(n);
  }
  void align() {
    for (const char c : take((8 - at_ % 8) % 8)) check(c == 0, "its padding is not zero");
  }
  void finish() { check(left() == 0, "it is longer than it should be"); }
  std::size_t left() const { return bytes_.size() - at_; }
  void check(bool condition, const std::string& fault) const {
    if (!condition) throw Error(std::string(what_) + " is corrupt: " + fault);
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  const char* what_;
};

}  // namespace tapegrad
