// The NumPy arrays that a program recording has read.
#include "watched.hpp"

#include <atomic>
#include <cstring>
#include <limits>

#include "base/iterate.hpp"
#include "convert.hpp"

namespace tapegrad {
namespace {

constexpr std::uint64_t kPrime = 0x9e3779b97f4a7c15ull;

std::uint64_t mixed(std::uint64_t h, std::uint64_t word) {
  h = (h ^ word) * kPrime;
  return h ^ (h >> 32);
}

// Four chains side by side keep up with memory.
std::uint64_t hash_bytes(std::uint64_t h, const char* p, std::size_t n) {
  std::uint64_t lanes[4] = {h, h + 1, h + 2, h + 3};
  for (; n >= 32; n -= 32, p += 32)
    for (int k = 0; k < 4; ++k) {
      std::uint64_t word;
      std::memcpy(&word, p + 8 * k, 8);
      lanes[k] = mixed(lanes[k], word);
    }
  for (; n > 0; --n) lanes[0] = mixed(lanes[0], static_cast<unsigned char>(*p++));
  return mixed(mixed(lanes[0], lanes[1]), mixed(lanes[2], lanes[3]));
}

// Of all bytes up to `whole`, else of `samples` elements.
struct Effort {
  std::int64_t whole, samples = 0;
};
// A loop that refills a work array changes one element at a time, so small arrays are read whole; a
// full pass over a large one would cost as much as a product with it.
constexpr Effort kThorough{1 << 18, 1024}, kQuick{1 << 11, 64};
constexpr Effort kWhole{std::numeric_limits<std::int64_t>::max()};

std::uint64_t word_of(const char* p, std::int64_t item) {
  if (item != 8) return hash_bytes(0, p, static_cast<std::size_t>(item));
  std::uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}

// Of elements that lie evenly, the first and the last among them; `place` tells where.
template <Effort effort, class F>
std::uint64_t hash_of_samples(std::int64_t n, std::int64_t item, F&& place) {
  std::uint64_t lanes[4] = {0, 1, 2, 3};
  for (std::int64_t k = 0; k < effort.samples; ++k)
    lanes[k % 4] = mixed(lanes[k % 4], word_of(place(k * (n - 1) / (effort.samples - 1)), item));
  return mixed(mixed(lanes[0], lanes[1]), mixed(lanes[2], lanes[3]));
}

bool is_dense(const Dims& shape, const Dims& strides, std::int64_t item) {
  for (std::size_t d = shape.size(); d-- > 0; item *= shape[d])
    if (strides[d] != item) return false;
  return true;
}

template <Effort effort>
std::uint64_t hash_of(char* data, const Dims& shape, const Dims& strides, std::int64_t item) {
  const std::int64_t n = shape.product();
  if (n * item > effort.whole && is_dense(shape, strides, item))
    return hash_of_samples<effort>(n, item, [=](std::int64_t flat) { return data + flat * item; });
  if (n * item > effort.whole)
    return hash_of_samples<effort>(n, item, [&](std::int64_t flat) {
      const char* p = data;
      for (std::size_t d = shape.size(); d-- > 0; flat /= shape[d])
        p += flat % shape[d] * strides[d];
      return p;
    });
  std::uint64_t h = 0;
  for_each_run<1>(shape, {Walker{data, strides}},
                  [&](char** p, std::intptr_t count, const std::intptr_t* s) {
                    if (s[0] == item) {
                      h = hash_bytes(h, p[0], static_cast<std::size_t>(count * item));
                      return;
                    }
                    for (std::intptr_t i = 0; i < count; ++i, p[0] += s[0])
                      h = hash_bytes(h, p[0], static_cast<std::size_t>(item));
                  });
  return h;
}

std::uint64_t thorough_hash(char* data, const Dims& shape, const Dims& strides, std::int64_t item,
                            bool whole) {
  return whole ? hash_of<kWhole>(data, shape, strides, item)
               : hash_of<kThorough>(data, shape, strides, item);
}

PyArrayObject* as_array(PyObject* o) { return reinterpret_cast<PyArrayObject*>(o); }

// The array that owns the memory, or the last one before memory that is no array's.
PyObject* owner_of(PyObject* object) {
  PyObject* base = PyArray_BASE(as_array(object));
  while (base && PyArray_Check(base)) {
    object = base;
    base = PyArray_BASE(as_array(object));
  }
  return object;
}

// What a weak reference refers to: a new reference, or null.
PyObject* referent(PyObject* reference) {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* found = nullptr;
  if (PyWeakref_GetRef(reference, &found) < 0) PyErr_Clear();
  return found;
#else
  PyObject* found = PyWeakref_GetObject(reference);
  return found == Py_None ? nullptr : Py_XNewRef(found);
#endif
}

}  // namespace

std::uint64_t fingerprint(const Array& a, bool whole) {
  return thorough_hash(a.data(), a.shape(), a.strides(), itemsize(a.dtype()), whole);
}
std::uint64_t quick_fingerprint(const Array& a) {
  return hash_of<kQuick>(a.data(), a.shape(), a.strides(), itemsize(a.dtype()));
}

namespace {
std::atomic<bool> full_checks{false};
}
bool checks_are_full() { return full_checks.load(std::memory_order_relaxed); }
void set_full_checks(bool full) { full_checks.store(full); }

Watched::Watched(PyObject* object) : object_(object) {
  PyObject* owner = owner_of(object);
  reference_ = PyWeakref_NewRef(owner, nullptr);
  if (!reference_) throw py::error_already_set();
  PyArrayObject* a = as_array(object);
  owner_data_ = PyArray_BYTES(as_array(owner));
  owner_size_ = PyArray_NBYTES(as_array(owner));
  data_ = PyArray_BYTES(a);
  const auto n = static_cast<std::size_t>(PyArray_NDIM(a));
  shape_.resize(n);
  strides_.resize(n);
  std::copy_n(PyArray_DIMS(a), n, shape_.data());
  std::copy_n(PyArray_STRIDES(a), n, strides_.data());
  item_ = PyArray_ITEMSIZE(a);
  typenum_ = PyArray_ISBYTESWAPPED(a) ? NPY_NOTYPE : PyArray_TYPE(a);
  whole_ = checks_are_full();
  fingerprint_ = thorough_hash(data_, shape_, strides_, item_, whole_);
  quick_ = hash_of<kQuick>(data_, shape_, strides_, item_);
}

Watched::Watched(Watched&& o) noexcept
    : constant(std::move(o.constant)),
      node(o.node),
      reference_(std::exchange(o.reference_, nullptr)),
      object_(o.object_),
      owner_data_(o.owner_data_),
      owner_size_(o.owner_size_),
      data_(o.data_),
      shape_(o.shape_),
      strides_(o.strides_),
      item_(o.item_),
      typenum_(o.typenum_),
      whole_(o.whole_),
      fingerprint_(o.fingerprint_),
      quick_(o.quick_) {}

Watched::~Watched() {
  if (reference_ && Py_IsInitialized()) Py_DECREF(reference_);
}

PyObject* Watched::owner() const { return referent(reference_); }

bool Watched::changed() const {
  const auto alive = py::reinterpret_steal<py::object>(owner());
  if (!alive) return false;
  // A resized array has moved; what was read is gone.
  PyArrayObject* a = as_array(alive.ptr());
  if (PyArray_BYTES(a) != owner_data_ || PyArray_NBYTES(a) != owner_size_) return true;
  const std::int64_t bytes = shape_.product() * item_;
  if (bytes > kQuick.whole && is_copied())
    return std::memcmp(constant.data(), data_, static_cast<std::size_t>(bytes)) != 0;
  if (checks_are_full() || (bytes > kQuick.whole && bytes <= kCopiedBytes))
    return thorough_hash(data_, shape_, strides_, item_, whole_) != fingerprint_;
  return hash_of<kQuick>(data_, shape_, strides_, item_) != quick_;
}

// Whether the constant holds the bytes that were read, in their order.
bool Watched::is_copied() const {
  return constant && constant.data() != data_ && constant.contiguous() &&
         typenum_of(constant.dtype()) == typenum_ && is_dense(shape_, strides_, item_);
}

bool Watched::is_temporary() const {
  const auto alive = py::reinterpret_steal<py::object>(owner());
  if (!alive) return true;
  const bool referenced = constant && constant.data() == data_ && constant.size() > 0;
  if (!referenced) return false;
  if (alive.ptr() == object_) return Py_REFCNT(object_) == 2;  // the constant, and `alive`
  return Py_REFCNT(object_) == 1 && Py_REFCNT(alive.ptr()) == 2;
}

bool Watched::covers(const Array& a) const {
  return a.data() == data_ && a.shape() == shape_ && a.strides() == strides_ &&
         itemsize(a.dtype()) == item_ && (!constant || constant.dtype() == a.dtype());
}

Watched* WatchedArrays::watch(PyObject* object) {
  if (!PyArray_Check(object)) return nullptr;
  PyArrayObject* a = as_array(object);
  if (PyArray_NDIM(a) > 64 || !PyTypeNum_ISNUMBER(PyArray_TYPE(a))) {
    if (!PyTypeNum_ISBOOL(PyArray_TYPE(a))) return nullptr;
  }
  Watched fresh(object);
  const auto [first, last] = by_data_.equal_range(fresh.data_);
  for (auto it = first; it != last; ++it) {
    Watched& w = items_[it->second];
    if (w.fingerprint_ != fresh.fingerprint_ || w.item_ != fresh.item_) continue;
    if (!(w.shape_ == fresh.shape_ && w.strides_ == fresh.strides_)) continue;
    const auto owner = py::reinterpret_steal<py::object>(w.owner());
    if (owner && owner.ptr() == owner_of(object)) return &w;
  }
  items_.push_back(std::move(fresh));
  by_data_.emplace(items_.back().data_, items_.size() - 1);
  return &items_.back();
}

void WatchedArrays::watch_all(PyObject* tree) {
  if (PyArray_Check(tree)) {
    watch(tree);
  } else if (PyTuple_Check(tree) || PyList_Check(tree)) {
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(tree); ++i)
      watch_all(PySequence_Fast_GET_ITEM(tree, i));
  } else if (PyDict_Check(tree)) {
    Py_ssize_t position = 0;
    for (PyObject *key, *value; PyDict_Next(tree, &position, &key, &value);) watch_all(value);
  }
}

Watched* WatchedArrays::find(const Array& a) {
  const auto [first, last] = by_data_.equal_range(a.data());
  if (first == last) return nullptr;
  const std::uint64_t now = fingerprint(a, checks_are_full());
  for (auto it = first; it != last; ++it) {
    Watched& w = items_[it->second];
    if (w.covers(a) && w.fingerprint_ == now && py::reinterpret_steal<py::object>(w.owner()))
      return &w;
  }
  return nullptr;
}

bool WatchedArrays::changed() const {
  for (const Watched& w : items_)
    if (w.changed()) return true;
  return false;
}

void WatchedArrays::forget_temporaries() {
  std::vector<Watched> kept;
  by_data_.clear();
  for (Watched& w : items_)
    if (!w.is_temporary()) {
      by_data_.emplace(w.data_, kept.size());
      kept.push_back(std::move(w));
    }
  items_ = std::move(kept);
}

}  // namespace tapegrad
