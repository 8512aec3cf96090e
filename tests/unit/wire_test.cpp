// SPDX-License-Identifier: MIT
#include "core/wire.h"
#include "core/frame.h"

#include <gtest/gtest.h>
#include <muster/error.h>

#include <random>

#include "core/clone.h"
#include "core/json.h"

namespace muster::core::wire {
namespace {

constexpr Serialization json = Serialization::json;

// The message in a line, which must be one of the cluster's.
ClusterMessage cluster(std::string_view line) {
  const auto packet = decode(json, line);
  EXPECT_TRUE(packet && std::holds_alternative<ClusterMessage>(packet->payload)) << line;
  return packet ? std::get<ClusterMessage>(packet->payload) : ClusterMessage{};
}

bool unknown(std::string_view line) { return std::holds_alternative<Unknown>(cluster(line).body); }

// Lines captured from Node, each of which must come out again as it went in.
constexpr const char* captured[] = {
    R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})",
    R"({"cmd":"NODE_CLUSTER","act":"online","muster":1,"seq":0})",
    R"({"cmd":"NODE_CLUSTER","act":"muster","muster":1,"seq":3})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":18001,"addressType":4,"backlog":0,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"127.0.0.1","port":18001,"addressType":4,"flags":0,"backlog":0,"seq":1})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"::1","port":18001,"addressType":6,"flags":0,"backlog":0,"seq":2})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"::","port":18001,"addressType":6,"flags":1,"backlog":0,"seq":3})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":2,"data":null,"address":null,"port":0,"addressType":4,"backlog":0,"seq":4})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"/srv/app/rel.sock","port":-1,"addressType":-1,"backlog":0,"seq":5})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":"/abs.sock","port":-1,"addressType":-1,"backlog":3,"readableAll":true,"writableAll":true,"seq":6})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":null,"addressType":null,"fd":99,"backlog":5,"seq":7})",
    R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":{"ticketKeys":"00ff"},"address":null,"port":443,"addressType":4,"backlog":0,"seq":8})",
    R"({"cmd":"NODE_CLUSTER","act":"listening","index":0,"data":null,"address":null,"port":43210,"addressType":4,"backlog":0,"seq":19})",
    R"({"cmd":"NODE_CLUSTER","act":"close","key":"null:18101:4:undefined:0","seq":20})",
    R"({"cmd":"NODE_CLUSTER","act":"exitedAfterDisconnect","seq":21})",
    R"({"cmd":"NODE_CLUSTER","ack":7,"accepted":true,"seq":22})",
    R"({"cmd":"NODE_CLUSTER","ack":7,"accepted":false,"seq":23})",
    R"({"cmd":"NODE_CLUSTER","errno":null,"key":"null:18101:4:undefined:0","ack":1,"data":null,"sockname":{"address":"::","family":"IPv6","port":18101},"seq":0})",
    R"({"cmd":"NODE_CLUSTER","errno":null,"key":"0:1","ack":1,"data":null,"sockname":{"address":"127.0.0.1","family":"IPv4","port":1},"seq":0})",
    R"({"cmd":"NODE_CLUSTER","errno":null,"key":"/srv/x.sock:-1:-1:undefined:0","ack":10,"data":null,"seq":9})",
    R"({"cmd":"NODE_CLUSTER","errno":-98,"key":"127.0.0.1:18110:4:undefined:0","ack":1,"data":null,"seq":0})",
    R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,"key":"k","ack":1,"data":null,"seq":0}})",
    R"({"cmd":"NODE_HANDLE","type":"dgram.Native","msg":{"cmd":"NODE_CLUSTER","errno":0,"key":"127.0.0.1:18115:udp4:-1:0","ack":14,"data":null,"seq":13}})",
    R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn","key":"k","seq":3}})",
    R"({"cmd":"NODE_CLUSTER","act":"disconnect","seq":4})",
    R"({"cmd":"NODE_CLUSTER","ack":21,"seq":5})",
};

TEST(Wire, WritesWhatNodeWritesByteForByte) {
  for (const std::string line : captured) {
    const auto packet = decode(json, line);
    ASSERT_TRUE(packet) << line;
    ASSERT_TRUE(std::holds_alternative<ClusterMessage>(packet->payload)) << line;
    EXPECT_EQ(encode(json, std::get<ClusterMessage>(packet->payload), packet->handle), line + "\n");
  }
}

