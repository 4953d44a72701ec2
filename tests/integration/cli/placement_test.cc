// why, plan, rebalance, and what describe says of them.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PlacementTest : public CommandTest {
 protected:
  PlacementTest() { Put(PodManifest("web-1")); }

  static v1::WhyResponse Waiting() {
    v1::WhyResponse why;
    why.set_summary("0/2 nodes are available: 1 Insufficient cpu (500m lacking) on node1.");
    v1::NodeVerdict* node = why.add_nodes();
    node->set_node("node1");
    v1::FailedRule* rule = node->add_failed();
    rule->set_rule("Insufficient cpu");
    rule->set_lacking("500m");
    rule->set_remedy("free 500m of cpu on the node");
    rule = why.add_nodes()->add_failed();
    why.mutable_nodes(1)->set_node("node2");
    rule->set_rule("node(s) were unschedulable");
    rule->set_remedy("clusterctl uncordon node2");
    return why;
  }

  static v1::Move* AddMove(const std::string& pod, v1::RebalanceResponse* moves) {
    v1::Move* move = moves->add_moves();
    move->set_namespace_("default");
    move->set_pod(pod);
    move->set_from("node1");
    move->set_to("node2");
    move->set_reason("better spread of the workload (0 against -2)");
    return move;
  }
};

TEST_F(PlacementTest, WhySaysForEveryNodeWhatLacksAndWhatWouldHelp) {
  cluster_.SetWhy(Waiting());
  const Outcome outcome = Run({"why", "web-1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "pod/web-1: 0/2 nodes are available: 1 Insufficient cpu (500m lacking) on node1.\n"
            "\n"
            "node1\n"
            "  Insufficient cpu (500m lacking)\n"
            "    would help: free 500m of cpu on the node\n"
            "\n"
            "node2\n"
            "  node(s) were unschedulable\n"
            "    would help: clusterctl uncordon node2\n");
  EXPECT_EQ(Run({"why", "pod/web-9"}).err, "error: pods \"web-9\" not found\n");
  EXPECT_EQ(Run({"why", "deploy/web"}).code, 2);
}

TEST_F(PlacementTest, WhyShowsTheScoresOfNodesThatFit) {
  v1::WhyResponse why;
  why.set_node("node1");
  why.set_summary("node1 won: it is ahead of node2 by spread of the workload (0 against -1).");
  for (const char* name : {"node1", "node2"}) {
    v1::NodeVerdict* node = why.add_nodes();
    node->set_node(name);
    v1::ScorePart* part = node->add_score();
    part->set_name("spread of the workload");
    part->set_value(why.nodes_size() == 1 ? 0 : -1);
  }
  cluster_.SetWhy(why);
  EXPECT_EQ(Run({"why", "web-1"}).out,
            "pod/web-1: node1 won: it is ahead of node2 by spread of the workload (0 against -1).\n"
            "\n"
            "node1 (here)\n"
            "  score: spread of the workload 0\n"
            "\n"
            "node2 (fits)\n"
            "  score: spread of the workload -1\n");
}

TEST_F(PlacementTest, DescribeHasAPartAboutIt) {
  cluster_.SetWhy(Waiting());
  const Outcome outcome = Run({"describe", "pod", "web-1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("Placement:\n  0/2 nodes are available"));
  EXPECT_THAT(outcome.out, HasSubstr("node1  Insufficient cpu (500m lacking)\n"));
}

TEST_F(PlacementTest, PlanSaysWhatAnApplyWouldDoAndWhereThingsWouldRun) {
  v1::PlanResponse plan;
  v1::PlannedObject* object = plan.add_objects();
  object->set_outcome(v1::APPLY_OUTCOME_CONFIGURED);
  object->mutable_object()->mutable_deployment()->mutable_metadata()->set_name("web");
  object->add_changes("spec.replicas");
  v1::PlannedPods* pods = plan.add_pods();
  pods->set_workload("deployment/web");
  pods->set_namespace_("default");
  v1::PodsOnNode* placed = pods->add_placed();
  placed->set_node("node1");
  placed->set_count(2);
  pods->set_unplaced(1);
  pods->set_reason("0/1 nodes are available: 1 Insufficient cpu (1 lacking) on node1.");
  pods->set_ended(3);
  pods->set_preempted(1);
  cluster_.SetPlan(plan);
  const std::string file = Write("web.yaml", PodManifest("web"));
  const Outcome outcome = Run({"plan", file});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "deployment/web configured: spec.replicas\n"
            "deployment/web in default:\n"
            "  starts 2 pods: 2 on node1\n"
            "  starts 1 pod that would wait: 0/1 nodes are available: 1 Insufficient cpu (1 "
            "lacking) on node1.\n"
            "  ends 2 pods\n"
            "  ends 1 pod to make room for more priority\n");
  EXPECT_EQ(cluster_.writes(), 0);
}

TEST_F(PlacementTest, RebalanceShowsItsPlanAndMovesOnlyWhenToldTo) {
  v1::RebalanceResponse moves;
  AddMove("web-1", &moves);
  AddMove("web-2", &moves)->set_held_back("budget web allows no more disruptions");
  cluster_.SetMoves(moves);
  EXPECT_EQ(Run({"rebalance"}).code, 2);
  const Outcome planned = Run({"rebalance", "--plan"});
  EXPECT_EQ(planned.code, 0) << planned.err;
  EXPECT_THAT(planned.out, HasSubstr("default     web-1   node1   node2   better spread"));
  EXPECT_THAT(planned.out, HasSubstr("held back: budget web allows no more disruptions"));
  EXPECT_TRUE(cluster_.Has("pods/default/web-1"));
  const Outcome applied = Run({"rebalance", "--apply"});
  EXPECT_EQ(applied.code, 0) << applied.err;
  EXPECT_THAT(applied.out, HasSubstr("pod/web-1 evicted\n1 move was held back; run this again"));
  // With its grace, so it is there for a while.
  EXPECT_EQ(cluster_.last_delete().name(), "web-1");
  cluster_.SetMoves({});
  EXPECT_EQ(Run({"rebalance", "--plan"}).out, "No pod would be better off elsewhere.\n");
}

}  // namespace
}  // namespace cluster::cli
