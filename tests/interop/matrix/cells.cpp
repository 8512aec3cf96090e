#include "interop/matrix/cells.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "core/wire.h"

namespace muster::test {
namespace {

using namespace std::string_view_literals;

const Peer peers[] = {
    {"Node18", "Node 18.20.8"}, {"Node20", "Node 20.20.2"}, {"Node21", "Node 21.7.3"}, {"Node22", "Node 22.23.3"},
    {"Node24", "Node 24.21.0"}, {"Node26", "Node 26.10.0"}, {"Bun", "Bun 1.4.5"},      {"Deno", "Deno 2.9.6"},
};

constexpr const char* left = "exit 0 true";
constexpr const char* end = "end 0";

const Action actions[] = {
    {"http",
     "http",
     "two workers serve HTTP on one port: under `rr` each its share",
     {"hello from 1", "hello from 2", left, left, end}},
    {"net", "net", "a worker serves TCP", {"hello from 1", left, end}},
    {"path", "path", "a worker serves a Unix socket", {"listening -1", "hello from 1", left, end}},
    {"udp", "udp", "a worker answers a datagram", {"listening udp4", "hello from 1", left, end}},
    {"message", "message", "a message goes to the worker and comes back as it was", {"the same", left, end}},
    {"large", "1 MiB", "the same with a string of 1 MiB", {"the same", left, end}},
    {"socket_to_worker",
     "socket →",
     "the primary sends a connection with a message; the worker answers on it",
     {"hello from 1", left, end}},
    {"socket_to_primary",
     "socket ←",
     "the worker sends a connection; the primary answers on it",
     {"hello from the primary", left, end}},
    {"server_to_worker", "server →", "the primary sends a server; the worker accepts", {"hello from 1", left, end}},
    {"server_to_primary", "server ←", "the worker sends a server; the primary accepts", {"hello from the primary", left, end}},
    {"udp_to_worker", "udp socket →", "the primary sends a UDP socket; the worker answers on it", {"hello from 1", left, end}},
    {"udp_to_primary",
     "udp socket ←",
     "the worker sends a UDP socket; the primary answers on it",
     {"hello from the primary", left, end}},
    {"port_taken", "EADDRINUSE", "a worker hears that its port is taken", {"worker: EADDRINUSE", left, end}},
    {"asked_to_leave", "asked to leave", "the primary calls `worker.disconnect()`", {"listening", "disconnect", left, end}},
    {"leaves", "leaves", "the worker calls `worker.disconnect()`", {"listening", "disconnect", left, end}},
    {"kills_itself", "kills itself", "the worker calls `worker.kill()`", {"listening", "disconnect", left, end}},
    {"exits", "exits", "the worker ends with 3", {"listening", "disconnect", "exit 3 false", end}},
    {"killed", "killed", "the primary calls `worker.kill()`", {"listening", "disconnect", "exit SIGTERM false", end}},
    {"closes_channel",
     "channel closed",
     "the worker calls `process.disconnect()`",
     {"listening", "disconnect", "exit 0 false", end}},
    {"primary_dies", "primary dies", "the primary is killed; the worker ends with 0", {"listening", "worker: exit 0"}},
};

// Why a cell fails, and which ones do. An empty list means all of them.
struct Failure {
  const char* reason;
  Role role;
  std::initializer_list<std::string_view> peers;
  std::initializer_list<std::string_view> actions = {};
  std::optional<Serialization> serialization = {};
  std::optional<SchedulingPolicy> policy = {};
};

const std::vector<Failure> failures = {};

bool among(std::initializer_list<std::string_view> names, std::string_view name) {
  return names.size() == 0 || std::ranges::find(names, name) != names.end();
}

std::string_view name_of(Serialization serialization) { return serialization == Serialization::json ? "json" : "advanced"; }
std::string_view name_of(SchedulingPolicy policy) { return policy == SchedulingPolicy::none ? "none" : "rr"; }

std::vector<Serialization> serializations() {
  std::vector<Serialization> all{Serialization::json};
  if (core::wire::supports(Serialization::advanced)) all.push_back(Serialization::advanced);
  return all;
}

constexpr SchedulingPolicy policies[] = {SchedulingPolicy::round_robin, SchedulingPolicy::none};

}  // namespace

std::string Cell::name() const {
  return fmt::format("{}_{}_{}_{}", peer->name, action->name, name_of(serialization), name_of(policy));
}

std::vector<std::string> Cell::transcript() const {
  // The system deals to whom it likes.
  if (action->name == "http"sv && policy == SchedulingPolicy::none) return {"8 answers", left, left, end};
  return action->transcript;
}

const char* Cell::reason() const {
  for (const Failure& failure : failures) {
    if (failure.role == role && among(failure.peers, peer->name) && among(failure.actions, action->name) &&
        failure.serialization.value_or(serialization) == serialization && failure.policy.value_or(policy) == policy) {
      return failure.reason;
    }
  }
  return nullptr;
}

std::vector<Cell> cells(Role role) {
  std::vector<Cell> all;
  for (const Peer& peer : peers) {
    for (const Action& action : actions) {
      for (const Serialization serialization : serializations()) {
        for (const SchedulingPolicy policy : policies) all.push_back({role, &peer, &action, serialization, policy});
      }
    }
  }
  return all;
}

}  // namespace muster::test
