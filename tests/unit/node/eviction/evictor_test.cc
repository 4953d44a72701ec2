// The evictor on a pretended machine: pods hold memory until they are evicted and have left.
#include "node/eviction/evictor.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kMebi = 1 << 20;

class EvictorTest : public ::testing::Test {
 protected:
  EvictorTest() : evictor_(Options(), Parts()) {}

  static EvictorOptions Options() {
    EvictorOptions options;
    options.thresholds = ParseThresholds("memory.available<100Mi").value();
    options.thresholds.push_back({Shortage::kMemory, 300 * kMebi, 0, absl::Minutes(1)});
    options.max_grace = absl::Seconds(45);
    return options;
  }
  EvictorParts Parts() {
    EvictorParts parts;
    parts.clock = &clock_;
    parts.numbers = [this]() -> absl::StatusOr<NodeNumbers> {
      if (!reads_.ok()) return reads_;
      NodeNumbers numbers;
      numbers.memory_total = 1000 * kMebi;
      numbers.memory_available = 1000 * kMebi;
      for (const auto& [uid, used] : pods_) numbers.memory_available -= used;
      return numbers;
    };
    parts.candidates = [this](Shortage) {
      std::vector<Candidate> candidates;
      for (const auto& [uid, used] : pods_) {
        if (leaving_.contains(uid)) continue;
        Candidate candidate;
        candidate.uid = uid;
        candidate.memory = used;
        candidates.push_back(candidate);
      }
      return candidates;
    };
    parts.is_running = [this](const std::string& uid) { return pods_.contains(uid); };
    parts.overruns = [this] { return overruns_; };
    parts.evict = [this](const std::string& uid, const std::string& message, absl::Duration grace) {
      last_grace_ = grace;
      leaving_.insert(uid);
      evicted_.push_back(uid);
      last_message_ = message;
    };
    parts.changed = [this] { ++changes_; };
    return parts;
  }
  void Look() {
    clock_.Advance(absl::Seconds(10));
    evictor_.Look();
  }

  FakeClock clock_;
  std::map<std::string, int64_t> pods_;
  std::set<std::string> leaving_;
  std::vector<std::string> evicted_;
  std::vector<Overrun> overruns_;
  std::string last_message_;
  absl::Duration last_grace_ = absl::InfiniteDuration();
  absl::Status reads_;
  int changes_ = 0;
  Evictor evictor_;
};

TEST_F(EvictorTest, LeavesPodsAloneWhileThereIsEnough) {
  pods_ = {{"a", 200 * kMebi}, {"b", 500 * kMebi}};
  Look();
  EXPECT_THAT(evicted_, IsEmpty());
  EXPECT_EQ(evictor_.Conditions().size(), 3u);
}

TEST_F(EvictorTest, EndsOnePodAndWaitsUntilItHasLeft) {
  pods_ = {{"a", 300 * kMebi}, {"b", 400 * kMebi}, {"c", 250 * kMebi}};
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b"));
  EXPECT_THAT(last_message_, HasSubstr("memory. Threshold quantity: 100Mi, available: 50Mi"));
  EXPECT_EQ(last_grace_, absl::ZeroDuration());
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b")) << "it is on its way out";
  pods_.erase("b");
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b")) << "that was enough";
}

TEST_F(EvictorTest, ASoftThresholdTellsOfPressureAtOnceAndEndsAPodInPeaceLater) {
  Look();
  pods_ = {{"a", 300 * kMebi}, {"b", 450 * kMebi}};
  for (int i = 0; i < 6; ++i) Look();
  EXPECT_EQ(evictor_.Conditions().at(0).status(), v1::CONDITION_STATUS_TRUE);
  EXPECT_EQ(changes_, 2);
  EXPECT_THAT(evicted_, IsEmpty());
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b"));
  EXPECT_THAT(last_message_, HasSubstr("Threshold quantity: 300Mi, available: 250Mi"));
  EXPECT_EQ(last_grace_, absl::Seconds(45));
  // Its grace, and as long as others.
  for (int i = 0; i < 7; ++i) Look();
  EXPECT_THAT(evicted_, ElementsAre("b"));
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b", "a"));
}

TEST_F(EvictorTest, OneThatEndsInPeaceDoesNotHoldUpAHardThreshold) {
  pods_ = {{"a", 300 * kMebi}, {"b", 450 * kMebi}};
  for (int i = 0; i < 7; ++i) Look();
  ASSERT_THAT(evicted_, ElementsAre("b"));
  pods_["a"] = 500 * kMebi;
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b", "a"));
  EXPECT_EQ(last_grace_, absl::ZeroDuration());
}

TEST_F(EvictorTest, OneThatDoesNotLeaveHoldsUpTheOthersForAWhileOnly) {
  pods_ = {{"a", 300 * kMebi}, {"b", 700 * kMebi}};
  Look();
  Look();
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b"));
  Look();
  EXPECT_THAT(evicted_, ElementsAre("b", "a"));
}

TEST_F(EvictorTest, TellsOfPressureOnceAndOfItsEnd) {
  Look();
  EXPECT_EQ(changes_, 1) << "the conditions are there";
  pods_ = {{"a", 950 * kMebi}};
  Look();
  Look();
  EXPECT_EQ(changes_, 2);
  pods_.clear();
  Look();
  EXPECT_EQ(changes_, 2) << "held for five minutes";
  clock_.Advance(absl::Minutes(5));
  Look();
  EXPECT_EQ(changes_, 3);
}

TEST_F(EvictorTest, PodsBeyondTheirOwnLimitsGoWithoutAnyShortage) {
  overruns_ = {{"a", "emptyDir cache is full"}, {"b", "log is full"}};
  Look();
  EXPECT_THAT(evicted_, ElementsAre("a", "b"));
}

TEST_F(EvictorTest, EndsNothingWhenItCannotSee) {
  pods_ = {{"a", 950 * kMebi}};
  reads_ = absl::InternalError("no /proc");
  Look();
  EXPECT_THAT(evicted_, IsEmpty());
  reads_ = absl::OkStatus();
  Look();
  EXPECT_THAT(evicted_, ElementsAre("a"));
}

}  // namespace
}  // namespace cluster::node
