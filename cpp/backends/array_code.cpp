// From a group's ops to segments, places for what passes between them, and their code.
#include "backends/array_code.hpp"

#include <algorithm>

#include "backends/array_tile_code.hpp"

namespace tapegrad {
namespace {

using Kind = Segment::Kind;

Kind machine_kind(DType number) { return number == DType::f32 ? Kind::f32 : Kind::f64; }

class Compiler {
 public:
  Compiler(const CodeContext& context, const std::vector<Lie>& lies, std::int64_t piece)
      : context_(context), group_(context.group) {
    code_.lies = lies;
    code_.piece = piece;
  }
  Code compile() {
    describe_values();
    list_items();
    while (assigned_ < items_.size()) add_segment();
    place_constants_and_lanes();
    for (Register v = 0; v < values_.size(); ++v)
      if (values_[v].outside) place(v);
    write_code();
    choose_block();
    lay_out_scratch();
    return std::move(code_);
  }

 private:
  struct Entry {
    Item item;
    int segment = -1;
    std::size_t order = 0;  // in which the items are done
  };

  void describe_values();
  void choose_branch(TileValue& value);
  std::vector<bool> needed_values() const;
  void list_items();
  void add_segment();
  bool fill(Kind kind);
  std::optional<Kind> kind_now(const Item& item, Kind current) const;
  bool ready(const Item& item) const;
  std::vector<Register> read_by(const Item& item) const;
  void place_constants_and_lanes();
  void place(Register v);
  void write_code();
  void copy_pieces();
  void write_call(const Item& item);
  void choose_block();
  void lay_out_scratch();
  StreamId add_stream(Stream::Kind kind, std::int64_t stride, std::int64_t offset = 0);

