// SPDX-License-Identifier: MIT
// What a program does wrong is told at once, with Node's code and a text that says what was given and what would be right.

#include <unistd.h>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

// The text of the exception that a call throws, code and all.
template <class F>
std::string refusal(F&& call) {
  try {
    call();
  } catch (const Exception& e) {
    EXPECT_EQ(std::string(e.what()).substr(0, error_name(e.code()).size()), error_name(e.code()));
    return e.what();
  }
  return "nothing was thrown";
}

TEST(Misuse, OfSettingsIsRefusedByFork) {
  Primary primary;
  const auto fork_with = [&](const Settings& settings) {
    return refusal([&] {
      primary.cluster.setup_primary(settings);
      primary.cluster.fork();
    });
  };
  using Kind = StdioEntry::Kind;
  Settings without_channel;
  without_channel.stdio = {{Kind::inherit}, {Kind::inherit}, {Kind::inherit}};
  EXPECT_EQ(fork_with(without_channel),
            "ERR_CHILD_PROCESS_IPC_REQUIRED: Forked processes must have an IPC channel, missing value 'ipc' in settings.stdio");
  Settings two_channels;
  two_channels.stdio = {{Kind::ipc}, {Kind::ipc}};
  EXPECT_EQ(fork_with(two_channels), "ERR_IPC_ONE_PIPE: Child process can have only one IPC pipe");
  Settings right;
  right.stdio = {{Kind::ipc}};
  right.cwd = std::string("/tmp\0/x", 7);
  EXPECT_EQ(fork_with(right), "ERR_INVALID_ARG_VALUE: settings.cwd must be a string without NUL");

  EXPECT_EQ(refusal([&] {
              primary.cluster.fork({{"A=B", "c"}});
            }),
            "ERR_INVALID_ARG_VALUE: settings.cwd must be a string without NUL");
  Settings cured;
  cured.cwd = "/tmp";
  primary.cluster.setup_primary(cured);
  EXPECT_EQ(refusal([&] {
              primary.cluster.fork({{"A=B", "c"}});
            }),
            "ERR_INVALID_ARG_VALUE: The environment variable 'A=B' must have a name without '=', and no NUL in name or value");
  EXPECT_TRUE(primary.cluster.workers().empty());
}

TEST(Misuse, OfServersIsRefused) {
  Primary primary;
  auto server = net::create_server(primary.cluster, [](net::Socket) {});
  EXPECT_EQ(refusal([&] { server.listen(65536); }),
            "ERR_SOCKET_BAD_PORT: options.port should be >= 0 and < 65536. Received 65536.");
  EXPECT_EQ(refusal([&] { server.listen(-1); }), "ERR_SOCKET_BAD_PORT: options.port should be >= 0 and < 65536. Received -1.");
  EXPECT_EQ(refusal([&] { server.close(); }), "ERR_SERVER_NOT_RUNNING: Server is not running.");
  EXPECT_EQ(refusal([&] { server.listen(Handle()); }), "ERR_INVALID_HANDLE_TYPE: There is no handle to listen on");
  EXPECT_EQ(refusal([&] { net::connect(primary.loop, 65536); }),
            "ERR_SOCKET_BAD_PORT: Port should be >= 0 and < 65536. Received 65536.");
  EXPECT_FALSE(server.to_handle()) << "it does not listen";

  server.listen(0, [&] { server.close(); });
  EXPECT_EQ(refusal([&] { server.listen(0); }),
            "ERR_SERVER_ALREADY_LISTEN: Listen method has been called more than once without closing.");
  primary.run();
}

TEST(Misuse, OfUdpSocketsIsRefused) {
  Primary primary;
  auto socket = dgram::create_socket(primary.cluster);
  EXPECT_EQ(refusal([&] { socket.bind(65536); }).substr(0, 20), "ERR_SOCKET_BAD_PORT:");
  EXPECT_EQ(refusal([&] { socket.send("x"); }).substr(0, 31), "ERR_SOCKET_DGRAM_NOT_CONNECTED:");
  EXPECT_EQ(refusal([&] { socket.set_broadcast(true); }).substr(0, 29), "ERR_SOCKET_DGRAM_NOT_RUNNING:");
  socket.bind(0, [&] { socket.close(); });
  EXPECT_EQ(refusal([&] { socket.bind(0); }).substr(0, 25), "ERR_SOCKET_ALREADY_BOUND:");
  primary.run();
  EXPECT_EQ(refusal([&] { socket.bind(0); }).substr(0, 29), "ERR_SOCKET_DGRAM_NOT_RUNNING:");
}

TEST(Misuse, OfSendIsRefusedOrTold) {
  Primary primary;
  Worker w = primary.cluster.fork(worker("Sits"));
  EXPECT_EQ(refusal([&] { w.send(Value()); }), "ERR_MISSING_ARGS: The \"message\" argument must be specified");
  EXPECT_EQ(
      refusal([&] { w.send("x", Handle(HandleType::descriptor, dup(0))); }),
      "ERR_INVALID_HANDLE_TYPE: A descriptor that is no socket can be sent to another muster process only, and once that is "
      "online");
  EXPECT_EQ(refusal([] { static_cast<void>(Value(1).as_string()); }),
            "ERR_INVALID_ARG_TYPE: The value must be a string. It is a number");
  std::vector<std::string> errors;
  std::error_code sent;
  w.on_error([&](const Error& error) { errors.push_back(error_name(error.code)); });
  w.on_online([&] {
    w.process().disconnect();
    EXPECT_FALSE(w.send("too late"));
    EXPECT_FALSE(w.send("too late", [&](std::error_code error) { sent = error; }));
    w.process().disconnect();
  });

  primary.run();

  EXPECT_EQ(errors, (std::vector<std::string>{"ERR_IPC_CHANNEL_CLOSED", "ERR_IPC_DISCONNECTED"}));
  EXPECT_EQ(sent, Errc::ipc_channel_closed);
}

WORKER(Sits) { return loop.run(); }

TEST(Misuse, OfAWorkerIsToldWhatIsThePrimarys) {
  Primary primary;
  std::vector<std::string> told;
  primary.cluster.fork(worker("PlaysPrimary"));
  primary.cluster.on_message([&](Worker, Message& message) {
    for (const Value& text : message.data.as_array()) told.push_back(text.as_string());
  });

  primary.run();

  ASSERT_EQ(told.size(), 4U);
  const char* calls[] = {"fork()", "setup_primary()", "disconnect()", "set_scheduling_policy()"};
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i],
              "ERR_INVALID_ARG_VALUE: " + std::string(calls[i]) + " can be called in the primary only: this is a worker");
  }
}

WORKER(PlaysPrimary) {
  Array told{refusal([&] { cluster.fork(); }), refusal([&] { cluster.setup_primary(); }),
             refusal([&] { cluster.disconnect(); }), refusal([&] { cluster.set_scheduling_policy(SchedulingPolicy::none); })};
  EXPECT_FALSE(cluster.is_primary());
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  EXPECT_FALSE(cluster.is_master());
  EXPECT_THROW(cluster.setup_master(), Exception);
#pragma GCC diagnostic pop
  cluster.process().send(std::move(told));
  cluster.worker()->disconnect();
  return loop.run();
}

}  // namespace
}  // namespace muster::test
