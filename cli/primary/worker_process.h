// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/worker.h>

#include "primary/line_reader.h"
#include "status.h"

namespace muster::cli {

using Clock = std::chrono::steady_clock;

// Where a worker finds the end of the pipe that it reports on; its channel is at 3.
inline constexpr int report_descriptor = 4;

// One process of a worker: what it prints, and what is known of how it is.
class WorkerProcess {
 public:
  struct Events {
    Function<void(bool error, std::string_view line)> line;
    Function<void()> ready;  // it listens
    Function<void(std::string_view text)> message;
    Function<void()> heard;                      // it gave a sign of life
    Function<void(const Error& error)> refused;  // it wanted to listen where it may not
  };

  WorkerProcess(Worker worker, unsigned seat, Events events);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  // Closes its pipes: a process that it left behind may have their other ends, for ever.
  ~WorkerProcess();

  Worker& worker() { return worker_; }
  int pid() const { return worker_.process().pid(); }
  int id() const { return worker_.id(); }
  unsigned seat() const { return seat_; }
  // Where it listens, as URLs.
  const std::vector<std::string>& listening() const { return listening_; }
  // Why its memory, age or the like is what it is ended for: for its obituary.
  std::string detail = {};
  std::int64_t started_at = 0;
  std::uint64_t max_requests = 0;  // 0: any number

  // The last lines it wrote to its standard error, and what went wrong with starting it.
  std::vector<std::string> last_words() const { return {last_words_.begin(), last_words_.end()}; }
  const std::string& failure() const { return failure_; }
  std::uint64_t requests() const { return status_.requests.value_or(0); }

  // Looks at /proc, and at what it reported since the last look.
  void look();
  // It listens there, without having said so: `ready`.
  void find_listening(const Address& address);
  // Its server is not the channel's to close.
  bool serves_apart() const { return serves_apart_; }
  // With what look() found; seat, state and times are filled in by whoever knows.
  const WorkerStatus& status() const { return status_; }
  std::uint64_t memory() const { return status_.memory; }

 private:
  void read(net::Socket stream, bool error);
  void hear_report(std::string_view line);
  void hear_listening(const Address& address);
  bool is_private(const Address& address) const;

  Worker worker_;
  unsigned seat_;
  Events events_;
  LineReader out_, err_, reports_;
  std::deque<std::string> last_words_;
  std::size_t last_words_bytes_ = 0;
  std::vector<std::string> listening_;
  std::string failure_;
  WorkerStatus status_{.messages = 0};

  struct Look {
    Clock::time_point at;
    std::uint64_t cpu_time = 0;
    std::optional<std::uint64_t> accepted, requests, messages;
  };
  std::optional<Look> last_look_;
  unsigned refusals_ = 0;
  bool serves_apart_ = false;

  // What it listens to ends with it.
  std::vector<ScopedSubscription> subscriptions_;
};

}  // namespace muster::cli
