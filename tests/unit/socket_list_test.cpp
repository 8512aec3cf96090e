// SPDX-License-Identifier: MIT
#include "core/socket_list.h"

#include <vector>

#include <gtest/gtest.h>

namespace muster::core {
namespace {

using Kind = wire::SocketListMessage::Kind;
using wire::SocketListMessage;

struct SocketLists : testing::Test {
  std::vector<SocketListMessage> sent;
  SocketList list{[this](SocketListMessage message) { sent.push_back(std::move(message)); }};
  std::vector<std::optional<std::size_t>> counts;
  int closed = 0;

  void count() {
    list.count("4:a:1", [this](std::optional<std::size_t> n) { counts.push_back(n); });
  }
  void wait() {
    list.when_all_closed("4:a:1", [this] { ++closed; });
  }
};

TEST_F(SocketLists, AskHowManyAreOpenThere) {
  count();
  list.handle_message({Kind::count, "4:a:1", 3});

  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::get_count, "4:a:1"}}));
  EXPECT_EQ(counts, (std::vector<std::optional<std::size_t>>{3}));
}

TEST_F(SocketLists, GiveEachQuestionItsAnswer) {
  count();
  count();
  list.handle_message({Kind::count, "4:a:1", 3});
  list.handle_message({Kind::count, "4:b:1", 9});
  list.handle_message({Kind::count, "4:a:1", 4});

  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(counts, (std::vector<std::optional<std::size_t>>{3, 4}));
}

TEST_F(SocketLists, TellThatThereIsNoAnswerFromAChannelThatCloses) {
  count();
  wait();

  list.handle_channel_closed();
  count();
  wait();

  EXPECT_EQ(counts, (std::vector<std::optional<std::size_t>>{std::nullopt, std::nullopt}));
  EXPECT_EQ(closed, 2);
}

TEST_F(SocketLists, WaitForTheLastOneThere) {
  wait();
  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::notify_close, "4:a:1"}}));
  EXPECT_EQ(closed, 0);

  list.handle_message({Kind::all_closed, "4:a:1"});
  list.handle_message({Kind::all_closed, "4:a:1"});

  EXPECT_EQ(closed, 1);
}

TEST_F(SocketLists, AskAgainWhenMoreWasSentSinceTheQuestion) {
  wait();
  wait();
  list.handle_message({Kind::all_closed, "4:a:1"});

  EXPECT_EQ(closed, 0);
  EXPECT_EQ(sent.size(), 2U);

  list.handle_message({Kind::all_closed, "4:a:1"});
  EXPECT_EQ(closed, 2);
}

TEST_F(SocketLists, AnswerForWhatIsHere) {
  list.handle_arrived("k");
  list.handle_arrived("k");
  list.handle_closed("k");

  list.handle_message({Kind::get_count, "k"});
  list.handle_message({Kind::get_count, "unknown"});

  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::count, "k", 1}, SocketListMessage{Kind::count, "unknown", 0}}));
}

TEST_F(SocketLists, SayWhenTheLastOneHereIsClosed) {
  list.handle_arrived("k");
  list.handle_message({Kind::notify_close, "k"});
  EXPECT_TRUE(sent.empty());

  list.handle_closed("k");
  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::all_closed, "k"}}));

  list.handle_message({Kind::notify_close, "k"});
  EXPECT_EQ(sent.size(), 2U) << "at once when there is none";
}

TEST_F(SocketLists, SayNothingOnAChannelThatIsClosed) {
  list.handle_arrived("k");
  list.handle_message({Kind::notify_close, "k"});
  list.handle_channel_closed();

  list.handle_closed("k");

  EXPECT_TRUE(sent.empty());
}

}  // namespace
}  // namespace muster::core
