// A recording in the making.
#include "program/rewrite.hpp"

namespace tapegrad {

Rewrite::Rewrite(const Recording& source, const Passes& passes, std::int64_t k,
                 const std::vector<bool>& batched)
    : made(std::make_unique<Recording>()),
      builder(made->tape, passes),
      lanes(k > 0 ? std::make_optional<LaneAlgebra>(builder, k) : std::nullopt),
      algebra(lanes ? static_cast<Algebra&>(*lanes) : builder),
      source_(source) {
  made->sources = source.sources;
  terms_.resize(source.tape.size());
  for (std::size_t i = 0; i < source.inputs.size(); ++i) {
    const NodeId id = source.inputs[i];
    terms_[id] = input(source.tape.meta(id), !batched.empty() && batched[i]);
  }
  for (NodeId id = 0; id < source.tape.size(); ++id) copy(id);
}

Term Rewrite::input(const Meta& meta, bool batched) {
  Meta whole = meta;
  if (batched) whole.shape.insert(0, lanes->lanes());
  const Term t = builder.input(whole);
  made->inputs.push_back(t.id);
  if (!lanes) return t;
  return batched ? lanes->batched(t) : lanes->same(t);
}

void Rewrite::copy(NodeId id) {
  const Node& n = source_.tape[id];
  if (terms_[id].algebra) return;
  builder.at_line(id < source_.lines.size() ? source_.lines[id] : 0);
  if (n.op == Op::constant || n.op == Op::input) {  // the input of a derivative within the function
    terms_[id] = algebra.constant(source_.tape.value(id));
    return;
  }
  std::int64_t immediate = 0;
  const int count = source_.tape.operand_count(n);
  in_.clear();
  for (int i = 0; i < count; ++i) in_.push_back(of(source_.tape.operand(n, i)));
  terms_[id] = algebra.apply(n.op, in_, source_.tape.attrs(n, immediate));
}

std::unique_ptr<Recording> Rewrite::finish() {
  made->lines = builder.lines();
  return std::move(made);
}

}  // namespace tapegrad
