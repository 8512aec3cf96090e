// SPDX-License-Identifier: MIT
#include "os/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sanitizer/asan_interface.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>
#include <string_view>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MUSTER_THREAD_SANITIZER
#endif
#elif defined(__SANITIZE_THREAD__)
#define MUSTER_THREAD_SANITIZER
#endif

#ifdef MUSTER_THREAD_SANITIZER
// It takes clone(2) for a fork, and then lets nobody start a thread. This is the same function of the C library.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);  // NOLINT(bugprone-reserved-identifier)
#define clone __clone
#endif

namespace muster::os {
namespace {

constexpr std::size_t stack_size = 256 << 10;
constexpr const char* shell = "/bin/sh";

// All that the new process needs, made before it exists: it shares this process's memory until it runs the program, and may
// neither allocate nor take a lock.
struct Plan {
  const SpawnOptions& options;
  std::vector<std::string> candidates;  // the file, or where it may be on the PATH
  std::vector<char*> argv;
  std::vector<char*> shell_argv;  // for a script without an interpreter; [1] is the file
  std::vector<char*> env;
  std::vector<int> moved;  // the descriptors, out of the way of their places
  int parent = getpid();
  int error = 0;
  bool of_cwd = false;  // the error is the working folder's
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> candidates_for(const SpawnOptions& options) {
  if (options.file.empty() || options.file.find('/') != std::string::npos) return {options.file};
  std::string_view path = "/usr/local/bin:/bin:/usr/bin";
  for (const std::string& entry : options.env) {
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  }
  std::vector<std::string> result;
  for (;;) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    result.push_back((folder.empty() ? "." : std::string(folder)) + "/" + options.file);
    if (colon == std::string_view::npos) return result;
    path.remove_prefix(colon + 1);
  }
}

// The following run in the new process. They call the system directly: the C library, and what a sanitizer puts in its place,
// keep accounts of signals, descriptors and users in the memory that the parent goes on with.

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) { return syscall(number, a, b, c, d, e); }

long address(const void* pointer) { return reinterpret_cast<long>(pointer); }

void reset_signals() {
  struct {
    void* handler = nullptr;
    unsigned long flags = 0;
    void* restorer = nullptr;
    std::uint64_t mask = 0;
  } const standard;
  for (int number = 1; number < _NSIG; ++number) {
    call(SYS_rt_sigaction, number, address(&standard), 0, sizeof standard.mask);
  }
  call(SYS_rt_sigprocmask, SIG_SETMASK, address(&standard.mask), 0, sizeof standard.mask);
}

bool place_descriptors(Plan& plan) {
  const auto count = static_cast<int>(plan.moved.size());
  for (int place = 0; place < count; ++place) {
    int& fd = plan.moved[static_cast<std::size_t>(place)];
    if (fd >= 0 && fd < count && fd != place) {
      fd = static_cast<int>(call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, count));
      if (fd < 0) return false;
    }
  }
  for (int place = 0; place < count; ++place) {
    int fd = plan.moved[static_cast<std::size_t>(place)];
    if (fd < 0 && place >= 3) {
      call(SYS_close, place);
    } else if (fd == place) {
      if (call(SYS_fcntl, fd, F_SETFD, 0) < 0) return false;
    } else {
      const bool ignore = fd < 0;
      if (ignore)
        fd = static_cast<int>(call(SYS_openat, AT_FDCWD, address("/dev/null"), (place == 0 ? O_RDONLY : O_RDWR) | O_CLOEXEC));
      if (fd < 0) return false;
      if (fd == place) {
        if (call(SYS_fcntl, fd, F_SETFD, 0) < 0) return false;
        continue;
      }
      if (call(SYS_dup3, fd, place, 0) < 0) return false;
      if (ignore) call(SYS_close, fd);
    }
    // A program that knows nothing of us expects to wait for its standard streams.
    if (place < 3) {
      const long flags = call(SYS_fcntl, place, F_GETFL);
      if (flags >= 0 && (flags & O_NONBLOCK) != 0) call(SYS_fcntl, place, F_SETFL, flags & ~O_NONBLOCK);
    }
  }
  // What somebody left open in this process is not the program's. Before Linux 5.11 it may be.
  call(SYS_close_range, count, UINT_MAX, CLOSE_RANGE_CLOEXEC);
  return true;
}

