// Every op in every sweep: tangents against differences of values, adjoints against tangents,
// second order against differences of adjoints, several lanes against single ones, recorded against
// numeric.
#include "sweeps/sweeps.hpp"

#include <gtest/gtest.h>

#include <set>

#include "sweeps/cases.hpp"

namespace tapegrad {
namespace {

using testing::distance;
using testing::drawn;
using testing::moved;
using testing::pairing;
using testing::StructuredCase;
using testing::Value;

// A case on a tape of its own, with a direction for each variable and a cotangent of the result.
struct OneOp {
  explicit OneOp(const StructuredCase& c, const std::vector<Array>& in) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (testing::is_variable(c, i)) {
        operands.push_back(testing::input(tape, in[i]));
        inputs.push_back(operands.back().operand);
        directions.push_back(drawn(in[i].shape(), in[i].dtype(), 40 + i));
        others.push_back(drawn(in[i].shape(), in[i].dtype(), 50 + i));
      } else {
        operands.push_back(testing::constant(tape, in[i]));
      }
    }
    out = testing::record(tape, c.op, operands, c.attrs);
    cotangent = drawn(out.array.shape(), out.array.dtype(), 60);
    other_cotangent = drawn(out.array.shape(), out.array.dtype(), 61);
  }
  explicit OneOp(const StructuredCase& c) : OneOp(c, c.in) {}

  std::vector<Array> adjoints(const Array& seed, std::int64_t lanes = 0) const {
    return adjoint_sweep(tape, 0, {{out.operand, seed}}, inputs, lanes);
  }
  Array tangent(const std::vector<Array>& seeds, std::int64_t lanes = 0) const {
    return tangent_sweep(tape, 0, seeds_at_inputs(seeds), {out.operand}, lanes)[0];
  }
  SecondOrder second_order(const std::vector<Array>& seeds, std::int64_t lanes = 0) const {
    return second_order_sweep(tape, 0, {out.operand, cotangent}, seeds_at_inputs(seeds), lanes);
  }
  std::vector<Seed> seeds_at_inputs(const std::vector<Array>& seeds) const {
    std::vector<Seed> all;
    for (std::size_t i = 0; i < inputs.size(); ++i) all.push_back({inputs[i], seeds[i]});
    return all;
  }
  std::vector<Array> both_lanes() const {
    std::vector<Array> both;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      both.push_back(testing::stacked(directions[i], others[i]));
    }
    return both;
  }

  Tape tape;
  std::vector<Value> operands;
  std::vector<NodeId> inputs;
  std::vector<Array> directions, others;  // of the inputs
  Value out;
  Array cotangent, other_cotangent;
};

// The case at x + h v, v the directions of `r`.
std::vector<Array> moved_inputs(const StructuredCase& c, const OneOp& r, double h) {
  std::vector<Array> in = c.in;
  std::size_t at = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (testing::is_variable(c, i)) in[i] = moved(in[i], r.directions[at++], h);
  }
  return in;
}

class Sweeps : public ::testing::TestWithParam<StructuredCase> {};
INSTANTIATE_TEST_SUITE_P(Ops, Sweeps, ::testing::ValuesIn(testing::all_cases()),
                         [](const auto& info) { return info.param.name; });

TEST_P(Sweeps, TangentIsTheSlopeOfTheValue) {
  const StructuredCase& c = GetParam();
  const OneOp r(c);
  const double expected = testing::difference_quotient(
      [&](double h) { return pairing(r.cotangent, OneOp(c, moved_inputs(c, r, h)).out.array); },
      1e-2);
  EXPECT_NEAR(pairing(r.cotangent, r.tangent(r.directions)), expected,
              1e-7 * (1 + std::abs(expected)));
}

TEST_P(Sweeps, AdjointIsTheTransposeOfTheTangent) {
  const OneOp r(GetParam());
  const std::vector<Array> adjoints = r.adjoints(r.cotangent);
  double by_adjoint = 0;
  for (std::size_t i = 0; i < adjoints.size(); ++i) {
    EXPECT_EQ(adjoints[i].shape(), r.directions[i].shape());
    EXPECT_EQ(adjoints[i].dtype(), r.directions[i].dtype());
    by_adjoint += pairing(adjoints[i], r.directions[i]);
  }
  const double by_tangent = pairing(r.cotangent, r.tangent(r.directions));
  EXPECT_NEAR(by_adjoint, by_tangent, 1e-12 * (1 + std::abs(by_tangent)));
}

