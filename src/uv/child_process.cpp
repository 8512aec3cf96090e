#include "uv/child_process.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <string_view>

#include "core/assert.h"
#include "uv/socket.h"

extern char** environ;

namespace muster::uv {
namespace {

constexpr std::string_view channel_variables[] = {"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE"};

// This process's environment under the request's, and at the end what tells the process its channel.
std::vector<std::string> environment(const core::SpawnRequest& request, std::size_t channel_fd) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view variable(*entry);
    const std::string name(variable.substr(0, variable.find('=')));
    const bool ours = name == channel_variables[0] || name == channel_variables[1];
    if (!ours && !request.env.contains(name)) result.emplace_back(variable);
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
  return {OwnedFd(fds[0]), OwnedFd(fds[1])};
}

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

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (std::string& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

int ChildProcess::spawn(const core::SpawnRequest& request) {
  MUSTER_ASSERT(!process_);
  std::vector<uv_stdio_container_t> stdio;
  std::vector<OwnedFd> theirs;
  std::size_t channel_fd = 0;
  for (std::size_t i = 0; i < request.stdio.size(); ++i) {
    const StdioEntry& entry = request.stdio[i];
    uv_stdio_container_t container{};
    switch (entry.kind) {
      case StdioEntry::Kind::ignore: container.flags = UV_IGNORE; break;
      case StdioEntry::Kind::inherit:
        container.flags = UV_INHERIT_FD;
        container.data.fd = static_cast<int>(i);
        break;
      case StdioEntry::Kind::descriptor:
        container.flags = UV_INHERIT_FD;
        container.data.fd = entry.descriptor;
        break;
      case StdioEntry::Kind::pipe:
      case StdioEntry::Kind::ipc: {
        auto [ours, other] = socket_pair();
        if (!ours) return errno;
        container.flags = UV_INHERIT_FD;
        container.data.fd = other.get();
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
    stdio.push_back(container);
  }

  std::vector<std::string> argv = request.argv;
  std::vector<std::string> env = environment(request, channel_fd);
  std::vector<char*> argv_pointers = pointers(argv);
  std::vector<char*> env_pointers = pointers(env);
  uv_process_options_t options{};
  options.file = request.file.c_str();
  options.args = argv_pointers.data();
  options.env = env_pointers.data();
  options.cwd = request.cwd ? request.cwd->c_str() : nullptr;
  options.stdio = stdio.data();
  options.stdio_count = static_cast<int>(stdio.size());
  if (request.uid) {
    options.flags |= UV_PROCESS_SETUID;
    options.uid = static_cast<uv_uid_t>(*request.uid);
  }
  if (request.gid) {
    options.flags |= UV_PROCESS_SETGID;
    options.gid = static_cast<uv_gid_t>(*request.gid);
  }
  options.exit_cb = [](uv_process_t* handle, std::int64_t code, int signal) {
    auto* self = static_cast<ChildProcess*>(handle->data);
    if (!self) return;
    const Loop::Turn turn(self->loop_);
    self->exited_ = true;
    self->on_exit_(signal != 0 ? ExitStatus::killed(Signal(signal)) : ExitStatus::exited(static_cast<int>(code)));
  };

  // uv_spawn() leaves a handle to be closed whether it fails or not, so its result is not the handle's.
  int error = 0;
  process_ = std::make_unique<UvHandle<uv_process_t>>(this, [&](uv_process_t* handle) {
    error = uv_spawn(loop_.get(), handle, &options);
    handle->data = this;
    return 0;
  });
  if (error != 0) {
    process_.reset();
    channel_.reset();
    pipes_.clear();
    return -error;
  }
  pid_ = process_->get()->pid;
  return 0;
}

std::optional<std::size_t> ChildProcess::open_descriptors() {
  if (!process_ || exited_) return std::nullopt;
  if (open_descriptors_ && loop_.now() - counted_at_ < count_again_after_ms) return open_descriptors_;
  counted_at_ = loop_.now();
  open_descriptors_ = count_open_descriptors(pid_);
  return open_descriptors_;
}

void ChildProcess::ref(bool ref) {
  if (!process_) return;
  if (ref) {
    process_->ref();
  } else {
    process_->unref();
  }
}

bool ChildProcess::kill(Signal signal) {
  // After its exit the number may be another process's.
  return process_ && !exited_ && uv_process_kill(process_->get(), signal.number()) == 0;
}

}  // namespace muster::uv
