#include "node/runtime/blockers.h"

#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cluster::node {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(DescribeBlocker, NamesCommandStateAndKernelFunction) {
  EXPECT_EQ(DescribeBlocker(71, {"Name:\tdd\nState:\tD (disk sleep)\nTracerPid:\t0\n",
                                 "[<0>] request_wait_answer+0x13d/0x210 [fuse]\n"
                                 "[<0>] fuse_simple_request+0x1a3/0x2e0 [fuse]\n",
                                 "request_wait_answer"}),
            "pid 71 (dd) is in uninterruptible sleep in request_wait_answer");
}

TEST(DescribeBlocker, TakesWhatThereIs) {
  EXPECT_EQ(DescribeBlocker(5, {"Name:\ta b\nState:\tZ (zombie)\n", "", "0"}),
            "pid 5 (a b) is a zombie");
  EXPECT_EQ(DescribeBlocker(
                5, {"Name:\tsh\nState:\tt (tracing stop)\nTracerPid:\t9\n", "", "ptrace_stop"}),
            "pid 5 (sh) is stopped by its tracer in ptrace_stop, traced by pid 9");
  EXPECT_EQ(DescribeBlocker(5, {"", "garbage", ""}), "pid 5 () is asleep");
}

TEST(DescribeBlockers, NamesThreeAndCountsTheRest) {
  const int self = getpid();
  const std::string text = DescribeBlockers({self, self, self, self, self}, {});
  EXPECT_THAT(text, HasSubstr("(node_runtime_te) is running"));
  EXPECT_THAT(text, EndsWith("; and 2 more"));
  EXPECT_EQ(DescribeBlockers({}, {}), "");
  EXPECT_EQ(DescribeBlockers({1 << 30}, {}), "") << "one that is gone";
}

}  // namespace
}  // namespace cluster::node
