#include "node/eviction/thresholds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

NodeNumbers Plenty() {
  NodeNumbers numbers;
  numbers.memory_total = int64_t{8} << 30;
  numbers.memory_available = int64_t{4} << 30;
  numbers.disk_total = 1000;
  numbers.disk_available = 500;
  numbers.inodes_total = 1000;
  numbers.inodes_free = 500;
  numbers.pids_total = 1000;
  numbers.pids_available = 500;
  return numbers;
}

TEST(ParseThresholdsTest, ReadsKubeletsWay) {
  EXPECT_THAT(ParseThresholds("memory.available<100Mi, nodefs.available<10%,"
                              "nodefs.inodesFree<5%,pid.available<10%")
                  .value(),
              DefaultThresholds());
  EXPECT_THAT(
      ParseThresholds("nodefs.available<1Gi,memory.stall>60%,pid.available<100").value(),
      ElementsAre(Threshold{Shortage::kDisk, 1 << 30, 0}, Threshold{Shortage::kMemoryStall, 0, 60},
                  Threshold{Shortage::kPids, 100, 0}));
  EXPECT_THAT(ParseThresholds("").value(), IsEmpty());
}

TEST(ParseThresholdsTest, SaysWhichWordItDidNotUnderstand) {
  for (const char* text : {"memory<1", "memory.available", "memory.available>1Mi",
                           "memory.stall<60%", "memory.stall>60", "nodefs.available<101%",
                           "nodefs.available<-1", "nodefs.available<x", "imagefs.available<1%"}) {
    const auto parsed = ParseThresholds(std::string("pid.available<1%,") + text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(text));
  }
}

TEST(ParseGracesTest, ReadsKubeletsWayAndSaysWhatItDidNotUnderstand) {
  EXPECT_EQ(ParseGraces("memory.available=1m30s, nodefs.available=2m").value(),
            (Graces{{Shortage::kMemory, absl::Seconds(90)}, {Shortage::kDisk, absl::Minutes(2)}}));
  EXPECT_THAT(ParseGraces("").value(), IsEmpty());
  for (const char* text :
       {"memory.available", "memory.available=", "memory.available=x", "memory.available=-1s",
        "memory.available=0s", "memory=1m", "pid.available=1m"}) {
    const auto parsed = ParseGraces(std::string("pid.available=1m,") + text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(text));
  }
}

TEST(SoftenTest, EachThresholdHasAGraceAndEachGraceAThreshold) {
  const auto thresholds = ParseThresholds("memory.available<1Gi").value();
  const auto soft = Soften(thresholds, {{Shortage::kMemory, absl::Minutes(1)}});
  ASSERT_TRUE(soft.ok());
  EXPECT_EQ(soft->front().grace, absl::Minutes(1));
  EXPECT_TRUE(soft->front().soft());
  EXPECT_FALSE(thresholds.front().soft());
  EXPECT_THAT(std::string(Soften(thresholds, {}).status().message()),
              HasSubstr("add memory.available=DURATION to --eviction-soft-grace-period"));
  EXPECT_THAT(std::string(Soften({}, {{Shortage::kDisk, absl::Minutes(1)}}).status().message()),
              HasSubstr("names nodefs.available, for which --eviction-soft has no threshold"));
}

TEST(CrossedThresholdsTest, ASoftOneIsDueWhenItWasCrossedAllTheTime) {
  const Threshold hard{Shortage::kMemory, 100, 0};
  const Threshold soft{Shortage::kMemory, 500, 0, absl::Minutes(1)};
  CrossedThresholds crossed({hard, soft});
  NodeNumbers numbers = Plenty();
  numbers.memory_available = 499;
  EXPECT_THAT(crossed.Due(numbers, absl::Seconds(100)), IsEmpty());
  EXPECT_THAT(crossed.Due(numbers, absl::Seconds(159)), IsEmpty());
  EXPECT_THAT(crossed.Due(Plenty(), absl::Seconds(160)), IsEmpty());
  EXPECT_THAT(crossed.Due(numbers, absl::Seconds(161)), IsEmpty()) << "it begins anew";
  EXPECT_THAT(crossed.Due(numbers, absl::Seconds(221)), ElementsAre(soft));
  numbers.memory_available = 99;
  EXPECT_THAT(crossed.Due(numbers, absl::Seconds(222)), ElementsAre(hard, soft));
}

