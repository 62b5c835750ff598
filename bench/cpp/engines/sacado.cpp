// Sacado's first-order reverse mode, Rad::ADvar: its partials are computed while recording, and
// its blocks are kept from one Gradcomp to the next. It has no tape to replay.

// Without its configuration header Sacado needs neither Kokkos nor MPI, which Rad does not use.
#define TRILINOS_NO_CONFIG_H
#include <Sacado_trad.hpp>

#include "../harness.hpp"

namespace bench {
namespace {

class SacadoEngine {
 public:
  static constexpr const char* name = "sacado";

  explicit SacadoEngine(std::int64_t) {}

  template <class F>
  double gradient(const F& f, const std::vector<double>& x, std::vector<double>& gradient) {
    using Scalar = Sacado::Rad::ADvar<double>;
    const std::vector<Scalar> input(x.begin(), x.end());
    const Scalar y = f(input);
    const double value = y.val();
    Scalar::Gradcomp();
    for (std::size_t i = 0; i < x.size(); ++i) gradient[i] = input[i].adj();
    return value;
  }
};

}  // namespace

void add_sacado(Comparison& comparison) { comparison.add<SacadoEngine>(); }

}  // namespace bench
