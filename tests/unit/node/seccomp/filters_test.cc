#include "node/seccomp/filters.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FiltersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = (fs::temp_directory_path() / "filters-XXXXXX").string();
    ASSERT_NE(mkdtemp(base_.data()), nullptr);
    fs::create_directories(base_ + "/seccomp/team");
  }
  void TearDown() override { fs::remove_all(base_); }
  void Write(const std::string& path, const std::string& text) {
    std::ofstream(base_ + "/" + path) << text;
  }
  std::string Refusal(const std::string& profile) {
    const auto filter = filters().For(profile, 0);
    EXPECT_FALSE(filter.ok()) << profile;
    return std::string(filter.status().message());
  }
  SyscallFilters& filters() {
    if (filters_ == nullptr) filters_ = std::make_unique<SyscallFilters>(base_ + "/seccomp");
    return *filters_;
  }

  std::string base_;
  std::unique_ptr<SyscallFilters> filters_;
};

TEST_F(FiltersTest, DependOnCapabilities) {
  const std::string plain = filters().For("", 0x800405fb).value();
  EXPECT_EQ(plain.size() % sizeof(sock_filter), 0u);
  EXPECT_EQ(filters().For("", 0x800405fb).value(), plain);
  EXPECT_NE(filters().For("", ~uint64_t{0}).value(), plain);
  EXPECT_EQ(filters().For("unconfined", 0).value(), "");
}

TEST_F(FiltersTest, ComeFromFilesAndFollowTheirChanges) {
  Write("seccomp/team/a.json", R"({"defaultAction": "SCMP_ACT_ALLOW"})");
  const std::string before = filters().For("localhost/team/a.json", 0).value();
  Write(
      "seccomp/team/a.json",
      R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "chmod", "action": "SCMP_ACT_ERRNO"}]})");
  EXPECT_NE(filters().For("localhost/team/a.json", 0).value(), before);
}

TEST_F(FiltersTest, NothingOutsideOfTheirDirectoryIsRead) {
  Write("outside.json", R"({"defaultAction": "SCMP_ACT_ALLOW"})");
  fs::create_symlink("../outside.json", base_ + "/seccomp/link.json");
  fs::create_symlink(base_, base_ + "/seccomp/up");
  fs::create_directory(base_ + "/seccomp/dir.json");
  for (const std::string& path :
       {std::string("../outside.json"), std::string("team/../../outside.json"),
        std::string("link.json"), std::string("up/outside.json"), base_ + "/outside.json",
        std::string("dir.json"), std::string("")}) {
    EXPECT_THAT(Refusal("localhost/" + path), HasSubstr("seccomp profile " + path)) << path;
  }
  EXPECT_THAT(Refusal("outside.json"), HasSubstr("there is no seccomp profile"));
}

TEST_F(FiltersTest, SayWhatIsWrongWithAFile) {
  EXPECT_THAT(Refusal("localhost/missing.json"), HasSubstr("ENOENT"));
  Write("seccomp/bad.json", R"({"defaultAction": "SCMP_ACT_ALLOW", "sycalls": []})");
  EXPECT_EQ(Refusal("localhost/bad.json"),
            "seccomp profile bad.json: sycalls: this field is not known or not supported");
}

}  // namespace
}  // namespace cluster::node
