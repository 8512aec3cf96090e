// SPDX-License-Identifier: MIT
#include "core/primary.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <random>
#include <set>

#include "core/effect_text.h"
#include "core/wire.h"

namespace muster::core {
namespace {

constexpr WorkerId one{1}, two{2};

using Lines = std::vector<std::string>;

Lines effects(Primary& primary) {
  Lines lines;
  while (const auto effect = primary.poll_effect()) lines.push_back(to_string(*effect));
  return lines;
}

Settings settings() {
  Settings settings;
  settings.exec = "/bin/app";
  return settings;
}

wire::ListenQuery port(int number) {
  wire::ListenQuery query;
  query.port = number;
  query.address_type = AddressType::tcp4;
  return query;
}

wire::ClusterMessage query(const wire::ListenQuery& query, std::uint64_t seq) { return {wire::QueryServer{query}, Seq{seq}}; }
wire::ClusterMessage reply(std::uint64_t ack, bool accepted) { return {wire::Reply{Seq{ack}, accepted}, Seq{99}}; }

// A primary with so many workers that are online, and nothing left to do.
struct Cluster {
  explicit Cluster(int workers, SchedulingPolicy policy = SchedulingPolicy::round_robin, Settings defaults = settings())
      : primary(std::move(defaults), policy) {
    for (int i = 1; i <= workers; ++i) {
      records.push_back(primary.fork(primary.take_id(), Env{}));
      primary.handle_spawned(records.back()->id, 1000 + i);
      primary.handle_message(records.back()->id, {wire::Online{}, Seq{0}});
    }
    effects(primary);
  }
  // The worker has gone, in the usual order.
  void die(WorkerId worker) {
    primary.handle_channel_closed(worker);
    primary.handle_exit(worker, ExitStatus::exited(0));
  }

