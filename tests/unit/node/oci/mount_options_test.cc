#include "node/oci/mount_options.h"

#include <sys/mount.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::oci {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

MountOptions Parse(const std::string& type, std::vector<std::string> options) {
  Mount mount;
  mount.destination = "/x";
  mount.type = type;
  mount.source = "/source";
  mount.options = std::move(options);
  auto parsed = ParseMountOptions(mount);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(MountOptions());
}

TEST(OciMountOptions, SortsWordsByWhomTheyAreFor) {
  const MountOptions options = Parse("tmpfs", {"nosuid", "noexec", "nodev", "ro", "size=64m",
                                               "mode=1777", "sync", "rshared", "private"});
  EXPECT_EQ(options.set, static_cast<uint64_t>(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC |
                                               MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY));
  EXPECT_THAT(options.data,
              ElementsAre(Pair("size", "64m"), Pair("mode", "1777"), Pair("sync", "")));
  EXPECT_THAT(options.propagation, ElementsAre(MS_SHARED | MS_REC, MS_PRIVATE));
  EXPECT_FALSE(options.bind);
}

TEST(OciMountOptions, LaterWordsWin) {
  const MountOptions options = Parse("tmpfs", {"ro", "nosuid", "rw", "suid", "nosuid"});
  EXPECT_EQ(options.set, static_cast<uint64_t>(MOUNT_ATTR_NOSUID));
  EXPECT_EQ(options.cleared, static_cast<uint64_t>(MOUNT_ATTR_RDONLY));
}

TEST(OciMountOptions, AccessTimesAreOneChoice) {
  EXPECT_EQ(Parse("tmpfs", {"noatime", "strictatime"}).set,
            static_cast<uint64_t>(MOUNT_ATTR_STRICTATIME));
  const MountOptions relative = Parse("tmpfs", {"noatime", "relatime"});
  EXPECT_EQ(relative.set, 0u);
  EXPECT_EQ(relative.cleared, static_cast<uint64_t>(MOUNT_ATTR__ATIME));
  EXPECT_EQ(Parse("tmpfs", {"noatime", "nodiratime"}).set,
            static_cast<uint64_t>(MOUNT_ATTR_NOATIME | MOUNT_ATTR_NODIRATIME));
}

TEST(OciMountOptions, RecursiveWordsReachTheMountsBelow) {
  const MountOptions options = Parse("bind", {"rbind", "rro", "rnosuid", "rexec", "ro"});
  EXPECT_TRUE(options.bind);
  EXPECT_TRUE(options.recursive);
  EXPECT_EQ(options.recursively_set, static_cast<uint64_t>(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID));
  EXPECT_EQ(options.recursively_cleared, static_cast<uint64_t>(MOUNT_ATTR_NOEXEC));
  EXPECT_EQ(options.set, static_cast<uint64_t>(MOUNT_ATTR_RDONLY));
}

TEST(OciMountOptions, TypeOrOptionMakesABind) {
  EXPECT_TRUE(Parse("none", {"bind"}).bind);
  EXPECT_TRUE(Parse("bind", {}).bind);
  EXPECT_FALSE(Parse("bind", {}).recursive);
  EXPECT_THAT(Parse("bind", {"size=1"}).data, IsEmpty());
  EXPECT_THAT(Parse("bind", {"size=1"}).ignored, ElementsAre("size=1"));
}

TEST(OciMountOptions, WordsOfNoEffectAreTold) {
  EXPECT_THAT(Parse("tmpfs", {"defaults", "async", "loud"}).ignored, ElementsAre("async", "loud"));
}

TEST(OciMountOptions, ContradictionsAreRefused) {
  const auto error = [](const std::string& type, const std::string& source,
                        std::vector<std::string> options) {
    Mount mount;
    mount.destination = "/x";
    mount.type = type;
    mount.source = source;
    mount.options = std::move(options);
    return std::string(ParseMountOptions(mount).status().message());
  };
  EXPECT_EQ(error("ext4", "/dev/sda", {"tmpcopyup"}), "tmpcopyup is for tmpfs");
  EXPECT_EQ(error("tmpfs", "tmpfs", {"idmap"}), "idmap is for bind mounts");
  EXPECT_EQ(error("bind", "", {}), "source is required");
  EXPECT_EQ(error("", "/a", {"ro"}), "type is required, or the option bind");
  EXPECT_EQ(error("bind", "/a", {"idmap=uids=0-1-2"}),
            "name the ids in uidMappings and gidMappings");
}

}  // namespace
}  // namespace cluster::oci
