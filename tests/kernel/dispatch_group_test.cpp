// SPDX-License-Identifier: MIT
#include "kernel/dispatch_group.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kernel/accept_counters.h"
#include "kernel/member_counts.h"

namespace muster::kernel {
namespace {

// Who answered: a worker's letter. Some connections got no answer.
using Answers = std::map<char, std::size_t>;
constexpr char nobody = '!';

// Whether each of these answered as many as the others, within 5 %, and nobody else did.
testing::AssertionResult is_even(const Answers& answers, const std::string& letters) {
  std::size_t total = 0;
  for (const auto& [who, count] : answers) total += count;
  const double mean = static_cast<double>(total) / static_cast<double>(letters.size());
  auto failure = testing::AssertionFailure();
  for (const auto& [who, count] : answers) failure << who << ": " << count << ' ';
  for (const char letter : letters) {
    const auto found = answers.find(letter);
    if (found == answers.end() || std::abs(static_cast<double>(found->second) - mean) > mean * 0.05) return failure;
  }
  return answers.size() == letters.size() ? testing::AssertionSuccess() : failure;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Port 0 for one that is free.
OwnedFd listen_on(int port) {
  OwnedFd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  const sockaddr_in address = loopback(port);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << strerror(errno);
  EXPECT_EQ(listen(fd.get(), 511), 0) << strerror(errno);
  return fd;
}

int port_of(const OwnedFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  return ntohs(address.sin_port);
}

OwnedFd copy_of(const OwnedFd& fd) { return OwnedFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)); }

// A connection that somebody's queue holds when this returns.
OwnedFd connect_to(int port) {
  OwnedFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Ends with a reset, so that ports last; waits for no answer that will not come.
  const linger reset{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  const timeval patience{20, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_in address = loopback(port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

char answer_to(const OwnedFd& connection) {
  char who = nobody;
  return connection && read(connection.get(), &who, 1) == 1 ? who : nobody;
}

// The page of a worker, as that worker could read and write it.
class Page {
 public:
  explicit Page(const OwnedFd& counters)
      : counts_(static_cast<member_counts*>(
            mmap(nullptr, sizeof(member_counts), PROT_READ | PROT_WRITE, MAP_SHARED, counters.get(), 0))) {}
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  ~Page() { munmap(counts_, sizeof *counts_); }

  __u64 dispatched() const { return std::atomic_ref(counts_->dispatched); }
  __u64 accepted() const { return std::atomic_ref(counts_->accepted); }
  void write(__u64 dispatched, __u64 accepted) {
    std::atomic_ref(counts_->dispatched) = dispatched;
    std::atomic_ref(counts_->accepted) = accepted;
  }

 private:
  member_counts* counts_;
};

// Packets without a socket behind them: the kernel answers what nobody asked for with a reset, so no handshake is ever
// finished.
class Stranger {
 public:
  enum Flag { syn = 0x02, ack = 0x10 };

  explicit operator bool() const { return static_cast<bool>(raw_); }
  void send(int port, Flag flag) {
    struct {
      // What the checksum covers beside the header.
      in_addr_t source, destination;
      std::uint16_t protocol, size;
      tcphdr header;
    } packet{htonl(INADDR_LOOPBACK), htonl(INADDR_LOOPBACK), htons(IPPROTO_TCP), htons(sizeof(tcphdr)), {}};
    packet.header.th_sport = htons(++source_port_);
    packet.header.th_dport = htons(static_cast<std::uint16_t>(port));
    packet.header.th_off = sizeof(tcphdr) / 4;
    packet.header.th_flags = static_cast<std::uint8_t>(flag);
    packet.header.th_win = htons(1024);
    std::array<std::uint16_t, sizeof packet / 2> words;
    std::memcpy(words.data(), &packet, sizeof packet);
    std::uint32_t sum = 0;
    for (const std::uint16_t word : words) sum += word;
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    packet.header.th_sum = static_cast<std::uint16_t>(~sum);
    const sockaddr_in address = loopback(0);
    EXPECT_EQ(sendto(raw_.get(), &packet.header, sizeof packet.header, 0, reinterpret_cast<const sockaddr*>(&address),
                     sizeof address),
              static_cast<ssize_t>(sizeof packet.header));
  }

 private:
  OwnedFd raw_{socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP)};
  std::uint16_t source_port_ = 1024;
};

// Clients that ask one after the other, some at a time, until so many were answered or until they are stopped.
class Crowd {
 public:
  Crowd(int port, std::size_t size, std::size_t connections) {
    for (std::size_t i = 0; i < size; ++i) {
      clients_.emplace_back([this, port, connections] {
        while (!stopped_ && started_++ < connections) {
          const char who = answer_to(connect_to(port));
          ++answers_[static_cast<unsigned char>(who)];
          ++done_;
          done_.notify_all();
        }
      });
    }
  }
  ~Crowd() { finish(); }

  void wait_for(std::size_t answers) {
    for (std::size_t done = done_; done < answers; done = done_) done_.wait(done);
  }
  void stop() { stopped_ = true; }
  Answers finish() {
    for (std::thread& client : clients_) {
      if (client.joinable()) client.join();
    }
    Answers answers;
    for (std::size_t who = 0; who < answers_.size(); ++who) {
      if (answers_[who] > 0) answers[static_cast<char>(who)] = answers_[who];
    }
    return answers;
  }

 private:
  std::array<std::atomic<std::size_t>, 256> answers_{};
  std::atomic<std::size_t> started_ = 0;
  std::atomic<std::size_t> done_ = 0;
  std::atomic<bool> stopped_ = false;
  std::vector<std::thread> clients_;
};

// One after the other, so that nobody has one waiting when the next comes and it is a matter of turns alone. Clients and
// workers that compete for the processors make it one of who is awake, too.
Answers ask(int port, std::size_t connections) { return Crowd(port, 1, connections).finish(); }

// Accepts and reports as a worker does, and answers with its letter.
class Worker {
 public:
  Worker(char letter, OwnedFd listener, OwnedFd counters) : letter_(letter), listener_(std::move(listener)) {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours_ = OwnedFd(ends[0]);
    theirs_ = OwnedFd(ends[1]);
    if (counters) counters_ = AcceptCounters::map(counters.get());
    thread_ = std::thread([this] { run(); });
  }
  ~Worker() { stop(); }

  // Returns when it does not accept any more.
  void stall() { tell('s'); }
  void go_on() { tell('g'); }
  // Looks at its queue, as an idle worker does now and then.
  void look() { tell('l'); }
  // With what is in its queue.
  void stop() {
    if (!thread_.joinable()) return;
    tell('e');
    thread_.join();
    listener_.reset();
  }

 private:
  void tell(char what) {
    char done = 0;
    EXPECT_EQ(write(ours_.get(), &what, 1), 1);
    EXPECT_EQ(read(ours_.get(), &done, 1), 1);
  }
  void run() {
    bool stalled = false;
    for (;;) {
      pollfd fds[] = {{theirs_.get(), POLLIN, 0}, {stalled ? -1 : listener_.get(), POLLIN, 0}};
      poll(fds, 2, -1);
      if (fds[1].revents != 0) accept_all();
      if (fds[0].revents == 0) continue;
      char what = 0;
      if (read(theirs_.get(), &what, 1) != 1) return;
      if (what == 'l') accept_all();
      if (what == 's' || what == 'g') stalled = what == 's';
      if (write(theirs_.get(), &what, 1) != 1 || what == 'e') return;
    }
  }
  void accept_all() {
    for (;;) {
      const OwnedFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) break;
      if (counters_) counters_->accepted(1);
      if (write(connection.get(), &letter_, 1) != 1) continue;
    }
    if (errno == EAGAIN && counters_) counters_->drained();
  }

  char letter_;
  OwnedFd listener_, ours_, theirs_;
  std::optional<AcceptCounters> counters_;
  std::thread thread_;
};

class DispatchGroupTest : public testing::Test {
 protected:
  void SetUp() override {
    auto created = DispatchGroup::create();
    if (const auto* reason = std::get_if<std::string>(&created)) GTEST_SKIP() << *reason;
    group = std::move(std::get<std::unique_ptr<DispatchGroup>>(created));
    first = listen_on(0);
    port = port_of(first);
  }

  // The first socket, then more of the same address.
  OwnedFd open() { return first ? std::move(first) : listen_on(port); }
  unsigned add(const OwnedFd& listener) {
    const auto added = group->add(listener.get());
    if (const int* error = std::get_if<int>(&added)) ADD_FAILURE() << strerror(*error);
    return std::get<unsigned>(added);
  }
  std::unique_ptr<Worker> start(char letter) {
    OwnedFd listener = open();
    const unsigned member = add(listener);
    return std::make_unique<Worker>(letter, std::move(listener), group->counters(member));
  }

  std::unique_ptr<DispatchGroup> group;
  OwnedFd first;
  int port = 0;
};

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_F(DispatchGroupTest, DealsTheSameNumberToEach) {
  const std::string letters = "abcdefgh";
  std::vector<std::unique_ptr<Worker>> workers;
  for (const char letter : letters) workers.push_back(start(letter));
  group->settle();

  EXPECT_TRUE(is_even(ask(port, 8000), letters));

  Answers answers = Crowd(port, 16, 8000).finish();
  for (const char letter : letters) EXPECT_GT(answers[letter], 0U) << letter;
  EXPECT_EQ(answers.size(), letters.size());
}

TEST_F(DispatchGroupTest, PassesOverAWorkerThatDoesNotAccept) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (const char letter : {'a', 'b', 'c', 'd'}) workers.push_back(start(letter));
  group->settle();
  workers[1]->stall();

  Crowd crowd(port, 32, 4000);
  // All but those that it holds: 8, one more that was let in at the same time on another processor, and some.
  crowd.wait_for(3988);
  workers[1]->go_on();
  Answers answers = crowd.finish();

  EXPECT_LE(answers['b'], 12U);
  EXPECT_EQ(answers.count(nobody), 0U);
  EXPECT_TRUE(is_even(ask(port, 1000), "abcd"));
}

TEST_F(DispatchGroupTest, GivesTheQueueOfASocketThatIsClosedToTheOthers) {
  OwnedFd closing = open();
  const unsigned member = add(closing);
  std::vector<OwnedFd> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(connect_to(port));
  const auto a = start('a');
  const auto b = start('b');
  group->settle();

  group->remove(member);
  closing.reset();

  Answers answers;
  for (const OwnedFd& connection : waiting) ++answers[answer_to(connection)];
  EXPECT_EQ(answers['a'] + answers['b'], 100U);
}

TEST_F(DispatchGroupTest, GivesTheQueueOfAKilledProcessToTheOthersWithoutBeingTold) {
  OwnedFd listener = open();
  add(listener);
  const pid_t victim = fork();
  if (victim == 0) {
    for (;;) pause();
  }
  listener.reset();
  std::vector<OwnedFd> waiting;
  for (int i = 0; i < 100; ++i) waiting.push_back(connect_to(port));
  const auto a = start('a');
  const auto b = start('b');
  group->settle();

  kill(victim, SIGKILL);
  waitpid(victim, nullptr, 0);

  Answers answers;
  for (const OwnedFd& connection : waiting) ++answers[answer_to(connection)];
  EXPECT_EQ(answers['a'] + answers['b'], 100U);
  EXPECT_TRUE(is_even(ask(port, 1000), "ab"));
}

TEST_F(DispatchGroupTest, LeavesTheQueueOfAKilledProcessToItsSuccessorWhileSomebodyHoldsTheSocket) {
  OwnedFd listener = open();
  const unsigned member = add(listener);
  const pid_t victim = fork();
  if (victim == 0) {
    for (;;) pause();
  }
  const auto a = start('a');
  group->settle();
  std::vector<OwnedFd> waiting;
  for (int i = 0; i < 10; ++i) waiting.push_back(connect_to(port));

  kill(victim, SIGKILL);
  waitpid(victim, nullptr, 0);
  const Worker successor('s', copy_of(listener), group->counters(member));

  Answers answers;
  for (const OwnedFd& connection : waiting) ++answers[answer_to(connection)];
  EXPECT_GE(answers['s'], 1U);
  EXPECT_EQ(answers['a'] + answers['s'], 10U);
  EXPECT_TRUE(is_even(ask(port, 1000), "as"));
}

TEST_F(DispatchGroupTest, LosesNothingWhileWorkersComeAndGo) {
  const auto stays = start('a');
  group->settle();
  Crowd crowd(port, 8, SIZE_MAX);

  std::size_t answered = 0;
  for (int i = 0; i < 40; ++i) {
    OwnedFd listener = open();
    const unsigned member = add(listener);
    Worker worker('b', copy_of(listener), group->counters(member));
    crowd.wait_for(answered += 50);
    group->remove(member);
    worker.stop();
    listener.reset();
  }
  crowd.stop();
  const Answers answers = crowd.finish();

  EXPECT_EQ(answers.count(nobody), 0U);
  EXPECT_GT(answers.count('b'), 0U);
}

TEST_F(DispatchGroupTest, GivesANumberToAnotherMember) {
  const auto a = start('a');
  OwnedFd listener = open();
  const unsigned number = add(listener);
  const OwnedFd counters_of_the_old = group->counters(number);
  group->remove(number);
  EXPECT_FALSE(group->counters(number));
  listener.reset();

  const auto b = start('b');
  EXPECT_TRUE(group->counters(number));
  group->settle();
  // What the old worker says now is about nobody.
  Page(counters_of_the_old).write(1'000'000, 0);
  EXPECT_TRUE(is_even(ask(port, 1000), "ab"));
}

TEST_F(DispatchGroupTest, LetsAWorkerThatWritesNonsenseHarmItselfOnly) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (const char letter : {'a', 'b', 'c'}) workers.push_back(start(letter));
  OwnedFd listener = open();
  const unsigned number = add(listener);
  const OwnedFd counters = group->counters(number);
  const Worker worker('d', std::move(listener), {});
  group->settle();
  Page page(counters);

  std::mt19937_64 random(1);
  for (const auto& [dispatched, accepted] :
       {std::pair<__u64, __u64>{0, UINT64_MAX}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX}, {0, 0}, {random(), random()}}) {
    page.write(dispatched, accepted);
    Answers answers = ask(port, 800);
    EXPECT_EQ(answers.count(nobody), 0U);
    for (const char letter : {'a', 'b', 'c'})
      EXPECT_GE(answers[letter], 199U) << letter << ' ' << dispatched << ' ' << accepted;
  }
}

