// SPDX-License-Identifier: MIT
#include <muster/loop.h>

#include <sys/epoll.h>

#include "api/access.h"
#include "api/cluster_state.h"
#include "api/loop_state.h"
#include "uv/fd_watch.h"
#include "uv/timer.h"

namespace muster {
namespace detail {

std::shared_ptr<LoopState> LoopState::make(uv_loop_s* borrowed) {
  auto state = std::make_shared<LoopState>(borrowed);
  state->loop.set_owner(state);
  return state;
}

LoopState::~LoopState() { loop.forget(*this); }

void LoopState::retire() {
  loop.silence();
  loop.after_turn([self = shared_from_this()] { self->close(); });
}

void LoopState::close() {
  for (const auto& cluster : std::exchange(clusters_, {})) {
    if (const auto alive = cluster.lock()) alive->shut_down();
  }
  while (!held_.empty()) {
    const std::shared_ptr<Resource> resource = std::move(held_.front());
    held_.pop_front();
    resource->held_ = false;
    resource->abandon();
  }
  for (const auto& reusable : std::exchange(reusable_, {})) {
    if (const auto alive = reusable.lock()) alive->drop_listeners();
  }
  uncaught.clear();
  signals.clear();
  loop.close();
  released_.clear();
}

void LoopState::end_of_turn() { std::exchange(released_, {}).clear(); }

void LoopState::keep_for_turn(std::shared_ptr<void> thing) {
  if (!loop.in_turn()) return;
  released_.push_back(std::move(thing));
  loop.at_end_of_turn(*this);
}

void LoopState::add(std::weak_ptr<Reusable> reusable) {
  std::erase_if(reusable_, [](const auto& other) { return other.expired(); });
  reusable_.push_back(std::move(reusable));
}

void LoopState::add(std::weak_ptr<ClusterState> cluster) {
  std::erase_if(clusters_, [](const auto& other) { return other.expired(); });
  clusters_.push_back(std::move(cluster));
}

void LoopState::hold(Resource& resource) {
  if (resource.held_ || loop.silent()) return;
  loop.check_thread();
  resource.place_ = held_.insert(held_.end(), resource.shared_from_this());
  resource.held_ = true;
}

void LoopState::release(Resource& resource) {
  // A silent loop tells it no last events: it stays held until close() abandons it.
  if (!resource.held_ || loop.silent()) return;
  resource.held_ = false;
  released_.push_back(std::move(*resource.place_));
  held_.erase(resource.place_);
  loop.at_end_of_turn(*this);
}

LoopState::SignalListeners& LoopState::watch(Signal signal) {
  const auto found = signals.find(signal.number());
  if (found != signals.end()) return found->second;
  auto watcher = std::make_unique<uv::SignalWatcher>(loop, signal, [this, signal] {
    SignalListeners& known = signals[signal.number()];
    if (known.ends_loop && known.listeners.empty()) return loop.stop(128 + signal.number());
    known.listeners.emit(loop, signal);
  });
  SignalListeners& listeners = signals[signal.number()];
  listeners.watcher = std::move(watcher);
  return listeners;
}

void LoopState::unhandled(Error error) {
  loop.call([&error] { throw UnhandledError(std::move(error)); });
}

struct TimerState final : Resource {
  TimerState(LoopState& loop, bool repeats, Function<void()> callback)
      : loop(loop.shared_from_this()),
        repeats(repeats),
        callback(std::move(callback)),
        timer(std::make_unique<uv::Timer>(loop.loop, [this] { fire(); })) {}

  void fire() {
    const auto keep = shared_from_this();
    if (!repeats) loop->release(*this);
    loop->loop.call(callback);
  }
  void cancel() {
    if (timer) timer->stop();
    loop->release(*this);
  }
  void abandon() override { timer.reset(); }

