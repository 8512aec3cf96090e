// SPDX-License-Identifier: MIT
#include "support/run.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>

#include <gtest/gtest.h>

namespace muster::test {
namespace {

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result.push_back(c);
    }
  }
  return result + "'";
}

}  // namespace

Primary::Primary(std::chrono::seconds patience) : cluster(loop, 0, nullptr) {
  guard_ = loop.set_timeout(patience, [this] {
    gave_up = true;
    ADD_FAILURE() << "gave up waiting";
    for (auto& [id, worker] : cluster.workers()) worker.process().kill(Signal::kill);
    loop.stop(1);
  });
  guard_.unref();
}

void Primary::run() { loop.run(); }

void Primary::finish() { cluster.disconnect(); }

Settings speaking(Serialization serialization) {
  Settings settings;
  settings.serialization = serialization;
  return settings;
}

void http_get(Loop& loop, int port, Function<void(std::string)> done, const std::string& host) {
  auto response = std::make_shared<std::string>();
  auto callback = std::make_shared<Function<void(std::string)>>(std::move(done));
  net::Socket socket = net::connect(loop, port, host);
  socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  socket.on_data([response](std::string_view bytes) { response->append(bytes); });
  socket.on_close([response, callback] { (*callback)(std::move(*response)); });
}

std::string body_of(const std::string& response) {
  const std::size_t end = response.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : response.substr(end + 4);
}

ProgramResult run_program(const std::vector<std::string>& command, const Env& env) {
  std::string line = "env";
  for (const auto& [name, value] : env) {
    if (value) line += " " + quoted(name + "=" + *value);
  }
  for (const std::string& word : command) line += " " + quoted(word);
  ProgramResult result;
  FILE* pipe = popen((line + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const std::size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) result.output.append(buffer.data(), n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "muster-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& text) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path) << text;
  return path;
}

int free_port() {
  const auto is_free = [](int family, int type, int port) {
    sockaddr_storage address{};
    address.ss_family = static_cast<sa_family_t>(family);
    // The port is at the same place for both families.
    reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(static_cast<std::uint16_t>(port));
    const int fd = socket(family, type | SOCK_CLOEXEC, 0);
    const bool bound = fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address),
                                      family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6)) == 0;
    if (fd >= 0) close(fd);
    return bound;
  };
  std::random_device random;
  for (;;) {
    const int port = 10'000 + static_cast<int>(random() % 20'000);
    if (is_free(AF_INET, SOCK_STREAM, port) && is_free(AF_INET6, SOCK_STREAM, port) && is_free(AF_INET, SOCK_DGRAM, port) &&
        is_free(AF_INET6, SOCK_DGRAM, port)) {
      return port;
    }
  }
}

std::size_t open_descriptors(int pid) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    ++count;
  return count;
}

}  // namespace muster::test
