// The registry of structured rules and the small rules they share.
#include "ops/rules.hpp"

#include <vector>

namespace tapegrad {

const Rules& rules_of(Op op) {
  static const Rules* const table[] = {
#define STRUCTURED(name, arity, family) &rules::name,
#include "ops/structured.def"
  };
  ensure(kind_of(op) == OpKind::structured, "rules of a structured op");
  return *table[static_cast<int>(op) - static_cast<int>(Op::where)];
}

Term linear_tangent(Rule& rule) {
  std::vector<Term> tangents(rule.arity);
  for (int i = 0; i < rule.arity; ++i)
    tangents[i] =
        rule.active(i)
            ? rule.tangent(i)
            : rule.algebra.constant(Array::zeros(rule.in_meta(i).dtype, rule.in_meta(i).shape));
  return rule.algebra.apply(rule.op, tangents, rule.attrs);
}

Meta same_meta(std::span<const Meta> in, Attrs) { return in[0]; }

}  // namespace tapegrad
