// `_core.run_batch`: many instances on a program for a fixed number of them.
#include <pybind11/stl.h>

#include "backends/parts.hpp"
#include "convert.hpp"
#include "program_type.hpp"

namespace tapegrad {
namespace {

// Bytes of one of the `lanes` instances in an array of this shape; 0 if it is shared.
std::int64_t instance_bytes(const Meta& m, bool carried, std::int64_t lanes) {
  return carried ? m.shape.product() / lanes * itemsize(m.dtype) : 0;
}

constexpr std::int64_t kCannotCompute = -2;  // as in `Executable.run`

// The outputs, or the number of a guard that no instance fulfils, or kCannotCompute.
py::object run_batch(const Executable& program, const py::sequence& inputs,
                     const std::vector<bool>& mapped, const std::vector<bool>& carries,
                     std::int64_t count, std::int64_t lanes, int threads) {
  const Plan& plan = program.plan();
  require(inputs.size() == plan.inputs.size() && mapped.size() == plan.inputs.size() &&
              carries.size() == plan.outputs.size() && count > 0 && lanes > 0,
          "run_batch: what belongs to each input and output");
  std::vector<Array> arrays;
  std::vector<Instances> in, out;
  for (std::size_t k = 0; k < plan.inputs.size(); ++k) {
    Meta m = plan.inputs[k];
    if (mapped[k]) m.shape[0] = count;
    arrays.push_back(input_array(inputs[k], m));
    in.push_back({arrays[k].data(), instance_bytes(plan.inputs[k], mapped[k], lanes)});
  }
  py::list results;
  for (std::size_t k = 0; k < plan.outputs.size(); ++k) {
    const Meta& m = plan.output_metas[k];
    npy_intp dims[64];
    std::copy(m.shape.begin(), m.shape.end(), dims);
    if (carries[k]) dims[0] = count;
    PyObject* made = PyArray_SimpleNew(m.shape.ndim(), dims, typenum_of(m.dtype));
    if (!made) throw py::error_already_set();
    results.append(py::reinterpret_steal<py::object>(made));
    out.push_back({static_cast<char*>(PyArray_DATA(reinterpret_cast<PyArrayObject*>(made))),
                   instance_bytes(m, carries[k], lanes)});
  }
  std::int64_t failed;
  try {
    py::gil_scoped_release release;
    failed = run_parts(program, in, out, count, lanes, threads > 0 ? threads : default_threads());
  } catch (const Error&) {
    failed = kCannotCompute;
  }
  if (failed != Executable::kAllHold) return py::int_(failed);
  return results;
}

}  // namespace

void make_batches(py::module_& m) {
  using namespace py::literals;
  m.def("run_batch", run_batch, "program"_a, "inputs"_a, "mapped"_a, "carries"_a, "count"_a,
        "lanes"_a, "threads"_a = 0,
        "The outputs of `count` instances on a program for `lanes` of them: a list, or the number "
        "of a guard that does not hold for any, or -2 where an op raises.");
}

}  // namespace tapegrad
