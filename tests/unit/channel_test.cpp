// SPDX-License-Identifier: MIT
#include "core/channel.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>
#include <vector>

namespace muster::core {
namespace {

constexpr FdToken fd1{1}, fd2{2}, fd3{3};
const std::string ack = "{\"cmd\":\"NODE_HANDLE_ACK\"}\n";
const std::string nack = "{\"cmd\":\"NODE_HANDLE_NACK\"}\n";
const std::string handle_message = "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":\"h\"}\n";
using SendResult = Channel::SendResult;

Channel channel() { return Channel(Serialization::json, {.max_message = 1U << 20}); }

Channel::Outgoing plain(std::string frame, std::optional<SendId> id = {}) {
  return {std::move(frame), {}, Channel::Descriptor::lend, id};
}
Channel::Outgoing lend(std::string frame, FdToken descriptor) {
  return {std::move(frame), descriptor, Channel::Descriptor::lend};
}
Channel::Outgoing give(std::string frame, FdToken descriptor, std::optional<SendId> id = {}) {
  return {std::move(frame), descriptor, Channel::Descriptor::give, id};
}

// What one sendmsg(2) would be given.
struct Write {
  std::string bytes;
  std::optional<FdToken> descriptor;
  friend bool operator==(const Write&, const Write&) = default;
};

Write next_write(const Channel& channel) {
  std::array<std::string_view, 64> pieces;
  const auto output = channel.output(pieces);
  Write write{{}, output.descriptors.empty() ? std::nullopt : std::optional(output.descriptors.front())};
  for (std::size_t i = 0; i < output.pieces; ++i) write.bytes += pieces[i];
  return write;
}

// A system that takes everything.
std::vector<Write> write_all(Channel& channel) {
  std::vector<Write> writes;
  while (channel.has_output()) {
    writes.push_back(next_write(channel));
    channel.handle_written(writes.back().bytes.size());
  }
  return writes;
}

// "received", "received+1", "lost", "sent 7", "failed sent 7", "released 1", "ERR_...", "closed".
std::vector<std::string> events(Channel& channel) {
  struct Name {
    std::string operator()(const Channel::Received& e) const {
      if (e.descriptor) return "received+" + std::to_string(static_cast<std::uint64_t>(*e.descriptor));
      return e.packet.handle ? "lost" : "received";
    }
    std::string operator()(const Channel::Offered& e) const {
      std::string text = "offered " + std::to_string(e.offer.first) + " " + e.offer.key + " ";
      for (const bool with_descriptor : e.offer.with_descriptor) text += with_descriptor ? '+' : '-';
      for (const FdToken fd : e.descriptors) text += " " + std::to_string(static_cast<std::uint64_t>(fd));
      return text;
    }
    std::string operator()(const Channel::Sent& e) const {
      return (e.error ? "failed sent " : "sent ") + std::to_string(static_cast<std::uint64_t>(e.id));
    }
    std::string operator()(const Channel::Released& e) const {
      return "released " + std::to_string(static_cast<std::uint64_t>(e.descriptor));
    }
    std::string operator()(const Channel::NotReceived& e) const {
      return "not received " + std::to_string(static_cast<std::uint64_t>(e.descriptor));
    }
    std::string operator()(const Channel::Failed& e) const { return error_name(e.code); }
    std::string operator()(const Channel::Closed&) const { return "closed"; }
  };
  std::vector<std::string> names;
  while (const auto event = channel.poll_event()) names.push_back(std::visit(Name{}, *event));
  return names;
}

using Writes = std::vector<Write>;
using Events = std::vector<std::string>;

TEST(Channel, LosesAMessageInBytesWithItsDescriptor) {
  Channel channel(Serialization::json, {}, wire::UserData::bytes);
  channel.handle_bytes(handle_message, {});
  EXPECT_EQ(write_all(channel), (std::vector<Write>{{nack, {}}}));
  EXPECT_FALSE(channel.poll_event());
}

TEST(Channel, WritesMessagesInOneGo) {
  Channel c = channel();
  c.send(plain("a\n"));
  c.send(plain("b\n", SendId{7}));

  EXPECT_EQ(write_all(c), (Writes{{"a\nb\n", {}}}));
  EXPECT_EQ(events(c), Events{"sent 7"});
}

TEST(Channel, GathersNoMoreThanItHasRoomFor) {
  Channel c = channel();
  for (int i = 0; i < 5; ++i) c.send(plain("x\n"));
  std::array<std::string_view, 2> room;

  EXPECT_EQ(c.output(room).pieces, 2U);
}

TEST(Channel, GoesOnWhereAShortWriteStopped) {
  Channel c = channel();
  c.send(plain("first\n", SendId{1}));
  c.send(plain("second\n", SendId{2}));

  c.handle_written(8);

  EXPECT_EQ(events(c), Events{"sent 1"});
  EXPECT_EQ(next_write(c).bytes, "cond\n");
}

TEST(Channel, StopsGatheringBeforeADescriptor) {
  Channel c = channel();
  c.send(plain("a\n"));
  c.send(lend("h\n", fd1));

  EXPECT_EQ(write_all(c), (Writes{{"a\n", {}}, {"h\n", fd1}}));
}

TEST(Channel, SendsADescriptorOnlyWithItsFirstByte) {
  Channel c = channel();
  c.send(lend("handle\n", fd1));
  EXPECT_EQ(next_write(c), (Write{"handle\n", fd1}));

  c.handle_written(1);

  EXPECT_EQ(next_write(c), (Write{"andle\n", {}}));
}

// Only acknowledgements pass.
TEST(Channel, HoldsBackWhatComesAfterADescriptorUntilItIsAcknowledged) {
  Channel c = channel();
  c.send(lend("h\n", fd1));
  c.send(plain("a\n"));
  c.send(plain("b\n"));
  EXPECT_EQ(write_all(c), (Writes{{"h\n", fd1}}));

  const FdToken arrived[] = {fd2};
  c.handle_bytes(handle_message, arrived);
  EXPECT_EQ(write_all(c), (Writes{{ack, {}}}));

  c.handle_bytes(ack, {});
  EXPECT_EQ(write_all(c), (Writes{{"a\nb\n", {}}}));
}

TEST(Channel, SendsOneDescriptorForEachAcknowledgement) {
  Channel c = channel();
  c.send(lend("r1\n", fd1));
  c.send(lend("r2\n", fd2));
  c.send(plain("r3\n"));
  c.send(plain("r4\n"));
  write_all(c);

  c.handle_bytes(ack, {});
  EXPECT_EQ(write_all(c), (Writes{{"r2\n", fd2}}));
  c.handle_bytes(ack, {});
  EXPECT_EQ(write_all(c), (Writes{{"r3\nr4\n", {}}}));
}

TEST(Channel, LearnsFromItsFirstMessageHowThePeerSpeaks) {
  Channel bun = channel();
  EXPECT_EQ(bun.dialect(), wire::Dialect::node);
  bun.handle_bytes("\x02{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}\n", {});
  EXPECT_EQ(bun.dialect(), wire::Dialect::bun);
  bun.handle_bytes("\"a message of the program\"\n", {});
  EXPECT_EQ(bun.dialect(), wire::Dialect::bun);
  EXPECT_EQ(events(bun), (std::vector<std::string>{"received", "received"}));

  Channel node = channel();
  node.handle_bytes("{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}\n", {});
  node.handle_bytes("\x02{\"cmd\":\"NODE_CLUSTER\",\"act\":\"close\",\"seq\":1}\n", {});
  EXPECT_EQ(node.dialect(), wire::Dialect::node);
  EXPECT_EQ(events(node), (std::vector<std::string>{"received", "ERR_IPC_MALFORMED_MESSAGE", "closed"}));
}

TEST(Channel, SaysAsNodeDoesWhichMessagesAreQueued) {
  Channel c = channel();

  EXPECT_EQ(c.send(lend("h\n", fd1)), SendResult::sent);
  EXPECT_EQ(c.send(plain("first\n")), SendResult::sent);
  EXPECT_EQ(c.send(plain("second\n")), SendResult::backed_up);
}

TEST(Channel, IsBackedUpFrom131072BytesOn) {
  Channel c = channel();
  EXPECT_EQ(c.send(plain(std::string(131'071, 'x'))), SendResult::sent);
  EXPECT_EQ(c.send(plain("x")), SendResult::backed_up);

  c.handle_written(131'072);

  EXPECT_EQ(c.send(plain("x")), SendResult::sent);
}

TEST(Channel, DeliversADescriptorWithItsMessageAndAcknowledgesItOnce) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};

  c.handle_bytes(handle_message, arrived);

  EXPECT_EQ(events(c), Events{"received+1"});
  EXPECT_EQ(write_all(c), (Writes{{ack, {}}}));
}

TEST(Channel, GivesADescriptorToTheMessageThatAnnouncesIt) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};

  c.handle_bytes("1\n" + handle_message + "2\n", arrived);

  EXPECT_EQ(events(c), (Events{"received", "received+1", "received"}));
}

// The descriptor comes with the head of a long message.
TEST(Channel, KeepsADescriptorForTheRestOfItsMessage) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};

