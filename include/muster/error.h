// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace muster {

// What goes wrong in cluster and child_process beyond the system's own errors. error_name() gives
// Node's code for each: Errc::ipc_channel_closed is "ERR_IPC_CHANNEL_CLOSED".
enum class Errc {
  ipc_channel_closed = 1,      // send() on a channel that is closed
  ipc_disconnected,            // disconnect() on a channel that is closed
  ipc_one_pipe,                // stdio names more than one ipc entry
  child_process_ipc_required,  // stdio names no ipc entry
  child_closed_before_reply,   // a process that was asked for its connections is gone
  invalid_arg_type,            // a value of a kind that the call does not take
  invalid_arg_value,           // a value out of the set that the call takes
  missing_args,                // send() without a message
  invalid_handle_type,         // a descriptor of a kind that cannot be sent
  socket_bad_port,             // a port outside 0..65535
  socket_already_bound,        // bind() on a socket that is bound, or about to be
  socket_dgram_not_running,    // a call on a UDP socket that is closed or not bound
  socket_dgram_is_connected,   // a datagram with an address, on a connected socket
  socket_dgram_not_connected,  // a datagram without one, on another
  server_already_listen,       // listen() on a server that listens, or is about to
  server_not_running,          // close() on a server that does not listen
  http_headers_sent,           // a header set after the head was sent
  stream_write_after_end,      // write() after end()
  handle_not_received,         // the peer refused a handle four times
  // The peer broke the protocol; its channel is closed. Node has no codes for these: its process dies.
  ipc_malformed_message,
  ipc_message_too_large,
  ipc_message_truncated,
  ipc_unexpected_handle,
  ipc_queue_full,           // also from send(): the peer does not read
  handle_not_acknowledged,  // the peer did not answer for a descriptor in time
  ipc_channel_failed,       // the system refuses to read or write the channel: the peer may have shut its end
  cluster_closed,           // fork() or setup_primary() on a cluster whose loop is gone, or that went meanwhile
  wrong_thread,             // debug builds of the library: a call from another thread than the loop's
  listen_not_permitted,     // a worker asked the primary to listen where its user may not: Settings::may_listen
};

std::error_code make_error_code(Errc code);

// The name a Node program knows an error by: "EADDRINUSE", "ERR_IPC_CHANNEL_CLOSED".
std::string error_name(std::error_code code);

// What an `error` event carries.
struct Error {
  std::error_code code;      // std::generic_category() for the system's errors, else an Errc
  std::string message;       // "bind EADDRINUSE 127.0.0.1:8000"
  std::string syscall = {};  // "bind"; empty when no system call failed
  std::string address = {};  // host or path, when there is one
  std::optional<int> port = {};
};

// Its message.
std::ostream& operator<<(std::ostream& out, const Error& error);

// Node's text for a failed system call: "bind EADDRINUSE 127.0.0.1:8000".
Error system_error(int error_number, std::string syscall, std::string address = {}, std::optional<int> port = {});

// Thrown for misuse of the interface only, with Node's code in code(). What happens at run time is an
// event or reaches the callback of the call.
class Exception : public std::system_error {
 public:
  Exception(Errc code, const std::string& what);
  // what() as it was given, without the category's text that std::system_error appends.
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// An `error` event that nobody listened for. It comes out of Loop::run(), as in Node.
class UnhandledError : public std::runtime_error {
 public:
  explicit UnhandledError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  const Error& error() const noexcept { return error_; }

 private:
  Error error_;
};

}  // namespace muster

template <>
struct std::is_error_code_enum<muster::Errc> : std::true_type {};
