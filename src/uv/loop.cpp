// SPDX-License-Identifier: MIT
#include "uv/loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <muster/error.h>
#include "core/assert.h"
#include "os/thread.h"
#include "uv/guest.h"
#include "uv/resolver.h"

namespace muster::uv {

Mailbox::Mailbox() : ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ready_) throw std::system_error(errno, std::generic_category(), "a loop cannot be made");
}

bool Mailbox::post(Function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (!open_) return false;
  tasks_.push_back(std::move(task));
  wake(ready_.get());
  return true;
}

Loop::Loop() : poller_(*this) {
  keep_spare();
  if (const int error = poller_.watch(mailbox_->ready_.get(), EPOLLIN, letterbox_); error != 0) {
    throw std::system_error(error, std::generic_category(), "a loop cannot be made");
  }
  resolver_ = std::make_unique<Resolver>(*this);
}

Loop::Loop(uv_loop_s* host) : Loop() {
  if (host) guest_ = std::make_unique<Guest>(*this, host);
}

void Loop::keep_spare() { spare_ = OwnedFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

Loop::~Loop() { close(); }

void Loop::silence() {
  silent_ = true;
  // What goes with them may ask for more, which is dropped.
  std::exchange(ticks_, {}).clear();
}

void Loop::close() {
  silence();
  if (std::exchange(closed_, true)) return;
  {
    const std::lock_guard lock(mailbox_->mutex_);
    mailbox_->open_ = false;
  }
  std::exchange(in_threads_, {}).clear();
  resolver_ = std::make_unique<Resolver>(*this);
  if (guest_ && running_) guest_->stop();
  guest_.reset();
}

void Loop::after_turn(Function<void()> task) {
  if (turns_ == 0) return task();
  MUSTER_ASSERT(!after_turn_);
  after_turn_ = std::move(task);
}

void Loop::check_thread() const {
#ifndef NDEBUG
  if (thread_ != std::this_thread::get_id()) throw Exception(Errc::wrong_thread, std::error_code(Errc::wrong_thread).message());
#endif
}

int Loop::run() {
#ifndef NDEBUG
  thread_ = std::this_thread::get_id();
#endif
  running_ = true;
  turn();
  if (guest_) {
    // Also when stop() was called by now: libuv remembers that until its next run, which must be this one.
    guest_->run();
  } else {
    run_alone();
  }
  running_ = false;
  const int exit_code = std::exchange(exit_code_, 0);
  if (failed()) std::rethrow_exception(std::exchange(exception_, nullptr));
  return exit_code;
}

void Loop::run_alone() {
  while (!stopped_ && !silent_) {
    prepare_to_wait();
    if (armed_) turn();
    if (stopped_ || silent_ || (holders_ == 0 && !armed_)) break;
    const bool at_once = armed_ || !before_wait_.empty();
    poller_.tell_ready(at_once ? 0 : timers_.timeout(Clock::now()));
    run_timers();
  }
  stopped_ = false;
}

void Loop::run_timers() {
  told_.reset();
  timers_.run(Clock::now());
  tell_host();
}

// Of the timer that is due first, when that is another one.
void Loop::tell_host() {
  if (!guest_) return;
  const auto next = timers_.next();
  if (std::exchange(told_, next) != next) guest_->set_timeout(timers_.timeout(Clock::now()));
}

void Loop::start_timer(TimerQueue::Place& place, Clock::time_point due, TimerQueue::Client& client) {
  check_thread();
  timers_.start(place, due, client);
  tell_host();
}

void Loop::stop_timer(TimerQueue::Place& place) {
  timers_.stop(place);
  tell_host();
}

void Loop::prepare_to_wait() {
  if (before_wait_.empty()) return;
  const Turn turn(*this);
  // Those that come meanwhile wait for the next time.
  for (std::size_t left = before_wait_.size(); left > 0 && !before_wait_.empty(); --left) {
    BeforeWait* task = before_wait_.front();
    before_wait_.pop_front();
    task->queued_ = false;
    task->before_wait();
  }
}

void Loop::before_wait(BeforeWait& task) {
  if (std::exchange(task.queued_, true)) return;
  before_wait_.push_back(&task);
  if (guest_) guest_->before_wait();
}

void Loop::forget(BeforeWait& task) {
  if (std::exchange(task.queued_, false)) std::erase(before_wait_, &task);
}

void Loop::hold() {
  if (holders_++ == 0 && guest_) guest_->hold(true);
}

void Loop::release() {
  if (--holders_ == 0 && guest_) guest_->hold(false);
}

void Loop::stop(int exit_code) {
  exit_code_ = exit_code;
  stop();
}

void Loop::stop() {
  if (guest_) {
    guest_->stop();
  } else {
    stopped_ = true;
  }
}

void Loop::Letterbox::handle_ready(std::uint32_t) {
  std::vector<Function<void()>> tasks;
  {
    const std::lock_guard lock(loop_.mailbox_->mutex_);
    tasks.swap(loop_.mailbox_->tasks_);
  }
  if (loop_.silent_) return;
  for (auto& task : tasks) loop_.ticks_.push_back(std::move(task));
}

void Loop::next_tick(Function<void()> task) {
  if (silent_) return;
  check_thread();
  ticks_.push_back(std::move(task));
  arm();
}

void Loop::run_in_thread(Function<void()> work, Function<void(int)> done) {
  if (silent_) return;
  const std::uint64_t number = ++last_thread_;
  in_threads_.emplace(number, std::move(done));
  hold();
  const int error = os::run_in_thread([this, number, work = std::move(work), mailbox = mailbox_]() mutable {
    work();
    work = nullptr;
    // A loop that is gone takes nothing, and then nobody looks at `this`.
    mailbox->post([this, number] { finish_thread(number, 0); });
  });
  if (error != 0) next_tick([this, number, error] { finish_thread(number, error); });
}

void Loop::finish_thread(std::uint64_t number, int error_number) {
  auto done = in_threads_.extract(number);
  release();
  done.mapped()(error_number);
}

void Loop::uncaught(std::exception_ptr exception) {
  // What the listener itself throws, also by way of call(), is not for the listener.
  if (uncaught_handler_ && !std::exchange(tells_uncaught_, true)) {
    const struct Told {
      bool& tells;
      ~Told() { tells = false; }
    } told{tells_uncaught_};
    try {
      uncaught_handler_(exception);
      return;
    } catch (...) {
      exception = std::current_exception();
    }
  }
  if (!exception_) exception_ = exception;
  stop();
}

void Loop::finish_turn() {
  while (!failed()) {
    if (!ticks_.empty()) {
      Function<void()> task = std::move(ticks_.front());
      ticks_.pop_front();
      call(task);
    } else if (!end_of_turn_.empty()) {
      EndOfTurn* task = end_of_turn_.back();
      end_of_turn_.pop_back();
      task->queued_ = false;
      task->end_of_turn();
    } else {
      return;
    }
  }
  // The exception comes out of run() first; the rest waits for the next run().
  arm();
}

void Loop::arm() {
  if (silent_ || armed_ || (turns_ > 0 && !failed())) return;
  armed_ = true;
  if (guest_) guest_->turn_soon();
}

void Loop::at_end_of_turn(EndOfTurn& task) {
  if (std::exchange(task.queued_, true)) return;
  end_of_turn_.push_back(&task);
  arm();
}

void Loop::forget(EndOfTurn& task) {
  if (std::exchange(task.queued_, false)) std::erase(end_of_turn_, &task);
}

}  // namespace muster::uv
