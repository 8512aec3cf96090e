// SPDX-License-Identifier: MIT
#include "core/wire.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <muster/error.h>
#include "core/assert.h"
#include "core/clone.h"
#include "core/frame.h"
#include "core/json.h"

namespace muster::core::wire {
namespace {

constexpr std::string_view internal_prefix = "NODE_";
// Before a line of Bun's that is internal, and a member of those that bring a descriptor.
constexpr char bun_mark = '\x02';
constexpr std::string_view bun_handle = "$hasHandle";
// Before a frame of muster's own. No JSON begins so, nor does V8's serialization.
constexpr char muster_mark = '\x03';
// A doubly wrapped message is what Node sends when it retries; deeper is nobody's.
constexpr int max_wrapping = 4;

constexpr std::pair<HandleKind, std::string_view> handle_names[] = {
    {HandleKind::net_native, "net.Native"},     {HandleKind::net_server, "net.Server"},
    {HandleKind::net_socket, "net.Socket"},     {HandleKind::dgram_native, "dgram.Native"},
    {HandleKind::dgram_socket, "dgram.Socket"}, {HandleKind::descriptor, "muster.Descriptor"},
};

constexpr std::pair<SocketListMessage::Kind, std::string_view> socket_list_commands[] = {
    {SocketListMessage::Kind::get_count, "NODE_SOCKET_GET_COUNT"},
    {SocketListMessage::Kind::notify_close, "NODE_SOCKET_NOTIFY_CLOSE"},
    {SocketListMessage::Kind::count, "NODE_SOCKET_COUNT"},
    {SocketListMessage::Kind::all_closed, "NODE_SOCKET_ALL_CLOSED"},
};

std::string_view name_of(HandleKind kind) {
  for (const auto& [known, name] : handle_names) {
    if (known == kind) return name;
  }
  return {};
}

std::optional<HandleKind> handle_kind(std::string_view name) {
  for (const auto& [kind, known] : handle_names) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

std::optional<std::int64_t> integer(const Value& value) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.as_number();
  if (!(std::fabs(number) <= 9007199254740992.0) || number != std::trunc(number)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<int> small_integer(const Value& value) {
  const auto number = integer(value);
  if (!number || *number < INT32_MIN || *number > INT32_MAX) return std::nullopt;
  return static_cast<int>(*number);
}

std::optional<std::string> text(const Value& value) {
  if (!value.is_string()) return std::nullopt;
  return value.as_string();
}

std::optional<AddressType> address_type(const Value& value) {
  if (value.string_or("") == "udp4") return AddressType::udp4;
  if (value.string_or("") == "udp6") return AddressType::udp6;
  switch (small_integer(value).value_or(0)) {
    case -1: return AddressType::pipe;
    case 4: return AddressType::tcp4;
    case 6: return AddressType::tcp6;
    default: return std::nullopt;
  }
}

Value to_value(std::optional<AddressType> type) {
  if (!type) return nullptr;
  if (*type == AddressType::udp4 || *type == AddressType::udp6) return to_string(*type);
  return static_cast<int>(*type);
}

void append_number(std::uint64_t number, std::string& text) {
  char digits[20];
  text.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

template <class T>
Value or_null(const std::optional<T>& value) {
  return value ? Value(*value) : Value(nullptr);
}

ListenQuery read_query(const Value& message) {
  ListenQuery query;
  query.index = small_integer(message["index"]).value_or(0);
  // It goes back in the answer, below two objects, and to workers with another serialization: it must fit
  // there whatever the peer sent.
  if (const Value& data = message["data"]; !data.is_undefined() && is_plain_tree(data, max_depth - 2)) query.data = data;
  query.address = text(message["address"]);
  query.port = small_integer(message["port"]);
  query.address_type = address_type(message["addressType"]);
  query.fd = small_integer(message["fd"]);
  query.flags = small_integer(message["flags"]);
  query.backlog = small_integer(message["backlog"]).value_or(0);
  query.readable_all = message["readableAll"].truthy();
  query.writable_all = message["writableAll"].truthy();
  return query;
}

void write_query(const ListenQuery& query, Value& message) {
  message.set("index", query.index);
  message.set("data", query.data);
  message.set("address", or_null(query.address));
  message.set("port", or_null(query.port));
  message.set("addressType", to_value(query.address_type));
  if (query.fd) message.set("fd", *query.fd);
  if (query.flags) message.set("flags", *query.flags);
  const bool datagram = query.address_type == AddressType::udp4 || query.address_type == AddressType::udp6;
  if (!datagram) message.set("backlog", query.backlog);
  if (query.readable_all) message.set("readableAll", true);
  if (query.writable_all) message.set("writableAll", true);
}

Reply read_reply(Seq ack, const Value& message) {
  Reply reply{ack};
  if (!message["accepted"].is_undefined()) reply.accepted = message["accepted"].truthy();
  const auto error_number = small_integer(message["errno"]);
  if (!message["key"].is_string() && !error_number) return reply;
  ServerAnswer& server = reply.server.emplace();
  server.error_number = error_number;
  server.key = message["key"].string_or("");
  if (!message["data"].is_undefined()) server.data = message["data"];
  const Value& name = message["sockname"];
  const auto port = small_integer(name["port"]);
  if (const auto queue = small_integer(message["queue"]); queue && *queue > 0) server.queue = QueueNumber(*queue);
  if (name.is_object() && port) {
    server.socket_name = SocketName{std::string(name["address"].string_or("")), name["family"].string_or("") == "IPv6", *port};
  }
  return reply;
}

ExtensionVersion read_extension(const Value& message) {
  return std::max(small_integer(message["muster"]).value_or(no_extension), no_extension);
}

ClusterMessage read_cluster(const Value& message) {
  ClusterMessage cluster;
  if (const auto seq = integer(message["seq"]); seq && *seq >= 0) cluster.seq = Seq(*seq);
  if (const auto ack = integer(message["ack"]); ack && *ack >= 0) {
    cluster.body = read_reply(Seq(*ack), message);
    return cluster;
  }
  const std::string_view act = message["act"].string_or("");
  if (act == "online") {
    cluster.body = Online{read_extension(message)};
  } else if (act == "queryServer") {
    cluster.body = QueryServer{read_query(message)};
  } else if (act == "listening") {
    cluster.body = Listening{read_query(message)};
  } else if (act == "close") {
    cluster.body = Close{std::string(message["key"].string_or(""))};
  } else if (act == "exitedAfterDisconnect") {
    cluster.body = ExitedAfterDisconnect{};
  } else if (act == "newconn") {
    cluster.body = NewConnection{std::string(message["key"].string_or(""))};
  } else if (act == "disconnect") {
    cluster.body = Disconnect{};
  } else if (act == "giveBack") {
    cluster.body = GiveBack{QueueNumber(static_cast<std::uint32_t>(std::max(small_integer(message["queue"]).value_or(0), 0)))};
  } else if (act == "queue") {
    cluster.body = Queue{read_extension(message), small_integer(message["fd"])};
  } else if (act == "muster") {
    cluster.body = Muster{read_extension(message)};
  } else if (act == "counters") {
    cluster.body = Counters{std::string(message["key"].string_or(""))};
  }
  return cluster;
}

Value write_cluster(const ClusterMessage& cluster) {
  Value message{{"cmd", "NODE_CLUSTER"}};
  struct Writer {
    Value& message;
    void operator()(const Unknown&) const {}
    void operator()(const Online& body) const {
      message.set("act", "online");
      if (body.extension != no_extension) message.set("muster", body.extension);
    }
    void operator()(const QueryServer& body) const {
      message.set("act", "queryServer");
      write_query(body.query, message);
    }
    void operator()(const Listening& body) const {
      message.set("act", "listening");
      write_query(body.query, message);
    }
    void operator()(const Close& body) const {
      message.set("act", "close");
      message.set("key", body.key);
    }
    void operator()(const ExitedAfterDisconnect&) const { message.set("act", "exitedAfterDisconnect"); }
    void operator()(const NewConnection& body) const {
      message.set("act", "newconn");
      message.set("key", body.key);
    }
    void operator()(const Disconnect&) const { message.set("act", "disconnect"); }
    void operator()(const GiveBack& body) const {
      message.set("act", "giveBack");
      message.set("queue", static_cast<double>(body.listener));
    }
    void operator()(const Queue& body) const {
      message.set("act", "queue");
      message.set("muster", body.extension);
      if (body.descriptor) message.set("fd", *body.descriptor);
    }
    void operator()(const Muster& body) const {
      message.set("act", "muster");
      message.set("muster", body.extension);
    }
    void operator()(const Counters& body) const {
      message.set("act", "counters");
      message.set("key", body.key);
    }
    void operator()(const Reply& body) const {
      const auto ack = static_cast<double>(body.ack);
      if (!body.server) {
        message.set("ack", ack);
        if (body.accepted) message.set("accepted", *body.accepted);
        return;
      }
      message.set("errno", or_null(body.server->error_number));
      message.set("key", body.server->key);
      message.set("ack", ack);
      message.set("data", body.server->data);
      if (body.server->queue) message.set("queue", static_cast<double>(*body.server->queue));
      if (const auto& name = body.server->socket_name) {
        message.set("sockname",
                    Value{{"address", name->address}, {"family", name->ipv6 ? "IPv6" : "IPv4"}, {"port", name->port}});
      }
    }
  };
  std::visit(Writer{message}, cluster.body);
  message.set("seq", static_cast<double>(cluster.seq));
  return message;
}

Payload read_other(std::string_view command, const Value& message) {
  for (const auto& [kind, name] : socket_list_commands) {
    if (name != command) continue;
    const auto count = integer(message["count"]);
    return SocketListMessage{kind, std::string(message["key"].string_or("")),
                             static_cast<std::size_t>(std::max<std::int64_t>(0, count.value_or(0)))};
  }
  return UnknownInternal{};
}

Written write(Serialization serialization, const Value& message, std::string& bytes) {
  bytes = begin_frame(serialization);
  const Written written = serialization == Serialization::json ? write_json(message, bytes) : write_clone(message, bytes);
  if (written == Written::whole) end_frame(serialization, bytes);
  return written;
}

// For what is written is our own.
std::string write_or_assert(Serialization serialization, const Value& message) {
  std::string bytes;
  const Written written = write(serialization, message, bytes);
  MUSTER_ASSERT(written == Written::whole);
  return bytes;
}

Value wrap(Value message, const HandleInfo& handle) {
  Value wrapped{{"cmd", "NODE_HANDLE"}, {"type", name_of(handle.kind)}, {"msg", std::move(message)}};
  if (!handle.key.empty()) wrapped.set("key", handle.key);
  if (!handle.dgram_type.empty()) wrapped.set("dgramType", handle.dgram_type);
  return wrapped;
}

// A new connection costs three messages with a Node worker, and no more than that of a primary's time if none of them becomes a
// tree of values. These are the two that come back, as Node writes them; whatever is written otherwise is read as everything
// is.
constexpr std::string_view json_ack = R"({"cmd":"NODE_HANDLE_ACK"})";
constexpr std::string_view json_reply[] = {R"({"cmd":"NODE_CLUSTER","ack":)", R"(,"accepted":)", R"(,"seq":)", "}"};

bool skip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Up to fifteen digits: exact in a double, as JSON numbers are.
std::optional<std::uint64_t> skip_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || digits > 15 || (digits > 1 && text.front() == '0')) return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

std::optional<ClusterMessage> read_json_reply(std::string_view line) {
  if (!skip(line, json_reply[0])) return std::nullopt;
  const auto ack = skip_number(line);
  if (!ack || !skip(line, json_reply[1])) return std::nullopt;
  const bool accepted = skip(line, "true");
  if (!accepted && !skip(line, "false")) return std::nullopt;
  if (!skip(line, json_reply[2])) return std::nullopt;
  const auto seq = skip_number(line);
  if (!seq || line != json_reply[3]) return std::nullopt;
  return ClusterMessage{Reply{Seq{*ack}, accepted, {}}, Seq{*seq}};
}

// The third. Empty where the key needs escaping.
std::string write_json_connection(const NewConnection& connection, Seq seq) {
  const auto special = [](unsigned char c) { return c < 0x20 || c >= 0x7f || c == '"' || c == '\\'; };
  if (std::any_of(connection.key.begin(), connection.key.end(), special)) return {};
  std::string line;
  line.reserve(connection.key.size() + 128);
  line += R"({"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"newconn","key":")";
  line += connection.key;
  line += R"(","seq":)";
  append_number(static_cast<std::uint64_t>(seq), line);
  line += "}}\n";
  return line;
}

// O<a mark for each> <first> <key>, R<an outcome for each> <first>. The marks come first, where they are easily found again.
std::optional<Payload> decode_muster(std::string_view frame) {
  const char kind = frame.empty() ? '\0' : frame.front();
  frame.remove_prefix(frame.empty() ? 0 : 1);
  const std::size_t space = frame.find(' ');
  if (space == std::string_view::npos || space == 0) return std::nullopt;
  const std::string_view marks = frame.substr(0, space);
  frame.remove_prefix(space + 1);
  std::uint64_t first = 0;
  const auto [end, error] = std::from_chars(frame.data(), frame.data() + frame.size(), first);
  if (error != std::errc{}) return std::nullopt;
  frame.remove_prefix(static_cast<std::size_t>(end - frame.data()));
  if (kind == 'O') {
    if (marks.find_first_not_of("+-") != std::string_view::npos || !frame.starts_with(' ')) return std::nullopt;
    Offer offer{first, {}, std::string(frame.substr(1))};
    for (const char mark : marks) offer.with_descriptor.push_back(mark == '+');
    return offer;
  }
  if (kind == 'R') {
    if (marks.find_first_not_of("arvn") != std::string_view::npos || !frame.empty()) return std::nullopt;
    OfferReply reply{first, {}};
    for (const char mark : marks) reply.outcomes.push_back(static_cast<OfferReply::Outcome>(mark));
    return reply;
  }
  return std::nullopt;
}

template <class T>
Reading<Packet> unread(const Reading<T>& reading) {
  Reading<Packet> none;
  none.too_many_values = reading.too_many_values;
  return none;
}

// What is marked is internal, whether it says so or not.
Reading<Packet> decode_bun(std::string_view line, std::size_t max_values) {
  const Reading<Value> message = parse_json(line, max_values);
  if (!message) return unread(message);
  Packet packet{read_cluster(*message), {}, Dialect::bun};
  if ((*message)[bun_handle].truthy()) packet.handle.emplace();
  return packet;
}

// Whether it may be a message of Node's own, whichever way its `cmd` is written. Most that a program sends is not, and then
// nobody here need read it.
bool may_be_internal(Serialization serialization, std::string_view frame) {
  if (frame.find(internal_prefix) != std::string_view::npos) return true;
  if (serialization == Serialization::json) return frame.find("\\u") != std::string_view::npos;
  constexpr std::string_view in_utf16("N\0O\0D\0E\0_\0", 10);
  return frame.find(in_utf16) != std::string_view::npos;
}

Reading<Packet> decode_values(Serialization serialization, std::string_view frame, std::size_t max_values) {
  if (frame.starts_with(muster_mark)) {
    std::optional<Payload> payload = decode_muster(frame.substr(1));
    if (!payload) return std::nullopt;
    return Packet{std::move(*payload)};
  }
  if (serialization == Serialization::json) {
    if (frame.starts_with(bun_mark)) return decode_bun(frame.substr(1), max_values);
    if (frame == json_ack) return Packet{HandleAck{}};
    if (auto reply = read_json_reply(frame)) return Packet{std::move(*reply)};
  }
  Reading<Value> message =
      serialization == Serialization::json ? parse_json(frame, max_values) : parse_clone(frame, max_values);
  if (!message) return unread(message);

  Reading<Packet> decoded(std::in_place);
  Packet& packet = *decoded;
  std::string_view command = (*message)["cmd"].string_or("");
  for (int wrapping = 0; command == "NODE_HANDLE"; ++wrapping) {
    const auto kind = handle_kind((*message)["type"].string_or(""));
    if (!kind || wrapping == max_wrapping) return std::nullopt;
    packet.handle =
        HandleInfo{*kind, std::string((*message)["key"].string_or("")), std::string((*message)["dgramType"].string_or(""))};
    Value inner = (*message)["msg"];
    message = std::move(inner);
    command = (*message)["cmd"].string_or("");
  }

  if (!command.starts_with(internal_prefix) || command.size() == internal_prefix.size()) {
    packet.payload = std::move(*message);
  } else if (command == "NODE_CLUSTER") {
    packet.payload = read_cluster(*message);
  } else if (command == "NODE_HANDLE_ACK") {
    packet.payload = HandleAck{};
  } else if (command == "NODE_HANDLE_NACK") {
    packet.payload = HandleNack{};
  } else {
    packet.payload = read_other(command, *message);
  }
  return decoded;
}

}  // namespace

bool is_datagram(const ListenQuery& query) {
  return query.address_type == AddressType::udp4 || query.address_type == AddressType::udp6;
}

Reading<Packet> decode(Serialization serialization, std::string_view frame, UserData user_data, std::size_t max_values) {
  if (user_data == UserData::values) return decode_values(serialization, frame, max_values);
  Reading<Packet> packet;
  const bool marked = frame.starts_with(muster_mark) || (serialization == Serialization::json && frame.starts_with(bun_mark));
  if (marked || may_be_internal(serialization, frame)) {
    packet = decode_values(serialization, frame, max_values);
    const bool passes =
        packet && (std::holds_alternative<Value>(packet->payload) || std::holds_alternative<UnknownInternal>(packet->payload));
    if (marked || (packet && !passes)) return packet;
  }
  if (!packet) packet.emplace();
  packet->payload = UserBytes{std::string(frame)};
  return packet;
}

std::string encode(Serialization serialization, const ClusterMessage& message, const std::optional<HandleInfo>& handle,
                   Dialect dialect) {
  const auto* connection = std::get_if<NewConnection>(&message.body);
  if (connection && serialization == Serialization::json && dialect == Dialect::node && handle == HandleInfo{}) {
    if (std::string line = write_json_connection(*connection, message.seq); !line.empty()) return line;
  }
  Value value = write_cluster(message);
  if (dialect == Dialect::bun) {
    if (handle) value.set(bun_handle, true);
    return bun_mark + write_or_assert(serialization, value);
  }
  if (handle) value = wrap(std::move(value), *handle);
  return write_or_assert(serialization, value);
}

std::string encode(Serialization serialization, const Value& message, const std::optional<HandleInfo>& handle) {
  std::string bytes;
  // The message itself is not copied, however long it is.
  switch (handle ? write(serialization, wrap(message, *handle), bytes) : write(serialization, message, bytes)) {
    case Written::whole: return bytes;
    case Written::has_bigint: throw Exception(Errc::invalid_arg_value, "Do not know how to serialize a BigInt");
    case Written::too_long: throw Exception(Errc::invalid_arg_value, "The message is too long");
    case Written::too_deep: break;
  }
  throw Exception(Errc::invalid_arg_value, serialization == Serialization::json
                                               ? "The message must not be circular, nor nest deeper than 1000 levels"
                                               : "The message must not nest deeper than 1000 levels");
}

std::string encode(Serialization serialization, const UserBytes& message) {
  std::string frame = begin_frame(serialization);
  frame += message.bytes;
  end_frame(serialization, frame);
  return frame;
}

std::string encode(Serialization serialization, const SocketListMessage& message) {
  Value value;
  for (const auto& [kind, name] : socket_list_commands) {
    if (kind == message.kind) value = Value{{"cmd", name}, {"key", message.key}};
  }
  if (message.kind == SocketListMessage::Kind::count) value.set("count", Value(message.count));
  return write_or_assert(serialization, value);
}

std::string encode_ack(Serialization serialization, bool received) {
  return write_or_assert(serialization, Value{{"cmd", received ? "NODE_HANDLE_ACK" : "NODE_HANDLE_NACK"}});
}

std::string encode_offer(Serialization serialization, std::uint64_t first, std::size_t count, std::string_view key) {
  std::string frame = begin_frame(serialization);
  frame += muster_mark;
  frame += 'O';
  frame.append(count, '+');
  frame += ' ';
  append_number(first, frame);
  frame += ' ';
  frame += key;
  end_frame(serialization, frame);
  return frame;
}

void withdraw(Serialization serialization, std::string& offer, std::size_t place) {
  std::size_t mark = offer.find('+', begin_frame(serialization).size() + 2);
  while (place-- > 0) mark = offer.find('+', mark + 1);
  offer[mark] = '-';
}

std::string encode(Serialization serialization, const OfferReply& reply) {
  std::string frame = begin_frame(serialization);
  frame += muster_mark;
  frame += 'R';
  for (const OfferReply::Outcome outcome : reply.outcomes) frame += static_cast<char>(outcome);
  frame += ' ';
  append_number(reply.first, frame);
  end_frame(serialization, frame);
  return frame;
}

}  // namespace muster::core::wire
