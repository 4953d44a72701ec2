#include "node/runtime/precedence.h"

#include <atomic>
#include <optional>
#include <thread>

#include "gtest/gtest.h"

#include "base/clock.h"

namespace cluster::node {
namespace {

TEST(Precedence, NobodyWaitsForNothing) {
  Precedence precedence;
  precedence.GiveWay();
  { const Precedence::Start start(&precedence); }
  precedence.GiveWay();
}

TEST(Precedence, WhoGivesWayGoesOnWhenTheLastStartIsOver) {
  Precedence precedence;
  std::optional<Precedence::Start> first;
  std::optional<Precedence::Start> second;
  first.emplace(&precedence);
  second.emplace(&precedence);
  std::atomic<bool> over{false};
  std::thread other([&] {
    precedence.GiveWay();
    over = true;
  });
  first.reset();
  second.reset();
  other.join();
  EXPECT_TRUE(over);
}

TEST(Precedence, StartsThatNeverCeaseKeepNothingFromGoing) {
  Precedence precedence;
  const Precedence::Start start(&precedence);
  precedence.GiveWay();
}

TEST(Precedence, WhereNothingStartsEveryoneHasHisTurn) {
  Precedence precedence(absl::Hours(1));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(precedence.AwaitTurn());
}

TEST(Precedence, BesideStartsOneMoreLeavesInEachPace) {
  const absl::Duration pace = absl::Milliseconds(2);
  Precedence precedence(pace);
  const Precedence::Start start(&precedence);
  EXPECT_TRUE(precedence.AwaitTurn());
  const absl::Duration begin = RealClock()->Monotonic();
  for (int i = 0; i < 5; ++i) precedence.AwaitTurn();
  EXPECT_GE(RealClock()->Monotonic() - begin, 4 * pace);
}

TEST(Precedence, ForEachPodThatCameOneMayLeave) {
  Precedence precedence(absl::Hours(1));
  const Precedence::Start start(&precedence);
  precedence.AwaitTurn();
  std::atomic<int> left{0};
  std::thread other([&] {
    for (int i = 0; i < 3; ++i) {
      precedence.AwaitTurn();
      ++left;
    }
  });
  for (int came = 1; came <= 3; ++came) {
    EXPECT_LT(left, came);
    precedence.PodCame();
    while (left < came) std::this_thread::yield();
  }
  other.join();
}

TEST(Precedence, TheRestLeaveOnceNothingStartsAnyMore) {
  Precedence precedence(absl::Hours(1));
  std::optional<Precedence::Start> start;
  start.emplace(&precedence);
  precedence.AwaitTurn();
  std::thread other([&] { EXPECT_FALSE(precedence.AwaitTurn()); });
  start.reset();
  other.join();
}

}  // namespace
}  // namespace cluster::node
