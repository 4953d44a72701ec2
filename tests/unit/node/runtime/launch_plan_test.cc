#include "node/runtime/launch_plan.h"

#include <sys/resource.h>

#include <algorithm>

#include "gtest/gtest.h"

namespace cluster::node {
namespace {

class LaunchPlanTest : public ::testing::Test {
 protected:
  LaunchPlanTest() {
    spec_.name = "web";
    spec_.user = "app";
    spec_.rootfs.layers = {"/layers/a"};
    spec_.argv = {"serve"};
    sandbox_.hostname = "web-1";
    inputs_.spec = &spec_;
    inputs_.sandbox = &sandbox_;
    inputs_.skeleton = "/skeleton";
  }

  ContainerSpec spec_;
  SandboxSpec sandbox_;
  LaunchInputs inputs_;
};

TEST_F(LaunchPlanTest, IsStrictWhenNothingIsSaid) {
  const LaunchPlan plan = PlanLaunch(inputs_);
  EXPECT_EQ(plan.flags, init::kNoNewPrivileges);
  EXPECT_EQ(plan.capabilities, kDefaultCapabilities);
  EXPECT_EQ(plan.user, "app");
  EXPECT_FALSE(plan.mounts.masked.empty());
  EXPECT_EQ(plan.layers, (std::vector<std::string>{"/skeleton", "/layers/a"}));
}

TEST_F(LaunchPlanTest, TakesUsersAndGroupsFromTheManifestFirst) {
  spec_.security.uid = 1000;
  spec_.security.gid = 2000;
  spec_.security.supplemental_groups = {3000};
  spec_.security.groups_of_image = false;
  spec_.security.must_not_be_root = true;
  const LaunchPlan plan = PlanLaunch(inputs_);
  EXPECT_EQ(plan.user, "1000");
  EXPECT_EQ(plan.gid, 2000u);
  EXPECT_EQ(plan.groups, std::vector<uint32_t>{3000});
  EXPECT_EQ(plan.flags, init::kNoNewPrivileges | init::kSetGid | init::kOnlyListedGroups |
                            init::kMustNotBeRoot);
}

TEST_F(LaunchPlanTest, SharesProcessesWithThePodOrTheNode) {
  sandbox_.share_process_namespace = true;
  EXPECT_NE(PlanLaunch(inputs_).flags & init::kSharedProcesses, 0u);
  sandbox_.share_process_namespace = false;
  sandbox_.host_pid = true;
  EXPECT_NE(PlanLaunch(inputs_).flags & init::kNodeProcesses, 0u);
}

TEST_F(LaunchPlanTest, GivesAsManyOpenFilesAsTheNodeHasButNoEndlessNumber) {
  EXPECT_TRUE(PlanLaunch(inputs_).limits.empty());
  inputs_.open_files = 4096;
  ASSERT_EQ(PlanLaunch(inputs_).limits.size(), 1u);
  EXPECT_EQ(PlanLaunch(inputs_).limits[0].resource, static_cast<uint32_t>(RLIMIT_NOFILE));
  EXPECT_EQ(PlanLaunch(inputs_).limits[0].soft, 4096u);
  inputs_.open_files = uint64_t{1} << 30;
  EXPECT_EQ(PlanLaunch(inputs_).limits[0].hard, uint64_t{1} << 20);
}

TEST_F(LaunchPlanTest, MovesClocksOnlyWhenAsked) {
  EXPECT_EQ(PlanLaunch(inputs_).flags & init::kTimeNamespace, 0u);
  spec_.time_offsets = TimeOffsets{86400, 10};
  const LaunchPlan plan = PlanLaunch(inputs_);
  EXPECT_NE(plan.flags & init::kTimeNamespace, 0u);
  EXPECT_EQ(plan.boottime_offset, 86400);
  EXPECT_EQ(plan.monotonic_offset, 10);
}

TEST(ListNodeDevices, KnowsTheNullDeviceAndNoPseudoTerminal) {
  const std::vector<PlannedDevice> devices = ListNodeDevices();
  const auto named = [&devices](const std::string& name) {
    return std::any_of(devices.begin(), devices.end(),
                       [&name](const PlannedDevice& device) { return device.name == name; });
  };
  EXPECT_TRUE(named("null"));
  EXPECT_FALSE(named("ptmx"));
  EXPECT_FALSE(named("pts/ptmx"));
}

}  // namespace
}  // namespace cluster::node
