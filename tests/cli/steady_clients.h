// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace muster::test {

// Clients of an HTTP server that each ask for the next answer when they have one, on bare sockets and a thread of their own:
// every request has a complete answer or has failed.
//
// An answer that says `Connection: close` is a good one, and so is a connection that ends between two requests, as long as that
// is seen before a byte of the next is sent.
class SteadyClients {
 public:
  struct Options {
    int port = 0;
    int clients = 16;
    bool keep = true;  // the connections; otherwise each request has one of its own, and asks for its end
    std::chrono::milliseconds pause{0};
  };
  struct Result {
    std::size_t answered = 0;
    std::size_t announced = 0;            // by `Connection: close`, to who wanted to keep it
    std::size_t ended_idle = 0;           // without being announced
    std::map<std::string, int> failed{};  // by how: refused, reset, ended, wrong, hung
  };

  // Returns once each client has had an answer; throws when one has none.
  explicit SteadyClients(Options options);
  SteadyClients(const SteadyClients&) = delete;
  SteadyClients& operator=(const SteadyClients&) = delete;
  ~SteadyClients();

  // When each has asked twice more, on the connections that it has by now.
  Result finish();

 private:
  struct Client;

  Result run();
  void tick(std::vector<Client>& clients);
  void begin(Client& client);
  void open(Client& client);
  void ask(Client& client);
  void handle_readable(Client& client);
  void handle_writable(Client& client);
  void fail(Client& client, const char* how);
  void rest(Client& client, std::chrono::milliseconds time) const;
  void watch(const Client& client, unsigned events, int operation) const;

  Options options_;
  int epoll_;
  Result result_;
  std::size_t live_ = 0, warm_ = 0;
  std::atomic<bool> leaving_ = false;
  std::promise<void> begun_;
  std::future<Result> done_;
};

}  // namespace muster::test
