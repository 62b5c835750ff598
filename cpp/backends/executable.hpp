// A plan made ready to run on this machine: const, shared by threads, each call with a workspace of
// its own. Runs hold no interpreter lock and allocate nothing once a workspace is there.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "backends/array_group.hpp"
#include "program/plan.hpp"

namespace tapegrad {

// How many threads a run may use if it is not told: 1 at first. Of the whole process.
int default_threads();
void set_default_threads(int threads);
bool has_openmp();  // else everything runs on one

class Executable {
 public:
  explicit Executable(Plan plan);
  ~Executable();
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  static constexpr std::int64_t kAllHold = -1;
  // Inputs and outputs: contiguous arrays of the plan's shapes and dtypes. Returns kAllHold, or the
  // index of the first guard that does not hold: the outputs mean nothing then.
  std::int64_t run(const void* const* inputs, void* const* outputs, int threads = 1) const;
  // The shortest time that each step of the plan took in so many runs, in seconds.
  std::vector<double> profile(const void* const* inputs, void* const* outputs, int repeats) const;

  const Plan& plan() const { return plan_; }
  // Long enough that other threads should get the interpreter lock meanwhile.
  bool is_long() const { return is_long_; }
  // Of one workspace, constants and code.
  std::size_t bytes() const;

 private:
  struct Workspace;
  struct Held;
  std::unique_ptr<Workspace> make_workspace() const;
  Workspace* acquire() const;
  void release(Workspace* workspace) const;
  void begin(Workspace& w, const void* const* inputs, void* const* outputs) const;
  void run_step(const Plan::Step& step, Workspace& w, int threads) const;
  void call(const OpCall& op, std::span<Array> operands, char* const* buffers, int threads) const;
  void finish_outputs(const Workspace& w, void* const* outputs) const;
  std::int64_t first_failure(const Workspace& w) const;

  Plan plan_;
  std::vector<PreparedGroup> groups_;
  std::size_t scratch_bytes_ = 0;
  bool is_long_ = false;
  mutable std::atomic<Workspace*> last_{nullptr};  // the one used last: no lock in the common case
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> spare_;
};

}  // namespace tapegrad
