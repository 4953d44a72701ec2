#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

constexpr char kDeployment[] =
    "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 2, template: "
    "{metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: 'web:2'}]}}}}";

class RolloutTest : public CommandTest {
 protected:
  RolloutTest() {
    PutWithStatus(kDeployment, "replicas: 2 updated_replicas: 1 available_replicas: 2");
    uid_ = Meta(cluster_.Stored("deployments/default/web")).uid();
  }
  void PutRevision(const std::string& name, int revision, const std::string& image) {
    Put(absl::StrCat("{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: ", name,
                     ", annotations: {deployment.kubernetes.io/revision: '", revision,
                     "', kubernetes.io/change-cause: because}, ownerReferences: [{apiVersion: "
                     "apps/v1, kind: Deployment, name: web, uid: ",
                     uid_,
                     ", controller: true}]}, spec: {replicas: 1, template: {metadata: {labels: "
                     "{app: web}}, spec: {containers: [{name: main, image: '",
                     image, "'}]}}}}"));
  }
  std::string uid_;
};

TEST_F(RolloutTest, StatusPrintsEachStepUntilTheEnd) {
  const auto run = Start({"rollout", "status", "deploy/web"});
  run->out().Await("1 out of 2 new replicas");
  cluster_.AwaitWatches(1);
  PutWithStatus(kDeployment, "replicas: 3 updated_replicas: 2 available_replicas: 2");
  run->out().Await("pending termination");
  PutWithStatus(kDeployment, "replicas: 2 updated_replicas: 2 available_replicas: 2");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "Waiting for deployment \"web\" rollout to finish: 1 out of 2 new replicas have been "
            "updated...\n"
            "Waiting for deployment \"web\" rollout to finish: 1 old replicas are pending "
            "termination...\n"
            "deployment \"web\" successfully rolled out\n");
}

TEST_F(RolloutTest, StatusFailsAtItsTimeoutAndWhenTheDeploymentGivesUp) {
  const Outcome late = Run({"rollout", "status", "deploy/web", "--timeout", "200ms"});
  EXPECT_EQ(late.code, 1);
  EXPECT_THAT(late.err, testing::StartsWith("error: timed out waiting for deployment/web: "));
  PutWithStatus(kDeployment,
                "conditions { type: 'Progressing' reason: 'ProgressDeadlineExceeded' }");
  const Outcome failed = Run({"rollout", "status", "deploy/web"});
  EXPECT_EQ(failed.code, 1);
  EXPECT_EQ(failed.out, "");
  EXPECT_EQ(failed.err, "error: deployment \"web\" exceeded its progress deadline\n");
  EXPECT_EQ(Run({"rollout", "status", "deploy/web", "--watch=false"}).code, 1);
}

TEST_F(RolloutTest, HistoryListsRevisionsInOrder) {
  PutRevision("web-b", 10, "web:10");
  PutRevision("web-a", 2, "web:2");
  EXPECT_EQ(Run({"rollout", "history", "deployment/web"}).out,
            "deployment/web\n"
            "REVISION  CHANGE-CAUSE\n"
            "2         because\n"
            "10        because\n");
  EXPECT_THAT(Run({"rollout", "history", "deploy/web", "--revision=10"}).out,
              testing::ContainsRegex("with revision #10\n(.|\n)*Image: +web:10\n"));
  EXPECT_EQ(Run({"rollout", "history", "deploy/web", "--revision=3"}).code, 1);
}

TEST_F(RolloutTest, UndoSaysWhichRevisionIsBack) {
  EXPECT_EQ(Run({"rollout", "undo", "deploy/web", "--to-revision=4"}).out,
            "deployment/web rolled back to revision 4\n");
  EXPECT_EQ(Run({"rollout", "undo", "deployment", "web"}).out,
            "deployment/web rolled back to revision 1\n");
  EXPECT_EQ(Run({"rollout", "undo", "pod/web"}).code, 2);
}

TEST_F(RolloutTest, PausesResumesAndRestarts) {
  const auto stored = [this] { return cluster_.Stored("deployments/default/web").deployment(); };
  EXPECT_EQ(Run({"rollout", "pause", "deploy/web"}).out, "deployment/web paused\n");
  EXPECT_TRUE(stored().spec().paused());
  EXPECT_EQ(Run({"rollout", "resume", "deploy", "web"}).out, "deployment/web resumed\n");
  EXPECT_FALSE(stored().spec().paused());
  EXPECT_EQ(Run({"rollout", "restart", "deploy/web"}).out, "deployment/web restarted\n");
  EXPECT_TRUE(stored().spec().template_().metadata().annotations().contains(
      "kubectl.kubernetes.io/restartedAt"));
  EXPECT_EQ(Run({"rollout", "restart", "deploy/none"}).code, 1);
  EXPECT_EQ(Run({"rollout", "pause", "pod/web"}).code, 2);
}

TEST_F(RolloutTest, StatusSaysThatARolloutWasTakenBack) {
  PutWithStatus(kDeployment,
                "replicas: 2 updated_replicas: 2 available_replicas: 2 conditions { type: "
                "'RolledBack' status: CONDITION_STATUS_TRUE reason: 'PodsKeepFailing' message: "
                "'Revision 2 failed' }");
  const Outcome outcome = Run({"rollout", "status", "deploy/web"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: deployment \"web\" was rolled back: Revision 2 failed\n");
}

TEST_F(RolloutTest, ScaleSetsTheNumberAndChecksTheCurrentOne) {
  EXPECT_EQ(Run({"scale", "--replicas", "5", "deploy/web"}).out, "deployment/web scaled\n");
  EXPECT_EQ(cluster_.Stored("deployments/default/web").deployment().spec().replicas(), 5);
  const Outcome outcome = Run({"scale", "deploy", "web", "--replicas=1", "--current-replicas=2"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: it has 5 replicas, not 2\n");
  EXPECT_EQ(Run({"scale", "--replicas=-1", "deploy/web"}).code, 2);
}

}  // namespace
}  // namespace cluster::cli
