// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "os/fd.h"

namespace muster::os {

// Passes on each descriptor that recvmsg(2) has put into this message, as an OwnedFd. The sender has them too.
template <class Take>
void take_descriptors(msghdr& message, Take&& take) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      take(OwnedFd::shared(fd));
    }
  }
}

}  // namespace muster::os
