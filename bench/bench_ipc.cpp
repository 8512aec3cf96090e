// SPDX-License-Identifier: MIT
// Messages between a primary and one worker, one way in a burst or there and back, and what they cost. Prints one line of JSON.

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <muster/muster.h>
#include "options/command_line.h"

namespace {

using Clock = std::chrono::steady_clock;

// CPU time of this process, all its threads.
double cpu_us() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

// Not by getrusage(), which counts what the process was before its exec().
long peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
  }
  return 0;
}

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

struct Options {
  std::string mode = "oneway";
  std::size_t size = 32;
  std::size_t count = 100'000;
  std::string serialization = "json";
};

// What both sides count towards, told to the worker by its arguments.
int work(muster::Loop& loop, muster::Cluster& cluster, const Options& options) {
  std::size_t received = 0;
  double started = 0;
  cluster.process().on_message([&](muster::Message& message) {
    if (options.mode == "rtt") {
      cluster.process().send(std::move(message.data));
      return;
    }
    if (received++ == 0) started = cpu_us();
    if (received < options.count) return;
    cluster.process().send(
        muster::Value{{"cpu_us", muster::Value(cpu_us() - started)}, {"peak_kib", muster::Value(peak_kib())}});
  });
  return loop.run();
}

class Primary {
 public:
  Primary(muster::Loop& loop, muster::Cluster& cluster, Options options)
      : loop_(loop), options_(std::move(options)), payload_(std::string(options_.size, 'x')), worker_(cluster.fork()) {
    worker_.on_online([this] {
      start_ = Clock::now();
      cpu_start_ = cpu_us();
      if (options_.mode == "rtt") {
        ask();
      } else {
        send_on();
      }
    });
    worker_.on_message([this](muster::Message& message) {
      if (options_.mode == "rtt") return answered();
      finish_oneway(message.data);
    });
  }

 private:
  // As many as the channel takes; the rest when what it kept is written.
  void send_on() {
    while (sent_ < options_.count) {
      ++sent_;
      // The callback of one in many tells how far the system is.
      if (sent_ % 1024 == 0) {
        if (!worker_.send(payload_, [this](std::error_code) { send_on(); })) return;
      } else {
        worker_.send(payload_);
      }
    }
  }

  void finish_oneway(const muster::Value& worker) {
    const double wall = microseconds_since(start_);
    const double own = cpu_us() - cpu_start_;
    const auto n = static_cast<double>(options_.count);
    fmt::print(
        "{{\"mode\":\"oneway\",\"serialization\":\"{}\",\"size\":{},\"count\":{},\"messages_per_second\":{:.0f},"
        "\"sender_cpu_us\":{:.4f},\"receiver_cpu_us\":{:.4f},\"sender_peak_kib\":{},\"receiver_peak_kib\":{}}}\n",
        options_.serialization, options_.size, options_.count, n / wall * 1e6, own / n, worker["cpu_us"].as_number() / n,
        peak_kib(), worker["peak_kib"].as_number());
    loop_.stop();
  }

  void ask() {
    asked_ = Clock::now();
    worker_.send(payload_);
  }

  void answered() {
    times_.push_back(microseconds_since(asked_));
    if (times_.size() < options_.count) return ask();
    std::sort(times_.begin(), times_.end());
    fmt::print("{{\"mode\":\"rtt\",\"serialization\":\"{}\",\"size\":{},\"count\":{},\"p50_us\":{:.2f},\"p99_us\":{:.2f}}}\n",
               options_.serialization, options_.size, options_.count, times_[times_.size() / 2],
               times_[times_.size() * 99 / 100]);
    loop_.stop();
  }

  muster::Loop& loop_;
  const Options options_;
  const muster::Value payload_;
  muster::Worker worker_;
  std::size_t sent_ = 0;
  Clock::time_point start_, asked_;
  double cpu_start_ = 0;
  std::vector<double> times_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CommandLine("Measures messages between a primary and a worker.")
      .add("--mode", options.mode, {"oneway", "rtt"})
      .add_size("--size", options.size, "Bytes of the string that is sent")
      .add_count("--count", options.count)
      .add("--serialization", options.serialization, {"json", "advanced"})
      .parse(argc, argv);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  if (cluster.is_worker()) return work(loop, cluster, options);
  muster::Settings settings;
  settings.serialization = options.serialization == "json" ? muster::Serialization::json : muster::Serialization::advanced;
  settings.max_queue_size = std::size_t{1} << 40;
  cluster.setup_primary(settings);
  Primary primary(loop, cluster, options);
  return loop.run();
}
