#include "node/oci/cgroup_plan.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "node/oci/cgroup_group.h"

namespace cluster::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

node::CgroupLayout V1() {
  node::CgroupLayout layout;
  for (const char* controller : {"cpu", "cpuset", "memory", "pids", "devices", "blkio", "hugetlb",
                                 "net_cls", "net_prio", "rdma"}) {
    layout.v1.push_back({absl::StrCat("/cg/", controller), {controller}});
  }
  return layout;
}

node::CgroupLayout V2() {
  node::CgroupLayout layout;
  layout.v2_mount_point = "/cg";
  layout.v2_controllers = {"cpu", "cpuset", "memory", "pids", "io", "hugetlb", "rdma"};
  return layout;
}

node::CgroupLayout Hybrid() {
  node::CgroupLayout layout = V1();
  layout.v2_mount_point = "/cg/unified";
  std::erase_if(layout.v1,
                [](const auto& hierarchy) { return hierarchy.controllers[0] == "hugetlb"; });
  layout.v2_controllers = {"hugetlb"};
  return layout;
}

// "memory.max=1", with the other form behind a '|', '?' at the end of optional ones.
std::vector<std::string> Plan(const node::CgroupLayout& layout, const Resources& resources) {
  const auto writes = PlanResources(layout, resources);
  if (!writes.ok()) return {std::string(writes.status().message())};
  std::vector<std::string> lines;
  for (const GroupWrite& write : *writes) {
    std::string line = absl::StrCat(write.file, "=", write.value);
    if (!write.other_file.empty()) {
      absl::StrAppend(&line, "|", write.other_file, "=", write.other_value);
    }
    lines.push_back(line + (write.optional ? "?" : ""));
  }
  return lines;
}

TEST(OciCgroupPlan, NothingAskedIsNothingWritten) {
  EXPECT_THAT(Plan(V1(), {}), ElementsAre());
  EXPECT_THAT(Plan(V2(), {}), ElementsAre());
}

TEST(OciCgroupPlan, MemoryAndSwap) {
  Resources resources;
  resources.memory.limit = 1 << 20;
  resources.memory.swap = 3 << 20;
  resources.memory.reservation = 1 << 19;
  EXPECT_THAT(Plan(V1(), resources),
              ElementsAre("memory.limit_in_bytes=1048576", "memory.memsw.limit_in_bytes=3145728",
                          "memory.soft_limit_in_bytes=524288"));
  EXPECT_THAT(Plan(V2(), resources),
              ElementsAre("memory.max=1048576", "memory.swap.max=2097152", "memory.low=524288"));
}

TEST(OciCgroupPlan, MinusOneTakesLimitsAway) {
  Resources resources;
  resources.memory.limit = -1;
  EXPECT_THAT(Plan(V1(), resources),
              ElementsAre("memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1?"));
  resources.memory.swap = -1;
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("memory.max=max", "memory.swap.max=max?"));
}

TEST(OciCgroupPlan, EqualSwapIsNoSwap) {
  Resources resources;
  resources.memory.limit = resources.memory.swap = 4096;
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("memory.max=4096", "memory.swap.max=0"));
}

TEST(OciCgroupPlan, SwapThatCannotBeCountedIsRefused) {
  Resources resources;
  resources.memory.swap = 4096;
  EXPECT_THAT(Plan(V2(), resources), ElementsAre(HasSubstr("needs memory.limit beside it")));
  resources.memory.limit = 8192;
  EXPECT_THAT(Plan(V2(), resources), ElementsAre(HasSubstr("cannot be below memory.limit")));
}

TEST(OciCgroupPlan, SharesBecomeWeights) {
  const auto weight = [](uint64_t shares) {
    Resources resources;
    resources.cpu.shares = shares;
    return Plan(V2(), resources);
  };
  EXPECT_THAT(weight(0), ElementsAre());
  EXPECT_THAT(weight(2), ElementsAre("cpu.weight=1"));
  EXPECT_THAT(weight(1024), ElementsAre("cpu.weight=100"));
  EXPECT_THAT(weight(2048), ElementsAre("cpu.weight=174"));
  EXPECT_THAT(weight(1 << 20), ElementsAre("cpu.weight=10000"));
  Resources resources;
  resources.cpu.shares = 2048;
  EXPECT_THAT(Plan(V1(), resources), ElementsAre("cpu.shares=2048"));
}

TEST(OciCgroupPlan, QuotaPeriodBurst) {
  Resources resources;
  resources.cpu.quota = 20000;
  resources.cpu.period = 50000;
  resources.cpu.burst = 10000;
  EXPECT_THAT(
      Plan(V1(), resources),
      ElementsAre("cpu.cfs_period_us=50000", "cpu.cfs_burst_us=10000", "cpu.cfs_quota_us=20000"));
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("cpu.max.burst=10000", "cpu.max=20000 50000"));
  Resources unlimited;
  unlimited.cpu.quota = -1;
  EXPECT_THAT(Plan(V1(), unlimited), ElementsAre("cpu.cfs_quota_us=-1"));
  EXPECT_THAT(Plan(V2(), unlimited), ElementsAre("cpu.max=max 100000"));
}

TEST(OciCgroupPlan, PidsOfZeroAndBelowAreUnlimited) {
  Resources resources;
  resources.pids_limit = 7;
  EXPECT_THAT(Plan(V1(), resources), ElementsAre("pids.max=7"));
  resources.pids_limit = 0;
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("pids.max=max"));
  resources.pids_limit = -1;
  EXPECT_THAT(Plan(V1(), resources), ElementsAre("pids.max=max"));
}

