// SPDX-License-Identifier: MIT
// What tools/inject makes fail: a primary that sends messages with handles, and workers that answer. It ends with 0 and a line
// that says so when every callback ran once and every worker ended; with 3 when one did not.

#include <map>
#include <string>

#include <fmt/core.h>
#include <muster/muster.h>

namespace {

using namespace muster;
using namespace std::chrono_literals;

class Primary {
 public:
  Primary(Loop& loop, Cluster& cluster) : loop_(loop), cluster_(cluster) {}

  void start() {
    Settings settings;
    settings.args = {"worker"};
    cluster_.setup_primary(settings);
    server_ = net::create_server(cluster_, [this](net::Socket socket) { accepted_.push_back(socket); });
    server_->on_error([this](const Error& error) { fail(error); });
    server_->listen(0, [this] {
      const int port = server_->address()->port.value();
      for (int i = 0; i < connections; ++i) clients_.push_back(net::connect(loop_, port));
      datagrams_.emplace(dgram::create_socket(cluster_));
      datagrams_->on_error([this](const Error& error) { fail(error); });
      datagrams_->bind(0, [this] {
        for (int i = 0; i < 2; ++i) fork();
      });
    });
  }

  int end() const {
    for (const auto& [number, times] : called_) {
      if (times != 1) {
        fmt::print("the callback of message {} ran {} times\n", number, times);
        return 3;
      }
    }
    fmt::print("{} callbacks\n", called_.size());
    return ended_ == forked_ ? 0 : 3;
  }

 private:
  static constexpr int connections = 4;

  void fail(const Error& error) {
    fmt::print(stderr, "{}\n", error.code.message());
    loop_.stop(1);
  }

  void fork() {
    Worker worker = cluster_.fork();
    ++forked_;
    worker.on_error([this, worker](const Error& error) {
      fmt::print(stderr, "a worker: {}\n", error.code.message());
      // One that could not be started does not exit.
      if (worker.process().pid() == 0 && ++ended_ == forked_) leave();
    });
    worker.on_exit([this](ExitStatus) {
      if (++ended_ == forked_) leave();
    });
    worker.on_message([this, worker, heard = 0](Message&) mutable {
      if (++heard == sent_to_each) worker.disconnect();
    });
    worker.on_online([this, worker]() mutable {
      send(worker, {});
      send(worker, server_->to_handle());
      if (!accepted_.empty()) {
        send(worker, accepted_.back().to_handle());
        accepted_.pop_back();
      } else {
        send(worker, {});
      }
      send(worker, datagrams_->to_handle());
      send(worker, {});
    });
  }

  static constexpr int sent_to_each = 5;

  void send(Worker& worker, Handle handle) {
    const int number = last_++;
    called_[number] = 0;
    worker.send(number, std::move(handle), [this, number](std::error_code) { ++called_[number]; });
  }

  void leave() {
    for (net::Socket& client : clients_) client.destroy();
    for (net::Socket& socket : accepted_) socket.destroy();
    datagrams_->close();
    server_->close();
  }

  Loop& loop_;
  Cluster& cluster_;
  std::optional<net::Server> server_;
  std::optional<dgram::Socket> datagrams_;
  std::vector<net::Socket> clients_, accepted_;
  std::map<int, int> called_;
  int last_ = 0, forked_ = 0, ended_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
  Loop loop;
  Cluster cluster(loop, argc, argv);
  if (!cluster.is_primary()) {
    cluster.process().on_message([&](Message& message) {
      message.handle = {};
      cluster.process().send(message.data);
    });
    return loop.run();
  }
  Primary primary(loop, cluster);
  primary.start();
  const int code = loop.run();
  return code != 0 ? code : primary.end();
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
