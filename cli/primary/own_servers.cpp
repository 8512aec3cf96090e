// SPDX-License-Identifier: MIT
#include "primary/own_servers.h"

#include <arpa/inet.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace muster::cli {
namespace {

namespace fs = std::filesystem;

// A tree of processes is looked at no further than this, whatever a worker starts.
constexpr std::size_t max_processes = 64;
constexpr std::size_t max_threads = 4096;
// Nor are more descriptors, of all of them together.
constexpr std::size_t max_descriptors = 4096;

std::vector<int> with_descendants(int pid) {
  std::vector<int> pids{pid};
  std::size_t threads = 0;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    std::error_code error;
    for (fs::directory_iterator task(fmt::format("/proc/{}/task", pids[i]), error), end; !error && task != end;
         task.increment(error)) {
      if (pids.size() >= max_processes || ++threads > max_threads) return pids;
      std::ifstream children(task->path() / "children");
      for (int child = 0; pids.size() < max_processes && children >> child;) pids.push_back(child);
    }
  }
  return pids;
}

// The inodes of its sockets.
std::set<std::string> sockets_of(int pid, std::size_t& descriptors_left) {
  std::set<std::string> inodes;
  std::error_code error;
  for (fs::directory_iterator entry(fmt::format("/proc/{}/fd", pid), error), end; !error && entry != end;
       entry.increment(error)) {
    if (descriptors_left == 0) break;
    --descriptors_left;
    std::error_code closed_meanwhile;
    const std::string target = fs::read_symlink(*entry, closed_meanwhile).string();
    constexpr std::string_view begin = "socket:[";
    if (target.starts_with(begin)) inodes.insert(target.substr(begin.size(), target.size() - begin.size() - 1));
  }
  return inodes;
}

// "0100007F:1F90": words of four bytes in the order of the machine.
std::optional<Address> parse_address(std::string_view text, AddressType type) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || (colon != 8 && colon != 32)) return std::nullopt;
  std::uint32_t words[4] = {};
  for (std::size_t i = 0; i < colon / 8; ++i) std::from_chars(text.data() + 8 * i, text.data() + 8 * i + 8, words[i], 16);
  std::uint16_t port = 0;
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port, 16);
  char host[INET6_ADDRSTRLEN];
  if (!inet_ntop(colon == 8 ? AF_INET : AF_INET6, words, host, sizeof host)) return std::nullopt;
  Address address;
  address.type = type;
  address.address = host;
  address.port = port;
  return address;
}

void add_listeners(const std::string& table, AddressType type, const std::set<std::string>& inodes,
                   std::vector<Address>& found) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string number, local, remote, state, skipped, inode;
    fields >> number >> local >> remote >> state;
    // Those that listen come first; there may be very many others.
    if (state != "0A") return;
    for (int i = 0; i < 5; ++i) fields >> skipped;
    if (!(fields >> inode) || !inodes.contains(inode)) continue;
    if (auto address = parse_address(local, type)) found.push_back(std::move(*address));
  }
}

}  // namespace

std::vector<Address> own_servers(int pid) {
  std::vector<Address> found;
  std::size_t descriptors_left = max_descriptors;
  for (const int process : with_descendants(pid)) {
    const std::set<std::string> inodes = sockets_of(process, descriptors_left);
    if (inodes.empty()) continue;
    add_listeners(fmt::format("/proc/{}/net/tcp", process), AddressType::tcp4, inodes, found);
    add_listeners(fmt::format("/proc/{}/net/tcp6", process), AddressType::tcp6, inodes, found);
  }
  return found;
}

}  // namespace muster::cli
