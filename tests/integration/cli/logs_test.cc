#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

class LogsTest : public CommandTest {
 protected:
  LogsTest() {
    PutWithStatus(PodManifest("web-1"), kReady);
    cluster_.AppendLog("web-1/main", "one\ntwo\n");
  }
};

TEST_F(LogsTest, PrintsWhatTheContainerWrote) {
  const Outcome outcome = Run({"logs", "web-1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "one\ntwo\n");
  EXPECT_FALSE(cluster_.last_logs().has_tail_lines());
}

TEST_F(LogsTest, FollowsUntilTheContainerEnds) {
  const auto run = Start({"logs", "-f", "pod/web-1"});
  run->out().Await("two\n");
  cluster_.AppendLog("web-1/main", "three\n");
  run->out().Await("three\n");
  cluster_.EndLog("web-1/main");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "one\ntwo\nthree\n");
}

TEST_F(LogsTest, PassesTheFlagsOn) {
  Run({"logs", "web-1", "--tail=3", "--since", "1500ms", "-p", "--timestamps", "--limit-bytes",
       "9"});
  const v1::LogsRequest request = cluster_.last_logs();
  EXPECT_EQ(request.tail_lines(), 3);
  EXPECT_EQ(request.since_seconds(), 2);
  EXPECT_TRUE(request.previous());
  EXPECT_TRUE(request.timestamps());
  EXPECT_EQ(request.limit_bytes(), 9);
  Run({"logs", "web-1", "main", "--since-time", "2026-01-02T03:04:05Z"});
  EXPECT_EQ(cluster_.last_logs().since_time().seconds(), 1767323045);
  EXPECT_EQ(Run({"logs", "web-1", "--since", "1s", "--since-time", "2026-01-02T03:04:05Z"}).code,
            2);
}

TEST_F(LogsTest, ADeploymentMeansItsBestPod) {
  Put("{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {template: {metadata: "
      "{labels: {app: web}}, spec: {containers: [{name: main, image: x}]}}}}");
  Put(PodManifest("a-pending", ""));
  const Outcome outcome = Run({"logs", "deploy/web"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "one\ntwo\n");
  EXPECT_EQ(outcome.err, "Found 2 pods, using pod/web-1\n");
}

TEST_F(LogsTest, ASelectorMeansAllItsPods) {
  PutWithStatus(PodManifest("web-2"), kReady);
  cluster_.AppendLog("web-2/main", "zwei\n");
  EXPECT_EQ(Run({"logs", "-l", "app=web", "--prefix"}).out,
            "[pod/web-1/main] one\n[pod/web-1/main] two\n[pod/web-2/main] zwei\n");
  EXPECT_EQ(cluster_.last_logs().tail_lines(), 10);
}

TEST_F(LogsTest, SeveralAreFollowedAtOnceByWholeLines) {
  PutWithStatus(PodManifest("web-2"), kReady);
  cluster_.AppendLog("web-2/main", "zwei\n");
  const auto run = Start({"logs", "-f", "-l", "app=web", "--prefix"});
  cluster_.AwaitFollowers(2);
  cluster_.AppendLog("web-2/main", "drei\n");
  run->out().Await("[pod/web-2/main] drei\n");
  cluster_.EndLog("web-1/main");
  cluster_.EndLog("web-2/main");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::HasSubstr("[pod/web-1/main] two\n"));
}

TEST_F(LogsTest, Refusals) {
  EXPECT_EQ(Run({"logs"}).code, 2);
  EXPECT_EQ(Run({"logs", "web-1", "-l", "a=b"}).code, 2);
  EXPECT_EQ(Run({"logs", "none"}).err, "error: pods \"none\" not found\n");
  Put(PodManifest("new", ""));
  const Outcome outcome = Run({"logs", "new"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: container \"main\" has not started yet\n");
  EXPECT_EQ(Run({"logs", "cm/x"}).code, 1);
}

}  // namespace
}  // namespace cluster::cli
