// SPDX-License-Identifier: MIT
#include "primary/takeover.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "json_text.h"
#include "os/process_use.h"
#include "primary/worker_files.h"

namespace muster::cli {
namespace {

constexpr std::chrono::milliseconds reap_interval(20);
// For one that does not come up, and has a moment to clear up.
constexpr std::chrono::seconds clearing_up(2);

std::string_view order_to_end(Successor::How how) {
  return how == Successor::How::kill ? "{\"end\":\"kill\"}\n" : "{\"end\":\"terminate\"}\n";
}
Successor::How how_from(std::string_view end) { return end == "kill" ? Successor::How::kill : Successor::How::terminate; }

// A process that dies closes its line before it is dead. Longer than its parent lets one live that it has given up.
constexpr std::chrono::seconds dying(3);

// The process that made this pair of sockets.
int peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace

Successor::Successor(Loop& loop, int pid, int line, std::chrono::milliseconds limit, Events events)
    : loop_(loop), pid_(pid), line_(net::from_handle(loop, Handle(HandleType::native, line))), events_(std::move(events)) {
  subscriptions_.emplace_back(line_.on_error([](const Error&) {}));
  subscriptions_.emplace_back(line_.on_data(
      [this](std::string_view bytes) { unread_.read(bytes, [this](std::string_view text) { hear(parse_json(text)); }); }));
  subscriptions_.emplace_back(line_.on_close([this] { lost(); }));
  if (limit.count() > 0) limit_ = loop_.set_timeout(limit, [this] { give_up("it said nothing for too long"); });
}

Successor::~Successor() {
  limit_.cancel();
  reaping_.cancel();
  line_.destroy();
}

void Successor::hear(const nlohmann::json& message) {
  if (state_ == State::given) {
    const std::string end = text_member(message, "end");
    if (!end.empty()) events_.end(how_from(end));
    return;
  }
  if (state_ != State::starting) return;
  folder_ = text_member(message, "folder", folder_);
  error_ = text_member(message, "error", error_);
  if (!flag_member(message, "ready")) return;
  limit_.cancel();
  state_ = State::ready;
  events_.ready();
}

void Successor::lost() {
  limit_.cancel();
  if (state_ == State::starting || state_ == State::ready) give_up("it ended without a word");
}

void Successor::give_up(std::string why) {
  end(How::kill, clearing_up);
  events_.failed(error_.empty() ? std::move(why) : error_);
}

void Successor::kill() {
  if (state_ != State::gone) ::kill(pid_, SIGKILL);
}

void Successor::give() {
  state_ = State::given;
  line_.write("{\"take\":true}\n");
  // It must not keep this process alive once its workers have ended.
  line_.unref();
}

void Successor::end(How how, std::chrono::milliseconds patience) {
  if (state_ == State::ending && how == How::kill) ::kill(pid_, SIGKILL);
  if (state_ != State::starting && state_ != State::ready) return;
  state_ = State::ending;
  line_.end(order_to_end(how));
  // It may not have come so far as to read.
  ::kill(pid_, SIGTERM);
  reap(std::chrono::steady_clock::now() + patience);
}

void Successor::reap(std::chrono::steady_clock::time_point kill_at) {
  const auto now = std::chrono::steady_clock::now();
  // One that is traced stays a zombie for as long as its tracer likes.
  const bool has_ended = waitpid(pid_, nullptr, WNOHANG) != 0 || (now >= kill_at + dying && os::has_ended(pid_));
  if (has_ended) {
    state_ = State::gone;
    // Where it was killed; it removes it itself otherwise.
    WorkerFiles::remove_folder(folder_);
    // Not from inside a call.
    loop_.next_tick([ended = std::move(events_.ended)]() mutable { ended(); });
    return;
  }
  if (now >= kill_at) ::kill(pid_, SIGKILL);
  reaping_ = loop_.set_timeout(reap_interval, [this, kill_at] { reap(kill_at); });
}

Predecessor::Predecessor(Loop& loop, int line, Events events)
    : loop_(loop),
      pid_(peer_of(line)),
      process_(pid_ > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)) : -1),
      events_(std::move(events)) {
  line_ = net::from_handle(loop, Handle(HandleType::native, line));
  subscriptions_.emplace_back(line_.on_error([](const Error&) {}));
  subscriptions_.emplace_back(line_.on_data(
      [this](std::string_view bytes) { unread_.read(bytes, [this](std::string_view text) { hear(parse_json(text)); }); }));
  subscriptions_.emplace_back(line_.on_close([this] { lost(); }));
}

Predecessor::~Predecessor() {
  patience_.cancel();
  line_.destroy();
}

void Predecessor::hear(const nlohmann::json& message) {
  if (state_ != State::in_charge) return;
  if (const std::string end = text_member(message, "end"); !end.empty()) {
    state_ = State::over;
    return events_.end(how_from(end));
  }
  if (!flag_member(message, "take")) return;
  state_ = State::finishing;
  events_.gone();
}

void Predecessor::lost() {
  patience_.cancel();
  const State before = std::exchange(state_, State::over);
  if (before == State::in_charge) await_death(std::chrono::steady_clock::now() + dying);
  if (before == State::finishing) events_.ended();
}

void Predecessor::await_death(std::chrono::steady_clock::time_point until) {
  pollfd ended{process_.get(), POLLIN, 0};
  if (!process_ || poll(&ended, 1, 0) > 0) return events_.gone();
  // It lives, and has given up this one.
  if (std::chrono::steady_clock::now() >= until) return events_.end(Successor::How::kill);
  patience_ = loop_.set_timeout(reap_interval, [this, until] { await_death(until); });
}

void Predecessor::end(Successor::How how, std::chrono::milliseconds patience) {
  if (state_ != State::finishing) return;
  line_.write(order_to_end(how));
  patience_.cancel();
  // An open line means that the pid is still its own; the kernel kills its workers with it.
  patience_ = loop_.set_timeout(patience, [this] {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  });
}

void Predecessor::tell(const nlohmann::json& message) {
  if (!line_.is_destroyed()) line_.write(json_text(message) + "\n");
}

}  // namespace muster::cli
