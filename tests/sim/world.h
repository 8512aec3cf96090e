// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <functional>
#include <string>
#include <vector>

#include "core/channel.h"
#include "core/child.h"
#include "core/primary.h"
#include "sim/choices.h"
#include "sim/oracle.h"

// A world of one primary and its workers without an operating system: the processes run the real core, and
// everything between and beneath them - channels, descriptors, ports, clients, time - is made here and misbehaves
// by a seeded choice.
namespace muster::sim {

using core::FdToken;
using core::ListenerId;
using core::ServerId;
using core::WorkerId;

struct Client;

// What a descriptor refers to. Descriptors in processes and on their way in channels count.
struct Description {
  int number = 0;
  int references = 0;
  Client* client = nullptr;  // of a connection
  int port = 0;              // of a listening socket
};

// Somebody who has connected and waits for an answer.
struct Client {
  enum class State { queued, accepted, served, reset, refused };
  State state = State::queued;
  int port = 0;
  int address = 0;
  bool touched = false;  // somebody has read from it
  int serves = 0;        // workers that took it
  int touches = 0;       // workers that read from it
  std::optional<WorkerId> toucher;
  std::optional<WorkerId> server;
  std::optional<WorkerId> holder;  // the last that took it
};

// One direction of a channel. Descriptors travel with the first byte of what they were written with.
struct Pipe {
  struct Segment {
    std::string bytes;
    std::vector<Description*> descriptors;
  };
  std::deque<Segment> segments;
  std::size_t size = 0;
  int dropped = 0;  // descriptors in a row that the reader had no room for
  bool writer_gone = false;
  bool reader_gone = false;
};

class World;

// A descriptor table.
class Process {
 public:
  explicit Process(World& world) : world_(world) {}
  FdToken add(Description* description);
  Description* get(FdToken token) const;
  void close(FdToken token);
  void close_all();
  std::size_t open() const { return table_.size(); }
  std::size_t connections() const;

 protected:
  World& world_;
  std::map<FdToken, Description*> table_;
  std::uint64_t next_token_ = 1;
};

// One end of a channel, in a process.
struct End {
  End(Process& p, Pipe& i, Pipe& o) : process(&p), in(&i), out(&o) {}
  core::Channel channel{Serialization::json, {.max_message = std::size_t{1} << 20}};
  Process* process;
  Pipe* in;
  Pipe* out;
  bool open = true;
  int sent = 0;  // user messages, numbered
  int received = 0;
};

struct WorkerProcess : Process {
  enum class State { running, stopped, dead };
  enum class ServerPhase { asking, listening, closing };
  struct Server {
    ServerPhase phase = ServerPhase::asking;
    std::optional<FdToken> shared;
    std::vector<FdToken> connections;
  };

  WorkerProcess(World& world, WorkerId id, Pipe& in, Pipe& out) : Process(world), id(id), end(*this, in, out), child(id) {}

  WorkerId id;
  State state = State::running;
  End end;
  core::Child child;
  std::map<ServerId, Server> servers;
  bool exit_reported = false;
  ExitStatus exit_status = ExitStatus::exited(0);
  // What it shares with the primary: the fate of each offer, by its number.
  enum class Claim { offered, claimed, revoked };
  std::map<std::uint64_t, Claim> board;

  // Its queue, of which the primary has both ends: what lies there is nobody's until it is read. A message without a
  // description is the question whether it reads.
  struct Queued {
    core::QueueNumber listener{};
    Description* connection = nullptr;
  };
  std::deque<Queued> queue;
  std::uint64_t queued = 0;  // in all
  bool queue_awaits_room = false, queue_pinged = false;
  bool queue_news = false;   // which the primary has not seen
  bool reads_queue = false;  // it has its end
  std::map<core::QueueNumber, std::string> queue_keys;
  std::optional<std::pair<core::QueueNumber, FdToken>> held;  // for a socket that it has no answer about yet
  bool took = false;                                          // the child has kept what it was given last
};

class World {
 public:
  // `choices` for what the seed does not decide at once.
  World(std::uint64_t seed, Choices choices);
  explicit World(std::uint64_t seed) : World(seed, Choices(seed)) {}
  // Is told what happens, with the step it happens in.
  void set_trace(std::function<void(int step, const std::string& line)> trace) { trace_ = std::move(trace); }
  const Choices& choices() const { return choices_; }
  // Runs to the end. Empty when every property held.
  std::optional<Failure> run();

  // For the oracle's message.
  int step() const { return step_; }
  void release(Description* description);

 private:
  friend class Process;
  // With the kernel's policy it has no socket of its own but one for each member.
  struct Port {
    Description* listening = nullptr;
    std::deque<Client*> queue;
    // By number: a world must not depend on addresses in memory.
    struct ByNumber {
      bool operator()(const Description* a, const Description* b) const { return a->number < b->number; }
    };
    std::map<Description*, std::deque<Client*>, ByNumber> members;
  };
  struct PrimaryEnd {
    std::unique_ptr<Pipe> to_worker, to_primary;
    std::unique_ptr<End> end;
  };

