// SPDX-License-Identifier: MIT
#include "os/close_shared.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

#include "os/thread.h"

namespace muster::os {
namespace {

#ifdef SO_PASSRIGHTS
constexpr int pass_rights = SO_PASSRIGHTS;
#else
constexpr int pass_rights = 83;
#endif

// The system's limit for the queue of a listening socket, as most have it.
constexpr int max_queued = 4096;

// A socket that resets its connection does not linger.
bool stop_lingering(int fd) {
  linger option{};
  socklen_t size = sizeof option;
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &option, &size) != 0) return false;
  if (option.l_onoff == 0 || option.l_linger == 0) return true;
  option = {};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option) == 0;
}

// An abstract name is free when its socket is closed, and whoever listened there may want to listen there again at once: that
// is not left to a thread. What is queued is.
bool empties_queue(int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  sockaddr_un name{};
  socklen_t name_size = sizeof name;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) return false;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &name_size) != 0) return false;
  if (name_size <= offsetof(sockaddr_un, sun_path) || name.sun_path[0] != '\0') return false;
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return false;
  for (int taken = 0; taken < max_queued; ++taken) {
    const int connection = accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return errno == EAGAIN;
    close_shared(connection);
  }
  return false;
}

// False for what is no socket too: who serves its file system may take its time.
bool closes_at_once(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  if (domain == AF_INET || domain == AF_INET6) return stop_lingering(fd);
  // Nothing tells whether a descriptor lies in a Unix socket: an empty datagram, or an urgent byte that was read, may bring
  // one, and so may a peer at any moment.
  return domain == AF_UNIX && empties_queue(fd);
}

// Closes in threads what may block. One for the process, like the descriptors themselves.
class Closer {
 public:
  void take(int fd) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(fd);
    if (idle_ > 0) return more_.notify_one();
    // Without a thread it stays queued until the next call gets one: the caller must not block.
    if (threads_ < max_threads && run_in_thread([this] { work(); }) == 0) ++threads_;
  }

 private:
  // A peer decides how long each blocks.
  static constexpr int max_threads = 8;
  static constexpr std::chrono::milliseconds idle_for{500};

  void work() {
    for (std::unique_lock lock(mutex_);; lock.lock()) {
      if (waiting_.empty()) {
        // Where one was closed, others follow.
        ++idle_;
        more_.wait_for(lock, idle_for, [this] { return !waiting_.empty(); });
        --idle_;
      }
      if (waiting_.empty()) {
        --threads_;
        return;
      }
      const int fd = waiting_.back();
      waiting_.pop_back();
      lock.unlock();
      close(fd);
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<int> waiting_;
  int threads_ = 0;
  int idle_ = 0;
};

// Never destroyed: its threads may outlive main().
Closer& closer() {
  static auto* const closer = new Closer;
  return *closer;
}

}  // namespace

void close_shared(int fd) {
  if (fd < 0) return;
  if (closes_at_once(fd)) {
    close(fd);
  } else {
    closer().take(fd);
  }
}

void refuse_descriptors(int socket) {
  const int off = 0;
  setsockopt(socket, SOL_SOCKET, pass_rights, &off, sizeof off);
}

}  // namespace muster::os
