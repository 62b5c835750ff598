#include "base/buffer_cache.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace tapegrad {
namespace {

TEST(BufferCache, LargeSizesAreRoundedUpByAtMostAnEighth) {
  EXPECT_EQ(BufferCache::rounded(100), 100u);
  for (std::size_t bytes = BufferCache::kLarge; bytes < (std::size_t{1} << 24); bytes += 977) {
    const std::size_t rounded = BufferCache::rounded(bytes);
    EXPECT_GE(rounded, bytes);
    EXPECT_LE(rounded, bytes + std::max(BufferCache::kLarge, bytes / 8));
    EXPECT_EQ(BufferCache::rounded(rounded), rounded);
  }
}

TEST(BufferCache, LargeBlockIsGivenOutAgain) {
  BufferCache& cache = BufferCache::instance();
  const std::size_t bytes = 3 * BufferCache::kLarge;
  void* first = cache.take(bytes);
  cache.give(first, bytes);
  EXPECT_EQ(cache.take(bytes), first);
  cache.give(first, bytes);
}

TEST(BufferCache, AnotherSizeIsAnotherBlock) {
  BufferCache& cache = BufferCache::instance();
  void* kept = cache.take(BufferCache::kLarge);
  cache.give(kept, BufferCache::kLarge);
  void* larger = cache.take(2 * BufferCache::kLarge);
  EXPECT_NE(larger, kept);
  std::memset(larger, 1, 2 * BufferCache::kLarge);
  cache.give(larger, 2 * BufferCache::kLarge);
}

TEST(BufferCache, EmptyArraysHaveAPointerToo) {
  BufferCache& cache = BufferCache::instance();
  void* p = cache.take(0);
  EXPECT_NE(p, nullptr);
  cache.give(p, 0);
}

TEST(BufferCache, ThreadsNeverShareABlock) {
  BufferCache& cache = BufferCache::instance();
  const auto work = [&cache](unsigned char mark) {
    for (int i = 0; i < 200; ++i) {
      auto* p = static_cast<unsigned char*>(cache.take(BufferCache::kLarge));
      std::memset(p, mark, 4096);
      for (int j = 0; j < 4096; ++j) ASSERT_EQ(p[j], mark);
      cache.give(p, BufferCache::kLarge);
    }
  };
  std::thread a(work, static_cast<unsigned char>(1));
  std::thread b(work, static_cast<unsigned char>(2));
  a.join();
  b.join();
}

}  // namespace
}  // namespace tapegrad
