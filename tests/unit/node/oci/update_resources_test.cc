#include "node/oci/update_resources.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::oci {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Resources> Update(std::vector<std::string> words, Resources base = {}) {
  const auto flags = ParseArguments(UpdateFlags(), words, false);
  if (!flags.ok()) return flags.status();
  return UpdatedResources(*flags, std::move(base));
}

TEST(OciUpdate, FlagsLieOverTheFile) {
  Resources base;
  base.memory.limit = 1;
  base.cpu.shares = 2;
  const auto updated = Update({"--memory", "64m", "--cpu-quota=-1", "--pids-limit", "5",
                               "--cpuset-cpus", "0-1", "--blkio-weight", "100"},
                              base);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(*updated->memory.limit, 64 << 20);
  EXPECT_EQ(*updated->cpu.shares, 2u);
  EXPECT_EQ(*updated->cpu.quota, -1);
  EXPECT_EQ(*updated->pids_limit, 5);
  EXPECT_EQ(updated->cpu.cpus, "0-1");
  EXPECT_EQ(*updated->block.weight, 100);
}

TEST(OciUpdate, SizesHaveUnits) {
  EXPECT_EQ(*Update({"--memory", "4096"})->memory.limit, 4096);
  EXPECT_EQ(*Update({"--memory", "2k"})->memory.limit, 2048);
  EXPECT_EQ(*Update({"--memory", "1GB"})->memory.limit, 1 << 30);
  EXPECT_EQ(*Update({"--memory", "-1"})->memory.limit, -1);
  for (const char* bad : {"", "m", "64q", "-2", "1.5m", "99999999999g"}) {
    EXPECT_THAT(Update({"--memory", bad}).status().message(), HasSubstr("must be bytes")) << bad;
  }
}

TEST(OciUpdate, NumbersAreNumbers) {
  EXPECT_FALSE(Update({"--cpu-shares", "many"}).ok());
  EXPECT_FALSE(Update({"--cpu-shares", "-1"}).ok());
  EXPECT_FALSE(Update({"--blkio-weight", "5"}).ok());
}

}  // namespace
}  // namespace cluster::oci
