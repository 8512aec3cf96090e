// SPDX-License-Identifier: MIT
#include "os/close_shared.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace muster::os {
namespace {

// A socket in which something lies unread, which could be one that lingers.
int with_something_unread() {
  int pair[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || write(pair[0], "x", 1) != 1) _exit(9);
  return pair[1];
}

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(CloseShared, WaitsForNobodyWhereThereIsNoThread) {
  const int child = fork();
  if (child == 0) {
    // A thread counts as a process, and root may have any number.
    if (geteuid() == 0 && setuid(65534) != 0) _exit(8);
    rlimit limit{};
    getrlimit(RLIMIT_NPROC, &limit);
    const rlimit none{0, limit.rlim_max};
    setrlimit(RLIMIT_NPROC, &none);
    const int first = with_something_unread();
    close_shared(first);
    // It would have waited for as long as the socket may take.
    if (!is_open(first)) _exit(1);
    // What is harmless, as far as one can see, does not pile up.
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) _exit(9);
    close_shared(pair[0]);
    if (is_open(pair[0]) || !is_open(first)) _exit(2);
    // The next that finds a thread takes it along.
    setrlimit(RLIMIT_NPROC, &limit);
    close_shared(with_something_unread());
    while (is_open(first)) usleep(1000);
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace muster::os
