// SPDX-License-Identifier: MIT
// Clients that are steady: each asks for the next answer when it has one, and every request has a complete answer or has
// failed.
//
//   steady PORT kept|new CLIENTS [PAUSE_MS [PATIENCE_MS]]
//
// `kept`: on connections that stay open, with a pause between an answer and the next request. `new`: a connection for each
// request, which asks for its end. Prints BEGUN once each client has had an answer, goes on until its standard input has ended
// and each has asked twice more, on connections that it has by then, and prints one line of JSON.
//
// An answer that says `Connection: close` is a good one: the client comes back with a new connection. So is a connection that
// ends between two requests, when that is seen before a byte of the next is sent. What fails is
//   refused  no connection could be made
//   reset    the connection broke after a request was sent
//   ended    the connection ended before an answer was complete
//   wrong    another status than 200, or what is no answer
//   hung     nothing for PATIENCE_MS (5,000)
// After a failure a client waits for 10 ms, so that a server that is away counts for its time and not for the client's speed.

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

enum {
  max_clients = 1024,
  max_samples = 1 << 22,
  max_answer = 8192,
  destinations = 32,
  wait_after_failure_ms = 10,
  last_requests = 2
};

static const char kept_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char new_request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

enum state { resting, connecting, asking, over };
enum fault { refused, reset, ended, wrong, hung, faults };
static const char* const fault_names[] = {"refused", "reset", "ended", "wrong", "hung"};

struct client {
  int fd;  // -1: none
  enum state state;
  uint64_t due;       // when a rest ends, or patience
  uint64_t began;     // of the request, with the connection that it needed
  int was_answered;   // once at least
  int last_requests;  // those that have come to their end since standard input has
  size_t size;
  char answer[max_answer];
};

static struct client clients[max_clients];
static uint32_t samples[max_samples];
static size_t sample_count, answered, opened, announced, ended_idle, failures[faults], live, warm;
static uint64_t pause_ns, patience_ns;
static uint32_t longest;
static int port, is_kept, epoll, leaving;

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void hang_up(struct client* one) {
  if (one->fd >= 0) close(one->fd);
  one->fd = -1;
}

static void rest(struct client* one, uint64_t time) {
  one->state = resting;
  one->due = now_ns() + time;
}

static void fail(struct client* one, enum fault fault) {
  ++failures[fault];
  one->last_requests += leaving;
  hang_up(one);
  rest(one, (uint64_t)wait_after_failure_ms * 1000000u);
}

static void wait_for(struct client* one, uint32_t events, int operation) {
  struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(one - clients)};
  epoll_ctl(epoll, operation, one->fd, &event);
}

static void ask(struct client* one) {
  const char* request = is_kept ? kept_request : new_request;
  const size_t size = is_kept ? sizeof kept_request - 1 : sizeof new_request - 1;
  one->state = asking;
  one->size = 0;
  if (send(one->fd, request, size, MSG_NOSIGNAL) != (ssize_t)size) fail(one, reset);
}

static void open_connection(struct client* one) {
  static uint32_t next;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + next++ % destinations);
  one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  ++opened;
  if (connect(one->fd, (struct sockaddr*)&address, sizeof address) != 0 && errno != EINPROGRESS) return fail(one, refused);
  one->state = connecting;
  wait_for(one, EPOLLOUT, EPOLL_CTL_ADD);
}