  c.handle_bytes("1\n" + handle_message.substr(0, 5), arrived);
  EXPECT_EQ(events(c), Events{"received"});
  c.handle_bytes(handle_message.substr(5), {});

  EXPECT_EQ(events(c), Events{"received+1"});
}

TEST(Channel, RefusesAnAnnouncedDescriptorThatDidNotCome) {
  Channel c = channel();

  c.handle_bytes(handle_message, {});

  EXPECT_EQ(events(c), Events{});
  EXPECT_EQ(write_all(c), (Writes{{nack, {}}}));
}

TEST(Channel, StillDeliversAClusterMessageThatLostItsDescriptor) {
  Channel c = channel();

  c.handle_bytes(
      "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"k\","
      "\"seq\":1}}\n",
      {});

  EXPECT_EQ(events(c), Events{"lost"});
  EXPECT_EQ(write_all(c), (Writes{{nack, {}}}));
}

TEST(Channel, AcknowledgesAMessageThatIsWrappedTwiceOnce) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};

  c.handle_bytes(
      "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":1}}\n",
      arrived);

  EXPECT_EQ(events(c), Events{"received+1"});
  EXPECT_EQ(write_all(c), (Writes{{ack, {}}}));
}

TEST(Channel, SendsAGivenDescriptorFourTimesAndThenGivesUp) {
  Channel c = channel();
  c.send(give("h\n", fd1, SendId{5}));
  c.send(plain("after\n"));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(write_all(c), (Writes{{"h\n", fd1}}));
    c.handle_bytes(nack, {});
  }

  EXPECT_EQ(events(c), (Events{"sent 5", "released 1", "SentHandleNotReceivedWarning"}));
  EXPECT_EQ(write_all(c), (Writes{{"after\n", {}}}));
}

