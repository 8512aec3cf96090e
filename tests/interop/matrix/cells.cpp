// SPDX-License-Identifier: MIT
#include "interop/matrix/cells.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

#include <fmt/format.h>

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
    {"asked_to_leave", "asked to leave", "the primary calls `worker.disconnect()`", {"listening", left, end}},
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

// Why a cell fails, and which ones do. An empty list means all of them. The first that fits counts.
struct Failure {
  const char* reason;
  Role role;
  std::initializer_list<std::string_view> peers;
  std::initializer_list<std::string_view> actions = {};
  std::optional<Serialization> serialization = {};
  std::optional<SchedulingPolicy> policy = {};
};

constexpr const char* deno_version = "Deno writes version 16 of V8's format. Node reads 13, 14 and 15, and so does muster.";
constexpr const char* bun_format = "Bun's `advanced` is a format of its own (WebKit's), not V8's.";
constexpr const char* bun_primary =
    "A Bun primary marks the messages of its cluster module with a byte, and hears only such. A worker speaks first and cannot "
    "tell what its primary is; a Node worker is not understood either.";
constexpr const char* bun_http =
    "Bun's `http` never asks the primary: each worker opens a port of its own, and stays when it is asked to leave.";
constexpr const char* asks_for_a_server =
    "A worker of this kind that is sent a server asks its primary for one without an address, port or path. Primaries of their "
    "own end with `ERR_INVALID_ARG_VALUE`; muster answers EINVAL.";
constexpr const char* deno_udp =
    "Deno's UDP sockets do not go through the primary, and its primary answers that it has none (ENOTSUP).";
constexpr const char* deno_shared =
    "A Deno worker does not listen on a `net` socket that it shares, and ends with `address EINVAL` on a path.";

const std::initializer_list<Failure> failures = {
    {bun_format, Role::primary, {"Bun"}, {}, Serialization::advanced},
    {bun_http, Role::primary, {"Bun"}, {"http"}},
    {bun_format, Role::worker, {"Bun"}, {}, Serialization::advanced},
    {bun_primary, Role::worker, {"Bun"}},
    {deno_version, Role::primary, {"Deno"}, {}, Serialization::advanced},
    {deno_version, Role::worker, {"Deno"}, {}, Serialization::advanced},
    {deno_udp, Role::primary, {"Deno"}, {"udp"}},
    {deno_udp, Role::worker, {"Deno"}, {"udp"}},
    {deno_shared, Role::primary, {"Deno"}, {"net", "path"}, {}, SchedulingPolicy::none},
    {asks_for_a_server, Role::primary, {"Node18", "Node21", "Deno"}, {"server_to_worker"}},
};

bool among(std::initializer_list<std::string_view> names, std::string_view name) {
  return names.size() == 0 || std::ranges::find(names, name) != names.end();
}

std::string_view name_of(Serialization serialization) { return serialization == Serialization::json ? "json" : "advanced"; }
std::string_view name_of(SchedulingPolicy policy) { return policy == SchedulingPolicy::none ? "none" : "rr"; }

constexpr Serialization serializations[] = {Serialization::json, Serialization::advanced};
constexpr SchedulingPolicy policies[] = {SchedulingPolicy::round_robin, SchedulingPolicy::none};

}  // namespace

std::string Cell::name() const {
  return fmt::format("{}_{}_{}_{}", peer->name, action->name, name_of(serialization), name_of(policy));
}

std::vector<std::string> Cell::transcript() const {
  // The system chooses the worker.
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
      for (const Serialization serialization : serializations) {
        for (const SchedulingPolicy policy : policies) all.push_back({role, &peer, &action, serialization, policy});
      }
    }
  }
  return all;
}

