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

nlohmann::json serialize(const ListeningSocket& socket) {
  nlohmann::json json{{"name", bytes_to_json(socket.name)},
                      {"path", bytes_to_json(socket.path)},
                      {"device", socket.device},
                      {"inode", socket.inode},
                      {"for_all", socket.for_all}};
  if (socket.uid) json["uid"] = *socket.uid;
  if (socket.gid) json["gid"] = *socket.gid;
  return json;
}

ListeningSocket parse_socket(const nlohmann::json& json, int fd) {
  return {bytes_from_json(json.at("name")),       Handle(HandleType::server, fd),        bytes_from_json(json.at("path")),
          json.value("device", std::uint64_t{0}), json.value("inode", std::uint64_t{0}), json.value("for_all", true),
          optional_number(json, "uid"),           optional_number(json, "gid")};
}

}  // namespace

std::pair<nlohmann::json, std::vector<int>> serialize(const Order& order) {
  nlohmann::json json{{"sources", order.sources},
                      {"name", order.name},
                      {"background", order.background},
                      {"takes_over", order.takes_over},
                      {"folder", order.predecessor_folder}};
  if (order.workers) json["workers"] = *order.workers;
  std::vector<int> descriptors;
  if (order.lock >= 0) {
    json["lock"] = true;
    descriptors.push_back(order.lock);
  }
  nlohmann::json sockets = nlohmann::json::array();
  for (const ListeningSocket& socket : order.sockets) {
    sockets.push_back(serialize(socket));
    descriptors.push_back(socket.socket.descriptor());
  }
  json["sockets"] = std::move(sockets);
  return {std::move(json), std::move(descriptors)};
}

Order parse_order(const nlohmann::json& json, int first) {
  Order order;
  order.sources = json.at("sources").get<Sources>();
  order.name = json.at("name");
  if (json.contains("workers")) order.workers = json["workers"];
  order.background = json.value("background", false);
  order.takes_over = json.value("takes_over", false);
  order.predecessor_folder = text_member(json, "folder");
  int next = first;
  if (json.value("lock", false)) order.lock = next++;
  for (const auto& socket : json.value("sockets", nlohmann::json::array())) {
    fcntl(next, F_SETFD, FD_CLOEXEC);
    order.sockets.push_back(parse_socket(socket, next++));
  }
  return order;
}

}  // namespace muster::cli
