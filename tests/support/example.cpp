// SPDX-License-Identifier: MIT
#include "support/example.h"

#include <regex>

namespace muster::test {

Example::Example(const std::string& name, const Env& env, const std::vector<std::string>& arguments) {
  Settings settings;
  settings.exec = "/usr/bin/env";
  // It is a primary of its own, not a worker of this one.
  settings.args = {"-u", "NODE_UNIQUE_ID", "-u", "NODE_CHANNEL_FD", std::string(MUSTER_BINARY_DIR) + "/" + name};
  settings.args->insert(settings.args->end(), arguments.begin(), arguments.end());
  settings.silent = true;
  cluster.setup_primary(settings);
  program.emplace(cluster.fork(env));
  program->process().stdout_stream().on_data([this](std::string_view bytes) {
    output += bytes;
    if (on_output) on_output();
  });
  program->process().stderr_stream().on_data([this](std::string_view bytes) { errors += bytes; });
  program->on_exit([this](ExitStatus s) { status = s; });
}

std::string Example::find(const std::string& pattern) const {
  std::smatch match;
  return std::regex_search(output, match, std::regex(pattern)) ? match[1].str() : "";
}

std::size_t Example::count(const std::string& pattern) const { return count_matches(output, pattern); }

ProgramResult run_example(const std::string& name, const Env& env) {
  return run_program({std::string(MUSTER_BINARY_DIR) + "/" + name}, env);
}

std::size_t count_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  return static_cast<std::size_t>(std::distance(std::sregex_iterator(text.begin(), text.end(), regex), std::sregex_iterator()));
}

void get_when_up(Loop& loop, int port, const std::string& path, Function<void(std::string)> done) {
  auto text = std::make_shared<std::string>();
  auto callback = std::make_shared<Function<void(std::string)>>(std::move(done));
  net::Socket socket = net::connect(loop, port);
  socket.write("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  socket.on_data([text](std::string_view bytes) { text->append(bytes); });
  socket.on_close([&loop, port, path, text, callback] {
    if (text->empty() && path != "/crash") {
      loop.set_timeout(std::chrono::milliseconds(5), [&loop, port, path, callback] {
        get_when_up(loop, port, path, [callback](std::string body) { (*callback)(std::move(body)); });
      });
      return;
    }
    (*callback)(body_of(*text));
  });
}

}  // namespace muster::test
