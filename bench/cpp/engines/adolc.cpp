// ADOL-C: traced with keep = 1, so that the reverse sweep needs no forward pass of its own, and
// with its default buffers where they hold the tape: larger ones cost short tapes page faults.
#include <adolc/adolc.h>

#include <algorithm>

#include "../harness.hpp"

namespace bench {
namespace {

class AdolcEngine {
 public:
  static constexpr const char* name = "adolc";

  // An operation takes at most four locations, the longest of its four records.
  explicit AdolcEngine(std::int64_t operations)
      : tag_(next_tag()), buffer_(std::max(kBuffer, static_cast<unsigned>(5 * operations))) {}

  template <class F>
  double gradient(const F& f, const std::vector<double>& x, std::vector<double>& gradient) {
    trace_on(tag_, /*keepTaylors=*/1, buffer_, buffer_, buffer_, buffer_);
    double value = 0.0;
    {
      std::vector<adouble> input(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) input[i] <<= x[i];
      adouble y = f(input);
      y >>= value;
    }
    trace_off();
    double weight = 1.0;
    fos_reverse(tag_, 1, static_cast<int>(x.size()), &weight, gradient.data());
    return value;
  }

 private:
  static constexpr unsigned kBuffer = 524288;  // entries, ADOL-C's default

  static short next_tag() {
    static short tag = 0;
    return ++tag;
  }

  short tag_;
  unsigned buffer_;
};

}  // namespace

void add_adolc(Comparison& comparison) { comparison.add<AdolcEngine>(); }

}  // namespace bench
