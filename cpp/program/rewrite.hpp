// A recording in the making: the nodes of another one run through a builder, some of them for many
// lanes at once. What derivatives and batches begin with.
#pragma once

#include <memory>
#include <optional>

#include "program/recording.hpp"
#include "sweeps/lanes.hpp"

namespace tapegrad {

class Rewrite {
 public:
  // `lanes` K > 0: the inputs marked in `batched` (none if it is empty) carry a leading axis of K.
  Rewrite(const Recording& source, const Passes& passes, std::int64_t lanes = 0,
          const std::vector<bool>& batched = {});

  // What the operand of the source has become.
  Term of(Operand o) {
    return is_constant(o) ? algebra.constant(Array::scalar(source_.tape.constant(o))) : terms_[o];
  }
  // The node of a term; assembled if it is scattered over scalars.
  Operand operand(Term t) { return builder.operand(lanes ? lanes->below(t) : t); }
  bool is_batched(Term t) const { return lanes && lanes->is_batched(t); }
  // A new input.
  Term input(const Meta& meta, bool batched = false);
  std::unique_ptr<Recording> finish();

  std::unique_ptr<Recording> made;
  Builder builder;
  std::optional<LaneAlgebra> lanes;
  Algebra& algebra;  // the builder, or the lanes over it

 private:
  void copy(NodeId id);

  const Recording& source_;
  std::vector<Term> terms_, in_;
};

}  // namespace tapegrad