  Primary primary;
  std::vector<std::shared_ptr<const WorkerRecord>> records;
};

// Its workers are started with queues.
struct NodeCluster : Cluster {
  static Settings node() {
    Settings node = settings();
    node.exec_path = "node";
    return node;
  }
  NodeCluster() : Cluster(1, SchedulingPolicy::round_robin, node()) {}
};

const std::string answer_80 = R"("errno":null,"key":"null:80:4:undefined","ack":1,"data":null)";

// The workers listen on port 80, by a listener with id 1. The primary has sent as many answers.
void listen_on_80(Cluster& cluster) {
  for (const auto& record : cluster.records) cluster.primary.handle_message(record->id, query(port(80), 1));
  cluster.primary.handle_listening(ListenerId{1}, {});
  effects(cluster.primary);
}

TEST(Primary, ForksInNodesOrder) {
  Primary primary(settings(), SchedulingPolicy::round_robin);

  const auto worker = primary.fork(primary.take_id(), Env{});
  EXPECT_EQ(worker->id, one);
  EXPECT_TRUE(worker->connected);
  EXPECT_EQ(worker->lifecycle.state(), State::none);
  EXPECT_EQ(primary.workers().size(), 1U);
  EXPECT_EQ(effects(primary), (Lines{"setup", "spawn 1"}));
  primary.handle_spawned(one, 77);
  primary.handle_message(one, {wire::Online{}});
  primary.handle_message(one, {wire::Listening{port(80)}});

  EXPECT_EQ(worker->pid, 77);
  EXPECT_EQ(effects(primary), (Lines{"fork 1", "online 1", "listening 1 null:80"}));
}

TEST(Primary, TellsAWorkerOfItsOwnKindThatItIsToo) {
  Primary primary({.exec = "/bin/app"}, SchedulingPolicy::round_robin);
  const auto worker = primary.fork(primary.take_id(), Env{});
  const auto other = primary.fork(primary.take_id(), Env{});
  primary.handle_spawned(worker->id, 77);
  primary.handle_spawned(other->id, 78);
  effects(primary);

  primary.handle_message(worker->id, {wire::Online{wire::newest_extension}});
  primary.handle_message(other->id, {wire::Online{}});

  EXPECT_EQ(effects(primary), (Lines{"board 1", "online 1", "online 2"}));
  EXPECT_TRUE(worker->muster);
  EXPECT_FALSE(other->muster);
}

TEST(Primary, AnswersANewerWorkerWithItsOwnVersionAndAnOlderOneAsNode) {
  Primary primary({.exec = "/bin/app"}, SchedulingPolicy::round_robin);
  const auto newer = primary.fork(primary.take_id(), Env{});
  const auto older = primary.fork(primary.take_id(), Env{});
  primary.handle_spawned(newer->id, 77);
  primary.handle_spawned(older->id, 78);
  effects(primary);

  primary.handle_message(newer->id, {wire::Online{wire::newest_extension + 5}});
  const auto answer = primary.poll_effect();
  ASSERT_TRUE(answer && std::holds_alternative<ShareBoard>(*answer));
  EXPECT_EQ(std::get<wire::Muster>(std::get<ShareBoard>(*answer).message.body).extension, wire::newest_extension);
  effects(primary);
  primary.handle_message(older->id, {wire::Online{wire::oldest_extension - 1}});

  EXPECT_EQ(effects(primary), Lines{"online 2"});
  EXPECT_FALSE(older->muster);
}

TEST(Primary, NumbersWorkersAndNeverReusesANumber) {
  Cluster cluster(2);
  cluster.die(two);

  EXPECT_EQ(cluster.primary.fork(cluster.primary.take_id(), Env{})->id, WorkerId{3});
}

TEST(Primary, ForksNothingForSettingsThatCannotBe) {
  Primary primary(settings(), SchedulingPolicy::round_robin);
  Settings none;
  none.stdio = Stdio{{StdioEntry::Kind::inherit}};
  primary.setup_primary(none);
  effects(primary);

  EXPECT_THROW(primary.fork(primary.take_id(), Env{}), Exception);

  EXPECT_EQ(effects(primary), Lines{});
  EXPECT_TRUE(primary.workers().empty());
}

TEST(Primary, AccumulatesSettings) {
  Primary primary(settings(), SchedulingPolicy::round_robin);
  Settings first, second;
  first.args = {{"a"}};
  second.silent = true;

  primary.setup_primary(first);
  primary.setup_primary(second);

  EXPECT_EQ(effects(primary), (Lines{"setup", "setup"}));
  EXPECT_EQ(primary.settings().args, first.args);
  EXPECT_EQ(primary.settings().silent, true);
}

TEST(Primary, FreezesThePolicyAtTheFirstSetup) {
  Primary primary(settings(), SchedulingPolicy::round_robin);
  primary.set_scheduling_policy(SchedulingPolicy::none);
  primary.setup_primary({});
  primary.set_scheduling_policy(SchedulingPolicy::round_robin);

  EXPECT_EQ(primary.scheduling_policy(), SchedulingPolicy::none);
}

TEST(Primary, ReportsAProgramThatCannotBeStartedAsNodeDoes) {
  Primary primary(settings(), SchedulingPolicy::round_robin);
  const auto worker = primary.fork(primary.take_id(), Env{});
  effects(primary);

  primary.handle_spawn_failed(one, system_error(ENOENT, "spawn /bin/app"));

  EXPECT_EQ(effects(primary), (Lines{"error 1 spawn /bin/app ENOENT", "fork 1", "disconnect 1"}));
  EXPECT_FALSE(worker->connected);
  EXPECT_EQ(worker->pid, 0);
  EXPECT_EQ(worker->exited_after_disconnect, false);
  EXPECT_TRUE(primary.workers().empty());
}

TEST(Primary, IsDoneWithDisconnectingWhenAProgramCannotBeStarted) {
  Primary primary(settings(), SchedulingPolicy::round_robin);
  primary.fork(primary.take_id(), Env{});
  primary.disconnect_all(CallbackId{5});
  effects(primary);

  primary.handle_spawn_failed(one, {});

  EXPECT_EQ(effects(primary).back(), "all disconnected 5");
}

TEST(Primary, ReportsDisconnectAndThenExit) {
  Cluster cluster(1);

  cluster.primary.handle_channel_closed(one);
  EXPECT_EQ(cluster.primary.workers().size(), 1U);
  EXPECT_FALSE(cluster.records[0]->connected);
  cluster.primary.handle_exit(one, ExitStatus::exited(3));

  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 1", "exit 1 3"}));
  EXPECT_TRUE(cluster.primary.workers().empty());
  EXPECT_EQ(cluster.records[0]->exited_after_disconnect, false);
  EXPECT_EQ(cluster.records[0]->exit_status, ExitStatus::exited(3));
  EXPECT_EQ(cluster.records[0]->lifecycle.state(), State::dead);
}

TEST(Primary, KeepsAWorkerThatExitedUntilItsChannelCloses) {
  Cluster cluster(1);

  cluster.primary.handle_exit(one, ExitStatus::killed(Signal::kill));
  EXPECT_EQ(cluster.primary.workers().size(), 1U);
  EXPECT_TRUE(cluster.records[0]->connected);
  cluster.primary.handle_channel_closed(one);

  EXPECT_EQ(effects(cluster.primary), (Lines{"exit 1 SIGKILL", "disconnect 1"}));
  EXPECT_TRUE(cluster.primary.workers().empty());
  EXPECT_EQ(cluster.records[0]->lifecycle.state(), State::disconnected);
}

TEST(Primary, TellsEachEndOnce) {
  Cluster cluster(1);
  cluster.primary.handle_channel_closed(one);
  cluster.primary.handle_channel_closed(one);
  cluster.primary.handle_exit(one, ExitStatus::exited(0));
  cluster.primary.handle_exit(one, ExitStatus::exited(0));
  cluster.primary.handle_channel_closed(one);

  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 1", "exit 1 0"}));
}

TEST(Primary, IgnoresTheMessagesOfAWorkerThatIsGone) {
  Cluster cluster(1);
  cluster.die(one);
  effects(cluster.primary);

  for (const wire::Body& body :
       {wire::Body{wire::Online{}}, wire::Body{wire::QueryServer{port(80)}}, wire::Body{wire::Listening{}},
        wire::Body{wire::Close{"k"}}, wire::Body{wire::ExitedAfterDisconnect{}}, wire::Body{wire::Reply{}},
        wire::Body{wire::Unknown{}}, wire::Body{wire::Disconnect{}}, wire::Body{wire::NewConnection{}}}) {
    cluster.primary.handle_message(one, {body, Seq{1}});
    cluster.primary.handle_message(WorkerId{77}, {body, Seq{1}});
  }
  cluster.primary.disconnect(one);

  EXPECT_EQ(effects(cluster.primary), Lines{});
  EXPECT_FALSE(cluster.primary.disconnect_channel(one));
}

TEST(Primary, IgnoresWhatOnlyAPrimarySays) {
  Cluster cluster(1);

  cluster.primary.handle_message(one, {wire::NewConnection{"k"}, Seq{1}});
  cluster.primary.handle_message(one, {wire::Disconnect{}, Seq{2}});
  cluster.primary.handle_message(one, {wire::Unknown{}, Seq{3}});

  EXPECT_EQ(effects(cluster.primary), Lines{});
}

TEST(Primary, ListensOnceForAllWorkersAndAnswersEach) {
  Cluster cluster(2);

  cluster.primary.handle_message(one, query(port(80), 1));
  cluster.primary.handle_message(two, query(port(80), 1));
  EXPECT_EQ(effects(cluster.primary), Lines{"listen 1 null:80:4:undefined"});
  cluster.primary.handle_listening(ListenerId{1}, {0, wire::SocketName{"::", true, 80}});

  const std::string answer = answer_80 + R"(,"sockname":{"address":"::","family":"IPv6","port":80})";
  EXPECT_EQ(effects(cluster.primary), (Lines{"send 1 " + answer, "send 2 " + answer}));
}

TEST(Primary, AnswersAtOnceWhereItListensAlready) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.primary.fork(cluster.primary.take_id(), Env{});
  effects(cluster.primary);

