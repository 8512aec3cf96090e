#include "primary/takeover.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <utility>

#include "json_text.h"
#include "primary/worker_files.h"

namespace muster::cli {
namespace {

constexpr std::chrono::milliseconds reap_interval(20);
// For one that does not come up, and has a moment to clear up.
constexpr std::chrono::seconds clearing_up(2);
constexpr std::size_t longest_line = 64 << 10;

// Who made this pair of sockets.
int peer_of(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

}  // namespace

Successor::Successor(Loop& loop, int pid, int line, std::chrono::milliseconds limit, Events events)
    : loop_(loop), pid_(pid), line_(net::from_handle(loop, Handle(HandleType::native, line))), events_(std::move(events)) {
  subscriptions_.emplace_back(line_.on_error([](const Error&) {}));
  subscriptions_.emplace_back(line_.on_data([this](std::string_view bytes) { hear(bytes); }));
  subscriptions_.emplace_back(line_.on_close([this] { lost(); }));
  if (limit.count() > 0) limit_ = loop_.set_timeout(limit, [this] { line_.destroy(); });
}

Successor::~Successor() {
  limit_.cancel();
  reaping_.cancel();
  line_.destroy();
}

void Successor::hear(std::string_view bytes) {
  unread_ += bytes;
  if (unread_.size() > longest_line) return line_.destroy();
  for (std::size_t end = 0; (end = unread_.find('\n')) != std::string::npos;) {
    const auto message = nlohmann::json::parse(unread_.substr(0, end), nullptr, false);
    unread_.erase(0, end + 1);
    if (state_ == State::starting) hear(message);
    if (const std::string how = text_member(message, "end"); state_ == State::given && !how.empty()) {
      events_.end(how == "kill" ? How::kill : How::terminate);
    }
  }
}

void Successor::hear(const nlohmann::json& message) {
  folder_ = text_member(message, "folder", folder_);
  error_ = text_member(message, "error", error_);
  if (!flag_member(message, "ready")) return;
  limit_.cancel();
  state_ = State::ready;
  events_.ready();
}

void Successor::lost() {
  limit_.cancel();
  if (state_ != State::starting && state_ != State::ready) return;
  state_ = State::over;
  reap(std::chrono::steady_clock::now() + clearing_up);
  events_.failed(error_.empty() ? "it ended, or said nothing for too long" : error_);
}

void Successor::give() {
  state_ = State::given;
  line_.write("{\"take\":true}\n");
  // This process ends when its workers have, whoever is at the other end.
  line_.unref();
}

void Successor::end(How how, std::chrono::milliseconds patience) {
  if (state_ == State::ending && how == How::kill) ::kill(pid_, SIGKILL);
  if (state_ != State::starting && state_ != State::ready) return;
  state_ = State::ending;
  line_.end(how == How::kill ? "{\"end\":\"kill\"}\n" : "{\"end\":\"terminate\"}\n");
  // It may not have come so far as to read.
  ::kill(pid_, SIGTERM);
  reap(std::chrono::steady_clock::now() + patience);
}

void Successor::reap(std::chrono::steady_clock::time_point kill_at) {
  if (waitpid(pid_, nullptr, WNOHANG) != 0) {
    // Where it was killed; it removes it itself otherwise.
    WorkerFiles::remove_folder(folder_);
    // Not from inside a call.
    loop_.next_tick([ended = std::move(events_.ended)]() mutable { ended(); });
    return;
  }
  if (std::chrono::steady_clock::now() >= kill_at) ::kill(pid_, SIGKILL);
  reaping_ = loop_.set_timeout(reap_interval, [this, kill_at] { reap(kill_at); });
}

Predecessor::Predecessor(Loop& loop, int line, Events events) : loop_(loop), pid_(peer_of(line)), events_(std::move(events)) {
  line_ = net::from_handle(loop, Handle(HandleType::native, line));
  subscriptions_.emplace_back(line_.on_error([](const Error&) {}));
  subscriptions_.emplace_back(line_.on_data([this](std::string_view bytes) {
    if (text_.size() < longest_line) text_ += bytes;
    for (std::size_t end = 0; state_ == State::in_charge && (end = text_.find('\n')) != std::string::npos;) {
      const auto message = nlohmann::json::parse(text_.substr(0, end), nullptr, false);
      text_.erase(0, end + 1);
      hear(message);
    }
  }));
  subscriptions_.emplace_back(line_.on_close([this] { lost(); }));
}

Predecessor::~Predecessor() {
  patience_.cancel();
  line_.destroy();
}

void Predecessor::hear(const nlohmann::json& message) {
  if (const std::string end = text_member(message, "end"); !end.empty()) {
    state_ = State::over;
    return events_.end(end == "kill" ? Successor::How::kill : Successor::How::terminate);
  }
  state_ = State::finishing;
  events_.gone();
}

void Predecessor::lost() {
  patience_.cancel();
  const State before = std::exchange(state_, State::over);
  if (before == State::in_charge) events_.gone();
  if (before == State::finishing) events_.ended();
}

void Predecessor::end(Successor::How how, std::chrono::milliseconds patience) {
  if (state_ != State::finishing) return;
  line_.write(how == Successor::How::kill ? "{\"end\":\"kill\"}\n" : "{\"end\":\"terminate\"}\n");
  patience_.cancel();
  // It is there as long as its line is; the kernel kills its workers with it.
  patience_ = loop_.set_timeout(patience, [this] {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  });
}

void Predecessor::tell(const nlohmann::json& message) {
  if (!line_.destroyed()) line_.write(json_text(message) + "\n");
}

}  // namespace muster::cli
