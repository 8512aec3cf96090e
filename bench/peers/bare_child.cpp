// SPDX-License-Identifier: MIT
// What bare_fork starts: a C++ program that says one thing on descriptor 3, after it listens when it is asked to, and ends with
// its channel.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iostream>
#include <string>

int main(int argc, char** argv) {
  const std::string until = argc > 1 ? argv[1] : "online";
  if (until == "listening") {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 511) != 0) {
      std::cerr << "bare_child cannot listen\n";
      return 1;
    }
  }
  const std::string message = "{\"act\":\"" + until + "\"}\n";
  if (write(3, message.data(), message.size()) < 0) return 1;
  char byte = 0;
  while (read(3, &byte, 1) > 0) {
  }
  return 0;
}