  cluster.primary.handle_message(two, query(port(80), 1));

  EXPECT_EQ(effects(cluster.primary), Lines{"send 2 " + answer_80});
}

TEST(Primary, TellsEveryWorkerWhyItCannotListen) {
  Cluster cluster(2);
  cluster.primary.handle_message(one, query(port(80), 1));
  cluster.primary.handle_message(two, query(port(80), 1));
  effects(cluster.primary);

  cluster.primary.handle_listening(ListenerId{1}, {EADDRINUSE});

  const std::string answer = R"("errno":-98,"key":"null:80:4:undefined","ack":1,"data":null)";
  EXPECT_EQ(effects(cluster.primary), (Lines{"send 1 " + answer, "send 2 " + answer}));
  cluster.primary.handle_message(one, query(port(80), 2));
  EXPECT_EQ(effects(cluster.primary), Lines{"listen 2 null:80:4:undefined"});
}

TEST(Primary, EchoesTheDataOfTheFirstWorkerThatGaveSomeInErrorsToo) {
  Cluster cluster(2);
  wire::ListenQuery first = port(80), second = port(80);
  second.data = Value{{"ticketKeys", "00"}};
  cluster.primary.handle_message(one, query(first, 1));
  cluster.primary.handle_message(two, query(second, 1));
  effects(cluster.primary);

  cluster.primary.handle_listening(ListenerId{1}, {EACCES});

  const std::string answer = R"("errno":-13,"key":"null:80:4:undefined","ack":1,"data":{"ticketKeys":"00"})";
  EXPECT_EQ(effects(cluster.primary), (Lines{"send 1 " + answer, "send 2 " + answer}));
}

TEST(Primary, RefusesTheSameWorkerTheSamePortTwice) {
  for (const bool open : {false, true}) {
    Cluster cluster(1);
    cluster.primary.handle_message(one, query(port(80), 1));
    if (open) cluster.primary.handle_listening(ListenerId{1}, {});
    effects(cluster.primary);

    cluster.primary.handle_message(one, query(port(80), 2));

    EXPECT_EQ(effects(cluster.primary), Lines{R"(send 1 "errno":-98,"key":"null:80:4:undefined:2","ack":2,"data":null)"});
  }
}

TEST(Primary, GivesTheSecondDatagramSocketOfAWorkerToTheSecondOfTheNextToo) {
  Cluster cluster(2);
  wire::ListenQuery udp = port(80);
  udp.address_type = AddressType::udp4;
  for (const std::uint64_t seq : {1, 2}) cluster.primary.handle_message(one, query(udp, seq));
  EXPECT_EQ(effects(cluster.primary), (Lines{"bind 1 null:80:udp4:undefined", "bind 2 null:80:udp4:undefined"}));
  cluster.primary.handle_listening(ListenerId{1}, {0, {}, FdToken{5}});
  cluster.primary.handle_listening(ListenerId{2}, {0, {}, FdToken{6}});
  const Lines answers = effects(cluster.primary);
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_NE(answers[1].find(R"("key":"null:80:udp4:undefined:1")"), std::string::npos) << answers[1];

  for (const std::uint64_t seq : {1, 2}) cluster.primary.handle_message(two, query(udp, seq));

  const Lines others = effects(cluster.primary);
  ASSERT_EQ(others.size(), 2U) << "no third socket";
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(others[i].substr(7), answers[i].substr(7));
}

TEST(Primary, SharesADescriptorUnderPolicyNone) {
  Cluster cluster(2, SchedulingPolicy::none);
  cluster.primary.handle_message(one, query(port(80), 1));
  EXPECT_EQ(effects(cluster.primary), Lines{"bind 1 null:80:4:undefined"});

  cluster.primary.handle_listening(ListenerId{1}, {0, {}, FdToken{5}});
  cluster.primary.handle_message(two, query(port(80), 1));
  const std::string answer = R"("errno":0,"key":"null:80:4:undefined","ack":1,"data":null +fd5)";
  EXPECT_EQ(effects(cluster.primary), (Lines{"send 1 " + answer, "send 2 " + answer}));

  cluster.die(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 1", "exit 1 0"}));
  cluster.primary.handle_message(two, {wire::Close{"null:80:4:undefined"}});
  EXPECT_EQ(effects(cluster.primary), (Lines{"stop 1", "close fd5"}));
}

TEST(Primary, SharesDatagramSocketsWhateverThePolicy) {
  Cluster cluster(1);
  wire::ListenQuery udp = port(53);
  udp.address_type = AddressType::udp4;

  cluster.primary.handle_message(one, query(udp, 1));

  EXPECT_EQ(effects(cluster.primary), Lines{"bind 1 null:53:udp4:undefined"});
}

TEST(Primary, ClosesASharedDescriptorThatNobodyWaitsForAnyMore) {
  Cluster cluster(1, SchedulingPolicy::none);
  cluster.primary.handle_message(one, query(port(80), 1));
  cluster.die(one);
  effects(cluster.primary);

  cluster.primary.handle_listening(ListenerId{1}, {0, {}, FdToken{5}});

  EXPECT_EQ(effects(cluster.primary), (Lines{"stop 1", "close fd5"}));
}

TEST(Primary, LosesAWorkerWhileItsPortIsOpenedAndAnswersTheOther) {
  Cluster cluster(2);
  cluster.primary.handle_message(one, query(port(80), 1));
  cluster.primary.handle_message(two, query(port(80), 1));
  cluster.die(one);
  effects(cluster.primary);

  cluster.primary.handle_listening(ListenerId{1}, {});

  EXPECT_EQ(effects(cluster.primary), Lines{"send 2 " + answer_80});
}

// Workers of muster's, which listen on port 80 and take offers.
struct MusterCluster : Cluster {
  explicit MusterCluster(int workers, SchedulingPolicy policy = SchedulingPolicy::round_robin) : Cluster(0, policy) {
    for (int i = 1; i <= workers; ++i) {
      records.push_back(primary.fork(primary.take_id(), Env{}));
      primary.handle_spawned(records.back()->id, 1000 + i);
      primary.handle_message(records.back()->id, {wire::Online{wire::newest_extension}, Seq{0}});
      boards = effects(primary);
    }
    listen_on_80(*this);
    for (const auto& record : records) primary.handle_message(record->id, {wire::Muster{}, Seq{2}});
    effects(primary);
  }
  void accept(std::vector<FdToken> connections) {
    std::vector<Connection> accepted;
    for (const FdToken connection : connections) accepted.push_back({connection});
    primary.handle_connections(ListenerId{1}, accepted);
  }
  void answer(WorkerId worker, std::uint64_t first, std::string_view outcomes) {
    wire::OfferReply reply{first, {}};
    for (const char outcome : outcomes) reply.outcomes.push_back(static_cast<wire::OfferReply::Outcome>(outcome));
    primary.handle_message(worker, reply);
  }
  Lines boards;
};

TEST(Primary, SharesABoardWithAMusterWorker) {
  MusterCluster cluster(1);

  EXPECT_EQ(cluster.boards, (Lines{"setup", "spawn 1", "fork 1", "board 1", "online 1"}));
}

TEST(Primary, OffersMusterWorkersManyConnectionsAtOnce) {
  MusterCluster cluster(2);

  cluster.accept({FdToken{7}, FdToken{8}, FdToken{9}});

  EXPECT_EQ(effects(cluster.primary),
            (Lines{"watch 1", "offer 1 0 null:80:4:undefined fd7 fd9", "offer 2 0 null:80:4:undefined fd8"}));
  cluster.answer(one, 0, "ar");
  EXPECT_EQ(effects(cluster.primary), (Lines{"close fd7", "rest 1", "offer 2 1 null:80:4:undefined fd9"}));
}

TEST(Primary, DealsToAQueueWhereTheWorkerAskedForOneBeforeItListened) {
  NodeCluster cluster;
  cluster.primary.handle_message(one, {wire::Queue{wire::newest_extension}, Seq{1}});
  listen_on_80(cluster);

  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}, Connection{FdToken{8}}});

  EXPECT_EQ(effects(cluster.primary), (Lines{"watch 1", "enqueue 1 1 fd7 fd8"}));
}

