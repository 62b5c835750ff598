// The op `custom` and the table of the rules that nodes name.
#include "ops/custom.hpp"

#include <atomic>
#include <mutex>
#include <unordered_map>

#include "base/copy.hpp"

namespace tapegrad {
namespace {

// Numbers are never used twice, so one that outlives its rule names nothing.
std::atomic<std::int64_t> last_id{0};
std::mutex table_mutex;
std::unordered_map<std::int64_t, CustomRule*>& table() {
  static auto* const all = new std::unordered_map<std::int64_t, CustomRule*>;
  return *all;
}

}  // namespace

CustomRule::CustomRule() : id_(++last_id) {
  const std::lock_guard lock(table_mutex);
  table()[id_] = this;
}

CustomRule::~CustomRule() {
  const std::lock_guard lock(table_mutex);
  table().erase(id_);
}

CustomRule::Handle CustomRule::find(std::int64_t id) {
  const std::lock_guard lock(table_mutex);
  const auto found = table().find(id);
  // The handle is empty where the last owner is about to go.
  const Handle rule = found == table().end() ? nullptr : found->second->weak_from_this().lock();
  ensure(rule != nullptr, "whoever has a custom node keeps its rule");
  return rule;
}

Dims custom_attrs(const CustomRule& rule, const Meta& out) {
  Dims attrs = out.shape;
  attrs.insert(0, static_cast<std::int64_t>(out.dtype));
  attrs.insert(0, rule.id());
  return attrs;
}

namespace {

Meta custom_shape(std::span<const Meta>, Attrs attrs) {
  require(attrs.size() >= 2, "custom: a rule, a dtype and a shape");
  require(attrs[1] >= 0 && attrs[1] <= static_cast<std::int64_t>(DType::i64),
          "custom: an unknown dtype");
  for (auto n : attrs.subspan(2)) require(n >= 0, "custom: a negative extent");
  return {static_cast<DType>(attrs[1]), Dims(attrs.subspan(2))};
}

void custom_value(std::span<const Array> in, Attrs attrs, const Array& out) {
  if (out.contiguous()) return custom_rule(attrs)->value(in, out);
  const Array dense = Array::empty(out.dtype(), out.shape());
  custom_rule(attrs)->value(in, dense);
  copy_into(dense, out);
}

// Rules get arrays of the shapes and dtypes they know, where the algebra may have less.
Term whole(Algebra& algebra, Term t, const Meta& m) {
  if (t.is_literal()) return algebra.constant(Array::full(m.dtype, m.shape, t.literal));
  return broadcast_to(cast(t, m.dtype), m.shape);
}

CustomRule::Mask active_operands(const Rule& rule) {
  CustomRule::Mask active;
  for (int i = 0; i < rule.arity; ++i)
    active.push_back(rule.active(i) && is_differentiable(rule.in_meta(i).dtype));
  return active;
}

void push_operands(Rule& rule, std::vector<Term>& terms) {
  for (int i = 0; i < rule.arity; ++i)
    terms.push_back(whole(rule.algebra, rule.in(i), rule.in_meta(i)));
}

Term custom_tangent(Rule& rule) {
  const CustomRule::Mask active = active_operands(rule);
  const auto derived = custom_rule(rule.attrs)->tangent(active);
  const Meta out = rule.out_meta();
  std::vector<Term> in;
  push_operands(rule, in);
  in.push_back(whole(rule.algebra, rule.out(), out));
  for (int i = 0; i < rule.arity; ++i)
    if (active[static_cast<std::size_t>(i)])
      in.push_back(whole(rule.algebra, rule.tangent(i), rule.in_meta(i)));
  return rule.algebra.apply(Op::custom, in, custom_attrs(*derived, out));
}

// Hands the parts of a flat array to the operands they belong to.
void add_parts(Rule& rule, const std::vector<int>& operands, Term all) {
  std::int64_t start = 0;
  for (int i : operands) {
    const Meta m = rule.in_meta(i);
    const std::int64_t slice[] = {start, 1, m.shape.product()};
    start += slice[2];
    const Term part = rule.algebra.apply(Op::slice, {all}, slice);
    rule.add(i, cast(reshape(part, m.shape), m.dtype));
  }
}

void custom_adjoint(Rule& rule, Term adjoint) {
  const CustomRule::Mask active = active_operands(rule);
  std::vector<int> wanted;
  Meta packed{DType::b8, {0}};
  for (int i = 0; i < rule.arity; ++i) {
    if (!active[static_cast<std::size_t>(i)]) continue;
    const Meta m = rule.in_meta(i);
    wanted.push_back(i);
    packed.dtype = promote(packed.dtype, m.dtype);
    packed.shape[0] += m.shape.product();
  }
  if (wanted.empty()) return;
  if (wanted.size() == 1) packed = rule.in_meta(wanted[0]);
  const auto derived = custom_rule(rule.attrs)->adjoint(active);
  const Meta out = rule.out_meta();
  std::vector<Term> in{whole(rule.algebra, adjoint, out), whole(rule.algebra, rule.out(), out)};
  push_operands(rule, in);
  const Term all = rule.algebra.apply(Op::custom, in, custom_attrs(*derived, packed));
  if (wanted.size() == 1) rule.add(wanted[0], all);
  else add_parts(rule, wanted, all);
}

constexpr unsigned kNeedsAll = ~0u;

}  // namespace

const Rules rules::custom = {.shape = custom_shape,
                             .value = custom_value,
                             .tangent = custom_tangent,
                             .adjoint = custom_adjoint,
                             .needs = {kNeedsAll, kNeedsAll, kNeedsAll}};

}  // namespace tapegrad
