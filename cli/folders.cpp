// SPDX-License-Identifier: MIT
#include "folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "json_text.h"
#include "os/fd.h"
#include "os/file.h"

namespace muster::cli {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value == '/' ? value : "";
}

bool is_ours_alone(const struct stat& folder) {
  return folder.st_uid == geteuid() && (folder.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

// A folder that only this user can change.
std::string make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    throw std::runtime_error(fmt::format("cannot make the folder {}: {}", path, std::strerror(errno)));
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
    throw std::runtime_error(path + " is not a folder");
  }
  if (!is_ours_alone(status)) {
    throw std::runtime_error(
        fmt::format("the folder {} belongs to somebody else, or others may write to it: anybody could pass "
                    "for an app there. Remove it, or set XDG_RUNTIME_DIR",
                    path));
  }
  return path;
}

std::vector<std::string> stems(const std::string& folder, std::string_view extension) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().extension() == extension) names.push_back(entry->path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Folders make_folders() {
  Folders folders;
  const std::string runtime = variable("XDG_RUNTIME_DIR");
  folders.runtime = make_folder(!runtime.empty() ? runtime + "/muster"
                                : geteuid() == 0 ? "/run/muster"
                                                 : fmt::format("/tmp/muster-{}", geteuid()));
  const std::string state = variable("XDG_STATE_HOME"), home = variable("HOME");
  folders.state = !state.empty()  ? make_folder(state + "/muster")
                  : !home.empty() ? make_folder(home + "/.local/state/muster")
                                  : folders.runtime;
  return folders;
}

std::vector<std::string> running_apps(const Folders& folders) { return stems(folders.runtime, ".sock"); }
std::vector<std::string> saved_apps(const Folders& folders) { return stems(folders.state, ".json"); }

void write_file(const std::string& path, const std::string& text) {
  const auto fail = [&path](std::string_view why) { throw std::runtime_error(fmt::format("cannot write {}: {}", path, why)); };
  // Somebody who can write to the parent folder may have replaced this one.
  const fs::path file(path);
  const OwnedFd folder(open(file.parent_path().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!folder || fstat(folder.get(), &status) != 0) fail(std::strerror(errno));
  if (!is_ours_alone(status)) fail("its folder belongs to somebody else, or others may write to it");

  const std::string name = file.filename(), half = name + ".new";
  // Left by somebody who was killed, or anything else, for whose reader nobody waits.
  unlinkat(folder.get(), half.c_str(), 0);
  const int fd = openat(folder.get(), half.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  bool written = fd >= 0;
  for (std::string_view rest = text; written && !rest.empty();) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    written = n > 0 || (n < 0 && errno == EINTR);
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  if (!written || renameat(folder.get(), half.c_str(), folder.get(), name.c_str()) != 0) {
    const std::string why = std::strerror(written ? errno : error);
    unlinkat(folder.get(), half.c_str(), 0);
    fail(why);
  }
}

nlohmann::json read_json(const std::string& path) {
  constexpr std::size_t limit = 64 << 20;
  const os::FileText file = os::read_file(path, limit);
  if (file.error != 0) return nullptr;
  return parse_json(file.text);
}

}  // namespace muster::cli
