// SPDX-License-Identifier: MIT
#include "uv/child_process.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string_view>

#include "core/assert.h"
#include "os/close_shared.h"
#include "os/process_use.h"
#include "os/spawn.h"
#include "uv/socket.h"

extern char** environ;

namespace muster::uv {
namespace {

// Where a process says that it does not care how its children end, the system does not tell it.
void hear_of_exits() {
  struct sigaction action {};
  if (sigaction(SIGCHLD, nullptr, &action) != 0) return;
  const bool handled = action.sa_handler != SIG_IGN && action.sa_handler != SIG_DFL;
  if (action.sa_handler != SIG_IGN && (action.sa_flags & SA_NOCLDWAIT) == 0) return;
  action.sa_flags &= ~SA_NOCLDWAIT;
  if (!handled) action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
}

constexpr std::string_view channel_variables[] = {"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"};

// This process's environment under the request's, and at the end what tells the process its channel.
std::vector<std::string> environment(const core::SpawnRequest& request, std::size_t channel_fd) {
  std::vector<std::string> result;
  const auto inherit = [&](std::string_view variable) {
    const std::string name(variable.substr(0, variable.find('=')));
    const bool ours = name == channel_variables[0] || name == channel_variables[1];
    if (!ours && !request.env.contains(name)) result.emplace_back(variable);
  };
  if (request.whole_env) {
    for (const std::string& variable : *request.whole_env) inherit(variable);
  } else {
    for (char** entry = environ; *entry; ++entry) inherit(*entry);
  }
  for (const auto& [name, value] : request.env) {
    if (value) result.push_back(name + "=" + *value);
  }
  result.push_back("NODE_CHANNEL_FD=" + std::to_string(channel_fd));
  result.push_back(std::string("NODE_CHANNEL_SERIALIZATION_MODE=") +
                   (request.serialization == Serialization::json ? "json" : "advanced"));
  return result;
}

// Our end is non-blocking; the other is not, as Node's children find it.
std::pair<OwnedFd, OwnedFd> socket_pair() {
  int fds[2] = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) return {};
  set_non_blocking(fds[0]);
  return {OwnedFd::shared(fds[0]), OwnedFd(fds[1])};
}

std::pair<OwnedFd, OwnedFd> output_pipe() {
  int fds[2] = {-1, -1};
  if (pipe2(fds, O_CLOEXEC) != 0) return {};
  set_non_blocking(fds[0]);
  return {OwnedFd(fds[0]), OwnedFd(fds[1])};
}

// How often a process that is about to end is checked, and how many checks one that cannot be reaped is given.
constexpr std::chrono::milliseconds look_interval(200);
constexpr unsigned looks_at_dead = 5;

// Counting is not free where the system does not keep the number itself.
constexpr std::uint64_t count_again_after_ms = 20;

std::optional<std::size_t> count_open_descriptors(int pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/fd";
  struct stat about {};
  if (stat(folder.c_str(), &about) != 0) return std::nullopt;
  // Since Linux 6.2 its size is the number of its entries.
  if (about.st_size > 0) return static_cast<std::size_t>(about.st_size);
  std::error_code error;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) ++count;
  if (error) return std::nullopt;
  return count;
}

bool is_own_user(const core::SpawnRequest& request) {
  return request.uid.value_or(static_cast<int>(geteuid())) == static_cast<int>(geteuid()) &&
         request.gid.value_or(static_cast<int>(getegid())) == static_cast<int>(getegid());
}

}  // namespace

ChildProcess::ChildProcess(Loop& loop, ExitHandler on_exit) : loop_(loop), on_exit_(std::move(on_exit)) {}

