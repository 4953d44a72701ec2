#include "node/eviction/ranking.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;

Candidate Pod(const std::string& uid, int64_t used, int64_t requested, int32_t priority = 0) {
  Candidate candidate;
  candidate.uid = uid;
  candidate.priority = priority;
  candidate.memory = used;
  candidate.memory_request = requested;
  return candidate;
}

std::vector<std::string> Order(Shortage shortage, std::vector<Candidate> candidates) {
  std::vector<std::string> uids;
  for (const Candidate& candidate : RankForEviction(shortage, std::move(candidates))) {
    uids.push_back(candidate.uid);
  }
  return uids;
}

TEST(RankForEvictionTest, OverTheRequestThenPriorityThenTheMostOver) {
  EXPECT_THAT(
      Order(Shortage::kMemory, {Pod("guaranteed", 500, 500), Pod("within", 10, 100, -5),
                                Pod("important", 900, 0, 100), Pod("best-effort", 300, 0),
                                Pod("burstable", 400, 200), Pod("unimportant", 101, 100, -1)}),
      ElementsAre("unimportant", "best-effort", "burstable", "important", "within", "guaranteed"));
}

TEST(RankForEvictionTest, DoesNotDependOnTheOrderOfTheInput) {
  std::vector<Candidate> pods;
  for (int i = 0; i < 20; ++i) {
    pods.push_back(Pod("pod-" + std::to_string(i), i % 3 * 100, i % 2 * 100, i % 4));
  }
  const std::vector<std::string> expected = Order(Shortage::kMemory, pods);
  std::minstd_rand random(1);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(pods.begin(), pods.end(), random);
    EXPECT_EQ(Order(Shortage::kMemory, pods), expected);
  }
}

TEST(RankForEvictionTest, EachShortageLooksAtItsOwnUse) {
  Candidate disk = Pod("disk", 0, 0);
  disk.disk = 100;
  disk.disk_request = 50;
  Candidate inodes = Pod("inodes", 0, 0);
  inodes.inodes = 100;
  Candidate pids = Pod("pids", 0, 0);
  pids.pids = 100;
  const std::vector<Candidate> pods = {disk, inodes, pids};
  EXPECT_EQ(Order(Shortage::kDisk, pods)[0], "disk");
  EXPECT_EQ(Order(Shortage::kInodes, pods)[0], "inodes");
  EXPECT_EQ(Order(Shortage::kPids, pods)[0], "pids");
}

TEST(EvictionMessageTest, NamesResourceThresholdAndUse) {
  EXPECT_EQ(
      EvictionMessage({Shortage::kMemory, 100 << 20, 40 << 20}, Pod("a", 300 << 20, 64 << 20)),
      "The node was low on resource: memory. Threshold quantity: 100Mi, available: 40Mi. The "
      "pod was using 300Mi, its request is 64Mi.");
  Candidate pod = Pod("a", 1 << 20, 0);
  pod.pids = 500;
  EXPECT_EQ(EvictionMessage({Shortage::kPids, 100, 3}, pod),
            "The node was low on resource: pids. Threshold quantity: 100, available: 3. The pod "
            "was using 500.");
  EXPECT_EQ(EvictionMessage({Shortage::kMemoryStall, 60, 80}, pod),
            "The node was low on resource: memory. Threshold quantity: 60%, stalled: 80%. The pod "
            "was using 1Mi, its request is 0.");
}

}  // namespace
}  // namespace cluster::node