TEST(Channel, GoesOnAfterARefusalOfALentDescriptorAndTellsIt) {
  Channel c = channel();
  c.send(lend("h\n", fd1));
  c.send(plain("after\n"));
  write_all(c);

  c.handle_bytes(nack, {});

  EXPECT_EQ(events(c), Events{"not received " + std::to_string(static_cast<std::uint64_t>(fd1))});
  EXPECT_EQ(write_all(c), (Writes{{"after\n", {}}}));
}

TEST(Channel, ReleasesAGivenDescriptorWhenThePeerHasIt) {
  Channel c = channel();
  c.send(give("h\n", fd1));
  write_all(c);
  EXPECT_EQ(events(c), Events{});

  c.handle_bytes(ack, {});

  EXPECT_EQ(events(c), Events{"released 1"});
}

TEST(Channel, IgnoresAnAcknowledgementOfNothing) {
  Channel c = channel();

  c.handle_bytes(ack + nack + ack, {});

  EXPECT_EQ(events(c), Events{});
  EXPECT_FALSE(c.has_output());
  EXPECT_TRUE(c.connected());
}

// The descriptor was released while its message was still to be written, and the next one was never.
TEST(Channel, IgnoresAnAcknowledgementThatComesBeforeTheDescriptorWentOut) {
  Channel c = channel();
  c.send(give("one\n", fd1));
  c.send(give("two\n", fd2));

  c.handle_bytes(ack, {});
  EXPECT_EQ(events(c), Events{});
  c.handle_written(2);
  c.handle_bytes(ack, {});
  EXPECT_EQ(events(c), Events{});

  EXPECT_EQ(write_all(c), (Writes{{"e\n", {}}}));
  c.handle_bytes(ack, {});
  EXPECT_EQ(events(c), Events{"released 1"});
  EXPECT_EQ(write_all(c), (Writes{{"two\n", fd2}}));
  c.handle_bytes(ack, {});
  EXPECT_EQ(events(c), Events{"released 2"});
}

TEST(Channel, CountsOneRefusalForEachTimeADescriptorIsSent) {
  Channel c = channel();
  c.send(give("h\n", fd1));
  write_all(c);

  c.handle_bytes(nack + nack + nack + nack + nack, {});

  EXPECT_EQ(events(c), Events{});
  EXPECT_EQ(write_all(c), (Writes{{"h\n", fd1}}));
}

