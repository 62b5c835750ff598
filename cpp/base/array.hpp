// A counted handle to a strided array. Arrays are values: nobody writes to one that somebody else
// can see (`exclusive()` says so), hence a view may share the memory of its base.
#pragma once

#include <atomic>
#include <cstring>
#include <utility>

#include "base/buffer_cache.hpp"
#include "base/dims.hpp"
#include "base/dtype.hpp"

namespace tapegrad {

struct Meta {
  DType dtype = DType::f64;
  Dims shape;
};

class Array {
  struct Object {
    std::atomic<std::uint32_t> refs{1};
    DType dtype;
    bool contiguous;
    char* data;
    Object* base = nullptr;            // whose memory this views
    void (*release)(void*) = nullptr;  // foreign memory: called with `owner` at the end
    void* owner = nullptr;
    std::size_t bytes = 0;  // own memory taken from the cache, 0 otherwise
    Dims shape, strides;    // strides in bytes
  };

 public:
  Array() = default;
  Array(const Array& o) : object_(o.object_) { retain(object_); }
  Array(Array&& o) noexcept : object_(std::exchange(o.object_, nullptr)) {}
  Array& operator=(Array o) noexcept {
    std::swap(object_, o.object_);
    return *this;
  }
  ~Array() { drop(object_); }

  // Uninitialised, C-contiguous.
  static Array empty(DType dtype, const Dims& shape) {
    auto* o = new Object;
    o->dtype = dtype;
    o->shape = shape;
    o->strides = contiguous_strides(shape, itemsize(dtype));
    o->contiguous = true;
    o->bytes = BufferCache::rounded(static_cast<std::size_t>(shape.product() * itemsize(dtype)));
    o->data = static_cast<char*>(BufferCache::instance().take(o->bytes));
    return Array(o);
  }
  static Array zeros(DType dtype, const Dims& shape) {
    Array a = empty(dtype, shape);
    std::memset(a.data(), 0, static_cast<std::size_t>(a.nbytes()));
    return a;
  }
  template <class T>
  static Array scalar(T value) {
    Array a = empty(dtype_of<T>(), {});
    a.at<T>() = value;
    return a;
  }
  static Array full(DType dtype, const Dims& shape, double value) {
    Array a = empty(dtype, shape);
    dispatch(dtype, [&](auto zero) {
      using T = decltype(zero);
      std::fill_n(a.ptr<T>(), a.size(), static_cast<T>(value));
    });
    return a;
  }
  // Memory that belongs to somebody else; `release(owner)`, if any, runs when the last handle is
  // gone.
  static Array foreign(DType dtype, const Dims& shape, const Dims& strides, void* data, void* owner,
                       void (*release)(void*)) {
    auto* o = new Object;
    o->dtype = dtype;
    o->shape = shape;
    o->strides = strides;
    o->contiguous = is_contiguous(shape, strides, itemsize(dtype));
    o->data = static_cast<char*>(data);
    o->owner = owner;
    o->release = release ? release : [](void*) {};
    return Array(o);
  }
  // The same memory, seen with another shape and strides from `data` on.
  Array view(const Dims& shape, const Dims& strides, char* data) const {
    auto* o = new Object;
    o->dtype = dtype();
    o->shape = shape;
    o->strides = strides;
    o->contiguous = is_contiguous(shape, strides, itemsize(dtype()));
    o->data = data;
    o->base = object_->base ? object_->base : object_;
    retain(o->base);
    return Array(o);
  }

  explicit operator bool() const { return object_ != nullptr; }
  DType dtype() const { return object_->dtype; }
  const Dims& shape() const { return object_->shape; }
  const Dims& strides() const { return object_->strides; }
  Meta meta() const { return {dtype(), shape()}; }
  int ndim() const { return object_->shape.ndim(); }
  std::int64_t size() const { return object_->shape.product(); }
  std::int64_t nbytes() const { return size() * itemsize(dtype()); }
  bool contiguous() const { return object_->contiguous; }
  char* data() const { return object_->data; }
  template <class T>
  T* ptr() const {
    return reinterpret_cast<T*>(object_->data);
  }
  template <class T>
  T& at(std::int64_t flat = 0) const {  // contiguous arrays only
    return ptr<T>()[flat];
  }
  // True when this handle is the only way to the memory and the memory is our own.
  bool exclusive() const {
    return object_->refs.load(std::memory_order_acquire) == 1 && !object_->base &&
           !object_->release;
  }
  // True if both are handles on one and the same array.
  bool same(const Array& o) const { return object_ == o.object_; }
  // True if both are views of one block, whether or not they overlap.
  bool same_block(const Array& o) const { return root(object_) == root(o.object_); }

  // Foreign memory that has moved; only for handles made by `foreign` that have no views.
  void point_at(char* data) const { object_->data = data; }

  // For owners that keep the bare pointer (the tape's slots, Python's Variable).
  void* leak() { return std::exchange(object_, nullptr); }
  static Array adopt(void* p) { return Array(static_cast<Object*>(p)); }
  static Array borrow(void* p) {
    retain(static_cast<Object*>(p));
    return Array(static_cast<Object*>(p));
  }

  static Dims contiguous_strides(const Dims& shape, std::int64_t item) {
    Dims s(shape.size());
    for (std::size_t i = shape.size(); i-- > 0; item *= shape[i]) s[i] = item;
    return s;
  }
  static bool is_contiguous(const Dims& shape, const Dims& strides, std::int64_t item) {
    for (std::size_t i = shape.size(); i-- > 0; item *= shape[i]) {
      if (shape[i] == 0) return true;
      if (shape[i] != 1 && strides[i] != item) return false;
    }
    return true;
  }

 private:
  static const Object* root(const Object* o) { return o->base ? o->base : o; }
  explicit Array(Object* o) : object_(o) {}
  static void retain(Object* o) {
    if (o) o->refs.fetch_add(1, std::memory_order_relaxed);
  }
  static void drop(Object* o) {
    if (!o || o->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (o->release) o->release(o->owner);
    else if (o->base) drop(o->base);
    else BufferCache::instance().give(o->data, o->bytes);
    delete o;
  }
  Object* object_ = nullptr;
};

}  // namespace tapegrad
