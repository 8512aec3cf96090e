// SPDX-License-Identifier: MIT
#include "uv/resolver.h"

#include <cerrno>
#include <memory>
#include <utility>

#include "uv/socket.h"

namespace muster::uv {
namespace {

// Others wait: whoever asks for many names must not have a thread for each.
constexpr std::size_t max_under_way = 4;

}  // namespace

Error resolve_error(int error_number, const std::string& host) {
  Error error = system_error(error_number, "getaddrinfo", host);
  if (error_number == ENOENT) error.message = "getaddrinfo ENOTFOUND " + host;
  return error;
}

void Resolver::resolve(std::string host, Done done) {
  if (loop_.silent()) return;
  Asked asked{std::move(host), std::move(done)};
  if (under_way_ < max_under_way) {
    start(std::move(asked));
  } else {
    waiting_.push_back(std::move(asked));
  }
}

void Resolver::start(Asked asked) {
  ++under_way_;
  auto found = std::make_shared<std::pair<std::string, int>>();
  // The loop calls back as long as it is there, and we are there as long.
  loop_.run_in_thread([found, host = std::move(asked.host)] { *found = resolve_now(host); },
                      [this, found, done = std::move(asked.done)](int error) mutable {
                        --under_way_;
                        if (!waiting_.empty()) {
                          Asked next = std::move(waiting_.front());
                          waiting_.pop_front();
                          start(std::move(next));
                        }
                        done(std::move(found->first), error != 0 ? error : found->second);
                      });
}

}  // namespace muster::uv
