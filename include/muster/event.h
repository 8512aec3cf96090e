// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <muster/function.h>

namespace muster {

template <class F>
struct Once {
  F f;
};
// Wraps a listener that is to run for the next event only: on_exit(once([](Worker, ExitStatus) {})).
template <class F>
Once<std::decay_t<F>> once(F&& f) {
  return {std::forward<F>(f)};
}

// What every on_*() takes: a callable, or once(callable).
template <class... A>
class Listener {
 public:
  template <class F>
    requires std::is_invocable_v<F&, A...> Listener(F f) : call(std::move(f)) {}
    template <class F>
      requires std::is_invocable_v<F&, A...> Listener(Once<F> o) : call(std::move(o.f)), once(true) {}

      Function<void(A...)> call;
      bool once = false;
};

namespace detail {
struct Access;
struct ListenerState {
  bool active = true;
};
}  // namespace detail

// Names one listener. Dropping it changes nothing.
class Subscription {
 public:
  Subscription() = default;

  // Removes the listener at once, also from inside that listener.
  void cancel() {
    if (state_) state_->active = false;
  }
  [[nodiscard]] bool is_active() const { return state_ && state_->active; }

 private:
  friend struct detail::Access;
  explicit Subscription(std::shared_ptr<detail::ListenerState> state) : state_(std::move(state)) {}

  std::shared_ptr<detail::ListenerState> state_;
};

// Removes the listener when it goes out of scope. For listeners that capture `this`.
class ScopedSubscription {
 public:
  ScopedSubscription() = default;
  ScopedSubscription(Subscription subscription) : subscription_(std::move(subscription)) {}
  ScopedSubscription(ScopedSubscription&& other) noexcept : subscription_(std::exchange(other.subscription_, {})) {}
  ScopedSubscription& operator=(ScopedSubscription&& other) noexcept {
    if (this != &other) {
      subscription_.cancel();
      subscription_ = std::exchange(other.subscription_, {});
    }
    return *this;
  }
  ~ScopedSubscription() { subscription_.cancel(); }

 private:
  Subscription subscription_;
};

}  // namespace muster
