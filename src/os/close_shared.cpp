#include "os/close_shared.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

// False for what is no socket too: who serves its file system may take its time.
bool closes_at_once(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  if (domain == AF_INET || domain == AF_INET6) return stop_lingering(fd);
  int unread = 1;
  return domain == AF_UNIX && ioctl(fd, SIOCINQ, &unread) == 0 && unread == 0;
}

// Closes in threads what may block. One for the process, like the descriptors themselves.
class Closer {
 public:
  void take(int fd) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(fd);
    // Without a thread it stays queued until the next call gets one: the caller must not block.
    if (threads_ < most_threads && run_in_thread([this] { work(); }) == 0) ++threads_;
  }

 private:
  // A peer decides how long each blocks.
  static constexpr int most_threads = 8;

  void work() {
    for (std::unique_lock lock(mutex_);; lock.lock()) {
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
  std::vector<int> waiting_;
  int threads_ = 0;
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
