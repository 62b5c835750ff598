// Machine code of a segment.
#include "backends/array_tile_code.hpp"

#include <algorithm>

namespace tapegrad {

using machine::Binary, machine::Form, machine::Move;

TileWriter::TileWriter(const SegmentSource& source, std::vector<machine::Instruction>& code)
    : source_(source),
      group_(source.context.group),
      values_(source.values),
      code_(code),
      states_(source.values.size()),
      stored_(group_.stores.size()),
      stores_of_(source.values.size()) {}

void TileWriter::emit(std::uint16_t code, StreamId a, StreamId b, StreamId c) {
  code_.push_back({code, a, b, c});
}

StreamId TileWriter::take_tile() {
  if (free_tiles_.empty()) return static_cast<StreamId>(source_.first_tile + tiles_++);
  const StreamId tile = free_tiles_.back();
  free_tiles_.pop_back();
  return tile;
}

void TileWriter::consume(Register v) {
  State& s = states_[v];
  if (--s.uses > 0 || s.tile == kNoStream) return;
  free_tiles_.push_back(s.tile);
  s.tile = kNoStream;
}

// An op with one reader in the segment waits for it, so that the result need not be kept.
void TileWriter::count_uses(const std::vector<Item>& items) {
  constexpr int kDeepest = 100;
  const auto read = [&](Register v) { ++states_[resolved(v)].uses; };
  for (const Item& item : items) {
    if (item.kind == Item::Kind::store) read(group_.stores[item.index].value);
    if (item.kind == Item::Kind::reduction) read(group_.reductions[item.index].value);
    if (item.kind != Item::Kind::op) continue;
    const Lowered& op = values_[group_.ops[item.index].result].op;
    for (int k = 0; k < op.arity; ++k)
      if (std::find(op.in, op.in + k, op.in[k]) == op.in + k) read(op.in[k]);
  }
  for (const Item& item : items) {
    if (item.kind != Item::Kind::op) continue;
    const Register v = group_.ops[item.index].result;
    State& s = states_[v];
    for (int k = 0; k < values_[v].op.arity; ++k) {
      const State& in = states_[values_[v].op.in[k]];
      if (in.delayed) s.depth = std::max(s.depth, in.depth + 1);
    }
    s.delayed = s.uses == 1 && !values_[v].outside && s.depth < kDeepest;
  }
}

TileWriter::Spot TileWriter::spot(Register v) const {
  if (held_ == v) return {Spot::Kind::accumulator, 0};
  if (states_[v].tile != kNoStream) return {Spot::Kind::tile, states_[v].tile};
  const TileValue& value = values_[v];
  if (value.home == kNoStream || value.dtype == DType::b8) return {};
  if (value.lie == Lie::contiguous) return {Spot::Kind::tile, value.home};
  if (value.lie == Lie::repeated) return {Spot::Kind::number, value.home};
  return {};
}

// Keeps what the accumulator holds, if anybody but the next op still reads it and it is nowhere
// else.
void TileWriter::spare_accumulator(const Register* consumed, int count) {
  if (!held_) return;
  const Register v = *held_;
  const bool consumes = std::find(consumed, consumed + count, v) != consumed + count;
  const int uses = states_[v].uses - (consumes ? 1 : 0);
  const bool elsewhere = states_[v].tile != kNoStream ||
                         (values_[v].home != kNoStream && values_[v].dtype != DType::b8 &&
                          values_[v].lie != Lie::strided);
  if (uses > 0 && !elsewhere) {
    states_[v].tile = take_tile();
    emit(Move::store, states_[v].tile);
  }
}

// Makes `v` readable.
void TileWriter::make(Register v) {
  if (spot(v).kind != Spot::Kind::none) return;
  const TileValue& value = values_[v];
  if (value.home == kNoStream) return evaluate(v);
  if (value.dtype == DType::b8) {
    spare_accumulator();
    emit(Move::load_bool, value.home);
    held_ = v;
  } else {
    states_[v].tile = take_tile();
    emit(Move::gather, value.home, states_[v].tile);
  }
}

// The deepest first: what comes last stays in the accumulator.
void TileWriter::make_operands(const Lowered& op) {
  Register order[3];
  std::copy_n(op.in, op.arity, order);
  std::stable_sort(order, order + op.arity,
                   [&](Register a, Register b) { return states_[a].depth > states_[b].depth; });
  if (op.kind == Lowered::Kind::where)  // the condition last
    std::stable_partition(order, order + 3, [&](Register v) { return v != op.in[0]; });
  for (int k = 0; k < op.arity; ++k) make(order[k]);
}

void TileWriter::evaluate(Register v) {
  const Lowered& op = values_[v].op;
  make_operands(op);
  spare_accumulator(op.in, op.arity);
  emit_op(op);
  for (int k = 0; k < op.arity; ++k)
    if (std::find(op.in, op.in + k, op.in[k]) == op.in + k) consume(op.in[k]);
  held_ = v;
  keep(v);
}

void TileWriter::into_accumulator(Spot from) {
  if (from.kind == Spot::Kind::tile) emit(Move::load, from.stream);
  if (from.kind == Spot::Kind::number) emit(Move::splat, from.stream);
}

void TileWriter::emit_op(const Lowered& op) {
  const Spot x = spot(op.in[0]);
  if (op.kind == Lowered::Kind::binary) return emit_binary(op.binary, x, spot(op.in[1]));
  if (op.kind == Lowered::Kind::where) return emit_where(x, spot(op.in[1]), spot(op.in[2]));
  if (x.kind == Spot::Kind::number) emit(Move::splat, x.stream);
  emit(machine::code_of(op.unary, x.kind == Spot::Kind::tile), x.stream);
}

void TileWriter::emit_binary(Binary op, Spot x, Spot y) {
  using Kind = Spot::Kind;
  if (is_commutative(op) && x.kind > y.kind) std::swap(x, y);
  if (x.kind == Kind::number && y.kind == Kind::number) {
    emit(Move::splat, x.stream);
    if (x == y) y = {Kind::accumulator, 0};
    x = {Kind::accumulator, 0};
  }
  constexpr Form forms[3][3] = {{Form::aa, Form::av, Form::au},   // x in the accumulator
                                {Form::va, Form::vv, Form::vu},   // in a tile
                                {Form::ua, Form::uv, Form::aa}};  // a number
  const Form form = forms[static_cast<int>(x.kind) - 1][static_cast<int>(y.kind) - 1];
  const bool x_held = x.kind == Kind::accumulator;
  emit(machine::code_of(op, form), x_held ? y.stream : x.stream, y.stream);
}

void TileWriter::emit_where(Spot condition, Spot x, Spot y) {
  using Kind = Spot::Kind;
  if (x.kind == Kind::accumulator && y.kind == Kind::accumulator) return;  // both are one
  const bool ux = x.kind == Kind::number, uy = y.kind == Kind::number;
  Move move;
  if (x.kind == Kind::accumulator) {
    move = uy ? Move::where_vau : Move::where_vav;
  } else if (y.kind == Kind::accumulator) {
    move = ux ? Move::where_vua : Move::where_vva;
  } else {
    into_accumulator(condition);
    move = ux ? (uy ? Move::where_auu : Move::where_auv) : uy ? Move::where_avu : Move::where_avv;
  }
  emit(move, condition.stream, x.stream, y.stream);
}

// After `v` was computed: writes it where it is read from outside, and where it may be stored now.
void TileWriter::keep(Register v) {
  TileValue& value = values_[v];
  if (value.home != kNoStream && value.home >= source_.lies.size())
    emit(value.dtype == DType::b8 ? Move::store_bool : Move::store, value.home);
  for (const std::uint32_t index : stores_of_[v]) store(index);
}

// Stores what the accumulator holds.
void TileWriter::store(std::uint32_t index) {
  const Register v = resolved(group_.stores[index].value);
  const auto stream = static_cast<StreamId>(group_.loads.size() + index);
  if (values_[v].dtype == DType::b8) {
    emit(Move::store_bool, stream);
  } else if (source_.lies[stream] == Lie::contiguous) {
    emit(Move::store, stream);
    TileValue& value = values_[v];
    if (value.home == kNoStream) value.home = stream;  // to be read there
  } else {
    if (states_[v].tile == kNoStream) {
      states_[v].tile = take_tile();
      emit(Move::store, states_[v].tile);
    }
    emit(Move::scatter, stream, states_[v].tile);
  }
  stored_[index] = true;
  consume(v);
}

void TileWriter::reduce(std::uint32_t index) {
  const Reduction& r = group_.reductions[index];
  const Register v = resolved(r.value);
  const Binary op = machine_fold(r.op);
  const auto out = static_cast<StreamId>(group_.loads.size() + group_.stores.size() + index);
  const bool strided = source_.lanes[index] == kNoStream && source_.lies[out] == Lie::strided;
  StreamId total = source_.lanes[index] != kNoStream ? source_.lanes[index] : out;
  make(v);
  spare_accumulator(&v, 1);
  if (strided) {
    total = take_tile();
    emit(Move::gather, out, total);
  }
  emit_binary(op, {Spot::Kind::tile, total}, spot(v));
  emit(Move::store, total);
  if (strided) {
    emit(Move::scatter, out, total);
    free_tiles_.push_back(total);
  }
  consume(v);
  held_.reset();
}

std::size_t TileWriter::write(const std::vector<Item>& items) {
  count_uses(items);
  std::vector<std::uint32_t> late;  // what may write upon loads, at the end
  for (const Item& item : items) {
    if (item.kind != Item::Kind::store) continue;
    if (source_.context.overlaps[item.index].empty())
      stores_of_[resolved(group_.stores[item.index].value)].push_back(item.index);
    else late.push_back(item.index);
  }
  for (const Item& item : items) {
    if (item.kind == Item::Kind::reduction) reduce(item.index);
    if (item.kind == Item::Kind::op) {
      const Register v = group_.ops[item.index].result;
      if (!states_[v].delayed) evaluate(v);
    }
    if (item.kind == Item::Kind::store && !stored_[item.index] &&
        source_.context.overlaps[item.index].empty())
      make(resolved(group_.stores[item.index].value));
  }
  for (const std::uint32_t index : late) make(resolved(group_.stores[index].value));
  std::stable_partition(late.begin(), late.end(), [&](std::uint32_t index) {
    return held_ == resolved(group_.stores[index].value);
  });
  for (const std::uint32_t index : late) {
    const Register v = resolved(group_.stores[index].value);
    if (held_ != v) into_accumulator(spot(v));
    held_ = v;
    store(index);
  }
  emit(Move::end);
  return tiles_;
}

}  // namespace tapegrad
