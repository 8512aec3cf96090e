// SPDX-License-Identifier: MIT
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "os/close_shared.h"

namespace muster {

// An open descriptor with one owner: closed when the owner goes.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  // Of one that came from another process, which has it too.
  static OwnedFd shared(int fd) {
    OwnedFd result(fd);
    result.shared_ = true;
    return result;
  }
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), shared_(other.shared_) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
      shared_ = other.shared_;
    }
    return *this;
  }
  ~OwnedFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    const int fd = std::exchange(fd_, -1);
    if (fd < 0) return;
    if (shared_) {
      os::close_shared(fd);
    } else {
      ::close(fd);
    }
  }

 private:
  int fd_ = -1;
  bool shared_ = false;
};

// Makes an eventfd that is watched for edges ready, as often as it is called: nobody needs to read it. May be called by a
// handler of signals.
inline void wake(int eventfd) {
  // A count that is full is ready already.
  for (int tries = 0; tries < 3 && eventfd_write(eventfd, 1) != 0 && errno != EAGAIN; ++tries) {
  }
}

}  // namespace muster
