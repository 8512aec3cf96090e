// SPDX-License-Identifier: MIT
// Messages and handles between a primary and its workers.

#include <sys/socket.h>

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "support/run.h"
#include "support/worker_main.h"

namespace muster::test {
namespace {

WORKER(EchoMessages) {
  Process self = cluster.process();
  self.on_message([self](Message& message) mutable { self.send(std::move(message.data), std::move(message.handle)); });
  return loop.run();
}

TEST(Messages, ComeBackAsTheyWereSent) {
  Primary primary;
  const std::vector<Value> sent{Value{{"hi", "there"}, {"n", 3}}, "text", 1.5, true, nullptr, Value::array({1, "two", nullptr}),
                                Value{{"cmd", "NODE_"}}};
  std::vector<Value> received;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    received.push_back(message.data);
    if (received.size() == sent.size()) primary.finish();
  });
  for (const Value& value : sent) EXPECT_TRUE(echo.send(value));

  primary.run();

  EXPECT_EQ(received, sent);
}

TEST(Messages, OfEveryKindComeBackAsTheyWereSentInAdvancedSerialization) {
  Primary primary;
  primary.cluster.setup_primary(speaking(Serialization::advanced));
  const Value date = Date(std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'123)));
  const std::vector<Value> sent{Value{{"hi", "there"}, {"n", 3}, {"nothing", Undefined()}},
                                "text of \xe2\x82\xac 3",
                                1.5,
                                -0.0,
                                nullptr,
                                true,
                                BigInt::from_string("-123456789012345678901234567890").value(),
                                Value::array({1, Hole(), Undefined(), nullptr}),
                                date,
                                RegExp{"^a+$", "gi"},
                                Map{{{"key", 1}, {Value::object(), Value::array()}}},
                                Set{{1, "two", 3.5}},
                                Boxed{"boxed"},
                                ArrayBuffer{"bytes"},
                                ArrayBuffer{"bytes", 100},
                                View::buffer("Buffer"),
                                View::of<float>({1.5F, -2}),
                                View{View::Type::data_view, "view"},
                                ErrorObject{ErrorObject::Type::type_error, "message", "stack", Value{{"cause", 1}}},
                                Value{{"cmd", "NODE_"}}};
  std::vector<Value> received;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    received.push_back(message.data);
    if (received.size() == sent.size()) primary.finish();
  });
  for (const Value& value : sent) EXPECT_TRUE(echo.send(value));

  primary.run();

  EXPECT_EQ(received, sent);
  EXPECT_TRUE(received[7][1].is_hole());
}

TEST(Messages, MayLeadBackToThemselvesInAdvancedSerialization) {
  Primary primary;
  primary.cluster.setup_primary(speaking(Serialization::advanced));
  Value family{{"name", "family"}, {"parent", Value::object()}};
  Value child{{"name", "child"}};
  child.set("family", family.weak());
  family.set("children", Value::array({child, child}));
  Value received;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    received = message.data;
    primary.finish();
  });
  echo.send(family);

  primary.run();

  EXPECT_TRUE(received == family);
  EXPECT_TRUE(received["children"][0].same(received["children"][1]));
  EXPECT_TRUE(received["children"][0]["family"].same(received));
}

TEST(Messages, WithABigIntAreRefusedInJsonAndNotReportedAsSent) {
  Primary primary;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  bool called = false;

  try {
    echo.send(Value{{"n", BigInt(1)}}, [&](std::error_code) { called = true; });
    ADD_FAILURE() << "sent";
  } catch (const Exception& error) {
    EXPECT_EQ(error.code(), Errc::invalid_arg_value);
    EXPECT_STREQ(error.what(), "ERR_INVALID_ARG_VALUE: Do not know how to serialize a BigInt");
  }

  primary.finish();
  primary.run();
  EXPECT_FALSE(called);
}

