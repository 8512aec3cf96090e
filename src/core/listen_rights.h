// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include <muster/settings.h>
#include "core/user.h"
#include "core/wire.h"

namespace muster::core {

// What the core has to know of the process it is in.
struct Host {
  int uid = 0;
  // Sockets that it was given to listen on: LISTEN_FDS.
  std::vector<int> descriptors = {};
  // Whether workers may name any descriptor, as Node's may. What is no socket for them is refused all the same.
  bool any_descriptor = false;
  // False: no worker may listen.
  bool may_listen = true;
  // How many listening sockets there may be, so that there are descriptors left for connections; and how many of one worker.
  std::size_t max_listeners = 4096;
  std::size_t max_listeners_of_worker = 1024;
};

// What a worker may have the primary listen on.
class ListenRights {
 public:
  // A worker that is forked with these settings.
  ListenRights(const Settings& settings, const Host& host);

  // With whose rights it is bound; nothing for the primary's.
  struct Granted {
    std::optional<User> user = {};
  };
  struct Refused {};
  std::variant<Granted, Refused> judge(const wire::ListenQuery& query) const;
  // Whether it may share a socket that was opened with the rights of `opener`, given what judge() said.
  bool may_share(const Granted& granted, const std::optional<User>& opener) const;

 private:
  bool allowed(const wire::ListenQuery& query) const;

  std::optional<User> user_;  // where it is not the primary's
  std::vector<ListenOptions> may_listen_;
  std::vector<int> descriptors_;
  bool any_descriptor_;
  bool refuses_all_;
};

}  // namespace muster::core
