// SPDX-License-Identifier: MIT
// A Supervisor, and Cluster::reload(), over real workers.

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "support/node.h"
#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

using namespace std::chrono_literals;

// Answers with its pid; ends when it is asked to.
WORKER(Serving) {
  auto server = http::create_server(cluster, [](http::Request& request, http::Response& response) {
    if (request.url() == "/crash") _exit(3);
    response.end(std::to_string(getpid()));
  });
  const char* port = std::getenv("SERVE_ON");
  server.listen(port ? std::atoi(port) : 0);
  return loop.run();
}

WORKER(EndsAtOnce) { return 5; }

WORKER(Idle) { return loop.run(); }

SupervisorHooks serving(Primary& primary, const std::string& name = "Serving") {
  SupervisorHooks hooks;
  hooks.fork = [&primary, name](unsigned seat, unsigned) {
    return primary.cluster.fork(worker(name, {{"SEAT", std::to_string(seat)}}));
  };
  return hooks;
}

std::set<int> pids(const Supervisor& supervisor) {
  std::set<int> result;
  for (const SupervisedWorker& w : supervisor.workers()) {
    if (w.phase == WorkerPhase::ready) result.insert(w.worker.process().pid());
  }
  return result;
}

TEST(Supervisor, KeepsWorkersAndEndsThemWhenItIsStopped) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 2}, serving(primary));
  std::vector<WorkerEnd> ends;
  bool stopped = false;
  int killed = 0;
  supervisor.on_end([&](const WorkerEnd& end) { ends.push_back(end); });
  supervisor.on_stop([&] { stopped = true; });
  supervisor.on_ready([&](Worker ready) {
    if (supervisor.ready() < 2) return;
    if (killed == 0) {
      killed = ready.process().pid();
      ready.kill(Signal::kill);
    } else {
      EXPECT_EQ(supervisor.state(), SupervisorState::running);
      EXPECT_FALSE(pids(supervisor).contains(killed));
      supervisor.stop();
    }
  });
  EXPECT_EQ(supervisor.state(), SupervisorState::starting);

  supervisor.start();
  primary.run();

  EXPECT_TRUE(stopped);
  EXPECT_EQ(supervisor.state(), SupervisorState::stopped);
  ASSERT_EQ(ends.size(), 3U);
  EXPECT_EQ(ends[0].cause, EndCause::crashed);
  EXPECT_EQ(ends[0].status, ExitStatus::killed(Signal::kill));
  EXPECT_TRUE(ends[0].was_ready);
  ASSERT_TRUE(ends[0].successor);
  EXPECT_NE(ends[0].successor, ends[0].worker);
  EXPECT_EQ(ends[1].cause, EndCause::stop);
  EXPECT_EQ(supervisor.restarts(), 1U);
}

TEST(Supervisor, ReloadsAndTellsWhatBecameOfIt) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 3, .parallel = 2}, serving(primary));
  std::set<int> before;
  std::optional<RolloutResult> result;
  bool begun = false;
  supervisor.on_ready([&](Worker) {
    if (supervisor.ready() != 3 || std::exchange(begun, true)) return;
    before = pids(supervisor);
    supervisor.reload([&](const RolloutResult& told) {
      result = told;
      EXPECT_EQ(pids(supervisor).size(), 3U);
      for (const int pid : pids(supervisor)) EXPECT_FALSE(before.contains(pid));
      for (const SupervisedWorker& w : supervisor.workers()) {
        EXPECT_TRUE(w.phase != WorkerPhase::ready || w.generation == 1);
      }
      supervisor.stop();
    });
    EXPECT_EQ(supervisor.why_not_reload(), "a reload is under way");
    supervisor.reload([](const RolloutResult& refused) { EXPECT_EQ(refused.why, "cannot reload: a reload is under way"); });
  });

  supervisor.start();
  primary.run();

  ASSERT_TRUE(result);
  EXPECT_TRUE(result->ok()) << result->why;
  EXPECT_EQ(result->replaced, 3U);
}

