// SPDX-License-Identifier: MIT
#include "primary/name_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

namespace muster::cli {
namespace {

// What it says: whose it is, and the folder to be removed after that, a line each.
struct Content {
  int pid = 0;
  std::string folder = {};
};

Content read_content(int file) {
  char text[4096] = {};
  const ssize_t size = pread(file, text, sizeof text - 1, 0);
  if (size <= 0) return {};
  const std::string_view all(text, static_cast<std::size_t>(size));
  const std::size_t end = all.find('\n');
  if (end == std::string_view::npos) return {std::atoi(text)};
  const std::string_view rest = all.substr(end + 1);
  return {std::atoi(text), std::string(rest.substr(0, rest.find('\n')))};
}

int open_lock(const std::string& path, int flags) {
  return open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

bool lock(int file) { return flock(file, LOCK_EX | LOCK_NB) == 0; }

}  // namespace

void NameLock::free() {
  if (file_ && is_ours()) unlink(path_.c_str());
  file_.reset();
}

bool NameLock::is_ours() const {
  struct stat open {
  }, there{};
  // What cannot be looked at is not known to be another's.
  if (fstat(file_.get(), &open) != 0) return true;
  if (stat(path_.c_str(), &there) != 0) return errno != ENOENT;
  return open.st_dev == there.st_dev && open.st_ino == there.st_ino;
}

std::optional<std::string> NameLock::take(const std::string& path, const std::string& app) {
  path_ = path;
  bool taken = false;
  do {
    file_ = OwnedFd(open_lock(path, 0));
    if (!file_) return fmt::format("cannot make {}: {}", path, std::strerror(errno));
    taken = lock(file_.get());
    // The one who had it may have removed it in between; somebody else may have the next one.
  } while (taken && !is_ours());
  const Content before = read_content(file_.get());
  if (!taken) {
    file_.reset();
    return fmt::format(
        "an app \"{}\" runs already{}; `muster reload {}` replaces its workers, --name gives this one another name", app,
        before.pid > 0 ? fmt::format(" (pid {})", before.pid) : "", app);
  }
  if (!before.folder.empty()) left_folder_ = before.folder;
  write();
  return std::nullopt;
}

void NameLock::take_over(const std::string& path, OwnedFd lock) {
  path_ = path;
  file_ = std::move(lock);
}

void NameLock::hand_over(int pid) {
  pid_ = pid;
  write();
}

void NameLock::leave() { file_.reset(); }

void NameLock::restore() {
  if (!file_ || is_ours()) return;
  OwnedFd again(open_lock(path_, O_EXCL));
  if (!again || !lock(again.get())) return;
  file_ = std::move(again);
  write();
}

void NameLock::note_folder(const std::string& folder) {
  if (std::exchange(folder_, folder) == folder) return;
  write();
}

void NameLock::write() const {
  if (!file_) return;
  const std::string text = fmt::format("{}\n{}\n", pid_ > 0 ? pid_ : getpid(), folder_);
  // Nobody needs to read it: on a full disk the lock is one all the same.
  if (ftruncate(file_.get(), 0) == 0 && pwrite(file_.get(), text.data(), text.size(), 0) < 0) return;
}

}  // namespace muster::cli
