// tapegrad for templated C++ code: gradient, JVP, VJP, HVP and Jacobian of a callable over
// std::vector<T>. Header-only.
//
//   auto f = [](const auto& x) { using std::exp; return exp(x[0]) * x[1]; };
//   std::vector<double> g = tapegrad::gradient(f, {0.5, 2.0});
//
// A callable takes `const std::vector<T>&` and returns T or std::vector<T>. Errors: tapegrad::Error
// for sizes that do not fit.
#pragma once

#include <utility>
#include <vector>

#include "sweeps/scalar.hpp"
#include "tapegrad/var.hpp"

namespace tapegrad {

// ---- pieces, for those who keep a tape ----

// Inputs at the given values, as the first step of a recording on `tape`.
inline std::vector<Var> inputs(Tape& tape, const std::vector<double>& values) {
  std::vector<Var> x;
  x.reserve(values.size());
  for (double v : values) x.emplace_back(v, tape.add_scalar_input(v), tape);
  return x;
}

namespace detail {
inline std::vector<NodeId> nodes_of(const Tape& tape, const std::vector<Var>& y) {
  std::vector<NodeId> nodes;
  for (const Var& v : y)
    if (v.active()) nodes.push_back(node_of(tape, v));
  return nodes;
}
}  // namespace detail

// Adjoints of x for cotangents w of y: the sum over i of w[i] dy[i]/dx. Shape: x.size().
inline std::vector<double> adjoint(const Tape& tape, const std::vector<Var>& y,
                                   const std::vector<double>& w, const std::vector<Var>& x) {
  require(y.size() == w.size(), "as many cotangents as outputs");
  ScalarRows adjoints(0, tape.size(), 1);
  for (std::size_t i = 0; i < y.size(); ++i)
    if (y[i].active()) adjoints[detail::node_of(tape, y[i])] += w[i];
  scalar_adjoint_sweep(tape, adjoints.row(0));
  mark_lost(tape, {detail::nodes_of(tape, y)}, adjoints);
  std::vector<double> g(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) g[i] = adjoints[detail::node_of(tape, x[i])];
  return g;
}
inline std::vector<double> gradient(const Tape& tape, const Var& y, const std::vector<Var>& x) {
  return adjoint(tape, {y}, {1.0}, x);
}

namespace detail {

inline std::vector<Var> as_vector(Var y) { return {y}; }
inline std::vector<Var> as_vector(std::vector<Var> y) { return y; }

// Tangents of all nodes for the direction v of the inputs x.
inline void run_tangents(const Tape& tape, const std::vector<Var>& x, const std::vector<double>& v,
                         ScalarRows& tangents) {
  require(x.size() == v.size(), "as many tangents as inputs");
  for (std::size_t i = 0; i < x.size(); ++i) tangents[x[i].id()] = v[i];
  for (NodeId id = 0; id < tape.size(); ++id)
    if (tape[id].op != Op::input) scalar_tangent(tape, tape[id], id, tangents);
}

// The tape of this thread, whose memory is there again for the next call.
struct KeptTape {
  Tape tape;
  bool busy = false;
};
inline KeptTape& kept_tape() {
  static thread_local KeptTape kept;
  return kept;
}

// use(tape, x, y) on a recording of f. A call inside another one gets a tape of its own.
template <class F, class Use>
auto with_recording(F&& f, const std::vector<double>& x0, Use&& use) {
  struct Borrowed {
    KeptTape& kept = kept_tape();
    const bool mine = !std::exchange(kept.busy, true);
    Tape own;
    Tape& tape() { return mine ? kept.tape : own; }
    ~Borrowed() {
      if (mine) kept.busy = false;
    }
  } borrowed;
  Tape& tape = borrowed.tape();
  tape.clear();
  std::vector<Var> x, y;
  {
    Recording recording(tape);
    x = inputs(tape, x0);
    y = as_vector(f(std::as_const(x)));
  }
  for (const Var& v : y)
    if (v.active()) node_of(tape, v);
  return use(tape, x, y);
}

}  // namespace detail

// ---- one call ----

// f(x0) and its gradient, shape x0.size().
template <class F>
std::pair<double, std::vector<double>> value_and_gradient(F&& f, const std::vector<double>& x0) {
  return detail::with_recording(f, x0, [](Tape& tape, auto& x, auto& y) {
    require(y.size() == 1, "gradient needs one output; jacobian takes several");
    return std::pair(y[0].value(), gradient(tape, y[0], x));
  });
}
template <class F>
std::vector<double> gradient(F&& f, const std::vector<double>& x0) {
  return value_and_gradient(f, x0).second;
}

// Directional derivatives of all outputs along v.
template <class F>
std::vector<double> jvp(F&& f, const std::vector<double>& x0, const std::vector<double>& v) {
  return detail::with_recording(f, x0, [&](Tape& tape, auto& x, auto& y) {
    ScalarRows tangents(0, tape.size(), 1);
    detail::run_tangents(tape, x, v, tangents);
    std::vector<double> out(y.size());
    for (std::size_t i = 0; i < y.size(); ++i) out[i] = y[i].active() ? tangents[y[i].id()] : 0;
    return out;
  });
}

// Adjoint of x for cotangents w of the outputs.
template <class F>
std::vector<double> vjp(F&& f, const std::vector<double>& x0, const std::vector<double>& w) {
  return detail::with_recording(
      f, x0, [&](Tape& tape, auto& x, auto& y) { return adjoint(tape, y, w, x); });
}

// Hessian of f at x0 times v, forward over reverse.
template <class F>
std::vector<double> hvp(F&& f, const std::vector<double>& x0, const std::vector<double>& v) {
  return detail::with_recording(f, x0, [&](Tape& tape, auto& x, auto& y) {
    require(y.size() == 1, "hvp needs one output");
    ScalarRows tangents(0, tape.size(), 1), adjoints(0, tape.size(), 1);
    ScalarRows adjoint_tangents(0, tape.size(), 1);
    detail::run_tangents(tape, x, v, tangents);
    if (y[0].active()) adjoints[y[0].id()] = 1;
    for (NodeId id = tape.size(); id-- > 0;)
      scalar_second_order(tape, tape[id], id, tangents, adjoints, adjoint_tangents);
    mark_lost(tape, {detail::nodes_of(tape, y)}, adjoints, &adjoint_tangents);
    std::vector<double> out(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) out[i] = adjoint_tangents[x[i].id()];
    return out;
  });
}

// Jacobian, one row an output: by columns or by rows, whichever is fewer, eight at once.
template <class F>
std::vector<std::vector<double>> jacobian(F&& f, const std::vector<double>& x0) {
  static constexpr std::size_t kLanes = 8;
  return detail::with_recording(f, x0, [](Tape& tape, auto& x, auto& y) {
    std::vector<std::vector<double>> j(y.size(), std::vector<double>(x.size()));
    const bool forward = x.size() < y.size();
    const auto& from = forward ? x : y;
    const auto& to = forward ? y : x;
    for (std::size_t first = 0; first < from.size(); first += kLanes) {
      const std::size_t lanes = std::min(kLanes, from.size() - first);
      ScalarRows rows(0, tape.size(), static_cast<std::int64_t>(lanes));
      for (std::size_t k = 0; k < lanes; ++k)
        if (from[first + k].active()) rows.row(from[first + k].id())[k] += 1;
      if (forward) {
        for (NodeId id = 0; id < tape.size(); ++id)
          if (tape[id].op != Op::input) scalar_tangent(tape, tape[id], id, rows);
      } else {
        for (NodeId id = tape.size(); id-- > 0;) scalar_adjoint(tape, tape[id], id, rows);
        std::vector<std::vector<NodeId>> outputs;
        for (std::size_t k = 0; k < lanes; ++k)
          outputs.push_back(detail::nodes_of(tape, {y[first + k]}));
        mark_lost(tape, outputs, rows);
      }
      for (std::size_t i = 0; i < to.size(); ++i)
        for (std::size_t k = 0; k < lanes; ++k)
          if (to[i].active())
            (forward ? j[i][first + k] : j[first + k][i]) = rows.row(to[i].id())[k];
    }
    return j;
  });
}

}  // namespace tapegrad