TEST(Wire, ReadsEveryFieldOfAQuery) {
  const auto message = cluster(
      R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":3,"data":{"a":1},"address":"::","port":80,"addressType":6,"fd":5,"flags":1,"backlog":7,"readableAll":true,"writableAll":1,"seq":9})");

  const ListenQuery expected{3, Value{{"a", 1}}, "::", 80, AddressType::tcp6, 5, flag_ipv6_only, 7, true, true};
  EXPECT_EQ(std::get<QueryServer>(message.body).query, expected);
  EXPECT_EQ(message.seq, Seq{9});
}

TEST(Wire, ReadsDatagramTypesByName) {
  EXPECT_EQ(std::get<QueryServer>(cluster(R"({"cmd":"NODE_CLUSTER","act":"queryServer","addressType":"udp4"})").body)
                .query.address_type,
            AddressType::udp4);
  EXPECT_EQ(std::get<QueryServer>(cluster(R"({"cmd":"NODE_CLUSTER","act":"queryServer","addressType":"udp6"})").body)
                .query.address_type,
            AddressType::udp6);
}

TEST(Wire, DoesNotDependOnTheOrderOfFields) {
  EXPECT_TRUE(std::holds_alternative<Online>(cluster(R"({"seq":0,"act":"online","extra":[],"cmd":"NODE_CLUSTER"})").body));
}

TEST(Wire, TakesTheSmallestAnswerThatNodeTakes) {
  const auto reply = std::get<Reply>(cluster(R"({"cmd":"NODE_CLUSTER","ack":1,"key":"k"})").body);

  EXPECT_EQ(reply.ack, Seq{1});
  ASSERT_TRUE(reply.server);
  EXPECT_EQ(reply.server->key, "k");
  EXPECT_EQ(reply.server->error_number, std::nullopt);
}

TEST(Wire, SeesAnErrorInAnAnswerWithoutAKey) {
  const auto reply = std::get<Reply>(cluster(R"({"cmd":"NODE_CLUSTER","ack":1,"errno":-98})").body);

  ASSERT_TRUE(reply.server);
  EXPECT_EQ(reply.server->error_number, -98);
}

TEST(Wire, ReadsAcceptedForItsTruth) {
  EXPECT_EQ(std::get<Reply>(cluster(R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":1})").body).accepted, true);
  EXPECT_EQ(std::get<Reply>(cluster(R"({"cmd":"NODE_CLUSTER","ack":1,"accepted":""})").body).accepted, false);
  EXPECT_EQ(std::get<Reply>(cluster(R"({"cmd":"NODE_CLUSTER","ack":1})").body).accepted, std::nullopt);
}

TEST(Wire, DoesNotMatchAnAckThatIsNoNumber) {
  for (const char* ack : {R"("1")", "null", "-1", "1.5", "1e300", "[]", "{}", "true"}) {
    EXPECT_TRUE(unknown(R"({"cmd":"NODE_CLUSTER","ack":)" + std::string(ack) + "}")) << ack;
  }
}

TEST(Wire, IgnoresAnActThatItDoesNotKnow) {
  EXPECT_TRUE(unknown(R"({"cmd":"NODE_CLUSTER","act":"later"})"));
  EXPECT_TRUE(unknown(R"({"cmd":"NODE_CLUSTER","act":5})"));
  EXPECT_TRUE(unknown(R"({"cmd":"NODE_CLUSTER"})"));
}

TEST(Wire, TellsInternalMessagesFromTheProgramsOwn) {
  for (const char* own : {R"({"cmd":"NODE_"})", R"({"cmd":"node_x"})", R"({"cmd":"xNODE_CLUSTER"})",
                          R"({"cmd":["NODE_CLUSTER"]})", "null", "1", R"("NODE_CLUSTER")", "[]", "{}"}) {
    const auto packet = decode(json, own);
    ASSERT_TRUE(packet) << own;
    ASSERT_TRUE(std::holds_alternative<Value>(packet->payload)) << own;
    EXPECT_EQ(std::get<Value>(packet->payload), *parse_json(own));
  }
  for (const char* internal : {R"({"cmd":"NODE_X"})", R"({"cmd":"NODE_DEBUG_ENABLED"})", R"({"cmd":"NODE_SOCKET_OTHER"})"}) {
    const auto packet = decode(json, internal);
    ASSERT_TRUE(packet) << internal;
    EXPECT_TRUE(std::holds_alternative<UnknownInternal>(packet->payload)) << internal;
  }
}

