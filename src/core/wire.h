// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <muster/address.h>
#include <muster/settings.h>
#include <muster/value.h>
#include "core/ids.h"
#include "core/limits.h"

// What travels on the channel between a primary and a worker, as Node's cluster module defines it.
// docs/protocol.md shows a whole session.
namespace muster::core::wire {

// What muster's own ends say to each other beyond Node has a version: a number that the worker says with `online`, and that the
// primary answers with, or with its own where that is lower. A number that either does not know means plain Node.
//
// Raise it, and read the one before for a release, when any of these changes in a way that the other end would see: the frames
// of Offer and OfferReply, the messages Muster, Counters, Queue and GiveBack, the layout of kernel::LoadBoard's page or of
// kernel::member_counts, or what any of them means. A primary and its workers may be of different releases during an upgrade,
// and under a primary that outlives a deploy.
using ExtensionVersion = int;
inline constexpr ExtensionVersion no_extension = 0;
inline constexpr ExtensionVersion oldest_extension = 1;
inline constexpr ExtensionVersion newest_extension = 2;
// The first with Queue and GiveBack.
inline constexpr ExtensionVersion first_with_queue = 2;
// What the primary answers a worker that says this.
constexpr ExtensionVersion common_extension(ExtensionVersion said) {
  if (said < oldest_extension) return no_extension;
  return said < newest_extension ? said : newest_extension;
}

// What a worker asks a listening socket for. Absent, null and undefined mean the same on the wire.
struct ListenQuery {
  int index = 0;         // which of the worker's listens for the same address this is
  Value data = nullptr;  // opaque; the ticket keys of a TLS server
  std::optional<std::string> address = {};
  std::optional<int> port = {};
  std::optional<AddressType> address_type = {};
  std::optional<int> fd = {};  // a descriptor of the primary
  std::optional<int> flags = {};
  int backlog = 0;
  bool readable_all = false;
  bool writable_all = false;

  friend bool operator==(const ListenQuery&, const ListenQuery&) = default;
};
// Of ListenQuery::flags.
inline constexpr int flag_ipv6_only = 1;
inline constexpr int flag_reuse_port = 2;     // never on the wire: such a server does not ask
inline constexpr int flag_reuse_address = 4;  // datagrams only

struct SocketName {
  std::string address;
  bool ipv6 = false;
  int port = 0;

  friend bool operator==(const SocketName&, const SocketName&) = default;
};

// Worker to primary.
struct Online {
  ExtensionVersion extension = no_extension;  // of a muster worker: Muster{} follows
};
struct QueryServer {
  ListenQuery query;
};
struct Listening {
  ListenQuery query;  // with the real port
};
struct Close {
  std::string key;
};
struct ExitedAfterDisconnect {};
// Brings back a connection, as a descriptor, that this worker took from its queue and cannot serve.
struct GiveBack {
  QueueNumber listener{};
};

// Either way. The worker asks for its connections by a queue, and says its version of the extension; with no_extension it gives
// the queue up. The queue is a socket that the worker was started with. Each connection is a message of four bytes, the
// QueueNumber of its listener, with its descriptor. The primary answers with the worker's descriptor of the socket. It keeps
// both ends, so that it can count what the worker has not read, and read it back. A message without a descriptor is a ping,
// answered with a byte.
//
// The socket is not sent on the channel: a Node process that has just closed its channel fails an assertion when a descriptor
// comes.
struct Queue {
  ExtensionVersion extension = no_extension;
  std::optional<int> descriptor = {};  // in the worker
};

// Primary to worker.
struct NewConnection {
  std::string key;
};
struct Disconnect {};
// The primary is muster's too. Said only to a worker that is: so both may use what Node has not. It brings the worker's page of
// the load board; the worker that has mapped it says the same, and is sent offers from then on.
struct Muster {
  ExtensionVersion extension = no_extension;
};

// Where a muster worker counts what it accepts on the socket that the answer for this key brings: a descriptor.
struct Counters {
  std::string key;
};

// The answer to QueryServer. No error number: the primary accepts (round robin). 0: the worker shares
// the descriptor that comes along. Negative: it failed with that errno.
struct ServerAnswer {
  std::optional<int> error_number = {};
  std::string key;
  Value data = nullptr;
  std::optional<SocketName> socket_name = {};
  // What connections for it are marked with in the worker's queue. Nothing where they come by NewConnection.
  std::optional<QueueNumber> queue = {};
};

// Either way. What it may carry depends on what it answers: `server` on QueryServer, `accepted` on
// NewConnection, nothing on ExitedAfterDisconnect.
struct Reply {
  Seq ack{};
  std::optional<bool> accepted = {};
  std::optional<ServerAnswer> server = {};
};

// An act of a later Node that we do not know: ignored, as Node does.
struct Unknown {};

using Body = std::variant<Unknown, Online, QueryServer, Listening, Close, ExitedAfterDisconnect, GiveBack, Queue, NewConnection,
                          Disconnect, Muster, Counters, Reply>;

struct ClusterMessage {
  Body body;
  Seq seq{};
};

// What the descriptor that comes with a message is for. `descriptor`, of any kind, would
// end a Node process: it is for muster peers only.
enum class HandleKind { net_native, net_server, net_socket, dgram_native, dgram_socket, descriptor };

struct HandleInfo {
  HandleKind kind = HandleKind::net_native;
  std::string key = {};         // net_socket: the server that accepted it
  std::string dgram_type = {};  // dgram_socket: "udp4", "udp6"

