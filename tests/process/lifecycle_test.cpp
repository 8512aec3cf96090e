// SPDX-License-Identifier: MIT
// How workers live, leave and are ended, beyond what the scenarios of tests/conformance tell.

#include <fcntl.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

using Events = std::vector<std::string>;

WORKER(Bystander) { return loop.run(); }

// Listens on any port of the loopback address; leaves with the code it is told.
WORKER(Listener) {
  auto server = net::create_server(cluster, [](net::Socket socket) { socket.on_data([](std::string_view) {}); });
  ListenOptions options;
  options.host = "127.0.0.1";
  server.listen(options);
  loop.run();
  const char* code = std::getenv("TESTS_EXIT");
  return code ? std::stoi(code) : 0;
}

TEST(Lifecycle, BeginsWithAWorkerThatIsNumberOneAndTellsWhereItListens) {
  Primary primary;
  Events events;
  std::optional<Address> where;
  Worker w = primary.cluster.fork(worker("Listener"));
  primary.cluster.on_fork([&](Worker told) {
    EXPECT_EQ(told, w);
    events.push_back("cluster fork");
  });
  w.on_online([&] { events.push_back("worker online"); });
  primary.cluster.on_online([&](Worker told) {
    EXPECT_EQ(told, w);
    events.push_back("cluster online");
  });
  w.on_listening([&](const Address& address) {
    where = address;
    events.push_back("worker listening");
  });
  primary.cluster.on_listening([&](Worker told, const Address& address) {
    EXPECT_EQ(told, w);
    EXPECT_EQ(address, where);
    events.push_back("cluster listening");
    w.process().kill();
  });
  w.on_exit([&](ExitStatus status) {
    EXPECT_EQ(status, ExitStatus::killed(Signal::term));
    events.push_back("worker exit");
  });

  primary.run();

  EXPECT_EQ(w.id(), 1);
  EXPECT_EQ(events, (Events{"cluster fork", "worker online", "cluster online", "worker listening", "cluster listening",
                            "worker exit"}));
  ASSERT_TRUE(where);
  EXPECT_EQ(where->address, "127.0.0.1");
  EXPECT_EQ(where->type, AddressType::tcp4);
  EXPECT_GT(where->port.value_or(0), 0);
}

TEST(Lifecycle, LetsAWorkerBeDestroyedThatHasGone) {
  Primary primary;
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("LeavesAtOnce"));
  const auto destroy = [&] {
    EXPECT_FALSE(w.is_connected());
    w.destroy();
    w.disconnect();
  };
  w.on_disconnect([&] {
    EXPECT_FALSE(w.is_connected());
    // Not a signal: it is on its way out, and how it goes is the test.
    w.disconnect();
  });
  w.on_exit([&](ExitStatus s) {
    status = s;
    destroy();
    EXPECT_FALSE(w.process().kill());
    primary.loop.next_tick(destroy);
  });

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(0));
}

WORKER(LeavesAtOnce) {
  cluster.worker()->disconnect();
  return loop.run();
}

TEST(Lifecycle, LetsTheClusterBeDisconnectedFromAWorkersOwnDisconnect) {
  Primary primary;
  int online = 0;
  int exited = 0;
  bool called = false;
  Worker first = primary.cluster.fork(worker("Bystander"));
  primary.cluster.fork(worker("Bystander"));
  primary.cluster.on_online([&](Worker) {
    if (++online == 2) first.process().disconnect();
  });
  first.on_disconnect([&] {
    EXPECT_TRUE(primary.cluster.workers().contains(first.id()));
    primary.cluster.disconnect([&] { called = true; });
  });
  primary.cluster.on_exit([&](Worker w, ExitStatus status) {
    ++exited;
    EXPECT_EQ(status, ExitStatus::exited(0));
    EXPECT_EQ(w.exited_after_disconnect(), !(w == first));
  });

  primary.run();

  EXPECT_EQ(exited, 2);
  EXPECT_TRUE(called);
}

TEST(Lifecycle, LetsAWorkerThatLeavesWaitForThePrimarysAnswer) {
  Primary primary;
  std::string told;
  Settings settings;
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("TellsHowItLeaves"));
  w.process().stdout_stream().on_data([&](std::string_view bytes) { told += bytes; });
  w.on_disconnect([&] { EXPECT_EQ(w.exited_after_disconnect(), true); });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(told, "connected: 1, next tick: 1, disconnect: 0\n");
  EXPECT_EQ(status, ExitStatus::exited(0));
}

