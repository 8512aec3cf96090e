// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <muster/cluster.h>

#include "status.h"

namespace muster::cli {

// The admin port of a primary: /metrics, /healthz, /readyz, /status.json and the page, for reading only. Nothing can be changed
// through it, by design: it has no password, and a browser that shows a stranger's site can reach it. So that such a site
// cannot read it either, only requests whose Host is an IP address, localhost or the given host are answered (a name of the
// stranger's may have been pointed here), and no other origin is allowed to see the answers.
//
// It does not keep the program alive.
class Admin {
 public:
  // Listens on host and port, 0 for any. `status` is asked for each request; `failed` hears of a port that is in use, a host
  // that does not exist. Neither runs inside the constructor.
  Admin(Cluster& cluster, std::string host, std::uint16_t port, Function<AppStatus()> status,
        Function<void(const Error&)> failed);
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;
  // Closes it.
  ~Admin();

  // Where it listens; empty before and when it could not.
  std::optional<Address> address() const;
  Subscription on_listening(Listener<> listener);

  // Takes no more connections; those that ask are answered. Again, it does nothing.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace muster::cli
