// SPDX-License-Identifier: MIT
#include "primary/init.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace muster::cli::init {
namespace {

constexpr const char* variable = "MUSTER_INIT";

// The signal says who sent it, which is all there is to say.
int announcement() { return SIGRTMIN; }

// Who has taken over, where somebody has said so.
pid_t successor_of(pid_t primary) {
  sigset_t said;
  sigemptyset(&said);
  sigaddset(&said, announcement());
  siginfo_t signal{};
  constexpr timespec at_once{};
  while (sigtimedwait(&said, &signal, &at_once) > 0) {
    if (signal.si_uid == geteuid()) primary = signal.si_pid;
  }
  return primary;
}

void bury_all(pid_t& primary) {
  int status = 0;
  for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != primary) continue;
    // It has gone because another one is there, or for good. The system tells of deaths before it tells of anything else.
    primary = successor_of(primary);
    if (pid == primary) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

[[noreturn]] void serve(pid_t primary) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t signal{};
    const int number = sigwaitinfo(&all, &signal);
    if (number < 0) continue;
    if (number == SIGCHLD) {
      bury_all(primary);
    } else if (number == announcement()) {
      if (signal.si_uid == geteuid()) primary = signal.si_pid;
    } else {
      kill(primary, number);
    }
  }
}

}  // namespace

void become_child_of_init() {
  if (getpid() != 1) return;
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &before);
  const pid_t primary = fork();
  if (primary > 0) serve(primary);
  if (primary == 0 && isatty(STDIN_FILENO)) {
    // Keys that are signals are for the primary and its workers, once.
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(STDIN_FILENO, getpgrp());
    signal(SIGTTOU, SIG_DFL);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (primary != 0) return;
  set_parent();
  // What process 1 was given is for the one that goes on.
  for (const char* name : {"LISTEN_PID", "WATCHDOG_PID"}) {
    const char* pid = std::getenv(name);
    if (pid && std::strcmp(pid, "1") == 0) setenv(name, std::to_string(getpid()).c_str(), 1);
  }
}

bool is_parent() { return std::getenv(variable) != nullptr; }
void set_parent() { setenv(variable, "1", 1); }

void announce() {
  if (is_parent()) kill(1, announcement());
}

}  // namespace muster::cli::init
