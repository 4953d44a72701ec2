#include "node/oci/names.h"

#include <sched.h>
#include <signal.h>

#include "gtest/gtest.h"

#include "node/oci/config.h"
#include "node/oci/paths.h"

namespace cluster::oci {
namespace {

TEST(OciNames, SignalsByNumberAndName) {
  EXPECT_EQ(SignalNumber("9"), SIGKILL);
  EXPECT_EQ(SignalNumber("KILL"), SIGKILL);
  EXPECT_EQ(SignalNumber("SIGKILL"), SIGKILL);
  EXPECT_EQ(SignalNumber("sigusr1"), SIGUSR1);
  EXPECT_EQ(SignalNumber("RTMIN+3"), SIGRTMIN + 3);
  EXPECT_EQ(SignalNumber("SIGRTMAX-1"), SIGRTMAX - 1);
  EXPECT_EQ(SignalNumber("0"), 0);
  for (const char* bad : {"", "SIG", "65", "-9", "9x", "FUN", "RTMIN+99", "RTMIN+-1", "RTMIN+"}) {
    EXPECT_FALSE(SignalNumber(bad).has_value()) << bad;
  }
}

TEST(OciNames, CapabilitiesRoundTrip) {
  for (int number = 0; number < CapabilityCount(); ++number) {
    EXPECT_EQ(CapabilityNumber(CapabilityName(number)), number);
  }
  EXPECT_EQ(CapabilityNumber("CAP_SYS_ADMIN"), 21);
  EXPECT_EQ(CapabilityNumber("cap_checkpoint_restore"), 40);
  EXPECT_EQ(CapabilityNumber("CAP_"), -1);
}

TEST(OciNames, NamespacesHaveFiles) {
  EXPECT_EQ(NamespaceFlag("network"), CLONE_NEWNET);
  EXPECT_STREQ(NamespaceFile(CLONE_NEWNS), "mnt");
  EXPECT_STREQ(NamespaceName(CLONE_NEWNS), "mount");
  EXPECT_FALSE(NamespaceFlag("net").has_value());
}

TEST(OciNames, PathsAreCleanedBelowTheirRoot) {
  EXPECT_EQ(CleanPath("/a//b/./c/"), "/a/b/c");
  EXPECT_EQ(CleanPath("/../../etc/../x"), "/x");
  EXPECT_EQ(CleanPath(""), "/");
  EXPECT_EQ(ParentOf("/a/b"), "/a");
  EXPECT_EQ(ParentOf("/a"), "/");
  EXPECT_EQ(BaseOf("/a/b"), "b");
}

}  // namespace
}  // namespace cluster::oci