TEST(Wire, ReadsAndWritesTheAccountOfSockets) {
  using Kind = SocketListMessage::Kind;
  const std::pair<SocketListMessage, std::string> messages[] = {
      {{Kind::get_count, "4:a:0"}, R"({"cmd":"NODE_SOCKET_GET_COUNT","key":"4:a:0"})"},
      {{Kind::notify_close, "4:a:0"}, R"({"cmd":"NODE_SOCKET_NOTIFY_CLOSE","key":"4:a:0"})"},
      {{Kind::count, "4:a:0", 3}, R"({"cmd":"NODE_SOCKET_COUNT","key":"4:a:0","count":3})"},
      {{Kind::all_closed, "4:a:0"}, R"({"cmd":"NODE_SOCKET_ALL_CLOSED","key":"4:a:0"})"},
  };
  for (const auto& [message, text] : messages) {
    EXPECT_EQ(encode(json, message), text + "\n");
    EXPECT_EQ(std::get<SocketListMessage>(decode(json, text)->payload), message);
  }
  // What a peer may say instead of a number.
  for (const char* count : {"-1", "1.5", "\"3\"", "null", "1e300"}) {
    const auto packet = decode(json, R"({"cmd":"NODE_SOCKET_COUNT","key":"k","count":)" + std::string(count) + "}");
    EXPECT_EQ(std::get<SocketListMessage>(packet->payload).count, 0U) << count;
  }
}

TEST(Wire, ReadsAndWritesAcknowledgements) {
  EXPECT_EQ(encode_ack(json, true), "{\"cmd\":\"NODE_HANDLE_ACK\"}\n");
  EXPECT_EQ(encode_ack(json, false), "{\"cmd\":\"NODE_HANDLE_NACK\"}\n");
  EXPECT_TRUE(std::holds_alternative<HandleAck>(decode(json, R"({"cmd":"NODE_HANDLE_ACK"})")->payload));
  EXPECT_TRUE(std::holds_alternative<HandleNack>(decode(json, R"({"cmd":"NODE_HANDLE_NACK"})")->payload));
}

// What is read and written quickly is what the slow way makes of it: a space makes a line take that.
TEST(Wire, ReadsARepliesOfAWorkerAsItReadsEverything) {
  for (const char* reply :
       {R"("ack":0,"accepted":true,"seq":1})", R"("ack":12345,"accepted":false,"seq":999999999999999})",
        R"("ack":01,"accepted":true,"seq":1})", R"("ack":-1,"accepted":true,"seq":1})", R"("ack":1,"accepted":true,"seq":1.5})",
        R"("ack":1,"accepted":true,"seq":1e3})", R"("ack":1,"accepted":1,"seq":1})", R"("ack":1,"accepted":truely,"seq":1})",
        R"("ack":1,"accepted":true,"seq":9999999999999999999})", R"("ack":1,"accepted":true,"seq":1,"key":"k"})",
        R"("ack":1,"accepted":true,"seq":})", R"("ack":1,"accepted":true,"seq":1}})", R"("ack":,"accepted":true})"}) {
    const auto quick = decode(json, R"({"cmd":"NODE_CLUSTER",)" + std::string(reply));
    const auto slow = decode(json, R"({ "cmd":"NODE_CLUSTER",)" + std::string(reply));
    ASSERT_EQ(quick.has_value(), slow.has_value()) << reply;
    if (!quick) continue;
    const auto& a = std::get<ClusterMessage>(quick->payload);
    const auto& b = std::get<ClusterMessage>(slow->payload);
    EXPECT_EQ(a.seq, b.seq) << reply;
    ASSERT_EQ(a.body.index(), b.body.index()) << reply;
    if (!std::holds_alternative<Reply>(a.body)) continue;
    EXPECT_EQ(std::get<Reply>(a.body).ack, std::get<Reply>(b.body).ack) << reply;
    EXPECT_EQ(std::get<Reply>(a.body).accepted, std::get<Reply>(b.body).accepted) << reply;
    EXPECT_EQ(std::get<Reply>(a.body).server.has_value(), std::get<Reply>(b.body).server.has_value()) << reply;
  }
}

