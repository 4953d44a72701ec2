#include "gmock/gmock.h"

#include "base/file.h"
#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CopyTest : public CommandTest {
 protected:
  CopyTest() { PutWithStatus(PodManifest("web-1"), kReady); }
};

TEST_F(CopyTest, AFileGoesUpUnderItsNewName) {
  const std::string path = Write("notes.txt", "hello");
  const Outcome outcome = Run({"cp", path, "web-1:/srv/here.txt"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(cluster_.last_exec().command(), ElementsAre("tar", "-xmf", "-", "-C", "/srv"));
  EXPECT_EQ(cluster_.last_exec().container(), "main");
  const std::string tar = cluster_.taken_tar();
  EXPECT_THAT(tar, testing::StartsWith(std::string("here.txt\0", 9)));
  EXPECT_THAT(tar, HasSubstr("hello"));
}

TEST_F(CopyTest, IntoADirectoryItGoesUnderItsOwn) {
  const std::string path = Write("notes.txt", "hello");
  const Outcome outcome = Run({"cp", "--no-preserve", path, "default/web-1:/directory"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(cluster_.last_exec().command(),
              ElementsAre("tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-", "-C",
                          "/directory"));
  EXPECT_THAT(cluster_.taken_tar(), testing::StartsWith(std::string("notes.txt\0", 10)));
}

TEST_F(CopyTest, WhatWentUpComesDownAgain) {
  Write("notes.txt", "hello");
  ASSERT_EQ(Run({"cp", (folder_ / "notes.txt").string(), "web-1:/srv/here.txt"}).code, 0);
  cluster_.SetTar(cluster_.taken_tar());
  const std::string to = (folder_ / "back.txt").string();
  const Outcome outcome = Run({"cp", "web-1:/srv/here.txt", to, "-c", "main"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(cluster_.last_exec().command(),
              ElementsAre("tar", "cf", "-", "-C", "/srv", "./here.txt"));
  EXPECT_EQ(ReadFile(to).value(), "hello");
}

TEST_F(CopyTest, WhatTheContainerSaysIsPassedOn) {
  const Outcome outcome = Run({"cp", "web-1:/srv/absent", folder_.string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "error: tar in the container ended with exit code 2: tar: ./absent: No such file or "
            "directory\n");
}

TEST_F(CopyTest, Refusals) {
  EXPECT_EQ(Run({"cp"}).code, 2);
  EXPECT_EQ(Run({"cp", "a", "b"}).code, 2);
  EXPECT_EQ(Run({"cp", "web-1:/a", "web-1:/b"}).code, 2);
  EXPECT_EQ(Run({"cp", ":/a", "b"}).code, 2);
  EXPECT_EQ(Run({"cp", "a/b/c:/x", "b"}).code, 2);
  const Outcome absent = Run({"cp", (folder_ / "absent").string(), "web-1:/srv"});
  EXPECT_EQ(absent.code, 1);
  EXPECT_THAT(absent.err, HasSubstr("absent does not exist on this machine"));
}

}  // namespace
}  // namespace cluster::cli
