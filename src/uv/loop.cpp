#include "uv/loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "os/thread.h"
#include "uv/resolver.h"

namespace muster::uv {

namespace {

// libuv ends the process when it cannot make the descriptors of its own or watch them, so this is tried before it does.
void try_descriptors() {
  constexpr int needed = 12;
  OwnedFd epoll(epoll_create1(EPOLL_CLOEXEC));
  OwnedFd first(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  if (!epoll || !first || epoll_ctl(epoll.get(), EPOLL_CTL_ADD, first.get(), &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "a loop cannot be made");
  }
  std::array<OwnedFd, needed> more;
  for (OwnedFd& fd : more) {
    fd = OwnedFd(fcntl(first.get(), F_DUPFD_CLOEXEC, 0));
    if (!fd || epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "a loop cannot be made");
    }
  }
}

// Registers what an owned loop watches for itself, before libuv does: it ends the process where epoll_ctl(2) fails.
void register_watchers(uv_loop_t* loop) {
  for (unsigned i = 0; i < loop->nwatchers; ++i) {
    auto* watcher = loop->watchers[i];
    if (!watcher || watcher->events != 0) continue;
    epoll_event event{};
    event.events = watcher->pevents;
    event.data.fd = watcher->fd;
    if (epoll_ctl(uv_backend_fd(loop), EPOLL_CTL_ADD, watcher->fd, &event) != 0) {
      throw std::system_error(errno, std::generic_category(), "a loop cannot be made");
    }
#if UV_VERSION_HEX < 0x012d00
    // Out of the queue of those to be registered. A later libuv finds that it is, and goes on.
    watcher->events = watcher->pevents;
    auto& links = watcher->watcher_queue;
    auto* next = static_cast<void**>(links[0]);
    auto* previous = static_cast<void**>(links[1]);
    previous[0] = next;
    next[1] = previous;
    links[0] = links[1] = static_cast<void*>(&links);
#endif
  }
}

}  // namespace

struct Loop::Guest {
  explicit Guest(Loop& loop)
      : loop(loop),
        poll(this, [&](uv_poll_t* h) { return uv_poll_init(loop.loop_, h, loop.poller_->descriptor()); }),
        check(this, [&](uv_check_t* h) { return uv_check_init(loop.loop_, h); }),
        prepare(this, [&](uv_prepare_t* h) { return uv_prepare_init(loop.loop_, h); }) {
    if (!poll) throw std::system_error(-poll.status(), std::generic_category(), "uv_poll_init");
    poll.unref();
    check.unref();
    uv_poll_start(poll.get(), UV_READABLE, [](uv_poll_t* handle, int, int) {
      if (auto* self = static_cast<Guest*>(handle->data)) self->loop.poller_->tell_ready(0);
    });
    uv_check_start(check.get(), [](uv_check_t* handle) {
      auto* self = static_cast<Guest*>(handle->data);
      if (self && self->loop.poller_->asked()) self->loop.poller_->tell_ready(0);
    });
  }

  Loop& loop;
  UvHandle<uv_poll_t> poll;
  // After what libuv had to tell: a new connection has often brought its request already, and that need not wait for another
  // turn.
  UvHandle<uv_check_t> check;
  UvHandle<uv_prepare_t> prepare;  // started while something is to be done before the wait
};

Loop::Loop() : owned_(std::make_unique<uv_loop_t>()), loop_(owned_.get()) {
  try_descriptors();
  if (const int error = uv_loop_init(loop_); error != 0) {
    throw std::system_error(-error, std::generic_category(), "a loop cannot be made");
  }
  try {
    init();
    register_watchers(loop_);
    if (const int error = poller_->watch(uv_backend_fd(loop_), EPOLLIN, host_, Poller::Trigger::level); error != 0) {
      throw std::system_error(error, std::generic_category(), "a loop cannot be made");
    }
  } catch (...) {
    close();
    throw;
  }
}

Loop::Loop(uv_loop_t* borrowed) : loop_(borrowed) {
  try_descriptors();
  init();
  guest_ = std::make_unique<Guest>(*this);
}

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
  if (!*async_) throw std::system_error(-async_->status(), std::generic_category(), "uv_async_init");
  async_->unref();
  mailbox_->wake_ = async_->get();
  poller_ = std::make_unique<Poller>(*this);
  resolver_ = std::make_unique<Resolver>(*this);
}

Loop::~Loop() { close(); }

void Loop::close() {
  {
    const std::lock_guard lock(mailbox_->mutex_);
    mailbox_->wake_ = nullptr;
  }
  in_threads_.clear();
  resolver_.reset();
  idle_.reset();
  guest_.reset();
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
  if (owned_) {
    run_owned();
  } else {
    // Also when stop() was called by now: libuv remembers that until its next run, which must be this one.
    uv_run(loop_, UV_RUN_DEFAULT);
  }
  const int exit_code = std::exchange(exit_code_, 0);
  if (failed()) std::rethrow_exception(std::exchange(exception_, nullptr));
  return exit_code;
}

void Loop::run_owned() {
  while (!stopped_) {
    prepare_to_wait();
    uv_update_time(loop_);
    const int timeout = uv_backend_timeout(loop_);
    if (timeout == 0 || host_.ready) {
      host_.ready = false;
      if (!uv_run(loop_, UV_RUN_NOWAIT) || stopped_) break;
      prepare_to_wait();
    }
    uv_update_time(loop_);
    poller_->tell_ready(uv_backend_timeout(loop_));
  }
  stopped_ = false;
}

void Loop::prepare_to_wait() {
  if (before_wait_.empty()) return;
  const Turn turn(*this);
  while (!before_wait_.empty()) {
    BeforeWait* task = before_wait_.back();
    before_wait_.pop_back();
    task->queued_ = false;
    task->before_wait();
  }
}

void Loop::before_wait(BeforeWait& task) {
  if (std::exchange(task.queued_, true)) return;
  before_wait_.push_back(&task);
  if (!guest_) return;
  uv_prepare_start(guest_->prepare.get(), [](uv_prepare_t* handle) {
    auto* self = static_cast<Guest*>(handle->data);
    if (!self) return;
    uv_prepare_stop(handle);
    self->loop.prepare_to_wait();
  });
}

void Loop::forget(BeforeWait& task) {
  if (std::exchange(task.queued_, false)) std::erase(before_wait_, &task);
}

void Loop::hold() {
  if (holders_++ == 0) async_->ref();
}

void Loop::release() {
  if (--holders_ == 0) async_->unref();
}

void Loop::stop(int exit_code) {
  exit_code_ = exit_code;
  stop();
}

void Loop::stop() {
  stopped_ = owned_ != nullptr;
  if (!owned_) uv_stop(loop_);
}

void Loop::next_tick(Function<void()> task) {
  ticks_.push_back(std::move(task));
  arm();
}

bool Mailbox::post(Function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (!wake_) return false;
  tasks_.push_back(std::move(task));
  uv_async_send(wake_);
  return true;
}

void Loop::run_posted() {
  std::vector<Function<void()>> tasks;
  {
    const std::lock_guard lock(mailbox_->mutex_);
    tasks.swap(mailbox_->tasks_);
  }
  for (auto& task : tasks) ticks_.push_back(std::move(task));
}

void Loop::run_in_thread(Function<void()> work, Function<void(int)> done) {
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
  if (uncaught_handler_) {
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
