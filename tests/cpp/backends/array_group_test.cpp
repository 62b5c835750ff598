// Groups run by the array backend against the same groups run element by element.
#include "backends/array_group.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <numeric>

#include "allocations.hpp"
#include "array_cases.hpp"
#include "ops/table.hpp"

namespace tapegrad {
namespace {

using testing::GroupCase;
using testing::RandomGroup;
using testing::Reference;
using Memory = std::vector<std::vector<double>>;

struct Aligned {
  void operator()(char* p) const { ::operator delete[](p, std::align_val_t(64)); }
};

Memory run(const GroupCase& c, const PrepareOptions& options = {}, int threads = 1) {
  Memory memory = c.memory;
  const PreparedGroup group = prepare(c.group, options);
  const std::unique_ptr<char[], Aligned> scratch(
      static_cast<char*>(::operator new[](scratch_bytes(group) + 1, std::align_val_t(64))));
  run_group(group, testing::pointers(memory).data(), scratch.get(), threads);
  return memory;
}
Memory expected(const GroupCase& c) {
  Memory memory = c.memory;
  Reference(c.group, testing::pointers(memory).data()).run();
  return memory;
}

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }
// As bits, and NaN like NaN; sums and products within rounding.
template <class T>
bool agree(const T* a, const T* b, std::size_t n, double tolerance) {
  for (std::size_t i = 0; i < n; ++i) {
    if (std::memcmp(a + i, b + i, sizeof(T)) == 0 || (a[i] != a[i] && b[i] != b[i])) continue;
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (!(std::abs(x - y) <= tolerance * (1 + std::abs(x)))) return false;
  }
  return true;
}
bool agree(DType dtype, const std::vector<double>& a, const std::vector<double>& b, bool folded) {
  const char *p = reinterpret_cast<const char*>(a.data()),
             *q = reinterpret_cast<const char*>(b.data());
  const std::size_t n = a.size() * 8;
  if (dtype == DType::f32)
    return agree(reinterpret_cast<const float*>(p), reinterpret_cast<const float*>(q), n / 4,
                 folded ? 1e-3 : 0);
  if (dtype == DType::f64 || dtype == DType::c128)
    return agree(a.data(), b.data(), a.size(), folded ? 1e-9 : 0);
  return std::memcmp(p, q, n) == 0;
}

// Sums of numbers of all sizes cancel; they are compared where no infinity, NaN or huge number is.
bool tame(const GroupCase& c, const Reduction& r, const Memory& m) {
  if (r.op == Op::max || r.op == Op::min) return true;
  const auto& out = m[r.out.place.buffer];
  if (r.out.dtype == DType::i64) return true;
  double worst = 0;
  const std::size_t items = out.size() * 8 / static_cast<std::size_t>(itemsize(r.out.dtype));
  for (std::size_t i = 0; i < items && r.out.dtype == DType::f32; ++i)
    worst = std::max<double>(worst, std::abs(reinterpret_cast<const float*>(out.data())[i]));
  if (r.out.dtype != DType::f32)
    for (const double x : out) worst = std::isfinite(x) ? std::max(worst, std::abs(x)) : INFINITY;
  return worst < 1e4 && c.group.shape.product() < 2000 && r.op == Op::sum;
}

void expect_agree(const GroupCase& c, const Memory& got, const Memory& want, bool exact_folds) {
  for (auto& s : c.group.stores) {
    const BufferId b = s.out.place.buffer;
    EXPECT_TRUE(agree(s.out.dtype, got[b], want[b], false)) << "store in buffer " << b;
  }
  for (auto& r : c.group.reductions) {
    const BufferId b = r.out.place.buffer;
    const bool inexact = (r.op == Op::sum || r.op == Op::prod) && r.out.dtype != DType::i64;
    if (inexact && !exact_folds && !tame(c, r, want)) continue;
    EXPECT_TRUE(agree(r.out.dtype, got[b], want[b], inexact && !exact_folds))
        << op_name(r.op) << " in buffer " << b;
  }
}

class RandomGroups : public ::testing::TestWithParam<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomGroups, ::testing::Range(0u, 40u));

TEST_P(RandomGroups, AgreeWithTheReference) {
  for (unsigned k = 0; k < 25; ++k) {
    SCOPED_TRACE("seed " + std::to_string(GetParam() * 1000 + k));
    const GroupCase c = RandomGroup(GetParam() * 1000 + k).make();
    const Memory want = expected(c), got = run(c);
    expect_agree(c, got, want, false);
    expect_agree(c, run(c, {.fuse = false}), want, false);
    const PrepareOptions parts{.part = 300};
    const Memory divided = run(c, parts);
    expect_agree(c, divided, want, false);
    expect_agree(c, run(c, parts, 2), divided, true);
    expect_agree(c, run(c, parts, 3), divided, true);
    expect_agree(c, run(c, {.machine = machine::base}), want, false);
    if (machine::avx2()) expect_agree(c, run(c, {.machine = *machine::avx2()}), want, false);
    if (HasFailure()) return;
  }
}