// What is in flight by message is not in the queue, and would never be found there.
TEST(Primary, ChangesNoListenerThatAWorkerHasToAQueue) {
  NodeCluster cluster;
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_message(one, {wire::Queue{wire::newest_extension}, Seq{2}});
  cluster.primary.handle_message(one, {wire::Muster{}, Seq{3}});
  effects(cluster.primary);
  cluster.die(one);

  const Lines all = effects(cluster.primary);
  EXPECT_NE(std::find(all.begin(), all.end(), "close fd7"), all.end());
}

TEST(Primary, SendsMessagesToAWorkerThatGivesItsQueueUp) {
  NodeCluster cluster;
  cluster.primary.handle_message(one, {wire::Queue{wire::newest_extension}, Seq{1}});
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_message(one, {wire::Queue{}, Seq{2}});
  EXPECT_EQ(effects(cluster.primary), Lines{"drain 1"});
  cluster.primary.handle_drained(one, 0, std::array{std::optional(FdToken{9})});

  const Lines all = effects(cluster.primary);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].ends_with("+fd9")) << all[0];
}

TEST(Primary, TakesBackNoMoreFromAWorkerThanItHasRead) {
  NodeCluster cluster;
  cluster.primary.handle_message(one, {wire::Queue{wire::newest_extension}, Seq{1}});
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  cluster.primary.handle_read(one, 1);
  effects(cluster.primary);

  for (const FdToken back : {FdToken{8}, FdToken{9}}) cluster.primary.handle_given_back(one, QueueNumber{1}, {back});

  EXPECT_EQ(effects(cluster.primary), (Lines{"rest 1", "close fd9"}));
}

TEST(Primary, OffersNothingToAWorkerWithoutABoardWhateverItSays) {
  MusterCluster cluster(1);
  cluster.primary.handle_no_board(WorkerId{1});
  cluster.primary.handle_message(WorkerId{1}, {wire::Muster{}, Seq{3}});

  cluster.accept({FdToken{1}, FdToken{2}});

  // One after the other, as to a worker of Node's.
  const Lines all = effects(cluster.primary);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].starts_with("send 1 ")) << all[0];
}

TEST(Primary, TakesBackOffersAndOffersThemToAnother) {
  MusterCluster cluster(2);
  cluster.accept({FdToken{7}, FdToken{8}});
  effects(cluster.primary);
  cluster.primary.handle_look(ListenerId{1});
  cluster.answer(two, 0, "a");
  effects(cluster.primary);

  cluster.primary.handle_look(ListenerId{1});
  EXPECT_EQ(effects(cluster.primary), (Lines{"revoke 1 0 fd7", "watch 1"}));
  cluster.primary.handle_revoked(one, ListenerId{1}, FdToken{7}, 0, Dealer::Revoked::taken_back);

  EXPECT_EQ(effects(cluster.primary), Lines{"offer 2 1 null:80:4:undefined fd7"});
  cluster.answer(one, 0, "v");
  cluster.accept({FdToken{9}, FdToken{10}});
  // It has seen it, and gets its turn again.
  EXPECT_EQ(effects(cluster.primary), (Lines{"offer 2 2 null:80:4:undefined fd9", "offer 1 1 null:80:4:undefined fd10"}));
}

