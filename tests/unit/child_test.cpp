// SPDX-License-Identifier: MIT
#include "core/child.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "core/effect_text.h"

namespace muster::core {
namespace {

using Lines = std::vector<std::string>;

Lines effects(Child& child) {
  Lines lines;
  while (const auto effect = child.poll_effect()) lines.push_back(to_string(*effect));
  return lines;
}

wire::ListenQuery port(int number) {
  wire::ListenQuery query;
  query.address = "127.0.0.1";
  query.port = number;
  query.address_type = AddressType::tcp4;
  return query;
}

wire::ClusterMessage answer(std::uint64_t ack, wire::ServerAnswer server) {
  return {wire::Reply{Seq{ack}, {}, std::move(server)}, Seq{1}};
}
wire::ClusterMessage connection(std::string key, std::uint64_t seq) { return {wire::NewConnection{std::move(key)}, Seq{seq}}; }

// A worker that has said that it is online, with message 0; its servers listen under "k1", "k2", ...
// and have asked with messages 1, 2, ...
struct Worker {
  explicit Worker(int servers = 0) : child(WorkerId{1}) {
    for (int i = 1; i <= servers; ++i) ids.push_back(child.listen(port(80 + i)));
    for (int i = 1; i <= servers; ++i) {
      child.handle_message(answer(static_cast<std::uint64_t>(i), {{}, "k" + std::to_string(i)}), {});
    }
    effects(child);
  }

