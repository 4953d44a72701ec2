// The cases that Kubernetes publishes for its calculation, and those of amounts.
#include "controller/reconcile/replica_proposal.h"

#include <deque>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "controller/reconcile/conditions.h"
#include "proto/schema/scalars.h"
#include "tests/domain/builders.h"
#include "tests/unit/controller/now.h"

namespace cluster::controller {
namespace {

using ::testing::HasSubstr;

v1::MetricSpec Utilization(const std::string& resource, int percent) {
  v1::MetricSpec metric;
  metric.set_type(v1::METRIC_SOURCE_TYPE_RESOURCE);
  metric.mutable_resource()->set_name(resource);
  metric.mutable_resource()->mutable_target()->set_type(v1::METRIC_TARGET_TYPE_UTILIZATION);
  metric.mutable_resource()->mutable_target()->set_average_utilization(percent);
  return metric;
}

v1::MetricSpec Average(const std::string& resource, const std::string& amount) {
  v1::MetricSpec metric = Utilization(resource, 0);
  metric.mutable_resource()->mutable_target()->clear_average_utilization();
  metric.mutable_resource()->mutable_target()->set_type(v1::METRIC_TARGET_TYPE_AVERAGE_VALUE);
  metric.mutable_resource()->mutable_target()->set_average_value(amount);
  return metric;
}

// The pods of one target, each a word: "r300" ready and using 300m, "u300" not ready, "h300" ready
// but started just now, "r" ready and nothing is known of it, "p" pending, "f" failed, "d500" ready
// and being deleted. Each requests one core and 1000 bytes.
class PodsOfWords {
 public:
  explicit PodsOfWords(const std::vector<std::string>& words) {
    for (const std::string& word : words) Add(word);
  }
  absl::StatusOr<ReplicaProposal> Propose(const v1::MetricSpec& metric, int current,
                                          Tolerance tolerance = {}) const {
    std::vector<const v1::Pod*> pods;
    for (const v1::Pod& pod : pods_) pods.push_back(&pod);
    return ProposeReplicas(pods, usage_, metric, current, tolerance, kNow);
  }
  v1::Pod& operator[](size_t index) { return pods_[index]; }
  UsageSample& usage() { return usage_; }

 private:
  void Add(const std::string& word) {
    const std::string name = absl::StrCat("p", pods_.size());
    v1::Pod pod = domain::Pod(name).On("n1").Cpu("1").Memory("1000").message();
    const char state = word[0];
    const bool hot = state == 'h';
    const absl::Time started = kNow - (hot ? absl::Seconds(20) : absl::Hours(1));
    *pod.mutable_status()->mutable_start_time() = ToTimestamp(started);
    pod.mutable_status()->set_phase(state == 'p'   ? v1::POD_PHASE_PENDING
                                    : state == 'f' ? v1::POD_PHASE_FAILED
                                                   : v1::POD_PHASE_RUNNING);
    const bool ready = state == 'r' || state == 'd' || hot;
    SetCondition({"Ready", ready ? v1::CONDITION_STATUS_TRUE : v1::CONDITION_STATUS_FALSE, "", ""},
                 started + absl::Seconds(15), pod.mutable_status()->mutable_conditions());
    if (state == 'd') pod.mutable_metadata()->mutable_deletion_timestamp()->set_seconds(1);
    if (word.size() > 1) {
      const int64_t used = std::stol(word.substr(1));
      usage_.pods[pod.metadata().uid()] = {used, used, kNow, absl::Seconds(15)};
    }
    pods_.push_back(std::move(pod));
  }

