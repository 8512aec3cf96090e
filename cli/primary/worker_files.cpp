// SPDX-License-Identifier: MIT
#include "primary/worker_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include <fmt/core.h>

#include "folders.h"
#include "primary/assets.h"

namespace muster::cli {
namespace {

constexpr std::string_view folder_name = "/muster-";

bool is_own_folder(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid();
}

bool is_whole_agent(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
         static_cast<std::size_t>(status.st_size) == assets::agent_size;
}

}  // namespace

bool WorkerFiles::restore() {
  error_.clear();
  if ((folder_.empty() || !is_own_folder(folder_)) && !make_folder()) return false;
  if (is_whole_agent(agent_path())) return true;
  try {
    write_file(agent_path(), {reinterpret_cast<const char*>(assets::agent), assets::agent_size});
  } catch (const std::exception& failure) {
    error_ = failure.what();
    return false;
  }
  // Workers may be of another user.
  chmod(agent_path().c_str(), 0644);
  return true;
}

std::string WorkerFiles::agent() const { return is_whole_agent(agent_path()) ? agent_path() : ""; }

bool WorkerFiles::make_folder() {
  if (!folder_.empty() && mkdir(folder_.c_str(), 0755) == 0) return true;
  const char* base = std::getenv("TMPDIR");
  std::string folder = (base && *base == '/' ? base : "/tmp") + std::string(folder_name) + "XXXXXX";
  if (!mkdtemp(folder.data())) {
    error_ = fmt::format("cannot make a folder like {}: {}", folder, std::strerror(errno));
    return false;
  }
  chmod(folder.c_str(), 0755);
  folder_ = std::move(folder);
  return true;
}

void WorkerFiles::remove() { remove_folder(std::exchange(folder_, {})); }

void WorkerFiles::remove_folder(const std::string& folder) {
  if (folder.find(folder_name) == std::string::npos || !is_own_folder(folder)) return;
  for (const char* name : {"/agent.cjs", "/agent.cjs.new", "/notify"}) unlink((folder + name).c_str());
  rmdir(folder.c_str());
}

}  // namespace muster::cli
