#include "uv/loop.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace muster::uv {

Loop::Loop() : owned_(std::make_unique<uv_loop_t>()), loop_(owned_.get()) {
  const int error = uv_loop_init(loop_);
  MUSTER_ASSERT(error == 0);
  init();
}

Loop::Loop(uv_loop_t* borrowed) : loop_(borrowed) { init(); }

void Loop::keep_spare() { spare_ = OwnedFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void Loop::init() {
  keep_spare();
  idle_ = std::make_unique<UvHandle<uv_idle_t>>(this, [this](uv_idle_t* h) { return uv_idle_init(loop_, h); });
  async_ = std::make_unique<UvHandle<uv_async_t>>(this, [this](uv_async_t* h) {
    return uv_async_init(loop_, h, [](uv_async_t* handle) {
      auto* self = static_cast<Loop*>(handle->data);
      if (!self) return;
      const Turn turn(*self);
      self->run_posted();
    });
  });
  MUSTER_ASSERT(*idle_ && *async_);
  async_->unref();
  poller_ = std::make_unique<Poller>(*this);
}

Loop::~Loop() {
  idle_.reset();
  async_.reset();
  poller_.reset();
  if (!owned_) return;
  // Closing is finished by the loop. What is still open after that belongs to an object that outlives
  // its loop: the loop's memory is left to it, for a leak is better than a dangling pointer.
  uv_run(loop_, UV_RUN_NOWAIT);
  if (uv_loop_close(loop_) != 0) static_cast<void>(owned_.release());
}

int Loop::run() {
  { const Turn turn(*this); }
  // Also when stop() was called by now: libuv remembers that until its next run, which must be this one.
  uv_run(loop_, UV_RUN_DEFAULT);
  const int exit_code = std::exchange(exit_code_, 0);
  if (failed()) std::rethrow_exception(std::exchange(exception_, nullptr));
  return exit_code;
}

void Loop::stop(int exit_code) {
  exit_code_ = exit_code;
  uv_stop(loop_);
}

void Loop::next_tick(Function<void()> task) {
  ticks_.push_back(std::move(task));
  arm();
}

void Loop::post(Function<void()> task) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(task));
  }
  uv_async_send(async_->get());
}

void Loop::run_posted() {
  std::vector<Function<void()>> tasks;
  {
    const std::lock_guard lock(posted_mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) ticks_.push_back(std::move(task));
}

void Loop::uncaught(std::exception_ptr exception) {
  if (uncaught_handler_) {
    try {
      uncaught_handler_(exception);
      return;
    } catch (...) {
      exception = std::current_exception();
    }
  }
  if (!exception_) exception_ = exception;
  uv_stop(loop_);
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
  if (armed_ || (turns_ > 0 && !failed())) return;
  armed_ = true;
  uv_idle_start(idle_->get(), [](uv_idle_t* handle) {
    auto* self = static_cast<Loop*>(handle->data);
    if (!self) return;
    uv_idle_stop(handle);
    self->armed_ = false;
    const Turn turn(*self);
  });
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