  Child child;
  std::vector<ServerId> ids;
};

TEST(Child, SaysOnlineFirst) {
  Child child(WorkerId{3});

  EXPECT_EQ(effects(child), Lines{R"(send "act":"online","muster":2)"});
  EXPECT_EQ(child.id(), WorkerId{3});
  EXPECT_EQ(child.exited_after_disconnect(), std::nullopt);
}

TEST(Child, KnowsAPrimaryOfItsOwnKindWhenThatSaysSo) {
  Child child(WorkerId{3});
  EXPECT_FALSE(child.muster_primary());

  child.handle_message({wire::Muster{1}, Seq{0}}, {});

  EXPECT_TRUE(child.muster_primary());
}

TEST(Child, AsksForASocketAndListensByThePrimary) {
  Worker worker;

  const ServerId id = worker.child.listen(port(80));
  EXPECT_EQ(
      effects(worker.child),
      Lines{R"(send "act":"queryServer","index":0,"data":null,"address":"127.0.0.1","port":80,"addressType":4,"backlog":0)"});
  worker.child.handle_message(answer(1, {{}, "k", nullptr, wire::SocketName{"127.0.0.1", false, 80}}), {});
  EXPECT_EQ(effects(worker.child), Lines{"listening 1 80"});
  worker.child.announce(id, 80);

  EXPECT_EQ(
      effects(worker.child),
      Lines{R"(send "act":"listening","index":0,"data":null,"address":"127.0.0.1","port":80,"addressType":4,"backlog":0)"});
}

TEST(Child, AnnouncesTheRealPortAndThePortOfAPipeAsItWas) {
  Worker worker;
  const ServerId any = worker.child.listen(port(0));
  wire::ListenQuery pipe;
  pipe.address = "/x";
  pipe.port = -1;
  pipe.address_type = AddressType::pipe;
  const ServerId path = worker.child.listen(pipe);
  worker.child.handle_message({wire::Reply{Seq{1}, {}, wire::ServerAnswer{{}, "any"}}}, {});
  worker.child.handle_message({wire::Reply{Seq{2}, {}, wire::ServerAnswer{{}, "path"}}}, {});
  effects(worker.child);

  worker.child.announce(any, 43210);
  worker.child.announce(path, {});

  const Lines lines = effects(worker.child);
  EXPECT_NE(lines.at(0).find("\"port\":43210"), std::string::npos);
  EXPECT_NE(lines.at(1).find("\"port\":-1"), std::string::npos);
}

TEST(Child, OwnsTheDescriptorThatItShares) {
  Worker worker;
  worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_message(answer(1, {0, "k"}), FdToken{5});

  EXPECT_EQ(effects(worker.child), Lines{"shared 1 fd5"});
}

TEST(Child, FailsWhenTheDescriptorThatItWasToShareGotLost) {
  Worker worker;
  worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_message(answer(1, {0, "k"}), {});

  EXPECT_EQ(effects(worker.child), (Lines{R"(send "act":"close","key":"k")", "error 1 bind EMFILE 127.0.0.1:80"}));
}

TEST(Child, NumbersTheListensOfOneAddressAndStartsAgainWhenNoneIsLeft) {
  Worker worker;
  const auto index = [&worker](int number, ServerId* id = nullptr) {
    const ServerId asked = worker.child.listen(port(number));
    if (id) *id = asked;
    const std::string line = effects(worker.child).at(0);
    return line.substr(line.find("\"index\":") + 8, 1);
  };
  ServerId first{}, second{};

  EXPECT_EQ(index(0, &first), "0");
  EXPECT_EQ(index(0, &second), "1");
  EXPECT_EQ(index(80), "0");
  worker.child.close(first);
  worker.child.handle_server_closed(first);
  EXPECT_EQ(index(0, &first), "2");
  for (const ServerId id : {first, second}) {
    worker.child.close(id);
    worker.child.handle_server_closed(id);
  }
  EXPECT_EQ(index(0), "0");
}

TEST(Child, ReportsWhyItCannotListenAsNodeDoes) {
  for (const auto& [error_number, message] : {std::pair{-EADDRINUSE, "error 1 bind EADDRINUSE 127.0.0.1:80"},
                                              {-EACCES, "error 1 bind EACCES 127.0.0.1:80"},
                                              {-9999, "error 1 bind Unknown system error -9999 127.0.0.1:80"},
                                              {5, "error 1 bind EINVAL 127.0.0.1:80"},
                                              {INT_MIN, "error 1 bind EINVAL 127.0.0.1:80"}}) {
    Worker worker;
    const ServerId id = worker.child.listen(port(80));
    effects(worker.child);

    worker.child.handle_message(answer(1, {error_number, "k"}), FdToken{5});

    EXPECT_EQ(effects(worker.child), (Lines{"close fd5", message}));
    worker.child.close(id);
    EXPECT_EQ(effects(worker.child), Lines{});
  }
}

TEST(Child, ClosesAServerThatWasClosedBeforeTheAnswerCame) {
  for (const bool forgotten : {false, true}) {
    Worker worker;
    const ServerId id = worker.child.listen(port(80));
    worker.child.close(id);
    if (forgotten) worker.child.handle_server_closed(id);
    effects(worker.child);

    worker.child.handle_message(answer(1, {0, "k"}), FdToken{5});

    EXPECT_EQ(effects(worker.child), (Lines{"close fd5", R"(send "act":"close","key":"k")"}));
    worker.child.announce(id, 80);
    EXPECT_EQ(effects(worker.child), Lines{});
  }
}

TEST(Child, SaysNothingOfAServerThatWasClosedBeforeItFailed) {
  Worker worker;
  worker.child.close(worker.child.listen(port(80)));
  effects(worker.child);

  worker.child.handle_message(answer(1, {-EADDRINUSE, "k"}), {});

  EXPECT_EQ(effects(worker.child), Lines{});
}

TEST(Child, SurvivesAServerThatEndsWithoutAWord) {
  Worker worker(1);
  const ServerId asking = worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_server_closed(asking);
  worker.child.handle_server_closed(worker.ids[0]);
  worker.child.handle_message(answer(2, {{}, "k"}), {});

  EXPECT_EQ(effects(worker.child), (Lines{R"(send "act":"close","key":"k1")", R"(send "act":"close","key":"k")"}));
}

TEST(Child, RefusesAKeyThatNamesAnotherOfItsServers) {
  Worker worker(1);
  worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_message(answer(2, {0, "k1"}), FdToken{5});

  EXPECT_EQ(effects(worker.child), (Lines{"close fd5", "error 2 bind EADDRINUSE 127.0.0.1:80"}));
}

TEST(Child, TakesAnAnswerOnceAndOnlyToWhatItAsked) {
  Worker worker;
  worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_message(answer(77, {0, "k"}), FdToken{5});
  worker.child.handle_message(answer(0, {0, "k"}), FdToken{6});
  EXPECT_EQ(effects(worker.child), (Lines{"close fd5", "close fd6"}));
  worker.child.handle_message(answer(1, {{}, "k"}), {});
  EXPECT_EQ(effects(worker.child), Lines{"listening 1"});
  worker.child.handle_message(answer(1, {0, "k"}), FdToken{7});

  EXPECT_EQ(effects(worker.child), Lines{"close fd7"});
}

TEST(Child, ListensOnAnAnswerThatSaysNothing) {
  Worker worker;
  worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_message({wire::Reply{Seq{1}}}, {});

  EXPECT_EQ(effects(worker.child), Lines{"listening 1"});
}

TEST(Child, AcceptsAConnectionBeforeTheProgramSeesIt) {
  Worker worker(1);

  worker.child.handle_message(connection("k1", 9), FdToken{5});

  EXPECT_EQ(effects(worker.child), (Lines{R"(send "ack":9,"accepted":true)", "connection 1 fd5"}));
}

TEST(Child, RefusesAConnectionForAServerThatItDoesNotHave) {
  Worker worker(1);
  worker.child.close(worker.ids[0]);
  effects(worker.child);

  worker.child.handle_message(connection("k1", 9), FdToken{5});
  worker.child.handle_message(connection("", 10), FdToken{6});

  EXPECT_EQ(effects(worker.child),
            (Lines{R"(send "ack":9,"accepted":false)", "close fd5", R"(send "ack":10,"accepted":false)", "close fd6"}));
}

TEST(Child, RefusesAConnectionThatGotLost) {
  Worker worker(1);

  worker.child.handle_message(connection("k1", 9), {});

  EXPECT_EQ(effects(worker.child), Lines{R"(send "ack":9,"accepted":false)"});
}

TEST(Child, RefusesAConnectionOverTheLimit) {
  Worker worker(1);
  worker.child.set_limit(worker.ids[0], 1, false);
  worker.child.handle_message(connection("k1", 1), FdToken{5});
  effects(worker.child);

  worker.child.handle_message(connection("k1", 2), FdToken{6});
  EXPECT_EQ(effects(worker.child), (Lines{R"(send "ack":2,"accepted":false)", "close fd6"}));
  worker.child.handle_connection_closed(worker.ids[0]);
  worker.child.handle_message(connection("k1", 3), FdToken{7});

  EXPECT_EQ(effects(worker.child), (Lines{R"(send "ack":3,"accepted":true)", "connection 1 fd7"}));
}

TEST(Child, DropsAConnectionOverTheLimitWhereItIsAskedTo) {
  Worker worker(1);
  worker.child.set_limit(worker.ids[0], 0, true);

  worker.child.handle_message(connection("k1", 2), FdToken{6});

  EXPECT_EQ(effects(worker.child), (Lines{R"(send "ack":2,"accepted":true)", "drop 1 fd6"}));
}

TEST(Child, HasNoLimitUnlessItIsToldOne) {
  Worker worker(1);
  worker.child.set_limit(worker.ids[0], 1, true);
  worker.child.set_limit(worker.ids[0], {}, false);
  for (std::uint64_t i = 0; i < 100; ++i) worker.child.handle_message(connection("k1", i), FdToken{i});

  for (const std::string& line : effects(worker.child)) EXPECT_EQ(line.find("false"), std::string::npos);
}

// A server that accepts for itself closed with connections open, and the worker aborted at their end.
TEST(Child, SurvivesTheEndOfAConnectionThatItDidNotCount) {
  Worker worker;
  const ServerId alone = worker.child.listen_alone();
  effects(worker.child);

  worker.child.handle_connection_closed(alone);
  worker.child.handle_connection_closed(ServerId{77});

  EXPECT_EQ(effects(worker.child), Lines{});
}

TEST(Child, TellsThePrimaryNothingOfAServerAlone) {
  Worker worker;
  const ServerId alone = worker.child.listen_alone();

  worker.child.close(alone);
  worker.child.handle_server_closed(alone);

  EXPECT_EQ(effects(worker.child), Lines{});
}

TEST(Child, ClosesAServerOnce) {
  Worker worker(1);

  worker.child.close(worker.ids[0]);
  worker.child.close(worker.ids[0]);
  worker.child.handle_server_closed(worker.ids[0]);
  worker.child.handle_server_closed(worker.ids[0]);
  worker.child.close(worker.ids[0]);

  EXPECT_EQ(effects(worker.child), Lines{R"(send "act":"close","key":"k1")"});
}

// 5.4, the primary asks: no exitedAfterDisconnect message.
TEST(Child, LeavesWhenThePrimaryAsksAndItsLastConnectionHasEnded) {
  Worker worker(2);

  worker.child.handle_message({wire::Disconnect{}}, {});
  EXPECT_EQ(effects(worker.child), (Lines{"close server 1", "close server 2"}));
  EXPECT_EQ(worker.child.exited_after_disconnect(), true);
  for (const ServerId id : worker.ids) worker.child.close(id);
  EXPECT_EQ(effects(worker.child), (Lines{R"(send "act":"close","key":"k1")", R"(send "act":"close","key":"k2")"}));
  worker.child.handle_server_closed(worker.ids[0]);
  EXPECT_EQ(effects(worker.child), Lines{});
  worker.child.handle_server_closed(worker.ids[1]);

  EXPECT_EQ(effects(worker.child), Lines{"disconnect channel"});
  worker.child.handle_channel_closed();
  EXPECT_EQ(effects(worker.child), Lines{"disconnect"});
}

// From the other side.
TEST(Child, LeavesOnceHoweverOftenItIsAsked) {
  Worker worker(1);

  for (int i = 0; i < 3; ++i) worker.child.handle_message({wire::Disconnect{}}, {});
  worker.child.disconnect();
  worker.child.close(worker.ids[0]);
  worker.child.handle_server_closed(worker.ids[0]);
  worker.child.handle_message({wire::Disconnect{}}, {});

  EXPECT_EQ(effects(worker.child), (Lines{"close server 1", R"(send "act":"close","key":"k1")", "disconnect channel"}));
}

TEST(Child, LeavesByItselfOnceThePrimaryKnows) {
  Worker worker(1);

  worker.child.disconnect();
  worker.child.close(worker.ids[0]);
  worker.child.handle_server_closed(worker.ids[0]);
  EXPECT_EQ(effects(worker.child),
            (Lines{"close server 1", R"(send "act":"close","key":"k1")", R"(send "act":"exitedAfterDisconnect")"}));
  EXPECT_EQ(worker.child.exited_after_disconnect(), std::nullopt);
  worker.child.handle_message({wire::Reply{Seq{3}}}, {});  // it asked with message 3

  EXPECT_EQ(effects(worker.child), Lines{"disconnect channel"});
  EXPECT_EQ(worker.child.exited_after_disconnect(), true);
  worker.child.handle_channel_closed();
  EXPECT_EQ(effects(worker.child), Lines{"disconnect"});
}

TEST(Child, DoesNotWaitForWhatItsLeavingClosesBeforeTheAnswer) {
  Worker worker;
  const ServerId asking = worker.child.listen(port(80));
  effects(worker.child);

  worker.child.handle_message({wire::Disconnect{}}, {});
  EXPECT_EQ(effects(worker.child), Lines{"close server 1"});
  worker.child.close(asking);
  worker.child.handle_server_closed(asking);

  EXPECT_EQ(effects(worker.child), Lines{"disconnect channel"});
}

// The primary does not answer a worker that it told to leave: such a server would have held it for ever.
TEST(Child, ClosesAServerThatBeginsToListenWhileTheWorkerLeaves) {
  Worker worker(1);
  worker.child.handle_message({wire::Disconnect{}}, {});
  effects(worker.child);

  const ServerId late = worker.child.listen(port(90));
  const ServerId alone = worker.child.listen_alone();
  EXPECT_EQ(effects(worker.child), (Lines{"close server 2", "close server 3"}));
  for (const ServerId id : {worker.ids[0], late, alone}) {
    worker.child.close(id);
    worker.child.handle_server_closed(id);
  }

  EXPECT_EQ(effects(worker.child).back(), "disconnect channel");
}

TEST(Child, IsKilledWithoutClosingItsServers) {
  Worker worker(1);

  worker.child.kill();
  EXPECT_EQ(effects(worker.child), Lines{R"(send "act":"exitedAfterDisconnect")"});
  worker.child.handle_message({wire::Reply{Seq{2}}}, {});
  EXPECT_EQ(effects(worker.child), Lines{"disconnect channel"});
  worker.child.handle_channel_closed();

  EXPECT_EQ(effects(worker.child), (Lines{"disconnect", "exit 0"}));
  EXPECT_EQ(worker.child.exited_after_disconnect(), true);
}

TEST(Child, IsKilledWhateverItsLeavingWaitsFor) {
  Worker waits_for_servers(1);
  waits_for_servers.child.disconnect();
  waits_for_servers.child.kill();
  EXPECT_EQ(effects(waits_for_servers.child), (Lines{"close server 1", R"(send "act":"exitedAfterDisconnect")"}));

  Worker waits_for_the_primary;
  waits_for_the_primary.child.disconnect();
  waits_for_the_primary.child.kill();
  waits_for_the_primary.child.handle_message({wire::Reply{Seq{1}}}, {});
  waits_for_the_primary.child.handle_channel_closed();
  EXPECT_EQ(effects(waits_for_the_primary.child),
            (Lines{R"(send "act":"exitedAfterDisconnect")", "disconnect channel", "disconnect", "exit 0"}));

  Worker waits_for_the_channel;
  waits_for_the_channel.child.handle_message({wire::Disconnect{}}, {});
  waits_for_the_channel.child.kill();
  waits_for_the_channel.child.handle_channel_closed();
  EXPECT_EQ(effects(waits_for_the_channel.child), (Lines{"disconnect channel", "disconnect", "exit 0"}));
}

TEST(Child, IsKilledAtOnceWhenItIsDisconnectedAlready) {
  Worker worker;
  worker.child.handle_message({wire::Disconnect{}}, {});
  worker.child.handle_channel_closed();
  effects(worker.child);

  worker.child.kill();

  EXPECT_EQ(effects(worker.child), Lines{"exit 0"});
}

TEST(Child, DoesNotGoOnWithoutItsPrimary) {
  Worker worker(1);

  worker.child.handle_channel_closed();
  worker.child.handle_channel_closed();

  EXPECT_EQ(effects(worker.child), (Lines{"disconnect", "exit 0"}));
  EXPECT_EQ(worker.child.exited_after_disconnect(), false);
}

TEST(Child, SendsNothingOnceTheChannelHasClosed) {
  Worker worker(1);
  worker.child.handle_channel_closed();
  effects(worker.child);

  const ServerId late = worker.child.listen(port(80));
  EXPECT_EQ(effects(worker.child), Lines{"close server 2"});
  worker.child.announce(worker.ids[0], 80);
  worker.child.close(worker.ids[0]);
  worker.child.close(late);
  worker.child.disconnect();
  worker.child.handle_server_closed(worker.ids[0]);
  worker.child.handle_server_closed(late);

  EXPECT_EQ(effects(worker.child), Lines{});
}

TEST(Child, IgnoresWhatOnlyAWorkerSaysAndClosesWhatComesWithIt) {
  Worker worker(1);
  std::uint64_t fd = 5;
  for (const wire::Body& body :
       {wire::Body{wire::Unknown{}}, wire::Body{wire::Online{}}, wire::Body{wire::QueryServer{}}, wire::Body{wire::Listening{}},
        wire::Body{wire::Close{"k1"}}, wire::Body{wire::ExitedAfterDisconnect{}}, wire::Body{wire::Reply{Seq{50}}}}) {
    worker.child.handle_message({body}, FdToken{fd});
    EXPECT_EQ(effects(worker.child), Lines{"close fd" + std::to_string(fd)});
    ++fd;
  }
  worker.child.handle_message({wire::Disconnect{}}, FdToken{fd});

  EXPECT_EQ(effects(worker.child), (Lines{"close server 1", "close fd" + std::to_string(fd)}));
}

// A primary that says anything at any time. Each descriptor is closed or given to a server exactly once.
TEST(Child, SurvivesAPrimaryThatSaysAnything) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](unsigned n) { return static_cast<int>(random() % n); };
    Child child(WorkerId{1});
    std::set<FdToken> open;
    std::uint64_t next_fd = 0;
    std::vector<ServerId> to_close;
    const auto perform = [&] {
      while (const auto effect = child.poll_effect()) {
        if (const auto* close = std::get_if<CloseDescriptor>(&*effect)) {
          ASSERT_EQ(open.erase(close->descriptor), 1U) << seed;
        } else if (const auto* send = std::get_if<SendToPrimary>(&*effect)) {
          wire::encode(Serialization::json, send->message);
        } else if (const auto* event = std::get_if<ChildEvent>(&*effect)) {
          if (const auto* connection = std::get_if<ConnectionEvent>(event)) {
            ASSERT_EQ(open.erase(connection->connection), 1U) << seed;
          } else if (const auto* drop = std::get_if<DropEvent>(event)) {
            ASSERT_EQ(open.erase(drop->connection), 1U) << seed;
          } else if (const auto* shared = std::get_if<ServerSharedEvent>(event)) {
            ASSERT_EQ(open.erase(shared->descriptor), 1U) << seed;
          } else if (const auto* server = std::get_if<CloseServerEvent>(event)) {
            to_close.push_back(server->server);
          }
        }
      }
    };
    for (int step = 0; step < 200; ++step) {
      const ServerId server{static_cast<std::uint32_t>(below(12))};
      const std::string key = "k" + std::to_string(below(4));
      std::optional<FdToken> descriptor;
      if (below(2) == 0) open.insert(descriptor.emplace(FdToken{++next_fd}));
      wire::ClusterMessage message{wire::Unknown{}, Seq{static_cast<std::uint64_t>(below(60))}};
      switch (below(6)) {
        case 0: message.body = wire::NewConnection{key}; break;
        case 1:
          if (below(20) == 0) message.body = wire::Disconnect{};
          break;
        case 2: message.body = wire::Reply{Seq{static_cast<std::uint64_t>(below(60))}}; break;
        case 3: message.body = wire::Online{}; break;
        default:
          message.body = wire::Reply{Seq{static_cast<std::uint64_t>(below(60))}, {}, wire::ServerAnswer{below(3) - 1, key}};
          if (below(2) == 0) std::get<wire::Reply>(message.body).server->error_number.reset();
      }
      child.handle_message(std::move(message), descriptor);
      switch (below(12)) {
        case 0:
        case 1: child.listen(port(below(3))); break;
        case 2: child.listen_alone(); break;
        case 3: child.close(server); break;
        case 4: child.handle_server_closed(server); break;
        case 5: child.handle_connection_closed(server); break;
        case 6: child.set_limit(server, below(3), below(2) == 0); break;
        case 7: child.announce(server, 80); break;
        case 8:
          if (below(40) == 0) child.disconnect();
          break;
        case 9:
          if (below(40) == 0) child.kill();
          break;
        case 10:
          if (below(80) == 0) child.handle_channel_closed();
          break;
        default:
          for (const ServerId id : std::exchange(to_close, {})) {
            child.close(id);
            child.handle_server_closed(id);
          }
      }
      perform();
      ASSERT_TRUE(open.empty()) << seed;
    }
  }
}

