// Prepares groups: parts, boxes, code and the layout of the scratch memory.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "backends/array_group.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace tapegrad {
namespace {

using Result = PreparedGroup::Result;

// The bytes that an access may touch, as an interval of its buffer.
std::pair<std::int64_t, std::int64_t> extent_of(const Access& a, const Dims& shape) {
  std::int64_t low = a.place.offset, high = low + itemsize(a.dtype);
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::int64_t first = 0, last = shape[axis] - 1;
    for (const Access::Window& w : a.windows)
      if (w.axis == axis) {
        first = w.edge == Access::Edge::wrap ? 0 : std::max<std::int64_t>(w.shift, 0);
        last = w.edge == Access::Edge::wrap ? w.extent - 1 : std::min(w.extent - 1, last + w.shift);
      }
    low += std::min(first * a.strides[axis], last * a.strides[axis]);
    high += std::max(first * a.strides[axis], last * a.strides[axis]);
  }
  return {low, high};
}

std::vector<std::vector<Register>> overlaps_of(const Group& group) {
  std::vector<std::vector<Register>> overlaps(group.stores.size());
  for (std::size_t s = 0; s < group.stores.size(); ++s) {
    const Access& out = group.stores[s].out;
    const auto [low, high] = extent_of(out, group.shape);
    for (std::size_t k = 0; k < group.loads.size(); ++k) {
      if (group.loads[k].place.buffer != out.place.buffer) continue;
      const auto [first, last] = extent_of(group.loads[k], group.shape);
      if (first < high && low < last) overlaps[s].push_back(static_cast<Register>(k));
    }
  }
  return overlaps;
}

Result result_of(const Reduction& r, DType dtype, const Dims& shape, std::int64_t tile_bytes) {
  Result result{&fold_loops(r.op, dtype), 1, r.out.place, {}, {}, 0};
  if (dtype == DType::f64 || dtype == DType::f32) result.lanes = tile_bytes / itemsize(dtype);
  for (std::size_t axis = 0; axis < shape.size(); ++axis)
    if (r.out.strides[axis] != 0) {
      result.shape.push_back(shape[axis]);
      result.strides.push_back(r.out.strides[axis]);
    }
  return result;
}

class Preparer {
 public:
  Preparer(const Group& group, const PrepareOptions& options)
      : group_(group),
        options_(options),
        context_{group, {}, overlaps_of(group), options.fuse, options.machine.tile_bytes} {}
  PreparedGroup prepare() {
    prepared_.machine = &options_.machine;
    make_constants();
    make_results();
    const Domain domain = domain_of(group_);
    if (group_.shape.product() != 0) choose_parts(domain);
    lay_out();
    return std::move(prepared_);
  }

 private:
  DType dtype_of_register(Register v) const {
    const std::size_t loads = group_.loads.size(), constants = group_.constants.size();
    if (v < loads) return group_.loads[v].dtype;
    if (v < loads + constants) return group_.constants[v - loads].dtype;
    return group_.ops[v - loads - constants].result_dtype;
  }
  void make_constants();
  void make_results();
  std::int64_t partial_bytes(std::size_t axis) const;
  void choose_parts(const Domain& domain);
  void add_part(const Domain& domain);
  std::uint32_t code_for(const Domain& box);
  void lay_out();

  const Group& group_;
  const PrepareOptions& options_;
  CodeContext context_;
  PreparedGroup prepared_;
};

void Preparer::make_constants() {
  prepared_.constants.assign(4 + 2 * group_.constants.size(), 0.0);
  char* pool = reinterpret_cast<char*>(prepared_.constants.data());
  pool[PreparedGroup::kTruthOffset] = 1;
  for (const Group::Constant& c : group_.constants) {
    const auto offset = static_cast<std::int64_t>(16 * (2 + context_.constants.size()));
    context_.constants.push_back(offset);
    dispatch(c.dtype, [&](auto zero) {
      const auto value = static_cast<decltype(zero)>(c.value);
      std::memcpy(pool + offset, &value, sizeof value);
    });
  }
}

void Preparer::make_results() {
  for (const Reduction& r : group_.reductions)
    prepared_.results.push_back(
        result_of(r, dtype_of_register(r.value), group_.shape, context_.tile_bytes));
}

// Of the partial results that each part needs when the parts divide this axis.
std::int64_t Preparer::partial_bytes(std::size_t axis) const {
  std::int64_t bytes = 0;
  for (std::size_t k = 0; k < group_.reductions.size(); ++k) {
    const Result& r = prepared_.results[k];
    if (group_.reductions[k].out.strides[axis] == 0)
      bytes += r.shape.product() * itemsize(r.loops->result);
  }
  return bytes;
}

