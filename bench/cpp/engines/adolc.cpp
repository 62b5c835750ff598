// ADOL-C: traced with keep = 1, so that the reverse sweep needs no forward pass of its own, and
// with its default buffers where they hold the tape: larger ones cost short tapes page faults. A
// replay runs forward over the trace, keeping values, and back; products are its driver hess_vec.
#include <adolc/adolc.h>

#include <algorithm>

#include "../harness.hpp"

namespace bench {
namespace {

short next_tag() {
  static short tag = 0;
  return ++tag;
}

// A trace of its own, in buffers that hold it.
class Trace {
 public:
  // An operation takes at most four locations, the longest of its four records.
  explicit Trace(std::int64_t operations)
      : tag_(next_tag()), buffer_(std::max(kBuffer, static_cast<unsigned>(5 * operations))) {}

  template <class F>
  double record(const F& f, const std::vector<double>& x) {
    trace_on(tag_, /*keepTaylors=*/1, buffer_, buffer_, buffer_, buffer_);
    double value = 0.0;
    {
      std::vector<adouble> input(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) input[i] <<= x[i];
      adouble y = f(input);
      y >>= value;
    }
    trace_off();
    return value;
  }
  double forward(const std::vector<double>& x) {
    double value = 0.0;
    zos_forward(tag_, 1, static_cast<int>(x.size()), /*keep=*/1, x.data(), &value);
    return value;
  }
  void reverse(std::vector<double>& gradient) {
    double weight = 1.0;
    fos_reverse(tag_, 1, static_cast<int>(gradient.size()), &weight, gradient.data());
  }
  void hessian_times(const std::vector<double>& x, const std::vector<double>& v,
                     std::vector<double>& product) {
    hess_vec(tag_, static_cast<int>(x.size()), const_cast<double*>(x.data()),  // only read
             const_cast<double*>(v.data()), product.data());
  }

 private:
  static constexpr unsigned kBuffer = 524288;  // entries, ADOL-C's default

  short tag_;
  unsigned buffer_;
};

class AdolcEngine {
 public:
  static constexpr const char* name = "adolc";

  explicit AdolcEngine(std::int64_t operations) : trace_(operations) {}

  template <class F>
  double gradient(const F& f, const std::vector<double>& x, std::vector<double>& gradient) {
    const double value = trace_.record(f, x);
    trace_.reverse(gradient);
    return value;
  }

 private:
  Trace trace_;
};

class AdolcReplay {
 public:
  static constexpr const char* name = "adolc";

  template <class F>
  AdolcReplay(const F& f, const std::vector<double>& x, std::int64_t operations)
      : trace_(operations) {
    trace_.record(f, x);
  }

  double gradient(const std::vector<double>& x, std::vector<double>& gradient) {
    const double value = trace_.forward(x);
    trace_.reverse(gradient);
    return value;
  }
  void product(const std::vector<double>& x, const std::vector<double>& v,
               std::vector<double>& product) {
    trace_.hessian_times(x, v, product);
  }

 private:
  Trace trace_;
};

}  // namespace

void add_adolc(Comparison& comparison) {
  comparison.add<AdolcEngine>();
  comparison.add_replayed<AdolcReplay>();
}

}  // namespace bench
