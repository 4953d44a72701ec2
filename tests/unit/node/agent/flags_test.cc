#include "node/agent/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cluster::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ParsedFlags Parse(std::vector<const char*> more) {
  std::vector<const char*> words = {"cluster-node", "--controller", "192.0.2.1:7443",
                                    "--name",       "node1",        "--state-dir",
                                    "/state",       "--run-dir",    "/run"};
  words.insert(words.end(), more.begin(), more.end());
  return ParseFlags(static_cast<int>(words.size()), words.data());
}

TEST(FlagsTest, SoftEvictionIsOffUnlessAskedFor) {
  const ParsedFlags parsed = Parse({});
  ASSERT_FALSE(parsed.exit);
  EXPECT_THAT(parsed.flags.eviction_soft, IsEmpty());
  EXPECT_EQ(parsed.flags.eviction_hard, DefaultThresholds());
}

TEST(FlagsTest, ASoftThresholdAndItsGraceComeInAnyOrder) {
  const ParsedFlags parsed =
      Parse({"--eviction-soft-grace-period", "memory.available=1m30s", "--eviction-soft",
             "memory.available<1Gi", "--eviction-max-pod-grace-period", "45"});
  ASSERT_FALSE(parsed.exit);
  EXPECT_THAT(parsed.flags.eviction_soft,
              ElementsAre(Threshold{Shortage::kMemory, 1 << 30, 0, absl::Seconds(90)}));
  EXPECT_EQ(parsed.flags.eviction_max_grace, absl::Seconds(45));
}

TEST(FlagsTest, HalfOfASoftThresholdIsRefusedWithWhatIsMissing) {
  testing::internal::CaptureStderr();
  const ParsedFlags no_grace = Parse({"--eviction-soft", "memory.available<1Gi"});
  EXPECT_EQ(no_grace.exit_code, 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("add memory.available=DURATION to --eviction-soft-grace-period"));
  testing::internal::CaptureStderr();
  const ParsedFlags no_threshold = Parse({"--eviction-soft-grace-period", "pid.available=1m"});
  EXPECT_EQ(no_threshold.exit_code, 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("names pid.available"));
}

}  // namespace
}  // namespace cluster::node