TEST(Messages, TellWhenTheyAreSent) {
  Primary primary;
  std::vector<std::error_code> results;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  const bool accepted = echo.send("one", [&](std::error_code error) {
    results.push_back(error);
    primary.finish();
  });
  EXPECT_TRUE(accepted);
  EXPECT_TRUE(results.empty()) << "a callback ran inside the call";

  primary.run();

  EXPECT_EQ(results, std::vector{std::error_code()});
}

TEST(Messages, ToADeadWorkerFailInTheirCallback) {
  Primary primary;
  std::error_code result;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_online([&] { echo.process().kill(Signal::kill); });
  echo.on_exit([&](ExitStatus) { EXPECT_FALSE(echo.send("too late", [&](std::error_code error) { result = error; })); });

  primary.run();

  EXPECT_EQ(result, Errc::ipc_channel_closed);
}

TEST(Messages, ToADeadWorkerAreAnErrorEventWithoutACallback) {
  Primary primary;
  std::string code;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_error([&](const Error& error) { code = error_name(error.code); });
  echo.on_online([&] { echo.process().kill(Signal::kill); });
  echo.on_exit([&](ExitStatus) { EXPECT_FALSE(echo.send("too late")); });

  primary.run();

  EXPECT_EQ(code, "ERR_IPC_CHANNEL_CLOSED");
}

TEST(Messages, MustNotBeUndefinedOrCircular) {
  Primary primary;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  Value circular = Value::object();
  circular.set("self", circular);

  EXPECT_THROW(echo.send(Value()), Exception);
  EXPECT_THROW(echo.send(circular), Exception);

  circular.as_object().erase("self");
  primary.finish();
  primary.run();
}

TEST(Messages, BringASocketThatIsReadAndWrittenHere) {
  Primary primary;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  net::Socket ours = net::from_handle(primary.loop, Handle(HandleType::socket, fds[0]));
  std::string answer;
  ours.on_data([&](std::string_view bytes) { answer += bytes; });
  ours.on_close([&] { primary.finish(); });
  Worker greeter = primary.cluster.fork(worker("GreetOnSocket"));
  greeter.send("take this", Handle(HandleType::socket, fds[1]));

  primary.run();

  EXPECT_EQ(answer, "take this");
}

WORKER(GreetOnSocket) {
  cluster.process().on_message(
      [&loop](Message& message) { net::from_handle(loop, std::move(message.handle)).end(message.data.as_string()); });
  return loop.run();
}

TEST(Messages, LeaveASocketOpenThatIsSentWithKeepOpen) {
  Primary primary;
  std::string heard;
  Worker greeter = primary.cluster.fork(worker("WriteOnSocket"));
  net::Socket accepted;
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) {
    accepted = socket;
    greeter.send("from the worker, ", socket.to_handle(net::KeepOpen::yes));
  });
  net::Socket client;
  server.listen(0, [&] {
    client = net::connect(primary.loop, server.address()->port.value());
    client.on_data([&](std::string_view bytes) {
      heard += bytes;
      if (heard == "from the worker, ") accepted.end("and from the primary");
    });
    client.on_close([&] {
      server.close();
      primary.finish();
    });
  });

  primary.run();

  EXPECT_EQ(heard, "from the worker, and from the primary");
}

WORKER(WriteOnSocket) {
  cluster.process().on_message([&loop](Message& message) {
    // No end(): that would end the connection for both who have it.
    net::from_handle(loop, std::move(message.handle)).write(message.data.as_string());
  });
  return loop.run();
}

TEST(Messages, BringAServerThatIsListenedOnHere) {
  Primary primary;
  std::string heard;
  Worker w = primary.cluster.fork(worker("ListenOnHandle"));
  auto server = net::create_server(primary.cluster, [&](net::Socket) { ADD_FAILURE() << "the primary accepted"; });
  server.listen(0, [&] {
    const int port = server.address()->port.value();
    w.send("take this", server.to_handle());
    server.close();
    w.on_message([&, port](Message&) {
      net::Socket client = net::connect(primary.loop, port);
      client.on_data([&](std::string_view bytes) { heard += bytes; });
      client.on_close([&] { primary.finish(); });
    });
  });

  primary.run();

  EXPECT_EQ(heard, "from the worker");
}

