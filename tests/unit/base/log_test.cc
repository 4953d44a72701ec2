#include "base/log.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string LoggedAt(const std::string& level) {
  testing::internal::CaptureStderr();
  EXPECT_TRUE(SetUpLogging("test-" + level, level));
  LOG_DEBUG("looked at {} of {}", 1, "three");
  LOG_WARN("pod {}: {}", "web", "is late");
  FlushLog();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, ShowsWhatIsAtLeastAsGraveAsItsLevel) {
  EXPECT_THAT(LoggedAt("debug"), AllOf(HasSubstr("debug test-debug: looked at 1 of three\n"),
                                       HasSubstr("warning test-debug: pod web: is late\n")));
  EXPECT_THAT(LoggedAt("info"), AllOf(Not(HasSubstr("looked at")), HasSubstr("pod web: is late")));
  EXPECT_EQ(LoggedAt("off"), "");
}

TEST(Log, AnUnknownLevelIsRefused) { EXPECT_FALSE(SetUpLogging("test", "loud")); }

}  // namespace
}  // namespace cluster
