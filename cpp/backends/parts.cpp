// A batch of any size on a program for a fixed number of instances.
#include "backends/parts.hpp"

#include <algorithm>
#include <cstring>
#include <exception>

namespace tapegrad {
namespace {

class Part {
 public:
  Part(const Executable& program, std::int64_t first, std::int64_t count, std::int64_t lanes)
      : program_(program), first_(first), count_(count), lanes_(lanes) {}

  std::int64_t run(std::span<const Instances> inputs, std::span<const Instances> outputs,
                   int threads) {
    std::vector<const void*> in;
    for (auto& i : inputs) in.push_back(i.bytes == 0 ? i.data : filled_up(i));
    std::vector<void*> out;
    for (std::size_t k = 0; k < outputs.size(); ++k) out.push_back(place(outputs[k], k));
    const std::int64_t failed = program_.run(in.data(), out.data(), threads);
    if (count_ == lanes_) return failed;
    for (std::size_t k = 0; k < outputs.size(); ++k)
      if (const Instances& o = outputs[k]; o.bytes > 0)
        std::memcpy(o.data + first_ * o.bytes, out[k], static_cast<std::size_t>(count_ * o.bytes));
    return failed;
  }

 private:
  char* memory(std::int64_t bytes) {
    // A vector of doubles: aligned for every dtype.
    held_.emplace_back(static_cast<std::size_t>(bytes) / sizeof(double) + 2);
    return reinterpret_cast<char*>(held_.back().data());
  }
  char* filled_up(const Instances& i) {
    char* const data = i.data + first_ * i.bytes;
    if (count_ == lanes_) return data;
    char* const copy = memory(lanes_ * i.bytes);
    std::memcpy(copy, data, static_cast<std::size_t>(count_ * i.bytes));
    for (std::int64_t k = count_; k < lanes_; ++k)
      std::memcpy(copy + k * i.bytes, data + (count_ - 1) * i.bytes,
                  static_cast<std::size_t>(i.bytes));
    return copy;
  }
  // Results that all instances share are written by the first part.
  char* place(const Instances& o, std::size_t k) {
    if (o.bytes > 0) return count_ == lanes_ ? o.data + first_ * o.bytes : memory(lanes_ * o.bytes);
    if (first_ == 0) return o.data;
    const Meta& m = program_.plan().output_metas[k];
    return memory(m.shape.product() * itemsize(m.dtype));
  }

  const Executable& program_;
  std::int64_t first_, count_, lanes_;
  std::vector<std::vector<double>> held_;
};

}  // namespace

std::int64_t run_parts(const Executable& program, std::span<const Instances> inputs,
                       std::span<const Instances> outputs, std::int64_t count, std::int64_t lanes,
                       int threads) {
  const std::int64_t parts = (count + lanes - 1) / lanes;
  [[maybe_unused]] const int team = static_cast<int>(std::clamp<std::int64_t>(threads, 1, parts));
  const int within = parts == 1 ? threads : 1;
  std::vector<std::int64_t> failed(static_cast<std::size_t>(parts), Executable::kAllHold);
  std::exception_ptr error;
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) schedule(dynamic) if (team > 1)
#endif
  for (std::int64_t p = 0; p < parts; ++p) {
    try {
      const std::int64_t first = p * lanes;
      Part part(program, first, std::min(lanes, count - first), lanes);
      failed[static_cast<std::size_t>(p)] = part.run(inputs, outputs, within);
    } catch (...) {
#ifdef _OPENMP
#pragma omp critical
#endif
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
  for (auto f : failed)
    if (f != Executable::kAllHold) return f;
  return Executable::kAllHold;
}

}  // namespace tapegrad
