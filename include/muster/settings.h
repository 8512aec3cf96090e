// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <muster/function.h>

namespace muster {

// How messages are written on the channel. Node's `serialization`: `json` carries what JSON.stringify
// makes of a message, `advanced` every kind of Value, and circles.
enum class Serialization { json, advanced };

// Variables to add to a worker's environment. A variable without a value is removed.
using Env = std::map<std::string, std::optional<std::string>>;

// One entry of `stdio`: what the worker finds at that descriptor.
struct StdioEntry {
  enum class Kind { pipe, ignore, inherit, ipc, descriptor };

  Kind kind = Kind::inherit;
  // For `descriptor`: the primary's descriptor, which stays the primary's.
  int descriptor = -1;

  friend bool operator==(const StdioEntry&, const StdioEntry&) = default;
};
using Stdio = std::vector<StdioEntry>;

// The port a worker is inspected on: a number, or a function that is asked for one at each fork().
class InspectPort {
 public:
  InspectPort(int port) : source_(port) {}
  template <class F>
    requires(std::is_invocable_r_v<int, F&> && !std::is_same_v<F, InspectPort>)
  InspectPort(F ask) : source_(std::make_shared<Function<int()>>(std::move(ask))) {}

  int operator()() const {
    const auto* ask = std::get_if<std::shared_ptr<Function<int()>>>(&source_);
    return ask ? (**ask)() : std::get<int>(source_);
  }
  // The same number, or copies of the same function.
  friend bool operator==(const InspectPort&, const InspectPort&) = default;

 private:
  std::variant<int, std::shared_ptr<Function<int()>>> source_;
};

// What a server listens on: a port, a path or a descriptor of the primary. Node's options of
// `server.listen()`.
struct ListenOptions {
  // 0 takes a free port: the same for every worker that asks in the same order.
  std::optional<int> port = {};
  // A numeric address or a name. Empty: every address, IPv6 and IPv4 where the machine has both.
  std::string host = {};
  // A Unix socket, in place of a port.
  std::string path = {};
  // A descriptor in the primary that is bound already. The primary must allow it: Settings::may_listen.
  std::optional<int> fd = {};
  // How many connections the system queues. Empty: 511.
  std::optional<int> backlog = {};
  // The worker opens a socket of its own and does not ask the primary.
  bool exclusive = false;
  // The same, and others may bind the port too (SO_REUSEPORT): the system deals the connections.
  bool reuse_port = false;
  bool ipv6_only = false;
  // For a path: the modes of the socket file.
  bool readable_all = false;
  bool writable_all = false;

  friend bool operator==(const ListenOptions&, const ListenOptions&) = default;
};

// `cluster.settings`. A field that is not set keeps what it had before, as in
// `{...cluster.settings, ...options}`.
struct Settings {
  // The file a worker runs. Default: this executable. A script (.js .mjs .cjs .ts) is run by exec_path.
  std::optional<std::string> exec = {};
  // Its arguments. Default: this process's own, without argv[0].
  std::optional<std::vector<std::string>> args = {};
  // The interpreter that runs `exec`. Default: `node` for a script, none for a program.
  std::optional<std::string> exec_path = {};
  // The interpreter's own arguments, before `exec`. Default: none.
  std::optional<std::vector<std::string>> exec_argv = {};
  // The worker's working directory. Default: this process's.
  std::optional<std::string> cwd = {};
  // Default: json.
  std::optional<Serialization> serialization = {};
  // When true the worker's output does not go to this process's. Default: false.
  std::optional<bool> silent = {};
  // What the worker's descriptors are. Must hold one `ipc` entry; overrides `silent`.
  std::optional<Stdio> stdio = {};
  // The worker's user and group (setuid(2), setgid(2)); it gets no supplementary groups. A worker of another user than the
  // primary's is not trusted: the primary listens for it where that user may itself, with that user's rights, and where
  // may_listen allows it. Elsewhere its server fails with EACCES, and the worker has an `error` event with
  // Errc::listen_not_permitted.
  std::optional<int> uid = {};
  std::optional<int> gid = {};
  // Where workers may have the primary listen beside that: a port, on every host or on one, or a path, for workers of another
  // user; and descriptors of the primary (`fd`), for every worker. Those of LISTEN_FDS, and what Cluster::adopt() was given,
  // are allowed without. Default: none.
  std::optional<std::vector<ListenOptions>> may_listen = {};
  // The worker can get no more rights than it has, by set-user-ID programs and their like (PR_SET_NO_NEW_PRIVS). Default:
  // false.
  std::optional<bool> no_new_privileges = {};
  // The worker is killed when the thread that forked it ends, whatever ends it. Default: false, and then it ends when it sees
  // that its channel has.
  std::optional<bool> kill_with_primary = {};
  // The port a debugger finds the worker on. It counts only where exec_argv or this process's NODE_OPTIONS asks for inspection
  // (`--inspect`, `--inspect-brk`, `--inspect-port`, `--debug-port`): a script's interpreter then gets `--inspect-port`, and
  // a program runs under gdbserver(1), which waits for a debugger; its exit status is told, not the program's. fork() throws
  // Exception(Errc::socket_bad_port) when it is outside 0..65535. Default: one more than the last worker's, from the port
  // in NODE_OPTIONS or 9229 upwards.
  std::optional<InspectPort> inspect_port = {};
  // Carried for Node's sake; no effect on this system. Default: false.
  std::optional<bool> windows_hide = {};
  // The largest message a worker may send, in bytes; more closes its channel with
  // Errc::ipc_message_too_large. Default: 512 MiB.
  std::optional<std::size_t> max_message_size = {};
  // How many values a message may have, each element and member counted; more is too large as well. The memory of a message is
  // up to some hundred bytes for each. Default: 4,194,304.
  std::optional<std::size_t> max_message_values = {};
  // A message over max_message_size is left out, and the channel stays open: for a primary that needs little of what its
  // workers say. Default: false.
  std::optional<bool> skip_large_messages = {};
  // How many bytes are kept for a worker that does not read. A message goes in, whatever its size, when less than this is kept;
  // otherwise send() returns false and its error is Errc::ipc_queue_full. Default: 256 MiB.
  std::optional<std::size_t> max_queue_size = {};
  // How long a worker may leave a descriptor it was sent, a connection too, unanswered for; then its channel is closed with
  // Errc::handle_not_acknowledged, and the connections it has not accepted go to others. 0: for ever. Default: one minute.
  std::optional<std::chrono::milliseconds> handle_timeout = {};

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace muster
