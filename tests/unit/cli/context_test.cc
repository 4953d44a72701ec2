#include "cli/context.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::cli {
namespace {

class ContextTest : public testing::Test {
 protected:
  ContextTest() {
    std::string name = testing::TempDir() + "/contextXXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ + "/deep/contexts.yaml";
  }
  ~ContextTest() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  std::string path_;
};

TEST_F(ContextTest, AMissingFileKnowsNothing) {
  const auto contexts = LoadContexts(path_);
  ASSERT_TRUE(contexts.ok()) << contexts.status();
  EXPECT_EQ(contexts->current, "");
  EXPECT_TRUE(contexts->contexts.empty());
}

TEST_F(ContextTest, KeepsWhatWasSetAndForgetsWhatWasRemoved) {
  ASSERT_TRUE(SetCurrentContext(path_, "dev", {"unix:/run/dev.sock"}).ok());
  ASSERT_TRUE(SetCurrentContext(path_, "on", {"127.0.0.1:7000"}).ok());
  auto contexts = LoadContexts(path_);
  ASSERT_TRUE(contexts.ok()) << contexts.status();
  EXPECT_EQ(contexts->current, "on");
  EXPECT_EQ(contexts->contexts["dev"].server, "unix:/run/dev.sock");
  ASSERT_TRUE(RemoveContext(path_, "on").ok());
  ASSERT_TRUE(RemoveContext(path_, "never there").ok());
  contexts = LoadContexts(path_);
  ASSERT_TRUE(contexts.ok()) << contexts.status();
  EXPECT_EQ(contexts->current, "");
  EXPECT_EQ(contexts->contexts.size(), 1u);
}

TEST_F(ContextTest, OnlyTheUserReadsTheFile) {
  ASSERT_TRUE(SetCurrentContext(path_, "dev", {"unix:/x"}).ok());
  struct stat stat {};
  ASSERT_EQ(::stat(path_.c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 0777, 0600u);
}

TEST_F(ContextTest, ConcurrentWritersLoseNothing) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i] {
      EXPECT_TRUE(SetCurrentContext(path_, absl::StrCat("c", i), {"unix:/x"}).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto contexts = LoadContexts(path_);
  ASSERT_TRUE(contexts.ok()) << contexts.status();
  EXPECT_EQ(contexts->contexts.size(), 8u);
}

TEST_F(ContextTest, SaysWhereAFileIsNotOfTheForm) {
  const auto refused = [this](const std::string& text) {
    const std::string file = folder_ + "/bad.yaml";
    EXPECT_TRUE(WriteFileDurably(file, text).ok());
    return std::string(LoadContexts(file).status().message());
  };
  EXPECT_THAT(refused("contexts:\n  dev: {port: 3}\n"),
              testing::HasSubstr("bad.yaml:2:8: a context needs a server"));
  EXPECT_THAT(refused("- a\n"), testing::HasSubstr("bad.yaml:1:1: expected a map"));
  EXPECT_THAT(refused("a: [\n"), testing::HasSubstr("bad.yaml:2:1: "));
}

}  // namespace
}  // namespace cluster::cli