TEST(Primary, TakesBackWhatADeadWorkerHadNotClaimed) {
  MusterCluster cluster(2);
  cluster.accept({FdToken{7}, FdToken{8}});
  effects(cluster.primary);

  cluster.primary.handle_channel_closed(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{"revoke 1 0 fd7", "disconnect 1"}));
  cluster.primary.handle_revoked(one, ListenerId{1}, FdToken{7}, 0, Dealer::Revoked::taken_back);

  EXPECT_EQ(effects(cluster.primary), Lines{"offer 2 1 null:80:4:undefined fd7"});
}

TEST(Primary, IgnoresAnswersToOffersThatItDidNotMake) {
  MusterCluster cluster(2);
  cluster.accept({FdToken{7}});
  effects(cluster.primary);

  cluster.answer(two, 0, "aaa");
  cluster.answer(one, 1, "a");
  EXPECT_EQ(effects(cluster.primary), Lines{});

  cluster.answer(one, 0, "aaa");
  EXPECT_EQ(effects(cluster.primary), Lines{"close fd7"});
}

TEST(Primary, AsksTheProgramForAWorker) {
  MusterCluster cluster(2, SchedulingPolicy::custom);
  cluster.accept({FdToken{7}});
  EXPECT_EQ(effects(cluster.primary), Lines{"choose 1 fd7 of 1 2"});

  cluster.primary.handle_chosen(ListenerId{1}, FdToken{7}, two);

  EXPECT_EQ(effects(cluster.primary), Lines{"offer 2 0 null:80:4:undefined fd7"});
}

// Workers of muster's under the kernel's policy; the first has asked for port 80.
struct KernelCluster : Cluster {
  explicit KernelCluster(int workers) : Cluster(0, SchedulingPolicy::kernel) {
    for (int i = 1; i <= workers; ++i) {
      records.push_back(primary.fork(primary.take_id(), Env{}));
      primary.handle_spawned(records.back()->id, 1000 + i);
      primary.handle_message(records.back()->id, {wire::Online{wire::newest_extension}, Seq{0}});
    }
    effects(primary);
    primary.handle_message(one, query(port(80), 1));
  }
};

TEST(Primary, GivesEachWorkerASocketOfItsOwnUnderTheKernelsPolicy) {
  KernelCluster cluster(2);
  EXPECT_EQ(effects(cluster.primary), Lines{"listen 1 null:80:4:undefined"});
  cluster.primary.handle_listening(ListenerId{1}, {});
  EXPECT_EQ(effects(cluster.primary), Lines{"join 1 1"});

  cluster.primary.handle_joined(ListenerId{1}, one, {0, {}, FdToken{5}, FdToken{6}});
  EXPECT_EQ(effects(cluster.primary), (Lines{R"(send 1 "act":"counters","key":"null:80:4:undefined" +fd6)",
                                             R"(send 1 "errno":0,"key":"null:80:4:undefined","ack":1,"data":null +fd5)"}));

  cluster.primary.handle_message(two, query(port(80), 1));
  EXPECT_EQ(effects(cluster.primary), Lines{"join 1 2"});
  cluster.primary.handle_joined(ListenerId{1}, two, {EMFILE});
  const Lines refused = effects(cluster.primary);
  ASSERT_EQ(refused.size(), 2U);
  EXPECT_EQ(refused[1], "part 1 2");

  cluster.die(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{"part 1 1", "stop 1", "disconnect 1", "exit 1 0"}));
}

TEST(Primary, ClosesTheSocketOfAWorkerThatLeftBeforeItHadIt) {
  KernelCluster cluster(1);
  cluster.primary.handle_listening(ListenerId{1}, {});
  effects(cluster.primary);
  cluster.primary.disconnect(one);
  effects(cluster.primary);

  cluster.primary.handle_joined(ListenerId{1}, one, {0, {}, FdToken{5}, FdToken{6}});

  EXPECT_EQ(effects(cluster.primary), (Lines{"close fd5", "close fd6"}));
}

TEST(Primary, DealsInTurnWhereTheKernelCannot) {
  KernelCluster cluster(1);
  effects(cluster.primary);

  cluster.primary.handle_no_kernel(ListenerId{1});

  EXPECT_EQ(effects(cluster.primary), Lines{"listen 1 null:80:4:undefined"});
  EXPECT_EQ(cluster.primary.scheduling_policy(), SchedulingPolicy::round_robin);
  cluster.primary.handle_listening(ListenerId{1}, {});
  EXPECT_EQ(effects(cluster.primary), Lines{"send 1 " + answer_80});
}

TEST(Primary, AnswersUnderTheKernelsPolicyWithTheErrorOfANameThatIsNone) {
  KernelCluster cluster(1);

  cluster.primary.handle_listening(ListenerId{1}, {ENOENT});

  EXPECT_EQ(effects(cluster.primary),
            (Lines{"listen 1 null:80:4:undefined", R"(send 1 "errno":-2,"key":"null:80:4:undefined","ack":1,"data":null)"}));
}

TEST(Primary, SharesNoKernelsSocketsWithAWorkerThatIsNotMusters) {
  KernelCluster cluster(1);
  cluster.primary.handle_listening(ListenerId{1}, {});
  cluster.primary.handle_joined(ListenerId{1}, one, {0, {}, FdToken{5}, FdToken{6}});
  const auto node = cluster.primary.fork(cluster.primary.take_id(), Env{});
  cluster.primary.handle_message(node->id, {wire::Online{}, Seq{0}});
  effects(cluster.primary);

  cluster.primary.handle_message(node->id, query(port(80), 1));

  const Lines seen = effects(cluster.primary);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_NE(seen[0].find("\"errno\":-" + std::to_string(EOPNOTSUPP)), std::string::npos) << seen[0];
}

