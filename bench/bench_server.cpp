// SPDX-License-Identifier: MIT
// The server that is measured: N workers behind one port. What it prints is fixed, so that any harness can drive it:
//   READY <primary pid> <worker pid>,<worker pid>,...   when all listen
//   EVENT listening|exit <pid>                          with --respawn, and from the first SIGUSR2 on
//   ROLLED <ms>                                         when SIGUSR2 has replaced every worker
// SIGTERM ends all.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <deque>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <muster/muster.h>
#include "options/command_line.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string mode = "echo";
  int port = 8000;
  std::size_t workers = muster::available_parallelism();
  std::string policy = "rr";
  bool respawn = false;
  bool who = false;
  double work_ms = 0;
};

// Spins, as a request that computes does: it waits for CPU time of its own, not for the clock on the wall.
void compute(double milliseconds) {
  if (milliseconds <= 0) return;
  const auto used = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
  };
  const double end = used() + milliseconds;
  while (used() < end) {
  }
}

int serve_echo(muster::Loop& loop, muster::Cluster& cluster, const Options& options) {
  const std::string name = "w" + std::to_string(cluster.worker()->id());
  auto server = muster::net::create_server(cluster, [&](muster::net::Socket socket) {
    socket.on_data([&, socket](std::string_view bytes) mutable {
      compute(options.work_ms);
      socket.write(options.who ? std::string_view(name) : bytes);
    });
  });
  server.listen(options.port);
  return loop.run();
}

int serve_http(muster::Loop& loop, muster::Cluster& cluster, const Options& options) {
  const std::string body = options.who ? "w" + std::to_string(cluster.worker()->id()) : "hello world\n";
  auto server = muster::http::create_server(cluster, [&](muster::http::Request&, muster::http::Response& response) {
    compute(options.work_ms);
    response.end(body);
  });
  server.listen(options.port);
  return loop.run();
}

class Primary {
 public:
  Primary(muster::Loop& loop, muster::Cluster& cluster, const Options& options)
      : loop_(loop), cluster_(cluster), options_(options), events_(options.respawn) {
    cluster.on_listening([this](muster::Worker worker, const muster::Address&) { handle_listening(worker); });
    cluster.on_exit([this](muster::Worker worker, muster::ExitStatus) { handle_exit(worker); });
    loop.on_signal(muster::Signal::term, [this](muster::Signal) { stop(); });
    loop.on_signal(*muster::Signal::from_name("SIGUSR2"), [this](muster::Signal) { roll(); });
    for (unsigned i = 0; i < options.workers; ++i) cluster.fork();
  }

 private:
  void handle_listening(muster::Worker worker) {
    if (events_) fmt::print("EVENT listening {}\n", worker.process().pid());
    if (!ready_ && ++listening_ == options_.workers) {
      ready_ = true;
      std::vector<int> pids;
      for (const auto& [id, one] : cluster_.workers()) pids.push_back(one.process().pid());
      fmt::print("READY {} {}\n", cluster_.process().pid(), fmt::join(pids, ","));
    }
    if (awaited_ == worker) {
      awaited_.reset();
      rolling_.front().disconnect();
    }
  }

  void handle_exit(muster::Worker worker) {
    if (events_) fmt::print("EVENT exit {}\n", worker.process().pid());
    if (stopping_) return;
    if (!rolling_.empty() && rolling_.front() == worker) {
      rolling_.pop_front();
      roll_next();
    } else if (options_.respawn) {
      cluster_.fork();
    }
  }

  // New before old, one after the other.
  void roll() {
    if (!rolling_.empty() || stopping_) return;
    events_ = true;
    rolled_since_ = Clock::now();
    for (const auto& [id, worker] : cluster_.workers()) rolling_.push_back(worker);
    roll_next();
  }

  void roll_next() {
    if (rolling_.empty()) {
      const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - rolled_since_);
      fmt::print("ROLLED {}\n", took.count());
      return;
    }
    awaited_ = cluster_.fork();
  }

  void stop() {
    stopping_ = true;
    for (auto& [id, worker] : cluster_.workers()) worker.kill();
    loop_.stop();
  }

  muster::Loop& loop_;
  muster::Cluster& cluster_;
  const Options& options_;
  bool events_;
  bool ready_ = false;
  bool stopping_ = false;
  unsigned listening_ = 0;
  std::deque<muster::Worker> rolling_;     // still to be replaced
  std::optional<muster::Worker> awaited_;  // to listen, in the place of the first
  Clock::time_point rolled_since_;
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CommandLine("A cluster to be measured.")
      .add("--mode", options.mode, {"echo", "http"})
      .add_port("--port", options.port)
      .add_count("--workers", options.workers)
      .add("--policy", options.policy, {"rr", "none", "kernel", "least_connections", "ip_hash"})
      .add_flag("--respawn", options.respawn, "Fork again on every exit")
      .add_flag("--who", options.who, "Answer w<id>")
      .add("--work-ms", options.work_ms, "CPU time that each request takes")
      .parse(argc, argv);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  if (cluster.is_worker()) {
    return options.mode == "echo" ? serve_echo(loop, cluster, options) : serve_http(loop, cluster, options);
  }
  cluster.set_scheduling_policy(*muster::scheduling_policy_from_name(options.policy));
  Primary primary(loop, cluster, options);
  return loop.run();
}
