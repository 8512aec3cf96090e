// SPDX-License-Identifier: MIT
#include "primary/order.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "json_text.h"

namespace muster::cli {
namespace {

std::optional<int> optional_number(const nlohmann::json& json, const char* name) {
  return json.contains(name) ? std::optional(json.at(name).get<int>()) : std::nullopt;
}

nlohmann::json to_text(const InheritedSocket& socket) {
  nlohmann::json text{{"name", bytes_to_json(socket.name)},
                      {"path", bytes_to_json(socket.path)},
                      {"device", socket.device},
                      {"inode", socket.inode},
                      {"for_all", socket.for_all}};
  if (socket.uid) text["uid"] = *socket.uid;
  if (socket.gid) text["gid"] = *socket.gid;
  return text;
}

InheritedSocket socket_from_text(const nlohmann::json& text, int fd) {
  return {bytes_from_json(text.at("name")),       Handle(HandleType::server, fd),        bytes_from_json(text.at("path")),
          text.value("device", std::uint64_t{0}), text.value("inode", std::uint64_t{0}), text.value("for_all", true),
          optional_number(text, "uid"),           optional_number(text, "gid")};
}

}  // namespace

std::pair<nlohmann::json, std::vector<int>> to_text(const Order& order) {
  nlohmann::json text{{"sources", order.sources},
                      {"name", order.name},
                      {"background", order.background},
                      {"takes_over", order.takes_over},
                      {"folder", order.predecessor_folder}};
  if (order.workers) text["workers"] = *order.workers;
  std::vector<int> descriptors;
  if (order.lock >= 0) {
    text["lock"] = true;
    descriptors.push_back(order.lock);
  }
  nlohmann::json sockets = nlohmann::json::array();
  for (const InheritedSocket& socket : order.sockets) {
    sockets.push_back(to_text(socket));
    descriptors.push_back(socket.socket.descriptor());
  }
  text["sockets"] = std::move(sockets);
  return {std::move(text), std::move(descriptors)};
}

Order from_text(const nlohmann::json& text, int first) {
  Order order;
  order.sources = text.at("sources").get<Sources>();
  order.name = text.at("name");
  if (text.contains("workers")) order.workers = text["workers"];
  order.background = text.value("background", false);
  order.takes_over = text.value("takes_over", false);
  order.predecessor_folder = text_member(text, "folder");
  int next = first;
  if (text.value("lock", false)) order.lock = next++;
  for (const auto& socket : text.value("sockets", nlohmann::json::array())) {
    fcntl(next, F_SETFD, FD_CLOEXEC);
    order.sockets.push_back(socket_from_text(socket, next++));
  }
  return order;
}

}  // namespace muster::cli
