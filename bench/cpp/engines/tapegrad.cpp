// tapegrad: one tape, cleared by each gradient and refilled.
#include <tapegrad/tapegrad.hpp>

#include "../harness.hpp"

namespace bench {
namespace {

class TapegradEngine {
 public:
  static constexpr const char* name = "tapegrad";

  explicit TapegradEngine(std::int64_t) {}

  template <class F>
  double gradient(const F& f, const std::vector<double>& x, std::vector<double>& gradient) {
    tape_.clear();
    const tapegrad::Recording recording(tape_);
    const std::vector<tapegrad::Var> input = tapegrad::inputs(tape_, x);
    const tapegrad::Var y = f(input);
    gradient = tapegrad::gradient(tape_, y, input);
    return y.value();
  }

 private:
  tapegrad::Tape tape_;
};

}  // namespace

void add_tapegrad(Comparison& comparison) { comparison.add<TapegradEngine>(); }

}  // namespace bench
