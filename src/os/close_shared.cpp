#include "os/close_shared.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

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

}  // namespace

void close_shared(int fd) {
  if (fd < 0) return;
  // Without a thread it is closed here, and may take its time.
  if (closes_at_once(fd) || run_in_thread([fd] { close(fd); }) != 0) close(fd);
}

void refuse_descriptors(int socket) {
  const int off = 0;
  setsockopt(socket, SOL_SOCKET, pass_rights, &off, sizeof off);
}

}  // namespace muster::os
