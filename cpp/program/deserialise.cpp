// Reads recordings from bytes that may be anything: every number is checked before it is used.
#include <optional>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/iterate.hpp"
#include "ops/elementwise.hpp"
#include "program/file_format.hpp"
#include "program/serialise.hpp"

namespace tapegrad {
namespace {

using namespace file_format;
__extension__ typedef __int128 Wide;  // sizes that may not fit 64 bits

constexpr const char* kWhat = "the program";
constexpr std::int64_t kGreatest = std::int64_t{1} << 62;

Op op_named(std::string_view name) {
  static const auto* const ops = [] {
    auto* all = new std::unordered_map<std::string_view, Op>;
    for (int i = 0; i < static_cast<int>(Op::count); ++i)
      (*all)[op_name(static_cast<Op>(i))] = static_cast<Op>(i);
    return all;
  }();
  const auto found = ops->find(name);
  if (found == ops->end())
    throw Error("the program uses the op '" + std::string(name.substr(0, 64)) +
                "', which this tapegrad does not have: it needs a newer one");
  return found->second;
}

// Bytes of a value, if its axes and their product are of a size that can be.
std::optional<std::int64_t> bytes_of(const Meta& m) {
  if (m.shape.size() > kMostAxes) return {};
  Wide bytes = itemsize(m.dtype), all = bytes;
  for (auto n : m.shape) {
    if (n < 0 || n > kLongestAxis) return {};
    bytes *= n;
    all *= std::max<std::int64_t>(n, 1);  // an empty array must not hide what overflows
    if (all > Wide(kMostBytes)) return {};
  }
  return static_cast<std::int64_t>(bytes);
}

// Attributes with which the rules' own arithmetic would overflow before they can object.
void check_attrs(Op op, std::span<const Meta> in, Attrs attrs) {
  for (auto a : attrs) require(a >= -kGreatest && a <= kGreatest, "an attribute is out of range");
  if (op == Op::item || op == Op::item_set) require(attrs.size() == 1, "one index");
  if (op == Op::solve)
    require(attrs.empty() || (attrs[0] >= 0 && attrs[0] <= 2), "an unknown kind of matrix");
  if (op == Op::custom) {
    require(attrs.size() >= 2 && bytes_of({DType::c128, Dims(attrs.subspan(2))}).has_value(),
            "an impossible shape");
  }
  if (op == Op::eig) require(in.size() == 1 || in.size() == 2, "eig takes one or two operands");
  if (op == Op::reshape || op == Op::broadcast_to || op == Op::scatter_add) {
    Meta target{DType::c128, Dims(attrs)};
    for (auto& n : target.shape) n = n < 0 ? -1 - n : n;
    require(bytes_of(target).has_value(), "an impossible shape");
  }
  if (op != Op::slice && op != Op::unslice && op != Op::slice_set) return;
  require(attrs.size() == 3 * in[0].shape.size(), "start, step, length for each axis");
  for (std::size_t d = 0; d < in[0].shape.size(); ++d) {
    const std::int64_t third = attrs[3 * d + 2];
    const Wide count = op == Op::unslice ? in[0].shape[d] : third;
    const Wide last = attrs[3 * d] + Wide(attrs[3 * d + 1]) * (count - 1);
    require(third >= 0 && third <= kLongestAxis && last > -Wide(kGreatest) && last < kGreatest,
            "a slice is out of bounds");
  }
}

// Shape and dtype of a node: what `evaluate` gives for operands like these.
Meta meta_of(Op op, std::vector<Meta>& in, Attrs attrs) {
  if (kind_of(op) == OpKind::leaf) return in[0];
  const auto [first, last] = promoted_operands(op, in.size());
  DType t = DType::b8;
  for (std::size_t i = first; i < last; ++i) t = promote(t, in[i].dtype);
  if (is_elementwise(op)) t = elementwise_dtype(op, t);
  if (is_elementwise(op) || in.size() > 1)
    for (std::size_t i = first; i < last; ++i) in[i].dtype = t;
  if (!is_elementwise(op)) return rules_of(op).shape(in, attrs);
  Dims shape;
  for (const Meta& m : in) broadcast_into(shape, m.shape);
  return {kind_of(op) == OpKind::comparison ? DType::b8 : t, shape};
}

class Deserialiser {
 public:
  Deserialiser(std::string_view bytes, std::span<const CustomRule::Handle> rules)
      : made_(std::make_unique<Recording>()), rules_(rules) {
    open(bytes);
  }