TEST(Channel, DropsAMessageWhoseDescriptorItsOwnerHasClosed) {
  Channel c = channel();
  c.send(lend("gone\n", fd1));
  c.send(plain("after\n"));
  ASSERT_EQ(next_write(c).descriptor, fd1);

  c.handle_descriptor_gone(fd1);

  EXPECT_EQ(write_all(c), (Writes{{"after\n", {}}}));
  EXPECT_EQ(events(c), Events{});
}

TEST(Channel, ReleasesAGivenDescriptorEvenWhenItIsGone) {
  Channel c = channel();
  c.send(give("gone\n", fd1, SendId{1}));

  c.handle_descriptor_gone(fd1);

  EXPECT_EQ(events(c), (Events{"failed sent 1", "released 1"}));
}

TEST(Channel, OffersManyConnectionsWithTheirDescriptorsInOneWrite) {
  Channel c = channel();

  c.offer(7, {fd1, fd2}, "k");
  c.send(plain("after\n"));

  std::array<std::string_view, 64> pieces;
  const auto output = c.output(pieces);
  EXPECT_EQ(std::vector(output.descriptors.begin(), output.descriptors.end()), (std::vector{fd1, fd2}));
  EXPECT_EQ(output.pieces, 2U);
  EXPECT_EQ(next_write(c).bytes, "\x03O++ 7 k\nafter\n");
}

TEST(Channel, OffersWithoutWaitingForAnAcknowledgement) {
  Channel c = channel();
  c.send(lend("handle\n", fd1));
  c.send(plain("waits\n"));

  c.offer(0, {fd2}, "k");
  c.offer(1, {fd3}, "k");

  EXPECT_EQ(write_all(c), (Writes{{"handle\n", fd1}, {"\x03O+ 0 k\n", fd2}, {"\x03O+ 1 k\n", fd3}}));
}

TEST(Channel, MarksTheOffersThatAreClosedByNow) {
  for (const Serialization serialization : {Serialization::json, Serialization::advanced}) {
    Channel c(serialization);
    c.offer(7, {fd1, fd2, fd3}, "k");

    c.handle_descriptor_gone(fd2);
    c.handle_descriptor_gone(fd3);

    const Write write = next_write(c);
    EXPECT_EQ(write.descriptor, fd1);
    EXPECT_TRUE(write.bytes.find("O+-- 7 k") != std::string::npos) << write.bytes;
  }
}

TEST(Channel, ReceivesOffersWithTheirDescriptors) {
  Channel c = channel();

  c.handle_bytes("\x03O+-+ 7 k\n", std::array{fd1, fd2});

  EXPECT_EQ(events(c), (Events{"offered 7 k +-+ 1 2"}));
}

TEST(Channel, GivesEachOfferItsOwnDescriptorsHoweverTheBytesAreCut) {
  // The system ends a read behind the bytes that descriptors came with; what was sent before them comes in the same read.
  Channel c = channel();
  c.handle_bytes("\x03O++ 0", std::array{fd1, fd2});
  c.handle_bytes(" k\n\x03O- 2 k\n\x03", std::array{fd3});
  c.handle_bytes("O+ 3 k\n", {});

  EXPECT_EQ(events(c), (Events{"offered 0 k ++ 1 2", "offered 2 k -", "offered 3 k + 3"}));
}

TEST(Channel, TellsWhichOfTheOffersLostTheirDescriptors) {
  Channel c = channel();
  c.handle_bytes("\x03O+++ 0 k\n", std::array{fd1});
  // All were lost: those of the next are not mistaken for them.
  c.handle_bytes("\x03O++ 3", {});
  c.handle_bytes(" k\n\x03O+ 5 k\n", std::array{fd2});

  EXPECT_EQ(events(c), (Events{"offered 0 k +++ 1", "offered 3 k ++", "offered 5 k + 2"}));
}

TEST(Channel, RefusesDescriptorsThatAnOfferDoesNotAnnounce) {
  for (const char* offer : {"\x03O+ 0 k\n", "\x03O- 0 k\n"}) {
    Channel c = channel();
    c.handle_bytes(offer, std::array{fd1, fd2});
    const Events seen = events(c);
    EXPECT_TRUE(std::find(seen.begin(), seen.end(), "released 1") != seen.end()) << offer;
    EXPECT_TRUE(std::find(seen.begin(), seen.end(), "released 2") != seen.end()) << offer;
    EXPECT_EQ(seen.back(), "closed") << offer;
  }
}

