// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <muster/function.h>
#include "os/fd.h"
#include "uv/poller.h"
#include "uv/timer_queue.h"

struct uv_loop_s;

namespace muster::uv {

class Guest;
class Resolver;

// What other threads have for a loop. It may outlive the loop, which takes no more then.
class Mailbox {
 public:
  // Its descriptor is ready whenever something comes in.
  Mailbox();
  // False when the loop is gone.
  bool post(Function<void()> task);

 private:
  friend class Loop;

  std::mutex mutex_;
  std::vector<Function<void()>> tasks_;
  OwnedFd ready_;
  bool open_ = true;
};

// Where all waiting is done: for descriptors in the Poller, and for timers. With Node's ticks on top: a task queued by
// next_tick() runs when the callback at hand returns, before the loop waits again. It runs by itself, or as a Guest in a libuv
// loop.
class Loop {
 public:
  // Both throw std::system_error where the system has no descriptors for it.
  Loop();
  explicit Loop(uv_loop_s* host);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  // Milliseconds, of no meaning but their difference.
  static std::uint64_t now() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count());
  }

  int run();
  void stop(int exit_code);

  // Runs no more of the program's code, and drops queued ticks and those that come.
  void silence();
  // Releases what the loop holds. Objects that still refer to it may call it; nothing happens.
  void close();
  bool silent() const { return silent_; }
  // Runs `task` when the outermost turn has ended, or now when there is none. It may destroy the loop.
  void after_turn(Function<void()> task);
  // What keeps this alive while a Guest calls into it.
  void set_owner(std::weak_ptr<void> owner) { owner_ = std::move(owner); }
  std::shared_ptr<void> owner() const { return owner_.lock(); }

  // Throws Exception(Errc::wrong_thread) on another thread than the loop's, in debug builds.
  void check_thread() const;

  void next_tick(Function<void()> task);
  // From another thread.
  void post(Function<void()> task) { mailbox_->post(std::move(task)); }
  const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }

  // Runs `work` in a thread of its own, and `done` here when it has ended, in a turn; with an errno where there is no thread
  // for it. Keeps the loop alive meanwhile. When the loop goes first, `done` goes with it, and `work` runs on.
  void run_in_thread(Function<void()> work, Function<void(int error_number)> done);

  // Runs the program's code. Its exception does not pass through: it goes to the handler of uncaught
  // exceptions, or stops the loop and comes out of run().
  template <class F>
  void call(F&& f) {
    if (silent_) return;
    const bool outer = std::exchange(in_program_, true);
    try {
      std::forward<F>(f)();
    } catch (...) {
      uncaught(std::current_exception());
    }
    in_program_ = outer;
  }

  // Runs the program's code for something that happened: now, if that is not inside a call the program
  // makes and nothing that happened before is still to be told; otherwise as a tick.
  template <class F>
  void emit(F&& f) {
    if (quiet()) {
      call(f);
    } else {
      next_tick(std::forward<F>(f));
    }
  }

  // Whether something below on the stack was called by this.
  bool in_turn() const { return turns_ > 0; }
  // Whether emit() would run what it gets now.
  bool quiet() const { return turns_ > 0 && !in_program_ && ticks_.empty() && !failed(); }

  // What everything that calls out of the loop opens first. When the outermost one closes, the ticks run, and then
  // what asked for the end of the turn.
  class Turn {
   public:
    explicit Turn(Loop& loop) : loop_(loop) { ++loop_.turns_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (loop_.turns_ == 1) loop_.finish_turn();
      if (--loop_.turns_ == 0 && loop_.after_turn_) std::exchange(loop_.after_turn_, nullptr)();
    }

   private:
    Loop& loop_;
  };

  // Something to do once when the current turn ends, or the next if there is none: a channel that
  // writes all that was sent in one system call.
  class EndOfTurn {
   public:
    virtual void end_of_turn() = 0;

   protected:
    ~EndOfTurn() = default;

   private:
    friend class Loop;
    bool queued_ = false;
  };
  void at_end_of_turn(EndOfTurn& task);
  void forget(EndOfTurn& task);

  // Something to do once before the loop waits again, in a turn: what was taken in together is answered together.
  class BeforeWait {
   public:
    virtual void before_wait() = 0;

   protected:
    ~BeforeWait() = default;

   private:
    friend class Loop;
    bool queued_ = false;
  };
  void before_wait(BeforeWait& task);
  void forget(BeforeWait& task);

  // How many keep the loop alive.
  void hold();
  void release();

  // For a Timer.
  void start_timer(TimerQueue::Place& place, Clock::time_point due, TimerQueue::Client& client);
  void stop_timer(TimerQueue::Place& place);

  // For a Guest.
  void turn() {
    armed_ = false;
    const Turn turn(*this);
  }
  void prepare_to_wait();
  void run_timers();

  // Gets uncaught exceptions in place of run(). Empty: back to run().
  void on_uncaught_exception(Function<void(std::exception_ptr)> handler) { uncaught_handler_ = std::move(handler); }

  // Watches the connections of this loop.
  Poller& poller() { return poller_; }
  Resolver& resolver() { return *resolver_; }

  // A descriptor to give up when this process has no more of them, so that a connection can be accepted to be closed: left
  // alone it would wake us without end. One does for all that accept.
  void give_up_spare() { spare_.reset(); }
  void keep_spare();

  // A buffer to read into, for the time of one callback.
  std::array<char, 65536>& scratch() { return *scratch_; }

 private:
  friend class Turn;

  class Letterbox final : public Poller::Client {
   public:
    explicit Letterbox(Loop& loop) : loop_(loop) {}
    void handle_ready(std::uint32_t events) override;

   private:
    Loop& loop_;
  };

  void run_alone();
  void stop();
  void tell_host();
  bool failed() const { return exception_ != nullptr; }
  void uncaught(std::exception_ptr exception);
  void finish_turn();
  void arm();
  void finish_thread(std::uint64_t number, int error_number);

  OwnedFd spare_;
  Poller poller_;
  TimerQueue timers_;
  std::optional<Clock::time_point> told_;  // the host, to be called at
  std::unique_ptr<Guest> guest_;
  std::deque<Function<void()>> ticks_;
  std::vector<EndOfTurn*> end_of_turn_;
  std::deque<BeforeWait*> before_wait_;
  int holders_ = 0;
  int turns_ = 0;
  bool in_program_ = false;
  bool armed_ = false;  // a turn is due without anything to wait for
  bool stopped_ = false;
  bool silent_ = false;
  bool closed_ = false;
  bool running_ = false;  // in run()
  int exit_code_ = 0;
  Function<void()> after_turn_;
  std::weak_ptr<void> owner_;
  std::exception_ptr exception_;
  Function<void(std::exception_ptr)> uncaught_handler_;
  bool tells_uncaught_ = false;
  std::unique_ptr<std::array<char, 65536>> scratch_ = std::make_unique<std::array<char, 65536>>();
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  Letterbox letterbox_{*this};
#ifndef NDEBUG
  std::thread::id thread_ = std::this_thread::get_id();
#endif
  std::map<std::uint64_t, Function<void(int)>> in_threads_;  // what is done when a thread has ended
  std::uint64_t last_thread_ = 0;
  std::unique_ptr<Resolver> resolver_;
};

}  // namespace muster::uv
