#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

class WaitTest : public CommandTest {
 protected:
  WaitTest() { Put(PodManifest("web-1")); }
};

TEST_F(WaitTest, ForAConditionThatComes) {
  const auto run = Start({"wait", "--for=condition=Ready", "pod/web-1", "--timeout", "60s"});
  cluster_.AwaitWatches(1);
  PutWithStatus(PodManifest("web-1"), kReady);
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "pod/web-1 condition met\n");
  EXPECT_EQ(Run({"wait", "--for=condition=ready=true", "pods", "-l", "app=web"}).code, 0);
}

TEST_F(WaitTest, ForAPathOfAnyValueOrOne) {
  PutWithStatus(PodManifest("web-1"), kReady);
  EXPECT_EQ(Run({"wait", "--for=jsonpath={.status.phase}=Running", "pod", "web-1"}).code, 0);
  const Outcome late =
      Run({"wait", "--for=jsonpath={.status.phase}=Failed", "pod/web-1", "--timeout=200ms"});
  EXPECT_EQ(late.code, 1);
  EXPECT_EQ(late.err, "error: timed out waiting for pod/web-1: it is \"Running\"\n");
  EXPECT_EQ(Run({"wait", "--for=jsonpath={.status.phase}", "pod/web-1"}).code, 0);
}

TEST_F(WaitTest, ForDeletionAndCreation) {
  const auto run = Start({"wait", "--for=delete", "pod/web-1"});
  cluster_.AwaitWatches(1);
  cluster_.Remove("pods/default/web-1");
  EXPECT_EQ(run->Wait().code, 0);
  EXPECT_EQ(Run({"wait", "--for=delete", "pod/web-1"}).code, 0);
  const auto created = Start({"wait", "--for=create", "pod/web-2"});
  cluster_.AwaitWatches(2);
  Put(PodManifest("web-2"));
  EXPECT_EQ(created->Wait().code, 0);
}

TEST_F(WaitTest, Refusals) {
  EXPECT_EQ(Run({"wait", "pod/web-1"}).code, 2);
  EXPECT_EQ(Run({"wait", "--for=luck", "pod/web-1"}).code, 2);
  EXPECT_EQ(Run({"wait", "--for=condition=", "pod/web-1"}).code, 2);
  EXPECT_EQ(Run({"wait", "--for=condition=Ready", "pods"}).code, 2);
  EXPECT_EQ(Run({"wait", "--for=condition=Ready", "pod/none"}).code, 1);
  const Outcome late = Run({"wait", "--for=condition=Ready", "pod/web-1", "--timeout", "200ms"});
  EXPECT_EQ(late.err, "error: timed out waiting for pod/web-1: it has no condition Ready\n");
}

}  // namespace
}  // namespace cluster::cli
