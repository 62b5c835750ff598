// Writes recordings as bytes.
#include "program/serialise.hpp"

#include <map>

#include "base/bytes.hpp"
#include "base/copy.hpp"
#include "program/file_format.hpp"

namespace tapegrad {
namespace {

using namespace file_format;

class Serialiser {
 public:
  explicit Serialiser(const Recording& r) : r_(r), tape_(r.tape), is_input_(r.tape.size()) {
    for (NodeId id : r.inputs) is_input_[id] = true;
  }

  std::string run() {
    out_.extend(kHeaderBytes);
    collect();
    section(Section::ops, [&] { put_ops(); });
    section(Section::shapes, [&] { put_shapes(); });
    section(Section::nodes, [&] { put_nodes(); });
    section(Section::operands, [&] { put_operands(); });
    section(Section::attributes, [&] { put_attributes(); });
    section(Section::numbers, [&] { put_numbers(); });
    section(Section::constants, [&] { put_constants(); });
    section(Section::ends, [&] { put_ends(); });
    section(Section::guards, [&] { put_guards(); });
    section(Section::lines, [&] { put_lines(); });
    return finish();
  }

 private:
  template <class F>
  void section(Section tag, F&& content) {
    out_.put(static_cast<std::uint32_t>(tag));
    out_.put(std::uint32_t{0});
    const std::size_t length_at = out_.size();
    out_.put(std::uint64_t{0});
    content();
    out_.replace(length_at, static_cast<std::uint64_t>(out_.size() - length_at - 8));
    out_.align();
  }

  std::string finish() {
    std::string bytes = out_.take();
    const auto put = [&](std::size_t at, const auto& value) {
      std::memcpy(bytes.data() + at, &value, sizeof value);
    };
    std::memcpy(bytes.data(), kMagic.data(), kMagic.size());
    put(8, kFormatVersion);
    put(12, static_cast<std::uint32_t>(Section::count));
    put(kLengthAt, static_cast<std::uint64_t>(bytes.size()));
    put(kChecksumAt, crc64(std::string_view(bytes).substr(kHeaderBytes)));
    return bytes;
  }

  // What derivatives within the function were taken by is an input there, and a constant here.
  Op op_of(NodeId id) const {
    return tape_[id].op == Op::input && !is_input_[id] ? Op::constant : tape_[id].op;
  }

  // Ops and shapes are numbered as they come.
  void collect() {
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const auto [op, fresh_op] = op_index_.try_emplace(op_of(id), ops_.size());
      if (fresh_op) ops_.push_back(op_of(id));
      const Dims shape = tape_.meta(id).shape;
      require(shape.size() <= kMostAxes,
              "a program with arrays of more than 60 axes cannot be saved");
      const std::vector<std::int64_t> key(shape.begin(), shape.end());
      const auto [found, fresh_shape] = shape_index_.try_emplace(key, shapes_.size());
      if (fresh_shape) shapes_.push_back(shape);
      shape_of_.push_back(static_cast<std::uint32_t>(found->second));
    }
  }

  void put_ops() {
    out_.put(static_cast<std::uint64_t>(ops_.size()));
    for (Op op : ops_) out_.put_text(op_name(op));
  }
  void put_shapes() {
    out_.put(static_cast<std::uint64_t>(shapes_.size()));
    for (const Dims& shape : shapes_) {
      out_.put(static_cast<std::uint64_t>(shape.size()));
      for (auto n : shape) out_.put(n);
    }
  }
  Attrs attrs(NodeId id) { return tape_.attrs(tape_[id], immediate_); }
  void put_nodes() {
    out_.put(static_cast<std::uint64_t>(tape_.size()));
    for (NodeId id = 0; id < tape_.size(); ++id) {
      const Node& n = tape_[id];
      out_.put(static_cast<std::uint16_t>(op_index_.at(op_of(id))));
      out_.put(static_cast<std::uint16_t>(n.dtype));
      out_.put(shape_of_[id]);
      out_.put(static_cast<std::uint32_t>(tape_.operand_count(n)));
      out_.put(static_cast<std::uint32_t>(attrs(id).size()));
    }
  }
  void put_operands() {
    for (NodeId id = 0; id < tape_.size(); ++id)
      for (int i = 0, count = tape_.operand_count(tape_[id]); i < count; ++i)
        out_.put(tape_.operand(tape_[id], i));
  }
  void put_attributes() {
    std::map<std::int64_t, std::int64_t> places;  // of rules, as in `custom_rules`
    for (NodeId id = 0; id < tape_.size(); ++id) {
      Attrs rest = attrs(id);
      if (tape_[id].op == Op::custom) {
        const auto next = static_cast<std::int64_t>(places.size());
        out_.put(places.try_emplace(rest[0], next).first->second);
        rest = rest.subspan(1);
      }
      for (auto a : rest) out_.put(a);
    }
  }
  void put_numbers() {
    for (std::size_t i = 0; i < tape_.constants().size(); ++i) out_.put(tape_.constants()[i]);
  }

