// SPDX-License-Identifier: MIT
#pragma once

#include <uv.h>

#include <memory>
#include <utility>

namespace muster::uv {

// A libuv handle with an owner. libuv closes handles later than it is asked to, so the handle itself
// outlives this object until it has; callbacks find a null `data` then and do nothing.
template <class T>
class UvHandle {
 public:
  // `init` is uv_*_init with the loop bound; it returns 0 or a negative error, kept in status().
  template <class Init>
  UvHandle(void* owner, Init&& init) : handle_(new T()) {
    handle_->data = owner;
    status_ = std::forward<Init>(init)(handle_);
    if (status_ != 0) delete std::exchange(handle_, nullptr);
  }
  UvHandle(const UvHandle&) = delete;
  UvHandle& operator=(const UvHandle&) = delete;
  ~UvHandle() { close(); }

  int status() const { return status_; }
  T* get() const { return handle_; }
  explicit operator bool() const { return handle_ != nullptr; }

  void close() {
    if (!handle_) return;
    handle_->data = nullptr;
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(handle_, nullptr)),
             [](uv_handle_t* handle) { delete reinterpret_cast<T*>(handle); });
  }
  void ref() { uv_ref(reinterpret_cast<uv_handle_t*>(handle_)); }
  void unref() { uv_unref(reinterpret_cast<uv_handle_t*>(handle_)); }

 private:
  T* handle_;
  int status_ = 0;
};

}  // namespace muster::uv
