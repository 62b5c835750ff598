// The interpreter of scalar code: one jump an instruction, straight from one to the next where the
// compiler can take the address of a label.
#include "backends/scalar.hpp"

#include "backends/scalar_loops.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpedantic"
#define FORCE_INLINE [[gnu::always_inline]] inline
#else
#define FORCE_INLINE inline
#endif

namespace tapegrad {
namespace {

// Computes an inline instruction and moves on; returns its result. Forms that an op of fewer
// operands does not have are never written.
template <Inline name, std::uint32_t form, bool keep>
FORCE_INLINE double step(const std::uint32_t*& pc, double* slots, double last) {
  constexpr auto code = static_cast<std::uint32_t>(name);
  constexpr std::uint32_t arity = arity_of_code(code);
  if constexpr (form > arity) {
    return last;
  } else {
    const auto operand = [&](std::uint32_t k) {
      if (k >= arity) return 0.0;
      return form == k + 1 ? last : slots[pc[form > 0 && form < k + 1 ? k : k + 1]];
    };
    const double r = scalar::evaluate<code>(operand(0), operand(1), operand(2));
    constexpr std::uint32_t read = 1 + arity - (form > 0);
    if constexpr (keep) slots[pc[read]] = r;
    pc += read + keep;
    return r;
  }
}

// Every form of an inline op, in the order of inline_id.
#define FORMS(name) \
  FORM(name, 0, 0)  \
  FORM(name, 0, 1)  \
  FORM(name, 1, 0)  \
  FORM(name, 1, 1) FORM(name, 2, 0) FORM(name, 2, 1) FORM(name, 3, 0) FORM(name, 3, 1)
#define FUSED_FORMS(outer, inner, side) FORMS(outer##_##inner##_##side)

#if defined(__GNUC__)
#define AT(id, label) \
  label:
#define NEXT() goto* labels[*pc]
#else
#define AT(id, label) case id:
#define NEXT() continue
#endif

}  // namespace

void run_scalars(const ScalarCode& code, double* slots) {
  const std::uint32_t* pc = code.words.data();
  double last = 0;
#if defined(__GNUC__)
  static const void* const labels[kInstructions] = {
#define FORM(name, form, keep) &&name##_##form##keep,
#define HOT(op) FORMS(op)
#define FUSED(outer, inner, side) FUSED_FORMS(outer, inner, side)
#include "program/scalar_ops.def"
#undef FORM
      &&call1, &&call2, &&vector, &&chain, &&end};
  NEXT();
  {
#else
  for (;;) switch (*pc) {
#endif
#define FORM(name, form, keep)                                                               \
  AT(inline_id(static_cast<std::uint32_t>(Inline::name), form, keep), name##_##form##keep) { \
    last = step<Inline::name, form, keep>(pc, slots, last);                                  \
    NEXT();                                                                                  \
  }
#define HOT(op) FORMS(op)
#define FUSED(outer, inner, side) FUSED_FORMS(outer, inner, side)
#include "program/scalar_ops.def"
#undef FORM
    AT(kCall1, call1) {
      pc = scalar::run_call(pc, slots);
      last = slots[pc[-1]];
      NEXT();
    }
    AT(kCall2, call2) {
      pc = scalar::run_call(pc, slots);
      last = slots[pc[-1]];
      NEXT();
    }
    AT(kVector, vector) {
      pc = scalar::run_vector(pc, slots);
      NEXT();
    }
    AT(kChain, chain) {
      pc = scalar::run_chain(pc, slots);
      NEXT();
    }
    AT(kEnd, end) { return; }
  }
}

}  // namespace tapegrad
