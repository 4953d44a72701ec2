#include "node/volume/project_quota.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/root/node/runtime/rootfs_fixture.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMebibyte = 1 << 20;
constexpr uid_t kSomebody = 1234;

class ProjectQuota : public ::testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd probe = Directory("probe");
    const auto limited = LimitSpace({probe.get()}, kMebibyte);
    ASSERT_TRUE(limited.ok()) << limited.status();
    if (!*limited) GTEST_SKIP() << "the file system keeps no project quotas";
  }
  UniqueFd Directory(const std::string& name) {
    const std::string path = directory_.path() + "/" + name;
    fs::create_directory(path);
    EXPECT_EQ(chown(path.c_str(), kSomebody, kSomebody), 0);
    return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  // What somebody without the right to pass over limits could write there, up to 8 MiB; -1 when it
  // ended for another reason than the limit.
  int64_t Writes(const UniqueFd& directory, const std::string& name) {
    const pid_t child = fork();
    if (child == 0) {
      if (setgid(kSomebody) != 0 || setuid(kSomebody) != 0) _exit(255);
      const int fd = openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
      static const char kBlock[64 << 10] = {1};
      for (int blocks = 0; blocks < 128; ++blocks) {
        const ssize_t written = write(fd, kBlock, sizeof kBlock);
        if (written < 0 && errno != EDQUOT) _exit(255);
        if (written < static_cast<ssize_t>(sizeof kBlock)) _exit(blocks);
      }
      _exit(128);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status) * (kMebibyte / 16);
  }

  TemporaryDirectory directory_;
};

TEST_F(ProjectQuota, EndsWhoWritesMore) {
  const UniqueFd one = Directory("one");
  const UniqueFd other = Directory("other");
  ASSERT_TRUE(*LimitSpace({one.get()}, 2 * kMebibyte));
  const int64_t written = Writes(one, "file");
  EXPECT_LE(written, 2 * kMebibyte);
  EXPECT_GT(written, kMebibyte);
  EXPECT_EQ(Writes(other, "file"), 8 * kMebibyte) << "the control";
}

TEST_F(ProjectQuota, HoldsForEverythingBelow) {
  const UniqueFd one = Directory("one");
  ASSERT_TRUE(*LimitSpace({one.get()}, 2 * kMebibyte));
  const UniqueFd below = Directory("one/below");
  EXPECT_LE(Writes(below, "file"), 2 * kMebibyte);
}

TEST_F(ProjectQuota, CountsSeveralDirectoriesTogether) {
  const UniqueFd one = Directory("one");
  const UniqueFd two = Directory("two");
  ASSERT_TRUE(*LimitSpace({one.get(), two.get()}, 2 * kMebibyte));
  EXPECT_LE(Writes(one, "file") + Writes(two, "file"), 2 * kMebibyte);
  // As overlayfs moves them.
  EXPECT_EQ(renameat(one.get(), "file", two.get(), "moved"), 0);
}

TEST_F(ProjectQuota, GrowsWithItsContent) {
  const UniqueFd one = Directory("one");
  ASSERT_TRUE(*LimitSpace({one.get()}, kMebibyte));
  const int64_t before = Writes(one, "file");
  ASSERT_TRUE(*LimitSpace({one.get()}, 4 * kMebibyte));
  EXPECT_GT(Writes(one, "file"), 2 * kMebibyte);
  EXPECT_LE(before, kMebibyte);
}

// The number of a directory that is gone is soon another one's.
TEST_F(ProjectQuota, IsFreshForANewDirectoryOfTheSameNumber) {
  for (int round = 0; round < 3; ++round) {
    const UniqueFd one = Directory("one");
    ASSERT_TRUE(*LimitSpace({one.get()}, 2 * kMebibyte));
    EXPECT_GT(Writes(one, "file"), kMebibyte) << round;
    fs::remove_all(directory_.path() + "/one");
  }
}

}  // namespace
}  // namespace cluster::node
