// SPDX-License-Identifier: MIT
#pragma once

namespace muster::os {

// Closes a descriptor that another process has too, or had, or can send descriptors to. What that process did decides how long
// close(2) takes: a TCP socket that lingers waits for its peer, and so does one that lies unread in a Unix socket, or in a
// connection that nobody has accepted. Here nobody waits.
void close_shared(int fd);

// Lets a socket receive no descriptors, where the system can (Linux 6.16): whoever drops those may wait.
void refuse_descriptors(int socket);

}  // namespace muster::os
