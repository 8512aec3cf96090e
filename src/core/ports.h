// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/user.h"
#include "core/wire.h"

namespace muster::core {

// A socket that is bound, and what it is bound to, so that nobody has to ask the system for that again and again.
struct BoundSocket {
  FdToken socket;
  bool datagram = false;
  std::string path = {};  // of a Unix socket
  std::optional<wire::SocketName> name = {};
};

// Listening sockets that stay open while no worker listens on them: clients wait in the system's queue meanwhile, and are not
// refused. Also those that somebody else has bound, before a worker asks for their address.
//
// Each is held until it is to be closed: what a call returns is no longer here, and is the caller's to close.
class Ports {
 public:
  struct Port {
    std::string name;  // the key of the query that opened it, or what the one who gave it calls it
    BoundSocket bound;
    bool for_all = false;             // it serves every worker
    bool inherited = false;           // from somebody else: it stays until it is released
    std::optional<User> user = {};    // whose rights it was opened with, as in Listen
    std::set<ListenerId> users = {};  // the listeners it serves
  };

  // From now on, and at most so many: one more takes the place of the oldest that nobody uses, as a worker may open and close
  // without end.
  void keep(std::size_t limit) { limit_ = limit; }
  bool keeps() const { return limit_.has_value(); }
  [[nodiscard]] std::optional<FdToken> add(Port port);
  // The one that serves the query, used by this listener from now on. `numeric` is the query's address where that is a name.
  std::optional<FdToken> use(const wire::ListenQuery& query, const std::string& numeric, const std::optional<User>& user,
                             ListenerId listener);
  // Those that it used are used by the others only.
  void leave(ListenerId listener);
  [[nodiscard]] std::vector<FdToken> release_unused();
  // Keeps none from now on.
  [[nodiscard]] std::vector<FdToken> clear();
  // Oldest first.
  const std::vector<Port>& all() const { return ports_; }

 private:
  std::optional<std::size_t> limit_ = {};
  std::vector<Port> ports_;
};

}  // namespace muster::core