TEST_F(DispatchGroupTest, CountsHandshakesAndForgetsThoseThatAreNotFinished) {
  Stranger stranger;
  if (!stranger) GTEST_SKIP() << "it needs the capability CAP_NET_RAW";
  const auto a = start('a');
  const auto b = start('b');
  group->settle();
  const Page of_a(group->counters(0));
  const Page of_b(group->counters(1));

  for (int i = 0; i < 20; ++i) stranger.send(port, Stranger::syn);
  // These begin nothing. One more that does shows that they have passed.
  for (int i = 0; i < 10; ++i) stranger.send(port, Stranger::ack);
  stranger.send(port, Stranger::syn);
  while (of_a.dispatched() + of_b.dispatched() < 21) std::this_thread::yield();
  EXPECT_EQ(of_a.dispatched() + of_b.dispatched(), 21U);
  EXPECT_EQ(of_a.accepted() + of_b.accepted(), 0U);

  a->look();
  b->look();
  EXPECT_EQ(of_a.accepted(), of_a.dispatched());
  EXPECT_EQ(of_b.accepted(), of_b.dispatched());
  EXPECT_TRUE(is_even(ask(port, 1000), "ab"));
}

TEST_F(DispatchGroupTest, DealsForASocketOfBothFamilies) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
  std::vector<std::unique_ptr<Worker>> workers;
  for (const char letter : {'a', 'b'}) {
    OwnedFd listener(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!listener) GTEST_SKIP() << "this machine has no IPv6";
    const int on = 1;
    const int off = 0;
    setsockopt(listener.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      GTEST_SKIP() << "no IPv6 address";
    ASSERT_EQ(listen(listener.get(), 511), 0);
    socklen_t size = sizeof address;
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    const unsigned member = add(listener);
    workers.push_back(std::make_unique<Worker>(letter, std::move(listener), group->counters(member)));
  }
  group->settle();

  EXPECT_TRUE(is_even(ask(ntohs(address.sin6_port), 1000), "ab"));
}

