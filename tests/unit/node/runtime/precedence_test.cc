#include "node/runtime/precedence.h"

#include <atomic>
#include <optional>
#include <thread>

#include "gtest/gtest.h"

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

}  // namespace
}  // namespace cluster::node