TEST(Supervisor, AbandonsAReloadWhoseNewWorkersEnd) {
  Primary primary;
  std::string name = "Serving";
  SupervisorHooks hooks;
  hooks.fork = [&](unsigned, unsigned) { return primary.cluster.fork(worker(name)); };
  Supervisor supervisor(primary.cluster, {.workers = 2}, std::move(hooks));
  std::set<int> before;
  std::optional<RolloutResult> result;
  supervisor.on_ready([&](Worker) {
    if (supervisor.ready() != 2) return;
    before = pids(supervisor);
    name = "EndsAtOnce";
    supervisor.reload([&](const RolloutResult& told) {
      result = told;
      EXPECT_EQ(pids(supervisor), before);
      supervisor.stop();
    });
  });

  supervisor.start();
  primary.run();

  ASSERT_TRUE(result);
  EXPECT_EQ(result->why, "worker 1 of the new version ended before it was ready, exit code 5");
}

// Who listens to the end of a reload may take the settings back: what is started after it is started with the old ones.
TEST(Supervisor, StartsNothingBetweenTheEndOfAReloadAndItsListeners) {
  Primary primary;
  std::string version = "Serving";
  std::vector<std::string> forks;
  std::optional<Worker> late, dying;
  SupervisorHooks hooks;
  hooks.fork = [&](unsigned, unsigned) {
    forks.push_back(version);
    Worker w = primary.cluster.fork(worker(version));
    if (version == "EndsWhenTold") late = w;
    return w;
  };
  // One starts at a time, so a seat waits while the new version does.
  Supervisor supervisor(primary.cluster, {.workers = 2, .max_starting = 1}, std::move(hooks));
  bool begun = false;
  supervisor.on_ready([&](Worker w) {
    if (supervisor.ready() != 2) return;
    if (std::exchange(begun, true)) return supervisor.stop();
    dying = w;
    version = "EndsWhenTold";
    supervisor.reload();
    dying->kill(Signal::kill);
  });
  supervisor.on_end([&](const WorkerEnd& end) {
    if (end.worker == dying) late->send("end");
  });
  supervisor.on_reload([&](const RolloutResult& result) {
    EXPECT_FALSE(result.ok());
    version = "Serving";
  });

  supervisor.start();
  primary.run();

  EXPECT_EQ(forks, (std::vector<std::string>{"Serving", "Serving", "EndsWhenTold", "Serving"}));
}

WORKER(EndsWhenTold) {
  cluster.process().on_message([](Message&) { _exit(5); });
  return loop.run();
}

TEST(Supervisor, FailsWhenNobodyEverBecomesReady) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 1, .backoff = 1ms}, serving(primary, "EndsAtOnce"));
  std::string why;
  bool stopped = false;
  supervisor.on_fail([&](const std::string& told) { why = told; });
  supervisor.on_stop([&] { stopped = true; });

  supervisor.start();
  primary.run();

  EXPECT_EQ(why, "no worker ever became ready: worker 1 ended with exit code 5, after 3 tries");
  EXPECT_TRUE(stopped);
  EXPECT_EQ(supervisor.state(), SupervisorState::failed);
}

TEST(Supervisor, TellsOfAForkThatThrowsAndOfAProgramThatIsNotThere) {
  for (const bool throws : {true, false}) {
    Primary primary;
    SupervisorHooks hooks;
    hooks.fork = [&](unsigned, unsigned) -> Worker {
      if (throws) throw std::runtime_error("no more of them");
      Settings settings;
      settings.exec = "/does/not/exist";
      primary.cluster.setup_primary(settings);
      return primary.cluster.fork();
    };
    Supervisor supervisor(primary.cluster, {.workers = 1, .backoff = 1ms}, std::move(hooks));
    std::vector<WorkerEnd> ends;
    supervisor.on_end([&](const WorkerEnd& end) { ends.push_back(end); });

    supervisor.start();
    primary.run();

    ASSERT_EQ(ends.size(), 3U);
    EXPECT_EQ(ends[0].cause, EndCause::not_started);
    EXPECT_EQ(ends[0].worker.has_value(), !throws);
    EXPECT_EQ(ends[0].failure, throws ? "no more of them" : "spawn /does/not/exist ENOENT");
  }
}