TEST(Wire, WritesAConnectionWhateverItsKey) {
  for (const std::string key :
       {"127.0.0.1:80:4:undefined", "/a\"b:-1:-1:undefined", "/a\\b", "/a\nb", "/\xc3\xa9", "/\x7f", ""}) {
    const std::string line = encode(json, {NewConnection{key}, Seq{7}}, HandleInfo{});
    const auto packet = decode(json, std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(packet) << line;
    EXPECT_EQ(packet->handle, HandleInfo{});
    const auto& message = std::get<ClusterMessage>(packet->payload);
    EXPECT_EQ(message.seq, Seq{7});
    EXPECT_EQ(std::get<NewConnection>(message.body).key, key);
  }
  EXPECT_EQ(encode(json, {NewConnection{"k1"}, Seq{7}}, HandleInfo{}),
            R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn","key":"k1","seq":7}})"
            "\n");
}

// What a program that reads its messages itself gets of this frame; nothing where it is not the program's.
std::optional<std::string> bytes_of(Serialization serialization, std::string_view frame) {
  const auto packet = decode(serialization, frame, UserData::bytes);
  if (!packet || !std::holds_alternative<UserBytes>(packet->payload)) return std::nullopt;
  return std::get<UserBytes>(packet->payload).bytes;
}

TEST(WireBytes, LeavesAProgramsMessageAsItCame) {
  for (const char* line : {R"({ "a":1.50, "cmd":"x" })", R"("NODE_CLUSTER")", R"({"cmd":"NODE_"})", R"({"cmd":"a\u0041"})",
                           "nonsense", "NODE_nonsense", "", R"({"cmd":"NODE_SOMETHING"})"}) {
    EXPECT_EQ(bytes_of(json, line), line);
  }
  std::string clone;
  ASSERT_EQ(write_clone(Value{{"text", "NODE_CLUSTER"}}, clone), Written::whole);
  EXPECT_EQ(bytes_of(Serialization::advanced, clone), clone);
}

TEST(WireBytes, ReadsWhatIsNodesOwnHoweverItIsWritten) {
  EXPECT_FALSE(bytes_of(json, R"({"cmd":"NODE_CLUSTER","act":"online","seq":0})"));
  EXPECT_FALSE(bytes_of(json, R"({"cmd":"\u004eODE_CLUSTER","act":"online","seq":0})"));
  EXPECT_FALSE(bytes_of(json, R"({"cmd":"NODE_HANDLE_ACK"})"));
  EXPECT_FALSE(bytes_of(json, "\x03O+ 7 key"));
  std::string clone;
  ASSERT_EQ(write_clone(Value{{"cmd", "NODE_CLUSTER"}, {"act", "online"}}, clone), Written::whole);
  EXPECT_FALSE(bytes_of(Serialization::advanced, clone));
  const std::string_view wide(
      "\xff\x0fo\"\x03"
      "cmdc\x18N\0O\0D\0E\0_\0C\0L\0U\0S\0T\0E\0R\0{\x01",
      36);
  EXPECT_FALSE(bytes_of(Serialization::advanced, wide));
}

TEST(WireBytes, SaysWhatAHandleIsForAndLeavesTheMessageInItsWrapping) {
  const char* line =
      R"({"cmd":"NODE_HANDLE","type":"net.Socket","key":"4:0","msg":{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}})";
  const auto packet = decode(json, line, UserData::bytes);
  ASSERT_TRUE(packet && packet->handle);
  EXPECT_EQ(packet->handle->kind, HandleKind::net_socket);
  EXPECT_EQ(std::get<UserBytes>(packet->payload).bytes, line);
}

TEST(WireBytes, OnlyFramesWhatIsSent) {
  EXPECT_EQ(encode(json, UserBytes{"{}"}), "{}\n");
  EXPECT_EQ(encode(Serialization::advanced, UserBytes{"ab"}), std::string("\0\0\0\2ab", 6));
}

TEST(Wire, ReadsAndWritesOffers) {
  for (const Serialization serialization : {Serialization::json, Serialization::advanced}) {
    const std::size_t header = serialization == Serialization::json ? 0 : 4;
    const auto read = [&](const std::string& frame) {
      const std::size_t newline = serialization == Serialization::json ? 1 : 0;
      return decode(serialization, std::string_view(frame).substr(header, frame.size() - header - newline));
    };
    std::string frame = encode_offer(serialization, 41, 3, "a key:80");
    withdraw(serialization, frame, 1);
    EXPECT_EQ(std::get<Offer>(read(frame)->payload), (Offer{41, {true, false, true}, "a key:80"}));

    using Outcome = OfferReply::Outcome;
    const OfferReply reply{7, {Outcome::accepted, Outcome::refused, Outcome::revoked, Outcome::not_received}};
    EXPECT_EQ(std::get<OfferReply>(read(encode(serialization, reply))->payload), reply);
  }
}

TEST(Wire, RefusesMalformedOffers) {
  for (const char* frame :
       {"\x03", "\x03O", "\x03O ", "\x03O 1 k", "\x03O+ k", "\x03O+ 1", "\x03O+x 1 k", "\x03O+ 1x k", "\x03R 1", "\x03Ra",
        "\x03Ra ", "\x03Rz 1", "\x03Ra 1 ", "\x03Xa 1", "\x03O+ 99999999999999999999999 k"}) {
    EXPECT_FALSE(decode(json, frame)) << frame;
    EXPECT_FALSE(decode(Serialization::advanced, frame)) << frame;
  }
}

TEST(Wire, WrapsAUsersMessageWithItsHandle) {
  EXPECT_EQ(encode(json, Value("conn"), HandleInfo{HandleKind::net_socket, "4:127.0.0.1:0"}),
            R"({"cmd":"NODE_HANDLE","type":"net.Socket","msg":"conn","key":"4:127.0.0.1:0"})"
            "\n");
  EXPECT_EQ(encode(json, Value("d"), HandleInfo{HandleKind::dgram_socket, "", "udp4"}),
            R"({"cmd":"NODE_HANDLE","type":"dgram.Socket","msg":"d","dgramType":"udp4"})"
            "\n");
  EXPECT_EQ(encode(json, Value(1), HandleInfo{HandleKind::net_server}),
            "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Server\",\"msg\":1}\n");
}

TEST(Wire, ReadsEveryKindOfHandle) {
  for (const auto& [name, kind] : {std::pair{"net.Native", HandleKind::net_native},
                                   {"net.Server", HandleKind::net_server},
                                   {"net.Socket", HandleKind::net_socket},
                                   {"dgram.Native", HandleKind::dgram_native},
                                   {"dgram.Socket", HandleKind::dgram_socket}}) {
    const auto packet =
        decode(json, R"({"cmd":"NODE_HANDLE","type":")" + std::string(name) + R"(","msg":"m","key":"k","dgramType":"t"})");
    ASSERT_TRUE(packet) << name;
    EXPECT_EQ(packet->handle, (HandleInfo{kind, "k", "t"}));
    EXPECT_EQ(std::get<Value>(packet->payload), Value("m"));
  }
}

TEST(Wire, UnwrapsWhatNodeWrapsTwiceWhenItRetries) {
  const auto packet = decode(
      json,
      R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"conn","key":"4:127.0.0.1:0"}})");

  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->handle, (HandleInfo{HandleKind::net_socket, "4:127.0.0.1:0"}));
  EXPECT_EQ(std::get<Value>(packet->payload), Value("conn"));
}