// Groups of one op
// ---------------------------------------------------------------------------------

Access contiguous_access(DType dtype, BufferId buffer, const Dims& shape) {
  return {dtype, {buffer, 0}, Array::contiguous_strides(shape, itemsize(dtype)), {}};
}

template <class T>
std::vector<double> bytes_of(const std::vector<T>& values) {
  std::vector<double> memory((values.size() * sizeof(T) + 7) / 8);
  std::memcpy(memory.data(), values.data(), values.size() * sizeof(T));
  return memory;
}

template <class T>
GroupCase one_op(const testing::TableRow& row) {
  const DType dtype = dtype_of<T>();
  const auto points = testing::samples(row);
  constexpr std::size_t kCount = 203;
  std::vector<T> x, y;
  for (std::size_t i = 0; i < kCount; ++i) {
    x.push_back(static_cast<T>(points[i % points.size()][0]));
    y.push_back(static_cast<T>(points[i % points.size()][1]));
  }
  const Dims shape{kCount};
  GroupCase c;
  c.memory = {bytes_of(x), bytes_of(y), bytes_of(std::vector<T>(kCount))};
  c.group.shape = shape;
  c.group.loads = {contiguous_access(dtype, 0, shape), contiguous_access(dtype, 1, shape)};
  c.group.ops = {{row.op, dtype, dtype, 2, {0, 1, 0}}};
  c.group.stores = {{2, contiguous_access(dtype, 2, shape)}};
  return c;
}

TEST(ArrayGroup, RunsEveryOpOfTheTable) {
  const auto check = [](const testing::TableRow& row, const GroupCase& c) {
    SCOPED_TRACE(std::string(op_name(row.op)));
    expect_agree(c, run(c), expected(c), false);
  };
  for (const testing::TableRow& row : testing::table()) {
    check(row, one_op<double>(row));
    if (kernel(row.op, DType::f32).value) check(row, one_op<float>(row));
    if (kernel(row.op, DType::c128).value) check(row, one_op<Complex>(row));
  }
}

TEST(ArrayGroup, ZerosOfTwoSignsFollowTheKernel) {
  for (const Op op : {Op::maximum, Op::minimum}) {
    GroupCase c;
    c.group.shape = {2};
    c.memory = {{0.0, -0.0}, {-0.0, 0.0}, {0, 0}};
    c.group.loads = {contiguous_access(DType::f64, 0, {2}), contiguous_access(DType::f64, 1, {2})};
    c.group.ops = {{op, DType::f64, DType::f64, 2, {0, 1, 0}}};
    c.group.stores = {{2, contiguous_access(DType::f64, 2, {2})}};
    const Memory got = run(c), want = expected(c);
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(same_bits(got[2][i], want[2][i])) << op_name(op);
  }
}

// Reductions
// ---------------------------------------------------------------------------------------

GroupCase reduction(Op op, const Dims& shape, std::vector<double> x, const Dims& out_strides,
                    std::size_t results) {
  GroupCase c;
  c.group.shape = shape;
  c.memory = {std::move(x), std::vector<double>(results, 99.0)};
  c.group.loads = {contiguous_access(DType::f64, 0, shape)};
  c.group.reductions = {{op, 0, {DType::f64, {1, 0}, out_strides, {}}}};
  return c;
}

TEST(ArrayGroup, SumsAreAsExactAsPairwiseOnes) {
  constexpr std::size_t kCount = 1'000'003;
  std::vector<double> x(kCount);
  long double exact = 0;
  for (std::size_t i = 0; i < kCount; ++i) exact += x[i] = 0.1 + 1e-3 * std::sin(double(i));
  const GroupCase c = reduction(Op::sum, {kCount}, x, {0}, 1);
  for (const int threads : {1, 2}) {
    const double sum = run(c, {}, threads)[1][0];
    EXPECT_NEAR(sum, static_cast<double>(exact), 1e-15 * static_cast<double>(exact));
  }
}

TEST(ArrayGroup, EmptyReductionsGiveTheIdentity) {
  for (const Dims& shape : {Dims{0}, Dims{3, 0}, Dims{0, 3}}) {
    EXPECT_EQ(run(reduction(Op::sum, shape, {}, Dims(shape.size(), 0), 1))[1][0], 0.0);
    EXPECT_EQ(run(reduction(Op::prod, shape, {}, Dims(shape.size(), 0), 1))[1][0], 1.0);
  }
  EXPECT_EQ(run(reduction(Op::sum, {2, 0}, {}, {8, 0}, 2))[1], (std::vector<double>{0, 0}));
}

