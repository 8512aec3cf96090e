// SPDX-License-Identifier: MIT
#include "os/close_shared.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
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

// A socket that resets its connection does not linger.
bool stop_lingering(int fd) {
  linger option{};
  socklen_t size = sizeof option;
  if (getsockopt(fd, SOL_SOCKET, SO_LINGER, &option, &size) != 0) return false;
  if (option.l_onoff == 0 || option.l_linger == 0) return true;
  option = {};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option) == 0;
}

bool is_listening(int fd) {
  int listens = 0;
  socklen_t size = sizeof listens;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
}

bool is_abstract(int fd) {
  sockaddr_un name{};
  socklen_t size = sizeof name;
  return getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0 && size > offsetof(sockaddr_un, sun_path) &&
         name.sun_path[0] == '\0';
}

// False for what is no socket too: who serves its file system may take its time.
bool closes_at_once(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  const bool is_internet = domain == AF_INET || domain == AF_INET6;
  // Whoever listens on an abstract name may want to do so again at once, and it is free only when its socket is closed.
  if (is_listening(fd)) return is_internet || (domain == AF_UNIX && is_abstract(fd));
  // A Unix socket never tells whether a descriptor lies in it: an empty datagram, or an urgent byte that was read, may bring
  // one, and so may a peer at any moment.
  return is_internet && stop_lingering(fd);
}

// A Unix socket of which nothing is known against it. That is no proof.
bool looks_empty(int fd) {
  int domain = 0, unread = 1;
  socklen_t size = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX && ioctl(fd, SIOCINQ, &unread) == 0 &&
         unread == 0;
}

// Closes in threads what may block. One for the process, like the descriptors themselves.
class Closer {
 public:
  std::size_t unclosed() const { return unclosed_.load(std::memory_order_relaxed); }

  void take(int fd) {
    const std::lock_guard lock(mutex_);
    ++unclosed_;
    waiting_.push_back(fd);
    if (static_cast<std::size_t>(idle_) >= waiting_.size()) return more_.notify_one();
    if (threads_ < max_threads && run_in_thread([this] { work(); }) == 0) ++threads_;
    if (threads_ > 0) return;
    // Without a thread all but the harmless stay queued until the next call gets one: the caller must not block.
    std::erase_if(waiting_, [this](int waiting) { return looks_empty(waiting) && (close(waiting), --unclosed_, true); });
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
      --unclosed_;
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<int> waiting_;
  std::atomic<std::size_t> unclosed_ = 0;
  int threads_ = 0;
  int idle_ = 0;
};

// Never destroyed: its threads may outlive main().
Closer& closer() {
  static auto* const closer = new Closer;
  return *closer;
}

// Here where that is at once, otherwise in a thread.
void close_somewhere(int fd, bool (*at_once)(int)) {
  if (fd < 0) return;
  if (at_once(fd)) {
    close(fd);
  } else {
    closer().take(fd);
  }
}

}  // namespace

void close_shared(int fd) { close_somewhere(fd, closes_at_once); }

void close_connection(int fd) { close_somewhere(fd, stop_lingering); }

std::size_t count_unclosed() { return closer().unclosed(); }

void refuse_descriptors(int socket) {
  const int off = 0;
  setsockopt(socket, SOL_SOCKET, pass_rights, &off, sizeof off);
}

}  // namespace muster::os