TEST(OciCgroupPlan, BlockWeightsHaveTheSchedulersForm) {
  Resources resources;
  resources.block.weight = 500;
  EXPECT_THAT(Plan(V1(), resources), ElementsAre("blkio.weight=500|blkio.bfq.weight=500"));
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("io.bfq.weight=500|io.weight=default 4950"));
}

TEST(OciCgroupPlan, BlockThrottles) {
  Resources resources;
  resources.block.read_bps = {{8, 0, 1000}};
  resources.block.write_iops = {{8, 16, 0}};
  EXPECT_THAT(Plan(V1(), resources), ElementsAre("blkio.throttle.read_bps_device=8:0 1000",
                                                 "blkio.throttle.write_iops_device=8:16 0"));
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("io.max=8:0 rbps=1000", "io.max=8:16 wiops=max"));
}

TEST(OciCgroupPlan, HybridMachinesFindEachControllerWhereItIs) {
  Resources resources;
  resources.pids_limit = 5;
  resources.hugepages = {{"2MB", 4 << 20}};
  const auto writes = PlanResources(Hybrid(), resources);
  ASSERT_TRUE(writes.ok()) << writes.status();
  EXPECT_EQ((*writes)[0], (GroupWrite{"pids", false, "pids.max", "5", "", "", false}));
  EXPECT_EQ((*writes)[1],
            (GroupWrite{"hugetlb", true, "hugetlb.2MB.max", "4194304", "", "", false}));
  EXPECT_EQ((*writes)[2],
            (GroupWrite{"hugetlb", true, "hugetlb.2MB.rsvd.max", "4194304", "", "", true}));
}

TEST(OciCgroupPlan, DeviceRulesKeepTheirOrder) {
  Resources resources;
  resources.devices = {
      {false, 'a', -1, -1, "rwm"}, {true, 'c', 1, 3, "rw"}, {true, 'b', 8, -1, "r"}};
  EXPECT_THAT(Plan(V1(), resources), ElementsAre("devices.deny=a *:* rwm", "devices.allow=c 1:3 rw",
                                                 "devices.allow=b 8:* r"));
  EXPECT_EQ(PlanDeviceProgram(V1(), resources.devices), std::nullopt);
  EXPECT_THAT(Plan(V2(), resources), ElementsAre());
  const node::DeviceRules program = PlanDeviceProgram(V2(), resources.devices).value();
  std::vector<std::string> lines;
  for (const node::DeviceRule& rule : program) {
    lines.push_back((rule.allow ? "+" : "-") + node::DeviceText(rule));
  }
  EXPECT_THAT(lines, ElementsAre("-a *:* rwm", "+c 1:3 rw", "+b 8:* r"));
}

TEST(OciCgroupPlan, AProgramThatAllowsEverythingIsNone) {
  const DeviceRule nothing = {false, 'a', -1, -1, "rwm"};
  const DeviceRule all = {true, 'a', -1, -1, "rwm"};
  const DeviceRule null = {true, 'c', 1, 3, "rwm"};
  EXPECT_EQ(PlanDeviceProgram(V2(), {nothing, all, null}), node::AllDevices());
  EXPECT_NE(PlanDeviceProgram(V2(), {all, nothing, null}), node::AllDevices());
}

TEST(OciCgroupPlan, UnifiedGoesToV2Alone) {
  Resources resources;
  resources.unified = {
      {"memory.high", "100"}, {"io.max", "8:0 rbps=1\n8:16 rbps=2"}, {"cgroup.max.depth", "3"}};
  EXPECT_THAT(Plan(V2(), resources), ElementsAre("cgroup.max.depth=3", "io.max=8:0 rbps=1",
                                                 "io.max=8:16 rbps=2", "memory.high=100"));
  EXPECT_THAT(Plan(V1(), resources), ElementsAre(HasSubstr("linux.resources.unified.cgroup.max")));
  resources.unified = {{"hugetlb.2MB.max", "0"}};
  EXPECT_THAT(Plan(Hybrid(), resources), ElementsAre("hugetlb.2MB.max=0"));
  resources.unified = {{"memory.high", "1"}};
  EXPECT_THAT(Plan(Hybrid(), resources), ElementsAre(HasSubstr("has no controller memory")));
}

TEST(OciCgroupPlan, WhatOneVersionLacksIsRefused) {
  const auto refusal = [](void (*change)(Resources&), const node::CgroupLayout& layout) {
    Resources resources;
    change(resources);
    return Plan(layout, resources);
  };
  EXPECT_THAT(refusal([](Resources& r) { r.memory.swappiness = 1; }, V2()),
              ElementsAre(HasSubstr("memory.swappiness")));
  EXPECT_THAT(refusal([](Resources& r) { r.cpu.realtime_runtime = 1; }, V2()),
              ElementsAre(HasSubstr("cpu.realtimeRuntime")));
  EXPECT_THAT(refusal([](Resources& r) { r.network_class = 1; }, V2()),
              ElementsAre(HasSubstr("cgroup controller net_cls")));
  EXPECT_THAT(refusal([](Resources& r) { r.rdma["mlx5_1"]; }, Hybrid()),
              ElementsAre("rdma.max=mlx5_1"));
}

// Row 25 of the security profile; "/a/../b" never gets here.
TEST(OciCgroupPlan, PathsAreBelowTheRootOrOurOwnGroup) {
  EXPECT_EQ(GroupPathOf("/a//b/", "id"), "/a/b");
  EXPECT_EQ(GroupPathOf("a/b", "id"), "/cluster-oci/a/b");
  EXPECT_EQ(GroupPathOf("", "id"), "/cluster-oci/id");
  EXPECT_EQ(GroupPathOf("/", "id"), "/cluster-oci/id");
}

}  // namespace
}  // namespace cluster::oci