TEST(ArrayGroup, ANaNStaysInMaximaAndMinima) {
  for (const std::size_t at : {0u, 5u, 63u, 64u, 299u}) {
    std::vector<double> x(300, 2.0);
    x[7] = -4;
    x[8] = 4;
    EXPECT_EQ(run(reduction(Op::max, {300}, x, {0}, 1))[1][0], 4);
    EXPECT_EQ(run(reduction(Op::min, {300}, x, {0}, 1))[1][0], -4);
    x[at] = std::numeric_limits<double>::quiet_NaN();
    EXPECT_TRUE(std::isnan(run(reduction(Op::max, {300}, x, {0}, 1))[1][0]));
    EXPECT_TRUE(std::isnan(run(reduction(Op::min, {300}, x, {0}, 1))[1][0]));
  }
}

TEST(ArrayGroup, SumsOfBooleansCount) {
  GroupCase c;
  c.group.shape = {1000};
  c.memory = {bytes_of(std::vector<char>(1000, 1)), {0}};
  c.group.loads = {contiguous_access(DType::b8, 0, {1000})};
  c.group.reductions = {{Op::sum, 0, {DType::i64, {1, 0}, {0}, {}}}};
  const Memory got = run(c);
  EXPECT_EQ(*reinterpret_cast<const std::int64_t*>(got[1].data()), 1000);
}

// Shapes of programs
// -------------------------------------------------------------------------------

TEST(ArrayGroup, LongChainsAndManyLiveValues) {
  constexpr Register kOps = 3000;
  GroupCase c;
  c.group.shape = {70};
  c.memory = {std::vector<double>(70, 1.0), std::vector<double>(70)};
  c.group.loads = {contiguous_access(DType::f64, 0, {70})};
  for (Register k = 1; k <= kOps; ++k)  // a chain, then its values added from the back
    c.group.ops.push_back(
        {Op::add, DType::f64, DType::f64, k, {static_cast<Register>(k - 1), 0, 0}});
  for (Register k = 0; k < kOps; ++k)
    c.group.ops.push_back({Op::subtract,
                           DType::f64,
                           DType::f64,
                           static_cast<Register>(kOps + 1 + k),
                           {static_cast<Register>(kOps + k), static_cast<Register>(kOps - k), 0}});
  c.group.stores = {{2 * kOps, contiguous_access(DType::f64, 1, {70})}};
  expect_agree(c, run(c), expected(c), true);
}

// The 5-point Laplacian with periodic edges, in place.
TEST(ArrayGroup, StencilWrapsOnBothAxes) {
  const Dims shape{37, 130};
  GroupCase c;
  c.group.shape = shape;
  std::vector<double> x(37 * 130);
  std::iota(x.begin(), x.end(), 1.0);
  c.memory = {x, std::vector<double>(x.size())};
  for (const auto& [axis, shift] : {std::pair{0, 1}, {0, -1}, {1, 1}, {1, -38}}) {
    Access a = contiguous_access(DType::f64, 0, shape);
    a.windows = {{Access::Edge::wrap, static_cast<std::uint8_t>(axis), shift, shape[axis]}};
    c.group.loads.push_back(a);
  }
  c.group.ops = {{Op::add, DType::f64, DType::f64, 4, {0, 1, 0}},
                 {Op::add, DType::f64, DType::f64, 5, {2, 3, 0}},
                 {Op::multiply, DType::f64, DType::f64, 6, {4, 5, 0}}};
  c.group.stores = {{6, contiguous_access(DType::f64, 1, shape)}};
  expect_agree(c, run(c), expected(c), true);
  expect_agree(c, run(c, {.part = 1000}, 2), expected(c), true);
}

TEST(ArrayGroup, APreparedGroupRunsAgainAndAllocatesNothing) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const GroupCase c = RandomGroup(seed).make();
    const PreparedGroup group = prepare(c.group, {.part = 1000});
    const std::unique_ptr<char[], Aligned> scratch(
        static_cast<char*>(::operator new[](scratch_bytes(group) + 1, std::align_val_t(64))));
    Memory memory = c.memory;
    run_group(group, testing::pointers(memory).data(), scratch.get());
    const Memory first = std::exchange(memory, c.memory);
    const std::vector<char*> buffers = testing::pointers(memory);
    const std::size_t before = testing::allocations();
    run_group(group, buffers.data(), scratch.get());
    EXPECT_EQ(testing::allocations(), before);
    expect_agree(c, memory, first, true);
  }
}

}  // namespace
}  // namespace tapegrad
