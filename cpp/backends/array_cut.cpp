// Boxes and axes of a group's domain.
#include "backends/array_cut.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>

namespace tapegrad {
namespace {

using Window = Access::Window;

const Window* window_on(const Access& access, std::size_t axis) {
  const auto w = std::find_if(access.windows.begin(), access.windows.end(),
                              [&](const Window& v) { return v.axis == axis; });
  return w == access.windows.end() ? nullptr : &*w;
}

std::int64_t floor_mod(std::int64_t a, std::int64_t n) { return ((a % n) + n) % n; }

// Where on an axis of length n the window stops being linear.
void add_cuts(const Window& w, std::int64_t n, std::vector<std::int64_t>& cuts) {
  auto add = [&](std::int64_t at) {
    if (at > 0 && at < n) cuts.push_back(at);
  };
  if (w.edge == Access::Edge::zero) {
    add(-w.shift);
    add(w.extent - w.shift);
  } else if (w.extent > 0) {
    for (std::int64_t at = w.extent - floor_mod(w.shift, w.extent); at < n; at += w.extent) add(at);
  }
}

// Where the window starts to read if the axis starts at `first`.
std::int64_t start_of(const Window& w, std::int64_t first) {
  const std::int64_t start = first + w.shift;
  return w.edge == Access::Edge::wrap && w.extent > 0 ? floor_mod(start, w.extent) : start;
}

// Cuts axis after axis. What is zero is not cut any further.
class Cutter {
 public:
  Cutter(const Domain& domain, std::vector<Domain>& boxes)
      : domain_(domain),
        boxes_(boxes),
        first_(domain.shape),
        last_(domain.shape),
        zero_(domain.accesses.size(), kNever) {}

  void cut(std::size_t axis) {
    if (axis == domain_.shape.size()) return add_box();
    const std::vector<std::int64_t> cuts = cuts_of(axis);
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      first_[axis] = cuts[i];
      last_[axis] = cuts[i + 1];
      find_zeros(axis);
      cut(axis + 1);
    }
  }

 private:
  static constexpr std::size_t kNever = ~std::size_t{0};

