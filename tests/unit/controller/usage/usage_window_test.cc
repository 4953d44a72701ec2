#include "controller/usage/usage_window.h"

#include "gtest/gtest.h"

namespace cluster::controller {
namespace {

class UsageWindows : public testing::Test {
 protected:
  // One round in which pod "p" has used so much cpu in all; negative: its node does not answer.
  std::optional<PodUsage> Round(double cpu_seconds, absl::Duration later = absl::Seconds(15)) {
    at_ += later;
    std::vector<v1::NodeStats> answers;
    if (cpu_seconds >= 0) {
      v1::PodStats* pod = answers.emplace_back().add_pods();
      pod->set_uid("p");
      pod->mutable_resources()->set_cpu_nanoseconds(static_cast<int64_t>(cpu_seconds * 1e9));
      pod->mutable_resources()->set_memory_working_set_bytes(4096);
    }
    const UsageSample sample = window_.Next(answers, absl::UnixEpoch() + at_, at_);
    EXPECT_EQ(sample.number, ++rounds_);
    const auto found = sample.pods.find("p");
    if (found == sample.pods.end()) return std::nullopt;
    return found->second;
  }

  UsageWindow window_;
  absl::Duration at_ = absl::Hours(1);
  int64_t rounds_ = 0;
};

TEST_F(UsageWindows, TheFirstLookKnowsMemoryAlone) {
  const auto usage = Round(100);
  ASSERT_TRUE(usage.has_value());
  EXPECT_FALSE(usage->cpu_milli.has_value());
  EXPECT_EQ(usage->memory_bytes, 4096);
}

TEST_F(UsageWindows, CpuIsTheMeanSinceTheRoundBefore) {
  Round(100);
  const auto usage = Round(107.5);
  EXPECT_EQ(usage->cpu_milli, 500);
  EXPECT_EQ(usage->window, absl::Seconds(15));
  EXPECT_EQ(usage->at, absl::UnixEpoch() + at_);
  EXPECT_EQ(Round(107.5)->cpu_milli, 0);
}

TEST_F(UsageWindows, ARoundThatWasMissedMakesTheNextWindowLonger) {
  Round(100);
  EXPECT_FALSE(Round(-1).has_value());
  const auto usage = Round(130);
  EXPECT_EQ(usage->cpu_milli, 1000);
  EXPECT_EQ(usage->window, absl::Seconds(30));
}

TEST_F(UsageWindows, AfterLongSilenceTheFirstLookIsAFirstOneAgain) {
  Round(100);
  Round(115);
  EXPECT_FALSE(Round(-1, absl::Minutes(6)).has_value());
  EXPECT_FALSE(Round(120)->cpu_milli.has_value());
  EXPECT_EQ(Round(135)->cpu_milli, 1000);
}

TEST_F(UsageWindows, ACounterThatWentBackSaysNothing) {
  Round(100);
  Round(115);
  EXPECT_FALSE(Round(1)->cpu_milli.has_value());
  EXPECT_EQ(Round(16)->cpu_milli, 1000);
}

TEST_F(UsageWindows, TwoLooksAtOnceAreOne) {
  Round(100);
  Round(115);
  const auto usage = Round(115.1, absl::Milliseconds(100));
  EXPECT_EQ(usage->cpu_milli, 1000);
  EXPECT_EQ(usage->window, absl::Seconds(15));
  EXPECT_EQ(Round(130, absl::Milliseconds(14'900))->cpu_milli, 1000);
}

}  // namespace
}  // namespace cluster::controller
