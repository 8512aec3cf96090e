// SPDX-License-Identifier: MIT
// A primary whose worker misbehaves on the channel: that worker is cut off with an `error`, the others serve on.

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

std::string from_hex(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// A worker that writes to its channel by hand what TESTS_SAY tells it to, behind the library's back.
WORKER(Rogue) {
  const std::string say = std::getenv("TESTS_SAY");
  // After `online` has been written, and however long it takes.
  loop.set_timeout(std::chrono::milliseconds(0), [say] {
    fcntl(3, F_SETFL, fcntl(3, F_GETFL) & ~O_NONBLOCK);
    std::string bytes = say + "\n";
    if (say == "half") bytes = "{\"half\":";
    if (say.starts_with("hex ")) bytes = from_hex(say.substr(4));
    if (say == "huge") bytes = std::string(3 << 20, 'x');
    msghdr message{};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (say == "{\"unasked\":1}") {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      const int fd = STDOUT_FILENO;
      std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    iovec part{bytes.data(), bytes.size()};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    [[maybe_unused]] const auto n = sendmsg(3, &message, MSG_NOSIGNAL);
    if (say == "half" || say.starts_with("hex ")) raise(SIGKILL);
  });
  return loop.run();
}

WORKER(Correct) {
  cluster.process().on_message([process = cluster.process()](Message& message) mutable { process.send(message.data); });
  return loop.run();
}

struct Case {
  const char* say;
  Errc code;
  Serialization serialization = Serialization::json;
};

class MisbehavingWorker : public testing::TestWithParam<Case> {};

TEST_P(MisbehavingWorker, IsCutOffWithAnErrorWhileTheOthersGoOn) {
  Primary primary;
  Settings settings;
  settings.max_message_size = 1 << 20;
  settings.serialization = GetParam().serialization;
  primary.cluster.setup_primary(settings);
  std::vector<std::string> events;
  bool answered = false;
  Worker correct = primary.cluster.fork(worker("Correct"));
  Worker rogue = primary.cluster.fork(worker("Rogue", {{"TESTS_SAY", GetParam().say}}));
  rogue.on_error([&](const Error& error) {
    events.push_back("error");
    EXPECT_EQ(error.code, GetParam().code) << error.message;
  });
  rogue.on_disconnect([&] {
    events.push_back("disconnect");
    correct.send("still there?");
  });
  rogue.on_exit([&](ExitStatus) { events.push_back("exit"); });
  correct.on_message([&](Message&) {
    answered = true;
    correct.disconnect();
  });

  primary.run();

  EXPECT_EQ(events, (std::vector<std::string>{"error", "disconnect", "exit"}));
  EXPECT_TRUE(answered);
}

INSTANTIATE_TEST_SUITE_P(Peer, MisbehavingWorker,
                         testing::Values(Case{"{\"cmd\":oops}", Errc::ipc_malformed_message},
                                         Case{"", Errc::ipc_malformed_message}, Case{"undefined", Errc::ipc_malformed_message},
                                         Case{"huge", Errc::ipc_message_too_large},
                                         Case{"{\"unasked\":1}", Errc::ipc_unexpected_handle},
                                         Case{"half", Errc::ipc_message_truncated}));

// Lengths that lie, a frame of nothing, values that are none.
constexpr auto advanced = Serialization::advanced;
INSTANTIATE_TEST_SUITE_P(PeerInAdvanced, MisbehavingWorker,
                         testing::Values(Case{"hex 00000000", Errc::ipc_malformed_message, advanced},
                                         Case{"hex 7fffffff", Errc::ipc_message_too_large, advanced},
                                         Case{"hex 80000000", Errc::ipc_message_too_large, advanced},
                                         Case{"hex ffffffff", Errc::ipc_message_too_large, advanced},
                                         Case{"hex 00000004ff0f6f22", Errc::ipc_malformed_message, advanced},
                                         Case{"hex 00000003ff1054", Errc::ipc_malformed_message, advanced},
                                         Case{"hex 00000007ff0f61ffffffff0f4000ffffffff0f", Errc::ipc_malformed_message,
                                              advanced},
                                         Case{"hex 0000", Errc::ipc_message_truncated, advanced},
                                         Case{"hex 00000010ff0f", Errc::ipc_message_truncated, advanced}));

// A worker that serves until it is told to stop: then it neither reads nor acknowledges, but is not dead.
WORKER(Stops) {
  auto server = net::create_server(cluster, [](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.end("served");
  });
  cluster.process().on_message([](Message&) { raise(SIGSTOP); });
  server.listen(0);
  return loop.run();
}

TEST(Peer, WhoDoesNotReadFillsItsOwnQueueOnly) {
  Primary primary;
  Settings settings;
  settings.max_queue_size = 1 << 20;
  primary.cluster.setup_primary(settings);
  Worker stopped = primary.cluster.fork(worker("Stops"));
  Worker other = primary.cluster.fork(worker("Correct"));
  std::error_code refused;
  bool answered = false;
  stopped.on_online([&] {
    stopped.send("stop");
    const std::string text(100'000, 'x');
    // What the system takes, and a mebibyte that it does not, is less than this.
    for (int i = 0; i < 40; ++i) {
      stopped.send(text, [&](std::error_code error) {
        if (error == Errc::ipc_queue_full && !std::exchange(refused, error)) other.send("still there?");
      });
    }
  });
  other.on_message([&](Message&) {
    if (std::exchange(answered, true)) return;
    stopped.kill(Signal::kill);
    other.disconnect();
  });

  primary.run();

  EXPECT_EQ(refused, Errc::ipc_queue_full);
  EXPECT_TRUE(answered);
}

TEST(Peer, WhoDoesNotAcknowledgeAHandleIsGivenUp) {
  Primary primary;
  Settings settings;
  settings.handle_timeout = std::chrono::milliseconds(200);
  primary.cluster.setup_primary(settings);
  std::vector<std::string> errors;
  Worker stopped = primary.cluster.fork(worker("Stops"));
  stopped.on_error([&](const Error& error) {
    errors.push_back(error_name(error.code));
    stopped.kill(Signal::kill);
  });
  stopped.on_listening([&](const Address&) {
    stopped.send("stop");
    stopped.send("what it does not take", Handle(HandleType::descriptor, dup(0)));
  });

  primary.run();

  EXPECT_EQ(errors, (std::vector<std::string>{"ERR_HANDLE_NOT_ACKNOWLEDGED"}));
}

// A worker that stands still has not claimed what it is offered: that is taken back and offered to the other.
TEST(Peer, WhoStandsStillCostsNoConnection) {
  Primary primary;
  constexpr int connections = 40;
  int served = 0;
  std::vector<net::Socket> clients;
  std::vector<std::string> errors;
  std::optional<Worker> other;
  Worker stopped = primary.cluster.fork(worker("Stops"));
  stopped.on_error([&](const Error& error) { errors.push_back(error_name(error.code)); });
  stopped.on_listening([&](const Address&) { other = primary.cluster.fork(worker("Stops")); });
  primary.cluster.on_listening([&](Worker w, const Address& address) {
    if (w == stopped) return;
    stopped.kill(*Signal::from_name("SIGSTOP"));
    for (int i = 0; i < connections; ++i) {
      clients.push_back(net::connect(primary.loop, address.port.value()));
      clients.back().on_data([&](std::string_view) {
        if (++served < connections) return;
        stopped.kill(Signal::kill);
        other->disconnect();
      });
    }
  });

  primary.run();

  EXPECT_EQ(served, connections);
  EXPECT_EQ(errors, std::vector<std::string>{});
}

TEST(Peer, WhoBreaksTheProtocolCannotEndAPrimaryThatListensForNoError) {
  Primary primary;
  bool exited = false;
  Worker rogue = primary.cluster.fork(worker("Rogue", {{"TESTS_SAY", "nonsense"}}));
  rogue.on_exit([&](ExitStatus) { exited = true; });

  EXPECT_NO_THROW(primary.run());

  EXPECT_TRUE(exited);
}

class IgnoredMessage : public testing::TestWithParam<const char*> {};

TEST_P(IgnoredMessage, ChangesNothing) {
  Primary primary;
  bool answered = false;
  Worker w = primary.cluster.fork(worker("SayAndEcho", {{"TESTS_SAY", GetParam()}}));
  w.on_error([&](const Error& error) { ADD_FAILURE() << error.message; });
  w.on_message([&](Message& message) {
    answered = message.data == Value("after");
    w.disconnect();
  });

  primary.run();

  EXPECT_TRUE(answered);
}

WORKER(SayAndEcho) {
  const std::string bytes = std::string(std::getenv("TESTS_SAY")) + "\n\"after\"\n";
  loop.set_timeout(std::chrono::milliseconds(0),
                   [bytes] { [[maybe_unused]] const auto n = ::write(3, bytes.data(), bytes.size()); });
  return loop.run();
}

INSTANTIATE_TEST_SUITE_P(Peer, IgnoredMessage,
                         testing::Values("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"of a later Node\",\"seq\":9}",
                                         "{\"cmd\":\"NODE_CLUSTER\",\"ack\":12345,\"accepted\":true,\"seq\":9}",
                                         "{\"cmd\":\"NODE_UNHEARD_OF\"}", "{\"cmd\":\"NODE_HANDLE_ACK\"}",
                                         "{\"cmd\":\"NODE_HANDLE_NACK\"}", "{\"cmd\":\"NODE_CLUSTER\"}",
                                         "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"key\":\"nobody's\",\"seq\":9}",
                                         "{\"cmd\":\"NODE_CLUSTER\",\"act\":\"listening\",\"seq\":9}"));

}  // namespace
}  // namespace muster::test
