// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <deque>
#include <string>

#include <muster/error.h>
#include <muster/function.h>
#include "uv/loop.h"

namespace muster::uv {

// What Node says of a name that has no address: "getaddrinfo ENOTFOUND localhos".
Error resolve_error(int error_number, const std::string& host);

// Host names to numeric addresses, by the system's resolver, which may wait for a server: in a thread, so that nobody else
// does.
class Resolver {
 public:
  // Gets the first address of the name, or an errno: ENOENT where it has none. Not from inside resolve(). Never, once the
  // Resolver is gone.
  using Done = Function<void(std::string address, int error_number)>;

  explicit Resolver(Loop& loop) : loop_(loop) {}
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Keeps the loop alive until it is done.
  void resolve(std::string host, Done done);

 private:
  struct Asked {
    std::string host;
    Done done;
  };

  void start(Asked asked);

  Loop& loop_;
  std::size_t under_way_ = 0;
  std::deque<Asked> waiting_;
};

}  // namespace muster::uv
