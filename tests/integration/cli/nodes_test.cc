#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

class NodesTest : public CommandTest {
 protected:
  NodesTest() { Put("{apiVersion: v1, kind: Node, metadata: {name: node1}}"); }
  bool Cordoned() { return cluster_.Stored("nodes/node1").node().spec().unschedulable(); }
  google::protobuf::RepeatedPtrField<v1::Taint> Taints() {
    return cluster_.Stored("nodes/node1").node().spec().taints();
  }
  void PutOwnedPod(const std::string& name) {
    Put(absl::StrCat("{apiVersion: v1, kind: Pod, metadata: {name: ", name,
                     ", ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: w, uid: u, "
                     "controller: true}]}, spec: {nodeName: node1, containers: [{name: c, image: "
                     "x}]}}"));
  }
};

TEST_F(NodesTest, CordonAndUncordonSayWhetherTheyChangedAnything) {
  EXPECT_EQ(Run({"cordon", "node1"}).out, "node/node1 cordoned\n");
  EXPECT_TRUE(Cordoned());
  EXPECT_EQ(Run({"cordon", "node/node1"}).out, "node/node1 already cordoned\n");
  EXPECT_EQ(Run({"uncordon", "node1"}).out, "node/node1 uncordoned\n");
  EXPECT_FALSE(Cordoned());
  EXPECT_EQ(Run({"cordon", "node9"}).err, "error: nodes \"node9\" not found\n");
}

TEST_F(NodesTest, TaintSetsAndRemovesTaintsOfNodes) {
  EXPECT_EQ(Run({"taint", "nodes", "node1", "out:NoExecute", "for=db:NoSchedule"}).out,
            "node/node1 tainted\n");
  ASSERT_EQ(Taints().size(), 2);
  EXPECT_EQ(Taints()[0].key(), "out");
  EXPECT_EQ(Taints()[0].effect(), v1::TAINT_EFFECT_NO_EXECUTE);
  EXPECT_EQ(Taints()[1].value(), "db");
  EXPECT_EQ(Run({"taint", "node", "node1", "for=db:NoSchedule"}).out, "node/node1 unchanged\n");
  EXPECT_EQ(Run({"taint", "node", "node1", "for=web:NoSchedule"}).err,
            "error: node/node1 has the taint for=db:NoSchedule already; give --overwrite to change "
            "it\n");
  EXPECT_EQ(Run({"taint", "node", "node1", "for=web:NoSchedule", "--overwrite"}).code, 0);
  EXPECT_EQ(Taints()[1].value(), "web");
  EXPECT_EQ(Run({"taint", "nodes", "--all", "out-"}).out, "node/node1 untainted\n");
  EXPECT_EQ(Run({"taint", "node/node1", "for:NoSchedule-", "x:NoSchedule"}).out,
            "node/node1 modified\n");
  ASSERT_EQ(Taints().size(), 1);
  EXPECT_EQ(Taints()[0].key(), "x");
}

TEST_F(NodesTest, ANodeWithoutTheTaintKeepsNobodyFromTheOthers) {
  Put("{apiVersion: v1, kind: Node, metadata: {name: node0}}");
  EXPECT_EQ(Run({"taint", "node", "node1", "out:NoExecute"}).code, 0);
  const Outcome outcome = Run({"taint", "nodes", "--all", "out-"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "node/node1 untainted\n");
  EXPECT_EQ(outcome.err, "error: node/node0 has no taint out\n");
  EXPECT_EQ(Taints().size(), 0);
}

TEST_F(NodesTest, TaintSaysWhatIsWrong) {
  EXPECT_EQ(Run({"taint", "node", "node1", "out-"}).err, "error: node/node1 has no taint out\n");
  EXPECT_EQ(Run({"taint", "node", "node1", "out:NoSchedule-"}).err,
            "error: node/node1 has no taint out:NoSchedule\n");
  EXPECT_THAT(Run({"taint", "node", "node1", "out=1"}).err,
              testing::HasSubstr("\"out=1\" has no effect; say KEY[=VALUE]:EFFECT"));
  EXPECT_THAT(Run({"taint", "node", "node1", "out:Never"}).err,
              testing::HasSubstr("the effect is \"Never\"; say NoSchedule, PreferNoSchedule or "
                                 "NoExecute"));
  EXPECT_THAT(Run({"taint", "node", "node1", "out=1:NoSchedule", "out-"}).err,
              testing::HasSubstr("the taint out is named twice"));
  EXPECT_EQ(Run({"taint", "node", "node1"}).code, 2);
  EXPECT_EQ(Run({"taint", "nodes", "out:NoSchedule"}).code, 2);
  EXPECT_EQ(Run({"taint", "node", "out:NoSchedule", "node1"}).code, 2);
  EXPECT_THAT(Run({"taint", "pod", "web-1", "out:NoSchedule"}).err,
              testing::HasSubstr("pods have no taints; nodes have"));
  EXPECT_EQ(Taints().size(), 0);
}

TEST_F(NodesTest, DrainDeletesWhatComesBackElsewhereAndWaits) {
  PutOwnedPod("web-1");
  const auto run = Start({"drain", "node1"});
  cluster_.AwaitDeletion("pods/default/web-1");
  cluster_.AwaitWatches(1);
  cluster_.Remove("pods/default/web-1");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "node/node1 cordoned\n"
            "evicting pod default/web-1\n"
            "pod/web-1 evicted\n"
            "node/node1 drained\n");
  EXPECT_TRUE(Cordoned());
}

