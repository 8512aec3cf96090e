// SPDX-License-Identifier: MIT
// Opens so many connections, asks once on each, says HELD when all are answered and keeps them until its input ends.
//
//   hold PORT echo|http CONNECTIONS

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { max_connections = 1 << 20, batch = 64, destinations = 32 };

static int connections[max_connections];

static void die(const char* what) {
  perror(what);
  exit(1);
}

static int open_connection(int port, uint32_t number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number % destinations);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const struct linger reset = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) die("connect");
  return fd;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s PORT echo|http CONNECTIONS\n", argv[0]);
    return 2;
  }
  const int port = atoi(argv[1]), count = atoi(argv[3]);
  const char* request = strcmp(argv[2], "http") == 0 ? "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" : "hello";
  if (count < 0 || count > max_connections) return 2;
  char answer[4096];
  for (int done = 0; done < count;) {
    const int end = done + batch < count ? done + batch : count;
    for (int i = done; i < end; ++i) {
      connections[i] = open_connection(port, (uint32_t)i);
      if (write(connections[i], request, strlen(request)) < 0) die("write");
    }
    for (; done < end; ++done) {
      if (read(connections[done], answer, sizeof answer) <= 0) die("read");
    }
  }
  printf("HELD %d\n", count);
  fflush(stdout);
  while (read(STDIN_FILENO, answer, sizeof answer) > 0) {
  }
  return 0;
}