WORKER(TellsHowItLeaves) {
  cluster.worker()->on_disconnect([&cluster] {
    std::printf("disconnect: %d\n", cluster.worker()->is_connected());
    std::fflush(stdout);
  });
  cluster.worker()->disconnect();
  std::printf("connected: %d, ", cluster.worker()->is_connected());
  loop.next_tick([&cluster] { std::printf("next tick: %d, ", cluster.worker()->is_connected()); });
  return loop.run();
}

TEST(Lifecycle, KillsAWorkerThatIsBusy) {
  Primary primary;
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("Spins"));
  w.on_message([&](Message&) { EXPECT_TRUE(w.process().kill()); });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::killed(Signal::term));
}

WORKER(Spins) {
  // Once the message is out, never back to the loop.
  cluster.process().send("busy", [](std::error_code) {
    for (std::atomic<unsigned> turns = 0;;) turns.fetch_add(1);
  });
  return loop.run();
}

TEST(Lifecycle, TellsTheExitCodeOfAWorkerThatWasAskedToLeave) {
  Primary primary;
  Events events;
  Worker w = primary.cluster.fork(worker("Listener", {{"TESTS_EXIT", "42"}}));
  w.on_listening([&](const Address&) { EXPECT_EQ(w.disconnect(), w); });
  w.on_disconnect([&] { events.push_back("disconnect"); });
  w.on_exit([&](ExitStatus status) {
    events.push_back("exit " + status.to_string());
    // Reaped: there is no such process any more.
    EXPECT_EQ(::kill(w.process().pid(), 0), -1);
  });

  primary.run();

  EXPECT_EQ(events, (Events{"disconnect", "exit 42"}));
  EXPECT_EQ(w.exited_after_disconnect(), true);
}

TEST(Lifecycle, KeepsADisconnectedWorkerAsLongAsItsConnectionOfItsOwn) {
  Primary primary;
  bool disconnected = false;
  bool exited = false;
  net::Socket accepted;
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) {
    accepted = socket;
    primary.cluster.workers().begin()->second.disconnect();
  });
  server.listen(0, [&] {
    Worker w = primary.cluster.fork(worker("Connects", {{"TESTS_PORT", std::to_string(server.address()->port.value())}}));
    w.on_disconnect([&, w]() mutable {
      disconnected = true;
      // It lives: it answers what is written on its connection, and ends only after that.
      EXPECT_FALSE(w.is_dead());
      accepted.write("still there?");
      accepted.on_data([&](std::string_view bytes) {
        EXPECT_EQ(bytes, "still there?");
        EXPECT_FALSE(exited);
        accepted.end();
        server.close();
      });
    });
    w.on_exit([&](ExitStatus status) {
      exited = true;
      EXPECT_EQ(status, ExitStatus::exited(0));
    });
  });

  primary.run();

  EXPECT_TRUE(disconnected);
  EXPECT_TRUE(exited);
}

WORKER(Connects) {
  net::Socket socket = net::connect(loop, std::stoi(std::getenv("TESTS_PORT")));
  socket.on_data([socket](std::string_view bytes) mutable { socket.write(bytes); });
  return loop.run();
}

TEST(Lifecycle, TellsAMessageThenTheExitThenTheClose) {
  Primary primary;
  Events events;
  Process process = primary.cluster.fork(worker("SaysAndExits")).process();
  process.on_message([&](Message&) { events.push_back("message"); });
  process.on_disconnect([&] { events.push_back("disconnect"); });
  process.on_exit([&](ExitStatus) { events.push_back("exit"); });
  process.on_close([&](ExitStatus) { events.push_back("close"); });

  primary.run();

  EXPECT_EQ(events, (Events{"message", "disconnect", "exit", "close"}));
}

WORKER(SaysAndExits) {
  cluster.process().send("last words", [&loop](std::error_code) { loop.stop(); });
  return loop.run();
}

TEST(Lifecycle, SurvivesAProgramThatKnowsNothingOfIt) {
  Primary primary;
  Settings settings;
  settings.exec = "/bin/true";
  settings.args.emplace();
  primary.cluster.setup_primary(settings);
  Events events;
  primary.cluster.on_online([&](Worker) { events.push_back("online"); });
  primary.cluster.on_disconnect([&](Worker) { events.push_back("disconnect"); });
  primary.cluster.on_exit([&](Worker, ExitStatus status) { events.push_back("exit " + status.to_string()); });
  primary.cluster.fork();

  primary.run();

  EXPECT_EQ(events, (Events{"disconnect", "exit 0"}));
}

