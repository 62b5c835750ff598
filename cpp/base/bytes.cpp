// The checksum of files, eight bytes at a time.
#include "base/bytes.hpp"

#include <array>

namespace tapegrad {
namespace {

using Table = std::array<std::array<std::uint64_t, 256>, 8>;

// table[k][b]: the remainder of byte b followed by k zero bytes.
constexpr Table make_table() {
  constexpr std::uint64_t kPolynomial = 0xc96c5795d7870f42ull;
  Table table{};
  for (std::uint64_t b = 0; b < 256; ++b) {
    std::uint64_t r = b;
    for (int i = 0; i < 8; ++i) r = (r >> 1) ^ (r & 1 ? kPolynomial : 0);
    table[0][b] = r;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b)
      table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xff];
  return table;
}
constexpr Table kTable = make_table();

}  // namespace

std::uint64_t crc64(std::string_view bytes) {
  std::uint64_t crc = ~0ull;
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; ++k) crc ^= kTable[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; n > 0; --n, ++p)
    crc = kTable[0][(crc ^ static_cast<unsigned char>(*p)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

}  // namespace tapegrad