TEST(Wire, RefusesEndlessWrapping) {
  std::string line = "1";
  for (int i = 0; i < 5; ++i) line = R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":)" + line + "}";

  EXPECT_FALSE(decode(json, line));
}

TEST(Wire, RefusesAHandleOfAKindThatItDoesNotKnow) {
  EXPECT_FALSE(decode(json, R"({"cmd":"NODE_HANDLE","type":"net.Future","msg":1})"));
  EXPECT_FALSE(decode(json, R"({"cmd":"NODE_HANDLE","type":5,"msg":1})"));
  EXPECT_FALSE(decode(json, R"({"cmd":"NODE_HANDLE"})"));
}

TEST(Wire, DeliversUndefinedForAHandleWithoutAMessage) {
  const auto packet = decode(json, R"({"cmd":"NODE_HANDLE","type":"net.Native"})");

  ASSERT_TRUE(packet);
  EXPECT_TRUE(std::get<Value>(packet->payload).is_undefined());
}

// Captured between a Bun primary and a Bun worker.
TEST(WireBun, ReadsMarkedMessages) {
  const auto online = decode(json, "\x02{\"cmd\":\"NODE_CLUSTER\",\"act\":\"online\",\"seq\":0}");
  ASSERT_TRUE(online);
  EXPECT_EQ(online->dialect, Dialect::bun);
  EXPECT_TRUE(std::holds_alternative<Online>(std::get<ClusterMessage>(online->payload).body));

  const auto connection =
      decode(json, "\x02{\"act\":\"newconn\",\"key\":\"127.0.0.1:0:4:undefined:0\",\"$hasHandle\":true,\"seq\":1}");
  ASSERT_TRUE(connection && connection->handle);
  const auto& message = std::get<ClusterMessage>(connection->payload);
  EXPECT_EQ(std::get<NewConnection>(message.body).key, "127.0.0.1:0:4:undefined:0");
  EXPECT_EQ(message.seq, Seq(1));

  EXPECT_FALSE(decode(json, "\x02"));
  EXPECT_FALSE(decode(json, "\x02\x02{}"));
}

