#include "node/volume/volume_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"

namespace cluster::node {
namespace {

namespace fs = std::filesystem;

class VolumeFiles : public ::testing::Test {
 protected:
  VolumeFiles() {
    std::string pattern = fs::temp_directory_path() / "volume-files-XXXXXX";
    path_ = mkdtemp(pattern.data());
    dir_ = *OpenAt(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY);
  }
  ~VolumeFiles() override { fs::remove_all(path_); }

  absl::Status Replace(const std::vector<VolumeFile>& files) {
    return ReplaceFiles(dir_.get(), files, {getuid(), getgid()});
  }
  std::string Read(const std::string& file) { return ReadFile(path_ + "/" + file).value_or("-"); }
  std::set<std::string> Names() {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) names.insert(entry.path().filename());
    return names;
  }
  std::string State() { return fs::read_symlink(path_ + "/..data"); }

  std::string path_;
  UniqueFd dir_;
};

TEST_F(VolumeFiles, ShowsFilesThroughOneLink) {
  ASSERT_TRUE(Replace({{"a", "1", 0640}, {"d/e/f", "2", 0755}}).ok());
  EXPECT_EQ(Read("a"), "1");
  EXPECT_EQ(Read("d/e/f"), "2");
  EXPECT_EQ(Names(), (std::set<std::string>{"..data", State(), "a", "d"}));
  EXPECT_EQ(fs::read_symlink(path_ + "/d"), "..data/d");
  struct stat info {};
  ASSERT_EQ(stat((path_ + "/a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(VolumeFiles, TouchesNothingThatIsThere) {
  const std::vector<VolumeFile> files = {{"a", "1", 0644}};
  ASSERT_TRUE(Replace(files).ok());
  struct stat before {};
  ASSERT_EQ(lstat((path_ + "/..data").c_str(), &before), 0);
  ASSERT_TRUE(Replace(files).ok());
  struct stat after {};
  ASSERT_EQ(lstat((path_ + "/..data").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(VolumeFiles, LeavesNothingOfTheStateBefore) {
  ASSERT_TRUE(Replace({{"a", "1", 0644}, {"d/b", "1", 0644}}).ok());
  ASSERT_TRUE(Replace({{"a", "2", 0644}, {"c", "2", 0644}}).ok());
  EXPECT_EQ(Read("a"), "2");
  EXPECT_EQ(Names(), (std::set<std::string>{"..data", State(), "a", "c"}));
  ASSERT_TRUE(Replace({}).ok());
  EXPECT_EQ(Names(), (std::set<std::string>{"..data", State()}));
}

TEST_F(VolumeFiles, AModeOrAnOwnerIsAChangeToo) {
  const std::vector<VolumeFile> files = {{"a", "1", 0644}};
  std::vector<VolumeFile> other = files;
  other[0].mode = 0600;
  EXPECT_NE(DigestOf(files, {0, 0}), DigestOf(other, {0, 0}));
  EXPECT_NE(DigestOf(files, {0, 0}), DigestOf(files, {0, 7}));
  EXPECT_NE(DigestOf({{"ab", "c", 0}}, {}), DigestOf({{"a", "bc", 0}}, {}));
}

TEST_F(VolumeFiles, ClearsUpAfterAnAgentThatDied) {
  const std::vector<VolumeFile> files = {{"a", "1", 0644}};
  // Cut off while the state was written, and again before the old one was taken away.
  const std::string half = absl::StrCat("..", DigestOf(files, {getuid(), getgid()}));
  fs::create_directories(path_ + "/" + half);
  ASSERT_TRUE(WriteFileDurably(path_ + "/" + half + "/a", "torn").ok());
  fs::create_directories(path_ + "/..old/d");
  fs::create_symlink("..old", path_ + "/..data_tmp");
  ASSERT_TRUE(Replace(files).ok());
  EXPECT_EQ(Read("a"), "1");
  EXPECT_EQ(Names(), (std::set<std::string>{"..data", State(), "a"}));
}

// Whatever came before: the directory shows exactly the last files.
TEST_F(VolumeFiles, ShowsTheLastFilesAfterAnyHistory) {
  std::mt19937 random(20261129);
  for (int round = 0; round < 200; ++round) {
    std::map<std::string, VolumeFile> files;
    for (int i = static_cast<int>(random() % 5); i > 0; --i) {
      const std::string path = absl::StrCat(random() % 2 ? "" : "d/", "f", random() % 4);
      files[path] = {path, absl::StrCat(random() % 3), random() % 2 ? 0644u : 0400u};
    }
    std::vector<VolumeFile> list;
    std::set<std::string> names = {"..data"};
    for (const auto& [path, file] : files) {
      list.push_back(file);
      names.insert(path.substr(0, path.find('/')));
    }
    ASSERT_TRUE(Replace(list).ok());
    names.insert(State());
    ASSERT_EQ(Names(), names) << "round " << round;
    for (const VolumeFile& file : list) ASSERT_EQ(Read(file.path), file.content);
  }
}

}  // namespace
}  // namespace cluster::node
