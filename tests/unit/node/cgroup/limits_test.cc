#include "node/cgroup/limits.h"

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

CgroupLayout V1() {
  CgroupLayout layout;
  for (const char* controller : {"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio"}) {
    layout.v1.push_back({absl::StrCat("/sys/fs/cgroup/", controller), {controller}});
  }
  return layout;
}

CgroupLayout Hybrid() {
  CgroupLayout layout = V1();
  layout.v2_mount_point = "/sys/fs/cgroup/unified";
  layout.v2_controllers = {"hugetlb"};
  return layout;
}

CgroupLayout V2() {
  CgroupLayout layout;
  layout.v2_mount_point = "/sys/fs/cgroup";
  layout.v2_controllers = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"};
  return layout;
}

std::string Text(const std::vector<ControlWrite>& writes) {
  std::string text;
  for (const ControlWrite& write : writes) {
    absl::StrAppend(&text, write.controller, write.v2 ? " v2 " : " v1 ", write.file,
                    write.optional ? " ?= " : " = ", write.value, "\n");
  }
  return text;
}

CgroupLimits Everything() {
  CgroupLimits limits;
  limits.cpu_request_milli = 250;
  limits.cpu_limit_milli = 1500;
  limits.memory_request = 64 << 20;
  limits.memory_limit = 128 << 20;
  limits.pids_limit = 512;
  limits.cpuset_cpus = "0-1";
  limits.cpuset_mems = "0";
  limits.oom_kills_group = true;
  return limits;
}

constexpr char kV1Writes[] =
    "cpu v1 cpu.shares = 256\n"
    "cpu v1 cpu.cfs_period_us = 100000\n"
    "cpu v1 cpu.cfs_quota_us = 150000\n"
    "cpu v1 cpu.cfs_burst_us ?= 150000\n"
    "memory v1 memory.limit_in_bytes = 134217728\n"
    "memory v1 memory.memsw.limit_in_bytes ?= 134217728\n"
    "memory v1 memory.soft_limit_in_bytes ?= 67108864\n"
    "pids v1 pids.max = 512\n"
    "cpuset v1 cpuset.cpus = 0-1\n"
    "cpuset v1 cpuset.mems = 0\n";

TEST(PlanWritesTest, V1Golden) { EXPECT_EQ(Text(PlanWrites(V1(), Everything())), kV1Writes); }

TEST(PlanWritesTest, HybridPutsLimitsOnV1) {
  EXPECT_EQ(Text(PlanWrites(Hybrid(), Everything())), kV1Writes);
}

TEST(PlanWritesTest, V2Golden) {
  EXPECT_EQ(Text(PlanWrites(V2(), Everything())),
            "cpu v2 cpu.weight = 35\n"
            "cpu v2 cpu.max = 150000 100000\n"
            "cpu v2 cpu.max.burst ?= 150000\n"
            "memory v2 memory.max = 134217728\n"
            "memory v2 memory.swap.max ?= 0\n"
            "memory v2 memory.low ?= 67108864\n"
            "memory v2 memory.oom.group ?= 1\n"
            "pids v2 pids.max = 512\n"
            "cpuset v2 cpuset.cpus = 0-1\n"
            "cpuset v2 cpuset.mems = 0\n");
}

TEST(PlanWritesTest, WithoutRequestsAndLimitsOnlyTheLeastCpuShareIsSet) {
  EXPECT_EQ(Text(PlanWrites(V1(), {})), "cpu v1 cpu.shares = 2\n");
  EXPECT_EQ(Text(PlanWrites(V2(), {})), "cpu v2 cpu.weight = 1\n");
}

TEST(PlanWritesTest, TinyCpuLimitGetsTheLeastQuotaTheKernelTakes) {
  CgroupLimits limits;
  limits.cpu_limit_milli = 1;
  EXPECT_THAT(Text(PlanWrites(V2(), limits)), ::testing::HasSubstr("cpu.max = 1000 100000"));
}

TEST(PlanWritesTest, ControllerThatIsNowhereIsLeftOut) {
  CgroupLayout layout = V2();
  layout.v2_controllers = {"memory"};
  CgroupLimits limits;
  limits.pids_limit = 5;
  limits.memory_limit = 4096;
  EXPECT_EQ(Text(PlanWrites(layout, limits)),
            "memory v2 memory.max = 4096\nmemory v2 memory.swap.max ?= 0\n");
}

CgroupLimits OnDisk() {
  CgroupLimits limits;
  limits.cpu_request_milli = 1000;
  limits.io_weight = 500;
  limits.io_limits = {{8, 0, 1048576, 0, 0, 100}, {253, 3, 0, 2097152, 50, 0}};
  return limits;
}

TEST(PlanWritesTest, IoOnV1) {
  EXPECT_EQ(Text(PlanWrites(V1(), OnDisk())),
            "cpu v1 cpu.shares = 1024\n"
            "blkio v1 blkio.bfq.weight ?= 136\n"
            "blkio v1 blkio.throttle.read_bps_device = 8:0 1048576\n"
            "blkio v1 blkio.throttle.write_iops_device = 8:0 100\n"
            "blkio v1 blkio.throttle.write_bps_device = 253:3 2097152\n"
            "blkio v1 blkio.throttle.read_iops_device = 253:3 50\n");
}