TEST(Channel, RefusesDescriptorsInTheMiddleOfAFrame) {
  Channel c = channel();
  c.handle_bytes("\x03O+ 0", std::array{fd1});
  c.handle_bytes(" k", std::array{fd2});

  const Events seen = events(c);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "released 1"), 1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "released 2"), 1);
  EXPECT_EQ(seen.back(), "closed");
}

TEST(Channel, ClosesAtOnceWhenNothingIsLeftToWrite) {
  Channel c = channel();

  EXPECT_TRUE(c.disconnect());

  EXPECT_EQ(events(c), Events{"closed"});
  EXPECT_FALSE(c.connected());
  EXPECT_FALSE(c.disconnect());
}

TEST(Channel, WritesAndAwaitsWhatWasSentBeforeItCloses) {
  Channel c = channel();
  c.send(give("h\n", fd1));
  c.send(plain("last\n", SendId{9}));

  c.disconnect();

  EXPECT_FALSE(c.connected());
  EXPECT_EQ(c.send(plain("late\n")), SendResult::closed);
  EXPECT_EQ(write_all(c), (Writes{{"h\n", fd1}}));
  EXPECT_EQ(events(c), Events{});
  c.handle_bytes(ack, {});
  EXPECT_EQ(write_all(c), (Writes{{"last\n", {}}}));
  EXPECT_EQ(events(c), (Events{"released 1", "sent 9", "closed"}));
}

TEST(Channel, ReportsWhatItGivesUp) {
  Channel c = channel();
  c.send(give("one\n", fd1, SendId{1}));
  c.send(give("two\n", fd2, SendId{2}));
  c.send(lend("three\n", fd3));
  c.send(plain("four\n", SendId{4}));
  EXPECT_EQ(c.timeout(Channel::Timer::close), std::nullopt);
  c.disconnect();
  EXPECT_EQ(c.timeout(Channel::Timer::close), 5000U);

  c.handle_timeout(Channel::Timer::close);

  EXPECT_EQ(events(c), (Events{"failed sent 1", "failed sent 2", "released 2", "failed sent 4", "released 1", "closed"}));
  EXPECT_FALSE(c.has_output());
}

TEST(Channel, EndsWithThePeer) {
  Channel c = channel();
  c.send(give("h\n", fd1));
  write_all(c);

  c.handle_end();

  EXPECT_EQ(events(c), (Events{"released 1", "closed"}));
  c.handle_end();
  c.handle_timeout(Channel::Timer::close);
  c.handle_timeout(Channel::Timer::acknowledgement);
  EXPECT_FALSE(c.disconnect());
  EXPECT_EQ(c.send(give("late\n", fd2)), SendResult::closed);
  EXPECT_EQ(events(c), Events{});
}

TEST(Channel, SaysThatTheEndCameInTheMiddleOfAMessage) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};
  c.handle_bytes(handle_message.substr(0, 10), arrived);

  c.handle_end();

  EXPECT_EQ(events(c), (Events{"ERR_IPC_MESSAGE_TRUNCATED", "released 1", "closed"}));
}

TEST(Channel, DeliversWhatIsGoodBeforeWhatIsMalformed) {
  for (const std::string bad : {"\n", "undefined\n", "{\"cmd\":oops}\n", "\xef\xbb\xbf{}\n"}) {
    Channel c = channel();

    c.handle_bytes("1\n" + bad + "2\n", {});

    EXPECT_EQ(events(c), (Events{"received", "ERR_IPC_MALFORMED_MESSAGE", "closed"})) << bad;
    EXPECT_FALSE(c.connected());
  }
}

TEST(Channel, ClosesOnAMessageOverItsLimit) {
  Channel c(Serialization::json, {.max_message = 10});

  c.handle_bytes("12345678901", {});

  EXPECT_EQ(events(c), (Events{"ERR_IPC_MESSAGE_TOO_LARGE", "closed"}));
}

TEST(Channel, RefusesADescriptorThatNoMessageAnnounces) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};

  c.handle_bytes("1\n", arrived);

  EXPECT_EQ(events(c), (Events{"received", "ERR_IPC_UNEXPECTED_HANDLE", "released 1", "closed"}));
}