TEST(BreachesTest, OfAHardAndASoftOneTheHardOneCounts) {
  NodeNumbers numbers = Plenty();
  numbers.memory_available = 99;
  const Threshold hard{Shortage::kMemory, 100, 0};
  const Threshold soft{Shortage::kMemory, 500, 0, absl::Minutes(1)};
  const Breach breach{Shortage::kMemory, 100, 99, false};
  EXPECT_THAT(Breaches({hard, soft}, numbers), ElementsAre(breach));
  EXPECT_THAT(Breaches({soft, hard}, numbers), ElementsAre(breach));
  EXPECT_THAT(Breaches({soft}, numbers), ElementsAre(Breach{Shortage::kMemory, 500, 99, true}));
}

TEST(BreachesTest, NothingIsShortWhereThereIsPlenty) {
  EXPECT_THAT(Breaches(DefaultThresholds(), Plenty()), IsEmpty());
}

TEST(BreachesTest, EachShortageIsSeenAloneAndAtTheThresholdItIsNone) {
  NodeNumbers numbers = Plenty();
  numbers.memory_available = 100 << 20;
  numbers.disk_available = 100;
  EXPECT_THAT(Breaches(DefaultThresholds(), numbers), IsEmpty());
  numbers.memory_available -= 1;
  EXPECT_THAT(Breaches(DefaultThresholds(), numbers),
              ElementsAre(Breach{Shortage::kMemory, 100 << 20, (100 << 20) - 1}));
  numbers = Plenty();
  numbers.disk_available = 99;
  EXPECT_THAT(Breaches(DefaultThresholds(), numbers),
              ElementsAre(Breach{Shortage::kDisk, 100, 99}));
  numbers = Plenty();
  numbers.inodes_free = 49;
  EXPECT_THAT(Breaches(DefaultThresholds(), numbers),
              ElementsAre(Breach{Shortage::kInodes, 50, 49}));
  numbers = Plenty();
  numbers.pids_available = 7;
  EXPECT_THAT(Breaches(DefaultThresholds(), numbers), ElementsAre(Breach{Shortage::kPids, 100, 7}));
}

TEST(BreachesTest, AFileSystemWithoutInodesOfItsOwnIsNeverShortOfThem) {
  NodeNumbers numbers = Plenty();
  numbers.inodes_total = 0;
  numbers.inodes_free = 0;
  EXPECT_THAT(Breaches(DefaultThresholds(), numbers), IsEmpty());
}

TEST(BreachesTest, StallIsCrossedUpwards) {
  const std::vector<Threshold> thresholds = ParseThresholds("memory.stall>60%").value();
  NodeNumbers numbers = Plenty();
  numbers.memory_stall = 60;
  EXPECT_THAT(Breaches(thresholds, numbers), IsEmpty());
  numbers.memory_stall = 61;
  EXPECT_THAT(Breaches(thresholds, numbers), ElementsAre(Breach{Shortage::kMemoryStall, 60, 61}));
}

TEST(BreachesTest, OfTwoThresholdsTheSharperCounts) {
  NodeNumbers numbers = Plenty();
  numbers.disk_available = 50;
  EXPECT_THAT(
      Breaches(ParseThresholds("nodefs.available<10%,nodefs.available<300").value(), numbers),
      ElementsAre(Breach{Shortage::kDisk, 300, 50}));
}

}  // namespace
}  // namespace cluster::node