  std::unique_ptr<Recording> run() {
    read_ops();
    read_shapes();
    read_numbers();
    read_nodes();
    read_ends();
    read_lines();
    read_guards();
    return std::move(made_);
  }

 private:
  struct NodeRecord {
    Op op;
    Meta meta;
    std::size_t operands, attrs;
  };

  void open(std::string_view bytes) {
    ByteReader in(bytes, kWhat);
    in.check(bytes.substr(0, kMagic.size()) == kMagic, "it does not begin as one");
    in.take(kMagic.size());
    const auto version = in.get<std::uint32_t>();
    if (version > kFormatVersion)
      throw Error("the program is in format " + std::to_string(version) +
                  ", and this tapegrad reads formats up to " + std::to_string(kFormatVersion) +
                  ": it needs a newer tapegrad");
    in.check(version > 0, "format 0");
    const auto sections = in.get<std::uint32_t>();
    in.check(in.get<std::uint64_t>() == bytes.size(), "its length is another than it says");
    in.check(in.get<std::uint64_t>() == crc64(bytes.substr(kHeaderBytes)),
             "its checksum is another than it says");
    in.check(sections == static_cast<std::uint32_t>(Section::count), "it lacks a section");
    for (std::uint32_t tag = 1; tag <= sections; ++tag) {
      in.check(in.get<std::uint32_t>() == tag && in.get<std::uint32_t>() == 0,
               "its sections are in another order");
      sections_.push_back(in.take(in.count(1)));
      in.align();
    }
    in.finish();
  }
  ByteReader section(Section tag) const {
    return {sections_[static_cast<std::size_t>(tag) - 1], kWhat};
  }

  void read_ops() {
    ByteReader in = section(Section::ops);
    for (std::size_t n = in.count(4); n > 0; --n) ops_.push_back(op_named(in.text()));
    in.finish();
  }
  void read_shapes() {
    ByteReader in = section(Section::shapes);
    for (std::size_t n = in.count(8); n > 0; --n) {
      Dims shape(in.count(8));
      for (auto& extent : shape) extent = in.get<std::int64_t>();
      in.check(bytes_of({DType::c128, shape}).has_value(), "an impossible shape");
      shapes_.push_back(std::move(shape));
    }
    in.finish();
  }
  void read_numbers() {
    ByteReader in = section(Section::numbers);
    while (in.left() > 0) made_->tape.add_constant(in.get<double>());
  }

  static DType dtype_from(const ByteReader& in, std::uint32_t code) {
    in.check(code <= static_cast<std::uint32_t>(DType::i64), "an unknown dtype");
    return static_cast<DType>(code);
  }
  NodeRecord read_node(ByteReader& in) {
    const auto op = in.get<std::uint16_t>();
    const auto dtype = dtype_from(in, in.get<std::uint16_t>());
    const auto shape = in.get<std::uint32_t>();
    in.check(op < ops_.size() && shape < shapes_.size(), "a node of no op or no shape");
    const std::size_t operands = in.get<std::uint32_t>(), attrs = in.get<std::uint32_t>();
    return {ops_[op], {dtype, shapes_[shape]}, operands, attrs};
  }