  const std::shared_ptr<LoopState> loop;
  bool repeats;
  Function<void()> callback;
  std::unique_ptr<uv::Timer> timer;
};

struct WatchState final : Resource {
  WatchState(LoopState& loop, Function<void()> callback)
      : loop(loop.shared_from_this()),
        callback(std::move(callback)),
        watch(std::make_unique<uv::FdWatch>(loop.loop, [this](std::uint32_t) {
          const auto keep = shared_from_this();
          this->loop->loop.call(this->callback);
        })) {}

  void cancel() {
    if (watch) watch->stop();
    loop->release(*this);
  }
  void abandon() override { watch.reset(); }

  const std::shared_ptr<LoopState> loop;
  Function<void()> callback;
  std::unique_ptr<uv::FdWatch> watch;
};

}  // namespace detail

void Watch::cancel() {
  if (const auto state = state_.lock()) state->cancel();
}
void Watch::ref() {
  if (const auto state = state_.lock(); state && state->watch) state->watch->ref();
}
void Watch::unref() {
  if (const auto state = state_.lock(); state && state->watch) state->watch->unref();
}

void Timer::cancel() {
  if (const auto state = state_.lock()) state->cancel();
}
void Timer::ref() {
  if (const auto state = state_.lock(); state && state->timer) state->timer->ref();
}
void Timer::unref() {
  if (const auto state = state_.lock(); state && state->timer) state->timer->unref();
}

Loop::Loop() : state_(detail::LoopState::make(nullptr)) {}
Loop::Loop(uv_loop_s* borrowed) : state_(detail::LoopState::make(borrowed)) {}
Loop::~Loop() { state_->retire(); }

int Loop::run() {
  // A listener may destroy this.
  const auto state = state_;
  return state->loop.run();
}
void Loop::stop(int exit_code) { state_->loop.stop(exit_code); }
void Loop::next_tick(Function<void()> task) { state_->loop.next_tick(std::move(task)); }
void Loop::post(Function<void()> task) { state_->loop.post(std::move(task)); }

Timer Loop::set_timeout(std::chrono::milliseconds after, Function<void()> callback) {
  auto timer = std::make_shared<detail::TimerState>(*state_, false, std::move(callback));
  state_->hold(*timer);
  timer->timer->start(after);
  return detail::Access::make<Timer>(timer);
}

Timer Loop::set_interval(std::chrono::milliseconds every, Function<void()> callback) {
  auto timer = std::make_shared<detail::TimerState>(*state_, true, std::move(callback));
  state_->hold(*timer);
  // A repeat of 0 is "once".
  const auto period = std::max(every, std::chrono::milliseconds(1));
  timer->timer->start(period, period);
  return detail::Access::make<Timer>(timer);
}

Watch Loop::on_readable(int descriptor, Function<void()> callback) {
  auto watch = std::make_shared<detail::WatchState>(*state_, std::move(callback));
  if (const int error = watch->watch->start(descriptor, EPOLLIN); error != 0) {
    throw std::system_error(error, std::generic_category(), "the descriptor cannot be watched");
  }
  state_->hold(*watch);
  return detail::Access::make<Watch>(watch);
}

void Loop::run_in_thread(Function<void()> work, Function<void(std::error_code)> done) {
  state_->loop.run_in_thread(std::move(work), [&loop = state_->loop, done = std::move(done)](int error) mutable {
    loop.call([&] { done(std::error_code(error, std::generic_category())); });
  });
}

Subscription Loop::on_signal(Signal signal, Listener<Signal> listener) {
  return state_->watch(signal).listeners.on(std::move(listener));
}

Subscription Loop::on_uncaught_exception(Listener<std::exception_ptr> listener) {
  state_->loop.on_uncaught_exception([state = state_.get()](std::exception_ptr exception) {
    if (state->uncaught.empty()) std::rethrow_exception(exception);
    state->uncaught.emit(state->loop, exception);
  });
  return state_->uncaught.on(std::move(listener));
}

}  // namespace muster