TEST(Lifecycle, EndsWorkersThatListenWhenTheirPrimaryFails) {
  Primary primary;
  Settings settings;
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  std::optional<ExitStatus> status;
  // Held by the failing primary and its workers: it ends when all of them are gone.
  bool all_gone = false;
  Worker w = primary.cluster.fork(worker("FailingPrimary"));
  net::Socket output = w.process().stdout_stream();
  output.on_data([](std::string_view) {});
  output.on_end([&] { all_gone = true; });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::killed(Signal(SIGABRT)));
  EXPECT_TRUE(all_gone);
}

WORKER(FailingPrimary) {
  Cluster own(loop, 0, nullptr);
  int listening = 0;
  own.on_listening([&](Worker, const Address&) {
    if (++listening == 2) throw std::runtime_error("the primary fails");
  });
  for (int i = 0; i < 2; ++i) own.fork(worker("Listener"));
  // Nobody catches it.
  signal(SIGABRT, SIG_DFL);
  [&]() noexcept { loop.run(); }();
  return 0;
}

// --- what keeps a worker ------------------------------------------------------------------------------

class Keeping : public testing::TestWithParam<SchedulingPolicy> {};

TEST_P(Keeping, EndsAWorkerWhoseServerIsClosedAndWhoseChannelDoesNotKeepIt) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("UnrefAndClose"));
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(7));
}

WORKER(UnrefAndClose) {
  // The answer keeps nobody either: it waits for it before it lets go.
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.listen(0, [&] { server.close([&] { cluster.process().unref_channel(); }); });
  loop.run();
  return 7;
}

TEST_P(Keeping, RemembersThatAServerWasUnreferencedBeforeItListened) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("UnrefEarly"));
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(status, ExitStatus::exited(7));
}

WORKER(UnrefEarly) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.listen(0, [&] {
    server.ref();
    server.unref();
    cluster.process().unref_channel();
  });
  server.unref();
  loop.run();
  return 7;
}

TEST_P(Keeping, KeepsAWorkerByItsServerAlone) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  Events events;
  Worker w = primary.cluster.fork(worker("KeptByItsServer"));
  w.on_listening([&](const Address& address) {
    // It has let go of its channel by now, or it will not hear this.
    net::Socket client = net::connect(primary.loop, address.port.value());
    client.on_data([&](std::string_view bytes) { events.emplace_back(bytes); });
    client.on_close([&] { events.push_back("close"); });
  });
  w.on_exit([&](ExitStatus status) { events.push_back("exit " + status.to_string()); });

  primary.run();

  EXPECT_EQ(events, (Events{"served", "close", "exit 7"}));
}

WORKER(KeptByItsServer) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.on_connection([&](net::Socket socket) {
    socket.end("served");
    socket.on_data([](std::string_view) {});
    server.close();
  });
  server.listen(0, [&] { cluster.process().unref_channel(); });
  loop.run();
  return 7;
}

TEST_P(Keeping, ClosesAServerThatWasReferencedAndUnreferenced) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  std::string said;
  Worker w = primary.cluster.fork(worker("RefsAndCloses"));
  w.on_message([&](Message& message) {
    said = message.data.as_string();
    w.disconnect();
  });

  primary.run();

  EXPECT_EQ(said, "closed");
}

WORKER(RefsAndCloses) {
  auto server = net::create_server(cluster, [](net::Socket) {});
  server.listen(0, [&] {
    server.unref();
    server.ref();
    server.unref();
    server.close([&] { cluster.process().send("closed"); });
  });
  return loop.run();
}

INSTANTIATE_TEST_SUITE_P(Lifecycle, Keeping,
                         testing::Values(SchedulingPolicy::round_robin, SchedulingPolicy::none,
                                         SchedulingPolicy::least_connections, SchedulingPolicy::ip_hash,
                                         SchedulingPolicy::kernel));

// --- workers and the sockets they share ----------------------------------------------------------------

class Sharing : public testing::TestWithParam<SchedulingPolicy> {};

TEST_P(Sharing, LetsAWorkerLeaveWhileAnotherAsksForItsSocket) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  std::vector<ExitStatus> exits;
  Worker first = primary.cluster.fork(worker("Listener"));
  primary.cluster.on_exit([&](Worker, ExitStatus status) { exits.push_back(status); });
  first.on_listening([&](const Address&) {
    Worker second = primary.cluster.fork(worker("Listener"));
    second.on_online([&, second]() mutable {
      first.disconnect();
      second.disconnect();
    });
  });

  primary.run();

  EXPECT_EQ(exits, (std::vector{ExitStatus::exited(0), ExitStatus::exited(0)}));
}