TEST(Primary, HandsOverByNodesMessageWhereALineCouldNotHoldTheKey) {
  MusterCluster cluster(1);
  wire::ListenQuery path;
  path.address = "/srv/a\nb";
  path.port = -1;
  path.address_type = AddressType::pipe;
  cluster.primary.handle_message(one, query(path, 7));
  cluster.primary.handle_listening(ListenerId{2}, {});
  effects(cluster.primary);

  cluster.primary.handle_connections(ListenerId{2}, std::array{Connection{FdToken{7}}});

  const Lines seen = effects(cluster.primary);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_TRUE(seen[0].starts_with("send 1")) << seen[0];
}

TEST(Primary, DealsAConnectionAndClosesItsCopyWhenItIsAccepted) {
  Cluster cluster(1);
  listen_on_80(cluster);

  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  EXPECT_EQ(effects(cluster.primary), Lines{R"(send 1 "act":"newconn","key":"null:80:4:undefined" +fd7)"});
  cluster.primary.handle_message(one, reply(1, true));  // the answer to the query was 0

  EXPECT_EQ(effects(cluster.primary), Lines{"close fd7"});
}

TEST(Primary, LetsAWorkerThatRefusedRest) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_message(one, reply(1, false));
  EXPECT_EQ(effects(cluster.primary), Lines{"rest 1"});
  cluster.primary.handle_rested(ListenerId{1});

  EXPECT_EQ(effects(cluster.primary), Lines{R"(send 1 "act":"newconn","key":"null:80:4:undefined" +fd7)"});
}

// A Node worker that is out of descriptors says that the descriptor did not arrive, and nothing else, ever.
TEST(Primary, OffersAConnectionThatDidNotArriveToAnother) {
  Cluster cluster(2);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_not_received(one, FdToken{7});
  cluster.primary.handle_not_received(one, FdToken{7});

  EXPECT_EQ(effects(cluster.primary), (Lines{"rest 1", R"(send 2 "act":"newconn","key":"null:80:4:undefined" +fd7)"}));
}

TEST(Primary, IgnoresARestThatOutlivesItsListener) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.die(one);
  effects(cluster.primary);

  cluster.primary.handle_rested(ListenerId{1});
  cluster.primary.handle_rested(ListenerId{77});

  EXPECT_EQ(effects(cluster.primary), Lines{});
}

TEST(Primary, TakesAReplyWithoutAWordForARefusal) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_message(one, {wire::Reply{Seq{1}}});

  EXPECT_EQ(effects(cluster.primary), Lines{"rest 1"});
}

TEST(Primary, IgnoresForgedReplies) {
  Cluster cluster(2);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_message(two, reply(2, true));  // another worker was asked
  for (const std::uint64_t ack : {0U, 1U, 3U, 1000U}) cluster.primary.handle_message(one, reply(ack, true));
  EXPECT_EQ(effects(cluster.primary), Lines{});
  cluster.primary.handle_message(one, reply(2, true));
  EXPECT_EQ(effects(cluster.primary), Lines{"close fd7"});
  cluster.primary.handle_message(one, reply(2, true));  // a second time

  EXPECT_EQ(effects(cluster.primary), Lines{});
}

// Better than Node.
TEST(Primary, DealsTheConnectionOfADeadWorkerAgainIfNobodyTouchedIt) {
  Cluster cluster(2);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.die(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{"watch 1", "disconnect 1", "probe fd7", "exit 1 0"}));
  cluster.primary.handle_probed(ListenerId{1}, FdToken{7}, Dealer::Probed::untouched);

  EXPECT_EQ(effects(cluster.primary), Lines{R"(send 2 "act":"newconn","key":"null:80:4:undefined" +fd7)"});
  cluster.primary.handle_message(one, reply(2, true));
  EXPECT_EQ(effects(cluster.primary), Lines{});
}

TEST(Primary, StopsListeningWhenTheLastWorkerDiesAndClosesWhatItHadInFlight) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{8}}});
  effects(cluster.primary);

  cluster.primary.handle_channel_closed(one);

  EXPECT_EQ(effects(cluster.primary), (Lines{"close fd7", "close fd8", "stop 1", "disconnect 1"}));
}

TEST(Primary, OpensAPortAgainThatItsLastWorkerLeft) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  effects(cluster.primary);

  cluster.primary.handle_message(one, {wire::Close{"null:80:4:undefined"}});
  cluster.primary.handle_message(one, query(port(80), 5));

  EXPECT_EQ(effects(cluster.primary), (Lines{"stop 1", "listen 2 null:80:4:undefined"}));
  // What the first had in flight is still answered for.
  cluster.primary.handle_message(one, reply(1, true));
  EXPECT_EQ(effects(cluster.primary), Lines{"close fd7"});
}

TEST(Primary, ClosesAConnectionThatComesAfterItsListenerHasGone) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.die(one);
  effects(cluster.primary);

  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  cluster.primary.handle_connections(ListenerId{77}, std::array{Connection{FdToken{8}}});

  EXPECT_EQ(effects(cluster.primary), (Lines{"close fd7", "close fd8"}));
}

TEST(Primary, ClosesAConnectionThatComesWhileItsListenerDrains) {
  Cluster cluster(1);
  listen_on_80(cluster);
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});
  cluster.primary.handle_message(one, {wire::Close{"null:80:4:undefined"}});
  effects(cluster.primary);

  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{8}}});

  EXPECT_EQ(effects(cluster.primary), Lines{"close fd8"});
}

