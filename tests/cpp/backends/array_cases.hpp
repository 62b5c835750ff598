// Groups to test the array backend with: an interpreter that takes one element after the other, and
// random groups over memory of their own.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "backends/array_calls.hpp"
#include "program/group.hpp"

namespace tapegrad::testing {

// A group and the memory that it walks.
struct GroupCase {
  Group group;
  std::vector<std::vector<double>> memory;  // a buffer each
};

inline std::vector<char*> pointers(std::vector<std::vector<double>>& memory) {
  std::vector<char*> p;
  for (auto& m : memory) p.push_back(reinterpret_cast<char*>(m.data()));
  return p;
}

// One element at a time, in C order: loads, ops, stores, reductions.
class Reference {
 public:
  Reference(const Group& group, char* const* buffers) : g_(group), buffers_(buffers) {
    cells_.resize(g_.loads.size() + g_.constants.size() + g_.ops.size());
    for (std::size_t k = 0; k < g_.constants.size(); ++k)
      dispatch(g_.constants[k].dtype, [&](auto zero) {
        write(cells_[g_.loads.size() + k], static_cast<decltype(zero)>(g_.constants[k].value));
      });
  }

  void run() {
    for (auto& r : g_.reductions) reset(r);
    each_index(g_.shape, [&](const Dims& i) {
      const std::vector<bool> needed = needed_at(i);
      for (std::size_t k = 0; k < g_.loads.size(); ++k)
        if (needed[k]) load(k, i);
      for (auto& op : g_.ops)
        if (needed[op.result]) apply(op);
      for (auto& s : g_.stores)
        std::memcpy(address(s.out, i), &cells_[s.value],
                    static_cast<std::size_t>(itemsize(s.out.dtype)));
      for (auto& r : g_.reductions) {
        char* p[] = {reinterpret_cast<char*>(&cells_[r.value]), address(r.out, i)};
        call(loops(r).column, p, nullptr);
      }
    });
  }

 private:
  using Cell = std::array<double, 2>;
  template <class T>
  static void write(Cell& cell, T value) {
    std::memcpy(&cell, &value, sizeof value);
  }
  static void call(Loop loop, char** p, void* data) {
    const std::intptr_t n = 1, strides[] = {0, 0, 0, 0};
    loop(p, &n, strides, data);
  }
  template <class F>
  static void each_index(const Dims& shape, F f) {
    Dims i(shape.size(), 0);
    for (std::int64_t k = shape.product(); k-- > 0;) {
      f(i);
      for (std::size_t axis = i.size(); axis-- > 0;) {
        if (++i[axis] < shape[axis]) break;
        i[axis] = 0;
      }
    }
  }
  // What is not needed may read outside of its arrays.
  std::vector<bool> needed_at(const Dims& i) {
    std::vector<bool> needed(cells_.size(), false);
    for (auto& s : g_.stores) needed[s.value] = true;
    for (auto& r : g_.reductions) needed[r.value] = true;
    for (std::size_t k = g_.ops.size(); k-- > 0;) {
      const MicroOp& op = g_.ops[k];
      if (!needed[op.result]) continue;
      const Register first = op.in[0];
      const bool mask =
          op.op == Op::where && first < g_.loads.size() && g_.loads[first].place.buffer == kTruth;
      const bool inside = mask && address(g_.loads[first], i);
      for (int j = 0; j < arity_of(op.op); ++j)
        if (!mask || j == 0 || (j == 1) == inside) needed[op.in[j]] = true;
    }
    return needed;
  }
  char* address(const Access& a, const Dims& i) {
    static char truth = 1;
    char* p = a.place.buffer == kTruth ? &truth : buffers_[a.place.buffer] + a.place.offset;
    for (std::size_t axis = 0; axis < i.size(); ++axis) {
      std::int64_t at = i[axis];
      for (auto& w : a.windows) {
        if (w.axis != axis) continue;
        at += w.shift;
        if (w.edge == Access::Edge::wrap) at = ((at % w.extent) + w.extent) % w.extent;
        else if (at < 0 || at >= w.extent) return nullptr;
      }
      p += at * a.strides[axis];
    }
    return p;
  }
  void load(std::size_t k, const Dims& i) {
    const char* p = address(g_.loads[k], i);
    cells_[k] = {};
    if (p) std::memcpy(&cells_[k], p, static_cast<std::size_t>(itemsize(g_.loads[k].dtype)));
  }
  void apply(const MicroOp& op) {
    char* p[4];
    const int n = arity_of(op.op);
    for (int k = 0; k < n; ++k) p[k] = reinterpret_cast<char*>(&cells_[op.in[k]]);
    p[n] = reinterpret_cast<char*>(&cells_[op.result]);
    if (is_elementwise(op.op)) call(kernel(op.op, op.dtype).value, p, kernel(op.op, op.dtype).data);
    else call(conversion_loop(op), p, nullptr);
  }
  DType dtype_of_register(Register v) const {
    const std::size_t loads = g_.loads.size(), constants = g_.constants.size();
    if (v < loads) return g_.loads[v].dtype;
    if (v < loads + constants) return g_.constants[v - loads].dtype;
    return g_.ops[v - loads - constants].result_dtype;
  }
  const FoldLoops& loops(const Reduction& r) const {
    return fold_loops(r.op, dtype_of_register(r.value));
  }
  void reset(const Reduction& r) {
    Dims kept = g_.shape;
    for (std::size_t axis = 0; axis < kept.size(); ++axis)
      if (r.out.strides[axis] == 0) kept[axis] = 1;
    each_index(kept, [&](const Dims& i) { loops(r).reset(address(r.out, i), 1); });
  }

