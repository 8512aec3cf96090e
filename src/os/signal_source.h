// SPDX-License-Identifier: MIT
#pragma once

#include "os/fd.h"

namespace muster::os {

// Arrivals of a signal, in place of what the signal does to the process; a handler that was there before
// is called too. There may be several of one signal. When the last one goes, what was there before is there again.
class SignalSource {
 public:
  // error() is an errno where that cannot be.
  explicit SignalSource(int signal);
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;
  ~SignalSource();

  int error() const { return error_; }
  // Ready at each arrival, for who watches for edges.
  int descriptor() const { return ready_.get(); }
  // How many since the last time.
  unsigned take() const;

 private:
  int signal_;
  int error_ = 0;
  int slot_ = -1;
  OwnedFd ready_;
};

}  // namespace muster::os
