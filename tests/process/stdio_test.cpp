// SPDX-License-Identifier: MIT
// What a worker finds at its descriptors: every form of Settings::stdio.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

using Kind = StdioEntry::Kind;

// Writes to the descriptor it is told, and says how that went.
WORKER(WritesTo) {
  const int fd = std::stoi(std::getenv("TESTS_FD"));
  const std::string text = "from the worker";
  const ssize_t written = write(fd, text.data(), text.size());
  cluster.process().send(static_cast<double>(written));
  cluster.worker()->disconnect();
  return loop.run();
}

struct StdioPrimary : Primary {
  explicit StdioPrimary(Stdio stdio) {
    Settings settings;
    settings.stdio = std::move(stdio);
    cluster.setup_primary(settings);
    cluster.on_message([this](Worker, Message& message) { written = message.data; });
  }
  Worker fork_writer(int fd) { return cluster.fork(worker("WritesTo", {{"TESTS_FD", std::to_string(fd)}})); }

  Value written;
};

TEST(Stdio, PipesTheDescriptorsItIsTold) {
  StdioPrimary primary({{Kind::ignore}, {Kind::ignore}, {Kind::inherit}, {Kind::ipc}, {Kind::pipe}});
  std::string heard;
  Worker w = primary.fork_writer(4);
  w.process().stdio(4).on_data([&](std::string_view bytes) { heard += bytes; });

  primary.run();

  EXPECT_EQ(heard, "from the worker");
  EXPECT_FALSE(w.process().stdout_stream());
  EXPECT_FALSE(w.process().stdio(3)) << "the channel is nobody's to read";
}

TEST(Stdio, IgnoresWhatIsWritten) {
  StdioPrimary primary({{Kind::ignore}, {Kind::ignore}, {Kind::inherit}, {Kind::ipc}});
  primary.fork_writer(1);

  primary.run();

  EXPECT_EQ(primary.written, Value(15));
}

TEST(Stdio, GivesTheDescriptorOfThePrimary) {
  const TemporaryFolder folder;
  const std::string path = folder.write("output", "");
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  StdioPrimary primary({{Kind::ignore}, {Kind::descriptor, file}, {Kind::inherit}, {Kind::ipc}});
  primary.fork_writer(1);

  primary.run();
  close(file);

  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "from the worker");
}

TEST(Stdio, GivesTheConnectionOfAStream) {
  const TemporaryFolder folder;
  Primary listening;
  std::string heard;
  std::optional<Worker> w;
  net::Socket client;
  ListenOptions options;
  options.path = folder.path() + "/socket";
  auto server = net::create_server(listening.cluster, [&](net::Socket socket) {
    Settings settings;
    settings.stdio = {{Kind::ignore}, {Kind::descriptor, socket.descriptor()}, {Kind::inherit}, {Kind::ipc}};
    listening.cluster.setup_primary(settings);
    w = listening.cluster.fork(worker("WritesTo", {{"TESTS_FD", "1"}}));
    socket.destroy();
  });
  server.listen(options, [&] {
    client = net::connect(listening.loop, options.path);
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] { server.close(); });
  });

  listening.run();

  EXPECT_EQ(heard, "from the worker");
}

TEST(Stdio, InheritsThePrimarysOwn) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const int before = dup(1);
  dup2(ends[1], 1);
  {
    StdioPrimary primary({{Kind::inherit}, {Kind::inherit}, {Kind::inherit}, {Kind::ipc}});
    primary.fork_writer(1);
    primary.run();
  }
  dup2(before, 1);
  close(before);

  char text[64];
  const ssize_t size = read(ends[0], text, sizeof text);
  close(ends[0]);
  close(ends[1]);

  EXPECT_EQ(std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0), "from the worker");
}

TEST(Stdio, MayHaveItsChannelAnywhere) {
  StdioPrimary primary({{Kind::ignore}, {Kind::ipc}, {Kind::inherit}});
  primary.fork_writer(2000);

  primary.run();

  EXPECT_EQ(primary.written, Value(-1));
}

WORKER(EchoesItsInput) {
  net::Socket input = net::from_handle(loop, Handle(HandleType::socket, 0));
  input.on_data([self = cluster.process()](std::string_view bytes) mutable { self.send(std::string(bytes)); });
  input.on_end([self = cluster.worker()]() mutable { self->disconnect(); });
  return loop.run();
}

TEST(Stdio, WritesToAWorkersInput) {
  Primary primary;
  Settings settings;
  settings.stdio = {{Kind::pipe}, {Kind::inherit}, {Kind::inherit}, {Kind::ipc}};
  primary.cluster.setup_primary(settings);
  std::string heard;
  Worker w = primary.cluster.fork(worker("EchoesItsInput"));
  w.on_message([&](Message& message) { heard += message.data.as_string(); });
  w.process().stdin_stream().end("to the worker");

  primary.run();

  EXPECT_EQ(heard, "to the worker");
}

TEST(Stdio, MayBeClosedByThePrimaryWhileTheWorkerGoesOn) {
  // A SIGPIPE for what nobody reads would end the worker.
  Primary primary;
  Settings settings;
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  std::optional<ExitStatus> status;
  Value written;
  Worker w = primary.cluster.fork(worker("WritesWhenTold"));
  w.on_online([&] {
    w.process().stdout_stream().destroy();
    w.process().stdout_stream().on_close([&] { w.send("write"); });
  });
  w.on_message([&](Message& message) { written = message.data; });
  w.on_exit([&](ExitStatus s) { status = s; });

  primary.run();

  EXPECT_EQ(written, Value(-1));
  EXPECT_EQ(status, ExitStatus::exited(0));
}

WORKER(WritesWhenTold) {
  cluster.process().on_message([&cluster](Message&) {
    cluster.process().send(static_cast<double>(write(1, "x", 1)));
    cluster.worker()->disconnect();
  });
  return loop.run();
}

}  // namespace
}  // namespace muster::test
