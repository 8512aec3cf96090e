// SPDX-License-Identifier: MIT
// HTTP requests on connections that are kept, one at a time on each; prints one line of JSON.
//
//   keepalive PORT CONNECTIONS MILLISECONDS
//
// An answer ends where its Content-Length says. A connection that the server closes is opened anew, and counted.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { max_connections = 4096, max_samples = 1 << 23, max_answer = 8192, destinations = 32, patience_ms = 5000 };

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";

struct connection {
  int fd;
  uint64_t asked;
  size_t read;
  char answer[max_answer];
};

static struct connection connections[max_connections];
static uint32_t samples[max_samples];
static size_t sample_count, failed;
static int port, epoll;

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void ask(struct connection* one) {
  one->read = 0;
  one->asked = now_ns();
  // A server that has closed is noticed when its answer is read.
  (void)!send(one->fd, request, sizeof request - 1, MSG_NOSIGNAL);
}

static void open_connection(uint32_t slot) {
  static uint32_t next;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next++ % destinations);
  connections[slot].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct linger reset = {1, 0};
  setsockopt(connections[slot].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (connect(connections[slot].fd, (struct sockaddr*)&address, sizeof address) != 0) {
    perror("connect");
    exit(1);
  }
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = slot};
  epoll_ctl(epoll, EPOLL_CTL_ADD, connections[slot].fd, &event);
  ask(&connections[slot]);
}

// The size of the whole answer; 0 while its head is not there.
static size_t answer_size(const struct connection* one) {
  const char* end = memmem(one->answer, one->read, "\r\n\r\n", 4);
  if (!end) return 0;
  const char* length = strcasestr(one->answer, "\r\ncontent-length:");
  if (!length || length > end) {
    fprintf(stderr, "an answer without Content-Length\n");
    exit(1);
  }
  return (size_t)(end - one->answer) + 4 + (size_t)atoll(length + 17);
}

static int compare(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s PORT CONNECTIONS MILLISECONDS\n", argv[0]);
    return 2;
  }
  port = atoi(argv[1]);
  const int count = atoi(argv[2]);
  if (count < 1 || count > max_connections) return 2;
  const uint64_t begin = now_ns(), end = begin + (uint64_t)atoll(argv[3]) * 1000000u;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < count; ++i) open_connection((uint32_t)i);
  size_t done = 0;
  while (now_ns() < end) {
    struct epoll_event events[256];
    const int ready = epoll_wait(epoll, events, 256, patience_ms);
    if (ready == 0) {
      // Nobody answers any more.
      failed += (size_t)count;
      break;
    }
    for (int i = 0; i < ready; ++i) {
      const uint32_t slot = events[i].data.u32;
      struct connection* one = &connections[slot];
      const ssize_t n = recv(one->fd, one->answer + one->read, max_answer - 1 - one->read, MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) continue;
      if (n <= 0) {
        ++failed;
        close(one->fd);
        open_connection(slot);
        continue;
      }
      one->read += (size_t)n;
      one->answer[one->read] = 0;
      const size_t size = answer_size(one);
      if (size == 0 || one->read < size) continue;
      if (sample_count < max_samples) samples[sample_count++] = (uint32_t)((now_ns() - one->asked) / 1000);
      ++done;
      ask(one);
    }
  }
  const double seconds = (double)(now_ns() - begin) / 1e9;
  qsort(samples, sample_count, sizeof *samples, compare);
  printf("{\"requests\":%zu,\"per_second\":%.0f,\"failed\":%zu,\"p50_us\":%u,\"p99_us\":%u}\n", done, (double)done / seconds,
         failed, sample_count ? samples[sample_count / 2] : 0, sample_count ? samples[sample_count * 99 / 100] : 0);
  return 0;
}