TEST(Supervisor, TakesWhateverAForkThrowsForAStartThatFailed) {
  Primary primary;
  SupervisorHooks hooks = serving(primary);
  bool first = true;
  hooks.fork = [&, fork = std::move(hooks.fork)](unsigned seat, unsigned generation) mutable {
    if (std::exchange(first, false)) throw 5;
    return fork(seat, generation);
  };
  Supervisor supervisor(primary.cluster, {.workers = 2}, std::move(hooks));
  std::vector<EndCause> causes;
  supervisor.on_end([&](const WorkerEnd& end) { causes.push_back(end.cause); });
  supervisor.on_ready([&](Worker) {
    if (supervisor.ready() == 2) supervisor.stop();
  });

  supervisor.start();
  primary.run();

  EXPECT_EQ(causes, (std::vector{EndCause::not_started, EndCause::stop, EndCause::stop}));
}

// Says that it listens, closes its channel and stays.
constexpr const char* deaf_worker = R"(
import json, os, socket, time
channel = socket.socket(fileno=int(os.environ['NODE_CHANNEL_FD']))
for message in ({'act': 'online', 'seq': 0},
                {'act': 'listening', 'seq': 1, 'index': 0, 'address': None, 'port': 1, 'addressType': 4, 'fd': None}):
    channel.sendall((json.dumps({'cmd': 'NODE_CLUSTER', **message}) + '\n').encode())
channel.close()
time.sleep(1000)
)";

TEST(Supervisor, ReplacesAWorkerThatClosesItsChannelAndLives) {
  const std::string file = testing::TempDir() + "deaf_worker_" + std::to_string(getpid()) + ".py";
  std::ofstream(file) << deaf_worker;
  Primary primary;
  Settings settings;
  settings.exec = file;
  settings.exec_path = "python3";
  primary.cluster.setup_primary(settings);
  Supervisor supervisor(primary.cluster, {.workers = 1, .drain_timeout = 10ms});
  bool told = false;
  supervisor.on_end(once([&](const WorkerEnd& end) {
    told = true;
    EXPECT_EQ(end.cause, EndCause::hung);
    EXPECT_EQ(end.failure, "it closed its channel and lived on");
    supervisor.kill();
  }));

  supervisor.start();
  primary.run();

  EXPECT_TRUE(told);
  std::filesystem::remove(file);
}

TEST(Supervisor, IsTheOnlyOneToReloadItsWorkers) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 1}, serving(primary));
  std::string refused;
  supervisor.on_ready([&](const Worker&) {
    primary.cluster.reload({}, [&](const RolloutResult& result) {
      refused = result.why;
      supervisor.stop();
    });
  });
  bool allowed = false;
  supervisor.on_stop([&] { primary.cluster.reload({}, [&](const RolloutResult& result) { allowed = result.ok(); }); });

  supervisor.start();
  primary.run();

  EXPECT_EQ(refused, "a Supervisor keeps the workers: its reload() is the one to call");
  EXPECT_TRUE(allowed);
}

TEST(Supervisor, EndsByASignalWhoSpeaksNoProtocol) {
  Primary primary;
  Settings settings;
  settings.exec = "/bin/sleep";
  settings.args = {"1000000"};
  settings.exec_path = "";
  primary.cluster.setup_primary(settings);
  SupervisorHooks hooks;
  Supervisor* it = nullptr;
  hooks.fork = [&](unsigned, unsigned) {
    Worker worker = primary.cluster.fork();
    primary.loop.next_tick([&it, worker] { it->set_ready(worker); });
    return worker;
  };
  Supervisor supervisor(primary.cluster, {.workers = 1, .readiness = Readiness::told, .drain_timeout = 1h}, std::move(hooks));
  it = &supervisor;
  supervisor.on_ready([&](const Worker& ready) {
    EXPECT_TRUE(ready.is_connected());
    EXPECT_FALSE(ready.is_online());
    supervisor.stop();
  });
  std::optional<Signal> signal;
  supervisor.on_end([&](const WorkerEnd& end) { signal = end.status.signal(); });

  supervisor.start();
  primary.run();

  EXPECT_EQ(signal, Signal::term);
}

