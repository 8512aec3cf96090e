// SPDX-License-Identifier: MIT
// A muster primary whose workers are Node's: those of peers/node_server.js, unchanged. Prints bench_server's READY line;
// SIGTERM ends all.

#include <cstdio>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <muster/muster.h>
#include "options/command_line.h"

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string mode = "echo", policy = "rr", node = "node", script = "bench/peers/node_server.js";
  int port = 8000;
  std::size_t workers = 2;
  bool who = false;
  CommandLine("A muster primary of Node workers, to be measured.")
      .add("--mode", mode, {"echo", "http"})
      .add_port("--port", port)
      .add_count("--workers", workers)
      .add("--policy", policy)
      .add_flag("--who", who, "Answer w<id>")
      .add("--node", node, "What runs the script")
      .add("--script", script, "What Node runs")
      .parse(argc, argv);

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);
  const auto scheduling = muster::scheduling_policy_from_name(policy);
  if (!scheduling) {
    fmt::print(stderr, "bench_node_workers: there is no policy {}\n", policy);
    return 2;
  }
  cluster.set_scheduling_policy(*scheduling);
  muster::Settings settings;
  settings.exec = script;
  settings.exec_path = node;
  settings.args = {mode, std::to_string(port), std::to_string(workers)};
  if (who) settings.args->push_back("who");
  cluster.setup_primary(settings);
  unsigned listening = 0;
  cluster.on_listening([&](muster::Worker, const muster::Address&) {
    if (++listening != workers) return;
    std::vector<int> pids;
    for (const auto& [id, one] : cluster.workers()) pids.push_back(one.process().pid());
    fmt::print("READY {} {}\n", cluster.process().pid(), fmt::join(pids, ","));
  });
  loop.on_signal(muster::Signal::term, [&](muster::Signal) {
    for (auto& [id, worker] : cluster.workers()) worker.kill();
    loop.stop();
  });
  for (unsigned i = 0; i < workers; ++i) cluster.fork();
  return loop.run();
}