  // Dtype, axes, then for each axis extent and stride, then the numbers in the order of memory.
  void put_array(const Array& a) {
    const auto axes = axes_in_memory(a.shape(), a.strides());
    const Dims strides = a.size() == 0 ? Array::contiguous_strides(a.shape(), itemsize(a.dtype()))
                                       : dense_strides(a.shape(), axes, itemsize(a.dtype()));
    out_.put(static_cast<std::uint32_t>(a.dtype()));
    out_.put(static_cast<std::uint32_t>(a.shape().size()));
    for (std::size_t d = 0; d < a.shape().size(); ++d) {
      out_.put(a.shape()[d]);
      out_.put(strides[d]);
    }
    if (a.size() > 0) put_numbers_of(a, axes);
    out_.align();
  }
  void put_numbers_of(const Array& a, const std::vector<std::size_t>& axes) {
    const Dims shape = picked(a.shape(), axes);
    const std::int64_t item = itemsize(a.dtype());
    // Not straight into the bytes: those may not be aligned for the numbers.
    const Array dense = Array::empty(a.dtype(), shape);
    copy_into(a.view(shape, picked(a.strides(), axes), a.data()), dense);
    const auto bytes = static_cast<std::size_t>(shape.product() * item);
    std::memcpy(out_.extend(bytes), dense.data(), bytes);
  }
  void put_constants() {
    for (NodeId id = 0; id < tape_.size(); ++id)
      if (op_of(id) == Op::constant) put_array(tape_.value(id));
  }

  void put_ends() {
    out_.put(static_cast<std::uint64_t>(r_.inputs.size()));
    for (NodeId id : r_.inputs) out_.put(id);
    out_.align();
    out_.put(static_cast<std::uint64_t>(r_.outputs.size()));
    for (Operand o : r_.outputs) out_.put(o);
  }
  void put_guards() {
    out_.put(static_cast<std::uint64_t>(r_.guards.size()));
    for (const RecordedGuard& g : r_.guards) {
      out_.put(g.node);
      out_.put(g.line);
      put_array(g.expected);
    }
  }
  void put_lines() {
    out_.put(static_cast<std::uint64_t>(tape_.size()));
    for (NodeId id = 0; id < tape_.size(); ++id)
      out_.put(id < r_.lines.size() ? r_.lines[id] : std::uint32_t{0});
    out_.align();
    out_.put(static_cast<std::uint64_t>(r_.sources.size()));
    for (const UserLine& at : r_.sources) {
      out_.put(static_cast<std::int32_t>(at.line));
      out_.put_text(at.file);
    }
  }

  const Recording& r_;
  const Tape& tape_;
  std::vector<bool> is_input_;
  ByteWriter out_;
  std::int64_t immediate_ = 0;
  std::vector<Op> ops_;
  std::map<Op, std::size_t> op_index_;
  std::vector<Dims> shapes_;
  std::map<std::vector<std::int64_t>, std::size_t> shape_index_;
  std::vector<std::uint32_t> shape_of_;  // of each node
};

}  // namespace

std::vector<CustomRule::Handle> custom_rules(const Recording& recording) {
  std::vector<CustomRule::Handle> rules;
  std::map<std::int64_t, bool> seen;
  for (NodeId id = 0; id < recording.tape.size(); ++id) {
    const Node& n = recording.tape[id];
    std::int64_t immediate = 0;
    if (n.op != Op::custom) continue;
    const Attrs attrs = recording.tape.attrs(n, immediate);
    if (seen.try_emplace(attrs[0], true).second) rules.push_back(custom_rule(attrs));
  }
  return rules;
}

std::string serialise(const Recording& recording) { return Serialiser(recording).run(); }

}  // namespace tapegrad