  std::deque<v1::Pod> pods_;
  UsageSample usage_;
};

struct Case {
  std::string name;
  std::vector<std::string> pods;
  int target = 0;
  int current = 0;
  int expected = 0;
  int percent = 0;  // what the status says
};

// Names as in Kubernetes' replica_calculator_test.go, without ReplicaCalc.
const Case kCases[] = {
    {"ScaleUp", {"r300", "r500", "r700"}, 30, 3, 5, 50},
    {"ScaleUpUnreadyLessScale", {"u300", "r500", "r700"}, 30, 3, 4, 60},
    {"ScaleUpHotCpuLessScale", {"h300", "r500", "r700"}, 30, 3, 4, 60},
    {"ScaleUpUnreadyNoScale", {"r400", "u500", "u700"}, 30, 3, 3, 40},
    {"ScaleUpHotCpuNoScale", {"r400", "h500", "h700"}, 30, 3, 3, 40},
    {"ScaleUpIgnoresFailedPods", {"r500", "r700", "f", "f"}, 30, 2, 4, 60},
    {"ScaleUpIgnoresDeletionPods", {"r500", "r700", "d900", "d"}, 30, 2, 4, 60},
    {"ScaleDown", {"r100", "r300", "r500", "r250", "r250"}, 50, 5, 3, 28},
    {"ScaleDownIncludeUnreadyPods", {"r100", "r300", "r500", "u250", "u250"}, 50, 5, 2, 30},
    {"ScaleDownExcludeUnscheduledPods", {"r100", "p", "p", "p", "p"}, 50, 5, 1, 10},
    {"ScaleDownIgnoreHotCpuPods", {"r100", "r300", "r500", "h250", "h250"}, 50, 5, 2, 30},
    {"ScaleDownIgnoresFailedPods",
     {"r100", "r300", "r500", "r250", "r250", "f", "f"},
     50,
     5,
     3,
     28},
    {"Tolerance", {"r1010", "r1030", "r1020"}, 100, 3, 3, 102},
    {"MissingMetrics", {"r400", "r95", "r", "r"}, 100, 4, 3, 24},
    {"MissingMetricsNoChangeEq", {"r1000", "r"}, 100, 2, 2, 100},
    {"MissingMetricsNoChangeGt", {"r1900", "r"}, 100, 2, 2, 190},
    {"MissingMetricsNoChangeLt", {"r600", "r"}, 100, 2, 2, 60},
    {"MissingMetricsUnreadyChange", {"u100", "r450", "r"}, 50, 3, 3, 45},
    {"MissingMetricsHotCpuNoChange", {"h100", "r450", "r"}, 50, 3, 3, 45},
    {"MissingMetricsUnreadyScaleUp", {"u100", "r2000", "r"}, 50, 3, 4, 200},
    {"MissingMetricsHotCpuScaleUp", {"h100", "r2000", "r"}, 50, 3, 4, 200},
    {"MissingMetricsUnreadyScaleDown", {"u100", "r100", "r100", "r"}, 50, 4, 3, 10},
    // A target above what is requested: the missing pod counts as on target, not as far below it.
    {"MissingMetricsTargetAbove100", {"r1000", "r"}, 300, 2, 2, 100},
    // 1.2 times ten is twelve, and 1.1 is within the tolerance.
    {"TenPods", std::vector<std::string>(10, "r600"), 50, 10, 12, 60},
    {"TenPodsWithinTolerance", std::vector<std::string>(10, "r550"), 50, 10, 10, 55},
    {"JustAboveTolerance", std::vector<std::string>(10, "r560"), 50, 10, 12, 56},
    {"NothingUsed", {"r0", "r0"}, 50, 2, 0, 0},
};

class PublishedCases : public testing::TestWithParam<Case> {};

TEST_P(PublishedCases, Hold) {
  const Case& c = GetParam();
  const auto proposal = PodsOfWords(c.pods).Propose(Utilization("cpu", c.target), c.current);
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->replicas, c.expected);
  EXPECT_EQ(proposal->status.resource().current().average_utilization(), c.percent);
}

INSTANTIATE_TEST_SUITE_P(Kubernetes, PublishedCases, testing::ValuesIn(kCases),
                         [](const auto& each) { return each.param.name; });

TEST(ReplicaProposal, ReadinessIsOnlyAskedForByCpu) {
  const auto proposal = PodsOfWords({"u300", "h500", "r700"}).Propose(Utilization("memory", 30), 3);
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->replicas, 5);
}

TEST(ReplicaProposal, APodThatLostItsReadinessLongAfterItsStartStillCounts) {
  PodsOfWords pods({"r300", "r500", "u700"});
  *pods[2].mutable_status()->mutable_conditions(0)->mutable_last_transition_time() =
      ToTimestamp(kNow - absl::Minutes(1));
  const auto proposal = pods.Propose(Utilization("cpu", 30), 3);
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->replicas, 5);
}

// The clock was set back, or the node's is ahead.
TEST(ReplicaProposal, APodThatStartedInTheFutureCounts) {
  PodsOfWords pods({"r300", "r500", "r700"});
  *pods[2].mutable_status()->mutable_start_time() = ToTimestamp(kNow + absl::Hours(2));
  *pods[2].mutable_status()->mutable_conditions(0)->mutable_last_transition_time() =
      ToTimestamp(kNow + absl::Hours(2));
  const auto proposal = pods.Propose(Utilization("cpu", 30), 3);
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->replicas, 5);
}

TEST(ReplicaProposal, AfterAWholeWindowAYoungPodCounts) {
  PodsOfWords pods({"h300", "r500", "r700"});
  *pods[0].mutable_status()->mutable_conditions(0)->mutable_last_transition_time() =
      ToTimestamp(kNow - absl::Seconds(15));
  const auto proposal = pods.Propose(Utilization("cpu", 30), 3);
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->replicas, 5);
}