  // Choices.
  std::uint64_t below(std::uint64_t n) { return choices_.next() % n; }
  bool chance(int percent) { return below(100) < static_cast<std::uint64_t>(percent); }

  // A line of the trace: a subject and what it does.
  template <class Text>
  void trace(std::string_view subject, const Text& text) {
    if (trace_) trace_(step_, std::string(subject) + ": " + text());
  }
  Description* describe();
  void random_step();
  void primary_step();
  void worker_step(WorkerProcess& worker);
  void channel_step();
  // Ends the rests and watches that are over. Returns whether any was.
  bool wake();
  bool report_exit(WorkerProcess& worker);

  // Everything that can happen without anybody wanting anything new.
  bool settle_once();
  void settle();
  void check_fairness();
  void check_stickiness();

  // The primary's driver.
  void perform_primary();
  void perform(core::Spawn& spawn);
  void perform(core::SendToWorker& send);
  void perform(core::Offer& offer);
  void perform(core::RevokeOffer& revoke);
  void perform(core::Enqueue& enqueue);
  void perform(core::CountUnread& count);
  void perform(core::AwaitRoom& await);
  void perform(core::DrainQueue& drain);
  void perform(core::PingQueue& ask);
  void perform(core::ShareBoard& share);
  void perform(core::DisconnectWorker& disconnect);
  void perform(core::Listen& listen);
  void perform(core::StopListening& stop);
  void perform(core::AcceptLast& accept);
  void perform(core::ClosePort& close);
  void perform(core::Join& join);
  void perform(core::Part& part);
  void perform(core::CloseDescriptor& close);
  void perform(core::ProbeConnection& probe);
  void perform(core::Rest& rest);
  void perform(core::Watch& watch);
  void perform(core::Choose& choose);
  void perform(core::PrimaryEvent& event);
  bool accept(ListenerId listener, int port);

  // A worker's driver and program.
  void perform_child(WorkerProcess& worker);
  void perform(WorkerProcess& worker, core::SendToPrimary& send);
  void perform(WorkerProcess& worker, core::AnswerOffers& answer);
  void perform(WorkerProcess& worker, core::MapBoard& map);
  void perform(WorkerProcess& worker, core::DisconnectPrimary&);
  void perform(WorkerProcess& worker, core::CloseDescriptor& close);
  void perform(WorkerProcess& worker, core::Exit& exit);
  void perform(WorkerProcess& worker, core::ChildEvent& event);
  void listen(WorkerProcess& worker);
  void close_server(WorkerProcess& worker, ServerId id);
  void finish(WorkerProcess& worker, WorkerProcess::Server& server, std::size_t connection, ServerId id);
  bool accept_shared(WorkerProcess& worker);
  void touch(Client& client, WorkerId worker);
  void serve(WorkerProcess& worker, ServerId id, FdToken connection);
  void die(WorkerProcess& worker, ExitStatus status);

  // The kernel.
  void write(End& end);
  bool read(End& end, std::size_t most);
  void pump(End& end, WorkerProcess* worker, WorkerId id);
  void close_end(End& end);
  void send_user_message(End& end);
  // A worker takes a message from its queue. Returns whether there was one.
  bool read_queue(WorkerProcess& worker);
  void receive_queued(WorkerProcess& worker, core::QueueNumber listener, FdToken connection);
  bool report_queue_news(WorkerProcess& worker);
  void receive_offer(WorkerProcess& worker, const core::Channel::Offered& offered);
  void receive_user_message(End& end, const Value& message, std::optional<FdToken> descriptor);
  void connect(int port);
  void drop_queue(Port& port);
  void close_port(int port);
  void close_member(Description* description);
  int bind(const core::wire::ListenQuery& query);

  Choices choices_;
  std::function<void(int step, const std::string& line)> trace_;
  Oracle oracle_;
  int step_ = 0;
  bool calm_ = false;
  bool keeps_connections_ = false;
  std::chrono::milliseconds now_{0};

  std::vector<std::unique_ptr<Description>> descriptions_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<int, Port> ports_;
  int next_free_port_ = 50000;

  Process primary_process_{*this};
  core::Primary primary_;
  std::map<WorkerId, PrimaryEnd> primary_ends_;
  std::map<WorkerId, std::unique_ptr<WorkerProcess>> workers_;
  std::map<ListenerId, int> listeners_;  // the primary's, to their port
  std::map<ListenerId, int> groups_;     // those with members, to their port
  std::map<ListenerId, std::chrono::milliseconds> rests_;
  std::map<ListenerId, std::chrono::milliseconds> watches_;
  std::map<WorkerId, int> served_;  // connections that reached each worker
  int disconnect_callbacks_ = 0;
  int stop_callbacks_ = 0;
};

}  // namespace muster::sim
