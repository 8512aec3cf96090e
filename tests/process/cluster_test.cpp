// SPDX-License-Identifier: MIT
// The life of a cluster, with real processes.

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#include <uv.h>

#include <csignal>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// What survives exec; the test runner may have left some. Not 3, which is a worker's channel.
std::string inheritable_descriptors() {
  std::string list;
  for (int fd = 0; fd < 1024; fd += fd == 2 ? 2 : 1) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) list += std::to_string(fd) + " ";
  }
  return list;
}

WORKER(Idle) { return loop.run(); }

WORKER(Http) {
  auto server = http::create_server(cluster, [pid = cluster.process().pid()](http::Request&, http::Response& response) {
    response.end(std::to_string(pid));
  });
  server.listen(0);
  return loop.run();
}

WORKER(ExitWith42) {
  loop.set_timeout(std::chrono::milliseconds(0), [&loop] { loop.stop(42); });
  return loop.run();
}

WORKER(Throw) {
  loop.next_tick([] { throw std::runtime_error("boom"); });
  try {
    return loop.run();
  } catch (const std::exception&) {
    return 1;
  }
}

WORKER(Echo) {
  Process self = cluster.process();
  self.on_message([self](Message& message) mutable { self.send(std::move(message.data)); });
  return loop.run();
}

TEST(ClusterProcess, ForksWorkersThatGetConnectionsInTurn) {
  Primary primary;
  int port = 0;
  int listening = 0;
  std::vector<std::string> served;
  primary.cluster.on_listening([&](Worker, const Address& address) {
    port = address.port.value();
    if (++listening < 3) return;
    auto next = std::make_shared<Function<void()>>();
    *next = [&, next] {
      http_get(primary.loop, port, [&, next](const std::string& response) {
        served.push_back(body_of(response));
        if (served.size() < 9) return (*next)();
        *next = {};
        primary.finish();
      });
    };
    (*next)();
  });
  for (int i = 0; i < 3; ++i) primary.cluster.fork(worker("Http"));

  primary.run();

  ASSERT_EQ(served.size(), 9U);
  EXPECT_EQ(std::set<std::string>(served.begin(), served.begin() + 3).size(), 3U);
  for (std::size_t i = 3; i < served.size(); ++i) EXPECT_EQ(served[i], served[i - 3]);
}

TEST(ClusterProcess, TellsAWorkersLifeInNodesOrder) {
  Primary primary;
  std::vector<std::string> events;
  auto& cluster = primary.cluster;
  cluster.on_setup([&](const Settings&) { events.push_back("setup"); });
  cluster.on_fork([&](Worker) { events.push_back("fork"); });
  cluster.on_online([&](Worker) { events.push_back("online"); });
  cluster.on_listening([&](Worker w, const Address&) {
    events.push_back("listening");
    w.disconnect();
  });
  cluster.on_disconnect([&](Worker w) {
    events.push_back("disconnect");
    EXPECT_FALSE(w.is_connected());
  });
  cluster.on_exit([&](Worker w, ExitStatus status) {
    events.push_back("exit");
    EXPECT_TRUE(w.is_dead());
    EXPECT_EQ(status, ExitStatus::exited(0));
    EXPECT_EQ(w.exited_after_disconnect(), true);
  });
  Worker forked = cluster.fork(worker("Http"));
  EXPECT_TRUE(events.empty()) << "a listener ran inside a call";
  EXPECT_TRUE(forked.is_connected());
  EXPECT_FALSE(forked.is_dead());
  EXPECT_EQ(forked.exited_after_disconnect(), std::nullopt);

  primary.run();

  EXPECT_EQ(events, (std::vector<std::string>{"setup", "fork", "online", "listening", "disconnect", "exit"}));
}

