// Fills the table of BLAS and LAPACK from the function pointers that scipy.linalg.cython_blas and
// cython_lapack export for Cython.
#include "scipy_blas.hpp"

#include <pybind11/pybind11.h>

#include <cstring>
#include <mutex>
#include <string>

#include "ops/blas.hpp"

namespace py = pybind11;

namespace tapegrad {
namespace {

py::dict exported(const char* module) { return py::module_::import(module).attr("__pyx_capi__"); }

template <class F>
void fetch(F& slot, const py::dict& api, const std::string& name) {
  PyObject* capsule = py::object(api[name.c_str()]).ptr();
  const char* signature = PyCapsule_GetName(capsule);
  if (!signature || !std::strstr(signature, "int *"))
    throw py::import_error("SciPy's " + name + " does not take 32-bit integers");
  void* pointer = PyCapsule_GetPointer(capsule, signature);
  if (!pointer) throw py::error_already_set();
  slot = reinterpret_cast<F>(pointer);
}

template <class T>
BlasTable<T> fetched(const py::dict& blas, const py::dict& lapack, const std::string& letter) {
  BlasTable<T> t;
  fetch(t.gemm, blas, letter + "gemm");
  fetch(t.gemv, blas, letter + "gemv");
  fetch(t.getrf, lapack, letter + "getrf");
  fetch(t.getrs, lapack, letter + "getrs");
  fetch(t.potrf, lapack, letter + "potrf");
  fetch(t.trtrs, lapack, letter + "trtrs");
  fetch(t.geqrf, lapack, letter + "geqrf");
  fetch(t.orgqr, lapack, letter + (kIsComplex<T> ? "ungqr" : "orgqr"));
  fetch(t.syevd, lapack, letter + (kIsComplex<T> ? "heevd" : "syevd"));
  fetch(t.gesdd, lapack, letter + "gesdd");
  fetch(t.geev, lapack, letter + "geev");
  fetch(t.gees, lapack, letter + "gees");
  fetch(t.trsyl, lapack, letter + "trsyl");
  return t;
}

// Threads that meet here fetch the same pointers; one of them writes the table.
void load() {
  py::gil_scoped_acquire gil;
  const py::dict blas_api = exported("scipy.linalg.cython_blas");
  const py::dict lapack_api = exported("scipy.linalg.cython_lapack");
  const auto d = fetched<double>(blas_api, lapack_api, "d");
  const auto s = fetched<float>(blas_api, lapack_api, "s");
  const auto z = fetched<Complex>(blas_api, lapack_api, "z");
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (blas<double>().gemm) return;
  blas<float>() = s;
  blas<Complex>() = z;
  blas<double>() = d;
}

}  // namespace

void register_scipy_blas() { load_blas = load; }

}  // namespace tapegrad
