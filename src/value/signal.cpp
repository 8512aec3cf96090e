// SPDX-License-Identifier: MIT
#include <muster/signal.h>

#include <csignal>
#include <cstring>

namespace muster {

const Signal Signal::hup{SIGHUP}, Signal::interrupt{SIGINT}, Signal::quit{SIGQUIT}, Signal::kill{SIGKILL},
    Signal::usr1{SIGUSR1}, Signal::usr2{SIGUSR2}, Signal::term{SIGTERM}, Signal::stop{SIGSTOP}, Signal::cont{SIGCONT};

std::string Signal::name() const {
  // The C library says POLL.
  if (number_ == SIGIO) return "SIGIO";
  const char* abbreviation = sigabbrev_np(number_);
  return "SIG" + (abbreviation ? std::string(abbreviation) : std::to_string(number_));
}

std::optional<Signal> Signal::from_name(std::string_view name) {
  if (name == "SIGPOLL") return Signal(SIGPOLL);
  if (name == "SIGIOT") return Signal(SIGIOT);
  for (int number = 1; number < NSIG; ++number) {
    if (Signal(number).name() == name) return Signal(number);
  }
  return std::nullopt;
}

}  // namespace muster
