// SPDX-License-Identifier: MIT
#include "support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "control.h"

extern char** environ;

namespace muster::test {
namespace {

using Time = std::chrono::steady_clock;

int milliseconds_until(Time::time_point until) {
  return static_cast<int>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::milliseconds>(until - Time::now()).count()));
}

// The environment of a test is nobody else's: not that of the service manager that runs the tests.
bool is_foreign(std::string_view variable) {
  for (const std::string_view name :
       {"MUSTER_", "NODE_", "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_", "XDG_", "HOME=", "TMPDIR=", "PORT="}) {
    if (variable.starts_with(name)) return true;
  }
  return false;
}

struct Spawned {
  int pid = 0;
};

Spawned spawn(const std::string& folder, const Launch& launch, int out, int err) {
  std::vector<std::string> words = launch.before;
  words.push_back(launch.program.empty() ? MUSTER_BINARY_DIR "/muster" : launch.program);
  words.insert(words.end(), launch.words.begin(), launch.words.end());
  std::map<std::string, std::string> env{{"XDG_RUNTIME_DIR", folder + "/run"},
                                         {"XDG_STATE_HOME", folder + "/state"},
                                         {"TMPDIR", folder + "/tmp"},
                                         {"HOME", folder}};
  for (const auto& [name, value] : launch.env) env[name] = value;
  std::vector<std::string> variables;
  for (char** variable = environ; *variable; ++variable) {
    const std::string text = *variable;
    if (!is_foreign(*variable) && !env.contains(text.substr(0, text.find('=')))) variables.push_back(text);
  }
  for (const auto& [name, value] : env) variables.push_back(name + "=" + value);
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const std::string cwd = launch.cwd.empty() ? folder : launch.cwd;

  const int pid = fork();
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(err, 2);
    // What a test has open is no business of its children.
    syscall(SYS_close_range, 3U, ~0U, 0U);
    if (chdir(cwd.c_str()) != 0) _exit(126);
    environ = envp.data();
    execvp(argv[0], argv.data());
    const std::string why = fmt::format("{}: {}\n", argv[0], std::strerror(errno));
    if (write(2, why.data(), why.size()) < 0) _exit(126);
    _exit(127);
  }
  return {pid};
}

std::string end_of(const std::string& text) { return text.size() < 4000 ? text : "..." + text.substr(text.size() - 4000); }

std::string slurp(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<int> all_processes() {
  std::vector<int> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (const int pid = std::atoi(entry.path().filename().c_str()); pid > 0) pids.push_back(pid);
  }
  return pids;
}

// Parent and state, out of /proc/PID/stat.
std::pair<int, char> stat_of(int pid) {
  const std::string text = slurp(fmt::format("/proc/{}/stat", pid));
  const auto end = text.rfind(')');
  if (end == std::string::npos) return {0, '\0'};
  int parent = 0;
  char state = '\0';
  std::istringstream(text.substr(end + 1)) >> state >> parent;
  return {parent, state};
}

}  // namespace

nlohmann::json Ended::json() const {
  auto value = nlohmann::json::parse(out, nullptr, false);
  EXPECT_FALSE(value.is_discarded()) << "this is not JSON: " << out << err;
  return value;
}

Running::Running(const Session& session, Launch launch) {
  int pipe[2] = {-1, -1};
  if (launch.output < 0 && pipe2(pipe, O_CLOEXEC) != 0) std::abort();
  const int output = launch.output < 0 ? pipe[1] : launch.output;
  pid_ = spawn(session.path(), launch, output, output).pid;
  if (pipe[1] >= 0) close(pipe[1]);
  fd_ = pipe[0];
}

Running::~Running() {
  if (!status_) {
    kill(pid_, SIGKILL);
    reap();
  }
  if (fd_ >= 0) close(fd_);
}

void Running::signal(int number) const { kill(pid_, number); }

bool Running::read_more(Time::time_point until) {
  pollfd waiting{fd_, POLLIN, 0};
  if (fd_ < 0 || poll(&waiting, 1, milliseconds_until(until)) <= 0) return false;
  char bytes[16384];
  const ssize_t size = read(fd_, bytes, sizeof bytes);
  if (size <= 0) return false;
  output_.append(bytes, static_cast<std::size_t>(size));
  return true;
}