TEST_P(Sharing, LetsAWorkerLeaveThatSharesNothing) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  int port = 0;
  bool served = false;
  Worker listener = primary.cluster.fork(worker("Listener"));
  Worker idle = primary.cluster.fork(worker("Bystander"));
  listener.on_listening([&](const Address& address) {
    port = address.port.value();
    idle.disconnect();
  });
  idle.on_exit([&](ExitStatus status) {
    EXPECT_EQ(status, ExitStatus::exited(0));
    // The other's socket is still there.
    net::connect(primary.loop, port, "127.0.0.1", [&] {
      served = true;
      primary.loop.stop();
    });
  });

  primary.run();

  EXPECT_TRUE(served);
}

TEST_P(Sharing, EndsWhenAllAreDisconnectedWithAConnectionInFlight) {
  Primary primary;
  primary.cluster.set_scheduling_policy(GetParam());
  int listening = 0;
  bool done = false;
  std::vector<ExitStatus> exits;
  primary.cluster.on_exit([&](Worker, ExitStatus status) { exits.push_back(status); });
  primary.cluster.on_listening([&](Worker, const Address& address) {
    if (++listening < 2) return;
    net::Socket client = net::connect(primary.loop, address.port.value(), "127.0.0.1",
                                      [&] { primary.cluster.disconnect([&] { done = true; }); });
    client.on_data([](std::string_view) {});
    client.end();
  });
  for (int i = 0; i < 2; ++i) primary.cluster.fork(worker("Listener"));

  primary.run();

  EXPECT_TRUE(done);
  EXPECT_EQ(exits, (std::vector{ExitStatus::exited(0), ExitStatus::exited(0)}));
}

INSTANTIATE_TEST_SUITE_P(Lifecycle, Sharing,
                         testing::Values(SchedulingPolicy::round_robin, SchedulingPolicy::none,
                                         SchedulingPolicy::least_connections, SchedulingPolicy::ip_hash,
                                         SchedulingPolicy::kernel));

// --- what a worker starts ------------------------------------------------------------------------------

TEST(Lifecycle, LeavesItsChannelToNoProcessThatAWorkerStarts) {
  Primary primary;
  using Kind = StdioEntry::Kind;
  Settings settings;
  settings.stdio = {{Kind::pipe}, {Kind::pipe}, {Kind::inherit}, {Kind::ipc}};
  primary.cluster.setup_primary(settings);
  Events events;
  Worker w = primary.cluster.fork(worker("LeavesACat"));
  net::Socket input = w.process().stdin_stream();
  w.on_disconnect([&] {
    // The cat holds the worker's input and output. If it held the channel too, this would not be told.
    events.push_back("disconnect");
    input.end("miaow");
  });
  w.process().stdout_stream().on_data([&](std::string_view bytes) { events.emplace_back(bytes); });
  w.process().on_close([&](ExitStatus status) { events.push_back("close " + status.to_string()); });

  primary.run();

  EXPECT_EQ(events, (Events{"disconnect", "miaow", "close 0"}));
}

WORKER(LeavesACat) {
  char name[] = "cat";
  char* arguments[] = {name, nullptr};
  pid_t pid = 0;
  return posix_spawnp(&pid, name, nullptr, nullptr, arguments, environ);
}

// Whoever traces a process hears of its end before its parent does, and may keep that to itself.
TEST(Lifecycle, EndsForAWorkerThatIsTracedToo) {
  Primary primary;
  std::optional<ExitStatus> ended;
  int tracer = 0;
  Worker w = primary.cluster.fork(worker("Bystander"));
  w.on_online([&] {
    int ready[2] = {-1, -1};
    ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
    tracer = fork();
    if (tracer == 0) {
      const bool traces = ptrace(PTRACE_SEIZE, w.process().pid(), nullptr, nullptr) == 0;
      if (write(ready[1], traces ? "y" : "n", 1) != 1) _exit(1);
      for (;;) pause();
    }
    char traces = '?';
    EXPECT_EQ(read(ready[0], &traces, 1), 1);
    EXPECT_EQ(traces, 'y') << "this needs to be allowed to trace";
    close(ready[0]);
    close(ready[1]);
    kill(w.process().pid(), SIGKILL);
  });
  w.on_exit([&](ExitStatus status) { ended = status; });

  primary.run();

  EXPECT_EQ(ended, ExitStatus::killed(Signal::kill));
  kill(tracer, SIGKILL);
  EXPECT_EQ(waitpid(tracer, nullptr, 0), tracer);
}

}  // namespace
}  // namespace muster::test