TEST_F(DispatchGroupTest, RefusesWhatCannotBeAMember) {
  const OwnedFd not_a_socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const OwnedFd alone(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  listen(alone.get(), 1);
  EXPECT_EQ(std::get<int>(group->add(not_a_socket.get())), ENOTSOCK);
  EXPECT_EQ(std::get<int>(group->add(alone.get())), EINVAL);
  EXPECT_EQ(std::get<int>(group->add(-1)), EBADF);
  group->remove(0);
  group->remove(1'000'000);
  EXPECT_FALSE(group->counters(0));

  const OwnedFd listener = open();
  EXPECT_EQ(add(listener), 0U);
  EXPECT_EQ(std::get<int>(group->add(listener.get())), EBUSY);
}

TEST_F(DispatchGroupTest, GoesOnDealingWhenTheGroupIsGone) {
  const auto a = start('a');
  const auto b = start('b');
  group->settle();

  group.reset();

  EXPECT_TRUE(is_even(ask(port, 1000), "ab"));
}

TEST_F(DispatchGroupTest, DealsOnceMoreAfterAllSocketsWereClosed) {
  {
    const OwnedFd listener = open();
    group->remove(add(listener));
  }
  const auto a = start('a');
  const auto b = start('b');
  group->settle();
  EXPECT_TRUE(is_even(ask(port, 1000), "ab"));
}

TEST_F(DispatchGroupTest, HasRoomFor1024) {
  // Two descriptors for each.
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < 2 * max_members + 100) GTEST_SKIP() << "it needs " << 2 * max_members + 100 << " descriptors";
  std::vector<OwnedFd> listeners;
  for (unsigned i = 0; i < max_members; ++i) {
    listeners.push_back(open());
    ASSERT_EQ(add(listeners.back()), i);
  }
  const OwnedFd one_more = listen_on(port);
  EXPECT_EQ(std::get<int>(group->add(one_more.get())), ENOSPC);

  group->remove(7);
  EXPECT_EQ(add(one_more), 7U);
}

