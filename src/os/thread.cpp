// SPDX-License-Identifier: MIT
#include "os/thread.h"

#include <csignal>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

namespace muster::os {

int run_in_thread(Function<void()> work) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = 0;
  try {
    std::thread([work = std::move(work)]() mutable { work(); }).detach();
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return error;
}

}  // namespace muster::os
