// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <string>
#include <vector>

#include <muster/handle.h>

#include "os/socket_file.h"

namespace muster::cli {

// The listening sockets of an app that takes them as descriptors (LISTEN_FDS): the primary binds them, keeps them, and every
// worker has them.
class ListenSockets {
 public:
  ListenSockets() = default;
  ListenSockets(const ListenSockets&) = delete;
  ListenSockets& operator=(const ListenSockets&) = delete;
  ~ListenSockets();

  // Binds what is missing, of these URLs. What went wrong, or nothing; then nothing has changed.
  std::string open(const std::vector<std::string>& urls);
  // A program may call shutdown(2) on a socket, which ends it for all workers. Opens those of these URLs again, and those that
  // could not be opened before.
  struct Reopened {
    bool any = false;  // descriptor() has changed
    std::string error = {};
  };
  Reopened reopen_shut_down(const std::vector<std::string>& urls);
  // One that somebody else has bound. Serves the URL of that name, or of its address.
  void adopt(std::string name, Handle socket, os::SocketFile file);
  // Closes those that are not among them.
  void keep_only(const std::vector<std::string>& urls);
  // The descriptor, which stays ours; -1 when there is none.
  int descriptor(const std::string& url) const;
  // As the socket says: with the real port where 0 was asked for.
  std::string bound_url(const std::string& url) const;
  // For another process.
  struct Copy {
    std::string name;
    Handle socket;
    os::SocketFile file;
  };
  std::vector<Copy> copies() const;
  // That one removes the files.
  void leave_files();

 private:
  struct Socket {
    Handle handle;
    os::SocketFile file;  // to be removed
  };
  std::map<std::string, Socket> sockets_;
};

}  // namespace muster::cli
