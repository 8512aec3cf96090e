#include "primary/users.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>

namespace muster::cli {
namespace {

std::optional<int> number(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

std::optional<int> user_id(const std::string& user) {
  if (const auto id = number(user)) return id;
  const passwd* entry = getpwnam(user.c_str());
  return entry ? std::optional<int>(static_cast<int>(entry->pw_uid)) : std::nullopt;
}

std::optional<int> group_id(const std::string& group) {
  if (const auto id = number(group)) return id;
  const ::group* entry = getgrnam(group.c_str());
  return entry ? std::optional<int>(static_cast<int>(entry->gr_gid)) : std::nullopt;
}

std::optional<int> group_of(const std::string& user) {
  const auto id = number(user);
  const passwd* entry = id ? getpwuid(static_cast<uid_t>(*id)) : getpwnam(user.c_str());
  return entry ? std::optional<int>(static_cast<int>(entry->pw_gid)) : std::nullopt;
}

}  // namespace muster::cli