TEST(Channel, ReleasesEachOfSeveralDescriptorsThatComeAtOnce) {
  Channel c = channel();
  const FdToken arrived[] = {fd1, fd2, fd3};

  c.handle_bytes(handle_message, arrived);

  EXPECT_EQ(events(c), (Events{"ERR_IPC_UNEXPECTED_HANDLE", "released 1", "released 2", "released 3", "closed"}));
}

TEST(Channel, RefusesASecondDescriptorForOneMessage) {
  Channel c = channel();
  const FdToken first[] = {fd1}, second[] = {fd2};
  c.handle_bytes(handle_message.substr(0, 10), first);

  c.handle_bytes(handle_message.substr(10), second);

  EXPECT_EQ(events(c), (Events{"received+1", "ERR_IPC_UNEXPECTED_HANDLE", "released 2", "closed"}));
}

TEST(Channel, ReleasesADescriptorThatHidesInAWrappedAcknowledgement) {
  Channel c = channel();
  const FdToken arrived[] = {fd1};

  c.handle_bytes("{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_HANDLE_ACK\"}}\n", arrived);

  EXPECT_EQ(events(c), (Events{"ERR_IPC_UNEXPECTED_HANDLE", "released 1", "closed"}));
}

TEST(Channel, ReleasesWhatArrivesWhenItIsClosed) {
  Channel c = channel();
  c.disconnect();
  events(c);
  const FdToken arrived[] = {fd1, fd2};

  c.handle_bytes(handle_message, arrived);

  EXPECT_EQ(events(c), (Events{"released 1", "released 2"}));
}

TEST(Channel, StillReadsWhileItFlushes) {
  Channel c = channel();
  c.send(lend("h\n", fd1));
  c.disconnect();
  write_all(c);

  c.handle_bytes("1\n", {});

  EXPECT_EQ(events(c), Events{"received"});
}

TEST(Channel, PassesOnAnInternalMessageThatItDoesNotKnow) {
  Channel c = channel();

  c.handle_bytes("{\"cmd\":\"NODE_DEBUG_ENABLED\"}\n", {});

  EXPECT_EQ(events(c), Events{"received"});
}

TEST(Channel, ClosesOnAPeerThatAsksForAcknowledgementsAndReadsNone) {
  Channel c = channel();
  for (int i = 0; i < 1024; ++i) c.handle_bytes(handle_message, {});
  ASSERT_TRUE(c.connected());

  c.handle_bytes(handle_message, {});

  EXPECT_EQ(events(c), (Events{"ERR_IPC_QUEUE_FULL", "closed"}));
}

TEST(Channel, AcknowledgesAsManyHandlesAsAPeerThatReadsSends) {
  Channel c = channel();
  for (int i = 0; i < 5000; ++i) {
    const FdToken arrived[] = {fd1};
    c.handle_bytes(handle_message, arrived);
    write_all(c);
  }

  EXPECT_TRUE(c.connected());
}

TEST(Channel, TakesNoMoreThanItMayKeepForAPeerThatDoesNotRead) {
  Channel c(Serialization::json, {.max_queue = 10});
  EXPECT_EQ(c.send(plain("twenty characters .\n", SendId{1})), SendResult::sent) << "whatever its size, when nothing waits";
  EXPECT_EQ(c.send(plain("x\n", SendId{2})), SendResult::full);

  c.handle_written(15);

  EXPECT_EQ(c.send(plain("y\n", SendId{3})), SendResult::sent);
  write_all(c);
  EXPECT_EQ(events(c), (Events{"sent 1", "sent 3"}));
  EXPECT_TRUE(c.connected());
}

TEST(Channel, CountsWhatWaitsBehindADescriptorToo) {
  Channel c(Serialization::json, {.max_queue = 10});
  c.send(lend("handle\n", fd1));
  write_all(c);
  c.send(plain("eight..\n"));
  c.send(plain("eight..\n"));

  EXPECT_EQ(c.send(plain("x\n")), SendResult::full);

  c.handle_bytes(ack, {});
  write_all(c);
  EXPECT_EQ(c.send(plain("x\n")), SendResult::sent);
}

TEST(Channel, FailsWhereThereIsNoRoomForWhatTheProtocolNeeds) {
  Channel c(Serialization::json, {.max_queue = 10});
  c.send(plain("twelve chars\n"));

  EXPECT_EQ(c.send(Channel::required("x\n")), SendResult::full);

  EXPECT_EQ(events(c), (Events{"ERR_IPC_QUEUE_FULL", "closed"}));
}

