// Rules that come from outside, such as functions of Python: what the op `custom` refers to by
// number. The bindings implement them; tapes and plans keep those alive that their nodes name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/rules.hpp"

namespace tapegrad {

// A map from arrays to one array, and the maps that are its derivatives: rules again, so there are
// derivatives of any order. Equal operands must give equal results: programs share and fold nodes.
class CustomRule : public std::enable_shared_from_this<CustomRule> {
 public:
  using Handle = std::shared_ptr<CustomRule>;
  using Mask = std::vector<bool>;  // one entry an operand

  CustomRule();
  virtual ~CustomRule();
  CustomRule(const CustomRule&) = delete;
  CustomRule& operator=(const CustomRule&) = delete;

  // Fills `out`, which is C-contiguous. Raises Error where the function does.
  virtual void value(std::span<const Array> in, const Array& out) = 0;
  // (operands..., result, tangents of the active operands...) -> tangent of the result.
  virtual Handle tangent(const Mask& active) = 0;
  // (adjoint, result, operands...) -> the adjoint of the active operand; of several one flat array
  // with their numbers one after the other.
  virtual Handle adjoint(const Mask& active) = 0;
  // The same map for many lanes: the operands of the mask and the result carry them in front.
  virtual Handle batched(const Mask& operands, std::int64_t lanes) = 0;
  virtual std::string name() const = 0;

  std::int64_t id() const { return id_; }
  // The rule of a node; raises a defect if nobody keeps it.
  static Handle find(std::int64_t id);

 private:
  const std::int64_t id_;
};

// The attributes of a node: number of the rule, dtype code and shape of the result.
Dims custom_attrs(const CustomRule& rule, const Meta& out);
inline CustomRule::Handle custom_rule(Attrs attrs) { return CustomRule::find(attrs[0]); }

}  // namespace tapegrad