TEST(ClusterProcess, RunsTheWorkersListenersBeforeTheClusters) {
  Primary primary;
  std::vector<std::string> events;
  primary.cluster.on_exit([&](Worker, ExitStatus) { events.push_back("cluster exit"); });
  primary.cluster.on_message([&](Worker w, Message&) {
    events.push_back("cluster message");
    w.disconnect();
  });
  Worker echo = primary.cluster.fork(worker("Echo"));
  echo.process().on_exit([&](ExitStatus) { events.push_back("process exit"); });
  echo.on_exit([&](ExitStatus) { events.push_back("worker exit"); });
  echo.on_message([&](Message&) { events.push_back("worker message"); });
  echo.process().on_message([&](Message&) { events.push_back("process message"); });
  echo.send("hi");

  primary.run();

  EXPECT_EQ(events, (std::vector<std::string>{"cluster message", "worker message", "process message", "worker exit",
                                              "cluster exit", "process exit"}));
}

TEST(ClusterProcess, ReportsTheExitCodeAndThatNobodyAskedForIt) {
  Primary primary;
  std::optional<ExitStatus> status;
  std::optional<bool> voluntary;
  primary.cluster.on_exit([&](Worker w, ExitStatus s) {
    status = s;
    voluntary = w.exited_after_disconnect();
    EXPECT_TRUE(primary.cluster.workers().empty());
  });
  primary.cluster.on_disconnect([&](Worker) { EXPECT_EQ(primary.cluster.workers().size(), 1U); });
  primary.cluster.fork(worker("ExitWith42"));

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(42));
  EXPECT_EQ(voluntary, false);
}

TEST(ClusterProcess, ReportsTheSignalThatKilledAWorker) {
  Primary primary;
  std::optional<ExitStatus> status;
  Worker victim = primary.cluster.fork(worker("Idle"));
  victim.on_online([&] { victim.process().kill(Signal::kill); });
  victim.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::killed(Signal::kill));
  EXPECT_EQ(victim.exited_after_disconnect(), false);
}

TEST(ClusterProcess, SeesAWorkerFailThatThrows) {
  Primary primary;
  std::optional<ExitStatus> status;
  primary.cluster.on_exit([&](Worker, ExitStatus s) { status = s; });
  primary.cluster.fork(worker("Throw"));

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(1));
}

TEST(ClusterProcess, ReportsAProgramThatDoesNotExistAndGoesOn) {
  Primary primary;
  std::vector<std::string> events;
  Settings settings;
  settings.exec = "/no/such/program";
  primary.cluster.setup_primary(settings);
  primary.cluster.on_fork([&](Worker) { events.push_back("fork"); });
  primary.cluster.on_disconnect([&](Worker) { events.push_back("disconnect"); });
  primary.cluster.on_exit([&](Worker, ExitStatus) { events.push_back("exit"); });
  Worker missing = primary.cluster.fork();
  missing.on_error([&](const Error& error) { events.push_back(error_name(error.code) + " " + error.message); });

  primary.run();

  EXPECT_EQ(events, (std::vector<std::string>{"ENOENT spawn /no/such/program ENOENT", "fork", "disconnect"}));
  EXPECT_TRUE(primary.cluster.workers().empty());
}

TEST(ClusterProcess, ReportsAFolderThatDoesNotExist) {
  Primary primary;
  std::string message;
  Settings settings;
  settings.cwd = "/no/such/folder";
  primary.cluster.setup_primary(settings);
  primary.cluster.fork(worker("Idle")).on_error([&](const Error& error) { message = error.message; });

  primary.run();

  EXPECT_TRUE(message.ends_with(" ENOENT (the working folder /no/such/folder)")) << message;
}

TEST(ClusterProcess, LetsASpawnErrorNobodyListensForComeOutOfRun) {
  Primary primary;
  Settings settings;
  settings.exec = "/no/such/program";
  primary.cluster.setup_primary(settings);
  primary.cluster.fork();

  EXPECT_THROW(primary.run(), UnhandledError);
  primary.run();  // and the loop is still good
}