WORKER(ListenOnHandle) {
  auto server = net::create_server(cluster, [](net::Socket socket) {
    socket.on_data([](std::string_view) {});
    socket.end("from the worker");
  });
  cluster.process().on_message([server, self = cluster.process()](Message& message) mutable {
    if (message.handle.type() != HandleType::server) return;
    server.listen(std::move(message.handle), [self]() mutable { self.send("listening"); });
  });
  return loop.run();
}

class MessagesIn : public testing::TestWithParam<Serialization> {
 protected:
  MessagesIn() { primary.cluster.setup_primary(speaking(GetParam())); }
  Primary primary;
};
INSTANTIATE_TEST_SUITE_P(Each, MessagesIn, testing::Values(Serialization::json, Serialization::advanced),
                         [](const auto& test) { return test.param == Serialization::json ? "Json" : "Advanced"; });

TEST_P(MessagesIn, OfEverySizeComeBackWhole) {
  Primary primary;
  Settings settings;
  settings.serialization = GetParam();
  primary.cluster.setup_primary(settings);
  std::vector<std::size_t> sizes;
  // About what the system takes at once, what one read brings, and far beyond.
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 131072, 262144, 1 << 20, 16 << 20}) sizes.push_back(size);
  const auto text_of = [](std::size_t size) {
    std::string text(size, 'x');
    // Not all alike, so that a piece in the wrong place is noticed.
    for (std::size_t i = 0; i < size; i += 97) text[i] = static_cast<char>('a' + i % 26);
    return text;
  };
  std::size_t next = 0;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    EXPECT_TRUE(message.data.as_string() == text_of(sizes[next])) << sizes[next];
    if (++next == sizes.size()) primary.finish();
  });
  for (const std::size_t size : sizes) {
    const bool room = echo.send(text_of(size));
    EXPECT_TRUE(size < 131072 || !room) << "nobody was told to slow down";
  }

  primary.run();

  EXPECT_EQ(next, sizes.size());
}

TEST_P(MessagesIn, KeepTheirOrderAroundHandles) {
  std::vector<int> order;
  std::vector<bool> with_handle;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    order.push_back(static_cast<int>(message.data.as_number()));
    with_handle.push_back(static_cast<bool>(message.handle));
    if (order.size() == 40) primary.finish();
  });
  for (int i = 0; i < 40; ++i) {
    Handle handle;
    if (i % 3 == 0) {
      int fds[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
      close(fds[1]);
      handle = Handle(HandleType::socket, fds[0]);
    }
    echo.send(i, std::move(handle));
  }

  primary.run();

  ASSERT_EQ(order.size(), 40U);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(with_handle[static_cast<std::size_t>(i)], i % 3 == 0);
  }
}

TEST_P(MessagesIn, LeaveNoDescriptorBehind) {
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  std::size_t before = 0;
  int left = 100;
  const auto send_socket = [&] {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    close(fds[1]);
    echo.send("handle", Handle(HandleType::socket, fds[0]));
  };
  echo.on_message([&](Message&) {
    if (--left == 90) before = open_descriptors(getpid());
    if (left > 0) return send_socket();
    // What may take long to close is closed by another thread.
    primary.loop.set_interval(std::chrono::milliseconds(1), [&] {
      if (open_descriptors(getpid()) > before) return;
      primary.finish();
      primary.loop.stop();
    });
  });
  send_socket();

  primary.run();

  EXPECT_EQ(left, 0);
}

TEST(Messages, OfManyBytesPerCharacterAreWholeHoweverTheyAreRead) {
  Primary primary;
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += i % 3 == 0 ? "x" : i % 3 == 1 ? "\xc3\xa9" : "\xf0\x9f\x98\x80";
  Value received;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    received = message.data;
    primary.finish();
  });
  echo.send(text);

  primary.run();

  EXPECT_TRUE(received == Value(text));
}

