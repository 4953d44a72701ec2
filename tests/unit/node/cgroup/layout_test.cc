#include "node/cgroup/layout.h"

#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kHybrid[] =
    R"(23 28 0:21 / / rw,relatime - ext4 /dev/vda rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:6 master:1 - cgroup2 cgroup2 rw,nsdelegate
)";

TEST(ParseCgroupMountsTest, FindsBothVersionsOfAHybridMachine) {
  const CgroupLayout layout = ParseCgroupMounts(kHybrid);
  EXPECT_THAT(layout.v1, ElementsAre(V1Hierarchy{"/sys/fs/cgroup/cpu,cpuacct", {"cpu", "cpuacct"}},
                                     V1Hierarchy{"/sys/fs/cgroup/memory", {"memory"}}));
  EXPECT_THAT(layout.named, ElementsAre(NamedHierarchy{"/sys/fs/cgroup/systemd", "systemd"}));
  EXPECT_EQ(layout.v2_mount_point, "/sys/fs/cgroup/unified");
  EXPECT_EQ(layout.Version(), "hybrid");
  EXPECT_EQ(layout.V1Of("cpuacct"), &layout.v1[0]);
  EXPECT_EQ(layout.V1Of("pids"), nullptr);
}

TEST(ParseCgroupMountsTest, FindsAPureV2Machine) {
  const CgroupLayout layout = ParseCgroupMounts(
      "26 25 0:24 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
  EXPECT_THAT(layout.v1, IsEmpty());
  EXPECT_EQ(layout.v2_mount_point, "/sys/fs/cgroup");
  EXPECT_EQ(layout.Version(), "v2");
}

TEST(ParseCgroupMountsTest, PrefersAMountOfTheWholeHierarchy) {
  const CgroupLayout layout = ParseCgroupMounts(
      R"(50 23 0:32 /box /box/memory rw - cgroup cgroup rw,memory
51 23 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
52 23 0:38 /box /box/unified rw - cgroup2 cgroup2 rw
)");
  EXPECT_EQ(layout.V1Of("memory")->mount_point, "/sys/fs/cgroup/memory");
  EXPECT_EQ(layout.v2_mount_point, "/box/unified");
}

TEST(ParseCgroupMountsTest, ReadsEscapedMountPoints) {
  const CgroupLayout layout =
      ParseCgroupMounts("50 23 0:32 / /a\\040b\\134c rw - cgroup cgroup rw,memory\n");
  EXPECT_EQ(layout.v1.at(0).mount_point, "/a b\\c");
}

TEST(ParseCgroupMountsTest, IgnoresWhatIsNoCgroupMountOrCut) {
  const CgroupLayout layout =
      ParseCgroupMounts("\n50 23 0:32\n51 23 0:32 / /x rw -\n52 1 0:1 / /y rw - tmpfs t rw,memory");
  EXPECT_THAT(layout.v1, IsEmpty());
  EXPECT_EQ(layout.v2_mount_point, "");
}

TEST(ReadHugepagesTest, ListsThePoolsThatHavePagesSmallestFirst) {
  const std::filesystem::path top =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("hugepages-", ::getpid());
  const std::pair<const char*, const char*> pools[] = {
      {"hugepages-1048576kB", "2\n"}, {"hugepages-2048kB", "16\n"}, {"hugepages-64kB", "0\n"}};
  for (const auto& [name, count] : pools) {
    std::filesystem::create_directories(top / name);
    ASSERT_EQ(WriteFileDurably((top / name / "nr_hugepages").string(), count), absl::OkStatus());
  }
  EXPECT_THAT(ReadHugepages(top.string()),
              ElementsAre(HugepagePool{2 << 20, 16}, HugepagePool{1 << 30, 2}));
  std::filesystem::remove_all(top);
  EXPECT_THAT(ReadHugepages(top.string()), IsEmpty());
}

}  // namespace
}  // namespace cluster::node
