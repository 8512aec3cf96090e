// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <utility>

namespace muster {

namespace detail {
struct Access;
class HandleOrigin;
}  // namespace detail

// What kind of descriptor travels with a message. The Node class a Node peer sees is in brackets.
enum class HandleType {
  none,
  server,      // a listening socket (net.Server)
  socket,      // a connected stream socket (net.Socket)
  native,      // a stream socket without a stream around it (net.Native)
  udp_socket,  // dgram.Socket
  descriptor,  // any other: a file, an eventfd. Only between muster processes: a Node process would die of it
};

// A descriptor on its way between processes. It owns the descriptor: dropping the Handle closes it,
// so that a handle nobody takes out of a message does not leak.
class Handle {
 public:
  Handle() = default;
  // Takes over `descriptor`.
  Handle(HandleType type, int descriptor) : type_(type), descriptor_(descriptor) {}
  Handle(Handle&& other) noexcept;
  Handle& operator=(Handle&& other) noexcept;
  ~Handle();

  [[nodiscard]] HandleType type() const noexcept { return type_; }
  [[nodiscard]] explicit operator bool() const noexcept { return descriptor_ >= 0; }
  // The descriptor, still owned by the Handle.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  // Gives the descriptor away: the caller closes it, and nobody counts it as its server's any more.
  int release() noexcept;

 private:
  friend struct detail::Access;

  void close() noexcept;

  HandleType type_ = HandleType::none;
  int descriptor_ = -1;
  bool received_ = false;                         // from another process, which may have made it one whose close takes long
  std::shared_ptr<detail::HandleOrigin> origin_;  // of a connection: its server counts it wherever it lives
};

}  // namespace muster