  void read_nodes() {
    ByteReader in = section(Section::nodes), operands = section(Section::operands);
    ByteReader attrs = section(Section::attributes), constants = section(Section::constants);
    const std::size_t count = in.count(16);
    in.check(count < kConstantBit, "too many nodes");
    for (std::size_t n = 0; n < count; ++n) {
      const NodeRecord node = read_node(in);
      in.check(node.operands <= operands.left() / 4 && node.attrs <= attrs.left() / 8,
               "a node has more operands or attributes than there are");
      operands_.clear();
      for (std::size_t i = 0; i < node.operands; ++i) operands_.push_back(read_operand(operands));
      attrs_.resize(node.attrs);
      for (auto& a : attrs_) a = attrs.get<std::int64_t>();
      if (node.op == Op::input || node.op == Op::constant) add_leaf(node, constants);
      else add(node);
      total_ += *bytes_of(made_->tape.meta(made_->tape.size() - 1));
      in.check(total_ <= kMostBytes, "its values would take more memory than there can be");
    }
    for (ByteReader* section : {&in, &operands, &attrs, &constants}) section->finish();
  }
  // A node that is there already, or a number.
  Operand read_operand(ByteReader& in) const {
    const auto o = in.get<Operand>();
    if (is_constant(o))
      in.check((o & ~kConstantBit) < made_->tape.constants().size(), "a number that is not there");
    else in.check(o < made_->tape.size(), "a node reads one that is not before it");
    return o;
  }

  [[noreturn]] void fail(const NodeRecord& node, const std::string& fault) const {
    throw Error(std::string(kWhat) + " is corrupt: node " + std::to_string(made_->tape.size()) +
                " (" + std::string(op_name(node.op)) + "): " + fault);
  }
  void add_leaf(const NodeRecord& node, ByteReader& constants) {
    Tape& tape = made_->tape;
    if (node.operands + node.attrs > 0) fail(node, "a leaf with operands or attributes");
    if (node.op == Op::input) {
      const bool scalar = node.meta.dtype == DType::f64 && node.meta.shape.empty();
      inputs_.push_back(scalar ? tape.add_scalar_input(0) : tape.add_leaf(Op::input, node.meta));
      return;
    }
    const Array value = read_array(constants);
    if (value.dtype() != node.meta.dtype || !(value.shape() == node.meta.shape))
      fail(node, "a constant of another shape or dtype");
    tape.keep(tape.add_leaf(Op::constant, value), value);
  }
  void add(const NodeRecord& node) {
    const int arity = arity_of(node.op);
    if (node.operands == 0 || (arity >= 0 && node.operands != static_cast<std::size_t>(arity)))
      fail(node, "another number of operands than the op takes");
    if (kind_of(node.op) != OpKind::structured && node.attrs > 0) fail(node, "attributes");
    metas_.clear();
    for (Operand o : operands_) metas_.push_back(made_->tape.meta(o));
    if (node.op == Op::custom) name_rule(node);
    Meta meta;
    try {
      check_attrs(node.op, metas_, attrs_);
      if (node.op == Op::concatenate) check_sum();
      meta = meta_of(node.op, metas_, attrs_);
    } catch (const Error& error) {
      fail(node, error.what());
    }
    if (meta.dtype != node.meta.dtype || !(meta.shape == node.meta.shape))
      fail(node, "its shape or dtype is not what the op gives");
    made_->tape.add(node.op, operands_, attrs_, meta);
  }
  // The place of a rule becomes its number in this process.
  void name_rule(const NodeRecord& node) {
    const bool there =
        !attrs_.empty() && attrs_[0] >= 0 && attrs_[0] < static_cast<std::int64_t>(rules_.size());
    if (!there) fail(node, "it names a custom rule that is not there");
    attrs_[0] = rules_[static_cast<std::size_t>(attrs_[0])]->id();
  }
  void check_sum() const {
    Wide sum = 0;
    for (const Meta& m : metas_)
      for (auto n : m.shape) sum += n;
    require(sum <= kLongestAxis, "an axis is too long");
  }

