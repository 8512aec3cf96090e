// SPDX-License-Identifier: MIT
#include "status.h"

#include <nlohmann/json.hpp>

namespace muster::cli {
namespace {

using nlohmann::json;

// One list of the members for both directions. A member that is empty is left out.
struct Writer {
  json& object;
  template <class T>
  void operator()(const char* name, const T& member) {
    object[name] = member;
  }
  template <class T>
  void operator()(const char* name, const std::optional<T>& member) {
    if (member) object[name] = *member;
  }
};

struct Reader {
  const json& object;
  template <class T>
  void operator()(const char* name, T& member) {
    if (const auto found = object.find(name); found != object.end()) found->get_to(member);
  }
  template <class T>
  void operator()(const char* name, std::optional<T>& member) {
    if (const auto found = object.find(name); found != object.end()) member = found->template get<T>();
  }
};

template <class Visit, class Status>
void worker_members(Visit visit, Status& s) {
  visit("seat", s.seat);
  visit("id", s.id);
  visit("pid", s.pid);
  visit("state", s.state);
  visit("generation", s.generation);
  visit("started_at", s.started_at);
  visit("uptime", s.uptime);
  visit("restarts", s.restarts);
  visit("cpu", s.cpu);
  visit("memory", s.memory);
  visit("connections", s.connections);
  visit("accepted", s.accepted);
  visit("requests", s.requests);
  visit("messages", s.messages);
  visit("connections_per_second", s.connections_per_second);
  visit("requests_per_second", s.requests_per_second);
  visit("messages_per_second", s.messages_per_second);
  visit("lag", s.lag);
  visit("next_try_in", s.next_try_in);
}

template <class Visit, class Status>
void totals_members(Visit visit, Status& s) {
  visit("seat", s.seat);
  visit("accepted", s.accepted);
  visit("requests", s.requests);
  visit("messages", s.messages);
}

template <class Visit, class Status>
void obituary_members(Visit visit, Status& s) {
  visit("seat", s.seat);
  visit("id", s.id);
  visit("pid", s.pid);
  visit("ended_at", s.ended_at);
  visit("lived", s.lived);
  visit("was_ready", s.was_ready);
  visit("code", s.code);
  visit("signal", s.signal);
  visit("cause", s.cause);
  visit("detail", s.detail);
  visit("done", s.done);
  visit("next_try_at", s.next_try_at);
  visit("last_words", s.last_words);
}

template <class Visit, class Status>
void app_members(Visit visit, Status& s) {
  visit("name", s.name);
  visit("version", s.version);
  visit("pid", s.pid);
  visit("state", s.state);
  visit("why", s.why);
  visit("app", s.app);
  visit("cwd", s.cwd);
  visit("policy", s.policy);
  visit("workers_wanted", s.workers_wanted);
  visit("started_at", s.started_at);
  visit("uptime", s.uptime);
  visit("at", s.at);
  visit("restarts", s.restarts);
  visit("reloads", s.reloads);
  visit("failed_reloads", s.failed_reloads);
  visit("last_reload", s.last_reload);
  visit("memory", s.memory);
  visit("cpu", s.cpu);
  visit("listening", s.listening);
  visit("workers", s.workers);
  visit("seats", s.seats);
  visit("totals", s.totals);
  visit("obituaries", s.obituaries);
  visit("ended", s.ended);
}

}  // namespace

void to_json(json& object, const WorkerStatus& status) { worker_members(Writer{object}, status); }
void from_json(const json& object, WorkerStatus& status) { worker_members(Reader{object}, status); }
void to_json(json& object, const Totals& totals) { totals_members(Writer{object}, totals); }
void from_json(const json& object, Totals& totals) { totals_members(Reader{object}, totals); }
void to_json(json& object, const Obituary& obituary) { obituary_members(Writer{object}, obituary); }
void from_json(const json& object, Obituary& obituary) { obituary_members(Reader{object}, obituary); }
void to_json(json& object, const AppStatus& status) { app_members(Writer{object}, status); }
void from_json(const json& object, AppStatus& status) { app_members(Reader{object}, status); }

}  // namespace muster::cli
