// SPDX-License-Identifier: MIT
#include <muster/error.h>

#include <cstring>
#include <ostream>

namespace muster {
namespace {

struct Description {
  Errc code;
  const char* name;
  const char* text;
};

constexpr Description descriptions[] = {
    {Errc::ipc_channel_closed, "ERR_IPC_CHANNEL_CLOSED", "Channel closed"},
    {Errc::ipc_disconnected, "ERR_IPC_DISCONNECTED", "IPC channel is already disconnected"},
    {Errc::ipc_one_pipe, "ERR_IPC_ONE_PIPE", "Child process can have only one IPC pipe"},
    {Errc::child_closed_before_reply, "ERR_CHILD_CLOSED_BEFORE_REPLY", "Child closed before reply received"},
    {Errc::child_process_ipc_required, "ERR_CHILD_PROCESS_IPC_REQUIRED", "Forked processes must have an IPC channel"},
    {Errc::invalid_arg_type, "ERR_INVALID_ARG_TYPE", "Value of the wrong type"},
    {Errc::invalid_arg_value, "ERR_INVALID_ARG_VALUE", "Value not accepted"},
    {Errc::missing_args, "ERR_MISSING_ARGS", "The \"message\" argument must be specified"},
    {Errc::invalid_handle_type, "ERR_INVALID_HANDLE_TYPE", "This handle type cannot be sent"},
    {Errc::socket_bad_port, "ERR_SOCKET_BAD_PORT", "Port should be >= 0 and < 65536"},
    {Errc::socket_already_bound, "ERR_SOCKET_ALREADY_BOUND", "Socket is already bound"},
    {Errc::socket_dgram_not_running, "ERR_SOCKET_DGRAM_NOT_RUNNING", "Not running"},
    {Errc::socket_dgram_is_connected, "ERR_SOCKET_DGRAM_IS_CONNECTED", "Already connected"},
    {Errc::socket_dgram_not_connected, "ERR_SOCKET_DGRAM_NOT_CONNECTED", "Not connected"},
    {Errc::server_already_listen, "ERR_SERVER_ALREADY_LISTEN", "Listen method has been called more than once without closing"},
    {Errc::server_not_running, "ERR_SERVER_NOT_RUNNING", "Server is not running"},
    {Errc::http_headers_sent, "ERR_HTTP_HEADERS_SENT", "Cannot set headers after they are sent to the client"},
    {Errc::stream_write_after_end, "ERR_STREAM_WRITE_AFTER_END", "write after end"},
    {Errc::handle_not_received, "SentHandleNotReceivedWarning", "Handle did not reach the receiving process correctly"},
    {Errc::ipc_malformed_message, "ERR_IPC_MALFORMED_MESSAGE", "The peer sent what is not a message"},
    {Errc::ipc_message_too_large, "ERR_IPC_MESSAGE_TOO_LARGE", "The peer sent a message over the limit"},
    {Errc::ipc_message_truncated, "ERR_IPC_MESSAGE_TRUNCATED", "The channel ended in the middle of a message"},
    {Errc::ipc_unexpected_handle, "ERR_IPC_UNEXPECTED_HANDLE", "The peer sent a descriptor with a message that announces none"},
    {Errc::ipc_queue_full, "ERR_IPC_QUEUE_FULL", "The peer does not read and the queue of messages for it is full"},
    {Errc::handle_not_acknowledged, "ERR_HANDLE_NOT_ACKNOWLEDGED", "The peer did not acknowledge a handle in time"},
    {Errc::ipc_channel_failed, "ERR_IPC_CHANNEL_FAILED", "The channel cannot be used any more"},
    {Errc::cluster_closed, "ERR_CLUSTER_CLOSED", "The cluster, or the loop it was made on, is gone"},
    {Errc::wrong_thread, "ERR_WRONG_THREAD",
     "The loop and what is made on it belong to another thread: Loop::post() is for this"},
    {Errc::listen_not_permitted, "ERR_LISTEN_NOT_PERMITTED", "The worker may not listen there"},
};

const Description* describe(int value) {
  for (const Description& description : descriptions) {
    if (static_cast<int>(description.code) == value) return &description;
  }
  return nullptr;
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "muster"; }
  std::string message(int value) const override {
    const Description* found = describe(value);
    return found ? found->text : "unknown error";
  }
};

const Category category;

}  // namespace

std::error_code make_error_code(Errc code) { return {static_cast<int>(code), category}; }

std::string error_name(std::error_code code) {
  if (code.category() == category) {
    const Description* found = describe(code.value());
    return found ? found->name : "ERR_UNKNOWN";
  }
  const char* name = strerrorname_np(code.value());
  return name ? name : "Unknown system error " + std::to_string(-code.value());
}

Error system_error(int error_number, std::string syscall, std::string address, std::optional<int> port) {
  Error error;
  error.code = std::error_code(error_number, std::generic_category());
  error.message = syscall + " " + error_name(error.code);
  // Port 0 and a pipe's -1 name no port.
  if (port.value_or(0) > 0) {
    error.message += " " + (address.empty() ? "null" : address) + ":" + std::to_string(*port);
  } else if (!address.empty()) {
    error.message += " " + address;
  }
  error.syscall = std::move(syscall);
  error.address = std::move(address);
  error.port = port;
  return error;
}

Exception::Exception(Errc code, const std::string& what)
    : std::system_error(make_error_code(code), what), message_(error_name(make_error_code(code)) + ": " + what) {}

std::ostream& operator<<(std::ostream& out, const Error& error) { return out << error.message; }

}  // namespace muster
