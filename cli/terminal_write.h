// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace muster::cli {

// While this lives a write to a terminal is not refused because this process is in the background there (stty tostop): the
// signal that says so would be handled, and the write tried again, for ever.
class TerminalWrite {
 public:
  TerminalWrite() {
    sigset_t background;
    sigemptyset(&background);
    sigaddset(&background, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &background, &before_);
  }
  TerminalWrite(const TerminalWrite&) = delete;
  TerminalWrite& operator=(const TerminalWrite&) = delete;
  ~TerminalWrite() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace muster::cli
