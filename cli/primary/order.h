// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <muster/handle.h>
#include <nlohmann/json_fwd.hpp>

#include "config/config.h"

namespace muster::cli {

// A socket that a primary has from its predecessor, or from the service manager.
struct InheritedSocket {
  std::string name = {};  // empty where it is found by its address
  Handle socket = {};
  std::string path = {};
  // Of the file at the path: ListeningSocket.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool for_all = true;
  std::optional<int> uid = {}, gid = {};
};

// What a primary is to be. In the process that it is for, the parts that are no text are descriptors from a known one on.
struct Order {
  Sources sources = {};
  std::string name = {};
  std::optional<unsigned> workers = {};  // in place of what the sources say
  bool background = false;
  bool takes_over = false;
  std::string predecessor_folder = {};  // where the one whose place this one takes has its files
  int lock = -1;                        // of the name, where the predecessor has it
  std::vector<InheritedSocket> sockets = {};
  // Where to report how it goes, and, when it takes over from another primary, where that says when it hands over; -1: nowhere.
  int line = -1;
};

// The text of an order, and the descriptors that go with it in this order; they stay the order's.
std::pair<nlohmann::json, std::vector<int>> to_text(const Order& order);
// The reverse, where those descriptors are numbered from `first` on; they become the order's. Throws nlohmann's exceptions.
Order from_text(const nlohmann::json& text, int first);

}  // namespace muster::cli