TEST(PlanWritesTest, IoOnV2) {
  EXPECT_EQ(Text(PlanWrites(V2(), OnDisk())),
            "cpu v2 cpu.weight = 100\n"
            "io v2 io.weight ?= default 500\n"
            "io v2 io.bfq.weight ?= 136\n"
            "io v2 io.max = 8:0 rbps=1048576 wbps=max riops=max wiops=100\n"
            "io v2 io.max = 253:3 rbps=max wbps=2097152 riops=50 wiops=max\n");
}

TEST(PlanWritesTest, HugepagesGoWhereTheControllerIs) {
  CgroupLimits limits;
  limits.hugepages = {{2 << 20, 64 << 20}, {1 << 30, 0}};
  const std::string v2 =
      "hugetlb v2 hugetlb.2MB.max = 67108864\n"
      "hugetlb v2 hugetlb.2MB.rsvd.max ?= 67108864\n"
      "hugetlb v2 hugetlb.1GB.max = 0\n"
      "hugetlb v2 hugetlb.1GB.rsvd.max ?= 0\n";
  EXPECT_EQ(Text(PlanWrites(V2(), limits)), "cpu v2 cpu.weight = 1\n" + v2);
  EXPECT_EQ(Text(PlanWrites(Hybrid(), limits)), "cpu v1 cpu.shares = 2\n" + v2);
  CgroupLayout v1 = V1();
  v1.v1.push_back({"/sys/fs/cgroup/hugetlb", {"hugetlb"}});
  EXPECT_EQ(Text(PlanWrites(v1, limits)),
            "cpu v1 cpu.shares = 2\n"
            "hugetlb v1 hugetlb.2MB.limit_in_bytes = 67108864\n"
            "hugetlb v1 hugetlb.2MB.rsvd.limit_in_bytes ?= 67108864\n"
            "hugetlb v1 hugetlb.1GB.limit_in_bytes = 0\n"
            "hugetlb v1 hugetlb.1GB.rsvd.limit_in_bytes ?= 0\n");
}

TEST(PlanWritesTest, UnlimitedTakesLimitsAway) {
  CgroupLimits limits;
  limits.cpu_limit_milli = kUnlimited;
  limits.memory_limit = kUnlimited;
  EXPECT_EQ(Text(PlanWrites(V1(), limits)),
            "cpu v1 cpu.shares = 2\n"
            "cpu v1 cpu.cfs_quota_us = -1\n"
            "memory v1 memory.memsw.limit_in_bytes ?= -1\n"
            "memory v1 memory.limit_in_bytes = -1\n");
  EXPECT_EQ(Text(PlanWrites(V2(), limits)),
            "cpu v2 cpu.weight = 1\n"
            "cpu v2 cpu.max = max\n"
            "memory v2 memory.swap.max ?= max\n"
            "memory v2 memory.max = max\n");
}

TEST(PlanWritesTest, MemoryHighIsSetOnlyWhenItIsAskedForAndOnlyOnV2) {
  CgroupLimits limits;
  limits.memory_high = 1 << 20;
  EXPECT_THAT(Text(PlanWrites(V2(), limits)), ::testing::HasSubstr("memory.high = 1048576\n"));
  EXPECT_THAT(Text(PlanWrites(V1(), limits)), ::testing::Not(::testing::HasSubstr("memory")));
  EXPECT_THAT(Text(PlanWrites(V2(), Everything())),
              ::testing::Not(::testing::HasSubstr("memory.high")));
}

TEST(BfqWeightTest, StretchesTheScaleAboveTheDefault) {
  EXPECT_EQ(BfqWeightOf(1), 1);
  EXPECT_EQ(BfqWeightOf(50), 50);
  EXPECT_EQ(BfqWeightOf(100), 100);
  EXPECT_EQ(BfqWeightOf(500), 136);
  EXPECT_EQ(BfqWeightOf(10000), 1000);
}

TEST(CpuSharesTest, FollowKubernetesRule) {
  EXPECT_EQ(CpuSharesOf(0), 2);
  EXPECT_EQ(CpuSharesOf(1), 2);
  EXPECT_EQ(CpuSharesOf(100), 102);
  EXPECT_EQ(CpuSharesOf(1000), 1024);
  EXPECT_EQ(CpuSharesOf(1'000'000), 262144);
}

TEST(CpuWeightTest, MatchesThePublishedSamples) {
  const std::pair<int64_t, int64_t> samples[] = {
      {0, 1},      {2, 1},      {10, 4},     {100, 17},   {128, 21},     {256, 35},      {512, 59},
      {1024, 100}, {2048, 174}, {4096, 303}, {8192, 532}, {65536, 3023}, {262144, 10000}};
  for (const auto& [shares, weight] : samples) EXPECT_EQ(CpuWeightOf(shares), weight) << shares;
}

TEST(CpuWeightTest, NeverFallsWhenSharesGrow) {
  int64_t before = 0;
  for (int64_t shares = 2; shares <= 262144; shares += 13) {
    const int64_t weight = CpuWeightOf(shares);
    EXPECT_GE(weight, before);
    before = weight;
  }
}

}  // namespace
}  // namespace cluster::node
