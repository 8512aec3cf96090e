// SPDX-License-Identifier: MIT
#include "control.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "json_text.h"

#include <muster/error.h>

#include "primary/line_reader.h"

namespace muster::cli {
namespace {

// A client that does not read what it asked for, or sends what nobody asked for.
constexpr std::size_t max_kept = 4 << 20;

std::string text_of(const nlohmann::json& json) { return json_text(json) + "\n"; }

std::optional<ucred> peer_of(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return credentials;
}

}  // namespace

bool ControlServer::Client::tell(const nlohmann::json& line) {
  if (socket_.is_destroyed()) return false;
  if (socket_.writable_length() > max_kept) {
    socket_.destroy();
    return false;
  }
  try {
    socket_.write(text_of(line));
  } catch (const Exception&) {
    // It was answered already, or is about to leave.
    return false;
  }
  return true;
}

void ControlServer::Client::succeed(nlohmann::json answer) {
  answer["ok"] = true;
  if (tell(answer)) socket_.end();
}

void ControlServer::Client::fail(const std::string& why) {
  if (tell({{"ok", false}, {"error", why}})) socket_.end();
}

void ControlServer::Client::on_gone(Function<void()> gone) {
  socket_.on_close(once([call = std::make_shared<Function<void()>>(std::move(gone))] { (*call)(); }));
}

ControlServer::ControlServer(Cluster& cluster, std::string path, Handler handler, Complaint complain)
    : path_(std::move(path)),
      handler_(std::move(handler)),
      complain_(std::move(complain)),
      server_(net::create_server(cluster, [this](net::Socket socket) { handle(std::move(socket)); })) {
  // Whoever was here before is gone: the lock is ours.
  unlink(path_.c_str());
  server_.on_error([this](const Error& error) { complain_(fmt::format("no commands can be given: {}", error.message)); });
  const mode_t mask = umask(0177);
  ListenOptions options;
  options.path = path_;
  server_.listen(options);
  umask(mask);
  file_ = os::SocketFile::at(path_);
  server_.unref();
}

bool ControlServer::is_there() const { return file_ && !file_.is_gone(); }

ControlServer::~ControlServer() {
  if (server_.is_listening()) server_.close();
}

void ControlServer::handle(net::Socket socket) {
  // Who goes in the middle of something is no error of ours.
  socket.on_error([](const Error&) {});
  const auto peer = peer_of(socket.descriptor());
  Client client(socket);
  if (!peer || (peer->uid != geteuid() && peer->uid != 0)) {
    complain_(fmt::format("a command of user {} (pid {}) was refused", peer ? static_cast<int>(peer->uid) : -1,
                          peer ? peer->pid : 0));
    return client.fail("this app is another user's");
  }
  socket.on_data([this, socket, client, reader = LineReader(), asked = false, refused = false, size = std::size_t{0},
                  pid = peer->pid](std::string_view bytes) mutable {
    size += bytes.size();
    if (size > LineReader::longest) {
      // It has the time to hear why, if it listens.
      if (size > max_kept) socket.destroy();
      if (std::exchange(refused, true)) return;
      complain_(fmt::format("a command of pid {} was refused: it is longer than {} bytes", pid, LineReader::longest));
      return client.fail("a command is one line of at most 64 KiB");
    }
    reader.read(bytes, [&](std::string_view line) {
      if (std::exchange(asked, true)) return;
      const auto request = parse_json(line);
      if (!request.is_object() || !request.contains("command") || !request["command"].is_string()) {
        complain_(fmt::format("what pid {} sent is no command", pid));
        return client.fail("a command is a line like {\"command\": \"status\"}");
      }
      handler_(request, client);
    });
  });
}

std::variant<ControlConnection, std::string> ControlConnection::open(const std::string& path,
                                                                     std::chrono::milliseconds patience) {
  OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return std::string(std::strerror(errno));
  // The backlog of a stopped primary may be full, and so may its socket's buffer.
  const auto ms = std::max<std::int64_t>(1, patience.count());
  const timeval limit{ms / 1000, ms % 1000 * 1000};
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const int error = os::connect_to_path(fd.get(), path);
  if (error == EINVAL) return fmt::format("the path {} is too long for a socket", path);
  if (error == EAGAIN) return std::string("it does not answer");
  if (error != 0) return std::string(std::strerror(error));
  return ControlConnection(fd.release());
}

bool ControlConnection::is_listened_on(const std::string& path) {
  const OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return false;
  const int error = os::connect_to_path(fd.get(), path);
  return error == 0 || error == EAGAIN;
}

ControlConnection::ControlConnection(ControlConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}

ControlConnection::~ControlConnection() {
  if (fd_ >= 0) close(fd_);
}

bool ControlConnection::send(const nlohmann::json& request) {
  const std::string text = text_of(request);
  return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::optional<nlohmann::json> ControlConnection::next(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (const auto end = received_.find('\n'); end != std::string::npos) {
      auto json = parse_json(received_.substr(0, end));
      received_.erase(0, end + 1);
      return json.is_discarded() ? std::nullopt : std::optional(std::move(json));
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    // What has come is read also when there is no time left.
    pollfd waiting{fd_, POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    char bytes[16384];
    const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) {
      ended_ = true;
      return std::nullopt;
    }
    received_.append(bytes, static_cast<std::size_t>(size));
  }
}

}  // namespace muster::cli
