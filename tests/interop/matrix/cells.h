// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <vector>

#include <muster/scheduling.h>
#include <muster/settings.h>

namespace muster::test {

// Who muster is played with, and in which of the two parts.
struct Peer {
  const char* name;     // "Node20": of tests, and of its program in build/, in lower case
  const char* version;  // as in the package.json that pins it
};
enum class Role { primary, worker };  // muster's

// What is done, and what the primary says when it was done. native_*.cpp and peer_*.cjs have a function for each.
struct Action {
  const char* name;
  const char* column;  // of the table in the document
  const char* what;
  std::vector<std::string> transcript;
};

struct Cell {
  Role role;
  const Peer* peer;
  const Action* action;
  Serialization serialization;
  SchedulingPolicy policy;

  // "Node20_http_json_rr"
  std::string name() const;
  // What the primary says when all is well.
  std::vector<std::string> transcript() const;
  // Why that does not happen, as cells.cpp knows it; null where it does. A cell that is known to fail has to.
  const char* reason() const;
};

std::vector<Cell> cells(Role role);

// docs/interop.md.
std::string document();

}  // namespace muster::test