  friend bool operator==(const HandleInfo&, const HandleInfo&) = default;
};

struct HandleAck {};
struct HandleNack {};
// About connections that were sent to another process, by the key of the server that accepted them. The process of the
// server asks; the other answers.
struct SocketListMessage {
  enum class Kind { get_count, notify_close, count, all_closed };

  Kind kind = Kind::get_count;
  std::string key = {};
  std::size_t count = 0;  // with Kind::count

  friend bool operator==(const SocketListMessage&, const SocketListMessage&) = default;
};
// A NODE_ command that is none of ours: shown only to a program that reads its messages itself.
struct UnknownInternal {};

// Between muster's own ends connections travel many at a time, in frames of their own, which are no message of Node's.
//
// Primary to worker: connections of one listening socket, with consecutive numbers, and a descriptor for each that has one.
struct Offer {
  std::uint64_t first = 0;
  std::vector<bool> with_descriptor = {};  // one that was taken back before it was sent has none
  std::string key = {};

  friend bool operator==(const Offer&, const Offer&) = default;
};
// Worker to primary: what became of them, in the same order.
struct OfferReply {
  enum class Outcome : char {
    accepted = 'a',
    refused = 'r',       // its server takes no more, or is gone
    revoked = 'v',       // it had been taken back
    not_received = 'n',  // it did not arrive
  };
  std::uint64_t first = 0;
  std::vector<Outcome> outcomes = {};

  friend bool operator==(const OfferReply&, const OfferReply&) = default;
};

// Whether it asks for a socket of datagrams.
bool is_datagram(const ListenQuery& query);

// A program's message as it came, for a program that reads it itself. One that brings a descriptor is the `msg` of what these
// bytes say, for as long as that is a NODE_HANDLE.
struct UserBytes {
  std::string bytes;
};

using Payload = std::variant<HandleAck, HandleNack, SocketListMessage, ClusterMessage, Offer, OfferReply, UnknownInternal,
                             Value, UserBytes>;

// What a program's messages become: a Value each, or UserBytes.
enum class UserData { values, bytes };

// How a peer writes the messages of its cluster module in json. Bun puts a byte before them and does not wrap those that bring
// a descriptor. Everything else it writes as Node does.
enum class Dialect { node, bun };

struct Packet {
  Payload payload;
  // Set when the message announces a descriptor.
  std::optional<HandleInfo> handle = {};
  // Bun's only when the message shows it.
  Dialect dialect = Dialect::node;
};

// Empty when the bytes are not a message in this serialization, or have too many values. With UserData::bytes they always are
// one: what is not to be read is the program's.
Reading<Packet> decode(Serialization serialization, std::string_view frame, UserData user_data = UserData::values,
                       std::size_t max_values = any_number_of_values);

// Whole frames, ready to be written. A program's value that cannot be is an Exception: one that nests
// deeper than max_depth, and in json one with a bigint.
std::string encode(Serialization serialization, const ClusterMessage& message, const std::optional<HandleInfo>& handle = {},
                   Dialect dialect = Dialect::node);
std::string encode(Serialization serialization, const Value& message, const std::optional<HandleInfo>& handle = {});
// A program's message that is in this serialization already, its NODE_HANDLE around it if it brings a descriptor.
std::string encode(Serialization serialization, const UserBytes& message);
std::string encode(Serialization serialization, const SocketListMessage& message);
std::string encode_ack(Serialization serialization, bool received);
// The connections from number `first` on, each with a descriptor.
std::string encode_offer(Serialization serialization, std::uint64_t first, std::size_t count, std::string_view key);
// Marks one of an encoded offer, by its place among those with a descriptor, as without one.
void withdraw(Serialization serialization, std::string& offer, std::size_t place);
std::string encode(Serialization serialization, const OfferReply& reply);

}  // namespace muster::core::wire
