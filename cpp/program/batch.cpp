// Many instances in one program.
#include "program/batch.hpp"

#include "base/iterate.hpp"
#include "program/rewrite.hpp"

namespace tapegrad {
namespace {

Array is_nan(const Array& a) { return evaluate(Op::not_equal, {a, a}); }
bool any(const Array& truths) {
  for (std::int64_t i = 0; i < truths.size(); ++i)
    if (truths.at<bool>(i)) return true;
  return false;
}

// Where every element is what it was when the guard was recorded: NaN is equal to NaN.
Term holds(Term node, const Array& expected) {
  Algebra& algebra = *node.algebra;
  Term equal = node == algebra.constant(expected);
  if (const Array nan = is_nan(expected); any(nan))
    equal = select(algebra.constant(nan), algebra.apply(Op::not_equal, {node, node}), equal);
  if (expected.ndim() == 0) return equal;
  Dims all{0};
  for (int d = 0; d < expected.ndim(); ++d) all.push_back(d);
  return algebra.apply(Op::min, {cast(equal, DType::f64)}, all) == Term(1.0);
}

// `failed` where the guard holds, its number elsewhere.
Term unless_holds(Term node, const RecordedGuard& guard, std::size_t number, Term failed) {
  const Term here(static_cast<double>(number));
  if (guard.expected.size() == 0) return failed;
  if (guard.expected.ndim() == 0 && guard.expected.dtype() == DType::b8)
    return guard.expected.at<bool>() ? select(node, failed, here) : select(node, here, failed);
  return select(holds(node, guard.expected), failed, here);
}

}  // namespace

Batch batched(const Recording& source, const std::vector<bool>& inputs, std::int64_t instances,
              const Passes& passes) {
  require(inputs.size() == source.inputs.size(), "batch: as many marks as there are inputs");
  require(instances > 0, "batch: at least one instance");
  Rewrite copy(source, passes, instances, inputs);
  Batch made;
  for (std::size_t k = 0; k < source.guards.size(); ++k) {
    const RecordedGuard& g = source.guards[k];
    const Term node = copy.of(g.node);
    if (copy.is_batched(node)) {
      made.checks = true;
      continue;
    }
    copy.made->guards.push_back({copy.operand(node), g.expected, g.line});
    made.guards.push_back(k);
  }
  for (Operand o : source.outputs) {
    const Term t = copy.of(o);
    made.carries.push_back(copy.is_batched(t));
    copy.made->outputs.push_back(copy.operand(t));
  }
  if (made.checks) {
    Term failed(-1.0);
    for (std::size_t k = source.guards.size(); k-- > 0;)
      if (const Term node = copy.of(source.guards[k].node); copy.is_batched(node))
        failed = unless_holds(node, source.guards[k], k, failed);
    copy.made->outputs.push_back(copy.builder.operand(copy.lanes->spread(failed)));
  }
  made.recording = copy.finish();
  return made;
}

}  // namespace tapegrad