TEST(WireBun, WritesMarkedMessagesAndWrapsNoDescriptor) {
  EXPECT_EQ(encode(json, {Disconnect{}, Seq(2)}, {}, Dialect::bun),
            "\x02{\"cmd\":\"NODE_CLUSTER\",\"act\":\"disconnect\",\"seq\":2}\n");
  EXPECT_EQ(encode(json, {NewConnection{"k"}, Seq(1)}, HandleInfo{}, Dialect::bun),
            "\x02{\"cmd\":\"NODE_CLUSTER\",\"act\":\"newconn\",\"key\":\"k\",\"seq\":1,\"$hasHandle\":true}\n");
}

TEST(WireBun, LeavesTheProgramsMessagesAsNodeWritesThem) {
  const auto message = decode(json, R"({"cmd":"NODE_HANDLE","msg":"a socket","type":"net.Socket"})");
  ASSERT_TRUE(message && message->handle);
  EXPECT_EQ(message->dialect, Dialect::node);
  EXPECT_EQ(std::get<Value>(message->payload), Value("a socket"));
}

TEST(Wire, TellsTheProgramThatItsMessageNestsTooDeep) {
  Value deep = 1;
  for (int i = 0; i < max_depth; ++i) deep = Value::array({deep});

  EXPECT_NO_THROW(encode(json, deep));
  EXPECT_THROW(encode(json, deep, HandleInfo{}), Exception);
}

// It aborted the primary: the answer with a descriptor is one object deeper than the question was.
TEST(Wire, CanSendBackWhateverDataAQueryHolds) {
  for (const int levels : {max_depth - 3, max_depth - 2, max_depth - 1}) {
    const std::string data =
        std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
    const auto query =
        std::get<QueryServer>(cluster(R"({"cmd":"NODE_CLUSTER","act":"queryServer","data":)" + data + "}").body).query;

    const std::string answer = encode(json, {Reply{Seq{1}, {}, ServerAnswer{0, "k", query.data}}}, HandleInfo{});

    EXPECT_TRUE(decode(json, std::string_view(answer).substr(0, answer.size() - 1)));
    EXPECT_EQ(query.data.is_null(), levels > max_depth - 2);
  }
}

// --- in advanced serialization ---

constexpr Serialization advanced = Serialization::advanced;

std::string payload(const Value& value) {
  std::string bytes;
  EXPECT_EQ(write_clone(value, bytes), Written::whole);
  return bytes;
}

std::string_view without_length(const std::string& frame) { return std::string_view(frame).substr(4); }

TEST(WireAdvanced, SaysEverythingThatJsonSays) {
  for (const std::string line : captured) {
    const auto packet = decode(json, line);
    ASSERT_TRUE(packet);
    const auto* message = std::get_if<ClusterMessage>(&packet->payload);
    if (!message) continue;

    const std::string frame = encode(advanced, *message, packet->handle);
    const auto again = decode(advanced, without_length(frame));

    ASSERT_TRUE(again) << line;
    EXPECT_EQ(encode(json, std::get<ClusterMessage>(again->payload), again->handle), line + "\n");
    EXPECT_EQ(parse_clone(without_length(frame)), parse_json(line));
  }
}

TEST(WireAdvanced, TakesUndefinedForAbsent) {
  Value message = *parse_json(R"({"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"port":80,"seq":1})");
  for (const char* absent : {"fd", "flags", "address", "addressType", "backlog", "readableAll"})
    message.set(absent, Undefined());

  const auto packet = decode(advanced, payload(message));

  ASSERT_TRUE(packet);
  const ListenQuery expected{.port = 80};
  EXPECT_EQ(std::get<QueryServer>(std::get<ClusterMessage>(packet->payload).body).query, expected);
}