TEST(ClusterProcess, CallsBackWhenEveryWorkerHasDisconnected) {
  Primary primary;
  int online = 0;
  int disconnected = 0;
  int called = 0;
  primary.cluster.on_disconnect([&](Worker) { ++disconnected; });
  primary.cluster.on_online([&](Worker) {
    if (++online == 3) {
      primary.cluster.disconnect([&] {
        ++called;
        EXPECT_EQ(disconnected, 3);
      });
      EXPECT_EQ(called, 0);
    }
  });
  for (int i = 0; i < 3; ++i) primary.cluster.fork(worker("Idle"));

  primary.run();

  EXPECT_EQ(called, 1);
}

TEST(ClusterProcess, CallsBackLaterWhenThereIsNoWorker) {
  Primary primary;
  bool called = false;
  primary.cluster.disconnect([&] { called = true; });
  EXPECT_FALSE(called);

  primary.run();

  EXPECT_TRUE(called);
}

TEST(ClusterProcess, EndsWorkersWhosePrimaryDied) {
  Primary primary;
  Settings settings;
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  Worker middle = primary.cluster.fork(worker("Middle"));
  // The worker's worker holds this pipe too: it ends when both are gone.
  bool all_gone = false;
  net::Socket output = middle.process().stdout_stream();
  output.on_data([](std::string_view) {});
  output.on_end([&] { all_gone = true; });
  middle.on_message([&](Message&) { middle.process().kill(Signal::kill); });

  primary.run();

  EXPECT_TRUE(all_gone);
}

// Is a worker of the test's, and the primary of a worker of its own.
WORKER(Middle) {
  Process up = cluster.process();
  Cluster own(loop, 0, nullptr);
  Worker idle = own.fork(worker("Idle"));
  idle.on_online([up, idle]() mutable { up.send(idle.process().pid()); });
  return loop.run();
}

TEST(ClusterProcess, MayBeSeveralInOneProcess) {
  Primary primary;
  Cluster second(primary.loop, 0, nullptr);
  std::vector<int> ids;
  primary.cluster.fork(worker("Idle")).on_online([&] {
    ids.push_back(1);
    primary.cluster.disconnect();
  });
  Worker other = second.fork(worker("Idle"));
  other.on_online([&] {
    ids.push_back(2);
    second.disconnect();
  });

  primary.run();

  EXPECT_EQ(ids.size(), 2U);
  EXPECT_EQ(other.id(), 1);
}

TEST(ClusterProcess, RunsOnALoopThatSomebodyElseMade) {
  uv_loop_t borrowed;
  uv_loop_init(&borrowed);
  {
    Loop loop(&borrowed);
    Cluster cluster(loop, 0, nullptr);
    bool exited = false;
    cluster.on_online([](Worker w) { w.disconnect(); });
    cluster.on_exit([&](Worker, ExitStatus) { exited = true; });
    cluster.fork(worker("Idle"));
    uv_run(&borrowed, UV_RUN_DEFAULT);
    EXPECT_TRUE(exited);
  }
  uv_run(&borrowed, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&borrowed), 0);
}

TEST(ClusterProcess, GivesAWorkerNoDescriptorButItsChannel) {
  Primary primary;
  // Nor what the program has open for any child: it says in `stdio` what its workers get.
  const int left_open = open("/dev/null", O_RDONLY);
  std::string open;
  Worker lister = primary.cluster.fork(worker("ListDescriptors"));
  lister.on_message([&](Message& message) {
    open = message.data.as_string();
    primary.finish();
  });

  primary.run();
  close(left_open);

  EXPECT_EQ(open, "0 1 2 ");
}

WORKER(ListDescriptors) {
  cluster.process().send(inheritable_descriptors());
  return loop.run();
}

