// SPDX-License-Identifier: MIT
// What the kernel costs: the bare system calls for each way to share a port, with nothing around them. A yardstick, not a
// server.
//
//   bare_server POLICY MODE PORT WORKERS [who]     handoff|shared|reuseport  echo|http
//
// Prints the READY line of bench_server. `handoff`: the primary accepts and sends the descriptor to the next free worker, which
// acknowledges it before the primary closes its copy; what a worker that dies has not acknowledged goes to another. `shared`:
// all workers wait on one listening socket. `reuseport`: each has its own. With `who` each answers w<number>.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { max_workers = 1024, max_events = 256, backlog = 511 };

static int is_http;
// What every request is answered; nothing for an echo.
static char answer[256];
static size_t answer_size;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static int listen_on(int port, int reuse_port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (reuse_port) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0) die("bind");
  if (listen(fd, backlog) != 0) die("listen");
  return fd;
}

static void watch(int epoll, int fd, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
}

static void decide_answer(int who, int number) {
  char body[32] = "hello world\n";
  if (who) snprintf(body, sizeof body, "w%d", number);
  if (is_http) {
    snprintf(answer, sizeof answer,
             "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\n"
             "Keep-Alive: timeout=5\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
  } else if (who) {
    snprintf(answer, sizeof answer, "%s", body);
  }
  answer_size = strlen(answer);
}

// Answers what a connection says; closes it at its end. One that was handed over has a second name in the primary until it has
// read the acknowledgement, and would be reported for as long: it is taken out of `epoll` first.
static void serve(int epoll, int fd, int handed_over) {
  char buffer[65536];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n > 0) {
    const ssize_t written = answer_size > 0 ? write(fd, answer, answer_size) : write(fd, buffer, (size_t)n);
    if (written >= 0) return;
  } else if (n < 0 && errno == EAGAIN) {
    return;
  }
  if (handed_over) epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
  close(fd);
}

static void work_on(int listener, int exclusive) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener, EPOLLIN | (exclusive ? EPOLLEXCLUSIVE : 0U));
  for (;;) {
    struct epoll_event events[max_events];
    const int count = epoll_wait(epoll, events, max_events, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd != listener) {
        serve(epoll, events[i].data.fd, 0);
        continue;
      }
      int fd;
      while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) watch(epoll, fd, EPOLLIN);
    }
  }
}

static void work_for(int channel) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, channel, EPOLLIN);
  for (;;) {
    struct epoll_event events[max_events];
    const int count = epoll_wait(epoll, events, max_events, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd != channel) {
        serve(epoll, events[i].data.fd, 1);
        continue;
      }
      char byte;
      union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
      } control;
      struct iovec part = {&byte, 1};
      struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
      const ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
      if (n == 0) exit(0);
      struct cmsghdr* header = CMSG_FIRSTHDR(&message);
      if (n < 0 || !header) continue;
      int fd;
      memcpy(&fd, CMSG_DATA(header), sizeof fd);
      if (write(channel, "a", 1) != 1) exit(1);
      watch(epoll, fd, EPOLLIN);
    }
  }
}

// 0 when the worker is gone.
static int hand_off(int channel, int fd) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec part = {(char*)"c", 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return sendmsg(channel, &message, 0) == 1;
}

static int free_workers[max_workers], first_free, free_count, gone[max_workers];

// The worker that became free first; -1 when none is.
static int take_free(void) {
  while (free_count > 0) {
    const int who = free_workers[first_free];
    first_free = (first_free + 1) % max_workers;
    --free_count;
    if (!gone[who]) return who;
  }
  return -1;
}

static void put_back(int who) {
  first_free = (first_free + max_workers - 1) % max_workers;
  free_workers[first_free] = who;
  ++free_count;
}

// Deals to the worker that became free first; each has one connection to acknowledge at most.
static void deal(int listener, const int* channels, int workers) {
  static int in_flight[max_workers], orphans[max_workers];
  int orphan_count = 0, accepting = 1;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  for (int i = 0; i < workers; ++i) {
    free_workers[free_count++] = i;
    in_flight[i] = -1;
    event.data.u32 = (uint32_t)i;
    epoll_ctl(epoll, EPOLL_CTL_ADD, channels[i], &event);
  }
  for (;;) {
    struct epoll_event events[max_events];
    const int count = epoll_wait(epoll, events, max_events, -1);
    for (int i = 0; i < count; ++i) {
      const uint32_t who = events[i].data.u32;
      if (who == UINT32_MAX) continue;
      char acks[16];
      if (read(channels[who], acks, sizeof acks) == 1) {
        close(in_flight[who]);
        free_workers[(first_free + free_count++) % max_workers] = (int)who;
      } else {
        gone[who] = 1;
        epoll_ctl(epoll, EPOLL_CTL_DEL, channels[who], NULL);
        if (in_flight[who] >= 0) orphans[orphan_count++] = in_flight[who];
      }
      in_flight[who] = -1;
    }
    int who;
    while ((who = take_free()) >= 0) {
      const int fd = orphan_count > 0 ? orphans[--orphan_count] : accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        put_back(who);
        break;
      }
      if (hand_off(channels[who], fd)) {
        in_flight[who] = fd;
      } else {
        gone[who] = 1;
        orphans[orphan_count++] = fd;
      }
    }
    // While nobody is free the kernel keeps them.
    if (accepting != (free_count > 0)) {
      accepting = free_count > 0;
      event.events = accepting ? EPOLLIN : 0;
      event.data.u32 = UINT32_MAX;
      epoll_ctl(epoll, EPOLL_CTL_MOD, listener, &event);
    }
  }
}

int main(int argc, char** argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: %s handoff|shared|reuseport echo|http PORT WORKERS [who]\n", argv[0]);
    return 2;
  }
  const char* policy = argv[1];
  is_http = strcmp(argv[2], "http") == 0;
  const int port = atoi(argv[3]), workers = atoi(argv[4]);
  const int reuse_port = strcmp(policy, "reuseport") == 0, handoff = strcmp(policy, "handoff") == 0;
  if (workers < 1 || workers > max_workers) return 2;
  signal(SIGPIPE, SIG_IGN);

  static int listeners[max_workers], channels[max_workers];
  static pid_t pids[max_workers];
  for (int i = 0; i < workers; ++i) listeners[i] = i == 0 || reuse_port ? listen_on(port, reuse_port) : listeners[0];
  for (int i = 0; i < workers; ++i) {
    int ends[2] = {-1, -1};
    if (handoff && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair");
    channels[i] = ends[0];
    pids[i] = fork();
    if (pids[i] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      decide_answer(argc > 5, i + 1);
      for (int other = 0; other <= i && handoff; ++other) close(channels[other]);
      if (handoff) {
        close(listeners[0]);
        work_for(ends[1]);
      }
      for (int other = 0; other < workers && reuse_port; ++other) {
        if (other != i) close(listeners[other]);
      }
      work_on(listeners[i], !reuse_port);
    }
    if (handoff) close(ends[1]);
  }
  for (int i = 0; i < workers && reuse_port; ++i) close(listeners[i]);
  printf("READY %d ", getpid());
  for (int i = 0; i < workers; ++i) printf("%s%d", i ? "," : "", pids[i]);
  printf("\n");
  fflush(stdout);
  if (handoff) deal(listeners[0], channels, workers);
  for (;;) pause();
}