TEST_P(Sweeps, LanesAreDirectionsOneByOne) {
  const OneOp r(GetParam());
  const Array tangents = r.tangent(r.both_lanes(), 2);
  const Array expected = testing::stacked(r.tangent(r.directions), r.tangent(r.others));
  EXPECT_LE(distance(tangents, expected), 1e-12);
  const auto adjoints = r.adjoints(testing::stacked(r.cotangent, r.other_cotangent), 2);
  const auto first = r.adjoints(r.cotangent);
  const auto second = r.adjoints(r.other_cotangent);
  for (std::size_t i = 0; i < adjoints.size(); ++i) {
    EXPECT_LE(distance(adjoints[i], testing::stacked(first[i], second[i])), 1e-12) << "input " << i;
  }
}

TEST_P(Sweeps, SecondOrderIsTheSlopeOfTheAdjoint) {
  const StructuredCase& c = GetParam();
  const OneOp r(c);
  const SecondOrder second = r.second_order(r.directions);
  const auto adjoints = r.adjoints(r.cotangent);
  ASSERT_EQ(second.gradients.size(), adjoints.size());
  for (std::size_t i = 0; i < adjoints.size(); ++i) {
    EXPECT_LE(distance(second.gradients[i], adjoints[i]), 1e-12) << "input " << i;
    const double expected = testing::difference_quotient(
        [&](double h) {
          const OneOp beside(c, moved_inputs(c, r, h));
          return pairing(beside.adjoints(r.cotangent)[i], r.others[i]);
        },
        1e-2);
    EXPECT_NEAR(pairing(second.products[i], r.others[i]), expected, 1e-6 * (1 + std::abs(expected)))
        << "input " << i;
  }
}

TEST_P(Sweeps, SecondOrderLanesAreDirectionsOneByOne) {
  const OneOp r(GetParam());
  const auto both = r.second_order(r.both_lanes(), 2).products;
  const auto first = r.second_order(r.directions).products;
  const auto second = r.second_order(r.others).products;
  for (std::size_t i = 0; i < both.size(); ++i) {
    EXPECT_LE(distance(both[i], testing::stacked(first[i], second[i])), 1e-12) << "input " << i;
  }
}

TEST_P(Sweeps, RecordedAdjointIsTheNumericOne) {
  OneOp r(GetParam());
  const auto numeric = r.adjoints(r.cotangent);
  const auto recorded = recorded_adjoint_sweep(
      r.tape, r.tape, 0, {{r.out.operand, {kNoOperand, r.cotangent}}}, r.inputs);
  ASSERT_EQ(recorded.size(), numeric.size());
  for (std::size_t i = 0; i < numeric.size(); ++i) {
    EXPECT_LE(distance(recorded[i].value, numeric[i]), 1e-12) << "input " << i;
  }
}

TEST_P(Sweeps, RecordedTangentIsTheNumericOne) {
  OneOp r(GetParam());
  const Array numeric = r.tangent(r.directions);
  std::vector<RecordedSeed> seeds;
  for (std::size_t i = 0; i < r.inputs.size(); ++i) {
    seeds.push_back({r.inputs[i], {kNoOperand, r.directions[i]}});
  }
  const auto recorded = recorded_tangent_sweep(r.tape, r.tape, 0, seeds, {r.out.operand});
  EXPECT_LE(distance(recorded[0].value, numeric), 1e-12);
}

// Reverse over reverse: the recorded gradients, swept back from the directions, give H v.
TEST_P(Sweeps, SweepingARecordedAdjointGivesSecondOrder) {
  OneOp r(GetParam());
  const auto expected = r.second_order(r.directions).products;
  const auto recorded = recorded_adjoint_sweep(
      r.tape, r.tape, 0, {{r.out.operand, {kNoOperand, r.cotangent}}}, r.inputs);
  std::vector<Seed> seeds;
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    if (recorded[i].operand != kNoOperand) seeds.push_back({recorded[i].operand, r.directions[i]});
  }
  const auto products = adjoint_sweep(r.tape, 0, seeds, r.inputs, 0);
  for (std::size_t i = 0; i < products.size(); ++i) {
    EXPECT_LE(distance(products[i], expected[i]), 1e-11) << "input " << i;
  }
}

TEST(SweepCases, CoverTheRegistry) {
  std::set<Op> covered;
  for (const StructuredCase& c : testing::structured_cases()) covered.insert(c.op);
#define STRUCTURED(name, arity, family)                                        \
  EXPECT_TRUE(covered.contains(Op::name) || testing::needs_python(Op::name) || \
              !rules_of(Op::name).adjoint)                                     \
      << #name;
#include "ops/structured.def"
}

