// A muster primary whose workers are Node's: those of peers/node_server.js, unchanged. Prints bench_server's READY line;
// SIGTERM ends all.

#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <muster/muster.h>

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::string mode = "echo", policy = "rr", node = "node", script;
  int port = 8000;
  unsigned workers = 2;
  bool who = false;
  CLI::App app{"A muster primary of Node workers, to be measured."};
  app.add_option("--mode", mode)->check(CLI::IsMember({"echo", "http"}))->capture_default_str();
  app.add_option("--port", port)->check(CLI::Range(0, 65535))->capture_default_str();
  app.add_option("--workers", workers)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--policy", policy)->capture_default_str();
  app.add_flag("--who", who, "Answer w<id>");
  app.add_option("--node", node, "What runs the script")->capture_default_str();
  app.add_option("--script", script, "node_server.js")->required();
  CLI11_PARSE(app, argc, argv);

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
