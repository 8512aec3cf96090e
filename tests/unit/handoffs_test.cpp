// SPDX-License-Identifier: MIT
#include "core/handoffs.h"

#include <gtest/gtest.h>

#include "core/limits.h"

namespace muster::core {
namespace {

using Answer = Handoffs::Answered::Answer;
using Outcome = wire::OfferReply::Outcome;

constexpr WorkerId worker{1}, other{2};
constexpr ListenerId port{3};

Handoffs::Handoff handoff(std::uint32_t connection, WorkerId to = worker) { return {to, port, FdToken{connection}}; }

TEST(Handoffs, AreTakenOnceByTheirWorkerOnly) {
  Handoffs handoffs;
  handoffs.send(Seq{7}, handoff(1));

  EXPECT_FALSE(handoffs.take(other, Seq{7}));
  EXPECT_FALSE(handoffs.take(worker, Seq{8}));
  EXPECT_FALSE(handoffs.take(other, FdToken{1}));
  EXPECT_EQ(handoffs.take(worker, Seq{7}).value().connection, FdToken{1});
  EXPECT_FALSE(handoffs.take(worker, Seq{7}));
  handoffs.send(Seq{8}, handoff(2));
  EXPECT_EQ(handoffs.take(worker, FdToken{2}).value().listener, port);
  EXPECT_FALSE(handoffs.take(worker, FdToken{2}));
  handoffs.send(Seq{9}, handoff(3));
  handoffs.lose(worker);
  EXPECT_FALSE(handoffs.take(worker, Seq{9}));
}

TEST(Handoffs, AreAnsweredInTheOrderOfTheirNumbers) {
  Handoffs handoffs;
  for (std::uint32_t i = 0; i < 4; ++i) EXPECT_EQ(handoffs.offer(handoff(10 + i)), i);
  EXPECT_EQ(handoffs.find_offer(worker, FdToken{12}), 2U);
  EXPECT_FALSE(handoffs.find_offer(other, FdToken{12}));
  handoffs.take_back(worker, 1);
  EXPECT_FALSE(handoffs.find_offer(worker, FdToken{11}));

  EXPECT_TRUE(handoffs.answer(worker, {1, {Outcome::accepted}}).empty());
  EXPECT_TRUE(handoffs.answer(other, {0, {Outcome::accepted}}).empty());
  const auto answered = handoffs.answer(worker, {0, {Outcome::accepted, Outcome::refused, Outcome::refused}});

  ASSERT_EQ(answered.size(), 3U);
  EXPECT_EQ(answered[0].answer, Answer::accepted);
  EXPECT_EQ(answered[1].answer, Answer::taken_back);
  EXPECT_EQ(answered[2].answer, Answer::refused);
  EXPECT_EQ(answered[2].handoff.connection, FdToken{12});
  EXPECT_EQ(handoffs.unanswered(worker).first, 3U);
  EXPECT_EQ(handoffs.unanswered(worker).count, 1U);
  // More answers than there are offers.
  EXPECT_EQ(handoffs.answer(worker, {3, {Outcome::accepted, Outcome::accepted}}).size(), 1U);
}

TEST(Handoffs, AreNoMoreThanThereAreSlots) {
  Handoffs handoffs;
  for (std::uint32_t i = 0; i < offer_slots; ++i) EXPECT_TRUE(handoffs.offer(handoff(i)));
  EXPECT_FALSE(handoffs.offer(handoff(99)));
  EXPECT_TRUE(handoffs.offer(handoff(99, other)));
  handoffs.lose(worker);
  EXPECT_EQ(handoffs.find_offer(worker, FdToken{0}), 0U);
  handoffs.forget(worker);
  EXPECT_EQ(handoffs.unanswered(worker).count, 0U);
}

}  // namespace
}  // namespace muster::core
