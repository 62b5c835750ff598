// CppAD: one ADFun refilled by every recording, comparisons not recorded, freed memory held by its
// allocator, as its speed tests do. Its debug checks are off in builds with NDEBUG.
#include <cppad/cppad.hpp>

#include "../harness.hpp"

namespace bench {
namespace {

class CppadEngine {
 public:
  static constexpr const char* name = "cppad";

  explicit CppadEngine(std::int64_t) {
    CppAD::thread_alloc::hold_memory(true);
    fun_.check_for_nan(false);
  }

  template <class F>
  double gradient(const F& f, const std::vector<double>& x, std::vector<double>& gradient) {
    std::vector<CppAD::AD<double>> input(x.begin(), x.end());
    CppAD::Independent(input, /*abort_op_index=*/0, /*record_compare=*/false);
    const std::vector<CppAD::AD<double>> output{f(input)};
    fun_.Dependent(input, output);
    const double value = fun_.Forward(0, x)[0];
    gradient = fun_.Reverse(1, std::vector<double>{1.0});
    return value;
  }

 private:
  CppAD::ADFun<double> fun_;
};

}  // namespace

void add_cppad(Comparison& comparison) { comparison.add<CppadEngine>(); }

}  // namespace bench
