// Readable, stable text of recordings and plans.
#include "program/listing.hpp"

#include <cstdio>
#include <map>

#include "ops/custom.hpp"

namespace tapegrad {
namespace {

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", v);
  double back = 0;
  for (int digits = 1; digits < 17; ++digits) {
    char shorter[32];
    std::snprintf(shorter, sizeof shorter, "%.*g", digits, v);
    if (std::sscanf(shorter, "%lf", &back) == 1 && back == v) return shorter;
  }
  return text;
}

std::string meta_text(const Meta& m) {
  std::string s = dtype_name(m.dtype);
  if (m.shape.empty()) return s;
  s += '[';
  for (std::size_t i = 0; i < m.shape.size(); ++i) {
    if (i) s += ", ";
    s += std::to_string(m.shape[i]);
  }
  s += ']';
  return s;
}

std::string operand_text(const Tape& tape, Operand o) {
  if (is_constant(o)) return number(tape.constant(o));
  std::string s = "%";
  s += std::to_string(o);
  return s;
}

// Files by their names alone: the text is the same wherever the code lies.
std::string line_text(const Recording& r, std::uint32_t line) {
  if (!line) return "";
  const UserLine& at = r.sources[line];
  return "  # " + at.file.substr(at.file.find_last_of("/\\") + 1) + ":" + std::to_string(at.line);
}

// What outputs or guards depend on, and the inputs.
std::vector<bool> used_nodes(const Recording& r) {
  std::vector<bool> used(r.tape.size());
  auto use = [&](Operand o) {
    if (!is_constant(o)) used[o] = true;
  };
  for (NodeId id : r.inputs) use(id);
  for (Operand o : r.outputs) use(o);
  for (auto& g : r.guards) use(g.node);
  for (NodeId id = r.tape.size(); id-- > 0;) {
    const Node& n = r.tape[id];
    if (!used[id] || n.op == Op::input || n.op == Op::constant) continue;
    for (int i = 0, count = r.tape.operand_count(n); i < count; ++i) use(r.tape.operand(n, i));
  }
  return used;
}

std::string value_text(const Array& value) {
  if (value.size() != 1) return "an array of " + meta_text(value.meta());
  std::string text;
  dispatch(value.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T v = *value.ptr<T>();
    if constexpr (std::is_same_v<T, Complex>)
      text = number(v.real()) + "+" + number(v.imag()) + "j";
    else if constexpr (std::is_same_v<T, bool>) text = v ? "True" : "False";
    else text = number(static_cast<double>(v));
  });
  return text;
}

// By name: the number of a rule is another one in each process.
std::string attrs_text(Op op, Attrs attrs) {
  if (op == Op::custom) return " {" + custom_rule(attrs)->name() + "}";
  return attrs.empty() ? "" : " {" + Dims(attrs).str() + "}";
}

// ---- steps ----

std::string buffer_text(const Plan& p, const Place& place) {
  BufferId b = place.buffer;
  std::string s;
  if (b == Plan::kWorkspace) s = "workspace";
  else if ((b -= 1) < p.inputs.size()) s = "input " + std::to_string(b);
  else if ((b -= p.inputs.size()) < p.outputs.size()) s = "output " + std::to_string(b);
  else s = "constant " + std::to_string(b - p.outputs.size());
  if (place.offset != 0 || place.buffer == Plan::kWorkspace) {
    s += '+';
    s += std::to_string(place.offset);
  }
  return s;
}

std::string access_text(const Plan& p, const Access& a, const Dims& shape) {
  const bool mask = a.place.buffer == kTruth;
  std::string s = mask ? "inside" : buffer_text(p, a.place);
  if (!mask && !Array::is_contiguous(shape, a.strides, itemsize(a.dtype)))
    s += " strides " + a.strides.str();
  for (const auto& w : a.windows) {
    s += w.edge == Access::Edge::wrap ? " rolled by " : " shifted by ";
    s += std::to_string(-w.shift);
    s += " along " + std::to_string(w.axis);
  }
  return s;
}

class GroupText {
 public:
  GroupText(const Plan& p, const Group& g) : p_(p), g_(g) {}

