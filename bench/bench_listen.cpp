// SPDX-License-Identifier: MIT
// A worker that listens on many addresses: Unix sockets in a folder, and last on a TCP port, which echoes. Prints, when all
// listen:
//   LISTENED <addresses> <ms> <CPU ms of the primary>
//   READY <primary pid> <worker pid>
// SIGTERM ends it.

#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <muster/muster.h>
#include "options/command_line.h"

namespace {

using Clock = std::chrono::steady_clock;

// CPU time of this process, all its threads.
double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

struct Options {
  std::size_t keys = 1;
  int port = 8000;
  std::string folder = ".";
};

// One after the other: a queue of ten thousand questions would be measured with them.
class Listener {
 public:
  Listener(muster::Cluster& cluster, const Options& options) : cluster_(cluster), options_(options) { listen_next(); }

 private:
  void listen_next() {
    servers_.push_back(muster::net::create_server(cluster_, [](muster::net::Socket socket) {
      socket.on_data([socket](std::string_view bytes) mutable { socket.write(bytes); });
    }));
    muster::ListenOptions where;
    if (servers_.size() < options_.keys) {
      where.path = options_.folder + "/" + std::to_string(servers_.size());
      servers_.back().listen(where, [this] { listen_next(); });
    } else {
      where.port = options_.port;
      servers_.back().listen(where);
    }
  }

  muster::Cluster& cluster_;
  const Options& options_;
  std::vector<muster::net::Server> servers_;
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CommandLine("A worker that listens on many addresses.")
      .add_count("--keys", options.keys, "How many addresses")
      .add_port("--port", options.port)
      .add("--folder", options.folder, "Where the Unix sockets are made")
      .parse(argc, argv);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  if (cluster.is_worker()) {
    const Listener listener(cluster, options);
    return loop.run();
  }
  std::size_t listening = 0;
  Clock::time_point start;
  double cpu_start = 0;
  muster::Worker worker = cluster.fork();
  worker.on_online([&] {
    start = Clock::now();
    cpu_start = cpu_ms();
  });
  worker.on_listening([&](const muster::Address&) {
    if (++listening < options.keys) return;
    const auto took = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    fmt::print("LISTENED {} {:.3f} {:.3f}\n", listening, took, cpu_ms() - cpu_start);
    fmt::print("READY {} {}\n", cluster.process().pid(), worker.process().pid());
  });
  loop.on_signal(muster::Signal::term, [&](muster::Signal) {
    worker.kill();
    loop.stop();
  });
  return loop.run();
}
