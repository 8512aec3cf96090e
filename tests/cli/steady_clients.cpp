// SPDX-License-Identifier: MIT
#include "steady_clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace muster::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds patience(15);
// So that a server that is away counts for its time, and not for the speed of its clients.
constexpr std::chrono::milliseconds wait_after_failure(10);
constexpr int last_requests = 2;

enum class Answer { partial, complete, complete_and_close, wrong };

Answer judge(std::string_view text) {
  const std::size_t end = text.find("\r\n\r\n");
  if (end == std::string_view::npos) return Answer::partial;
  if (!text.starts_with("HTTP/1.1 200 ")) return Answer::wrong;
  std::string head(text.substr(0, end + 2));
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const std::string_view body = text.substr(end + 4);
  const auto complete =
      head.find("\r\nconnection: close\r\n") == std::string::npos ? Answer::complete : Answer::complete_and_close;
  constexpr std::string_view length = "\r\ncontent-length: ";
  if (const std::size_t found = head.find(length); found != std::string::npos) {
    const std::size_t wanted = std::stoul(head.substr(found + length.size()));
    return body.size() > wanted ? Answer::wrong : body.size() == wanted ? complete : Answer::partial;
  }
  if (head.find("\r\ntransfer-encoding: chunked\r\n") == std::string::npos) return Answer::wrong;
  return body.ends_with("0\r\n\r\n") ? complete : Answer::partial;
}

// Whether a connection that nothing was asked on is still there.
bool is_open(int fd) {
  char byte = 0;
  return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace

struct SteadyClients::Client {
  enum class State { resting, connecting, asking, over };

  std::size_t number = 0;
  int fd = -1;
  State state = State::resting;
  Clock::time_point due = {};  // the end of its rest, or of its patience
  bool was_answered = false;
  int last_requests = 0;  // those that have come to their end since all are to leave
  std::string answer = {};

  void hang_up() {
    if (fd >= 0) close(std::exchange(fd, -1));
  }
};

SteadyClients::SteadyClients(Options options) : options_(options), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  std::future<void> begun = begun_.get_future();
  done_ = std::async(std::launch::async, [this] { return run(); });
  if (begun.wait_for(2 * patience) != std::future_status::ready) {
    leaving_ = true;
    done_.wait();
    close(epoll_);
    throw std::runtime_error("the server does not answer");
  }
}

SteadyClients::~SteadyClients() {
  leaving_ = true;
  if (done_.valid()) done_.wait();
  close(epoll_);
}

SteadyClients::Result SteadyClients::finish() {
  leaving_ = true;
  return done_.get();
}

SteadyClients::Result SteadyClients::run() {
  std::vector<Client> clients(static_cast<std::size_t>(options_.clients));
  for (std::size_t i = 0; i < clients.size(); ++i) clients[i].number = i;
  live_ = clients.size();
  bool begun = false;
  while (live_ > 0) {
    tick(clients);
    std::array<epoll_event, 64> events;
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 1);
    for (int i = 0; i < count; ++i) {
      Client& client = clients[events[static_cast<std::size_t>(i)].data.u32];
      if (client.fd < 0) continue;
      if (client.state == Client::State::connecting) {
        handle_writable(client);
      } else {
        handle_readable(client);
      }
    }
    if (!begun && warm_ == clients.size()) {
      begun = true;
      begun_.set_value();
    }
  }
  return result_;
}

void SteadyClients::tick(std::vector<Client>& clients) {
  const auto now = Clock::now();
  for (Client& client : clients) {
    if (client.state == Client::State::resting && client.due <= now) begin(client);
    if ((client.state == Client::State::connecting || client.state == Client::State::asking) && client.due <= now) {
      fail(client, "hung");
    }
  }
}

void SteadyClients::begin(Client& client) {
  if (leaving_ && client.last_requests >= last_requests) {
    client.hang_up();
    client.state = Client::State::over;
    --live_;
    return;
  }
  client.due = Clock::now() + patience;
  if (client.fd >= 0 && !is_open(client.fd)) {
    ++result_.ended_idle;
    client.hang_up();
  }
  if (client.fd < 0) return open(client);
  ask(client);
}

void SteadyClients::open(Client& client) {
  client.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options_.port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(client.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    return fail(client, "refused");
  }
  client.state = Client::State::connecting;
  watch(client, EPOLLOUT, EPOLL_CTL_ADD);
}

void SteadyClients::handle_writable(Client& client) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(client, error == ECONNRESET ? "reset" : "refused");
  watch(client, EPOLLIN, EPOLL_CTL_MOD);
  ask(client);
}

void SteadyClients::ask(Client& client) {
  const std::string_view request = options_.keep ? std::string_view("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                                                 : "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  client.state = Client::State::asking;
  client.answer.clear();
  if (send(client.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    fail(client, "reset");
  }
}

void SteadyClients::handle_readable(Client& client) {
  if (client.state == Client::State::resting) {
    if (is_open(client.fd)) return;
    ++result_.ended_idle;
    return client.hang_up();
  }
  std::array<char, 4096> buffer;
  const ssize_t size = recv(client.fd, buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EAGAIN) return;
  if (size <= 0) return fail(client, size == 0 ? "ended" : "reset");
  client.answer.append(buffer.data(), static_cast<std::size_t>(size));
  const Answer answer = judge(client.answer);
  if (answer == Answer::partial) return;
  if (answer == Answer::wrong) return fail(client, "wrong");
  ++result_.answered;
  if (leaving_) ++client.last_requests;
  if (!std::exchange(client.was_answered, true)) ++warm_;
  const bool close = answer == Answer::complete_and_close;
  if (close && options_.keep) ++result_.announced;
  if (close || !options_.keep) client.hang_up();
  rest(client, options_.pause);
  if (options_.pause.count() == 0) begin(client);
}

void SteadyClients::fail(Client& client, const char* how) {
  ++result_.failed[how];
  if (leaving_) ++client.last_requests;
  client.hang_up();
  rest(client, wait_after_failure);
}

void SteadyClients::rest(Client& client, std::chrono::milliseconds time) const {
  client.state = Client::State::resting;
  client.due = Clock::now() + time;
}

void SteadyClients::watch(const Client& client, unsigned events, int operation) const {
  epoll_event event{};
  event.events = events;
  event.data.u32 = static_cast<std::uint32_t>(client.number);
  epoll_ctl(epoll_, operation, client.fd, &event);
}

}  // namespace muster::test