TEST(WireAdvanced, TellsAnUndefinedReplyFromOneOfAServer) {
  const auto packet =
      decode(advanced, payload(Value{{"cmd", "NODE_CLUSTER"}, {"ack", 1}, {"accepted", Undefined()}, {"key", Undefined()}}));

  ASSERT_TRUE(packet);
  const auto& reply = std::get<Reply>(std::get<ClusterMessage>(packet->payload).body);
  EXPECT_FALSE(reply.accepted);
  EXPECT_FALSE(reply.server);
}

TEST(WireAdvanced, ReadsAndWritesAcknowledgements) {
  EXPECT_EQ(encode_ack(advanced, true), std::string("\0\0\0\x1b\xff\x0fo\"\3cmd\"\x0fNODE_HANDLE_ACK{\1", 31));
  EXPECT_TRUE(std::holds_alternative<HandleAck>(decode(advanced, without_length(encode_ack(advanced, true)))->payload));
  EXPECT_TRUE(std::holds_alternative<HandleNack>(decode(advanced, without_length(encode_ack(advanced, false)))->payload));
}

TEST(WireAdvanced, WrapsAUsersMessageWithItsHandle) {
  const Value message = Array{Map{{{1, BigInt(2)}}}, Date(3)};

  const auto packet = decode(advanced, without_length(encode(advanced, message, HandleInfo{HandleKind::net_socket, "key"})));

  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->handle, (HandleInfo{HandleKind::net_socket, "key"}));
  EXPECT_EQ(std::get<Value>(packet->payload), message);
}

TEST(WireAdvanced, TakesNothingButAnObjectForInternal) {
  for (const Value& own : {Value(Map{{{"cmd", "NODE_CLUSTER"}}}), Value(View::buffer("NODE_CLUSTER")), Value(Array{"cmd"}),
                           Value{{"cmd", Boxed{"NODE_CLUSTER"}}}, Value(ErrorObject{{}, "NODE_CLUSTER"})}) {
    const auto packet = decode(advanced, payload(own));
    ASSERT_TRUE(packet);
    ASSERT_TRUE(std::holds_alternative<Value>(packet->payload));
    EXPECT_EQ(std::get<Value>(packet->payload), own);
  }
}

TEST(WireAdvanced, SurvivesAWrapperThatWrapsItself) {
  Value wrapper{{"cmd", "NODE_HANDLE"}, {"type", "net.Native"}};
  wrapper.set("msg", wrapper.weak());
  EXPECT_FALSE(decode(advanced, payload(wrapper)));

  Value inside{{"n", 1}};
  inside.set("wrapper", wrapper.weak());
  wrapper.set("msg", inside);
  const auto packet = decode(advanced, payload(wrapper));
  ASSERT_TRUE(packet);
  EXPECT_TRUE(std::get<Value>(packet->payload)["wrapper"].is_undefined()) << "it has gone";
}

// What comes back in the answer, to any worker, must be what every serialization can write.
TEST(WireAdvanced, TakesOnlyPlainDataOfAQuery) {
  const Value shared = Value::array();
  Value bomb = Value::array();
  for (int i = 0; i < 100; ++i) bomb = Value(Array{bomb, bomb});
  Value message{{"cmd", "NODE_CLUSTER"}, {"act", "queryServer"}};
  for (const Value& data :
       {Value(BigInt(1)), Value(Array{shared, shared}), bomb, Value{{"up", message.weak()}}, Value(Map())}) {
    message.set("data", data);
    const auto packet = decode(advanced, payload(message));
    ASSERT_TRUE(packet);
    const ListenQuery& query = std::get<QueryServer>(std::get<ClusterMessage>(packet->payload).body).query;
    EXPECT_TRUE(query.data.is_null());
    encode(json, {Reply{Seq{1}, {}, ServerAnswer{0, "k", query.data}}}, HandleInfo{});
  }
  message.set("data", Value{{"ticketKeys", "00ff"}});
  const auto packet = decode(advanced, payload(message));
  EXPECT_EQ(std::get<QueryServer>(std::get<ClusterMessage>(packet->payload).body).query.data["ticketKeys"], Value("00ff"));
  message.set("data", nullptr);
}

