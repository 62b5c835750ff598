// Memory of arrays. Small blocks come from malloc; from a page on they are kept for the next array
// of their size, because fresh pages cost more than the arithmetic done on them. Called by Array
// only.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

namespace tapegrad {

class BufferCache {
 public:
  static BufferCache& instance() {
    static auto* cache = new BufferCache;  // never destroyed: arrays may outlive static objects
    return *cache;
  }
  static constexpr std::size_t kLarge = 4096;                  // bytes
  static constexpr std::size_t kLimit = std::size_t{1} << 28;  // bytes kept at most

  // Sizes in steps of an eighth, so that nearly equal arrays share blocks.
  static std::size_t rounded(std::size_t bytes) {
    if (bytes < kLarge) return bytes;
    const std::size_t step = std::max(kLarge, std::bit_floor(bytes) / 8);
    return (bytes + step - 1) / step * step;
  }
  void* take(std::size_t bytes) {
    if (bytes >= kLarge) {
      std::lock_guard lock(mutex_);
      auto found = free_.find(bytes);
      if (found != free_.end() && !found->second.empty()) {
        void* p = found->second.back();
        found->second.pop_back();
        kept_ -= bytes;
        return p;
      }
    }
    void* p = std::malloc(bytes ? bytes : 1);
    if (!p) throw std::bad_alloc();
    return p;
  }
  void give(void* p, std::size_t bytes) {
    if (bytes >= kLarge) {
      std::lock_guard lock(mutex_);
      if (kept_ + bytes <= kLimit) {
        free_[bytes].push_back(p);
        kept_ += bytes;
        return;
      }
    }
    std::free(p);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_;
  std::size_t kept_ = 0;
};

}  // namespace tapegrad