  std::vector<std::int64_t> cuts_of(std::size_t axis) const {
    const std::int64_t n = domain_.shape[axis];
    std::vector<std::int64_t> cuts{0, n};
    for (std::size_t k = 0; k < domain_.accesses.size(); ++k) {
      const Window* w = window_on(domain_.accesses[k], axis);
      if (w && zero_[k] >= axis) add_cuts(*w, n, cuts);
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    return cuts;
  }
  void find_zeros(std::size_t axis) {
    for (std::size_t k = 0; k < domain_.accesses.size(); ++k) {
      if (zero_[k] < axis) continue;
      zero_[k] = kNever;
      const Window* w = window_on(domain_.accesses[k], axis);
      if (!w) continue;
      const std::int64_t start = start_of(*w, first_[axis]);
      if (start < 0 || start >= w->extent) zero_[k] = axis;
    }
  }
  void add_box() {
    Domain& box = boxes_.emplace_back();
    box.loads = domain_.loads;
    box.stores = domain_.stores;
    box.shape = last_;
    for (std::size_t axis = 0; axis < box.shape.size(); ++axis) box.shape[axis] -= first_[axis];
    box.accesses.reserve(domain_.accesses.size());
    for (std::size_t k = 0; k < domain_.accesses.size(); ++k) {
      const Access& from = domain_.accesses[k];
      const bool zero = zero_[k] != kNever;
      box.accesses.push_back({from.dtype,
                              zero ? Place{kZeros, 0} : from.place,
                              zero ? Dims(box.shape.size(), 0) : from.strides,
                              {}});
      for (std::size_t axis = 0; axis < box.shape.size() && !zero; ++axis) {
        const Window* w = window_on(from, axis);
        box.accesses[k].place.offset +=
            from.strides[axis] * (w ? start_of(*w, first_[axis]) : first_[axis]);
      }
    }
  }

  const Domain& domain_;
  std::vector<Domain>& boxes_;
  Dims first_, last_;
  std::vector<std::size_t> zero_;  // of each access: the axis on which it lies outside
};

std::int64_t total_step(const Domain& d, std::size_t axis) {
  std::int64_t sum = 0;
  for (const Access& a : d.accesses) sum += std::abs(a.strides[axis]);
  return sum;
}

void swap_axes(Domain& d, std::size_t a, std::size_t b) {
  std::swap(d.shape[a], d.shape[b]);
  for (Access& access : d.accesses) std::swap(access.strides[a], access.strides[b]);
}

void erase_axis(Domain& d, std::size_t axis) {
  d.shape.erase(axis);
  for (Access& access : d.accesses) access.strides.erase(axis);
}

void merge_axes(Domain& d) {
  for (std::size_t axis = d.shape.size(); axis-- > 1;) {
    const std::int64_t n = d.shape[axis];
    const bool merge = std::all_of(d.accesses.begin(), d.accesses.end(), [&](const Access& a) {
      return a.strides[axis - 1] == a.strides[axis] * n;
    });
    if (!merge) continue;
    for (Access& a : d.accesses) a.strides[axis - 1] = a.strides[axis];
    d.shape[axis - 1] *= n;
    erase_axis(d, axis);
  }
}

// Cycles, about, of running with this axis innermost: whole tiles, element by element where the
// memory is strided, and the bookkeeping of a row and of the sums that end with it.
double cost_along(const Domain& d, std::size_t axis, std::size_t ops) {
  constexpr double kTile = 64, kOp = 6, kNear = 1, kFar = 3, kRow = 60, kSum = 150;
  double tile = kOp * static_cast<double>(ops), row = kRow;
  for (std::size_t k = 0; k < d.accesses.size(); ++k) {
    const Access& a = d.accesses[k];
    if (k >= d.loads && a.strides[axis] == 0) row += kSum;
    const std::int64_t stride = std::abs(a.strides[axis]);
    if (a.strides[axis] != itemsize(a.dtype) && stride != 0)
      tile += kTile * (stride < 64 ? kNear : kFar);
  }
  const auto n = static_cast<double>(d.shape[axis]);
  const double rows = static_cast<double>(d.shape.product()) / n;
  return rows * (std::ceil(n / kTile) * tile + row);
}

// The last two axes as one.
std::optional<Domain> joined(const Domain& d) {
  constexpr std::int64_t kLongest = 64;
  if (d.shape.size() < 2 || d.shape.back() > kLongest) return {};
  const std::size_t last = d.shape.size() - 1;
  Domain j = d;
  j.piece = d.shape[last];
  j.shape[last - 1] *= j.piece;
  j.shape.erase(last);
  for (std::size_t k = 0; k < d.accesses.size(); ++k) {
    j.steps.push_back(d.accesses[k].strides[last - 1]);
    j.accesses[k].strides.erase(last - 1);
    const bool is_load = k < d.loads, is_result = k >= d.loads + d.stores;
    const bool can_be_in_pieces = (is_load && d.accesses[k].dtype != DType::b8) ||
                                  (is_result && j.accesses[k].strides.back() == 0);
    if (!j.in_order(k) && !can_be_in_pieces) return {};
  }
  return j;
}

// As `cost_along`, for what is left in pieces: copies into order, and sums of pieces.
double cost_in_pieces(const Domain& d, std::size_t ops) {
  constexpr double kTile = 64, kOp = 6, kRow = 60, kCall = 20, kCopy = 0.5, kSum = 1, kStrided = 1,
                   kPiece = 4;
  double element = kOp * static_cast<double>(ops) / kTile, row = kRow;
  for (std::size_t k = 0; k < d.accesses.size(); ++k) {
    const std::int64_t stride = std::abs(d.accesses[k].strides.back());
    if (!d.in_order(k)) {
      element += (k < d.loads ? kCopy : kSum) + kPiece / static_cast<double>(d.piece);
      row += kCall;
    } else if (stride != 0 && stride != itemsize(d.accesses[k].dtype)) {
      element += kStrided;
    }
  }
  const auto size = static_cast<double>(d.shape.product());
  return size * element + size / static_cast<double>(d.shape.back()) * row;
}

}  // namespace

Domain domain_of(const Group& group) {
  Domain d{group.shape, group.loads, group.loads.size(), group.stores.size(), 0, {}};
  for (auto& s : group.stores) d.accesses.push_back(s.out);
  for (auto& r : group.reductions) d.accesses.push_back(r.out);
  return d;
}

Domain part_of(const Domain& domain, std::size_t axis, std::int64_t first, std::int64_t last) {
  Domain part = domain;
  part.shape[axis] = last - first;
  for (Access& access : part.accesses) {
    const auto w = std::find_if(access.windows.begin(), access.windows.end(),
                                [&](const Window& v) { return v.axis == axis; });
    if (w != access.windows.end()) w->shift += first;
    else access.place.offset += first * access.strides[axis];
  }
  return part;
}

std::vector<Domain> cut_windows(const Domain& domain) {
  std::vector<Domain> boxes;
  if (domain.shape.product() != 0) Cutter(domain, boxes).cut(0);
  return boxes;
}

void order_axes(Domain& d, std::size_t ops) {
  for (std::size_t axis = d.shape.size(); axis-- > 0;)
    if (d.shape[axis] == 1) erase_axis(d, axis);
  for (std::size_t i = 1; i < d.shape.size(); ++i)
    for (std::size_t j = i; j > 0 && total_step(d, j - 1) < total_step(d, j); --j)
      swap_axes(d, j - 1, j);
  merge_axes(d);
  if (d.shape.empty()) {
    d.shape.push_back(1);
    for (Access& a : d.accesses) a.strides.push_back(itemsize(a.dtype));
    return;
  }
  std::size_t best = d.shape.size() - 1;
  for (std::size_t axis = best; axis-- > 0;)
    if (cost_along(d, axis, ops) < cost_along(d, best, ops)) best = axis;
  if (auto j = joined(d); j && cost_in_pieces(*j, ops) < cost_along(d, best, ops)) {
    d = std::move(*j);
    return;
  }
  for (; best + 1 < d.shape.size(); ++best) swap_axes(d, best, best + 1);
}

}  // namespace tapegrad
