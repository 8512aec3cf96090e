// SPDX-License-Identifier: MIT
#include "uv/connection_queue.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "unit/libuv_loop.h"
#include "uv/loop.h"

namespace muster::uv {
namespace {

using core::QueueNumber;

struct Worker {
  int reader;

  // Reads so many bytes of the next message. Its descriptor, -1 for none.
  int read(std::size_t size = sizeof(QueueNumber)) const {
    std::array<char, 64> bytes{};
    iovec part{bytes.data(), size};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    EXPECT_EQ(recvmsg(reader, &message, MSG_DONTWAIT), static_cast<ssize_t>(size)) << std::strerror(errno);
    int fd = -1;
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
  }
  void answer() const { EXPECT_EQ(::send(reader, "!", 1, 0), 1); }
};

class ConnectionQueues : public testing::Test {
 protected:
  ConnectionQueues() {
    for (int& fd : connections) fd = dup(STDIN_FILENO);
  }
  ~ConnectionQueues() override {
    for (const int fd : connections) close(fd);
  }
  void send(std::size_t count) {
    const auto sent = queue->send(QueueNumber{7}, std::span(connections).first(count));
    EXPECT_EQ(sent.count, count) << std::strerror(sent.error);
  }

  // All that is ready is told.
  void turn() {
    loop.hold();
    for (int i = 0; i < 4; ++i) uv_run(&libuv, UV_RUN_NOWAIT);
    loop.release();
  }

  LibuvLoop libuv;
  Loop loop{&libuv};
  int news = 0;
  std::unique_ptr<ConnectionQueue> queue = ConnectionQueue::create(loop, 16, [this] { ++news; });
  Worker worker{queue->reader()};
  std::array<int, 40> connections{};
};

TEST_F(ConnectionQueues, CountWhatIsRead) {
  send(3);
  EXPECT_EQ(queue->read(), 0U);

  const int fd = worker.read();

  EXPECT_GE(fd, 0);
  EXPECT_EQ(queue->read(), 1U);
  close(fd);
}

TEST_F(ConnectionQueues, GiveBackWhatIsNotReadInOrder) {
  send(4);
  close(worker.read());
  EXPECT_TRUE(queue->ping());

  const auto unread = queue->drain();

  ASSERT_EQ(unread.size(), 4U);
  EXPECT_TRUE(unread[0] && unread[1] && unread[2]);
  EXPECT_FALSE(unread[3]);
  EXPECT_EQ(queue->read(), 1U);
  send(1);
  EXPECT_EQ(queue->read(), 1U);
}

TEST_F(ConnectionQueues, LeaveAWorkerWhatItHasReadAPartOf) {
  send(3);
  close(worker.read(1));
  EXPECT_EQ(queue->read(), 1U);

  const auto unread = queue->drain();

  ASSERT_EQ(unread.size(), 2U);
  EXPECT_TRUE(unread[0] && unread[1]);
  EXPECT_EQ(queue->read(), 1U);
}

TEST_F(ConnectionQueues, RefuseMoreThanTheyHaveRoomFor) {
  const auto sent = queue->send(QueueNumber{7}, connections);

  EXPECT_GE(sent.count, 16U);
  EXPECT_LT(sent.count, connections.size());
  EXPECT_EQ(sent.error, EAGAIN);
  EXPECT_EQ(queue->drain().size(), sent.count);
}

TEST_F(ConnectionQueues, SayThatTheWorkerHasMadeRoom) {
  send(16);
  queue->await_room();
  turn();
  EXPECT_EQ(news, 0);

  for (int i = 0; i < 12; ++i) close(worker.read());
  turn();

  EXPECT_EQ(news, 1);
  EXPECT_EQ(queue->read(), 12U);
}

TEST_F(ConnectionQueues, SayThatTheWorkerReadsAgain) {
  EXPECT_TRUE(queue->ping());
  turn();
  EXPECT_EQ(news, 0);

  EXPECT_EQ(worker.read(), -1);
  worker.answer();
  turn();

  EXPECT_EQ(news, 1);
  EXPECT_EQ(queue->read(), 1U);
}

// The answer to one ping may come after the next ping.
TEST_F(ConnectionQueues, TakeNoAnswerForThatToALaterPing) {
  worker.answer();
  EXPECT_TRUE(queue->ping());
  turn();
  EXPECT_EQ(queue->read(), 0U);

  EXPECT_EQ(worker.read(), -1);
  worker.answer();
  turn();

  EXPECT_EQ(news, 2);
  EXPECT_EQ(queue->read(), 1U);
}

TEST_F(ConnectionQueues, FailWhereTheWorkerHasShutItsEnd) {
  ASSERT_EQ(shutdown(worker.reader, SHUT_RDWR), 0);
  EXPECT_FALSE(queue->ping());

  const auto sent = queue->send(QueueNumber{7}, std::span(connections).first(2));

  EXPECT_EQ(sent.count, 0U);
  EXPECT_EQ(sent.error, EPIPE);
  // It does not spin.
  turn();
  turn();
  EXPECT_LE(news, 1);
}

}  // namespace
}  // namespace muster::uv