  const Group& g_;
  char* const* buffers_;
  std::vector<Cell> cells_;
};

// Random groups ----------------------------------------------------------------------------------

class RandomGroup {
 public:
  explicit RandomGroup(unsigned seed) : random_(seed) {}

  GroupCase make() {
    Group& g = case_.group;
    const int ndim = pick(4);
    for (int k = 0; k < ndim; ++k) {
      const std::int64_t sizes[] = {1, 2, 3, 5, 17, pick(150), pick(40), pick(3)};
      g.shape.push_back(sizes[pick(8)]);
    }
    if (ndim == 1 && pick(3) == 0) g.shape[0] = 1000 + pick(3000);
    const int loads = 1 + pick(5);
    for (int k = 0; k < loads; ++k) add_load();
    const int masks = ndim > 0 && pick(2) ? 1 + pick(3) : 0;
    for (int k = 0; k < masks; ++k) add_masked_load();
    const int constants = pick(3);
    for (int k = 0; k < constants; ++k) add_constant(any_dtype());
    for (auto& m : masked_) add_constant(dtypes_[m.value]);
    const int ops = 1 + pick(30);
    for (int k = 0; k < ops; ++k) {
      add_op();
      for (auto& m : masked_)
        if (pick(8) == 0) add_masked_ops(m);
    }
    for (auto& m : masked_) add_masked_ops(m);
    const int stores = 1 + pick(3);
    for (int k = 0; k < stores; ++k) add_store();
    const int reductions = pick(3);
    for (int k = 0; k < reductions; ++k) add_reduction();
    return std::move(case_);
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  DType any_dtype() {
    constexpr DType dtypes[] = {DType::f64,  DType::f64, DType::f64, DType::f64, DType::f32,
                                DType::c128, DType::b8,  DType::b8,  DType::i64};
    return dtypes[pick(9)];
  }
  // Strides of an array of these extents in an order of its own, some axes reversed; with gaps.
  Access dense(DType dtype, const Dims& extents) {
    Access a;
    a.dtype = dtype;
    a.strides = Dims(extents.size(), 0);
    std::vector<std::size_t> order;
    for (std::size_t axis = 0; axis < extents.size(); ++axis)
      order.insert(order.begin() + (pick(4) ? 0 : pick(static_cast<int>(order.size()) + 1)), axis);
    std::int64_t step = itemsize(dtype) * (pick(5) ? 1 : 3), low = 0;
    for (const std::size_t axis : order) {
      a.strides[axis] = pick(5) ? step : -step;
      low += std::min<std::int64_t>(0, a.strides[axis] * (extents[axis] - 1));
      step *= std::max<std::int64_t>(extents[axis], 1);
    }
    a.place = {static_cast<BufferId>(case_.memory.size()), std::max<std::int64_t>(-low, 0)};
    case_.memory.emplace_back(static_cast<std::size_t>(step / 8 + 1));
    fill(dtype, case_.memory.back());
    return a;
  }
  void fill(DType dtype, std::vector<double>& memory) {
    const std::size_t n = memory.size() * 8 / static_cast<std::size_t>(itemsize(dtype));
    char* p = reinterpret_cast<char*>(memory.data());
    dispatch(dtype, [&](auto zero) {
      using T = decltype(zero);
      for (std::size_t i = 0; i < n; ++i) {
        T value = static_cast<T>(pick(7) - 3);
        if constexpr (std::is_same_v<T, bool>) value = pick(2);
        if constexpr (std::is_floating_point_v<T>) {
          if (pick(3)) value = static_cast<T>(pick(6000) - 3000) / T(700);
          if (pick(40) == 0) value = T(-0.0);
          if (pick(60) == 0) value = T(std::numeric_limits<T>::quiet_NaN());
          if (pick(60) == 0) value = T(std::numeric_limits<T>::infinity());
        }
        std::memcpy(p + i * sizeof(T), &value, sizeof(T));
      }
    });
  }
  void add_load() {
    const Dims& shape = case_.group.shape;
    Dims extents = shape;
    std::vector<Access::Window> windows;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (pick(4)) continue;
      const auto n = static_cast<int>(shape[axis]);
      const bool wrap = pick(2);
      extents[axis] = std::max(1, pick(3) ? n : n + pick(5) - 2);
      if (!wrap && pick(6) == 0) extents[axis] = pick(n + 3);
      windows.push_back({wrap ? Access::Edge::wrap : Access::Edge::zero,
                         static_cast<std::uint8_t>(axis), pick(2) ? pick(3) - 1 : pick(200) - 100,
                         extents[axis]});
    }
    const DType dtype = any_dtype();
    Access a = dense(dtype, extents);
    a.windows = windows;
    for (auto& stride : a.strides)
      if (pick(6) == 0) stride = 0;
    if (pick(10) == 0) a.strides = Dims(shape.size(), 0);
    case_.group.loads.push_back(a);
    dtypes_.push_back(dtype);
  }
  // A condition, and an array that is as large as the condition is true.
  struct Masked {
    Register inside, value;
  };
  void add_masked_load() {
    const Dims& shape = case_.group.shape;
    Dims extents = shape;
    Access inside{DType::b8, {kTruth, 0}, Dims(shape.size(), 0), {}};
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (axis > 0 && pick(2)) continue;
      const auto n = static_cast<int>(shape[axis]);
      extents[axis] = pick(n + 3);
      const std::int64_t shift = pick(2) ? pick(3) - 1 : pick(n + 5) - n - 2;
      inside.windows.push_back(
          {Access::Edge::zero, static_cast<std::uint8_t>(axis), shift, extents[axis]});
    }
    const DType dtype = any_dtype();
    Access a = dense(dtype, extents);
    for (auto& w : inside.windows) a.place.offset += w.shift * a.strides[w.axis];
    masked_.push_back({add_private(DType::b8, std::move(inside)), add_private(dtype, a)});
  }
  Register add_private(DType dtype, Access a) {
    case_.group.loads.push_back(std::move(a));
    dtypes_.push_back(dtype);
    private_.insert(static_cast<Register>(dtypes_.size() - 1));
    return static_cast<Register>(dtypes_.size() - 1);
  }
  void add_constant(DType dtype) {
    case_.group.constants.push_back({dtype, static_cast<double>(pick(5) - 1)});
    dtypes_.push_back(dtype);
  }
  // Something made from the array, chosen where the condition holds.
  void add_masked_ops(Masked& m) {
    const DType dtype = dtypes_[m.value];
    auto add = [&](Op op, Register a, Register b, Register c) {
      const auto result = static_cast<Register>(dtypes_.size());
      case_.group.ops.push_back({op, dtype, dtype, result, {a, b, c}});
      dtypes_.push_back(dtype);
      return result;
    };
    const auto other = static_cast<Register>(any_of(dtype));
    if (dtype != DType::b8 && pick(2)) {
      m.value = add(pick(2) ? Op::multiply : Op::add, m.value, pick(2) ? other : m.value, 0);
      private_.insert(m.value);
    }
    add(Op::where, m.inside, m.value, other);
  }
  // A register of this dtype, or kNone.
  static constexpr int kNone = -1;
  int any_of(DType dtype) {
    std::vector<int> found;
    for (std::size_t v = 0; v < dtypes_.size(); ++v)
      if (dtypes_[v] == dtype && !private_.contains(static_cast<Register>(v)))
        found.push_back(static_cast<int>(v));
    if (found.empty()) return kNone;
    if (pick(2)) return found.back();
    return found[static_cast<std::size_t>(pick(static_cast<int>(found.size())))];
  }
  void add_op() {
    constexpr Op numbers[] = {
        Op::add,        Op::subtract,   Op::multiply,    Op::divide,      Op::scale,
        Op::maximum,    Op::minimum,    Op::square,      Op::sqrt,        Op::negative,
        Op::reciprocal, Op::absolute,   Op::sign,        Op::exp,         Op::sin,
        Op::floor,      Op::positive,   Op::isnan,       Op::greater,     Op::greater_equal,
        Op::less,       Op::equal,      Op::not_equal,   Op::less_equal,  Op::add,
        Op::multiply,   Op::subtract,   Op::multiply,    Op::where,       Op::where,
        Op::cast,       Op::cast,       Op::real,        Op::imag,        Op::conjugate,
        Op::fabs,       Op::logical_or, Op::logical_and, Op::logical_xor, Op::logical_not};
    MicroOp op{};
    op.op = numbers[pick(static_cast<int>(std::size(numbers)))];
    op.dtype = any_dtype();
    op.result_dtype = kind_of(op.op) == OpKind::comparison ? DType::b8 : op.dtype;
    if (is_elementwise(op.op) && !kernel(op.op, op.dtype).value) return;
    if (op.op == Op::cast) {
      op.result_dtype = any_dtype();
      if (op.result_dtype == DType::i64 && op.dtype != DType::b8) return;
    }
    if ((op.op == Op::real || op.op == Op::imag) && op.dtype == DType::c128)
      op.result_dtype = DType::f64;
    for (int k = 0; k < arity_of(op.op); ++k) {
      const int v = any_of(op.op == Op::where && k == 0 ? DType::b8 : op.dtype);
      if (v == kNone) return;
      op.in[k] = static_cast<Register>(v);
    }
    op.result = static_cast<Register>(dtypes_.size());
    dtypes_.push_back(op.result_dtype);
    case_.group.ops.push_back(op);
  }
  // Not a load or a constant, possibly under another name.
  bool is_computed(Register v) const {
    const std::size_t first = case_.group.loads.size() + case_.group.constants.size();
    if (v < first) return false;
    const Op op = case_.group.ops[v - first].op;
    return op != Op::positive && op != Op::cast && op != Op::real && op != Op::conjugate &&
           op != Op::where;
  }
  void add_store() {
    const auto v = static_cast<Register>(
        dtypes_.size() - 1 -
        static_cast<std::size_t>(pick(static_cast<int>(std::min<std::size_t>(dtypes_.size(), 6)))));
    if (private_.contains(v)) return;
    Access out = dense(dtypes_[v], case_.group.shape);
    if (pick(3) == 0 && is_computed(v))  // in place of a load
      for (std::size_t k = 0; k < case_.group.loads.size(); ++k) {
        const Access& load = case_.group.loads[k];
        bool taken = load.dtype != out.dtype || !load.windows.empty() ||
                     private_.contains(static_cast<Register>(k));
        for (auto& s : case_.group.stores) taken = taken || s.out.place.buffer == load.place.buffer;
        for (std::size_t axis = 0; axis < load.strides.size(); ++axis)
          taken = taken || load.strides[axis] == 0;
        if (!taken) out = load;
      }
    case_.group.stores.push_back({v, out});
  }
  void add_reduction() {
    constexpr Op ops[] = {Op::sum, Op::sum, Op::prod, Op::max, Op::min};
    Reduction r{};
    r.op = ops[pick(5)];
    r.value = static_cast<Register>(dtypes_.size() - 1);
    if (pick(2)) r.value = static_cast<Register>(pick(static_cast<int>(dtypes_.size())));
    if (private_.contains(r.value)) return;
    const DType dtype = dtypes_[r.value];
    if (r.op == Op::max || r.op == Op::min) {
      if (dtype == DType::c128 || case_.group.shape.product() == 0) return;
    }
    Dims kept = case_.group.shape;
    for (auto& n : kept)
      if (pick(2)) n = 1;
    r.out = dense(fold_loops(r.op, dtype).result, kept);
    for (std::size_t axis = 0; axis < kept.size(); ++axis)
      if (kept[axis] == 1) r.out.strides[axis] = 0;
    case_.group.reductions.push_back(r);
  }

  std::mt19937 random_;
  GroupCase case_;
  std::vector<DType> dtypes_;
  std::vector<Masked> masked_;
  std::set<Register> private_;  // to be read where a condition holds only
};

}  // namespace tapegrad::testing
