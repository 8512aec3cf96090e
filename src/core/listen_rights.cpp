// SPDX-License-Identifier: MIT
#include "core/listen_rights.h"

#include <algorithm>

namespace muster::core {

ListenRights::ListenRights(const Settings& settings, const Host& host)
    : may_listen_(settings.may_listen.value_or(std::vector<ListenOptions>())),
      descriptors_(host.descriptors),
      any_descriptor_(host.any_descriptor),
      refuses_all_(!host.may_listen) {
  if (settings.uid && *settings.uid != host.uid) user_ = User{*settings.uid, settings.gid};
}

std::variant<ListenRights::Granted, ListenRights::Refused> ListenRights::judge(const wire::ListenQuery& query) const {
  if (refuses_all_) return Refused{};
  if (query.fd && *query.fd >= 0) {
    const bool given = any_descriptor_ || allowed(query) ||
                       std::find(descriptors_.begin(), descriptors_.end(), *query.fd) != descriptors_.end();
    if (given) return Granted{};
    return Refused{};
  }
  if (!user_ || allowed(query)) return Granted{};
  return Granted{user_};
}

bool ListenRights::may_share(const Granted& granted, const std::optional<User>& opener) const {
  return !granted.user || granted.user == opener;
}

bool ListenRights::allowed(const wire::ListenQuery& query) const {
  return std::any_of(may_listen_.begin(), may_listen_.end(), [&query](const ListenOptions& options) {
    if (query.fd && *query.fd >= 0) return options.fd == query.fd;
    if (options.fd) return false;
    if (query.address_type == AddressType::pipe) return !options.path.empty() && options.path == query.address;
    return options.path.empty() && options.port && options.port == query.port &&
           (options.host.empty() || options.host == query.address);
  });
}

}  // namespace muster::core
