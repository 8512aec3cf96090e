// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "os/fd.h"

namespace muster::os {

// The file of a Unix socket, which is removed when the socket is closed for good. Whoever may change the folders on the way to
// it could put something else in its place meanwhile, so it is named by its folder, held open, and by what it is: only that
// very file is changed or removed.
class SocketFile {
 public:
  // Which file it is.
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;

    friend bool operator==(const Identity&, const Identity&) = default;
  };

  SocketFile() = default;
  // The socket that is at the path now. Empty when there is none.
  static SocketFile at(const std::string& path);
  // The same if it is that one.
  static SocketFile at(const std::string& path, Identity identity);

  explicit operator bool() const { return folder_ != nullptr; }
  const std::string& path() const { return path_; }
  Identity identity() const { return identity_; }
  bool is_users(unsigned uid) const;
  // Whether the path no longer leads to this file. False when that cannot be determined.
  bool is_gone() const;

  // Its permissions; 0 when it is gone.
  unsigned mode() const;
  // Returns an errno.
  int set_mode(unsigned mode);
  // Once.
  void remove();
  // It is somebody else's business from now on.
  void leave() { *this = SocketFile(); }

 private:
  std::string path_;
  std::string name_;  // in its folder
  std::shared_ptr<const OwnedFd> folder_;
  Identity identity_;
};

// A name of a Unix socket that is no file: one that begins with a zero byte.
bool is_abstract(std::string_view path);

// Binds a Unix socket and finds its file. Returns an errno.
int bind_to_path(int socket, const std::string& path, SocketFile& file);
int connect_to_path(int socket, const std::string& path);
// Removes a socket that nobody listens on: one of a process that did not end well. Returns an errno: EADDRINUSE when somebody
// does, ENOTSOCK when it is no socket.
int remove_stale(const std::string& path);

}  // namespace muster::os
