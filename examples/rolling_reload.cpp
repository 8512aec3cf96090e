// SPDX-License-Identifier: MIT
// Workers that are kept, and replaced one after the other without a moment in which nobody listens: kill -HUP reloads, TERM and
// Ctrl-C stop. PORT (8000) and WORKERS in the environment change what it does.

#include <cstdio>

#include <fmt/core.h>
#include <muster/muster.h>

#include "options.h"

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int port = options::port();

  muster::Loop loop;
  muster::Cluster cluster(loop, argc, argv);

  if (cluster.is_worker()) {
    auto server = muster::http::create_server(
        cluster, [](muster::http::Request&, muster::http::Response& response) { response.end("hello world\n"); });
    server.listen(port);
    return loop.run();
  }

  muster::SupervisorOptions kept;
  kept.workers = static_cast<unsigned>(options::workers());
  muster::Supervisor supervisor(cluster, kept);
  supervisor.on_ready([&](muster::Worker worker) {
    fmt::print("worker {} is ready: {} of {}\n", worker.process().pid(), supervisor.ready(), supervisor.wanted());
  });
  supervisor.on_end([](const muster::WorkerEnd& end) {
    fmt::print("the worker on seat {} has ended: {}, {}\n", end.seat, to_string(end.cause), exit_text(end.status));
  });
  supervisor.on_reload([](const muster::RolloutResult& result) {
    fmt::print("{} of {} workers replaced{}{}\n", result.replaced, result.wanted, result.ok() ? "" : ": ", result.why);
  });
  int exit_code = 0;
  supervisor.on_fail([&](const std::string& why) {
    fmt::print("gave up: {}\n", why);
    exit_code = 1;
  });
  supervisor.on_stop([&] { loop.stop(exit_code); });
  loop.on_signal(muster::Signal::hup, [&](muster::Signal) { supervisor.reload(); });
  loop.on_signal(muster::Signal::term, [&](muster::Signal) { supervisor.stop(); });
  loop.on_signal(muster::Signal::interrupt, [&](muster::Signal) { supervisor.stop(); });
  supervisor.start();
  return loop.run();
} catch (const std::exception& error) {
  return options::fail(error);
}
