#include "cli/local/groups.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ParseCgroupMounts, FindsBothVersionsOfAHybridMachine) {
  const CgroupMounts mounts = ParseCgroupMounts(
      "24 1 0:21 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
      "25 24 0:22 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
      "26 24 0:23 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory\n"
      "27 24 0:24 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(mounts.v2, "/sys/fs/cgroup/unified");
  EXPECT_THAT(mounts.v1, ElementsAre("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory"));
}

TEST(ParseCgroupMounts, LeavesOutViewsOfASubtree) {
  const CgroupMounts mounts = ParseCgroupMounts(
      "30 24 0:24 /user.slice /mnt/c rw - cgroup2 cgroup2 rw\n"
      "31 24 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\nmalformed\n\n");
  EXPECT_EQ(mounts.v2, "/sys/fs/cgroup");
  EXPECT_THAT(mounts.v1, IsEmpty());
}

}  // namespace
}  // namespace cluster::cli