TEST(ReplicaProposal, OneLookSaysNothingAboutCpuButAllAboutMemory) {
  PodsOfWords pods({"r900", "r900"});
  for (auto& [uid, usage] : pods.usage().pods) usage.cpu_milli = std::nullopt;
  EXPECT_THAT(std::string(pods.Propose(Utilization("cpu", 30), 2).status().message()),
              HasSubstr("did not receive metrics"));
  ASSERT_TRUE(pods.Propose(Utilization("memory", 30), 2).ok());
  EXPECT_EQ(pods.Propose(Utilization("memory", 30), 2)->replicas, 6);
}

TEST(ReplicaProposal, AnAverageNeedsNoRequest) {
  PodsOfWords pods({"r300", "r500", "r700"});
  pods[0].mutable_spec()->mutable_containers(0)->clear_resources();
  const auto up = pods.Propose(Average("cpu", "300m"), 3);
  ASSERT_TRUE(up.ok()) << up.status();
  EXPECT_EQ(up->replicas, 5);
  EXPECT_EQ(up->status.resource().current().average_value(), "500m");
  EXPECT_FALSE(up->status.resource().current().has_average_utilization());
  EXPECT_EQ(pods.Propose(Average("cpu", "1"), 3)->replicas, 2);
  EXPECT_EQ(pods.Propose(Average("cpu", "510m"), 3)->replicas, 3);
}

TEST(ReplicaProposal, OfAnAverageAMissingPodIsOnTargetOnTheWayDownAndIdleOnTheWayUp) {
  EXPECT_EQ(PodsOfWords({"r100", "r"}).Propose(Average("cpu", "1"), 2)->replicas, 2);
  EXPECT_EQ(PodsOfWords({"r100", "r100", "r100", "r"}).Propose(Average("cpu", "1"), 4)->replicas,
            2);
  EXPECT_EQ(PodsOfWords({"r3000", "r"}).Propose(Average("cpu", "1"), 2)->replicas, 3);
}

TEST(ReplicaProposal, MemoryIsInBytes) {
  const auto proposal = PodsOfWords({"r2048", "r1024"}).Propose(Average("memory", "1Ki"), 2);
  ASSERT_TRUE(proposal.ok());
  EXPECT_EQ(proposal->replicas, 3);
  EXPECT_EQ(proposal->status.resource().current().average_value(), "1536");
}

TEST(ReplicaProposal, EveryContainerNeedsARequestForAPercentage) {
  PodsOfWords pods({"r300"});
  v1::Container* more = pods[0].mutable_spec()->add_containers();
  more->set_name("side");
  EXPECT_EQ(pods.Propose(Utilization("cpu", 30), 1).status().message(),
            "missing request for cpu in container side of Pod p0");
  (*more->mutable_resources()->mutable_requests())["cpu"] = "500m";
  EXPECT_EQ(
      pods.Propose(Utilization("cpu", 20), 1)->status.resource().current().average_utilization(),
      20);
  v1::Container* sidecar = pods[0].mutable_spec()->add_init_containers();
  sidecar->set_name("proxy");
  EXPECT_TRUE(pods.Propose(Utilization("cpu", 20), 1).ok()) << "it is over by then";
  sidecar->set_restart_policy(v1::CONTAINER_RESTART_POLICY_ALWAYS);
  EXPECT_FALSE(pods.Propose(Utilization("cpu", 20), 1).ok());
}

TEST(ReplicaProposal, WithoutPodsOrUsageNothingIsSaid) {
  EXPECT_FALSE(PodsOfWords({}).Propose(Utilization("cpu", 30), 3).ok());
  EXPECT_FALSE(PodsOfWords({"r", "r"}).Propose(Utilization("cpu", 30), 2).ok());
  EXPECT_FALSE(PodsOfWords({"u400", "p"}).Propose(Utilization("cpu", 30), 2).ok());
}

TEST(ReplicaProposal, TheToleranceOfEachDirectionIsItsOwn) {
  const PodsOfWords pods({"r600"});
  EXPECT_EQ(pods.Propose(Utilization("cpu", 50), 1, {0.5, 0})->replicas, 1);
  EXPECT_EQ(pods.Propose(Utilization("cpu", 50), 1, {0, 0.5})->replicas, 2);
  EXPECT_EQ(PodsOfWords({"r400", "r400", "r400", "r400"})
                .Propose(Utilization("cpu", 60), 4, {0, 0.5})
                ->replicas,
            4);
}

}  // namespace
}  // namespace cluster::controller
