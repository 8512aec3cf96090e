// SPDX-License-Identifier: MIT
#include "core/socket_list.h"

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace muster::core {
namespace {

using Kind = wire::SocketListMessage::Kind;
using wire::SocketListMessage;

struct SocketLists : testing::Test {
  std::vector<SocketListMessage> sent;
  SocketList list;
  std::vector<std::optional<std::size_t>> counts;
  int closed = 0;

  void perform() {
    while (auto effect = list.poll_effect()) {
      if (auto* send = std::get_if<SocketList::Send>(&*effect)) sent.push_back(std::move(send->message));
      if (const auto* counted = std::get_if<SocketList::Counted>(&*effect)) counts.push_back(counted->count);
      closed += std::holds_alternative<SocketList::AllClosed>(*effect);
    }
  }
  void count() {
    list.count("4:a:1");
    perform();
  }
  void wait() {
    list.when_all_closed("4:a:1");
    perform();
  }
  void hear(const SocketListMessage& message) {
    list.handle_message(message);
    perform();
  }
};

TEST_F(SocketLists, AskHowManyAreOpenThere) {
  count();
  hear({Kind::count, "4:a:1", 3});

  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::get_count, "4:a:1"}}));
  EXPECT_EQ(counts, (std::vector<std::optional<std::size_t>>{3}));
}

TEST_F(SocketLists, NameTheQuestionThatIsAnswered) {
  const auto first = list.count("a"), second = list.count("b"), third = list.when_all_closed("a");
  perform();
  list.handle_message({Kind::count, "b", 1});
  EXPECT_EQ(std::get<SocketList::Counted>(list.poll_effect().value()).question, second);
  list.handle_message({Kind::count, "a", 1});
  EXPECT_EQ(std::get<SocketList::Counted>(list.poll_effect().value()).question, first);
  list.handle_message({Kind::all_closed, "a"});
  EXPECT_EQ(std::get<SocketList::AllClosed>(list.poll_effect().value()).question, third);
}

TEST_F(SocketLists, GiveEachQuestionItsAnswer) {
  count();
  count();
  hear({Kind::count, "4:a:1", 3});
  hear({Kind::count, "4:b:1", 9});
  hear({Kind::count, "4:a:1", 4});

  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(counts, (std::vector<std::optional<std::size_t>>{3, 4}));
}

TEST_F(SocketLists, TellThatThereIsNoAnswerFromAChannelThatCloses) {
  count();
  wait();

  list.handle_channel_closed();
  perform();
  count();
  wait();

  EXPECT_EQ(counts, (std::vector<std::optional<std::size_t>>{std::nullopt, std::nullopt}));
  EXPECT_EQ(closed, 2);
}

TEST_F(SocketLists, WaitForTheLastOneThere) {
  wait();
  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::notify_close, "4:a:1"}}));
  EXPECT_EQ(closed, 0);

  hear({Kind::all_closed, "4:a:1"});
  hear({Kind::all_closed, "4:a:1"});

  EXPECT_EQ(closed, 1);
}

TEST_F(SocketLists, AskAgainWhenMoreWasSentSinceTheQuestion) {
  wait();
  wait();
  hear({Kind::all_closed, "4:a:1"});

  EXPECT_EQ(closed, 0);
  EXPECT_EQ(sent.size(), 2U);

  hear({Kind::all_closed, "4:a:1"});
  EXPECT_EQ(closed, 2);
}

TEST_F(SocketLists, AnswerForWhatIsHere) {
  list.handle_arrived("k");
  list.handle_arrived("k");
  list.handle_closed("k");
  perform();

  hear({Kind::get_count, "k"});
  hear({Kind::get_count, "unknown"});

  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::count, "k", 1}, SocketListMessage{Kind::count, "unknown", 0}}));
}

TEST_F(SocketLists, SayWhenTheLastOneHereIsClosed) {
  list.handle_arrived("k");
  hear({Kind::notify_close, "k"});
  EXPECT_TRUE(sent.empty());

  list.handle_closed("k");
  perform();
  EXPECT_EQ(sent, (std::vector{SocketListMessage{Kind::all_closed, "k"}}));

  hear({Kind::notify_close, "k"});
  EXPECT_EQ(sent.size(), 2U) << "at once when there is none";
}

TEST_F(SocketLists, SayNothingOnAChannelThatIsClosed) {
  list.handle_arrived("k");
  hear({Kind::notify_close, "k"});
  list.handle_channel_closed();
  perform();

  list.handle_closed("k");
  perform();

  EXPECT_TRUE(sent.empty());
}

}  // namespace
}  // namespace muster::core