TEST(Supervisor, ScalesAndReplaces) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 1, .readiness = Readiness::online}, serving(primary, "Idle"));
  std::vector<EndCause> causes;
  supervisor.on_end([&](const WorkerEnd& end) { causes.push_back(end.cause); });
  bool begun = false;
  supervisor.on_ready([&](Worker first) {
    if (std::exchange(begun, true)) return;
    EXPECT_THROW(supervisor.scale(0), Exception);
    supervisor.scale(3, [&, first](const std::string& why) {
      EXPECT_EQ(why, "");
      EXPECT_EQ(supervisor.ready(), 3U);
      supervisor.replace(first, EndCause::memory);
      supervisor.on_end(once([&](const WorkerEnd& end) {
        EXPECT_EQ(end.cause, EndCause::memory);
        supervisor.scale(1, [&](const std::string&) { supervisor.stop(); });
      }));
    });
  });

  supervisor.start();
  primary.run();

  EXPECT_EQ(causes.size(), 4U);
}

TEST(Supervisor, ReplacesAWorkerOverItsMemory) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 1, .readiness = Readiness::online, .max_memory = 4096},
                        serving(primary, "Idle"));
  EndCause cause{};
  supervisor.on_end(once([&](const WorkerEnd& end) {
    cause = end.cause;
    supervisor.stop();
  }));

  supervisor.start();
  primary.run();

  EXPECT_EQ(cause, EndCause::memory);
}

TEST(Supervisor, PutsDownAWorkerThatHangs) {
  Primary primary;
  Supervisor supervisor(primary.cluster, {.workers = 1, .readiness = Readiness::told, .heartbeat = 10ms},
                        serving(primary, "Idle"));
  bool told = false;
  supervisor.on_hang([&](Worker hung, std::chrono::milliseconds silence) {
    told = true;
    EXPECT_GT(silence.count(), 10);
    supervisor.put_down(hung, EndCause::hung);
  });
  primary.cluster.on_online([&](Worker w) {
    supervisor.set_ready(w);
    if (!told) supervisor.hear(w);
  });
  EndCause cause{};
  supervisor.on_end(once([&](const WorkerEnd& end) {
    cause = end.cause;
    supervisor.stop();
  }));

  supervisor.start();
  primary.run();

  EXPECT_TRUE(told);
  EXPECT_EQ(cause, EndCause::hung);
}

// Anything may go from any listener; workers live on without their supervisor.
TEST(Supervisor, MayGoFromEachOfItsListeners) {
  for (int when = 0; when < 6; ++when) {
    Primary primary;
    auto supervisor = std::make_unique<Supervisor>(primary.cluster, SupervisorOptions{.workers = 2}, serving(primary));
    const auto go = [&](int at) {
      if (at != when || !supervisor) return;
      supervisor.reset();
      primary.finish();
    };
    supervisor->on_ready([&](Worker w) {
      go(0);
      if (!supervisor || supervisor->ready() < 2) return;
      if (when == 1) w.kill(Signal::kill);
      if (when == 2) supervisor->reload();
      if (when == 3) supervisor->stop();
      if (when == 5) supervisor->reload([&](const RolloutResult&) { go(5); });
    });
    supervisor->on_end([&](const WorkerEnd&) { go(1); });
    supervisor->on_reload([&](const RolloutResult&) { go(2); });
    supervisor->on_stop([&] { go(3); });
    supervisor->on_change([&] { go(4); });

    supervisor->start();
    primary.run();

    EXPECT_EQ(supervisor, nullptr) << when;
  }
}

TEST(Supervisor, RefusesOptionsThatCannotBe) {
  Primary primary;
  EXPECT_THROW(Supervisor(primary.cluster, {.workers = 0}), Exception);
  EXPECT_THROW(Supervisor(primary.cluster, {.parallel = 0}), Exception);
  EXPECT_THROW(Supervisor(primary.cluster, {.ready_timeout = 0ms}), Exception);
  EXPECT_THROW(Supervisor(primary.cluster, {.max_restarts = 0}), Exception);
  Supervisor supervisor(primary.cluster, {.workers = 1}, serving(primary, "EndsAtOnce"));
  supervisor.start();
  EXPECT_THROW(supervisor.start(), Exception);
  supervisor.kill();
  primary.run();
}

