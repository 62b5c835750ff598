// tapegrad: a Program, recorded once and replayed.
#include <tapegrad/program.hpp>

#include "../harness.hpp"

namespace bench {
namespace {

class ProgramEngine {
 public:
  static constexpr const char* name = "tapegrad";

  template <class F>
  ProgramEngine(const F& f, const std::vector<double>& x, std::int64_t) : program_(f, x) {}

  double gradient(const std::vector<double>& x, std::vector<double>& gradient) {
    return program_.value_and_gradient(x, gradient);
  }
  void product(const std::vector<double>& x, const std::vector<double>& v,
               std::vector<double>& product) {
    program_.hvp(x, v, product);
  }

 private:
  tapegrad::Program program_;
};

}  // namespace

void add_program(Comparison& comparison) { comparison.add_replayed<ProgramEngine>(); }

}  // namespace bench