  Array read_array(ByteReader& in) {
    const DType dtype = dtype_from(in, in.get<std::uint32_t>());
    const std::size_t ndim = in.get<std::uint32_t>();
    in.check(ndim <= kMostAxes, "an array of too many axes");
    Dims shape(ndim), strides(ndim);
    for (std::size_t d = 0; d < ndim; ++d) {
      shape[d] = in.get<std::int64_t>();
      strides[d] = in.get<std::int64_t>();
      in.check(strides[d] >= 0, "a negative stride");
    }
    const auto bytes = bytes_of({dtype, shape});
    in.check(bytes.has_value(), "an impossible shape");
    if (*bytes == 0) {
      in.check(strides == Array::contiguous_strides(shape, itemsize(dtype)), "impossible strides");
      return Array::empty(dtype, shape);
    }
    const auto axes = axes_in_memory(shape, strides);
    in.check(strides == dense_strides(shape, axes, itemsize(dtype)), "impossible strides");
    const std::string_view numbers = take_numbers(in, dtype, picked(shape, axes).product());
    const Array dense = Array::empty(dtype, picked(shape, axes));
    std::memcpy(dense.data(), numbers.data(), numbers.size());
    return dense.view(shape, strides, dense.data());
  }
  static std::string_view take_numbers(ByteReader& in, DType dtype, std::int64_t count) {
    const std::string_view numbers = in.take(static_cast<std::size_t>(count * itemsize(dtype)));
    if (dtype == DType::b8)
      for (const char c : numbers) in.check(c == 0 || c == 1, "a bool that is none");
    in.align();
    return numbers;
  }

  void read_ends() {
    ByteReader in = section(Section::ends);
    std::vector<bool> listed(made_->tape.size());
    for (std::size_t n = in.count(4); n > 0; --n) {
      const auto id = in.get<NodeId>();
      in.check(id < listed.size() && made_->tape[id].op == Op::input && !listed[id],
               "an input that is none");
      listed[id] = true;
      made_->inputs.push_back(id);
    }
    in.check(made_->inputs.size() == inputs_.size(), "an input is missing");
    in.align();
    for (std::size_t n = in.count(4); n > 0; --n) made_->outputs.push_back(read_operand(in));
    in.finish();
  }
  void read_lines() {
    ByteReader in = section(Section::lines);
    for (std::size_t n = in.count(4); n > 0; --n) made_->lines.push_back(in.get<std::uint32_t>());
    in.align();
    made_->sources.clear();
    for (std::size_t n = in.count(8); n > 0; --n) {
      const auto line = in.get<std::int32_t>();
      made_->sources.push_back({std::string(in.text()), line});
    }
    in.check(made_->lines.size() == made_->tape.size(), "a line is missing");
    for (auto line : made_->lines) check_line(in, line);
    in.finish();
  }
  void check_line(const ByteReader& in, std::uint32_t line) const {
    in.check(line < made_->sources.size(), "a line of no file");
  }
  void read_guards() {
    ByteReader in = section(Section::guards);
    for (std::size_t n = in.count(16); n > 0; --n) {
      RecordedGuard g;
      g.node = read_operand(in);
      g.line = in.get<std::uint32_t>();
      check_line(in, g.line);
      g.expected = read_array(in);
      const Meta m = made_->tape.meta(g.node);
      in.check(g.expected.dtype() == m.dtype && g.expected.shape() == m.shape,
               "a guard of another shape or dtype than its node");
      made_->guards.push_back(std::move(g));
    }
    in.finish();
  }

  std::unique_ptr<Recording> made_;
  std::span<const CustomRule::Handle> rules_;
  std::vector<std::string_view> sections_;
  std::vector<Op> ops_;
  std::vector<Dims> shapes_;
  std::vector<NodeId> inputs_;
  std::vector<Operand> operands_;
  std::vector<std::int64_t> attrs_;
  std::vector<Meta> metas_;
  std::int64_t total_ = 0;
};

}  // namespace

std::unique_ptr<Recording> deserialise(std::string_view bytes,
                                       std::span<const CustomRule::Handle> rules) {
  return Deserialiser(bytes, rules).run();
}

}  // namespace tapegrad
