#include "node/eviction/pressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

const Breach kLowMemory = {Shortage::kMemory, 100 << 20, 40 << 20};
const Breach kLowDisk = {Shortage::kDisk, 1000, 10};

class PressureTest : public ::testing::Test {
 protected:
  bool Observe(std::vector<Breach> breaches) {
    return pressure_.Observe(breaches, now_, absl::UnixEpoch() + now_);
  }
  std::string Status(const std::string& type) const {
    for (const v1::Condition& condition : pressure_.conditions()) {
      if (condition.type() != type) continue;
      return condition.status() == v1::CONDITION_STATUS_TRUE ? "True" : "False";
    }
    return "absent";
  }
  PressureConditions pressure_{absl::Minutes(5)};
  absl::Duration now_ = absl::Hours(1);
};

TEST_F(PressureTest, EveryConditionIsThereFromTheFirstLook) {
  EXPECT_TRUE(Observe({}));
  for (const char* type : {"MemoryPressure", "DiskPressure", "PIDPressure"}) {
    EXPECT_EQ(Status(type), "False");
  }
  EXPECT_FALSE(Observe({}));
  EXPECT_EQ(pressure_.NextChange(), absl::InfiniteDuration());
}

TEST_F(PressureTest, IsSetAtOnceAndTakenBackOnlyAfterTheHold) {
  Observe({});
  EXPECT_TRUE(Observe({kLowMemory}));
  EXPECT_EQ(Status("MemoryPressure"), "True");
  EXPECT_EQ(Status("DiskPressure"), "False");
  const absl::Time since =
      absl::FromUnixSeconds(pressure_.conditions()[0].last_transition_time().seconds());
  now_ += absl::Minutes(4);
  EXPECT_FALSE(Observe({kLowMemory})) << "still short: the hold begins anew";
  now_ += absl::Minutes(4);
  EXPECT_FALSE(Observe({}));
  EXPECT_EQ(Status("MemoryPressure"), "True");
  EXPECT_EQ(pressure_.NextChange(), now_ + absl::Minutes(1));
  now_ += absl::Minutes(1);
  EXPECT_TRUE(Observe({}));
  EXPECT_EQ(Status("MemoryPressure"), "False");
  EXPECT_GT(absl::FromUnixSeconds(pressure_.conditions()[0].last_transition_time().seconds()),
            since);
}

TEST_F(PressureTest, SaysWhatIsShort) {
  Observe({kLowMemory, kLowDisk});
  EXPECT_EQ(pressure_.conditions()[0].message(),
            "memory.available is 40Mi, the threshold is 100Mi.");
  EXPECT_EQ(pressure_.conditions()[0].reason(), "NodeHasInsufficientMemory");
  EXPECT_EQ(pressure_.conditions()[1].reason(), "NodeHasDiskPressure");
}

}  // namespace
}  // namespace cluster::node
