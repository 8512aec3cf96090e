// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/user.h"
#include "core/wire.h"
#include "os/fd.h"
#include "os/socket_file.h"
#include "uv/socket.h"

namespace muster::uv {

// Listening sockets that stay open while no worker listens on them: clients wait in the system's queue meanwhile, and are not
// refused. Also those that somebody else has bound, before a worker asks for their address.
class KeptPorts {
 public:
  struct Port {
    std::string name;  // the key of the query that opened it, or what the one who gave it calls it
    OwnedFd socket = {};
    os::SocketFile file = {};             // to be removed with it
    bool adopted = false;                 // it serves every worker
    std::optional<core::User> user = {};  // whose rights it was opened with, as in core::Listen
    std::set<core::ListenerId> users = {};
  };

  KeptPorts() = default;
  KeptPorts(const KeptPorts&) = delete;
  KeptPorts& operator=(const KeptPorts&) = delete;
  ~KeptPorts() { clear(); }

  // How many there may be. One more takes the place of the oldest that nobody uses: a worker may open and close without end.
  void set_limit(std::size_t limit) { limit_ = limit; }
  void add(Port port);
  // A duplicate of the one that serves the query, used by this listener from now on. Nothing when there is none. `numeric` is
  // the query's address where that is a name.
  std::optional<Bound> find(const core::wire::ListenQuery& query, const std::string& numeric,
                            const std::optional<core::User>& user, core::ListenerId listener);
  bool contains(int fd) const;
  void leave(core::ListenerId listener);
  // Closes those that nobody uses.
  void release_unused();
  // For another process.
  std::vector<Port> copies() const;
  // That one removes the files.
  void leave_files();
  void clear();

 private:
  // With what it is bound to, so that nobody has to ask the system for that again and again.
  struct Kept : Port {
    int type = 0;
    std::string path = {};
    std::optional<core::wire::SocketName> bound_to = {};
  };

  static bool serves(const Kept& port, const core::wire::ListenQuery& query, const std::string& numeric);
  static void close(Kept& port);

  std::size_t limit_ = std::numeric_limits<std::size_t>::max();
  std::vector<Kept> ports_;  // oldest first
};

}  // namespace muster::uv