// Whether a connection that nothing was asked on is still there.
static int is_open(struct client* one) {
  char byte;
  return recv(one->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void begin(struct client* one) {
  if (leaving && one->last_requests >= last_requests) {
    hang_up(one);
    one->state = over;
    --live;
    return;
  }
  one->began = now_ns();
  one->due = one->began + patience_ns;
  if (one->fd >= 0 && !is_open(one)) {
    ++ended_idle;
    hang_up(one);
  }
  if (one->fd < 0) return open_connection(one);
  ask(one);
}

static const char* header(const struct client* one, const char* end, const char* name) {
  const char* found = strcasestr(one->answer, name);
  return found && found < end ? found + strlen(name) : NULL;
}

// Whether all of the answer is there; *close: the connection ends with it. -1: it is none.
static int is_complete(const struct client* one, int* close) {
  const char* end = memmem(one->answer, one->size, "\r\n\r\n", 4);
  if (!end) return 0;
  if (strncmp(one->answer, "HTTP/1.1 200 ", 13) != 0) return -1;
  *close = header(one, end, "\r\nconnection: close") != NULL;
  const char* body = end + 4;
  const size_t have = one->size - (size_t)(body - one->answer);
  const char* length = header(one, end, "\r\ncontent-length:");
  if (length) {
    const size_t wanted = (size_t)atoll(length);
    return have > wanted ? -1 : have == wanted;
  }
  if (!header(one, end, "\r\ntransfer-encoding: chunked")) return -1;
  return have >= 5 && memcmp(one->answer + one->size - 5, "0\r\n\r\n", 5) == 0;
}

static void take_answer(struct client* one, int close) {
  const uint32_t took = (uint32_t)((now_ns() - one->began) / 1000);
  if (sample_count < max_samples) samples[sample_count++] = took;
  if (took > longest) longest = took;
  ++answered;
  one->last_requests += leaving;
  if (!one->was_answered) ++warm;
  one->was_answered = 1;
  announced += (size_t)(close && is_kept);
  if (close || !is_kept) hang_up(one);
  if (pause_ns > 0) return rest(one, pause_ns);
  begin(one);
}

static void readable(struct client* one) {
  if (one->state == resting) {
    if (is_open(one)) return;
    ++ended_idle;
    return hang_up(one);
  }
  const ssize_t n = recv(one->fd, one->answer + one->size, max_answer - 1 - one->size, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) return fail(one, reset);
  if (n == 0) return fail(one, ended);
  one->size += (size_t)n;
  one->answer[one->size] = 0;
  int close = 0;
  const int complete = is_complete(one, &close);
  if (complete < 0) return fail(one, wrong);
  if (complete > 0) take_answer(one, close);
}

static void writable(struct client* one) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == ECONNRESET) return fail(one, reset);
  if (error != 0) return fail(one, refused);
  wait_for(one, EPOLLIN, EPOLL_CTL_MOD);
  ask(one);
}

// Those whose time has come; how many ms until the next.
static int tick(int count) {
  const uint64_t now = now_ns();
  uint64_t next = now + 1000000000u;
  for (int i = 0; i < count; ++i) {
    struct client* one = &clients[i];
    if (one->state == over) continue;
    if (one->state == resting && one->due <= now) begin(one);
    if ((one->state == connecting || one->state == asking) && one->due <= now) fail(one, hung);
    if (one->state != over && one->due < next) next = one->due;
  }
  return next <= now ? 0 : (int)((next - now) / 1000000u) + 1;
}

static int compare(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char** argv) {
  const int count = argc > 3 ? atoi(argv[3]) : 0;
  if (argc < 4 || count < 1 || count > max_clients) {
    fprintf(stderr, "usage: %s PORT kept|new CLIENTS [PAUSE_MS [PATIENCE_MS]]\n", argv[0]);
    return 2;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  port = atoi(argv[1]);
  is_kept = strcmp(argv[2], "kept") == 0;
  pause_ns = (argc > 4 ? (uint64_t)atoll(argv[4]) : 0) * 1000000u;
  patience_ns = (argc > 5 ? (uint64_t)atoll(argv[5]) : 5000) * 1000000u;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event input = {.events = EPOLLIN, .data.u32 = max_clients};
  epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
  const uint64_t since = now_ns();
  live = (size_t)count;
  for (int i = 0; i < count; ++i) {
    clients[i].fd = -1;
    begin(&clients[i]);
  }
  int said = 0;
  while (live > 0) {
    struct epoll_event events[256];
    const int ready = epoll_wait(epoll, events, 256, tick(count));
    for (int i = 0; i < ready; ++i) {
      if (events[i].data.u32 == max_clients) {
        leaving = 1;
        epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        continue;
      }
      struct client* one = &clients[events[i].data.u32];
      if (one->state == connecting) {
        writable(one);
      } else if (one->fd >= 0) {
        readable(one);
      }
    }
    if (!said && warm == (size_t)count) said = puts("BEGUN") >= 0;
  }
  const double seconds = (double)(now_ns() - since) / 1e9;
  size_t failed = 0;
  for (int i = 0; i < faults; ++i) failed += failures[i];
  qsort(samples, sample_count, sizeof *samples, compare);
  printf("{\"requests\":%zu,\"failed\":%zu", answered, failed);
  for (int i = 0; i < faults; ++i) printf(",\"%s\":%zu", fault_names[i], failures[i]);
  printf(
      ",\"announced\":%zu,\"ended_idle\":%zu,\"connections\":%zu,\"per_second\":%.0f,\"p50_us\":%u,\"p99_us\":%u,\"longest_"
      "us\":%u}\n",
      announced, ended_idle, opened, (double)answered / seconds, sample_count ? samples[sample_count / 2] : 0,
      sample_count ? samples[sample_count * 99 / 100] : 0, longest);
  return 0;
}