TEST(ClusterReload, ReplacesEachWorkerByOneWithItsEnvironment) {
  Primary primary;
  std::map<int, std::string> seats;
  std::set<int> first;
  std::optional<RolloutResult> result;
  primary.cluster.on_message([&](Worker w, Message& message) { seats[w.id()] = message.data.as_string(); });
  for (const char* seat : {"a", "b"}) primary.cluster.fork(worker("SaysItsSeat", {{"SEAT", seat}}));
  unsigned listening = 0;
  primary.cluster.on_listening([&](Worker, const Address&) {
    if (++listening != 2) return;
    for (const auto& [id, w] : primary.cluster.workers()) first.insert(id);
    primary.cluster.reload({.parallel = 1}, [&](const RolloutResult& told) {
      result = told;
      EXPECT_EQ(primary.cluster.workers().size(), 2U);
      for (const auto& [id, w] : primary.cluster.workers()) EXPECT_FALSE(first.contains(id));
      primary.finish();
    });
    primary.cluster.reload({}, [](const RolloutResult& refused) { EXPECT_EQ(refused.why, "a reload is under way"); });
  });

  primary.run();

  ASSERT_TRUE(result);
  EXPECT_TRUE(result->ok()) << result->why;
  EXPECT_EQ(result->replaced, 2U);
  EXPECT_EQ(seats, (std::map<int, std::string>{{1, "a"}, {2, "b"}, {3, "a"}, {4, "b"}}));
}

WORKER(SaysItsSeat) {
  auto server = http::create_server(cluster, [](http::Request&, http::Response& response) { response.end(); });
  server.listen(0, [&cluster] { cluster.process().send(std::getenv("SEAT")); });
  return loop.run();
}

TEST(ClusterReload, IsAbandonedWhenTheNewWorkerEnds) {
  Primary primary;
  std::optional<RolloutResult> result;
  Worker old = primary.cluster.fork(worker("EndsTheSecondTime"));
  old.on_listening([&](const Address&) {
    setenv("SECOND", "1", 1);
    primary.cluster.reload({}, [&](const RolloutResult& told) {
      result = told;
      EXPECT_TRUE(old.is_connected());
      primary.finish();
    });
  });

  primary.run();
  unsetenv("SECOND");

  ASSERT_TRUE(result);
  EXPECT_EQ(result->why, "worker 1 of the new version ended before it was ready, exit code 9");
}

WORKER(EndsTheSecondTime) {
  if (std::getenv("SECOND")) return 9;
  auto server = http::create_server(cluster, [](http::Request&, http::Response& response) { response.end(); });
  server.listen(0);
  return loop.run();
}

// Settings::inspect_port is the program's, and may throw anything.
TEST(ClusterReload, IsAbandonedWhateverAForkThrows) {
  for (const bool is_exception : {true, false}) {
    Primary primary;
    bool throws = false;
    Settings settings;
    settings.exec_argv = {"--inspect"};
    settings.inspect_port = InspectPort([&] {
      if (throws && is_exception) throw std::runtime_error("no port");
      if (throws) throw 5;
      return 0;
    });
    settings.exec_path = node_program(20);
    settings.exec = testing::TempDir() + "inspected_" + std::to_string(getpid()) + ".cjs";
    std::ofstream(*settings.exec) << "setInterval(() => {}, 1000);";
    primary.cluster.setup_primary(settings);
    Worker old = primary.cluster.fork();
    std::string why;
    old.on_online([&] {
      throws = true;
      primary.cluster.reload({}, [&](const RolloutResult& told) {
        why = told.why;
        EXPECT_TRUE(old.is_connected());
        old.kill(Signal::kill);
      });
    });

    primary.run();

    EXPECT_EQ(why, std::string("worker 1 of the new version could not be started: ") +
                       (is_exception ? "no port" : "the fork threw what is no std::exception"));
    std::filesystem::remove(*settings.exec);
  }
}

TEST(ClusterReload, OfNobodyIsOverAndEndsWithItsCluster) {
  Primary primary;
  bool done = false;
  primary.cluster.reload({}, [&](const RolloutResult& result) { done = result.ok(); });
  EXPECT_THROW(primary.cluster.reload({.parallel = 0}), Exception);
  primary.run();
  EXPECT_TRUE(done);

  auto loop = std::make_unique<Loop>();
  auto cluster = std::make_unique<Cluster>(*loop, 0, nullptr);
  Worker w = cluster->fork(worker("Serving"));
  cluster->on_listening([&](Worker, const Address&) {
    cluster->reload({}, [](const RolloutResult&) { ADD_FAILURE(); });
    cluster->on_fork([&](Worker) { cluster.reset(); });
  });
  loop->run();
  EXPECT_EQ(cluster, nullptr);
}

}  // namespace
}  // namespace muster::test
