// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/dealer.h"
#include "core/shared_handle.h"
#include "core/user.h"
#include "core/wire.h"

namespace muster::core {

// One listening socket of the primary, for all workers that asked for the same address.
struct Listener {
  // Who has asked and is to be answered when the socket is bound.
  struct Waiting {
    WorkerId worker;
    Seq query;
  };

  ListenerId id;
  std::string key;  // names it on the wire
  std::variant<Dealer, SharedHandle, KernelHandle> scheduler;
  bool datagram = false;
  wire::ListenQuery query = {};   // of the first that asked
  std::optional<User> user = {};  // whose rights it was opened with, where they are not this process's
  Value data = nullptr;           // of the first worker that gave some; echoed to all
  std::optional<wire::SocketName> socket_name = {};
  // `draining`: its last worker left and the port is free; connections in flight are still to be settled.
  enum class Phase { opening, open, draining };
  Phase phase = Phase::opening;
  std::vector<Waiting> waiting = {};

  bool has(WorkerId worker) const;
  bool has_workers() const;
  Dealer* dealer() { return std::get_if<Dealer>(&scheduler); }
};

// The primary's table of listening sockets: found by what a worker asks for, named by an id inside.
// One that is left by its last worker can be found no more, and stays until what it had in flight is
// settled.
class Listeners {
 public:
  // The key of the socket that serves this query, as Node 22 and later compose it.
  static std::string key_of(const wire::ListenQuery& query);

  Listener* find(ListenerId id);
  // Null when nobody listens there.
  Listener* find(const std::string& key);
  Listener& add(std::string key, std::variant<Dealer, SharedHandle, KernelHandle> scheduler);
  // It can be found by key no more.
  void retire(ListenerId id);
  void erase(ListenerId id);
  // The ids of all, retired ones too.
  std::vector<ListenerId> ids() const;
  // Whether every connection that was accepted is with a worker, or closed.
  bool calm() const;
  // Whether no address is listened on.
  bool empty() const { return by_key_.empty(); }
  std::size_t size() const { return listeners_.size(); }
  // On how many a worker listens.
  std::size_t count_of(WorkerId worker) const;

 private:
  std::map<ListenerId, Listener> listeners_;
  std::map<std::string, ListenerId> by_key_;
  std::uint32_t next_id_ = 1;
};

}  // namespace muster::core
