// SPDX-License-Identifier: MIT
#include "os/file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <climits>
#include <cstdlib>
#include <optional>

namespace muster::os {
namespace {

using Clock = std::chrono::steady_clock;

// Whether only this user and root may change what is in a folder. `next` is the entry on the way: in a folder like /tmp
// everybody may make entries, and nobody may change another's.
bool is_private(const struct stat& folder, const std::optional<struct stat>& next) {
  const uid_t self = geteuid();
  const auto trusted = [self](const struct stat& status) { return status.st_uid == 0 || status.st_uid == self; };
  if (!trusted(folder)) return false;
  if ((folder.st_mode & (S_IWGRP | S_IWOTH)) == 0) return true;
  return (folder.st_mode & S_ISVTX) != 0 && next && trusted(*next);
}

// Of every folder on the way, its own links included.
bool is_private_path(const std::string& path) {
  std::size_t slash = 0;
  while (slash != std::string::npos) {
    const std::size_t end = path.find('/', slash + 1);
    const std::string here = slash == 0 ? "/" : path.substr(0, slash);
    struct stat folder {
    }, entry{};
    if (stat(here.c_str(), &folder) != 0) return false;
    const bool last = path.size() <= slash + 1;
    const bool known = !last && lstat(path.substr(0, end).c_str(), &entry) == 0;
    if (!is_private(folder, known ? std::optional(entry) : std::nullopt)) return false;
    slash = last ? std::string::npos : end;
  }
  struct stat folder {};
  return stat(path.c_str(), &folder) == 0 && is_private(folder, std::nullopt);
}

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char here[PATH_MAX];
  return getcwd(here, sizeof here) ? std::string(here) + "/" + path : path;
}

std::string real(const std::string& path) {
  char* resolved = realpath(path.c_str(), nullptr);
  if (!resolved) return path;
  std::string result(resolved);
  std::free(resolved);
  return result;
}

OwnedFd open_without_links(const std::string& path, std::uint64_t flags) {
  open_how how{};
  how.flags = flags;
  how.resolve = RESOLVE_NO_SYMLINKS;
  const int fd = static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path.c_str(), &how, sizeof how));
  // Before Linux 5.6 only the last name can be looked at.
  return OwnedFd(fd < 0 && errno == ENOSYS ? ::open(path.c_str(), static_cast<int>(flags | O_NOFOLLOW)) : fd);
}

}  // namespace

FileText read_file(const std::string& path, std::size_t limit, std::chrono::milliseconds patience) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return {{}, errno};
  if (S_ISDIR(status.st_mode)) return {{}, EISDIR};
  const bool regular = S_ISREG(status.st_mode);
  if (!regular && patience.count() == 0) return {{}, EINVAL};
  const auto until = Clock::now() + patience;
  FileText result;
  char bytes[16384];
  for (;;) {
    if (!regular) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
      pollfd ready{file.get(), POLLIN, 0};
      const int count = left > 0 ? poll(&ready, 1, static_cast<int>(left)) : 0;
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return {{}, count < 0 ? errno : ETIMEDOUT};
    }
    const ssize_t size = read(file.get(), bytes, sizeof bytes);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size < 0) return {{}, errno};
    if (size == 0) return result;
    if (result.text.size() + static_cast<std::size_t>(size) > limit) return {{}, EFBIG};
    result.text.append(bytes, static_cast<std::size_t>(size));
  }
}

int Folder::open(const std::string& path) {
  const std::string whole = absolute(path.empty() ? "." : path);
  shared_ = !is_private_path(whole) || !is_private_path(real(whole));
  constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  fd_ = shared_ ? open_without_links(whole, flags) : OwnedFd(::open(whole.c_str(), flags));
  return fd_ ? 0 : errno;
}

Folder::Opened Folder::append(const std::string& name) const {
  if (!fd_) return {{}, EBADF};
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (shared_ ? O_NOFOLLOW : 0);
  OwnedFd file(openat(fd_.get(), name.c_str(), flags, 0640));
  if (!file) return {{}, errno};
  if (!shared_) return {std::move(file)};
  struct stat status {
  }, folder{};
  if (fstat(file.get(), &status) != 0 || fstat(fd_.get(), &folder) != 0) return {{}, errno};
  const bool known = status.st_uid == geteuid() || status.st_uid == folder.st_uid;
  if (!known || (S_ISREG(status.st_mode) && status.st_nlink != 1)) return {{}, EPERM};
  return {std::move(file)};
}

bool Folder::has(const std::string& name) const { return faccessat(fd_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

bool Folder::is_gone() const {
  struct stat status {};
  return fstat(fd_.get(), &status) == 0 && status.st_nlink == 0;
}

int Folder::rename(const std::string& from, const std::string& to) const {
  return renameat(fd_.get(), from.c_str(), fd_.get(), to.c_str()) == 0 ? 0 : errno;
}

int Folder::remove(const std::string& name) const { return unlinkat(fd_.get(), name.c_str(), 0) == 0 ? 0 : errno; }

}  // namespace muster::os