TEST(Channel, GivesUpAPeerThatKeepsADescriptorUnacknowledged) {
  Channel c = channel();
  constexpr auto timer = Channel::Timer::acknowledgement;
  EXPECT_EQ(c.timeout(timer), std::nullopt);
  c.send(give("handle\n", fd1, SendId{1}));
  EXPECT_EQ(c.timeout(timer), 15'000U);
  for (int i = 0; i < 4; ++i) c.handle_timeout(timer);
  write_all(c);
  c.handle_bytes(ack, {});
  EXPECT_EQ(c.timeout(timer), std::nullopt);
  c.send(give("handle\n", fd2, SendId{2}));
  // It is another one now.
  for (int i = 0; i < 4; ++i) c.handle_timeout(timer);
  EXPECT_TRUE(c.connected());
  events(c);

  c.handle_timeout(timer);

  EXPECT_EQ(events(c), (Events{"ERR_HANDLE_NOT_ACKNOWLEDGED", "failed sent 2", "released 2", "closed"}));
}

TEST(Channel, DeliversTheSameHoweverTheBytesAreCut) {
  const std::string bytes = "1\n{\"a\":\"\xf0\x9f\x98\x80\"}\n" + handle_message + "[2]\n";
  const std::size_t head = bytes.find("{\"cmd\"");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Channel c = channel();
    const FdToken arrived[] = {fd1};
    const std::span<const FdToken> none;
    // The system hands a descriptor out with the byte that it was sent with.
    c.handle_bytes(bytes.substr(0, cut), cut > head ? std::span<const FdToken>(arrived) : none);
    c.handle_bytes(bytes.substr(cut), cut > head ? none : std::span<const FdToken>(arrived));
    ASSERT_EQ(events(c), (Events{"received", "received", "received+1", "received"})) << cut;
  }
}

// A peer that sends any lines, cut anywhere, with descriptors anywhere, while the system takes what it
// likes. Each descriptor that came, or was given, goes out exactly once.
TEST(Channel, ConservesDescriptorsWhateverThePeerSends) {
  const std::string lines[] = {"1\n",
                               "{}\n",
                               handle_message,
                               handle_message,
                               ack,
                               ack,
                               nack,
                               nack,
                               "bad\n",
                               "\n",
                               "{\"cmd\":\"NODE_X\"}\n",
                               "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Native\",\"msg\":{\"cmd\":\"NODE_HANDLE_NACK\"}}\n"};
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    std::mt19937 random(seed);
    Channel c = channel();
    std::multiset<FdToken> owed;
    std::set<FdToken> gone;
    std::uint64_t next_fd = 0, next_id = 0;
    std::set<SendId> unreported;
    bool closed = false;
    const auto drain = [&] {
      while (const auto event = c.poll_event()) {
        ASSERT_TRUE(!closed || std::holds_alternative<Channel::Released>(*event)) << seed;
        if (const auto* received = std::get_if<Channel::Received>(&*event); received && received->descriptor) {
          ASSERT_EQ(owed.erase(*received->descriptor), 1U) << seed;
        } else if (const auto* released = std::get_if<Channel::Released>(&*event)) {
          ASSERT_EQ(owed.erase(released->descriptor), 1U) << seed;
          gone.insert(released->descriptor);
        } else if (const auto* sent = std::get_if<Channel::Sent>(&*event)) {
          ASSERT_EQ(unreported.erase(sent->id), 1U) << seed;
        }
        closed |= std::holds_alternative<Channel::Closed>(*event);
      }
    };
    std::string incoming;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 8) {
        case 0:
        case 1: {
          std::vector<FdToken> descriptors;
          for (unsigned n = random() % 12; n >= 9; --n) owed.insert(descriptors.emplace_back(FdToken{++next_fd}));
          incoming += lines[random() % (random() % 8 ? 8 : std::size(lines))];
          const std::string piece = incoming.substr(0, 1 + random() % incoming.size());
          incoming.erase(0, piece.size());
          c.handle_bytes(piece, descriptors);
          break;
        }
        case 2:
        case 3: {
          Channel::Outgoing message{
              "message\n", {}, random() % 2 ? Channel::Descriptor::give : Channel::Descriptor::lend, SendId{++next_id}};
          if (random() % 2) message.descriptor = FdToken{++next_fd};
          const bool given = message.descriptor && message.ownership == Channel::Descriptor::give;
          const auto descriptor = message.descriptor;
          if (c.send(std::move(message)) == SendResult::closed) break;
          unreported.insert(SendId{next_id});
          if (given) owed.insert(*descriptor);
          break;
        }
        case 4:
        case 5:
        case 6: {
          if (!c.has_output()) break;
          const Write write = next_write(c);
          ASSERT_TRUE(!write.descriptor || !gone.contains(*write.descriptor)) << seed;
          if (write.descriptor && random() % 8 == 0) {
            c.handle_descriptor_gone(*write.descriptor);
          } else {
            c.handle_written(random() % 2 ? write.bytes.size() : 1 + random() % write.bytes.size());
          }
          break;
        }
        default:
          if (random() % 20 == 0) c.disconnect();
          if (random() % 40 == 0) c.handle_end();
      }
      drain();
    }
    c.disconnect();
    c.handle_timeout(Channel::Timer::close);
    drain();
    ASSERT_TRUE(closed) << seed;
    ASSERT_TRUE(owed.empty()) << seed;
    ASSERT_TRUE(unreported.empty()) << seed;
  }
}

