// Trees on a real disk: what they hold, whom they belong to, how they go.
#include "node/volume/usage.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "node/volume/group.h"
#include "node/volume/remove_tree.h"
#include "tests/root/node/runtime/rootfs_fixture.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

class Trees : public ::testing::Test {
 protected:
  const std::string& base() const { return directory_.path(); }
  DiskUsage Measure(const std::string& path) {
    auto usage = MeasureTree(path);
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.value_or(DiskUsage());
  }
  // A directory so deep that no path leads to its bottom, with a file of a megabyte there.
  void MakeDeepTree(const std::string& path, int depth) {
    fs::create_directories(path);
    UniqueFd at(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int i = 0; i < depth; ++i) {
      ASSERT_EQ(mkdirat(at.get(), "deep", 0755), 0);
      at.reset(openat(at.get(), "deep", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(at.valid());
    }
    const UniqueFd file(openat(at.get(), "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_EQ(fallocate(file.get(), 0, 0, 1 << 20), 0);
  }

  TemporaryDirectory directory_;
};

TEST_F(Trees, CountsBlocksAndNamesOnce) {
  WriteTestFile(base() + "/t/a", std::string(100'000, 'x'));
  fs::create_hard_link(base() + "/t/a", base() + "/t/b");
  fs::create_symlink("/", base() + "/t/out");
  const DiskUsage usage = Measure(base() + "/t");
  EXPECT_GE(usage.bytes, 100'000);
  EXPECT_LT(usage.bytes, 130'000);
  EXPECT_EQ(usage.inodes, 3) << "the directory, the file, the link";
  EXPECT_TRUE(usage.complete);
  EXPECT_EQ(Measure(base() + "/absent").inodes, 0);
}

TEST_F(Trees, CountsWhatLiesDeeperThanAnyPath) {
  MakeDeepTree(base() + "/t", 3000);
  const DiskUsage usage = Measure(base() + "/t");
  EXPECT_GE(usage.bytes, 1 << 20);
  EXPECT_EQ(usage.inodes, 3002);
  EXPECT_TRUE(RemoveTree(base() + "/t").ok());
}

TEST_F(Trees, DoesNotCountOtherFileSystems) {
  ASSERT_EQ(unshare(CLONE_NEWNS), 0);
  ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
  fs::create_directories(base() + "/t/mounted");
  ASSERT_EQ(mount("tmpfs", (base() + "/t/mounted").c_str(), "tmpfs", 0, nullptr), 0);
  WriteTestFile(base() + "/t/mounted/big", std::string(1 << 20, 'x'));
  EXPECT_LT(Measure(base() + "/t").bytes, 1 << 20);
  // Nor does it go with the tree around it.
  EXPECT_FALSE(RemoveTree(base() + "/t").ok());
  EXPECT_TRUE(fs::exists(base() + "/t/mounted/big"));
  ASSERT_EQ(umount((base() + "/t/mounted").c_str()), 0);
  EXPECT_TRUE(RemoveTree(base() + "/t").ok());
}

TEST_F(Trees, TellsVolumesLayersAndLogsOfAPodApart) {
  const std::string pod = base() + "/pod";
  WriteTestFile(pod + "/volumes/cache/x", std::string(50'000, 'x'));
  WriteTestFile(pod + "/containers/web/0.log", std::string(20'000, 'x'));
  WriteTestFile(pod + "/containers/web/0/upper/x", std::string(90'000, 'x'));
  WriteTestFile(pod + "/containers/web/1/upper/x", std::string(10'000, 'x'));
  const auto usage = MeasurePod(pod);
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GE(usage->volumes.at("cache").bytes, 50'000);
  EXPECT_GE(usage->layers.at("web").bytes, 100'000);
  EXPECT_GE(usage->logs.at("web").bytes, 20'000);
  EXPECT_LT(usage->logs.at("web").bytes, 50'000);
  EXPECT_GE(usage->Total().bytes, 170'000);
}

TEST_F(Trees, BelongToAGroupDownToTheBottom) {
  MakeDeepTree(base() + "/t", 300);
  WriteTestFile(base() + "/t/private", "x", 0600);
  WriteTestFile(base() + "/outside", "x", 0600);
  fs::create_symlink(base() + "/outside", base() + "/t/link");
  const UniqueFd root(open((base() + "/t").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_TRUE(GiveToGroup(root.get(), 4242, false).ok());
  struct stat info {};
  ASSERT_EQ(stat((base() + "/t/private").c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, 4242u);
  EXPECT_EQ(info.st_mode & 07777, 0660u);
  ASSERT_EQ(stat((base() + "/t/deep/deep").c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, 4242u);
  EXPECT_EQ(info.st_mode & 07777, 02775u);
  ASSERT_EQ(stat((base() + "/outside").c_str(), &info), 0);
  EXPECT_NE(info.st_gid, 4242u) << "through a link";
  EXPECT_EQ(info.st_mode & 07777, 0600u);

  WriteTestFile(base() + "/t/later", "x", 0600);
  ASSERT_EQ(chown((base() + "/t/later").c_str(), 0, 0), 0);
  ASSERT_TRUE(GiveToGroup(root.get(), 4242, true).ok());
  ASSERT_EQ(stat((base() + "/t/later").c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, 0u) << "the top matched already";
  ASSERT_TRUE(GiveToGroup(root.get(), 4343, true).ok());
  ASSERT_EQ(stat((base() + "/t/later").c_str(), &info), 0);
  EXPECT_EQ(info.st_gid, 4343u);
}

}  // namespace
}  // namespace cluster::node
