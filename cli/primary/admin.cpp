// SPDX-License-Identifier: MIT
#include "primary/admin.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

#include <arpa/inet.h>

#include <fmt/format.h>
#include <muster/http.h>
#include <nlohmann/json.hpp>

#include "primary/assets.h"
#include "primary/metrics.h"
#include "states.h"

namespace muster::cli {
namespace {

// Its clients are near and ask for little. One that sends nothing must not stay.
http::ServerOptions server_options() {
  using namespace std::chrono_literals;
  return {.max_body_size = 65536,
          .headers_timeout = 5s,
          .request_timeout = 5s,
          .keep_alive_timeout = 5s,
          .max_waiting_connections = 64};
}

constexpr std::string_view content_policy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

bool is_ip_address(const std::string& text) {
  unsigned char address[sizeof(in6_addr)];
  return inet_pton(AF_INET, text.c_str(), address) == 1 || inet_pton(AF_INET6, text.c_str(), address) == 1;
}

// The host of a Host header, without its port and brackets; empty when it is malformed.
std::string host_of(std::string_view header) {
  std::string_view host = header, port;
  if (header.starts_with('[')) {
    const std::size_t end = header.find(']');
    if (end == std::string_view::npos) return {};
    host = header.substr(1, end - 1);
    port = header.substr(end + 1);
    if (!port.empty() && port[0] != ':') return {};
  } else if (const std::size_t colon = header.find(':'); colon != std::string_view::npos) {
    host = header.substr(0, colon);
    port = header.substr(colon);
  }
  if (!port.empty()) port.remove_prefix(1);
  if (!std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c); })) return {};
  return std::string(host);
}

struct Answer {
  int status = 200;
  std::string_view type = "text/plain; charset=utf-8";
  std::string body = {};
};

std::string workers_ready(const AppStatus& app) {
  return fmt::format("{} of {} workers ready", count_ready(app), app.workers_wanted);
}

Answer health(const AppStatus& app) {
  if (app.state == to_string(Health::degraded)) return {.body = "degraded: " + workers_ready(app) + "\n"};
  // Nobody serves, and what is tried again and again does not help.
  if (app.state == to_string(Health::crash_loop)) {
    return {.status = count_ready(app) > 0 ? 200 : 503, .body = "crash loop: " + workers_ready(app) + "\n"};
  }
  if (!is(app.state, SupervisorState::failed)) return {.body = "ok\n"};
  return {.status = 503, .body = "failed" + (app.why.empty() ? "" : ": " + app.why) + "\n"};
}

Answer readiness(const AppStatus& app) {
  if (is(app.state, SupervisorState::failed))
    return {.status = 503, .body = "failed" + (app.why.empty() ? "" : ": " + app.why) + "\n"};
  if (is(app.state, SupervisorState::stopping) || is(app.state, SupervisorState::stopped))
    return {.status = 503, .body = app.state + "\n"};
  if (count_ready(app) == 0) return {.status = 503, .body = fmt::format("{}: {}\n", app.state, workers_ready(app))};
  return {.body = fmt::format("{}: {}\n", is(app.state, SupervisorState::running) ? "ok" : app.state, workers_ready(app))};
}

// With the table of states in place of the mark that stands for it.
std::string page() {
  constexpr std::string_view mark = "/* tones */";
  std::string text(reinterpret_cast<const char*>(assets::page), assets::page_size);
  std::string tones;
  for (const auto& rows : {app_states(), worker_states()}) {
    for (const StateRow& row : rows) tones += fmt::format("'{}': '{}', ", row.name, to_string(row.tone));
  }
  if (const auto at = text.find(mark); at != std::string::npos) text.replace(at, mark.size(), tones);
  return text;
}

}  // namespace

struct Admin::State {
  Answer answer(const http::Request& request) {
    if (!is_for_us(request)) {
      return {.status = 403,
              .body =
                  "This is the admin port of muster. It answers to its IP address, to localhost and to the host name that it "
                  "was given, not to the Host of this request.\n"};
    }
    const std::string_view path = request.url().substr(0, request.url().find('?'));
    const struct {
      std::string_view path;
      Answer (*answer)(State&);
    } pages[] = {
        {"/", [](State&) { return Answer{.type = "text/html; charset=utf-8", .body = page()}; }},
        {"/status.json",
         // What a worker wrote may be no UTF-8.
         [](State& state) {
           return Answer{.type = "application/json",
                         .body = nlohmann::json(state.status()).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
         }},
        {"/metrics", [](State& state) { return Answer{.type = metrics_type, .body = metrics_text(state.status())}; }},
        {"/healthz", [](State& state) { return health(state.status()); }},
        {"/readyz", [](State& state) { return readiness(state.status()); }},
    };
    const auto* found = std::find_if(std::begin(pages), std::end(pages), [&](const auto& page) { return page.path == path; });
    if (found == std::end(pages)) {
      return {.status = 404, .body = "There is no such page. There are / /metrics /healthz /readyz and /status.json.\n"};
    }
    if (request.method() != "GET" && request.method() != "HEAD") {
      return {.status = 405, .body = "Only GET and HEAD: nothing can be changed here. `muster` on this machine can.\n"};
    }
    return found->answer(*this);
  }

  bool is_for_us(const http::Request& request) const {
    const auto& headers = request.headers();
    const auto is_host = [](const auto& header) { return same_name(header.first, "host"); };
    if (std::count_if(headers.begin(), headers.end(), is_host) != 1) return false;
    const std::string asked = host_of(*request.header("host"));
    return !asked.empty() && (is_ip_address(asked) || same_name(asked, "localhost") || same_name(asked, host));
  }

  std::string host;
  Function<AppStatus()> status;
  std::optional<http::Server> server;
  bool open = true;
};

Admin::Admin(Cluster& cluster, std::string host, std::uint16_t port, Function<AppStatus()> status,
             Function<void(const Error&)> failed)
    : state_(std::make_shared<State>()) {
  // "[::1]:9000" is how a host with colons is written beside a port.
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  state_->host = host;
  state_->status = std::move(status);
  // A connection may outlive this.
  state_->server = http::create_server(
      cluster, server_options(), [weak = std::weak_ptr(state_)](http::Request& request, http::Response& response) {
        const auto state = weak.lock();
        Answer answer = state ? state->answer(request) : Answer{.status = 503, .body = "stopping\n"};
        if (answer.status == 405) response.set_header("Allow", "GET, HEAD");
        response.write_head(answer.status, {{"Content-Type", std::string(answer.type)},
                                            {"Cache-Control", "no-store"},
                                            {"Content-Security-Policy", std::string(content_policy)},
                                            {"X-Content-Type-Options", "nosniff"},
                                            {"X-Frame-Options", "DENY"},
                                            {"Referrer-Policy", "no-referrer"},
                                            // One that waits for its next request would keep the program alive.
                                            {"Connection", "close"}});
        response.end(answer.body);
      });
  state_->server->unref();
  state_->server->on_error([weak = std::weak_ptr(state_), failed = std::move(failed)](const Error& error) mutable {
    const auto state = weak.lock();
    if (!state) return;
    state->open = false;
    if (failed) failed(error);
  });
  ListenOptions options;
  options.host = std::move(host);
  options.port = port;
  state_->server->listen(std::move(options));
}

Admin::~Admin() { close(); }

std::optional<Address> Admin::address() const { return state_->server->address(); }

Subscription Admin::on_listening(Listener<> listener) { return state_->server->on_listening(std::move(listener)); }

void Admin::close() {
  // The server takes it ill when there is nothing to close.
  if (std::exchange(state_->open, false)) state_->server->close();
}

}  // namespace muster::cli