// Root may become anybody; another user only itself.
TEST(ClusterProcess, RunsAWorkerAsAnotherUser) {
  Primary primary;
  Settings settings;
  const bool root = geteuid() == 0;
  settings.uid = root ? 65534 : static_cast<int>(geteuid());
  settings.gid = root ? 65533 : static_cast<int>(getegid());
  // Not this program: nobody may not be allowed to read it.
  settings.exec = "/bin/sh";
  settings.args = {{"-c", "id -u; id -g; id -G"}};
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  std::string output;
  Worker w = primary.cluster.fork();
  w.process().stdout_stream().on_data([&](std::string_view bytes) { output += bytes; });

  primary.run();

  const std::string groups = root ? "65533\n" : output.substr(output.rfind('\n', output.size() - 2) + 1);
  EXPECT_EQ(output, std::to_string(*settings.uid) + "\n" + std::to_string(*settings.gid) + "\n" + groups);
}

TEST(ClusterProcess, HidesItsVariablesFromWhatAWorkerStarts) {
  Primary primary;
  std::string found = "?";
  Worker asker = primary.cluster.fork(worker("Variables"));
  asker.on_message([&](Message& message) {
    found = message.data.as_string();
    primary.finish();
  });

  primary.run();

  EXPECT_EQ(found, "");
}

WORKER(Variables) {
  std::string found;
  for (const char* name : {"NODE_UNIQUE_ID", "NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"}) {
    if (std::getenv(name)) found += name;
  }
  cluster.process().send(found);
  return loop.run();
}

TEST(ClusterProcess, RefusesInAWorkerWhatIsThePrimarys) {
  Primary primary;
  std::string said;
  Worker w = primary.cluster.fork(worker("ForkInWorker"));
  w.on_message([&](Message& message) {
    said = message.data.as_string();
    primary.finish();
  });

  primary.run();

  EXPECT_NE(said.find("fork() can be called in the primary only"), std::string::npos);
}

WORKER(ForkInWorker) {
  try {
    cluster.fork();
  } catch (const Exception& e) {
    cluster.process().send(e.what());
  }
  return loop.run();
}

TEST(ClusterProcess, RefusesSettingsWithoutAChannel) {
  Primary primary;
  Settings settings;
  settings.stdio = Stdio{{StdioEntry::Kind::inherit}, {StdioEntry::Kind::inherit}, {StdioEntry::Kind::inherit}};
  primary.cluster.setup_primary(settings);

  try {
    primary.cluster.fork(worker("Idle"));
    FAIL() << "it was accepted";
  } catch (const Exception& e) {
    EXPECT_EQ(error_name(e.code()), "ERR_CHILD_PROCESS_IPC_REQUIRED");
  }
  EXPECT_TRUE(primary.cluster.workers().empty());
}

TEST(ClusterProcess, TakesItsPolicyFromTheEnvironmentAndFreezesItAtTheFirstSetup) {
  const auto policy_for = [](const char* value) {
    setenv("NODE_CLUSTER_SCHED_POLICY", value, 1);
    Primary primary;
    unsetenv("NODE_CLUSTER_SCHED_POLICY");
    return primary.cluster.scheduling_policy();
  };
  EXPECT_EQ(policy_for("none"), sched_none);
  EXPECT_EQ(policy_for("rr"), sched_rr);
  EXPECT_EQ(policy_for("nonsense"), sched_rr);

  Primary primary;
  primary.cluster.set_scheduling_policy(sched_none);
  primary.cluster.setup_primary();
  primary.cluster.set_scheduling_policy(sched_rr);
  EXPECT_EQ(primary.cluster.scheduling_policy(), sched_none);
}

TEST(ClusterProcess, GivesTheOutputOfASilentWorkerToItsPrimary) {
  Primary primary;
  Settings settings;
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  std::string output;
  Worker w = primary.cluster.fork(worker("Print"));
  w.process().stdout_stream().on_data([&](std::string_view bytes) { output += bytes; });

  primary.run();

  EXPECT_EQ(output, "from the worker\n");
}