bool become_user(const SpawnOptions& options) {
  if (!options.uid && !options.gid) return true;
  // Not where that is not allowed: whoever may not become another user can still be asked to become himself.
  call(SYS_setgroups, 0, 0);
  if (options.gid && call(SYS_setgid, *options.gid) < 0) return false;
  return !options.uid || call(SYS_setuid, *options.uid) >= 0;
}

// As execvp(3) does. Returns when no file could be run.
void execute(Plan& plan) {
  int error = ENOENT;
  for (const std::string& file : plan.candidates) {
    call(SYS_execve, address(file.c_str()), address(plan.argv.data()), address(plan.env.data()));
    if (errno == ENOEXEC) {
      plan.shell_argv[1] = const_cast<char*>(file.c_str());
      call(SYS_execve, address(shell), address(plan.shell_argv.data()), address(plan.env.data()));
    }
    if (errno == EACCES) error = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
      plan.error = errno;
      return;
    }
    if (plan.candidates.size() == 1) error = errno;
  }
  plan.error = error;
}

bool die_with_parent(const Plan& plan) {
  if (call(SYS_prctl, PR_SET_PDEATHSIG, plan.options.parent_death_signal) < 0) return false;
  // It may have died before that.
  if (call(SYS_getppid) != plan.parent) call(SYS_exit, 127);
  return true;
}

bool enter_cwd(Plan& plan) {
  if (!plan.options.cwd || call(SYS_chdir, address(plan.options.cwd->c_str())) >= 0) return true;
  plan.of_cwd = true;
  return false;
}

bool prepare(Plan& plan) {
  const SpawnOptions& options = plan.options;
  // Signals stay blocked until the end: a handler of the parent's would run in its memory.
  if (options.new_session) call(SYS_setsid);
  return place_descriptors(plan) && enter_cwd(plan) && become_user(options) &&
         (!options.no_new_privileges || call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1) >= 0) &&
         (options.parent_death_signal == 0 || die_with_parent(plan));
}

#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("address", "undefined")))
#endif
int run_child(void* argument) {
  Plan& plan = *static_cast<Plan*>(argument);
  if (prepare(plan)) {
    reset_signals();
    execute(plan);
  } else {
    plan.error = errno;
  }
  call(SYS_exit, 127);
  return 127;
}

}  // namespace

Spawned spawn(const SpawnOptions& options) {
  Plan plan{options, candidates_for(options), pointers(options.argv), {}, pointers(options.env), options.descriptors};
  plan.shell_argv = {const_cast<char*>(shell), nullptr};
  for (std::size_t i = 1; i < plan.argv.size(); ++i) plan.shell_argv.push_back(plan.argv[i]);
  if (plan.argv.size() <= 1) plan.shell_argv.push_back(nullptr);

  void* stack = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return {0, errno};
  // A user that is changed makes the memory one that nobody may look into, and it is this process's too.
  const int dumpable = prctl(PR_GET_DUMPABLE);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int pid = clone(run_child, static_cast<char*>(stack) + stack_size, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  const int failed = pid < 0 ? errno : plan.error;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  // The child never returned from its functions, so AddressSanitizer still guards their frames.
  ASAN_UNPOISON_MEMORY_REGION(stack, stack_size);
  munmap(stack, stack_size);
  if (dumpable == 1 && (options.uid || options.gid)) prctl(PR_SET_DUMPABLE, dumpable);
  if (failed == 0) return {pid, 0};
  if (pid > 0) reap(pid, std::chrono::milliseconds(100));
  return {0, failed, plan.of_cwd};
}

bool reap(int pid, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (true) {
    const int reaped = waitpid(pid, nullptr, WNOHANG);
    if (reaped > 0 || (reaped < 0 && errno != EINTR)) return reaped > 0;
    if (std::chrono::steady_clock::now() >= until) return false;
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace muster::os