  std::string run() const {
    std::string s = "loop over " + g_.shape.str() + "\n";
    std::size_t r = 0;
    for (const Access& a : g_.loads)
      s += "  r" + std::to_string(r++) + " = " + access_text(p_, a, g_.shape) + "\n";
    for (const MicroOp& op : g_.ops) s += op_text(op);
    for (const auto& store : g_.stores)
      s += "  " + access_text(p_, store.out, g_.shape) + " = " + value(store.value) + "\n";
    for (const Reduction& out : g_.reductions)
      s += "  " + buffer_text(p_, out.out.place) + " = " + std::string(op_name(out.op)) + " of " +
           value(out.value) + "\n";
    return s;
  }

 private:
  std::string value(Register r) const {
    const std::size_t constant = r - g_.loads.size();
    if (r >= g_.loads.size() && constant < g_.constants.size())
      return number(g_.constants[constant].value);
    std::string s = "r";
    s += std::to_string(r < g_.loads.size() ? r : r - g_.constants.size());
    return s;
  }
  std::string op_text(const MicroOp& op) const {
    std::string s = "  " + value(op.result) + " = " + std::string(op_name(op.op));
    for (int i = 0; i < arity_of(op.op); ++i) s += " " + value(op.in[i]);
    return s + "\n";
  }

  const Plan& p_;
  const Group& g_;
};

std::string call_text(const Plan& p, const OpCall& c) {
  std::string s = buffer_text(p, c.out.place) + " = " + std::string(op_name(c.op));
  for (const Location& l : c.in) s += " (" + buffer_text(p, l.place) + ")";
  s += attrs_text(c.op, c.attrs);
  return s + " : " + meta_text({c.out.dtype, c.out.shape}) + "\n";
}

std::string scalars_text(const Plan::Step& step) {
  std::map<std::string_view, std::uint32_t> counts;
  std::uint32_t all = 0;
  for (const auto& share : step.shares) {
    counts[op_name(share.op)] += share.count;
    all += share.count;
  }
  std::string s = "scalars, " + std::to_string(all) + " ops:";
  for (auto& [name, count] : counts) {
    s += " " + std::to_string(count);
    s += " " + std::string(name) + ",";
  }
  s.back() = '\n';
  return s;
}

}  // namespace

std::string listing(const Recording& r, bool unused) {
  std::string s;
  const std::vector<bool> used = unused ? std::vector<bool>(r.tape.size(), true) : used_nodes(r);
  for (NodeId id = 0; id < r.tape.size(); ++id) {
    if (!used[id]) continue;
    const Node& n = r.tape[id];
    s += operand_text(r.tape, id) + " = " + std::string(op_name(n.op));
    const bool leaf = n.op == Op::input || n.op == Op::constant;
    for (int i = 0, count = leaf ? 0 : r.tape.operand_count(n); i < count; ++i)
      s += " " + operand_text(r.tape, r.tape.operand(n, i));
    std::int64_t immediate = 0;
    s += attrs_text(n.op, r.tape.attrs(n, immediate));
    s += " : " + meta_text(r.tape.meta(id)) + line_text(r, id < r.lines.size() ? r.lines[id] : 0);
    s += "\n";
  }
  for (auto& g : r.guards)
    s += "guard " + operand_text(r.tape, g.node) + " is " + value_text(g.expected) +
         line_text(r, g.line) + "\n";
  s += "return";
  for (Operand o : r.outputs) s += " " + operand_text(r.tape, o);
  return s + "\n";
}

std::string listing(const Plan& p) {
  std::string s;
  for (const auto& step : p.steps) {
    if (step.kind == Plan::Kind::op) s += call_text(p, p.ops[step.index]);
    else if (step.kind == Plan::Kind::scalars) s += scalars_text(step);
    else s += GroupText(p, p.groups[step.index]).run();
  }
  for (const auto& check : p.checks)
    s += "check " + buffer_text(p, check.source.place) + " is " + value_text(check.expected) + "\n";
  s += "return";
  for (const auto& out : p.outputs) s += " (" + buffer_text(p, out.source.place) + ")";
  s += "\nworkspace of ";
  s += std::to_string(p.workspace_bytes);
  return s + " bytes\n";
}

}  // namespace tapegrad
