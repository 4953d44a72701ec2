#include "node/pod/round_queue.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kStuckAfter = absl::Seconds(2);
const absl::Duration kStart = absl::Seconds(100);

// Everything that begins when nothing ends.
std::vector<std::string> TakeAll(RoundQueue* rounds, absl::Duration now = kStart) {
  std::vector<std::string> taken;
  while (auto uid = rounds->Take(now)) taken.push_back(*uid);
  return taken;
}

TEST(RoundQueue, ThoseThatComeGoBeforeThoseThatLeave) {
  RoundQueue rounds(8, kStuckAfter);
  for (const char* uid : {"out1", "out2", "out3"}) rounds.Push(uid, true);
  for (const char* uid : {"in1", "in2"}) rounds.Push(uid, false);
  EXPECT_THAT(TakeAll(&rounds), ElementsAre("out1", "in1", "in2", "out2", "out3"));
}

TEST(RoundQueue, ThreadsAreLeftForThoseThatCome) {
  RoundQueue rounds(4, kStuckAfter);
  for (const char* uid : {"out1", "out2", "out3"}) rounds.Push(uid, true);
  EXPECT_THAT(TakeAll(&rounds), ElementsAre("out1", "out2"));
  EXPECT_FALSE(rounds.HasNext(kStart));
  rounds.Push("in1", false);
  EXPECT_THAT(TakeAll(&rounds), ElementsAre("in1"));
  rounds.End("out1");
  EXPECT_THAT(TakeAll(&rounds), ElementsAre("out3"));
}

TEST(RoundQueue, WhatIsStuckHoldsNobodyUp) {
  RoundQueue rounds(4, kStuckAfter);
  for (const char* uid : {"out1", "out2", "out3"}) rounds.Push(uid, true);
  EXPECT_THAT(TakeAll(&rounds), ElementsAre("out1", "out2"));
  EXPECT_EQ(rounds.Stuck(kStart + absl::Seconds(1)), 0);
  EXPECT_EQ(rounds.Stuck(kStart + kStuckAfter), 2);
  EXPECT_THAT(TakeAll(&rounds, kStart + kStuckAfter), ElementsAre("out3"));
}

TEST(RoundQueue, ASingleThreadTakesTurns) {
  RoundQueue rounds(1, kStuckAfter);
  for (const char* uid : {"out1", "out2", "out3"}) rounds.Push(uid, true);
  for (const char* uid : {"in1", "in2", "in3"}) rounds.Push(uid, false);
  std::vector<std::string> taken;
  while (auto uid = rounds.Take(kStart)) {
    taken.push_back(*uid);
    rounds.End(*uid);
  }
  EXPECT_THAT(taken, ElementsAre("out1", "in1", "out2", "in2", "out3", "in3"));
}

TEST(RoundQueue, WhoIsOnItsWayIsFinishedFirst) {
  RoundQueue rounds(8, kStuckAfter);
  rounds.Push("in1", false);
  rounds.PushFirst("in2", false);
  EXPECT_THAT(TakeAll(&rounds), ElementsAre("in2", "in1"));
}

}  // namespace
}  // namespace cluster::node
