// SPDX-License-Identifier: MIT
#include "os/signal_source.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>

namespace muster::os {
namespace {

// A process has one way with each signal, and a handler gets nothing but the signal's number: the table that it looks into can
// only be the process's.
struct Slot {
  std::atomic<int> signal = 0;  // 0: free
  std::atomic<int> descriptor = -1;
  std::atomic<unsigned> arrivals = 0;
};
struct Table {
  std::mutex changing;
  std::array<Slot, 256> slots;
  std::array<int, _NSIG> sources{};  // how many each signal has
  std::array<struct sigaction, _NSIG> before{};
  std::atomic<int> in_handlers = 0;
};
Table table;

void handle(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  ++table.in_handlers;
  for (Slot& slot : table.slots) {
    if (slot.signal.load() != signal) continue;
    ++slot.arrivals;
    wake(slot.descriptor.load());
  }
  --table.in_handlers;
  const struct sigaction& before = table.before[static_cast<std::size_t>(signal)];
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  }
  errno = error;
}

// The table is not changed by a thread that is in a handler.
class Changing {
 public:
  Changing() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
    table.changing.lock();
  }
  ~Changing() {
    table.changing.unlock();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_{};
};

}  // namespace

SignalSource::SignalSource(int signal) : signal_(signal), ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!ready_) error_ = errno;
  if (signal < 1 || signal >= _NSIG) error_ = EINVAL;
  if (error_ != 0) return;
  const Changing changing;
  for (std::size_t i = 0; i < table.slots.size() && slot_ < 0; ++i) {
    if (table.slots[i].signal == 0) slot_ = static_cast<int>(i);
  }
  if (slot_ < 0) {
    error_ = ENOMEM;
    return;
  }
  const auto number = static_cast<std::size_t>(signal);
  if (table.sources[number] == 0) {
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigfillset(&action.sa_mask);
    // What was there is known before the handler may run.
    if (sigaction(signal, nullptr, &table.before[number]) != 0 || sigaction(signal, &action, nullptr) != 0) {
      error_ = errno;
      slot_ = -1;
      return;
    }
  }
  ++table.sources[number];
  Slot& slot = table.slots[static_cast<std::size_t>(slot_)];
  slot.arrivals = 0;
  slot.descriptor = ready_.get();
  slot.signal = signal;
}

SignalSource::~SignalSource() {
  if (slot_ < 0) return;
  const Changing changing;
  const auto number = static_cast<std::size_t>(signal_);
  if (--table.sources[number] == 0) sigaction(signal_, &table.before[number], nullptr);
  table.slots[static_cast<std::size_t>(slot_)].signal = 0;
  // A handler that has seen it in the table may write to the descriptor, which is not to be another one's by then.
  while (table.in_handlers > 0) sched_yield();
}

unsigned SignalSource::take() const {
  return slot_ < 0 ? 0 : table.slots[static_cast<std::size_t>(slot_)].arrivals.exchange(0);
}

}  // namespace muster::os
