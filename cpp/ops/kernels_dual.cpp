// Second-order elementwise kernels for double.
#include "ops/kernel_loops.hpp"

namespace tapegrad {
namespace {

template <Op op, int operand>
void put(Kernel& k) {
  k.pull2[operand][0] = loops::pull2<op, operand, double, false>;
  k.pull2[operand][1] = loops::pull2<op, operand, double, true>;
}

}  // namespace

void fill_dual(Kernel* column) {
#define UNARY(name, ...) put<Op::name, 0>(column[static_cast<int>(Op::name)]);
#define BINARY(name, ...)                           \
  put<Op::name, 0>(column[static_cast<int>(Op::name)]); \
  put<Op::name, 1>(column[static_cast<int>(Op::name)]);
#include "ops/elementwise.def"
}

}  // namespace tapegrad
