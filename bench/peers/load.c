// SPDX-License-Identifier: MIT
// New connections, one request on each, so many at a time; prints one line of JSON.
//
//   load PORT echo|http IN_FLIGHT MILLISECONDS [CONNECTIONS [PER_SECOND [CLIENTS]]]
//
// Ends after the time, or after so many connections (0: any number). Destinations rotate over 127.0.0.1 to 127.0.0.32 and
// connections end with a reset, so that ports last. What workers call themselves (w<number>, as bench_server --who) is counted.
//
// With PER_SECOND connections begin at that rate, whether or not those before them are answered, and IN_FLIGHT only says how
// many may be open. Each has waited since it should have begun: a server that holds up its clients does not hold up the clock.
// With CLIENTS they come in turn from so many addresses, 127.1.0.1 upwards; otherwise all from one.

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

enum { max_in_flight = 16384, max_samples = 1 << 22, max_names = 1 << 22, destinations = 32, patience_ms = 5000 };

static const char http_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct connection {
  int fd;
  int sent;
  uint64_t started;
};

static struct connection connections[max_in_flight];
static uint32_t samples[max_samples];
static uint32_t served_by[max_names];
static size_t sample_count, failed, slow, named;
static int port, is_http, epoll;
static uint32_t clients;

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void start(int slot, uint64_t when) {
  static uint32_t next;
  struct connection* one = &connections[slot];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next++ % destinations);
  one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  one->sent = 0;
  one->started = when;
  const struct linger reset = {1, 0};
  setsockopt(one->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (clients > 0) {
    const int on = 1;
    setsockopt(one->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + (1u << 16) + next % clients)};
    if (bind(one->fd, (struct sockaddr*)&own, sizeof own) != 0) {
      perror("bind");
      exit(1);
    }
  }
  if (connect(one->fd, (struct sockaddr*)&address, sizeof address) != 0 && errno != EINPROGRESS) {
    perror("connect");
    exit(1);
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)slot};
  epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event);
}

static void count_worker(const char* answer, size_t size) {
  const char* body = is_http ? memmem(answer, size, "\r\n\r\n", 4) : answer;
  if (!body) return;
  if (is_http) body += 4;
  if (body >= answer + size || *body != 'w') return;
  const int id = atoi(body + 1);
  if (id <= 0 || id >= max_names) return;
  ++served_by[id];
  ++named;
}

// 1 when the connection is over.
static int step(struct connection* one) {
  if (!one->sent) {
    const char* request = is_http ? http_request : "hello";
    const size_t size = is_http ? sizeof http_request - 1 : 5;
    if (write(one->fd, request, size) != (ssize_t)size) {
      ++failed;
      return 1;
    }
    one->sent = 1;
    return 0;
  }
  char answer[4096];
  const ssize_t n = read(one->fd, answer, sizeof answer - 1);
  if (n < 0 && errno == EAGAIN) return 0;
  if (n <= 0) {
    ++failed;
    return 1;
  }
  answer[n] = 0;
  const uint64_t took = (now_ns() - one->started) / 1000;
  if (took > 100000) ++slow;
  if (sample_count < max_samples) samples[sample_count++] = (uint32_t)took;
  count_worker(answer, (size_t)n);
  return 1;
}

static int compare(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

// When the next connection should begin; 0 when none does until another one ends.
static uint64_t next_start(uint64_t begin, uint64_t period, size_t started) { return period ? begin + started * period : 0; }

static int run(int in_flight, uint64_t begin, uint64_t end, size_t most, uint64_t period, size_t* done) {
  static int free_slots[max_in_flight];
  int free_count = in_flight;
  for (int i = 0; i < in_flight; ++i) free_slots[i] = in_flight - 1 - i;
  size_t started = 0;
  for (;;) {
    uint64_t now = now_ns();
    const int more = started < most && now < end;
    uint64_t due = next_start(begin, period, started);
    while (free_count > 0 && started < most && now < end && due <= now) {
      start(free_slots[--free_count], period ? due : now);
      due = next_start(begin, period, ++started);
      if (!period) now = now_ns();
    }
    if (free_count == in_flight && !more) return 0;
    struct timespec patience = {patience_ms / 1000, 0};
    if (period && more && free_count > 0) {
      now = now_ns();
      const uint64_t wait = due > now ? due - now : 0;
      patience = (struct timespec){(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
    }
    struct epoll_event events[256];
    const int count = epoll_pwait2(epoll, events, 256, &patience, NULL);
    // Nobody answers those that are left.
    if (count == 0 && !more) return in_flight - free_count;
    if (count == 0 && !period) return in_flight - free_count;
    for (int i = 0; i < count; ++i) {
      const uint32_t slot = events[i].data.u32;
      struct connection* one = &connections[slot];
      const int was_sent = one->sent;
      if (!step(one)) {
        if (!was_sent) {
          struct epoll_event event = {.events = EPOLLIN, .data.u32 = slot};
          epoll_ctl(epoll, EPOLL_CTL_MOD, one->fd, &event);
        }
        continue;
      }
      close(one->fd);
      ++*done;
      free_slots[free_count++] = (int)slot;
    }
  }
}

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: %s PORT echo|http IN_FLIGHT MILLISECONDS [CONNECTIONS [PER_SECOND [CLIENTS]]]\n", argv[0]);
    return 2;
  }
  port = atoi(argv[1]);
  is_http = strcmp(argv[2], "http") == 0;
  const int in_flight = atoi(argv[3]);
  if (in_flight < 1 || in_flight > max_in_flight) return 2;
  size_t most = argc > 5 && atoll(argv[5]) > 0 ? (size_t)atoll(argv[5]) : SIZE_MAX;
  const uint64_t period = argc > 6 && atoll(argv[6]) > 0 ? 1000000000u / (uint64_t)atoll(argv[6]) : 0;
  clients = argc > 7 ? (uint32_t)atoi(argv[7]) : 0;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  const uint64_t begin = now_ns();
  uint64_t end = begin + (uint64_t)atoll(argv[4]) * 1000000u;
  if (period) {
    // All that should have begun by then, also when this program comes late.
    if ((end - begin) / period < most) most = (end - begin) / period;
    end = UINT64_MAX;
  }
  size_t done = 0;
  failed += (size_t)run(in_flight, begin, end, most, period, &done);
  const double seconds = (double)(now_ns() - begin) / 1e9;
  qsort(samples, sample_count, sizeof *samples, compare);
  size_t workers = 0, busiest = 0;
  for (int i = 0; i < max_names; ++i) {
    if (served_by[i] > 0) ++workers;
    if (served_by[i] > busiest) busiest = served_by[i];
  }
  printf("{\"connections\":%zu,\"per_second\":%.0f,\"failed\":%zu,\"over_100ms\":%zu,\"p50_us\":%u,\"p99_us\":%u", done,
         (double)done / seconds, failed, slow, sample_count ? samples[sample_count / 2] : 0,
         sample_count ? samples[sample_count * 99 / 100] : 0);
  // `workers` are those that were named; there may be more.
  if (named > 0) printf(",\"named\":%zu,\"workers\":%zu,\"busiest\":%zu", named, workers, busiest);
  printf("}\n");
  return 0;
}
