// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <muster/cluster.h>
#include <nlohmann/json_fwd.hpp>

#include "config/config.h"

namespace muster::cli {

// What a primary is started to do. It travels as JSON, and its descriptors as those of the new process.
struct Order {
  Sources sources = {};
  std::string name = {};
  std::optional<unsigned> workers = {};  // in place of what the sources say
  bool background = false;
  bool takes_over = false;
  std::string predecessor_folder = {};        // where the one whose place this one takes has its files
  int lock = -1;                              // of the name, where the predecessor has it
  std::vector<ListeningSocket> sockets = {};  // of the predecessor, or of the service manager
  // Where to report how it goes, and, when it takes over from another primary, where that says when it hands over; -1: nowhere.
  int line = -1;
};

// The JSON of an order, and the descriptors that go with it, in this order; they stay the order's.
std::pair<nlohmann::json, std::vector<int>> serialize(const Order& order);
// The reverse. The descriptors are those from `first` on, and become the order's. Throws nlohmann::json::exception.
Order parse_order(const nlohmann::json& json, int first);

}  // namespace muster::cli
