#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using ImageTest = CommandTest;

TEST_F(ImageTest, LoadsAFileAsItIs) {
  const std::string bytes(3'000'000, 'i');
  const std::string file = Write("web.tar", bytes);
  const Outcome outcome = Run({"image", "load", file, "--name", "web:1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "loaded web:1 (sha256:abc) on node1, node2\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_EQ(cluster_.loaded_archive(), bytes);
  EXPECT_EQ(cluster_.loaded_header().image_name(), "web:1");
  EXPECT_EQ(cluster_.loaded_header().file_name(), file);
}

TEST_F(ImageTest, LoadsALayoutAsATar) {
  Write("layout/oci-layout", "{}");
  Write("layout/index.json", "{}");
  EXPECT_EQ(Run({"image", "load", folder_ / "layout"}).code, 0);
  EXPECT_EQ(cluster_.loaded_archive().substr(257, 5), "ustar");
}

TEST_F(ImageTest, ARefusalIsTheControllersSentence) {
  const Outcome outcome =
      Run({"image", "load", Write("bad.tar", "bad" + std::string(4'000'000, ' '))});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: bad.tar is not an image archive\n");
}

TEST_F(ImageTest, AFileThatIsNotThereIsNotSent) {
  const Outcome outcome = Run({"image", "load", folder_ / "none.tar"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("error: there is no file "));
}

TEST_F(ImageTest, ListsOneLinePerName) {
  EXPECT_EQ(Run({"image", "ls"}).out,
            "NAME         DIGEST                SIZE     CREATED\n"
            "web:1        sha256:0123456789ab   5.0MiB   <unknown>\n"
            "web:latest   sha256:0123456789ab   5.0MiB   <unknown>\n");
  EXPECT_THAT(Run({"image", "ls", "-o", "json"}).out, HasSubstr("\"digest\": \"sha256:01234567"));
}

}  // namespace
}  // namespace cluster::cli