// y = stop(x) * x + cast(x > 0) * argmax(x): slope stop(x), and nothing reaches bool and int64.
TEST(Sweeps, StopAtWhatCarriesNoDerivative) {
  Tape tape;
  const auto f64 = static_cast<std::int64_t>(DType::f64);
  const Value x = testing::input(tape, drawn({4}));
  const Value stopped = testing::record(tape, Op::stop_gradient, {x});
  const Value positive = testing::record(
      tape, Op::greater, {x, testing::constant(tape, Array::zeros(DType::f64, {4}))});
  const std::int64_t axis[] = {0};
  const Value place = testing::record(tape, Op::argmax, {x}, axis);
  const std::int64_t code[] = {f64};
  const Value weight = testing::record(tape, Op::cast, {positive}, code);
  const Value last = testing::record(tape, Op::multiply, {weight, place});
  for (const Value& v : {stopped, positive, place, weight, last})
    EXPECT_TRUE(tape[v.operand].has(Node::kDetached));
  const Value product = testing::record(tape, Op::multiply, {stopped, x});
  const Value y = testing::record(tape, Op::add, {product, last});
  EXPECT_FALSE(tape[y.operand].has(Node::kDetached));
  const Array ones = Array::full(DType::f64, {4}, 1);
  const Array adjoint = adjoint_sweep(tape, 0, {{y.operand, ones}}, {x.operand}, 0)[0];
  const Array tangent = tangent_sweep(tape, 0, {{x.operand, ones}}, {y.operand}, 0)[0];
  EXPECT_LE(distance(adjoint, x.array), 0);
  EXPECT_LE(distance(tangent, x.array), 0);
  const Recorded recorded =
      recorded_adjoint_sweep(tape, tape, 0, {{y.operand, {kNoOperand, ones}}}, {x.operand})[0];
  EXPECT_LE(distance(recorded.value, x.array), 0);
}

TEST(Adjoint, OfAnInputThatIsNotUsedIsZero) {
  Tape tape;
  const Value x = testing::input(tape, drawn({3}));
  const Value unused = testing::input(tape, drawn({2, 2}));
  const Value y = testing::record(tape, Op::exp, {x});
  const auto adjoints =
      adjoint_sweep(tape, 0, {{y.operand, drawn({3})}}, {unused.operand, x.operand}, 0);
  EXPECT_EQ(distance(adjoints[0], Array::zeros(DType::f64, {2, 2})), 0.0);
}

TEST(Adjoint, OfAnOutputThatIsAnInputIsItsSeed) {
  Tape tape;
  const Value x = testing::input(tape, drawn({3}));
  const Array seed = drawn({3}, DType::f64, 2);
  const auto adjoints = adjoint_sweep(tape, 0, {{x.operand, seed}}, {x.operand}, 0);
  EXPECT_EQ(distance(adjoints[0], seed), 0.0);
}

TEST(Adjoint, SumsOverAllUses) {
  Tape tape;
  const Value x = testing::input(tape, drawn({3}));
  const Value y = testing::record(tape, Op::multiply, {x, x});
  const Value z = testing::record(tape, Op::add, {y, x});
  const Array one = Array::full(DType::f64, {3}, 1.0);
  const auto adjoints = adjoint_sweep(tape, 0, {{z.operand, one}}, {x.operand}, 0);
  EXPECT_LE(distance(adjoints[0], moved(one, x.array, 2.0)), 1e-15);
}

TEST(Adjoint, StopsAtTheBranchNotTaken) {
  Tape tape;
  const Value x = testing::input(tape, Array::zeros(DType::f64, {2}));
  const Value root = testing::record(tape, Op::sqrt, {x});
  const Value chosen = testing::record(
      tape, Op::where, {testing::constant(tape, testing::alternating({2})), x, root});
  const std::int64_t all_axes[] = {0, 0};
  const Value sum = testing::record(tape, Op::sum, {chosen}, all_axes);
  const auto adjoints = adjoint_sweep(tape, 0, {{sum.operand, Array::scalar(1.0)}}, {x.operand}, 0);
  EXPECT_EQ(adjoints[0].at<double>(0), 1.0);
  EXPECT_TRUE(std::isinf(adjoints[0].at<double>(1)));
}

TEST(AllAdjoints, AreThoseOfEveryNode) {
  Tape tape;  // f = (x + y) z at (-2, 5, -4)
  const NodeId x = tape.add_scalar_input(-2.0);
  const NodeId y = tape.add_scalar_input(5.0);
  const NodeId z = tape.add_scalar_input(-4.0);
  const NodeId sum = tape.add_scalar(Op::add, x, y, 3.0);
  const NodeId f = tape.add_scalar(Op::multiply, sum, z, -12.0);
  const auto all = all_adjoints(tape, 0, {f, Array::scalar(1.0)});
  EXPECT_EQ(all[x].at<double>(), -4.0);
  EXPECT_EQ(all[y].at<double>(), -4.0);
  EXPECT_EQ(all[z].at<double>(), 3.0);
  EXPECT_EQ(all[sum].at<double>(), -4.0);
  EXPECT_EQ(all[f].at<double>(), 1.0);
}

}  // namespace
}  // namespace tapegrad