TEST(Primary, IgnoresACloseOfWhatTheWorkerDoesNotHave) {
  Cluster cluster(2);
  cluster.primary.handle_message(one, query(port(80), 1));
  cluster.primary.handle_listening(ListenerId{1}, {});
  effects(cluster.primary);

  cluster.primary.handle_message(two, {wire::Close{"null:80:4:undefined"}});
  cluster.primary.handle_message(one, {wire::Close{"other"}});

  EXPECT_EQ(effects(cluster.primary), Lines{});
}

TEST(Primary, AsksAWorkerToLeaveOnce) {
  Cluster cluster(1);
  listen_on_80(cluster);

  cluster.primary.disconnect(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{R"(send 1 "act":"disconnect")", "stop 1"}));
  EXPECT_TRUE(cluster.primary.workers().empty());
  EXPECT_EQ(cluster.records[0]->exited_after_disconnect, true);
  EXPECT_TRUE(cluster.records[0]->connected);

  cluster.primary.disconnect(one);
  EXPECT_EQ(effects(cluster.primary), Lines{});
  cluster.die(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 1", "exit 1 0"}));
}

TEST(Primary, GivesNoAnswerToAWorkerThatIsLeaving) {
  Cluster cluster(1);
  cluster.primary.disconnect(one);
  effects(cluster.primary);

  cluster.primary.handle_message(one, query(port(80), 1));

  EXPECT_EQ(effects(cluster.primary), Lines{});
}

TEST(Primary, OpensNoPortForAWorkerThatHasExited) {
  Cluster cluster(1);
  cluster.primary.handle_exit(one, ExitStatus::exited(0));
  effects(cluster.primary);

  cluster.primary.handle_message(one, query(port(80), 1));

  EXPECT_EQ(effects(cluster.primary), Lines{});
}

TEST(Primary, AcknowledgesAWorkerThatLeavesByItself) {
  Cluster cluster(1);

  cluster.primary.handle_message(one, {wire::ExitedAfterDisconnect{}, Seq{6}});

  EXPECT_EQ(effects(cluster.primary), Lines{R"(send 1 "ack":6)"});
  EXPECT_EQ(cluster.records[0]->exited_after_disconnect, true);
  EXPECT_EQ(cluster.primary.workers().size(), 1U);
}

TEST(Primary, ClosesAChannelOnceAndDealsNothingMoreToItsWorker) {
  Cluster cluster(2);
  listen_on_80(cluster);

  EXPECT_TRUE(cluster.primary.disconnect_channel(one));
  EXPECT_FALSE(cluster.primary.disconnect_channel(one));
  cluster.primary.handle_connections(ListenerId{1}, std::array{Connection{FdToken{7}}});

  EXPECT_EQ(effects(cluster.primary),
            (Lines{"disconnect channel 1", R"(send 2 "act":"newconn","key":"null:80:4:undefined" +fd7)"}));
  EXPECT_FALSE(cluster.records[0]->connected);
}

TEST(Primary, IsDoneAtOnceWithDisconnectingNobody) {
  Primary primary(settings(), SchedulingPolicy::round_robin);

  primary.disconnect_all(CallbackId{1});
  primary.disconnect_all({});

  EXPECT_EQ(effects(primary), Lines{"all disconnected 1"});
}

TEST(Primary, CallsBackWhenTheLastWorkerIsDisconnected) {
  Cluster cluster(2);
  listen_on_80(cluster);

  cluster.primary.disconnect_all(CallbackId{1});
  cluster.primary.disconnect_all(CallbackId{2});
  EXPECT_EQ(effects(cluster.primary), (Lines{R"(send 1 "act":"disconnect")", R"(send 2 "act":"disconnect")", "stop 1"}));
  cluster.die(one);
  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 1", "exit 1 0"}));
  cluster.die(two);

  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 2", "all disconnected 1", "all disconnected 2", "exit 2 0"}));
}

TEST(Primary, DisconnectsOnlyWorkersThatAreConnected) {
  Cluster cluster(1);
  cluster.primary.handle_channel_closed(one);
  effects(cluster.primary);

  cluster.primary.disconnect_all(CallbackId{1});

  EXPECT_EQ(effects(cluster.primary), Lines{"all disconnected 1"});
}

TEST(Primary, WaitsForTheChannelOfAWorkerThatExitedFirst) {
  Cluster cluster(1);
  cluster.primary.disconnect_all(CallbackId{1});
  effects(cluster.primary);

  cluster.primary.handle_exit(one, ExitStatus::exited(0));
  EXPECT_EQ(effects(cluster.primary), Lines{"exit 1 0"});
  cluster.primary.handle_channel_closed(one);

  EXPECT_EQ(effects(cluster.primary), (Lines{"disconnect 1", "all disconnected 1"}));
}

TEST(Primary, PassesAnErrorOn) {
  Cluster cluster(1);

  cluster.primary.handle_error(one, Error{Errc::ipc_malformed_message, "m"});

  EXPECT_EQ(effects(cluster.primary), Lines{"error 1 m"});
}