TEST(Messages, ReachTheWorkerObjectInTheWorkerToo) {
  Primary primary;
  Value told;
  std::optional<ExitStatus> status;
  Worker w = primary.cluster.fork(worker("HearsAsWorker"));
  w.on_message([&](Message& message) {
    told = message.data;
    EXPECT_EQ(w.disconnect(), w);
  });
  w.on_exit([&](ExitStatus s) { status = s; });
  w.send("hello");

  primary.run();

  EXPECT_EQ(told, Value("worker hello, process hello"));
  EXPECT_EQ(status, ExitStatus::exited(0));
}

WORKER(HearsAsWorker) {
  auto heard = std::make_shared<std::string>();
  cluster.worker()->on_message([heard](Message& message) { *heard = "worker " + message.data.as_string(); });
  cluster.process().on_message([heard, self = cluster.worker()](Message& message) mutable {
    self->send(*heard + ", process " + message.data.as_string());
  });
  return loop.run();
}

TEST(Messages, ThatLookInternalChangeNothingInAWorker) {
  Primary primary;
  std::vector<Value> received;
  std::optional<ExitStatus> status;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  echo.on_message([&](Message& message) {
    received.push_back(message.data);
    echo.disconnect();
  });
  echo.on_exit([&](ExitStatus s) { status = s; });
  echo.on_online([&] {
    echo.send(Value{{"cmd", "NODE_CLUSTER"}, {"ack", 4711}, {"accepted", true}});
    echo.send(Value{{"cmd", "NODE_CLUSTER"}, {"act", "newconn"}, {"key", "nobody's"}, {"seq", 7}});
    echo.send(Value{{"cmd", "NODE_SOMETHING"}});
    echo.send("after");
  });

  primary.run();

  EXPECT_EQ(received, std::vector<Value>{"after"});
  EXPECT_EQ(status, ExitStatus::exited(0));
}

TEST(Messages, NeedNoListenerInAWorkerThatSendsAndSaysGoodbye) {
  Primary primary;
  Settings settings;
  settings.silent = true;
  primary.cluster.setup_primary(settings);
  std::string output;
  Worker w = primary.cluster.fork(worker("SendsByTimer"));
  w.process().stdout_stream().on_data([&](std::string_view bytes) { output += bytes; });
  w.on_message([&](Message&) { w.process().disconnect(); });

  primary.run();

  EXPECT_EQ(output, "disconnected\n");
}

WORKER(SendsByTimer) {
  loop.set_timeout(std::chrono::milliseconds(1), [self = cluster.process()]() mutable { self.send("tick"); });
  cluster.process().on_disconnect([] {
    std::puts("disconnected");
    std::fflush(stdout);
  });
  return loop.run();
}

TEST(Messages, OfHundredsOfKilobytesKeepTheirSocketOnTheWayThereAndBack) {
  Primary primary;
  const std::string text(800'000, 'm');
  Value received;
  std::string heard;
  std::vector<bool> with_handle;
  net::Socket client;
  net::Socket back;
  Worker echo = primary.cluster.fork(worker("EchoMessages"));
  auto server = net::create_server(primary.cluster, [&](net::Socket socket) {
    echo.send("before");
    echo.send(text, socket.to_handle());
    echo.send("after");
  });
  server.listen(0, [&] {
    client = net::connect(primary.loop, server.address()->port.value());
    client.on_data([&](std::string_view bytes) { heard += bytes; });
    client.on_close([&] {
      server.close();
      primary.finish();
    });
  });
  echo.on_message([&](Message& message) {
    with_handle.push_back(static_cast<bool>(message.handle));
    if (!message.handle) return;
    received = message.data;
    back = net::from_handle(primary.loop, std::move(message.handle));
    back.on_data([](std::string_view) {});
    back.end("it went round");
  });

  primary.run();

  EXPECT_TRUE(received == Value(text));
  EXPECT_EQ(heard, "it went round");
  EXPECT_EQ(with_handle, (std::vector<bool>{false, true, false}));
}

}  // namespace
}  // namespace muster::test
