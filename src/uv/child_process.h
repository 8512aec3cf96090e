// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <muster/exit_status.h>
#include <muster/function.h>
#include "core/spawn_request.h"
#include "os/fd.h"
#include "uv/fd_watch.h"
#include "uv/timer.h"
#include "uv/loop.h"

namespace muster::uv {

// A process we started. Destroying it does not end the process.
class ChildProcess {
 public:
  using ExitHandler = Function<void(ExitStatus)>;

  ChildProcess(Loop& loop, ExitHandler on_exit);

  // Returns an errno, 0 for success. The channel is where the request's stdio has its ipc entry, and
  // NODE_CHANNEL_FD tells the process where that is. `queue` is lent, for the request's queue descriptor; -1: it has none.
  int spawn(const core::SpawnRequest& request, int queue = -1);
  // Whether spawn() failed for the working folder, not for the file.
  bool cwd_failed() const { return cwd_failed_; }
  int pid() const { return pid_; }
  // False when the process is gone.
  bool kill(Signal signal);
  // It is about to end, or has. From now on it is checked at intervals, since the end of a traced process is not reported.
  void expect_end();
  // Whether the process keeps the loop alive. It does from the start.
  void ref(bool ref);
  // How many descriptors it has open, at most some milliseconds ago; nothing when the process is gone.
  std::optional<std::size_t> open_descriptors();

  // Our end of the channel, non-blocking; to be taken once after spawn().
  OwnedFd take_channel() { return std::move(channel_); }
  // Our ends of the entries that are pipes, by their number in the process.
  std::vector<std::pair<int, OwnedFd>> take_pipes() { return std::move(pipes_); }

 private:
  // Ends what was begun: nobody could say how the process ended.
  int give_up(int error_number);
  void handle_exit();
  void look();
  void end(ExitStatus status);

  Loop& loop_;
  ExitHandler on_exit_;
  int pid_ = 0;
  OwnedFd process_;  // its descriptor (pidfd), readable when it has ended
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> looks_;
  bool ref_ = true;
  unsigned times_dead_ = 0;  // checks that found it ended and could not reap it
  bool exited_ = false;
  bool cwd_failed_ = false;
  std::optional<std::size_t> open_descriptors_;
  std::uint64_t counted_at_ = 0;
  OwnedFd channel_;
  std::vector<std::pair<int, OwnedFd>> pipes_;
};

}  // namespace muster::uv
