// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

namespace muster::os {

// Closes a descriptor that another process has too, or had, or can send descriptors to. What that process did decides how long
// close(2) takes: a TCP socket that lingers waits for its peer, and so does one that lies unread in a Unix socket, or in a
// connection that nobody has accepted. Here nobody waits.
void close_shared(int fd);

// The same for a TCP connection that this process has accepted. It takes fewer system calls.
void close_connection(int fd);

// How many descriptors these two have not closed yet.
std::size_t count_unclosed();

// Lets a socket receive no descriptors, where the system can (Linux 6.16): whoever drops those may wait.
void refuse_descriptors(int socket);

}  // namespace muster::os