TEST(Channel, LeavesOutWhatIsTooLargeAndGoesOn) {
  Channel c(Serialization::json, {.max_message = 100, .skip_large = true});
  c.handle_bytes("\"" + std::string(200, 'x') + "\"\n1\n", {});

  EXPECT_EQ(events(c), Events{"received"});
  EXPECT_TRUE(c.connected());
}

TEST(Channel, AnswersForTheDescriptorOfWhatItLeavesOut) {
  Channel c(Serialization::json, {.max_message = 100, .skip_large = true});
  const std::array came{fd1};
  c.handle_bytes(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":")" + std::string(200, 'x'), came);
  c.handle_bytes("\"}\n", {});

  EXPECT_EQ(events(c), Events{"released 1"});
  EXPECT_EQ(write_all(c), (Writes{{ack, {}}}));
}

TEST(Channel, RefusesMoreValuesThanAMessageMayHave) {
  for (const auto serialization : {Serialization::json, Serialization::advanced}) {
    for (const std::size_t values : {100, 101}) {
      Array array(std::vector<Value>(values - 1, Value::array()));
      Channel c(serialization, {.max_values = 100});
      c.handle_bytes(wire::encode(serialization, Value(std::move(array))), {});

      EXPECT_EQ(events(c), values == 100 ? Events{"received"} : (Events{"ERR_IPC_MESSAGE_TOO_LARGE", "closed"}));
    }
  }
}

TEST(Channel, HasLargeMessagesDecodedApart) {
  for (const auto serialization : {Serialization::json, Serialization::advanced}) {
    Channel c(serialization, {.decode_apart = 100});
    const std::string large = wire::encode(serialization, Value(std::string(100, 'x'))), small = wire::encode(serialization, 1);
    const std::string bytes = small + large + small + large;
    c.handle_bytes(bytes, {});

    EXPECT_EQ(events(c), Events{"received"});
    auto frame = c.take_undecoded();
    ASSERT_TRUE(frame);
    EXPECT_FALSE(c.take_undecoded());
    c.handle_decoded(c.decoding().decode(frame->bytes()));
    EXPECT_EQ(events(c), (Events{"received", "received"}));
    frame = c.take_undecoded();
    ASSERT_TRUE(frame);
    c.handle_decoded({});
    EXPECT_EQ(events(c), (Events{"ERR_IPC_MALFORMED_MESSAGE", "closed"}));
  }
}

TEST(Channel, KeepsADescriptorWithItsMessageWhileThatIsDecoded) {
  Channel c(Serialization::json, {.decode_apart = 60});
  const std::array came{fd1};
  c.handle_bytes(R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":")" + std::string(100, 'x'), came);
  c.handle_bytes("\"}\n2\n", {});
  const auto frame = c.take_undecoded();
  ASSERT_TRUE(frame);
  c.handle_decoded(c.decoding().decode(frame->bytes()));

  EXPECT_EQ(events(c), (Events{"received+1", "received"}));
}

TEST(Channel, FailsWhereTheSystemRefusesToGoOn) {
  Channel c = channel();
  c.send(plain("a\n", SendId{7}));
  c.handle_failure(std::error_code(EPIPE, std::generic_category()));

  EXPECT_EQ(events(c), (Events{"EPIPE", "failed sent 7", "closed"}));
  EXPECT_EQ(make_error_code(Errc::ipc_channel_failed),
            Channel::Failed{std::error_code(EPIPE, std::generic_category())}.error().code);
}

}  // namespace
}  // namespace muster::core
