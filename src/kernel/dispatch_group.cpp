// SPDX-License-Identifier: MIT
#include "kernel/dispatch_group.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "kernel/dispatch_program.h"
#include "kernel/libbpf.h"
#include "kernel/member_counts.h"

namespace muster::kernel {
namespace {

// libbpf writes to stderr what create() says better.
class Silence {
 public:
  Silence() : previous_(Libbpf::load()->set_print(nullptr)) {}
  ~Silence() { Libbpf::load()->set_print(previous_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  libbpf_print_fn_t previous_;
};

bool has_capability(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

// bpf_loop came with 5.17, after all else that the program needs.
bool is_old(const utsname& system) {
  int major = 0;
  int minor = 0;
  if (std::sscanf(system.release, "%d.%d", &major, &minor) != 2) return false;
  return std::pair(major, minor) < std::pair(5, 17);
}

// Asked before libbpf is, which would raise a limit of this process to find out.
std::optional<std::string> what_is_missing() {
  utsname system{};
  if (uname(&system) == 0 && is_old(system)) return std::string("it needs Linux 5.17, and this is ") + system.release;
  if (!has_capability(CAP_BPF) && !has_capability(CAP_SYS_ADMIN)) return "it needs the capability CAP_BPF";
  return std::nullopt;
}

std::string explain(int error) {
  if (error == ENOSYS) return "this kernel has no bpf()";
  if (error != EPERM) return std::string("the kernel refuses its program: ") + std::strerror(error);
  return "bpf() is refused in spite of CAP_BPF, as in a user namespace or by a container's seccomp filter";
}

// Runs it aside, or here where there can be no thread. A signal that came to a thread of ours would surprise a program that
// knows of one thread.
template <class F>
std::thread run_aside(F run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(run);
  } catch (const std::system_error&) {
    run();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

template <class Value>
int set(int map, unsigned index, Value value, std::uint64_t flags = BPF_ANY) {
  return -Libbpf::load()->map_update_elem(map, &index, &value, flags);
}

}  // namespace

void DispatchGroup::CloseObject::operator()(bpf_object* object) const { Libbpf::load()->object_close(object); }

std::variant<std::unique_ptr<DispatchGroup>, std::string> DispatchGroup::create() {
  if (auto missing = what_is_missing()) return *std::move(missing);
  const Libbpf* libbpf = Libbpf::load();
  if (!libbpf) return "it needs libbpf.so.1, which is not installed";
  const Silence silence;
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "muster");
  std::unique_ptr<bpf_object, CloseObject> object(libbpf->object_open_mem(dispatch_program, dispatch_program_size, &options));
  if (!object) return explain(errno);
  if (const int error = libbpf->object_load(object.get())) return explain(-error);
  return std::unique_ptr<DispatchGroup>(new DispatchGroup(std::move(object)));
}

DispatchGroup::DispatchGroup(std::unique_ptr<bpf_object, CloseObject> object)
    : object_(std::move(object)),
      program_(Libbpf::load()->program_fd(Libbpf::load()->object_find_program_by_name(object_.get(), "dispatch"))),
      listeners_(Libbpf::load()->object_find_map_fd_by_name(object_.get(), "listeners")),
      counts_(Libbpf::load()->object_find_map_fd_by_name(object_.get(), "counts")),
      present_(Libbpf::load()->object_find_map_fd_by_name(object_.get(), "present")),
      bound_(Libbpf::load()->object_find_map_fd_by_name(object_.get(), "bound")) {}

DispatchGroup::~DispatchGroup() { settle(); }

std::variant<unsigned, int> DispatchGroup::add(int listener) {
  const auto vacant = std::find_if(members_.begin(), members_.end(), [](const Member& member) { return !member.counts; });
  const auto number = static_cast<unsigned>(vacant - members_.begin());
  if (number == max_members) return ENOSPC;

  // Each time: when all sockets of an address are closed it forgets the program.
  if (setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program_, sizeof program_) != 0) return errno;
  LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
  OwnedFd counts(
      Libbpf::load()->map_create(BPF_MAP_TYPE_ARRAY, "member_counts", sizeof(unsigned), sizeof(member_counts), 1, &options));
  if (!counts) return errno;
  if (const int error = set(listeners_, number, static_cast<std::uint64_t>(listener), BPF_NOEXIST)) return error;

  // A new map for each member, because its predecessor's process may have the old one. The kernel returns from this when no
  // processor looks at the old any more, which takes a moment that the caller need not wait.
  std::thread announcer = run_aside([counts_map = counts_, present = present_, number, fd = counts.get()] {
    if (set(counts_map, number, fd) == 0) set(present, number, 1U);
  });
  if (number == members_.size()) members_.emplace_back();
  members_[number] = {std::move(counts), std::move(announcer)};
  set_bound();
  return number;
}

void DispatchGroup::remove(unsigned number) {
  if (number >= members_.size() || !members_[number].counts) return;
  Member& member = members_[number];
  if (member.announcer.joinable()) member.announcer.join();
  set(present_, number, 0U);
  // A socket that is closed has left by itself.
  Libbpf::load()->map_delete_elem(listeners_, &number);
  member = {};
  while (!members_.empty() && !members_.back().counts) members_.pop_back();
  set_bound();
}

void DispatchGroup::settle() {
  for (Member& member : members_) {
    if (member.announcer.joinable()) member.announcer.join();
  }
}

OwnedFd DispatchGroup::counters(unsigned member) const {
  if (member >= members_.size()) return {};
  return OwnedFd(fcntl(members_[member].counts.get(), F_DUPFD_CLOEXEC, 3));
}

void DispatchGroup::set_bound() { set(bound_, 0, static_cast<unsigned>(members_.size())); }

}  // namespace muster::kernel
