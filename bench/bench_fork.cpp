// SPDX-License-Identifier: MIT
// How long a worker takes from fork() until it is online, or listens; one after the other. Prints one line of JSON.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <muster/muster.h>
#include "options/command_line.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string until = "online";
  std::size_t count = 20;
};

// CPU time of this process, all its threads.
double cpu_ms() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

int work(muster::Loop& loop, muster::Cluster& cluster, const Options& options) {
  auto server = muster::net::create_server(cluster, [](const muster::net::Socket&) {});
  if (options.until == "listening") server.listen(0);
  return loop.run();
}

class Primary {
 public:
  Primary(muster::Loop& loop, muster::Cluster& cluster, Options options)
      : loop_(loop), cluster_(cluster), options_(std::move(options)) {
    start();
  }

 private:
  void start() {
    const auto begin = Clock::now();
    muster::Worker worker = cluster_.fork();
    if (options_.until == "online") {
      worker.on_online([this, begin, worker] { reached(begin, worker); });
    } else {
      worker.on_listening([this, begin, worker](const muster::Address&) { reached(begin, worker); });
    }
    worker.on_exit([this](muster::ExitStatus) {
      if (times_.size() < options_.count) return start();
      print();
      loop_.stop();
    });
  }

  void reached(Clock::time_point begin, const muster::Worker& worker) {
    times_.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
    worker.process().kill(muster::Signal::kill);
  }

  void print() {
    std::sort(times_.begin(), times_.end());
    fmt::print("{{\"until\":\"{}\",\"count\":{},\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"primary_cpu_ms\":{:.3f}}}\n",
               options_.until, options_.count, times_[times_.size() / 2], times_[times_.size() * 99 / 100],
               (cpu_ms() - cpu_start_) / static_cast<double>(options_.count));
  }

  muster::Loop& loop_;
  muster::Cluster& cluster_;
  const Options options_;
  const double cpu_start_ = cpu_ms();
  std::vector<double> times_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine("Measures how long a worker takes to start.")
      .add("--until", options.until, {"online", "listening"})
      .add_count("--count", options.count)
      .parse(argc, argv);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  if (cluster.is_worker()) return work(loop, cluster, options);
  Primary primary(loop, cluster, options);
  return loop.run();
}
