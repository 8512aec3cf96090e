// SPDX-License-Identifier: MIT
// Fails system calls of a program it is preloaded into: see tools/inject, which runs it.
//
//   INJECT_PROGRAM   the name of the program whose calls are looked at; in others nothing happens
//   INJECT_ARGUMENT  its first argument: of `muster`, `run` or `__primary`
//   INJECT_REPORT    a file to append lines to: "path CALL HASH" at the first call from each path of the program;
//                    "failed CALL HASH" for each failure, and "at FILE ADDRESS" for each place above the first
//   INJECT_CALL      the call that fails, INJECT_ERRNO how
//   INJECT_PATH      only from this path, and only its first call; without, the first call from anywhere
//   INJECT_FOR       milliseconds: it goes on failing for so long, from wherever it is called
//
// A path is a hash of where the program was: the return addresses above the call, relative to the files they are in.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr int frames_in_a_path = 10;

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) { return (hash ^ value) * 0x100000001b3U; }

class Injector {
 public:
  Injector() {
    char program[PATH_MAX] = "";
    if (readlink("/proc/self/exe", program, sizeof program - 1) <= 0) return;
    const char* wanted = getenv("INJECT_PROGRAM");
    const std::string_view path = program;
    if (!wanted || path.substr(path.rfind('/') + 1) != wanted) return;
    const char* argument = getenv("INJECT_ARGUMENT");
    if (!argument || first_argument() != argument) return;
    if (const char* report = getenv("INJECT_REPORT")) {
      report_ = static_cast<int>(syscall(SYS_openat, AT_FDCWD, report, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
      // Out of the way of what the program counts on.
      const int away = static_cast<int>(syscall(SYS_fcntl, report_, F_DUPFD_CLOEXEC, 900));
      if (away >= 0) syscall(SYS_close, report_);
      if (away >= 0) report_ = away;
    }
    if (const char* call = getenv("INJECT_CALL")) call_ = call;
    if (const char* error = getenv("INJECT_ERRNO")) errno_ = atoi(error);
    if (const char* hash = getenv("INJECT_PATH")) hash_ = strtoull(hash, nullptr, 16);
    if (const char* length = getenv("INJECT_FOR")) length_ = atoll(length) * 1'000'000;
    // Found once, before anything is counted: the unwinder and the linker make calls of their own.
    hash_of_path();
    active_ = true;
  }

  // Whether this call is to fail, and errno then.
  bool fails(const char* call) {
    if (!active_ || inside_) return false;
    inside_ = true;
    const int before = errno;
    const bool failing = decide(call);
    inside_ = false;
    errno = failing ? errno_ : before;
    return failing;
  }

 private:
  static std::int64_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
  }

  static std::string first_argument() {
    char line[4096] = "";
    const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
    const long size = syscall(SYS_read, fd, line, sizeof line - 1);
    syscall(SYS_close, fd);
    const std::string_view all(line, size > 0 ? static_cast<std::size_t>(size) : 0);
    const std::size_t end = all.find('\0');
    return end >= all.size() ? "" : line + end + 1;
  }

  bool decide(const char* call) {
    const bool is_it = call_ == call;
    if (!call_.empty() && !is_it) return false;
    if (until_ != 0) {
      if (now() >= until_) return false;
      say("failed", call, 0);
      return true;
    }
    if (done_) return false;
    const std::uint64_t path = hash_of_path();
    if (call_.empty()) {
      const std::lock_guard lock(mutex_);
      if (paths_.insert(mix(path, std::hash<std::string_view>()(call))).second) say("path", call, path);
      return false;
    }
    if (hash_ != 0 && hash_ != path) return false;
    if (length_ == 0) {
      if (done_.exchange(true)) return false;
    } else {
      until_ = now() + length_;
    }
    say("failed", call, path);
    hash_of_path(report_);
    return true;
  }

  void say(const char* what, const char* call, std::uint64_t path) const {
    char line[128];
    const int size = snprintf(line, sizeof line, "%s %s %016llx\n", what, call, static_cast<unsigned long long>(path));
    if (report_ >= 0) syscall(SYS_write, report_, line, size);
  }

  struct Walk {
    std::uint64_t hash = 0xcbf29ce484222325U;
    int frames = 0;
    int report = -1;
  };
  static std::uint64_t hash_of_path(int report = -1) {
    Walk walk;
    walk.report = report;
    _Unwind_Backtrace(
        [](_Unwind_Context* context, void* argument) {
          auto& w = *static_cast<Walk*>(argument);
          const auto address = static_cast<std::uint64_t>(_Unwind_GetIP(context));
          Dl_info info{};
          if (dladdr(reinterpret_cast<void*>(address), &info) == 0 || !info.dli_fbase) return _URC_END_OF_STACK;
          Dl_info own{};
          dladdr(reinterpret_cast<void*>(&hash_of_path), &own);
          if (info.dli_fbase == own.dli_fbase) return _URC_NO_REASON;
          const std::uint64_t place = address - reinterpret_cast<std::uint64_t>(info.dli_fbase);
          w.hash = mix(w.hash, place);
          if (w.report >= 0) {
            char line[PATH_MAX + 32];
            const int size =
                snprintf(line, sizeof line, "at %s %llx\n", info.dli_fname, static_cast<unsigned long long>(place - 1));
            syscall(SYS_write, w.report, line, size);
          }
          return ++w.frames < frames_in_a_path ? _URC_NO_REASON : _URC_END_OF_STACK;
        },
        &walk);
    return walk.hash;
  }

  bool active_ = false;
  static thread_local bool inside_;
  int report_ = -1;
  std::string call_;
  int errno_ = 0;
  std::uint64_t hash_ = 0;
  std::int64_t length_ = 0;
  std::atomic<std::int64_t> until_ = 0;
  std::atomic<bool> done_ = false;
  std::mutex mutex_;
  std::set<std::uint64_t> paths_;
};
thread_local bool Injector::inside_ = false;

// Never destroyed: the program calls to its very end. Its making calls too.
Injector* injector = nullptr;
__attribute__((constructor)) void start() { injector = new Injector; }

bool fails(const char* call) { return injector && injector->fails(call); }

template <class F>
F* next(F*, const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// A call whose failure is -1 and errno.
#define FAILS(result, name, parameters, arguments)  \
  extern "C" result name parameters {               \
    static auto* const real = next(&::name, #name); \
    if (fails(#name)) return (result)-1;            \
    return real arguments;                          \
  }

FAILS(int, socket, (int a, int b, int c) noexcept, (a, b, c))
FAILS(int, socketpair, (int a, int b, int c, int* d) noexcept, (a, b, c, d))
FAILS(int, bind, (int a, const sockaddr* b, socklen_t c) noexcept, (a, b, c))
FAILS(int, listen, (int a, int b) noexcept, (a, b))
FAILS(int, accept4, (int a, sockaddr* b, socklen_t* c, int d), (a, b, c, d))
FAILS(int, connect, (int a, const sockaddr* b, socklen_t c), (a, b, c))
FAILS(ssize_t, send, (int a, const void* b, size_t c, int d), (a, b, c, d))
FAILS(ssize_t, sendto, (int a, const void* b, size_t c, int d, const sockaddr* e, socklen_t f), (a, b, c, d, e, f))
FAILS(ssize_t, sendmsg, (int a, const msghdr* b, int c), (a, b, c))
FAILS(ssize_t, recv, (int a, void* b, size_t c, int d), (a, b, c, d))
FAILS(ssize_t, recvfrom, (int a, void* b, size_t c, int d, sockaddr* e, socklen_t* f), (a, b, c, d, e, f))
FAILS(ssize_t, recvmsg, (int a, msghdr* b, int c), (a, b, c))
FAILS(int, getsockname, (int a, sockaddr* b, socklen_t* c) noexcept, (a, b, c))
FAILS(int, getpeername, (int a, sockaddr* b, socklen_t* c) noexcept, (a, b, c))
FAILS(int, getsockopt, (int a, int b, int c, void* d, socklen_t* e) noexcept, (a, b, c, d, e))
FAILS(int, setsockopt, (int a, int b, int c, const void* d, socklen_t e) noexcept, (a, b, c, d, e))
FAILS(int, shutdown, (int a, int b) noexcept, (a, b))
FAILS(ssize_t, read, (int a, void* b, size_t c), (a, b, c))
FAILS(ssize_t, write, (int a, const void* b, size_t c), (a, b, c))
FAILS(ssize_t, writev, (int a, const iovec* b, int c), (a, b, c))
FAILS(ssize_t, pread, (int a, void* b, size_t c, off_t d), (a, b, c, d))
FAILS(ssize_t, pwrite, (int a, const void* b, size_t c, off_t d), (a, b, c, d))
FAILS(int, ftruncate, (int a, off_t b) noexcept, (a, b))
FAILS(int, memfd_create, (const char* a, unsigned b) noexcept, (a, b))
FAILS(int, pipe2, (int* a, int b) noexcept, (a, b))
FAILS(int, eventfd, (unsigned a, int b) noexcept, (a, b))
FAILS(int, epoll_create1, (int a) noexcept, (a))
FAILS(int, epoll_wait, (int a, epoll_event* b, int c, int d), (a, b, c, d))
FAILS(int, epoll_pwait, (int a, epoll_event* b, int c, int d, const sigset_t* e), (a, b, c, d, e))
FAILS(int, poll, (pollfd * a, nfds_t b, int c), (a, b, c))
FAILS(int, dup3, (int a, int b, int c) noexcept, (a, b, c))
FAILS(int, fstat, (int a, struct stat* b) noexcept, (a, b))
FAILS(int, stat, (const char* a, struct stat* b) noexcept, (a, b))
FAILS(int, lstat, (const char* a, struct stat* b) noexcept, (a, b))
FAILS(int, fstatat, (int a, const char* b, struct stat* c, int d) noexcept, (a, b, c, d))
FAILS(int, access, (const char* a, int b) noexcept, (a, b))
FAILS(int, faccessat, (int a, const char* b, int c, int d) noexcept, (a, b, c, d))
FAILS(int, unlink, (const char* a) noexcept, (a))
FAILS(int, unlinkat, (int a, const char* b, int c) noexcept, (a, b, c))
FAILS(int, rename, (const char* a, const char* b) noexcept, (a, b))
FAILS(int, renameat, (int a, const char* b, int c, const char* d) noexcept, (a, b, c, d))
FAILS(int, mkdir, (const char* a, mode_t b) noexcept, (a, b))
FAILS(int, rmdir, (const char* a) noexcept, (a))
FAILS(int, chmod, (const char* a, mode_t b) noexcept, (a, b))
FAILS(int, flock, (int a, int b) noexcept, (a, b))
FAILS(ssize_t, readlink, (const char* a, char* b, size_t c) noexcept, (a, b, c))
FAILS(int, kill, (pid_t a, int b) noexcept, (a, b))
FAILS(int, setpgid, (pid_t a, pid_t b) noexcept, (a, b))
FAILS(pid_t, fork, () noexcept, ())
FAILS(int, getrlimit, (__rlimit_resource_t a, rlimit* b) noexcept, (a, b))
FAILS(int, setrlimit, (__rlimit_resource_t a, const rlimit* b) noexcept, (a, b))
FAILS(int, nanosleep, (const timespec* a, timespec* b), (a, b))
FAILS(int, sched_getaffinity, (pid_t a, size_t b, cpu_set_t* c) noexcept, (a, b, c))

// What was waited for is waited for anyway, or the child is one of nobody.
extern "C" pid_t waitpid(pid_t a, int* b, int c) {
  static auto* const real = next(&::waitpid, "waitpid");
  if (fails("waitpid")) return -1;
  return real(a, b, c);
}

// The system has closed it, whatever it says.
extern "C" int close(int fd) {
  static auto* const real = next(&::close, "close");
  const int result = real(fd);
  return fails("close") ? -1 : result;
}

// Only where the system had something to do, and so something to lack memory for.
extern "C" int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  static auto* const real = next(&::epoll_ctl, "epoll_ctl");
  const int result = real(epoll, operation, fd, event);
  if (operation != EPOLL_CTL_ADD || result != 0 || !fails("epoll_ctl")) return result;
  const int error = errno;
  real(epoll, EPOLL_CTL_DEL, fd, nullptr);
  errno = error;
  return -1;
}

extern "C" void* mmap(void* a, size_t b, int c, int d, int e, off_t f) noexcept {
  static auto* const real = next(&::mmap, "mmap");
  if (fails("mmap")) return MAP_FAILED;
  return real(a, b, c, d, e, f);
}

extern "C" char* mkdtemp(char* a) noexcept {
  static auto* const real = next(&::mkdtemp, "mkdtemp");
  if (fails("mkdtemp")) return nullptr;
  return real(a);
}

extern "C" char* getcwd(char* a, size_t b) noexcept {
  static auto* const real = next(&::getcwd, "getcwd");
  if (fails("getcwd")) return nullptr;
  return real(a, b);
}

extern "C" char* realpath(const char* a, char* b) noexcept {
  static auto* const real = next(&::realpath, "realpath");
  if (fails("realpath")) return nullptr;
  return real(a, b);
}

extern "C" int pthread_create(pthread_t* a, const pthread_attr_t* b, void* (*c)(void*), void* d) noexcept {
  static auto* const real = next(&::pthread_create, "pthread_create");
  if (fails("pthread_create")) return errno;
  return real(a, b, c, d);
}

extern "C" int getaddrinfo(const char* a, const char* b, const addrinfo* c, addrinfo** d) {
  static auto* const real = next(&::getaddrinfo, "getaddrinfo");
  if (fails("getaddrinfo")) return EAI_SYSTEM;
  return real(a, b, c, d);
}

extern "C" int clone(int (*function)(void*), void* stack, int flags, void* argument, ...) noexcept {
  // Those of the library give no more than this.
  static auto* const real = next(&::clone, "clone");
  if (fails("clone")) return -1;
  return real(function, stack, flags, argument);
}

// Those with an argument that may not be there: one that is not is not looked at.
#define ARGUMENT(type)                \
  va_list list;                       \
  va_start(list, last);               \
  auto argument = va_arg(list, type); \
  va_end(list)

extern "C" int open(const char* path, int last, ...) {
  static auto* const real = next(&::open, "open");
  ARGUMENT(mode_t);
  if (fails("open")) return -1;
  return real(path, last, argument);
}

extern "C" int openat(int folder, const char* path, int last, ...) {
  static auto* const real = next(&::openat, "openat");
  ARGUMENT(mode_t);
  if (fails("openat")) return -1;
  return real(folder, path, last, argument);
}

extern "C" int fcntl(int fd, int last, ...) {
  static auto* const real = next(&::fcntl, "fcntl");
  ARGUMENT(void*);
  if (fails(last == F_DUPFD || last == F_DUPFD_CLOEXEC ? "fcntl-dup" : "fcntl")) return -1;
  return real(fd, last, argument);
}

extern "C" int ioctl(int fd, unsigned long last, ...) noexcept {
  static auto* const real = next(&::ioctl, "ioctl");
  ARGUMENT(void*);
  if (fails("ioctl")) return -1;
  return real(fd, last, argument);
}

extern "C" int prctl(int last, ...) noexcept {
  static auto* const real = next(&::prctl, "prctl");
  va_list list;
  va_start(list, last);
  std::array<unsigned long, 4> a{};
  for (unsigned long& one : a) one = va_arg(list, unsigned long);
  va_end(list);
  if (fails("prctl")) return -1;
  return real(last, a[0], a[1], a[2], a[3]);
}

extern "C" long syscall(long last, ...) noexcept {
  static auto* const real = next(&::syscall, "syscall");
  va_list list;
  va_start(list, last);
  std::array<long, 6> a{};
  for (long& one : a) one = va_arg(list, long);
  va_end(list);
  const char* name = last == SYS_pidfd_open ? "pidfd_open" : last == SYS_pidfd_send_signal ? "pidfd_send_signal" : nullptr;
  if (name && fails(name)) return -1;
  return real(last, a[0], a[1], a[2], a[3], a[4], a[5]);
}
