// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include <muster/function.h>
#include <muster/loop.h>

#include "os/fd.h"
#include "os/socket_file.h"

namespace muster::cli {

// Tells the service manager, if this process was started by one that wants to hear: "READY=1", "STATUS=...". Lines are
// separated by newlines.
void notify_service_manager(std::string_view state);
// Microseconds after which it expects a sign of life; 0 when it does not.
unsigned long long watchdog_interval();

// What a worker says by that protocol, as far as anybody acts on it.
struct Notification {
  bool ready = false;     // READY=1
  bool watchdog = false;  // WATCHDOG=1
};

// Where workers that speak that protocol tell this primary.
class NotifySocket {
 public:
  // Who said it. Only the kernel's word for the process is taken.
  using Handler = Function<void(int pid, Notification said)>;

  // An empty path when the system has no room for one; workers do without then.
  NotifySocket(Loop& loop, std::string path, Handler handler);
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;
  ~NotifySocket();

  const std::string& path() const { return path_; }
  // Whether its file is still there, as far as can be told.
  bool is_there() const;

 private:
  void receive();

  std::string path_;
  Handler handler_;
  OwnedFd socket_;
  os::SocketFile file_;
  Watch watch_;
};

}  // namespace muster::cli
