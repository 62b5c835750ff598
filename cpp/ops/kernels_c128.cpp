// Elementwise kernels for Complex, for the ops that are defined there.
#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

template <Op op, int operand>
void put(Kernel* column) {
  if constexpr (math::Formula<op>::complex) {
    Kernel& k = column[static_cast<int>(op)];
    k.pull[operand][0] = loops::pull<op, operand, Complex, false>;
    k.pull[operand][1] = loops::pull<op, operand, Complex, true>;
  }
}

}  // namespace

void fill_c128(Kernel* column) {
  loops::fill_values<Complex>(column);
#define UNARY(name, ...) put<Op::name, 0>(column);
#define BINARY(name, ...)   \
  put<Op::name, 0>(column); \
  put<Op::name, 1>(column);
#include "ops/elementwise.def"
}

}  // namespace tapegrad