std::string Running::line(std::string_view part) {
  const auto until = Time::now() + patience;
  for (;;) {
    for (std::size_t end = 0; (end = output_.find('\n', position_)) != std::string::npos;) {
      std::string found = output_.substr(position_, end - position_);
      position_ = end + 1;
      if (has(found, part)) return found;
    }
    if (!read_more(until)) {
      ADD_FAILURE() << "\"" << part << "\" was never said; this was:\n" << end_of(output_);
      return {};
    }
  }
}

void Running::lines(std::string_view part, int count) {
  for (int i = 0; i < count; ++i) {
    if (line(part).empty()) return;
  }
}

void Running::reap() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = status;
}

int Running::own_exit_code() {
  if (!status_) {
    const int process = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
    const auto until = Time::now() + patience;
    for (;;) {
      // It may have more to say than a pipe holds.
      pollfd waiting[2] = {{process, POLLIN, 0}, {fd_, POLLIN, 0}};
      if (poll(waiting, fd_ >= 0 ? 2 : 1, milliseconds_until(until)) <= 0) {
        ADD_FAILURE() << "pid " << pid_ << " does not end; this was said:\n" << end_of(output_);
        kill(pid_, SIGKILL);
        break;
      }
      if (waiting[0].revents != 0) break;
      if (waiting[1].revents != 0 && !read_more(until)) {
        close(std::exchange(fd_, -1));
      }
    }
    close(process);
    reap();
  }
  return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -WTERMSIG(*status_);
}

int Running::exit_code() {
  const int code = own_exit_code();
  while (read_more(Time::now() + patience)) {
  }
  return code;
}

const std::string& Running::output() {
  while (read_more(Time::now())) {
  }
  return output_;
}

bool Running::alive() {
  if (status_) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return !status_;
}

Session::Session() {
  // Who is left without a parent is ours, to be found and killed.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  for (const char* name : {"run", "state", "tmp"}) mkdir(file(name).c_str(), 0700);
  chmod(file("tmp").c_str(), 0755);
}

Session::~Session() {
  // Again and again: some fork while they are killed.
  for (int round = 0; round < 1000; ++round) {
    const auto left = children_of(getpid());
    for (const int pid : left) kill(pid, SIGKILL);
    if (left.empty()) break;
    waitpid(-1, nullptr, 0);
  }
}

std::string Session::read(const std::string& name) const { return slurp(name.starts_with('/') ? name : file(name)); }

std::vector<std::string> Session::temporary_files() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(file("tmp"))) names.push_back(entry.path().filename());
  return names;
}

Ended Session::run(std::vector<std::string> words) const {
  Launch launch;
  launch.words = std::move(words);
  return run(std::move(launch));
}

Ended Session::run(Launch launch) const {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
  const int pid = spawn(path(), launch, out[1], err[1]).pid;
  close(out[1]);
  close(err[1]);
  Ended ended;
  const auto until = Time::now() + patience;
  bool open[2] = {true, true};
  while (open[0] || open[1]) {
    pollfd waiting[2] = {{open[0] ? out[0] : -1, POLLIN, 0}, {open[1] ? err[0] : -1, POLLIN, 0}};
    if (poll(waiting, 2, milliseconds_until(until)) <= 0) {
      ADD_FAILURE() << "it does not end: " << fmt::format("{}", launch.words.empty() ? "" : launch.words[0]) << "\n"
                    << ended.all();
      kill(pid, SIGKILL);
      break;
    }
    for (int i = 0; i < 2; ++i) {
      if (waiting[i].revents == 0) continue;
      char bytes[16384];
      const ssize_t size = ::read(waiting[i].fd, bytes, sizeof bytes);
      if (size <= 0) {
        open[i] = false;
      } else {
        (i == 0 ? ended.out : ended.err).append(bytes, static_cast<std::size_t>(size));
      }
    }
  }
  close(out[0]);
  close(err[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  return ended;
}

nlohmann::json Session::ask(const std::string& app, const nlohmann::json& request) const {
  auto opened = cli::ControlConnection::open(runtime(app + ".sock"), patience);
  auto* connection = std::get_if<cli::ControlConnection>(&opened);
  if (!connection || !connection->send(request)) return nullptr;
  while (auto line = connection->next(patience)) {
    if (line->contains("ok")) return *line;
  }
  return nullptr;
}

nlohmann::json Session::status(const std::string& app) const {
  const auto answer = ask(app, {{"command", "status"}});
  return answer.is_object() && answer.contains("status") ? answer["status"] : nlohmann::json();
}

std::vector<int> Session::workers(const std::string& app) const {
  std::vector<int> pids;
  const auto known = status(app);
  if (!known.is_object()) return pids;
  for (const auto& worker : known["workers"]) {
    if (worker["state"] == "ready") pids.push_back(worker["pid"]);
  }
  return pids;
}

Connection::Connection(int port, const std::string& host) {
  const bool v6 = has(host, ":");
  sockaddr_storage address{};
  address.ss_family = v6 ? AF_INET6 : AF_INET;
  reinterpret_cast<sockaddr_in*>(&address)->sin_port = htons(static_cast<std::uint16_t>(port));
  if (v6) {
    inet_pton(AF_INET6, host.c_str(), &reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr);
  } else {
    inet_pton(AF_INET, host.c_str(), &reinterpret_cast<sockaddr_in*>(&address)->sin_addr);
  }
  fd_ = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in)) != 0) error_ = errno;
}

