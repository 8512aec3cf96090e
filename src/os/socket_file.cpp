// SPDX-License-Identifier: MIT
#include "os/socket_file.h"

#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <optional>

namespace muster::os {
namespace {

struct PathAddress {
  sockaddr_un name{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

// The system has room for a short path only; seen from here it may be short enough, as Node's primary does it.
std::string shortest(const std::string& path) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  std::string relative = error ? path : std::filesystem::path(path).lexically_relative(here).string();
  return relative.empty() || relative.size() >= path.size() ? path : relative;
}

std::optional<PathAddress> address_of(const std::string& whole_path) {
  // A Node worker makes an absolute path of a name that is no file, too.
  const std::string path = shortest(whole_path);
  PathAddress address;
  const bool is_file = !is_abstract(path);
  if (is_file && (path.empty() || path.find('\0') != std::string::npos)) return std::nullopt;
  if (path.size() + (is_file ? 1 : 0) > sizeof address.name.sun_path) return std::nullopt;
  address.name.sun_family = AF_UNIX;
  std::memcpy(address.name.sun_path, path.data(), path.size());
  address.size = is_file ? sizeof address.name : static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return address;
}

OwnedFd open_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  return OwnedFd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::string name_in_folder(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::optional<struct stat> socket_at(int folder, const std::string& name) {
  struct stat status {};
  if (fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
  return status;
}

SocketFile::Identity identity_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

}  // namespace

bool is_abstract(std::string_view path) { return path.starts_with('\0'); }

SocketFile SocketFile::at(const std::string& path) {
  SocketFile file;
  OwnedFd folder = open_folder(path);
  std::string name = name_in_folder(path);
  const auto status = folder ? socket_at(folder.get(), name) : std::nullopt;
  if (!status) return file;
  file.path_ = path;
  file.name_ = std::move(name);
  file.folder_ = std::make_shared<const OwnedFd>(std::move(folder));
  file.identity_ = identity_of(*status);
  return file;
}

SocketFile SocketFile::at(const std::string& path, Identity identity) {
  SocketFile file = at(path);
  if (file && file.identity() != identity) file.leave();
  return file;
}

bool SocketFile::is_gone() const {
  struct stat status {};
  // Without a descriptor, of which there may be none.
  if (lstat(path_.c_str(), &status) != 0) return errno == ENOENT || errno == ENOTDIR;
  return identity_of(status) != identity_;
}

bool SocketFile::is_users(unsigned uid) const {
  const auto status = folder_ ? socket_at(folder_->get(), name_) : std::nullopt;
  return status && identity_of(*status) == identity_ && status->st_uid == uid;
}

unsigned SocketFile::mode() const {
  const auto status = folder_ ? socket_at(folder_->get(), name_) : std::nullopt;
  return status && identity_of(*status) == identity_ ? status->st_mode & 07777 : 0;
}

int SocketFile::set_mode(unsigned mode) {
  if (!folder_) return ENOENT;
  // By a descriptor of the file itself: a name could be another's by now.
  const OwnedFd file(openat(folder_->get(), name_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!file || fstat(file.get(), &status) != 0) return errno;
  if (identity_of(status) != identity_) return EACCES;
  const std::string itself = "/proc/self/fd/" + std::to_string(file.get());
  return chmod(itself.c_str(), mode) == 0 ? 0 : errno;
}

void SocketFile::remove() {
  if (!folder_) return;
  const auto status = socket_at(folder_->get(), name_);
  if (status && identity_of(*status) == identity_) unlinkat(folder_->get(), name_.c_str(), 0);
  leave();
}

int bind_to_path(int socket, const std::string& path, SocketFile& file) {
  const auto address = address_of(path);
  if (!address) return EINVAL;
  const bool is_file = !is_abstract(shortest(path));
  // The folder before and after: a socket that is not in it went where somebody has pointed the path meanwhile.
  const OwnedFd folder = is_file ? open_folder(path) : OwnedFd();
  if (bind(socket, address->get(), address->size) != 0) return errno;
  if (!is_file) return 0;
  const auto bound = folder ? socket_at(folder.get(), name_in_folder(path)) : std::nullopt;
  SocketFile found = SocketFile::at(path);
  const auto self = static_cast<uid_t>(setfsuid(static_cast<uid_t>(-1)));
  if (!bound || !found || identity_of(*bound) != found.identity() || !found.is_users(self)) return EACCES;
  file = std::move(found);
  return 0;
}

int connect_to_path(int socket, const std::string& path) {
  const auto address = address_of(path);
  if (!address) return EINVAL;
  return connect(socket, address->get(), address->size) == 0 ? 0 : errno;
}

int remove_stale(const std::string& path) {
  SocketFile file = SocketFile::at(path);
  if (!file) return access(path.c_str(), F_OK) == 0 ? ENOTSOCK : 0;
  const OwnedFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return errno;
  const int error = connect_to_path(probe.get(), path);
  if (error == 0 || error == EAGAIN) return EADDRINUSE;
  if (error == ECONNREFUSED) file.remove();
  return 0;
}

}  // namespace muster::os
