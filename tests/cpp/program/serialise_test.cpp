// Recordings as bytes: they come back the same, and bytes that are not a recording are refused.
#include "program/serialise.hpp"

#include <gtest/gtest.h>

#include <random>

#include "backends/executable.hpp"
#include "base/bytes.hpp"
#include "ops/rules.hpp"
#include "program/file_format.hpp"
#include "program/plan.hpp"

namespace tapegrad {
namespace {

Array counted(DType dtype, const Dims& shape) {
  const Array a = Array::empty(dtype, shape);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (std::int64_t i = 0; i < a.size(); ++i) a.at<T>(i) = static_cast<T>(i % 5);
  });
  return a;
}

// A recording written op by op; shapes come from the rules.
class Writer {
 public:
  Writer() : made(std::make_unique<Recording>()) { made->sources.push_back({"user.py", 7}); }

  NodeId input(const Meta& m) {
    const NodeId id = made->tape.add_leaf(Op::input, m);
    made->inputs.push_back(id);
    return id;
  }
  NodeId constant(const Array& value) {
    const NodeId id = made->tape.add_leaf(Op::constant, value);
    made->tape.keep(id, value);
    return id;
  }
  NodeId add(Op op, std::vector<Operand> in, Dims attrs = {}) {
    std::vector<Meta> metas;
    for (Operand o : in) metas.push_back(made->tape.meta(o));
    Meta out = metas[0];
    if (kind_of(op) == OpKind::structured) out = rules_of(op).shape(metas, attrs);
    if (kind_of(op) == OpKind::comparison) out.dtype = DType::b8;
    return made->tape.add(op, in, attrs, out);
  }
  std::unique_ptr<Recording> finish(std::vector<Operand> outputs) {
    made->outputs = std::move(outputs);
    made->lines.assign(made->tape.size(), 1);
    return std::move(made);
  }

  std::unique_ptr<Recording> made;
};

// Something of everything: views, indices, a guard, numbers, a repeated and a transposed constant.
std::unique_ptr<Recording> example() {
  Writer w;
  const NodeId x = w.input({DType::f64, {3, 4}});
  const Array held = counted(DType::f64, {4, 3});
  const NodeId c = w.constant(held.view({3, 4}, {8, 24}, held.data()));
  const Array one = Array::full(DType::f64, {1, 1}, 1.5);
  const NodeId r = w.constant(one.view({3, 4}, {0, 0}, one.data()));
  const NodeId rows = w.constant(counted(DType::i64, {5}));
  NodeId y = w.add(Op::multiply, {x, c});
  y = w.add(Op::add, {y, r});
  y = w.add(Op::multiply, {y, w.made->tape.add_constant(0.25)});
  const NodeId t = w.add(Op::transpose, {y}, {1, 0});
  const NodeId product = w.add(Op::matmul, {y, t});
  const NodeId part = w.add(Op::slice, {product}, {2, -1, 2, 0, 1, 3});
  const NodeId padded = w.add(Op::unslice, {part}, {0, 1, 3, 0, 1, 3});
  const NodeId flat = w.add(Op::reshape, {padded}, {9});
  const NodeId picked = w.add(Op::gather, {flat, rows});
  const NodeId rolled = w.add(Op::roll, {picked}, {-2});
  const NodeId joined = w.add(Op::concatenate, {rolled, picked, flat}, {0});
  const NodeId total = w.add(Op::sum, {joined}, {0, 0});
  const NodeId first = w.add(Op::item, {joined}, {4});
  const NodeId positive = w.add(Op::greater, {total, w.made->tape.add_constant(0.0)});
  w.made->guards.push_back({positive, Array::scalar(true), 1});
  const NodeId out = w.add(Op::multiply, {total, first});
  return w.finish({out, joined, w.made->tape.add_constant(3.0)});
}

std::vector<double> run(const Recording& r) {
  const Executable e(make_plan(r, Passes()));
  const Array x = Array::full(DType::f64, {3, 4}, 0.75);
  double out = 0, constant = 0;
  std::vector<double> joined(19, 0.0);
  const void* inputs[] = {x.data()};
  void* outputs[] = {&out, joined.data(), &constant};
  EXPECT_EQ(e.run(inputs, outputs), Executable::kAllHold);
  joined.push_back(out);
  joined.push_back(constant);
  return joined;
}

void repair_checksum(std::string& bytes) {
  const std::uint64_t sum = crc64(std::string_view(bytes).substr(file_format::kHeaderBytes));
  std::memcpy(bytes.data() + file_format::kChecksumAt, &sum, 8);
}