// Workers that say anything at any time, and die at any time. Each descriptor is closed exactly once.
TEST(Primary, SurvivesWorkersThatSayAnything) {
  for (unsigned seed = 1; seed <= 1000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](unsigned n) { return static_cast<int>(random() % n); };
    constexpr std::array policies{SchedulingPolicy::none, SchedulingPolicy::round_robin, SchedulingPolicy::least_connections,
                                  SchedulingPolicy::ip_hash, SchedulingPolicy::custom};
    Primary primary(settings(), policies[seed % policies.size()]);
    std::multiset<FdToken> open;
    std::set<std::uint32_t> alive, listening;
    std::uint64_t next_fd = 0;
    int all_disconnected = 0;
    const auto perform = [&] {
      while (const auto effect = primary.poll_effect()) {
        if (const auto* spawn = std::get_if<Spawn>(&*effect)) {
          if (below(8) == 0) {
            primary.handle_spawn_failed(spawn->worker, {});
          } else {
            primary.handle_spawned(spawn->worker, 1);
            alive.insert(static_cast<std::uint32_t>(spawn->worker));
          }
        } else if (const auto* listen = std::get_if<Listen>(&*effect)) {
          if (below(4) == 0) {
            primary.handle_listening(listen->listener, {EADDRINUSE});
          } else if (listen->mode == ListenMode::share) {
            open.insert(FdToken{++next_fd});
            primary.handle_listening(listen->listener, {0, {}, FdToken{next_fd}});
          } else {
            listening.insert(static_cast<std::uint32_t>(listen->listener));
            primary.handle_listening(listen->listener, {});
          }
        } else if (const auto* stop = std::get_if<StopListening>(&*effect)) {
          listening.erase(static_cast<std::uint32_t>(stop->listener));
        } else if (const auto* close = std::get_if<CloseDescriptor>(&*effect)) {
          ASSERT_EQ(open.erase(close->descriptor), 1U) << seed;
        } else if (const auto* probe = std::get_if<ProbeConnection>(&*effect)) {
          ASSERT_TRUE(open.contains(probe->connection)) << seed;
          primary.handle_probed(probe->listener, probe->connection,
                                below(2) == 0 ? Dealer::Probed::touched : Dealer::Probed::untouched);
        } else if (const auto* rest = std::get_if<Rest>(&*effect)) {
          primary.handle_rested(rest->listener);
        } else if (const auto* send = std::get_if<SendToWorker>(&*effect)) {
          wire::encode(Serialization::json, send->message, send->handle);
          ASSERT_TRUE(!send->descriptor || open.contains(*send->descriptor)) << seed;
        } else if (const auto* offer = std::get_if<Offer>(&*effect)) {
          for (const FdToken connection : offer->connections) ASSERT_TRUE(open.contains(connection)) << seed;
        } else if (const auto* revoke = std::get_if<RevokeOffer>(&*effect)) {
          ASSERT_TRUE(open.contains(revoke->connection)) << seed;
          primary.handle_revoked(revoke->worker, revoke->listener, revoke->connection, revoke->number,
                                 below(2) == 0 ? Dealer::Revoked::taken_back : Dealer::Revoked::claimed);
        } else if (const auto* choose = std::get_if<Choose>(&*effect)) {
          primary.handle_chosen(choose->listener, choose->connection, WorkerId{static_cast<std::uint32_t>(below(6))});
        } else if (const auto* event = std::get_if<PrimaryEvent>(&*effect)) {
          all_disconnected += std::holds_alternative<AllDisconnectedEvent>(*event);
        }
      }
    };
    for (int step = 0; step < 300; ++step) {
      const WorkerId worker{static_cast<std::uint32_t>(below(6))};
      const Seq seq{static_cast<std::uint64_t>(below(150))};
      wire::ListenQuery listen = port(below(3));
      listen.index = below(2);
      const std::string key = Listeners::key_of(listen);
      switch (below(16)) {
        case 0: primary.handle_message(worker, {wire::Online{static_cast<int>(below(3))}, seq}); break;
        case 13: primary.handle_message(worker, {wire::Muster{1}, seq}); break;
        case 14: {
          // Also what no correct worker says.
          const std::vector<wire::OfferReply::Outcome> outcomes(static_cast<std::size_t>(below(20)),
                                                                wire::OfferReply::Outcome::accepted);
          for (std::uint64_t first = 0; first < 40; ++first) primary.handle_message(worker, wire::OfferReply{first, outcomes});
          break;
        }
        case 15:
          for (const std::uint32_t listener : listening) primary.handle_look(ListenerId{listener});
          break;
        case 1:
        case 2: primary.handle_message(worker, {wire::QueryServer{listen}, seq}); break;
        case 3: primary.handle_message(worker, {wire::Listening{listen}, seq}); break;
        case 4: primary.handle_message(worker, {wire::Close{key}, seq}); break;
        case 5: primary.handle_message(worker, {wire::ExitedAfterDisconnect{}, seq}); break;
        case 6:
          for (std::uint64_t ack = 0; ack < 200; ++ack)
            primary.handle_message(worker, {wire::Reply{Seq{ack}, below(3) != 0}, seq});
          break;
        case 7:
        case 8:
        case 9:
          if (listening.empty()) break;
          open.insert(FdToken{++next_fd});
          primary.handle_connections(ListenerId{*listening.begin()}, std::array{Connection{FdToken{next_fd}}});
          break;
        case 10:
          if (below(4) == 0 && alive.contains(static_cast<std::uint32_t>(worker))) primary.handle_channel_closed(worker);
          break;
        case 11:
          if (below(4) == 0 && alive.contains(static_cast<std::uint32_t>(worker)))
            primary.handle_exit(worker, ExitStatus::exited(1));
          break;
        case 12:
          if (below(8) == 0) primary.disconnect(worker);
          if (below(8) == 0) primary.disconnect_channel(worker);
          break;
        default: primary.fork(primary.take_id(), Env{});
      }
      perform();
    }
    primary.disconnect_all(CallbackId{1});
    perform();
    for (const std::uint32_t worker : alive) {
      primary.handle_channel_closed(WorkerId{worker});
      primary.handle_exit(WorkerId{worker}, ExitStatus::exited(0));
      perform();
    }
    ASSERT_TRUE(open.empty()) << seed;
    ASSERT_TRUE(listening.empty()) << seed;
    ASSERT_TRUE(primary.workers().empty()) << seed;
    ASSERT_EQ(all_disconnected, 1) << seed;
  }
}

}  // namespace
}  // namespace muster::core