  const CodeContext& context_;
  const Group& group_;
  Code code_;
  std::vector<TileValue> values_;
  std::vector<Register> same_;
  std::vector<Entry> items_;
  std::vector<Kind> kinds_;  // of the segments
  std::size_t assigned_ = 0;
};

StreamId Compiler::add_stream(Stream::Kind kind, std::int64_t stride, std::int64_t offset) {
  code_.streams.push_back({kind, stride, offset});
  ensure(code_.count() < kNoStream, "a group with fewer than 65535 values");
  return static_cast<StreamId>(code_.count() - 1);
}

void Compiler::describe_values() {
  const std::size_t loads = group_.loads.size(), constants = group_.constants.size();
  values_.resize(loads + constants + group_.ops.size());
  same_.resize(values_.size());
  for (Register v = 0; v < values_.size(); ++v) same_[v] = v;
  for (std::size_t k = 0; k < loads; ++k) {
    values_[k].dtype = group_.loads[k].dtype;
    values_[k].home = static_cast<StreamId>(k);
    values_[k].lie = code_.lies[k];
    if (code_.lies[k] != Lie::in_pieces) continue;
    values_[k].home = add_stream(Stream::Kind::block, itemsize(values_[k].dtype));
    values_[k].lie = Lie::contiguous;
  }
  for (std::size_t k = 0; k < constants; ++k) {
    values_[loads + k].dtype = group_.constants[k].dtype;
    values_[loads + k].lie = Lie::repeated;
    values_[loads + k].home = kNoStream;
  }
  for (const MicroOp& op : group_.ops) {
    TileValue& value = values_[op.result];
    value.dtype = op.result_dtype;
    value.op = lower(op);
    value.defined = true;
    for (int k = 0; k < value.op.arity; ++k) value.op.in[k] = same_[value.op.in[k]];
    const TileValue& first = values_[value.op.in[0]];
    if (op.dtype == DType::b8 && op.op != Op::cast && first.defined)  // masks as they come
      value.op.number = first.op.number;
    if (op.op == Op::where) choose_branch(value);
    if (value.op.kind == Lowered::Kind::same) same_[op.result] = value.op.in[0];
  }
}

// Where it is known beforehand which value a `where` takes, it is that value.
void Compiler::choose_branch(TileValue& value) {
  const Lie condition = values_[value.op.in[0]].lie;
  if (condition != Lie::none_true && condition != Lie::all_true) return;
  value.op.kind = Lowered::Kind::same;
  value.op.in[0] = value.op.in[condition == Lie::all_true ? 1 : 2];
}

// What is left out may read outside of its arrays.
std::vector<bool> Compiler::needed_values() const {
  std::vector<bool> needed(values_.size(), false);
  for (const auto& s : group_.stores) needed[same_[s.value]] = true;
  for (const auto& r : group_.reductions) needed[same_[r.value]] = true;
  for (std::size_t k = group_.ops.size(); k-- > 0;) {
    const TileValue& value = values_[group_.ops[k].result];
    if (!needed[group_.ops[k].result]) continue;
    for (int i = 0; i < value.op.arity; ++i) needed[value.op.in[i]] = true;
  }
  return needed;
}

void Compiler::list_items() {
  const auto add = [&](Item::Kind kind, std::size_t index) {
    items_.push_back({{kind, static_cast<std::uint32_t>(index)}});
  };
  const std::vector<bool> needed = needed_values();
  for (std::size_t k = 0; k < group_.ops.size(); ++k)
    if (needed[group_.ops[k].result]) add(Item::Kind::op, k);
  for (std::size_t k = 0; k < group_.stores.size(); ++k) add(Item::Kind::store, k);
  for (std::size_t k = 0; k < group_.reductions.size(); ++k) add(Item::Kind::reduction, k);
}

std::vector<Register> Compiler::read_by(const Item& item) const {
  if (item.kind == Item::Kind::store) return {same_[group_.stores[item.index].value]};
  if (item.kind == Item::Kind::reduction) return {same_[group_.reductions[item.index].value]};
  const Lowered& op = values_[group_.ops[item.index].result].op;
  return {op.in, op.in + op.arity};
}

// What runs an item: a value is stored by the machine that has just computed it, else by a copy.
std::optional<Kind> Compiler::kind_now(const Item& item, Kind current) const {
  if (item.kind == Item::Kind::op) {
    const Lowered& op = values_[group_.ops[item.index].result].op;
    return op.kind == Lowered::Kind::call ? Kind::calls : machine_kind(op.number);
  }
  const TileValue& value = values_[read_by(item)[0]];
  if (item.kind == Item::Kind::reduction) {
    const std::size_t result = group_.loads.size() + group_.stores.size() + item.index;
    if (code_.lies[result] == Lie::in_pieces) return Kind::calls;
    if (value.dtype == DType::f64 || value.dtype == DType::f32) return machine_kind(value.dtype);
    return Kind::calls;
  }
  const bool here = value.segment == static_cast<int>(kinds_.size()) && current != Kind::calls;
  const bool strided_mask =
      value.dtype == DType::b8 && code_.lies[group_.loads.size() + item.index] != Lie::contiguous;
  return here && !strided_mask ? current : Kind::calls;
}

bool Compiler::ready(const Item& item) const {
  for (const Register v : read_by(item))
    if (values_[v].defined && values_[v].segment < 0) return false;
  if (item.kind != Item::Kind::store || context_.overlaps[item.index].empty()) return true;
  const auto& loads = context_.overlaps[item.index];
  for (const Entry& other : items_) {  // all who read what this store may write upon
    if (other.segment >= 0 || &other.item == &item) continue;
    for (const Register v : read_by(other.item))
      if (std::find(loads.begin(), loads.end(), v) != loads.end()) return false;
  }
  return true;
}

bool Compiler::fill(Kind kind) {
  const int segment = static_cast<int>(kinds_.size());
  bool any = false;
  for (bool more = true; more;) {
    more = false;
    for (Entry& entry : items_) {
      if (entry.segment >= 0 || kind_now(entry.item, kind) != kind || !ready(entry.item)) continue;
      if (!context_.fuse && any && entry.item.kind == Item::Kind::op) continue;
      entry.segment = segment;
      entry.order = assigned_;
      if (entry.item.kind == Item::Kind::op)
        values_[group_.ops[entry.item.index].result].segment = segment;
      ++assigned_;
      any = more = true;
    }
  }
  return any;
}

void Compiler::add_segment() {
  Kind kind = Kind::calls;
  if (!fill(kind) && !fill(kind = Kind::f64) && !fill(kind = Kind::f32))
    throw std::logic_error("tapegrad defect: a group's ops are not in order");
  const int segment = static_cast<int>(kinds_.size());
  for (const Entry& entry : items_) {
    if (entry.segment != segment) continue;
    for (const Register v : read_by(entry.item))
      if (values_[v].defined && (values_[v].segment != segment || kind == Kind::calls))
        values_[v].outside = true;
    if (entry.item.kind == Item::Kind::op && kind == Kind::calls)
      values_[group_.ops[entry.item.index].result].outside = true;
  }
  kinds_.push_back(kind);
}

void Compiler::place_constants_and_lanes() {
  for (std::size_t k = 0; k < group_.constants.size(); ++k)
    values_[group_.loads.size() + k].home =
        add_stream(Stream::Kind::constant, 0, context_.constants[k]);
  for (std::size_t k = 0; k < group_.reductions.size(); ++k) {
    const bool row = code_.lies[group_.loads.size() + group_.stores.size() + k] == Lie::repeated;
    code_.lanes.push_back(row ? add_stream(Stream::Kind::lanes, 0) : kNoStream);
  }
}

// A value that passes between segments lies in a block of its own, or, if it was called for, in the
// array where it is stored.
void Compiler::place(Register v) {
  TileValue& value = values_[v];
  if (value.op.kind == Lowered::Kind::call) {
    for (const Entry& entry : items_) {
      if (entry.item.kind != Item::Kind::store || entry.segment != value.segment) continue;
      const Group::Store& store = group_.stores[entry.item.index];
      if (same_[store.value] != v || !context_.overlaps[entry.item.index].empty()) continue;
      value.home = static_cast<StreamId>(group_.loads.size() + entry.item.index);
      value.lie = code_.lies[value.home];
      return;
    }
  }
  value.home = add_stream(Stream::Kind::block, itemsize(value.dtype));
}

void Compiler::write_call(const Item& item) {
  CallOut call{};
  const auto loads = group_.loads.size();
  const auto add = [&](StreamId stream) { call.streams[call.arguments++] = stream; };
  if (item.kind == Item::Kind::op) {
    const MicroOp& op = group_.ops[item.index];
    if (is_elementwise(op.op)) call.kernel = &kernel(op.op, op.dtype);
    else call.loop = conversion_loop(op);
    for (const Register v : read_by(item)) add(values_[v].home);
    add(values_[op.result].home);
  } else {
    const TileValue& value = values_[read_by(item)[0]];
    add(value.home);
    if (item.kind == Item::Kind::store) {
      const auto out = static_cast<StreamId>(loads + item.index);
      if (value.home == out) return;
      call.loop = copy_loop(value.dtype);
      add(out);
    } else {
      const FoldLoops& fold = fold_loops(group_.reductions[item.index].op, value.dtype);
      const StreamId lanes = code_.lanes[item.index];
      const auto out = static_cast<StreamId>(loads + group_.stores.size() + item.index);
      const bool in_pieces = code_.lies[out] == Lie::in_pieces;
      if (in_pieces) call.stepping = 1;
      call.loop = in_pieces ? fold.pieces : lanes == kNoStream ? fold.column : fold.row;
      add(lanes == kNoStream ? out : lanes);
    }
  }
  code_.calls.push_back(call);
}

void Compiler::copy_pieces() {
  const std::vector<bool> needed = needed_values();
  for (std::size_t k = 0; k < group_.loads.size(); ++k)
    if (code_.lies[k] == Lie::in_pieces && needed[k])
      code_.calls.push_back({nullptr,
                             copy_pieces_loop(values_[k].dtype),
                             2,
                             {static_cast<StreamId>(k), values_[k].home},
                             0});
  if (!code_.calls.empty())
    code_.segments.push_back({Kind::calls, 0, static_cast<std::uint32_t>(code_.calls.size())});
}

void Compiler::write_code() {
  copy_pieces();
  std::sort(items_.begin(), items_.end(),
            [](const Entry& a, const Entry& b) { return a.order < b.order; });
  code_.first_tile = static_cast<StreamId>(code_.count());
  std::size_t tiles = 0;
  for (int segment = 0; segment < static_cast<int>(kinds_.size()); ++segment) {
    std::vector<Item> items;
    for (const Entry& entry : items_)
      if (entry.segment == segment) items.push_back(entry.item);
    const Kind kind = kinds_[segment];
    const auto size = [&] {
      return static_cast<std::uint32_t>(kind == Kind::calls ? code_.calls.size()
                                                            : code_.instructions.size());
    };
    Segment s{kind, size(), 0};
    if (kind == Kind::calls) {
      for (const Item& item : items) write_call(item);
    } else {
      const SegmentSource source{context_,   values_,     same_,
                                 code_.lies, code_.lanes, code_.first_tile};
      tiles = std::max(tiles, TileWriter(source, code_.instructions).write(items));
    }
    s.last = size();
    if (s.last > s.first) code_.segments.push_back(s);
  }
  for (std::size_t k = 0; k < tiles; ++k) add_stream(Stream::Kind::tile, 0);
}

// One machine segment may run along the whole row; several share blocks that stay in the
// first-level cache, and sums want to be taken from their lanes now and then.
void Compiler::choose_block() {
  constexpr std::int64_t kCache = 24 * 1024, kMost = 1024, kUnit = 128;
  std::int64_t item = 0;
  bool lanes = false;
  for (const Stream& s : code_.streams) {
    if (s.kind == Stream::Kind::block) item += s.stride;
    lanes = lanes || s.kind == Stream::Kind::lanes;
  }
  if (item == 0 && !lanes && code_.segments.size() <= 1) return;
  const std::int64_t fitting = item ? kCache / item / kUnit * kUnit : kMost;
  code_.block = std::clamp(fitting, kUnit, kMost);
  if (code_.piece) code_.block = code_.block / code_.piece * code_.piece;
}

void Compiler::lay_out_scratch() {
  for (Stream& s : code_.streams) {
    if (s.kind == Stream::Kind::constant) continue;
    s.offset = code_.scratch;
    const std::int64_t bytes =
        s.kind == Stream::Kind::block ? s.stride * code_.block : context_.tile_bytes;
    code_.scratch += (bytes + 63) / 64 * 64;
  }
}

}  // namespace

Code compile_code(const CodeContext& context, const std::vector<Lie>& lies, std::int64_t piece) {
  return Compiler(context, lies, piece).compile();
}

}  // namespace tapegrad