// Divides the axis that gives the most parts, and of those the one with the longest steps.
void Preparer::choose_parts(const Domain& domain) {
  constexpr std::int64_t kMostParts = 64, kMostPartials = 1 << 20, kUnit = 64;
  const auto ops = static_cast<std::int64_t>(group_.ops.size() + domain.accesses.size());
  const std::int64_t wanted =
      std::min(kMostParts, domain.shape.product() * ops / std::max<std::int64_t>(options_.part, 1));
  std::int64_t best = 1, longest = 0;
  std::size_t along = 0;
  for (std::size_t axis = 0; axis < domain.shape.size(); ++axis) {
    const std::int64_t parts = std::min(wanted, domain.shape[axis]);
    std::int64_t step = 0;
    for (const Access& a : domain.accesses) step += std::abs(a.strides[axis]);
    if (parts < 2 || parts * partial_bytes(axis) > kMostPartials) continue;
    if (parts < best || (parts == best && step <= longest)) continue;
    best = parts;
    longest = step;
    along = axis;
  }
  if (best == 1) return add_part(domain);
  for (std::size_t k = 0; k < group_.reductions.size(); ++k) {
    Result& r = prepared_.results[k];
    if (group_.reductions[k].out.strides[along] != 0) continue;
    r.bytes = (r.shape.product() * itemsize(r.loops->result) + 63) / 64 * 64;
    r.partial = prepared_.partials;
    prepared_.partials += (best - 1) * r.bytes;
  }
  const std::int64_t n = domain.shape[along], unit = n >= 4 * kUnit * best ? kUnit : 1;
  for (std::int64_t k = 0; k < best; ++k)
    add_part(part_of(domain, along, n / unit * k / best * unit,
                     k + 1 < best ? n / unit * (k + 1) / best * unit : n));
}

// The reductions of all parts but the first go to partial results, in C order.
void Preparer::add_part(const Domain& domain) {
  Domain part = domain;
  const auto index = static_cast<std::int64_t>(prepared_.parts.size());
  for (std::size_t k = 0; k < group_.reductions.size(); ++k) {
    const Result& r = prepared_.results[k];
    if (index == 0 || r.bytes == 0) continue;
    Access& out = part.accesses[group_.loads.size() + group_.stores.size() + k];
    out.place = {kScratch, r.partial + (index - 1) * r.bytes};
    std::int64_t step = itemsize(r.loops->result);
    for (std::size_t axis = group_.shape.size(); axis-- > 0;) {
      if (out.strides[axis] == 0) continue;
      out.strides[axis] = step;
      step *= group_.shape[axis];
    }
  }
  prepared_.parts.emplace_back();
  for (Domain& box : cut_windows(part)) {
    order_axes(box, group_.ops.size());
    PreparedGroup::Box b{code_for(box), box.shape, {}, {}, {}, box.steps, {}};
    for (std::size_t axis = 0; axis + 1 < box.shape.size(); ++axis)
      for (const Access& a : box.accesses) b.strides.push_back(a.strides[axis]);
    for (const Access& a : box.accesses) {
      b.places.push_back(a.place);
      b.along.push_back(a.strides.back());
    }
    for (const Stream& s : prepared_.codes[b.code].streams) b.along.push_back(s.stride);
    for (std::size_t k = group_.loads.size() + group_.stores.size(); k < box.accesses.size(); ++k) {
      const Dims& s = box.accesses[k].strides;
      b.each_row.push_back(std::any_of(s.begin(), s.end() - 1, [](auto x) { return x != 0; }));
    }
    prepared_.parts.back().push_back(std::move(b));
  }
}

bool is_false(const Access& a) { return a.place.buffer == kZeros && a.dtype == DType::b8; }

std::uint32_t Preparer::code_for(const Domain& box) {
  std::vector<Lie> lies;
  for (std::size_t k = 0; k < box.accesses.size(); ++k) {
    const Access& a = box.accesses[k];
    const std::int64_t stride = a.strides.back();
    lies.push_back(a.place.buffer == kTruth      ? Lie::all_true
                   : is_false(a)                 ? Lie::none_true
                   : !box.in_order(k)            ? Lie::in_pieces
                   : stride == 0                 ? Lie::repeated
                   : stride == itemsize(a.dtype) ? Lie::contiguous
                                                 : Lie::strided);
  }
  for (std::size_t k = 0; k < prepared_.codes.size(); ++k)
    if (prepared_.codes[k].lies == lies && prepared_.codes[k].piece == box.piece)
      return static_cast<std::uint32_t>(k);
  prepared_.codes.push_back(compile_code(context_, lies, box.piece));
  return static_cast<std::uint32_t>(prepared_.codes.size() - 1);
}

// Of one thread: the sums, then pointers and indices, then what the code needs.
void Preparer::lay_out() {
  for (const Result& r : prepared_.results)
    prepared_.cascades += (r.loops->cascade_bytes + 63) / 64 * 64;
  for (const auto& part : prepared_.parts)
    for (const PreparedGroup::Box& box : part) {
      const Code& code = prepared_.codes[box.code];
      const auto words = static_cast<std::int64_t>(3 * code.count() + box.shape.size());
      prepared_.workspace = std::max(
          prepared_.workspace, prepared_.cascades + (words * 8 + 63) / 64 * 64 + code.scratch);
    }
#ifdef _OPENMP
  prepared_.threads = std::min(static_cast<int>(prepared_.parts.size()), omp_get_num_procs());
#endif
  prepared_.threads = std::max(prepared_.threads, 1);
}

}  // namespace

PreparedGroup prepare(const Group& group, const PrepareOptions& options) {
  return Preparer(group, options).prepare();
}

std::size_t scratch_bytes(const PreparedGroup& g) {
  return static_cast<std::size_t>(g.partials + g.threads * g.workspace);
}

}  // namespace tapegrad
