// Makes the tape of a program: an algebra whose terms are nodes without values. What is appended is
// simplified on the way (constants folded, equal nodes shared, identities applied), so derivative
// sweeps that run in this algebra give programs that are already small.
#pragma once

#include <optional>
#include <vector>

#include "ops/rules.hpp"
#include "tape/tape.hpp"

namespace tapegrad {

// Which simplifications are made; all are on unless somebody wants to see what they do.
struct Passes {
  bool fold = true;        // ops on constants are computed once, now
  bool share = true;       // equal ops on equal operands are one node
  bool identities = true;  // x * 1, slices of slices, elements of arrays made of scalars, ...
  bool fuse = true;        // elementwise ops and reductions run as one loop
  bool order = true;       // arrays whose last axis is short lie with their longest one innermost
  bool recompute = true;   // cheap values are computed again rather than stored
  bool reuse = true;       // results go into memory that is no longer read
};

// The number that an array holds at every index, if it is one and no complex one.
std::optional<double> repeated_number(const Array& a);

class Builder final : public Algebra {
 public:
  Builder(Tape& tape, const Passes& passes) : tape(tape), passes_(passes) {}

  using Algebra::apply;
  Term apply(Op op, std::span<const Term> in, Attrs attrs) override;
  Meta meta(Term t) const override;
  Term constant(const Array& value) override;

  Term input(const Meta& meta);
  Term term(Operand o) { return {this, o}; }
  // The node of a term; assembles an array that is still scattered over scalars.
  Operand operand(Term t);
  // An array of zeros with some float64 elements (flat index, value), not yet assembled.
  Term scattered(const Dims& shape, std::span<const std::pair<std::int64_t, Term>> elements);
  bool is_node(Term t) const { return !t.is_literal() && !is_virtual(t.id); }

  // Takes back the nodes from `end` on, which no other refers to.
  void truncate(NodeId end);

  // Nodes appended from now on belong to this line of the user's code.
  void at_line(std::uint32_t line) { line_ = line; }
  const std::vector<std::uint32_t>& lines() const { return lines_; }

  Tape& tape;

 private:
  // An array that code builds or reads element by element lives as scalars: no node is made for an
  // assignment, and reading an element gives the scalar. Old versions are kept as differences to
  // the next one (Baker's trick), so an assignment costs the same however large the array is.
  struct Scattered {
    Operand base = kNoOperand;      // elements that are kNoOperand are those of `base`; none: 0
    std::vector<Operand> elements;  // empty: see `next`
    Dims shape;
    std::uint32_t next = 0;          // the version after this one, in which ...
    std::int64_t index = -1;         // ... this element was replaced, ...
    Operand replaced = kNoOperand;   // ... which had been this
    Operand assembled = kNoOperand;  // node, once somebody needs the whole
  };
  static constexpr std::uint32_t kVirtualBit = 0x40000000u;
  static bool is_virtual(std::uint32_t id) { return (id & kVirtualBit) && !is_constant(id); }
  Scattered& scattered_of(Term t) { return scattered_[t.id & ~kVirtualBit]; }
  Term put(Scattered s) {
    scattered_.push_back(std::move(s));
    return {this, static_cast<std::uint32_t>(scattered_.size() - 1) | kVirtualBit};
  }
  Operand element(std::uint32_t which, std::int64_t index) const;
  std::optional<Term> item_of(Term array, std::int64_t index);
  std::optional<Term> item_set_of(Term array, Term value, std::int64_t index);
  Operand assemble(std::uint32_t which);

  Term scalar(Op op, std::span<const Term> in);
  Operand scalar_operand(Term t);
  bool is_scalar(Term t) const;
  bool is_known(Operand o) const { return is_constant(o) || tape[o].op == Op::constant; }
  std::optional<double> number(Operand o) const;  // of a constant with one repeated value
  Term literal(double value, DType dtype);

  Term general(Op op, std::vector<Operand>& operands, Attrs attrs);
  Meta shape_of(Op op, std::span<const Operand> operands, Attrs attrs) const;
  void convert(Op op, std::vector<Operand>& operands);
  Operand cast_to(Operand o, DType dtype);
  std::optional<Term> folded(Op op, std::span<const Operand> operands, Attrs attrs);
  std::optional<Term> simplified(Op op, std::vector<Operand>& operands, Attrs attrs,
                                 const Meta& out);
  std::optional<Term> simplified_elementwise(Op op, std::vector<Operand>& operands,
                                             const Meta& out);
  std::optional<Term> simplified_view(Op op, Operand x, Attrs attrs, const Meta& out);
  std::optional<Term> outer_product(std::span<const Operand> operands);
  void sink_broadcasts(std::vector<Operand>& operands, const Meta& out) const;

  NodeId append(Op op, std::span<const Operand> operands, Attrs attrs, const Meta& out);
  NodeId shared(Op op, std::span<const Operand> operands, Attrs attrs, const Meta& out);
  std::uint64_t hash(Op op, std::span<const Operand> operands, Attrs attrs, DType dtype) const;
  bool same(NodeId id, Op op, std::span<const Operand> operands, Attrs attrs,
            const Meta& out) const;
  void rehash(std::size_t size);

  Passes passes_;
  std::vector<Scattered> scattered_;
  std::vector<NodeId> table_;          // open addressing over the nodes that can be shared
  std::vector<std::uint32_t> hashes_;  // of each node, 0: not in the table
  std::size_t entries_ = 0;
  std::uint32_t line_ = 0;
  std::vector<std::uint32_t> lines_;
};

}  // namespace tapegrad