int ChildProcess::spawn(const core::SpawnRequest& request, int queue) {
  MUSTER_ASSERT(pid_ == 0);
  hear_of_exits();
  os::SpawnOptions options;
  std::vector<OwnedFd> theirs;
  std::size_t channel_fd = 0;
  for (std::size_t i = 0; i < request.stdio.size(); ++i) {
    const StdioEntry& entry = request.stdio[i];
    int& place = options.descriptors.emplace_back(-1);
    switch (entry.kind) {
      case StdioEntry::Kind::ignore: break;
      case StdioEntry::Kind::inherit: place = static_cast<int>(i); break;
      case StdioEntry::Kind::descriptor: place = entry.descriptor; break;
      case StdioEntry::Kind::pipe:
      case StdioEntry::Kind::ipc: {
        // What it writes comes by a pipe, since descriptors may come by a socket.
        const bool output = entry.kind == StdioEntry::Kind::pipe && (i == 1 || i == 2);
        auto [ours, other] = output ? output_pipe() : socket_pair();
        if (!ours) return give_up(errno);
        if (entry.kind == StdioEntry::Kind::pipe && !output) os::refuse_descriptors(ours.get());
        place = other.get();
        theirs.push_back(std::move(other));
        if (entry.kind == StdioEntry::Kind::ipc) {
          channel_fd = i;
          channel_ = std::move(ours);
        } else {
          pipes_.emplace_back(static_cast<int>(i), std::move(ours));
        }
        break;
      }
    }
  }
  if (queue >= 0) options.descriptors.push_back(queue);
  options.file = request.file;
  options.argv = request.argv;
  options.env = environment(request, channel_fd);
  options.cwd = request.cwd;
  // To become oneself would be to lose one's groups.
  if (!is_own_user(request)) {
    options.uid = request.uid;
    options.gid = request.gid;
  }
  options.no_new_privileges = request.no_new_privileges;
  if (request.ends_with_primary) options.parent_death_signal = SIGKILL;
  const os::Spawned started = os::spawn(options);
  cwd_failed_ = started.of_cwd;
  if (started.error != 0) return give_up(started.error);
  pid_ = started.pid;
  process_ = OwnedFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  if (!process_) return give_up(errno);
  watch_ = std::make_unique<FdWatch>(loop_, [this](std::uint32_t) { handle_exit(); });
  const int error = watch_->start(process_.get(), EPOLLIN);
  return error == 0 ? 0 : give_up(error);
}

int ChildProcess::give_up(int error_number) {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    os::reap(pid_, std::chrono::milliseconds(100));
  }
  pid_ = 0;
  process_.reset();
  watch_.reset();
  channel_.reset();
  pipes_.clear();
  return error_number;
}

void ChildProcess::handle_exit() {
  int status = 0;
  int reaped = 0;
  do {
    reaped = waitpid(pid_, &status, WNOHANG);
  } while (reaped < 0 && errno == EINTR);
  if (reaped == 0) {
    // A tracer reaps it first, if ever.
    watch_->stop();
    expect_end();
    if (ref_) looks_->ref();
    return;
  }
  // Where the program has waited for every child of its own, nobody knows how this one ended.
  if (reaped < 0) return end(ExitStatus::exited(255));
  end(WIFSIGNALED(status) ? ExitStatus::killed(Signal(WTERMSIG(status))) : ExitStatus::exited(WEXITSTATUS(status)));
}

void ChildProcess::end(ExitStatus status) {
  watch_->stop();
  looks_.reset();
  process_.reset();
  exited_ = true;
  on_exit_(status);
}

void ChildProcess::expect_end() {
  if (looks_ || exited_ || pid_ == 0) return;
  looks_ = std::make_unique<Timer>(loop_, [this] { look(); });
  looks_->unref();
  looks_->start(look_interval, look_interval);
}

void ChildProcess::look() {
  if (!os::has_ended(pid_)) return;
  handle_exit();
  // It stays a zombie until its tracer reaps it, and only that learns how it ended.
  if (!exited_ && ++times_dead_ == looks_at_dead) end(ExitStatus::killed(Signal::kill));
}

std::optional<std::size_t> ChildProcess::open_descriptors() {
  if (pid_ == 0 || exited_) return std::nullopt;
  if (open_descriptors_ && loop_.now() - counted_at_ < count_again_after_ms) return open_descriptors_;
  counted_at_ = loop_.now();
  open_descriptors_ = count_open_descriptors(pid_);
  return open_descriptors_;
}

void ChildProcess::ref(bool ref) {
  ref_ = ref;
  if (!watch_) return;
  if (looks_ && !watch_->started()) {
    if (ref) {
      looks_->ref();
    } else {
      looks_->unref();
    }
  }
  if (ref) {
    watch_->ref();
  } else {
    watch_->unref();
  }
}

bool ChildProcess::kill(Signal signal) {
  if (signal == Signal::kill) expect_end();
  // After its exit the number may be another process's.
  return pid_ > 0 && !exited_ && ::kill(pid_, signal.number()) == 0;
}

}  // namespace muster::uv