TEST(WireAdvanced, TellsTheProgramWhyItsMessageCannotBeSent) {
  Value deep = 1;
  for (int i = 0; i < max_depth; ++i) deep = Value(Array{deep});
  Value circle = Value::object();
  circle.set("self", circle.weak());

  EXPECT_NO_THROW(encode(advanced, deep));
  EXPECT_THROW(encode(advanced, deep, HandleInfo{}), Exception);
  EXPECT_NO_THROW(encode(advanced, circle));
  EXPECT_THROW(encode(json, circle), Exception);
  EXPECT_NO_THROW(encode(advanced, BigInt(1)));
  EXPECT_THROW(encode(json, BigInt(1)), Exception);
}

// What was understood of a message is understood again, whatever was in it.
template <class Body>
void expect_stable(Serialization serialization, const Packet& packet) {
  const auto* body = std::get_if<Body>(&packet.payload);
  if (!body) return;
  const std::string written = encode(serialization, *body, packet.handle);
  FrameReader reader(serialization, std::size_t{1} << 30);
  reader.feed(written);
  const auto next = reader.next();
  const auto* frame = std::get_if<FrameReader::Frame>(&next);
  ASSERT_TRUE(frame) << written;
  const auto again = decode(serialization, frame->bytes);
  ASSERT_TRUE(again) << written;
  const auto* same = std::get_if<Body>(&again->payload);
  ASSERT_TRUE(same) << written;
  EXPECT_EQ(encode(serialization, *same, again->handle), written);
}

TEST(WireAdvanced, SurvivesCapturedMessagesWithBytesChanged) {
  std::mt19937 random(1);
  std::vector<std::string> frames;
  for (const char* line : captured) frames.push_back(payload(*parse_json(line)));
  for (int i = 0; i < 20'000; ++i) {
    std::string frame = frames[random() % frames.size()];
    for (unsigned n = random() % 4; n > 0; --n) frame[random() % frame.size()] = static_cast<char>(random());
    const auto packet = decode(advanced, frame);
    if (!packet) continue;
    for (const Serialization serialization : {json, advanced}) expect_stable<ClusterMessage>(serialization, *packet);
    expect_stable<Value>(advanced, *packet);
  }
}

TEST(Wire, SurvivesEveryFieldWithAValueOfAnyKind) {
  const char* fields[] = {"act",         "seq",   "ack",      "index",   "data",        "address",     "port",
                          "addressType", "fd",    "flags",    "backlog", "readableAll", "writableAll", "key",
                          "accepted",    "errno", "sockname", "type",    "msg",         "dgramType",   "cmd"};
  const char* values[] = {"null",
                          "true",
                          "-1",
                          "0",
                          "1e400",
                          "-1e400",
                          "0.5",
                          "4294967296",
                          "9007199254740993",
                          "-2147483649",
                          R"("")",
                          R"("text")",
                          R"("NODE_HANDLE")",
                          "[]",
                          "{}",
                          R"([{"port":1}])",
                          R"({"port":"x","address":5,"family":[]})",
                          R"({"port":1e99})"};
  const char* acts[] = {"online", "queryServer", "listening", "close", "exitedAfterDisconnect", "newconn", "disconnect"};
  for (const std::string field : fields) {
    for (const std::string value : values) {
      for (const std::string act : acts) {
        const std::string member = "\"" + field + "\":" + value;
        for (const std::string& line : {R"({"cmd":"NODE_CLUSTER","act":")" + act + "\"," + member + "}",
                                        R"({"cmd":"NODE_CLUSTER","ack":1,"key":"k",)" + member + "}",
                                        R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":")" +
                                            act + "\"}," + member + "}"}) {
          const auto packet = decode(json, line);
          if (!packet) continue;
          expect_stable<ClusterMessage>(json, *packet);
        }
      }
    }
  }
}

TEST(Wire, SurvivesCapturedLinesWithBytesChanged) {
  std::mt19937 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string line = captured[random() % std::size(captured)];
    for (unsigned n = random() % 4; n > 0; --n) line[random() % line.size()] = static_cast<char>(random());
    line.resize(random() % 4 == 0 ? random() % line.size() : line.size());
    const auto packet = decode(json, line);
    if (!packet) continue;
    expect_stable<ClusterMessage>(json, *packet);
    expect_stable<Value>(json, *packet);
  }
}

}  // namespace
}  // namespace muster::core::wire
