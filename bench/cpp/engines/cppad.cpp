// CppAD: one ADFun refilled by every recording, comparisons not recorded, freed memory held by its
// allocator, as its speed tests do; and one that is optimized and replayed. Its debug checks are
// off in builds with NDEBUG.
#include <cppad/cppad.hpp>

#include "../harness.hpp"

namespace bench {
namespace {

using Fun = CppAD::ADFun<double>;

template <class F>
void record(const F& f, const std::vector<double>& x, Fun& fun) {
  std::vector<CppAD::AD<double>> input(x.begin(), x.end());
  CppAD::Independent(input, /*abort_op_index=*/0, /*record_compare=*/false);
  const std::vector<CppAD::AD<double>> output{f(input)};
  fun.Dependent(input, output);
}

double sweep(Fun& fun, const std::vector<double>& x, std::vector<double>& gradient) {
  const double value = fun.Forward(0, x)[0];
  gradient = fun.Reverse(1, std::vector<double>{1.0});
  return value;
}

void prepare(Fun& fun) {
  CppAD::thread_alloc::hold_memory(true);
  fun.check_for_nan(false);
}

class CppadEngine {
 public:
  static constexpr const char* name = "cppad";

  explicit CppadEngine(std::int64_t) { prepare(fun_); }

  template <class F>
  double gradient(const F& f, const std::vector<double>& x, std::vector<double>& gradient) {
    record(f, x, fun_);
    return sweep(fun_, x, gradient);
  }

 private:
  Fun fun_;
};

class CppadReplay {
 public:
  static constexpr const char* name = "cppad";

  template <class F>
  CppadReplay(const F& f, const std::vector<double>& x, std::int64_t) {
    prepare(fun_);
    record(f, x, fun_);
    fun_.optimize("no_compare_op");
  }

  double gradient(const std::vector<double>& x, std::vector<double>& gradient) {
    return sweep(fun_, x, gradient);
  }
  // Second-order reverse: for each input the entries of the gradient and of the product in turn.
  void product(const std::vector<double>& x, const std::vector<double>& v,
               std::vector<double>& product) {
    fun_.Forward(0, x);
    fun_.Forward(1, v);
    const std::vector<double> both = fun_.Reverse(2, std::vector<double>{1.0});
    for (std::size_t i = 0; i < x.size(); ++i) product[i] = both[2 * i + 1];
  }

 private:
  Fun fun_;
};

}  // namespace

void add_cppad(Comparison& comparison) {
  comparison.add<CppadEngine>();
  comparison.add_replayed<CppadReplay>();
}

}  // namespace bench