Connection::Connection(const std::string& unix_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, unix_path.data(), std::min(unix_path.size(), sizeof address.sun_path - 1));
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) error_ = errno;
}

Connection::~Connection() { close(fd_); }

bool Connection::send(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t size = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

void Connection::half_close() const { shutdown(fd_, SHUT_WR); }

bool Connection::read_more() {
  if (ended_ || failed_) return false;
  pollfd waiting{fd_, POLLIN, 0};
  if (poll(&waiting, 1, milliseconds_until(Time::now() + patience)) <= 0) {
    failed_ = true;
    return false;
  }
  char bytes[16384];
  const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
  if (size < 0) failed_ = true;
  if (size == 0) ended_ = true;
  if (size <= 0) return false;
  received_.append(bytes, static_cast<std::size_t>(size));
  return true;
}

std::string Connection::until(std::string_view part) {
  std::size_t at = 0;
  while ((at = received_.find(part)) == std::string::npos) {
    if (!read_more()) return std::exchange(received_, {});
  }
  std::string text = received_.substr(0, at + part.size());
  received_.erase(0, text.size());
  return text;
}

std::string Connection::rest() {
  while (read_more()) {
  }
  return std::exchange(received_, {});
}

std::string Connection::response() {
  std::string head = until("\r\n\r\n");
  const auto length = head.find("Content-Length: ");
  if (length == std::string::npos) return head + (has(head, "chunked") ? until("0\r\n\r\n") : "");
  const std::size_t size = std::strtoul(head.c_str() + length + 16, nullptr, 10);
  while (received_.size() < size && read_more()) {
  }
  head += received_.substr(0, size);
  received_.erase(0, size);
  return head;
}

std::string get(int port, const std::string& path) {
  Connection connection(port);
  if (!connection.connected()) return "refused";
  connection.send(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path));
  const std::string response = connection.rest();
  if (!connection.whole() || !has(response, "\r\n\r\n")) return "cut off";
  return body_of(response);
}

std::map<std::string, int> gets(int port, int count) {
  std::map<std::string, int> bodies;
  for (int i = 0; i < count; ++i) ++bodies[get(port)];
  return bodies;
}

bool eventually(const std::function<bool()>& holds, std::string_view what) {
  const auto until = Time::now() + patience;
  while (!holds()) {
    if (Time::now() > until) {
      ADD_FAILURE() << what << " never holds";
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

bool is_alive(int pid) {
  const char state = process_state(pid);
  return state != '\0' && state != 'Z' && state != 'X';
}

bool gone(int pid) {
  const int process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (process < 0) return true;
  pollfd waiting{process, POLLIN, 0};
  const bool ended = poll(&waiting, 1, milliseconds_until(Time::now() + patience)) > 0;
  close(process);
  EXPECT_TRUE(ended) << "pid " << pid << " does not end";
  return ended;
}

std::vector<int> children_of(int pid) {
  std::multimap<int, int> children;
  for (const int each : all_processes()) children.emplace(stat_of(each).first, each);
  std::vector<int> found, open{pid};
  while (!open.empty()) {
    const int parent = open.back();
    open.pop_back();
    for (auto [child, end] = children.equal_range(parent); child != end; ++child) {
      found.push_back(child->second);
      open.push_back(child->second);
    }
  }
  return found;
}

char process_state(int pid) { return stat_of(pid).second; }

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

int count_of(std::string_view text, std::string_view part) {
  int count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) ++count;
  return count;
}

std::string server_js(int port, const std::string& body, const std::string& before) {
  return fmt::format("{}\nrequire('http').createServer((request, response) => response.end({})).listen({}, '127.0.0.1');\n",
                     before, body, port);
}

}  // namespace muster::test
