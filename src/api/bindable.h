// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include <muster/error.h>
#include "core/wire.h"
#include "os/fd.h"

namespace muster::detail {

// What asks the primary for a socket, in a worker: a server or a UDP socket. It hears what became of that.
class Bindable {
 public:
  virtual ~Bindable() = default;

  // The primary accepts for it.
  virtual void handle_listening(const std::optional<core::wire::SocketName>& name) = 0;
  // It shares this socket with other workers. With counters it is its own, and a program in the kernel deals to it.
  virtual void handle_shared(OwnedFd socket, OwnedFd counters) = 0;
  virtual void handle_error(const Error& failure) = 0;
  virtual void handle_connection(OwnedFd connection) = 0;
  // A connection over its limit, which is closed after this.
  virtual void handle_drop(int connection) = 0;
  // The worker is leaving.
  virtual void close_if_open() = 0;
  // The cluster goes: let go of everything, tell nobody.
  virtual void abandon() = 0;
};

}  // namespace muster::detail