std::string fault_of(const std::string& bytes) {
  try {
    deserialise(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Serialise, ComesBackTheSame) {
  const auto original = example();
  const std::string bytes = serialise(*original);
  const auto back = deserialise(bytes);
  EXPECT_EQ(serialise(*back), bytes);
  EXPECT_EQ(run(*back), run(*original));
  EXPECT_EQ(back->sources[1].file, "user.py");
  EXPECT_EQ(back->guards[0].line, 1u);
  // Constants keep their layout.
  EXPECT_EQ(back->tape.value(1).strides(), (Dims{8, 24}));
  EXPECT_EQ(back->tape.value(2).strides(), (Dims{0, 0}));
}

TEST(Serialise, DerivativesComeBackTheSame) {
  const auto gradient = gradient_of(*example(), {{0}}, Passes());
  const std::string bytes = serialise(*gradient);
  EXPECT_EQ(serialise(*deserialise(bytes)), bytes);
  EXPECT_EQ(serialise(*gradient_of(*deserialise(serialise(*example())), {{0}}, Passes())), bytes);
}

TEST(Serialise, DescendingAndEmptyConstants) {
  Writer w;
  const Array held = counted(DType::f32, {4});
  const NodeId x = w.input({DType::f32, {4}});
  const NodeId c = w.constant(held.view({4}, {-4}, held.data() + 12));
  const NodeId e = w.constant(Array::empty(DType::c128, {0, 3}));
  const auto r = w.finish({w.add(Op::add, {x, c}), e});
  const auto back = deserialise(serialise(*r));
  EXPECT_EQ(back->tape.value(c).at<float>(0), 3.0f);
  EXPECT_EQ(back->tape.value(c).at<float>(3), 0.0f);
  EXPECT_EQ(back->tape.value(e).shape(), (Dims{0, 3}));
}

TEST(Serialise, SaysWhatIsWrong) {
  const std::string good = serialise(*example());
  EXPECT_NE(fault_of("").find("does not begin as one"), std::string::npos);
  EXPECT_NE(fault_of(good.substr(0, 20)).find("ends too early"), std::string::npos);
  EXPECT_NE(fault_of(good.substr(0, 200)).find("length"), std::string::npos);
  std::string bad = good;
  bad[100] = static_cast<char>(bad[100] + 1);
  EXPECT_NE(fault_of(bad).find("checksum"), std::string::npos);
  bad = good;
  bad[8] = 2;
  EXPECT_NE(fault_of(bad).find("needs a newer tapegrad"), std::string::npos);
  bad = good;
  const std::size_t name = bad.find("matmul");
  bad.replace(name, 6, "matmax");
  repair_checksum(bad);
  EXPECT_NE(fault_of(bad).find("'matmax', which this tapegrad does not have"), std::string::npos);
}

TEST(Serialise, EveryTruncationIsRefused) {
  const std::string good = serialise(*example());
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(fault_of(good.substr(0, n)), "") << n;
}

TEST(Serialise, EveryFlippedByteIsRefused) {
  const std::string good = serialise(*example());
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    EXPECT_NE(fault_of(bad), "") << i;
  }
}

// With the checksum put right, the checks behind it must do: what loads can be used.
TEST(Serialise, WhatPassesTheChecksCanBeUsed) {
  const std::string good = serialise(*example());
  std::mt19937 random(1);
  int loaded = 0;
  for (int k = 0; k < 20000; ++k) {
    std::string bad = good;
    for (unsigned n = 1 + random() % 3; n > 0; --n) {
      const std::size_t at = file_format::kHeaderBytes + random() % (good.size() - 32);
      const unsigned how = random() % 4;
      const char byte = static_cast<char>(random());
      bad[at] = how == 0   ? byte
                : how == 1 ? '\xff'
                           : static_cast<char>(bad[at] ^ (1 << random() % 8));
    }
    repair_checksum(bad);
    std::unique_ptr<Recording> made;
    try {
      made = deserialise(bad);
    } catch (const Error&) {
      continue;
    }
    ++loaded;
    std::int64_t bytes = 0;
    for (NodeId id = 0; id < made->tape.size(); ++id) {
      const Meta m = made->tape.meta(id);
      bytes += m.shape.product() * itemsize(m.dtype);
    }
    if (bytes > 1 << 20) continue;
    EXPECT_EQ(serialise(*deserialise(serialise(*made))), serialise(*made));
    try {
      const Executable e(make_plan(*simplified(*made, Passes()), Passes()));
      std::vector<Array> held;
      std::vector<const void*> inputs;
      std::vector<void*> outputs;
      for (const Meta& m : e.plan().inputs) {
        held.push_back(Array::zeros(m.dtype, m.shape));
        inputs.push_back(held.back().data());
      }
      for (const Meta& m : e.plan().output_metas) {
        held.push_back(Array::zeros(m.dtype, m.shape));
        outputs.push_back(held.back().data());
      }
      e.run(inputs.data(), outputs.data());
    } catch (const Error&) {  // an index out of bounds, say
    }
  }
  EXPECT_GT(loaded, 500);
}

TEST(Serialise, ImpossibleSizesAreRefusedBeforeMemoryIsTaken) {
  Writer w;
  const NodeId x = w.input({DType::f64, {1}});
  const NodeId y = w.add(Op::broadcast_to, {x}, {1 << 20});
  const std::string good = serialise(*w.finish({y}));
  std::string bad = good;
  const std::int64_t size = 1 << 20, huge = std::int64_t{1} << 47;
  for (std::size_t at = 0; at + 8 <= bad.size(); ++at)
    if (std::memcmp(bad.data() + at, &size, 8) == 0) std::memcpy(bad.data() + at, &huge, 8);
  repair_checksum(bad);
  EXPECT_NE(fault_of(bad).find("impossible shape"), std::string::npos);
}

TEST(Checksum, IsCrc64Xz) {
  EXPECT_EQ(crc64("123456789"), 0x995dc9bbdf1939faull);
  EXPECT_EQ(crc64(""), 0u);
}

}  // namespace
}  // namespace tapegrad
