// Very many nodes that come back at once: they are let in at a bounded rate, in their time nobody
// is lost, and the beats of those that are in are answered meanwhile.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "base/clock.h"
#include "controller/object/object_fields.h"
#include "tests/bench/scale/fleet.h"
#include "tests/integration/controller/support/crowd.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

// Instrumented programs are slower by an order of magnitude.
#ifdef CLUSTER_SANITIZED
constexpr int kNodes = 200;
#else
constexpr int kNodes = 1000;
#endif
constexpr int kPods = kNodes;

constexpr int kAdmissionsPerSecond = 100;
constexpr int kAdmissionBurst = 50;
constexpr int kConnections = 20;

SessionOptions Unbounded() {
  SessionOptions options;
  options.admissions_per_second = 1'000'000;
  options.admission_burst = kNodes;
  options.admissions_abreast = kNodes;
  return options;
}

SessionOptions Bounded() {
  SessionOptions options;
  options.admissions_per_second = kAdmissionsPerSecond;
  options.admission_burst = kAdmissionBurst;
  return options;
}

// Each node of a fleet has a connection of its own, both ends of which are here.
void AllowOpenFiles() {
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

bool AllReady(const std::map<std::string, v1::Object>& nodes) {
  return nodes.size() == kNodes && std::all_of(nodes.begin(), nodes.end(), [](const auto& node) {
           return NodeIsReady(node.second.node());
         });
}

std::set<std::string> UidsOfPods(TestCluster& cluster) {
  std::set<std::string> uids;
  for (const v1::Object& pod : cluster.List("Pod")) uids.insert(Meta(pod).uid());
  return uids;
}

void ExpectNobodyWasLost(TestCluster& cluster) {
  for (const v1::Object& event : cluster.List("Event")) {
    EXPECT_NE(event.event().reason(), "NodeNotReady") << event.event().involved_object().name();
  }
}

TEST(Reconnect, AThousandNodesComeBackToANewControllerAndNoneIsLost) {
  AllowOpenFiles();
  SessionOptions options;
  // Longer than the longest pause between two dials.
  options.beat = absl::Seconds(2);
  TestCluster cluster(Backend::kSqlite, options);
  bench::NodeSize size;
  size.pods = 110;
  bench::Fleet fleet(absl::StrCat("unix:", cluster.socket()), kNodes, size);
  ASSERT_TRUE(cluster.WaitFor("Node", AllReady));
  ASSERT_TRUE(cluster.Apply({DeploymentBuilder("web").Replicas(kPods).Build()}).ok());
  ASSERT_TRUE(cluster.WaitForReady("web", kPods));
  const std::set<std::string> before = UidsOfPods(cluster);
  const int64_t told = fleet.counts().told;
  const int64_t welcomes = fleet.counts().welcomes;

  cluster.Restart();
  ASSERT_TRUE(fleet.Await([&](const bench::FleetCounts& counts) {
    return counts.welcomes >= welcomes + kNodes && counts.attached == kNodes;
  }));
  EXPECT_EQ(fleet.counts().welcomes, welcomes + kNodes) << "some had to dial more than once";
  EXPECT_TRUE(cluster.WaitFor("Node", AllReady));
  // Nobody was lost, so nothing was moved or told again.
  ExpectNobodyWasLost(cluster);
  EXPECT_EQ(UidsOfPods(cluster), before);
  EXPECT_EQ(fleet.counts().told, told);
}

// The controller's; moves only when told to.
class ClockInHand : public Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixSeconds(1'700'000'000) + Monotonic(); }
  absl::Duration Monotonic() const override { return absl::Nanoseconds(now_.load()); }
  void Advance(absl::Duration by) { now_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_{absl::ToInt64Nanoseconds(absl::Hours(1))};
};

std::vector<std::shared_ptr<grpc::Channel>> Connections(const TestCluster& cluster) {
  std::vector<std::shared_ptr<grpc::Channel>> connections;
  for (int i = 0; i < kConnections; ++i) connections.push_back(cluster.Channel());
  return connections;
}

// Time is the controller's own, so this is exact: a burst, then so many per second, and while time
// stands still nobody; but beats are answered.
TEST(Reconnect, AThousandHellosAtOnceAreAdmittedAtTheRateWhileBeatsAreAnswered) {
  AllowOpenFiles();
  ClockInHand clock;
  TestCluster cluster(Backend::kSqlite, Unbounded(), &clock);
  Crowd crowd(kNodes, "node-");
  crowd.Dial(Connections(cluster));
  ASSERT_TRUE(crowd.AwaitWelcomed(kNodes));
  ASSERT_TRUE(cluster.WaitFor("Node", AllReady));

  cluster.SetSessions(Bounded());
  cluster.Restart();
  ASSERT_TRUE(crowd.AwaitEnded(kNodes));
  crowd.Dial(Connections(cluster));
  constexpr absl::Duration kStep = absl::Milliseconds(500);
  constexpr int kOfStep = kAdmissionsPerSecond / 2;
  for (int admitted = kAdmissionBurst; admitted <= kNodes; admitted += kOfStep) {
    ASSERT_TRUE(crowd.AwaitWelcomed(admitted));
    // Twice, as what the first ones let through would show by the second.
    ASSERT_EQ(crowd.Beat(), admitted);
    ASSERT_EQ(crowd.Beat(), admitted);
    ASSERT_EQ(crowd.welcomed(), admitted) << "more than the rate allows";
    ASSERT_EQ(crowd.ended(), 0);
    clock.Advance(kStep);
  }
  EXPECT_TRUE(cluster.WaitFor("Node", AllReady));
  ExpectNobodyWasLost(cluster);
}

}  // namespace
}  // namespace cluster::controller
