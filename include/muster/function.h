// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace muster {

template <class Signature>
class Function;

// A callable that can be moved and not copied, so that it may own what it captured: a Handle, a
// std::unique_ptr. Empty until something is put in; calling an empty one is undefined.
template <class R, class... A>
class Function<R(A...)> {
 public:
  Function() = default;
  Function(std::nullptr_t) {}

  template <class F>
    requires(!std::is_same_v<std::decay_t<F>, Function> && std::is_invocable_r_v<R, std::decay_t<F>&, A...>)
  Function(F&& f) : callable_(std::make_unique<Holder<std::decay_t<F>>>(std::forward<F>(f))) {}

  explicit operator bool() const noexcept { return callable_ != nullptr; }
  R operator()(A... args) { return callable_->call(std::forward<A>(args)...); }

 private:
  struct Callable {
    virtual ~Callable() = default;
    virtual R call(A&&... args) = 0;
  };
  template <class F>
  struct Holder final : Callable {
    explicit Holder(F&& f) : f(std::move(f)) {}
    explicit Holder(const F& f) : f(f) {}
    R call(A&&... args) override { return f(std::forward<A>(args)...); }
    F f;
  };

  std::unique_ptr<Callable> callable_;
};

}  // namespace muster