TEST(Child, SaysWhenItHasMappedItsBoard) {
  Worker worker;
  worker.child.handle_message({wire::Muster{1}, Seq{1}}, FdToken{5});
  EXPECT_EQ(effects(worker.child), Lines{"map fd5"});

  worker.child.handle_board();

  EXPECT_EQ(effects(worker.child), Lines{R"(send "act":"muster","muster":1)"});
}

TEST(Child, TakesAVersionThatItDoesNotKnowForPlainNode) {
  for (const wire::ExtensionVersion unknown : {wire::no_extension, wire::newest_extension + 1}) {
    Worker worker;

    worker.child.handle_message({wire::Muster{unknown}, Seq{1}}, FdToken{5});

    EXPECT_EQ(effects(worker.child), Lines{"close fd5"});
    EXPECT_FALSE(worker.child.muster_primary());
  }
}

TEST(Child, AnswersForEachConnectionOfAnOffer) {
  Worker worker(1);
  worker.child.set_limit(worker.ids[0], 1, false);

  worker.child.handle_offered("k1", 7, FdToken{10}, true);
  worker.child.handle_offered("k1", 8, FdToken{11}, true);   // one too many
  worker.child.handle_offered("k1", 9, FdToken{12}, false);  // another has it by now
  worker.child.handle_offered("k1", 10, {}, false);          // did not come
  worker.child.handle_withdrawn(11);
  worker.child.handle_offered("none", 12, FdToken{13}, true);
  worker.child.answer_offers();
  worker.child.answer_offers();

  EXPECT_EQ(effects(worker.child), (Lines{"connection 1 fd10", "close fd11", "close fd12", "close fd13", "answer 7 arvnvr"}));
  EXPECT_EQ(worker.child.connections(), 1U);
  worker.child.handle_connection_closed(worker.ids[0]);
  EXPECT_EQ(worker.child.connections(), 0U);
}

}  // namespace
}  // namespace muster::core