namespace {

// What the table says of one peer and one thing: a check mark, or which combinations fail for which of the reasons.
std::string summary(Role role, const Peer& peer, const Action& action, std::vector<std::string_view>& reasons) {
  std::vector<std::string_view> why;  // of json rr, json none, advanced rr, advanced none
  for (const Serialization serialization : serializations) {
    for (const SchedulingPolicy policy : policies) {
      const char* reason = Cell{role, &peer, &action, serialization, policy}.reason();
      why.emplace_back(reason ? reason : "");
      if (reason && std::ranges::find(reasons, why.back()) == reasons.end()) reasons.push_back(why.back());
    }
  }
  const auto number = [&](std::string_view reason) {
    return fmt::format("({})", std::ranges::find(reasons, reason) - reasons.begin() + 1);
  };
  const auto both = [&](std::size_t a, std::size_t b) { return why[a] == why[b]; };
  std::vector<std::pair<std::string, std::string_view>> parts;
  if (both(0, 1) && both(2, 3) && both(0, 2)) {
    parts = {{"", why[0]}};
  } else if (both(0, 1) && both(2, 3)) {
    parts = {{"json ", why[0]}, {"advanced ", why[2]}};
  } else if (both(0, 2) && both(1, 3)) {
    parts = {{"rr ", why[0]}, {"none ", why[1]}};
  } else {
    parts = {{"json rr ", why[0]}, {"json none ", why[1]}, {"advanced rr ", why[2]}, {"advanced none ", why[3]}};
  }
  std::string text;
  for (const auto& [name, reason] : parts) {
    if (reason.empty() && parts.size() > 1) continue;
    text += (text.empty() ? "" : ", ") + name + (reason.empty() ? "✓" : number(reason));
  }
  return text;
}

std::string table(Role role, std::vector<std::string_view>& reasons) {
  std::string text = "| |";
  for (const Peer& peer : peers) text += fmt::format(" {} |", peer.version);
  text += "\n|---|";
  for ([[maybe_unused]] const Peer& peer : peers) text += "---|";
  text += "\n";
  for (const Action& action : actions) {
    text += fmt::format("| {} |", action.column);
    for (const Peer& peer : peers) text += fmt::format(" {} |", summary(role, peer, action, reasons));
    text += "\n";
  }
  return text;
}

std::string totals(Role role) {
  std::size_t work = 0;
  const std::vector<Cell> all = cells(role);
  for (const Cell& cell : all) work += cell.reason() == nullptr ? 1 : 0;
  return fmt::format("{} of {} combinations work.\n", work, all.size());
}

}  // namespace

std::string document() {
  std::vector<std::string_view> reasons;
  std::string text = R"(# Whom muster works with

`./dev interop` installs the peers below, plays everything with each of them, and writes this page. A test fails where something
does not work that should, and also where something works that this page says does not; so the page is right when they pass.
`./dev test` plays half of what concerns Node 20 and Node 26. The scripts are in `tests/interop/matrix`.

Everything is done in both serializations (`json`, `advanced`) and under both policies (`rr`, `none`): ✓ means that all four
work. A number names the reason below why it does not, with the serialization or the policy where it matters.

| | what is done |
|---|---|
)";
  for (const Action& action : actions) text += fmt::format("| {} | {} |\n", action.column, action.what);
  text += "\n## A muster primary with workers of theirs\n\n" + table(Role::primary, reasons) + "\n" + totals(Role::primary);
  text += "\n## muster workers under a primary of theirs\n\n" + table(Role::worker, reasons) + "\n" + totals(Role::worker);
  text += "\n## Why not\n\n";
  for (std::size_t i = 0; i < reasons.size(); ++i) text += fmt::format("{}. {}\n", i + 1, reasons[i]);
  return text + R"(
Besides:

- A Deno primary loses a descriptor whose message it reads together with the one before. The workers here send theirs when they
  are asked to.
- A Node 24 or 26 primary that has shared a socket with a worker (`none`) may end without a `disconnect` event for it, when the
  worker ends as soon as it is asked to. muster workers do.
- A Bun worker that is asked to leave before it has said that it is online does not hear it: until then nobody knows how it
  speaks.
)";
}

}  // namespace muster::test
