// The rules of structured ops: what a family file defines for each op, and the view of a node that
// a rule works on.
#pragma once

#include "ops/algebra.hpp"

namespace tapegrad {

// One node as a rule sees it, in the algebra of the running sweep.
class Rule {
 public:
  Rule(Algebra& algebra, Op op, Attrs attrs, int arity)
      : algebra(algebra), op(op), attrs(attrs), arity(arity) {}
  virtual ~Rule() = default;
  virtual Term in(int i) = 0;  // value of operand i; the op must have declared the need
  virtual Term out() = 0;      // value of the result; likewise
  virtual Meta in_meta(int i) const = 0;
  virtual Meta out_meta() const = 0;
  virtual bool active(int i) const = 0;            // tangent: has one; adjoint: wants one
  virtual Term tangent(int i) = 0;                 // of an active operand
  virtual void add(int i, Term contribution) = 0;  // to the adjoint of an active operand
  // What an elementwise slope hands on of an adjoint.
  virtual Term hand_on(Term adjoint, Term slope) { return scale(adjoint, slope); }

  Algebra& algebra;
  const Op op;
  const Attrs attrs;
  const int arity;
};

// Which values the derivative with respect to operand i reads: bit j for operand j, or the result.
inline constexpr unsigned kNeedsOut = 1u << 31;

// How an op takes operands that carry a leading axis of directions.
enum class Lanes : std::uint8_t {
  loop,     // one direction after the other, then stacked
  aligned,  // the op broadcasts leading axes by itself, like a ufunc
  shifted,  // the same op with other attributes (`shift`)
};

struct Rules {
  // Shape and dtype of the result; raises Error for shapes that do not fit.
  Meta (*shape)(std::span<const Meta> in, Attrs attrs);

  // Value, exactly one of: fill `out`; re-index without copying; overwrite a part of operand 0,
  // which is done in place when the caller gave up its handle.
  void (*value)(std::span<const Array> in, Attrs attrs, const Array& out) = nullptr;
  Array (*view)(const Array& in, Attrs attrs) = nullptr;
  void (*update)(const Array& base, std::span<const Array> rest, Attrs attrs) = nullptr;

  // Both null: the result is bool or int64 and carries no derivative.
  Term (*tangent)(Rule& rule);
  void (*adjoint)(Rule& rule, Term adjoint);
  unsigned needs[3] = {0, 0, 0};

  Lanes lanes = Lanes::loop;
  void (*shift)(Attrs attrs, const Meta& in, Dims& shifted) = nullptr;

  // Optional, for ops that touch a part of operand 0: add the adjoint of the result into an adjoint
  // of operand 0 that exists, at the cost of the part.
  void (*accumulate)(const Array& into, const Array& adjoint, std::span<const Array> rest,
                     Attrs attrs) = nullptr;
};

const Rules& rules_of(Op op);  // structured ops only

// Tangent of an op that is linear in all its operands: itself applied to the tangents (zeros where
// an operand is inactive).
Term linear_tangent(Rule& rule);
// Shape rule of ops that keep shape and dtype.
Meta same_meta(std::span<const Meta> in, Attrs attrs);

namespace rules {
#define STRUCTURED(name, arity, family) extern const Rules name;
#include "ops/structured.def"
}  // namespace rules

// Applies any op to arrays: dtype promotion, broadcasting, allocation, value. For an op that
// updates, operand 0 is written in place if `in[0]` is its only handle.
Array evaluate(Op op, std::span<Array> in, Attrs attrs);
bool is_view(Op op);
// Whether the result lies in memory as the operands do: elementwise ops, views, where, cast.
bool follows_order(Op op);
inline Array evaluate(Op op, std::initializer_list<Array> in, Attrs attrs = {}) {
  std::array<Array, 4> copy;
  std::copy(in.begin(), in.end(), copy.begin());
  return evaluate(op, std::span<Array>(copy.data(), in.size()), attrs);
}

}  // namespace tapegrad
