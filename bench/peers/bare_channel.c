// SPDX-License-Identifier: MIT
// What a message costs at least: a line of JSON through a socket pair, one write for each, found by memchr and not looked at.
// Prints the line of bench_ipc.
//
//   bare_channel oneway|rtt SIZE COUNT
//
// Both ends of `rtt` wait in epoll, as an event loop does.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { buffer_size = 65536 };

static size_t size, count;
static char* line;
static char buffer[buffer_size];

static void die(const char* what) {
  perror(what);
  exit(1);
}

static double microseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void write_all(int fd, const char* bytes, size_t left) {
  while (left > 0) {
    const ssize_t n = write(fd, bytes, left);
    if (n <= 0) die("write");
    bytes += n;
    left -= (size_t)n;
  }
}

// How many lines ended in what there was to read.
static size_t read_lines(int fd) {
  const ssize_t n = read(fd, buffer, buffer_size);
  if (n <= 0) exit(0);
  size_t lines = 0;
  const char *at = buffer, *end = buffer + n;
  while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
    ++lines;
    ++at;
  }
  return lines;
}

static void wait_readable(int epoll) {
  struct epoll_event event;
  if (epoll_wait(epoll, &event, 1, -1) != 1) die("epoll_wait");
}

static int watch(int fd) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  return epoll;
}

static void receive(int fd) {
  size_t received = 0;
  double started = 0;
  while (received < count) {
    const size_t lines = read_lines(fd);
    if (received == 0) started = microseconds(CLOCK_PROCESS_CPUTIME_ID);
    received += lines;
  }
  const double used = microseconds(CLOCK_PROCESS_CPUTIME_ID) - started;
  write_all(fd, (const char*)&used, sizeof used);
}

static void answer(int fd) {
  const int epoll = watch(fd);
  for (;;) {
    wait_readable(epoll);
    if (read_lines(fd) > 0) write_all(fd, line, size + 3);
  }
}

static void oneway(int fd) {
  const double start = microseconds(CLOCK_MONOTONIC), cpu_start = microseconds(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t i = 0; i < count; ++i) write_all(fd, line, size + 3);
  const double cpu = microseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  double receiver = 0;
  if (read(fd, &receiver, sizeof receiver) != sizeof receiver) die("read");
  const double wall = microseconds(CLOCK_MONOTONIC) - start;
  printf(
      "{\"mode\":\"oneway\",\"serialization\":\"none\",\"size\":%zu,\"count\":%zu,\"messages_per_second\":%.0f,"
      "\"sender_cpu_us\":%.4f,\"receiver_cpu_us\":%.4f}\n",
      size, count, (double)count / wall * 1e6, cpu / (double)count, receiver / (double)count);
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static void rtt(int fd) {
  const int epoll = watch(fd);
  double* times = malloc(count * sizeof *times);
  for (size_t i = 0; i < count; ++i) {
    const double asked = microseconds(CLOCK_MONOTONIC);
    write_all(fd, line, size + 3);
    do {
      wait_readable(epoll);
    } while (read_lines(fd) == 0);
    times[i] = microseconds(CLOCK_MONOTONIC) - asked;
  }
  qsort(times, count, sizeof *times, compare);
  printf("{\"mode\":\"rtt\",\"serialization\":\"none\",\"size\":%zu,\"count\":%zu,\"p50_us\":%.2f,\"p99_us\":%.2f}\n", size,
         count, times[count / 2], times[count * 99 / 100]);
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s oneway|rtt SIZE COUNT\n", argv[0]);
    return 2;
  }
  const int one_way = strcmp(argv[1], "oneway") == 0;
  size = (size_t)atoll(argv[2]);
  count = (size_t)atoll(argv[3]);
  line = malloc(size + 3);
  memset(line, 'x', size + 2);
  line[0] = line[size + 1] = '"';
  line[size + 2] = '\n';
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair");
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    if (one_way) {
      receive(ends[1]);
    } else {
      answer(ends[1]);
    }
    return 0;
  }
  close(ends[1]);
  if (one_way) {
    oneway(ends[0]);
  } else {
    rtt(ends[0]);
  }
  close(ends[0]);
  wait(NULL);
  return 0;
}
