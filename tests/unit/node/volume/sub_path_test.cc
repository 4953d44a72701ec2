#include "node/volume/sub_path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SubPath : public ::testing::Test {
 protected:
  SubPath() {
    std::string pattern = fs::temp_directory_path() / "sub-path-XXXXXX";
    base_ = mkdtemp(pattern.data());
    fs::create_directories(base_ + "/volume/dir");
    fs::create_directories(base_ + "/outside");
    EXPECT_TRUE(WriteFileDurably(base_ + "/volume/file", "x").ok());
    root_ = *OpenAt(AT_FDCWD, base_ + "/volume", O_RDONLY | O_DIRECTORY);
  }
  ~SubPath() override { fs::remove_all(base_); }

  absl::StatusOr<UniqueFd> Open(const std::string& path, bool make = true) {
    std::optional<PathOwner> owner;
    if (make) owner = PathOwner{getuid(), getgid()};
    return OpenSubPath(root_.get(), path, owner);
  }
  // Where a descriptor leads, as the kernel knows it.
  static std::string PathOf(const UniqueFd& fd) {
    return fs::read_symlink(absl::StrCat("/proc/self/fd/", fd.get()));
  }

  std::string base_;
  UniqueFd root_;
};

TEST_F(SubPath, OpensWhatIsThere) {
  EXPECT_EQ(PathOf(*Open("dir")), base_ + "/volume/dir");
  EXPECT_EQ(PathOf(*Open("file", false)), base_ + "/volume/file");
}

TEST_F(SubPath, MakesWhatIsMissingWithTheModeOfTheVolume) {
  ASSERT_EQ(chmod((base_ + "/volume").c_str(), 02777), 0);
  EXPECT_EQ(PathOf(*Open("a/b/c")), base_ + "/volume/a/b/c");
  struct stat info {};
  ASSERT_EQ(stat((base_ + "/volume/a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 02777u);
  EXPECT_TRUE(absl::IsNotFound(Open("z", false).status()));
}

TEST_F(SubPath, FollowsLinksThatStayInside) {
  fs::create_symlink("dir", base_ + "/volume/link");
  fs::create_symlink("../volume/dir", base_ + "/volume/around");
  EXPECT_EQ(PathOf(*Open("link/new")), base_ + "/volume/dir/new");
  EXPECT_TRUE(absl::IsFailedPrecondition(Open("around").status()));
}

TEST_F(SubPath, RefusesWhatLeadsOut) {
  fs::create_symlink(base_ + "/outside", base_ + "/volume/absolute");
  fs::create_symlink("../outside", base_ + "/volume/relative");
  fs::create_symlink("../../../../../../../../proc/self/root", base_ + "/volume/magic");
  for (const char* path : {"absolute", "relative", "magic", "absolute/new", "relative/new"}) {
    const absl::Status status = Open(path).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << path << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("leads out of its volume"));
  }
  EXPECT_TRUE(fs::is_empty(base_ + "/outside"));
  for (const char* path : {"", "..", "a/../../b", "/etc", "a//b", "./a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Open(path).status())) << path;
  }
}

TEST_F(SubPath, SaysWhereAFileStandsInTheWay) {
  EXPECT_THAT(std::string(Open("file/below").status().message()),
              HasSubstr("leads through a file of its volume"));
  fs::create_symlink("nowhere", base_ + "/volume/dangling");
  EXPECT_FALSE(Open("dangling").ok());
}

}  // namespace
}  // namespace cluster::node