TEST(ClusterProcess, TellsWhatItStartedAndWhenThatIsOver) {
  Primary primary;
  std::vector<std::string> events;
  Settings settings;
  settings.args = {"--use", "https"};
  settings.silent = true;
  settings.windows_hide = true;
  primary.cluster.setup_primary(settings);
  Worker w = primary.cluster.fork(worker("Print"));
  Process process = w.process();
  process.on_spawn([&] { events.push_back("spawn"); });
  primary.cluster.on_fork([&](Worker) { events.push_back("fork"); });
  w.on_exit([&](ExitStatus) { events.push_back("exit"); });
  process.on_close([&](ExitStatus status) {
    events.push_back("close");
    EXPECT_EQ(status, ExitStatus::exited(0));
  });

  primary.run();

  EXPECT_EQ(events, (std::vector<std::string>{"spawn", "fork", "exit", "close"}));
  EXPECT_EQ(process.spawn_file(), primary.cluster.settings().exec);
  EXPECT_EQ(process.spawn_args(), (std::vector{process.spawn_file(), std::string("--use"), std::string("https")}));
  EXPECT_EQ(primary.cluster.settings().windows_hide, true);
}

TEST(ClusterProcess, LetsAWorkerGoThatOnlyItsChannelKeeps) {
  Primary primary;
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("Unref"));
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(7));
}

TEST(ClusterProcess, LetsThePrimaryEndBeforeAWorkerThatIsUnreferenced) {
  bool gone = false;
  {
    Primary primary;
    Worker w = primary.cluster.fork(worker("Stays"));
    w.on_exit([&](ExitStatus) { gone = true; });
    w.process().on_message([w](Message&) {
      w.process().unref();
      w.process().unref_channel();
    });

    primary.run();

    EXPECT_FALSE(w.is_dead());
  }
  EXPECT_FALSE(gone);
}

WORKER(Stays) {
  cluster.process().send("here");
  return loop.run();
}

WORKER(Unref) {
  cluster.process().unref_channel();
  loop.run();
  return 7;
}

WORKER(Print) {
  std::puts("from the worker");
  std::fflush(stdout);
  cluster.process().disconnect();
  return loop.run();
}

TEST(Loop, GivesAnExceptionOfAListenerToRunAndGoesOnAfterIt) {
  Loop loop;
  std::vector<int> ran;
  loop.next_tick([&] {
    ran.push_back(1);
    throw std::runtime_error("boom");
  });
  loop.next_tick([&] { ran.push_back(2); });

  EXPECT_THROW(loop.run(), std::runtime_error);
  EXPECT_EQ(loop.run(), 0);

  EXPECT_EQ(ran, (std::vector<int>{1, 2}));
}

TEST(Loop, GivesUncaughtExceptionsToTheirListener) {
  Loop loop;
  int caught = 0;
  loop.on_uncaught_exception([&](std::exception_ptr) { ++caught; });
  loop.next_tick([] { throw 1; });
  loop.next_tick([] { throw 2; });

  EXPECT_EQ(loop.run(), 0);

  EXPECT_EQ(caught, 2);
}

TEST(Loop, EndsWithWhatTheListenerOfUncaughtExceptionsThrows) {
  Loop loop;
  int caught = 0;
  loop.on_uncaught_exception([&](std::exception_ptr) {
    ++caught;
    throw std::runtime_error("no memory");
  });
  loop.next_tick([] { throw 1; });

  EXPECT_THROW(loop.run(), std::runtime_error);

  EXPECT_EQ(caught, 1);
}

TEST(Parallelism, IsAtLeastOneAndHonoursAffinity) {
  cpu_set_t before;
  sched_getaffinity(0, sizeof before, &before);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &before)) {
      CPU_SET(cpu, &one);
      break;
    }
  }
  sched_setaffinity(0, sizeof one, &one);

  EXPECT_EQ(available_parallelism(), 1U);

  sched_setaffinity(0, sizeof before, &before);
}

}  // namespace
}  // namespace muster::test
