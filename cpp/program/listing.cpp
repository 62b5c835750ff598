// Readable, stable text of recordings and plans.
#include "program/listing.hpp"

#include <cstdio>

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

}  // namespace

std::string listing(const Recording& r) {
  std::string s;
  for (NodeId id = 0; id < r.tape.size(); ++id) {
    const Node& n = r.tape[id];
    s += "%" + std::to_string(id) + " = " + std::string(op_name(n.op));
    for (int i = 0, count = r.tape.operand_count(n); i < count; ++i)
      s += " " + operand_text(r.tape, r.tape.operand(n, i));
    std::int64_t immediate = 0;
    const Attrs attrs = r.tape.attrs(n, immediate);
    if (!attrs.empty()) s += " {" + Dims(attrs).str() + "}";
    s += " : " + meta_text(r.tape.meta(id));
    if (id < r.lines.size() && r.lines[id]) {
      const UserLine& at = r.sources[r.lines[id]];
      s += "  # " + at.file + ":" + std::to_string(at.line);
    }
    s += "\n";
  }
  for (auto& g : r.guards) s += "guard " + operand_text(r.tape, g.node) + "\n";
  s += "return";
  for (Operand o : r.outputs) s += " " + operand_text(r.tape, o);
  return s + "\n";
}

std::string listing(const Plan& p) {
  std::string s;
  for (const auto& step : p.steps) {
    if (step.kind == Plan::Kind::op) {
      const OpCall& c = p.ops[step.index];
      s += "call " + std::string(op_name(c.op)) + " : " + meta_text({c.out.dtype, c.out.shape}) +
           "\n";
    } else if (step.kind == Plan::Kind::scalars) {
      s += "scalars, " + std::to_string(p.scalars[step.index].slot.size()) + " ops\n";
    } else {
      const Group& g = p.groups[step.index];
      s += "loop over " + g.shape.str() + ": " + std::to_string(g.loads.size()) + " loads,";
      for (auto& op : g.ops) s += " " + std::string(op_name(op.op));
      s += ", " + std::to_string(g.stores.size()) + " stores";
      for (auto& r : g.reductions) s += ", " + std::string(op_name(r.op)) + " out";
      s += "\n";
    }
  }
  return s + "workspace " + std::to_string(p.workspace_bytes) + " bytes\n";
}

}  // namespace tapegrad
