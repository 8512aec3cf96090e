// SPDX-License-Identifier: MIT
#include "primary/worker_process.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "json_text.h"
#include "os/process_use.h"
#include "show/printable.h"

namespace muster::cli {
namespace {

constexpr unsigned max_refusals_told = 10;

// As many as Node says of an uncaught exception.
constexpr std::size_t last_words_kept = 24;
// A bundle that was minified is one line, and a hundred workers are remembered.
constexpr std::size_t last_word_length = 1024;
constexpr std::size_t last_words_bytes_kept = 8192;

// What a worker may have us remember of where it listens.
constexpr std::size_t max_addresses = 64;
constexpr std::size_t max_address_length = 256;

std::string shortened_bytes(std::string_view text, std::size_t length) {
  if (text.size() <= length) return std::string(text);
  // Not in the middle of a character.
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  return std::string(text.substr(0, length)) + "…";
}

std::string url_of(const Address& address) {
  switch (address.type) {
    case AddressType::pipe: return "unix:" + address.address.value_or("");
    case AddressType::udp4:
    case AddressType::udp6: return fmt::format("udp://{}:{}", address.address.value_or("*"), address.port.value_or(0));
    default: break;
  }
  const std::string host = address.address.value_or("*");
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("tcp://{}{}{}:{}", brackets ? "[" : "", host, brackets ? "]" : "", address.port.value_or(0));
}

std::optional<double> rate(std::optional<std::uint64_t> now, std::optional<std::uint64_t> before, double seconds) {
  if (!now || !before || seconds <= 0) return std::nullopt;
  return static_cast<double>(*now - std::min(*now, *before)) / seconds;
}

}  // namespace

WorkerProcess::WorkerProcess(Worker worker, unsigned seat, Events events)
    : worker_(std::move(worker)), seat_(seat), events_(std::move(events)) {
  Process process = worker_.process();
  read(process.stdout_stream(), false);
  read(process.stderr_stream(), true);
  if (net::Socket reports = process.stdio(report_descriptor)) {
    subscriptions_.emplace_back(reports.on_data(
        [this](std::string_view bytes) { reports_.read(bytes, [this](std::string_view line) { hear_report(line); }); }));
  }
  subscriptions_.emplace_back(worker_.on_listening([this](const Address& address) {
    serves_apart_ = false;
    if (!is_private(address)) hear_listening(address);
  }));
  subscriptions_.emplace_back(worker_.on_message([this](Message& message) {
    ++*status_.messages;
    if (message.data.is_string()) events_.message(message.data.as_string());
  }));
  subscriptions_.emplace_back(worker_.on_error([this](const Error& error) {
    if (error.code == Errc::listen_not_permitted) {
      // It may ask without end.
      if (refusals_++ < max_refusals_told) events_.refused(error);
      return;
    }
    failure_ = shortened_bytes(error.message, last_word_length);
  }));
}

WorkerProcess::~WorkerProcess() {
  const Process process = worker_.process();
  for (const net::Socket& stream : {process.stdout_stream(), process.stderr_stream(), process.stdio(report_descriptor)}) {
    if (stream) stream.destroy();
  }
  if (process.is_connected() && worker_.is_dead()) process.disconnect();
}

void WorkerProcess::read(net::Socket stream, bool error) {
  if (!stream) return;
  LineReader& reader = error ? err_ : out_;
  const auto hear = [this, error](std::string_view line) {
    if (error) {
      last_words_.emplace_back(shortened_bytes(line, last_word_length));
      last_words_bytes_ += last_words_.back().size();
      while (last_words_.size() > last_words_kept || last_words_bytes_ > last_words_bytes_kept) {
        last_words_bytes_ -= last_words_.front().size();
        last_words_.pop_front();
      }
    }
    events_.line(error, line);
  };
  subscriptions_.emplace_back(stream.on_data([&reader, hear](std::string_view bytes) { reader.read(bytes, hear); }));
  subscriptions_.emplace_back(stream.on_close([&reader, hear] { reader.finish(hear); }));
}

void WorkerProcess::find_listening(const Address& address) {
  serves_apart_ = true;
  hear_listening(address);
}

void WorkerProcess::hear_listening(const Address& address) {
  const std::string url = shortened_bytes(printable(url_of(address)), max_address_length);
  if (listening_.size() < max_addresses && std::find(listening_.begin(), listening_.end(), url) == listening_.end())
    listening_.push_back(url);
  events_.ready();
}

// What is named after this one process serves nobody else: tsx, for one, has such a pipe for its own use.
bool WorkerProcess::is_private(const Address& address) const {
  if (address.type != AddressType::pipe || !address.address) return false;
  const std::string own = std::to_string(pid());
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::string& path = *address.address;
  for (auto at = path.find(own); at != std::string::npos; at = path.find(own, at + 1)) {
    const auto end = at + own.size();
    if ((at == 0 || !is_digit(path[at - 1])) && (end == path.size() || !is_digit(path[end]))) return true;
  }
  return false;
}

void WorkerProcess::hear_report(std::string_view line) {
  const auto json = parse_json(line);
  if (!json.is_object()) return;
  events_.heard();
  const auto take = [&json](const char* name, std::optional<std::uint64_t>& member) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_number_unsigned()) member = found->get<std::uint64_t>();
  };
  take("connections", status_.connections);
  take("accepted", status_.accepted);
  take("requests", status_.requests);
  // Servers that it opened without its primary: exclusive ones.
  if (const auto ports = json.find("listening"); ports != json.end() && ports->is_array()) {
    for (const auto& port : *ports) {
      if (!port.is_object()) continue;
      const auto host = port.find("address"), number = port.find("port");
      Address address;
      if (host != port.end() && host->is_string()) address.address = host->get<std::string>();
      if (number == port.end() || !number->is_number_unsigned() || number->get<std::uint64_t>() > 65'535) continue;
      address.port = number->get<int>();
      hear_listening(address);
    }
  }
  if (const auto lag = json.find("lag"); lag != json.end() && lag->is_number() && lag->get<double>() >= 0) {
    status_.lag = lag->get<double>();
  }
}

void WorkerProcess::look() {
  const auto use = os::process_use(pid());
  if (!use || worker_.is_dead()) return;
  const auto now = Clock::now();
  status_.memory = use->memory;
  if (last_look_) {
    const double seconds = std::chrono::duration<double>(now - last_look_->at).count();
    status_.cpu = seconds > 0 ? static_cast<double>(use->cpu_time - last_look_->cpu_time) / 10 / seconds : 0;
    status_.connections_per_second = rate(status_.accepted, last_look_->accepted, seconds);
    status_.requests_per_second = rate(status_.requests, last_look_->requests, seconds);
    status_.messages_per_second = rate(status_.messages, last_look_->messages, seconds);
  }
  last_look_ = Look{now, use->cpu_time, status_.accepted, status_.requests, status_.messages};
}

}  // namespace muster::cli
