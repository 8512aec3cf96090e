// SPDX-License-Identifier: MIT
// What a worker costs to start at least: fork, exec of a small C++ program, and its first message. Prints the line of
// bench_fork.
//
//   bare_fork online|listening COUNT
//
// The program is bare_child, beside this one.

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char* what) {
  perror(what);
  exit(1);
}

static double milliseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static double start_one(const char* child, const char* until) {
  const double begin = milliseconds(CLOCK_MONOTONIC);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) die("socketpair");
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], 3);
    execl(child, child, until, (char*)NULL);
    die(child);
  }
  close(ends[1]);
  char message[256];
  ssize_t n;
  do {
    n = read(ends[0], message, sizeof message);
    if (n <= 0) die("the child said nothing");
  } while (!memchr(message, '\n', (size_t)n));
  const double took = milliseconds(CLOCK_MONOTONIC) - begin;
  close(ends[0]);
  waitpid(pid, NULL, 0);
  return took;
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s online|listening COUNT\n", argv[0]);
    return 2;
  }
  char own[PATH_MAX] = {0}, child[PATH_MAX + 16];
  if (readlink("/proc/self/exe", own, sizeof own - 1) < 0) die("readlink");
  snprintf(child, sizeof child, "%s/bare_child", dirname(own));
  const int count = atoi(argv[2]);
  if (count < 1) return 2;
  double* times = malloc((size_t)count * sizeof *times);
  const double cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
  for (int i = 0; i < count; ++i) times[i] = start_one(child, argv[1]);
  const double used = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  qsort(times, (size_t)count, sizeof *times, compare);
  printf("{\"until\":\"%s\",\"count\":%d,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"primary_cpu_ms\":%.3f}\n", argv[1], count,
         times[count / 2], times[(size_t)count * 99 / 100], used / count);
  return 0;
}