TEST_F(DispatchGroupTest, LeavesNoDescriptorBehindAndNoneToAProgramThatIsExecuted) {
  const OwnedFd listener = open();
  const unsigned member = add(listener);
  const OwnedFd counters = group->counters(member);
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    const int flags = fcntl(fd, F_GETFD);
    if (fd > STDERR_FILENO && flags >= 0 &&
        std::filesystem::read_symlink(entry.path()).string().find("bpf") != std::string::npos) {
      EXPECT_NE(flags & FD_CLOEXEC, 0) << fd;
    }
  }
  group->remove(member);
  group.reset();
  const std::size_t before = open_descriptors();
  {
    auto another = std::get<std::unique_ptr<DispatchGroup>>(DispatchGroup::create());
    another->add(listener.get());
    EXPECT_GT(open_descriptors(), before);
  }
  EXPECT_EQ(open_descriptors(), before);
}

// Ends with 0 when create() says why it cannot, and leaves nothing.
[[noreturn]] void create_without_privileges() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) != 0) _exit(1);
  const std::size_t before = open_descriptors();
  const auto created = DispatchGroup::create();
  const auto* reason = std::get_if<std::string>(&created);
  if (!reason) _exit(2);
  const bool known = *reason == "it needs the capability CAP_BPF" || reason->find("it needs Linux 5.17") == 0 ||
                     reason->find("muster was built without ") == 0 || *reason == "this kernel has no bpf()";
  if (!known) _exit(3);
  _exit(open_descriptors() == before ? 0 : 4);
}

TEST(DispatchGroup, SaysWhatItLacksWithoutPrivileges) {
  int output[2];
  ASSERT_EQ(pipe2(output, O_CLOEXEC), 0);
  const OwnedFd theirs_to_read(output[0]);
  OwnedFd theirs(output[1]);
  const pid_t child = fork();
  if (child == 0) {
    dup2(theirs.get(), STDOUT_FILENO);
    dup2(theirs.get(), STDERR_FILENO);
    create_without_privileges();
  }
  theirs.reset();
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  char text[256];
  EXPECT_EQ(read(theirs_to_read.get(), text, sizeof text), 0) << "it wrote something";
}

// What a machine may lack is known; that the kernel does not take the program is a mistake in it.
TEST(DispatchGroup, IsTakenByTheKernelWhereItIsAllowed) {
  const auto created = DispatchGroup::create();
  if (const auto* reason = std::get_if<std::string>(&created)) {
    EXPECT_EQ(reason->find("the kernel refuses"), std::string::npos) << *reason;
  }
}

}  // namespace
}  // namespace muster::kernel