TEST_F(NodesTest, Behaviour38DrainWaitsForTheBudgetAndGoesOnOnceItAllows) {
  PutOwnedPod("web-1");
  constexpr char kBudget[] =
      "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: "
      "{maxUnavailable: 0, selector: {}}}";
  Put(kBudget);
  const auto run = Start({"drain", "node1"});
  cluster_.AwaitWatches(1);
  EXPECT_FALSE(Meta(cluster_.Stored("pods/default/web-1")).has_deletion_timestamp());
  PutWithStatus(kBudget, "disruptions_allowed: 1");
  cluster_.AwaitDeletion("pods/default/web-1");
  cluster_.AwaitWatches(2);
  cluster_.Remove("pods/default/web-1");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err,
            "pod/web-1 waits for its budget: Cannot evict pod as it would violate the pod's "
            "disruption budget: web allows 0 disruptions now\n");
  EXPECT_EQ(outcome.out,
            "node/node1 cordoned\n"
            "evicting pod default/web-1\n"
            "pod/web-1 evicted\n"
            "node/node1 drained\n");
}

TEST_F(NodesTest, DrainGivesUpOnABudgetWhenItsTimeIsOver) {
  PutOwnedPod("web-1");
  Put("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: "
      "{maxUnavailable: 0, selector: {}}}");
  const Outcome outcome = Run({"drain", "node1", "--timeout", "10ms"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, testing::HasSubstr("error: Cannot evict pod as it would violate"));
  EXPECT_FALSE(Meta(cluster_.Stored("pods/default/web-1")).has_deletion_timestamp());
}

TEST_F(NodesTest, DrainRefusesPodsThatWouldNotComeBack) {
  PutOwnedPod("web-1");
  Put(PodManifest("lone"));
  const Outcome outcome = Run({"drain", "node1"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "error: node node1 is cordoned, but these pods have no controller and would not come "
            "back: default/lone; delete them with --force\n");
  EXPECT_FALSE(Meta(cluster_.Stored("pods/default/web-1")).has_deletion_timestamp());
  EXPECT_EQ(Run({"drain", "node1", "--force", "--grace-period=0"}).code, 0);
  EXPECT_FALSE(cluster_.Has("pods/default/lone"));
}

TEST_F(NodesTest, DrainLeavesPodsOfDaemonSetsWhenAskedTo) {
  PutOwnedPod("web-1");
  Put("{apiVersion: v1, kind: Pod, metadata: {name: log-1, ownerReferences: [{apiVersion: apps/v1, "
      "kind: DaemonSet, name: log, uid: u9, controller: true}]}, spec: {nodeName: node1, "
      "containers: [{name: main, image: 'log:1'}]}}");
  const Outcome refused = Run({"drain", "node1"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.err,
            "error: node node1 is cordoned, but it has DaemonSet-managed Pods (use "
            "--ignore-daemonsets to ignore): default/log-1\n");
  EXPECT_FALSE(Meta(cluster_.Stored("pods/default/web-1")).has_deletion_timestamp());
  const Outcome done = Run({"drain", "node1", "--ignore-daemonsets", "--grace-period=0"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_THAT(done.err,
              testing::HasSubstr("Warning: ignoring DaemonSet-managed Pods: default/log-1\n"));
  EXPECT_TRUE(cluster_.Has("pods/default/log-1"));
  EXPECT_FALSE(cluster_.Has("pods/default/web-1"));
}

}  // namespace
}  // namespace cluster::cli
