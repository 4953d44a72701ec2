#include "base/file.h"

#include <fcntl.h>
#include <stdlib.h>

#include <filesystem>

#include "gtest/gtest.h"

namespace cluster {
namespace {

class FileTest : public testing::Test {
 protected:
  FileTest() {
    char path[] = "/tmp/cluster-file-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~FileTest() override { std::filesystem::remove_all(directory_); }
  std::string directory_;
};

TEST_F(FileTest, DurableWriteReplacesTheWholeContent) {
  const std::string path = directory_ + "/state";
  ASSERT_TRUE(WriteFileDurably(path, "a long first content").ok());
  ASSERT_TRUE(WriteFileDurably(path, "short").ok());
  EXPECT_EQ(ReadFile(path).value(), "short");
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
}

TEST_F(FileTest, ReadRefusesWhatIsLargerThanTheLimit) {
  const std::string path = directory_ + "/big";
  ASSERT_TRUE(WriteFileDurably(path, std::string(100, 'x')).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(path, 99).status()));
  EXPECT_EQ(ReadFile(path, 100).value().size(), 100u);
}

TEST_F(FileTest, MakeDirectoriesIsIdempotentAndRefusesAFile) {
  EXPECT_TRUE(MakeDirectories(directory_ + "/a/b/c").ok());
  EXPECT_TRUE(MakeDirectories(directory_ + "/a/b/c").ok());
  ASSERT_TRUE(WriteFileDurably(directory_ + "/f", "").ok());
  EXPECT_FALSE(MakeDirectories(directory_ + "/f").ok());
}

TEST_F(FileTest, ControlWriteNeverCreates) {
  EXPECT_TRUE(absl::IsNotFound(WriteControlAt(AT_FDCWD, directory_ + "/absent", "1")));
}

}  // namespace
}  // namespace cluster
