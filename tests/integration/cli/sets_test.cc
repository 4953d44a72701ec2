// Rollouts of StatefulSets and DaemonSets.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

constexpr char kTemplate[] =
    "template: {metadata: {labels: {app: a}}, spec: {containers: [{name: main, image: 'app:2'}]}}";

std::string Manifest(const std::string& kind, const std::string& name, const std::string& spec) {
  return absl::StrCat("{apiVersion: apps/v1, kind: ", kind, ", metadata: {name: ", name,
                      "}, spec: {", spec, kTemplate, "}}");
}

class SetsTest : public CommandTest {
 protected:
  void PutRevision(const std::string& owner_key, const std::string& name, int revision,
                   const std::string& image) {
    const v1::Object owner = cluster_.Stored(owner_key);
    Put(absl::StrCat("{apiVersion: apps/v1, kind: ControllerRevision, metadata: {name: ", name,
                     ", annotations: {kubernetes.io/change-cause: because}, ownerReferences: "
                     "[{apiVersion: apps/v1, kind: ",
                     KindOf(owner).name, ", name: ", Meta(owner).name(),
                     ", uid: ", Meta(owner).uid(), ", controller: true}]}, revision: ", revision,
                     ", data: {metadata: {labels: {app: a}}, spec: {containers: [{name: main, "
                     "image: '",
                     image, "'}]}}}"));
  }
};

TEST_F(SetsTest, StatusOfAStatefulSetPrintsEachStepUntilTheEnd) {
  const std::string db = Manifest("StatefulSet", "db", "replicas: 2, ");
  PutWithStatus(db, "ready_replicas: 1 updated_replicas: 1");
  const auto run = Start({"rollout", "status", "sts/db"});
  run->out().Await("Waiting for 1 pods to be ready...");
  cluster_.AwaitWatches(1);
  PutWithStatus(db, "ready_replicas: 2 updated_replicas: 2");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "Waiting for 1 pods to be ready...\n"
            "partitioned roll out complete: 2 new pods have been updated...\n");
}

TEST_F(SetsTest, StatusOfADaemonSetIsThatOfItsNodes) {
  PutWithStatus(Manifest("DaemonSet", "log", ""),
                "desired_number_scheduled: 3 updated_number_scheduled: 3 number_available: 3");
  EXPECT_EQ(Run({"rollout", "status", "ds/log"}).out,
            "daemon set \"log\" successfully rolled out\n");
}

TEST_F(SetsTest, OnDeleteRollsNothingOut) {
  Put(Manifest("DaemonSet", "log", "updateStrategy: {type: OnDelete}, "));
  const Outcome outcome = Run({"rollout", "status", "ds/log"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "error: rollout status is only available for RollingUpdate strategy type\n");
}

TEST_F(SetsTest, HistoryIsThatOfTheirRevisions) {
  Put(Manifest("StatefulSet", "db", ""));
  Put(Manifest("DaemonSet", "log", ""));
  PutRevision("statefulsets/default/db", "db-b", 10, "app:10");
  PutRevision("statefulsets/default/db", "db-a", 2, "app:2");
  PutRevision("daemonsets/default/log", "log-a", 1, "app:1");
  EXPECT_EQ(Run({"rollout", "history", "sts/db"}).out,
            "statefulset/db\n"
            "REVISION  CHANGE-CAUSE\n"
            "2         because\n"
            "10        because\n");
  EXPECT_THAT(Run({"rollout", "history", "ds", "log", "--revision=1"}).out,
              testing::ContainsRegex("daemonset/log with revision #1\n(.|\n)*Image: +app:1\n"));
  const Outcome missing = Run({"rollout", "history", "sts/db", "--revision=3"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "error: statefulset \"db\" keeps no revision 3; see rollout history\n");
}

}  // namespace
}  // namespace cluster::cli
