// Where pods go, what makes them wait, and who has to leave for whom (behaviours 50 to 53).
#include <map>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"
#include "tests/e2e/requests.h"

namespace cluster::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

// Ends as soon as it is asked to.
constexpr char kObedient[] = "trap \"exit 0\" TERM; sleep 100000 & wait";
// Ends once it is asked to and /tmp/go is there.
constexpr char kHeldUp[] =
    "trap : TERM; echo up; sleep 100000 & wait; echo asked; "
    "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo gone";

void ApplyAll(const std::vector<std::string>& manifests) {
  Apply(absl::StrJoin(manifests, "---\n"));
}

void Taint(const std::string& node) {
  EXPECT_EQ(CtlOut({"taint", "node", node, "e2e/broken:NoExecute"}),
            absl::StrCat("node/", node, " tainted"));
}

class SchedulingE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    for (const char* node : {"node1", "node2"}) {
      CtlOut({"uncordon", node});
      CtlOut({"label", "node", node, "disk-"});
      if (GetJson({"node", node})["spec"].contains("taints")) {
        CtlOut({"taint", "node", node, "e2e/broken-"});
      }
    }
    CtlOut({"delete", "deployments,pods,poddisruptionbudgets,configmaps", "--all", "--timeout",
            "60s"});
    CtlOut({"delete", "priorityclasses", "low", "middle", "high", "polite", "--ignore-not-found"});
  }
};

std::string Selecting(const std::string& label, const std::string& value) {
  return absl::StrCat("  nodeSelector: {", label, ": ", value, "}\n");
}

std::string OnNode(const std::string& node) { return Selecting("kubernetes.io/hostname", node); }

std::string NodeOf(const std::string& pod) {
  const nlohmann::json object = PodNamed(pod);
  return object.contains("spec") ? object["spec"].value("nodeName", "") : "";
}

nlohmann::json ConditionOf(const std::string& pod, const std::string& type) {
  const nlohmann::json object = PodNamed(pod);
  if (!object.contains("/status/conditions"_json_pointer)) return {};
  for (const auto& condition : object["status"]["conditions"]) {
    if (condition["type"] == type) return condition;
  }
  return {};
}

// Waits until the pod is known to fit nowhere; why, in the scheduler's words.
std::string AwaitUnschedulable(const std::string& pod) {
  EXPECT_TRUE(Eventually([&] {
    const nlohmann::json condition = ConditionOf(pod, "PodScheduled");
    return condition.is_object() && condition.value("reason", "") == "Unschedulable";
  })) << Ctl({"describe", "pod", pod}).out;
  EXPECT_EQ(Phase(PodNamed(pod)), "Pending");
  EXPECT_EQ(NodeOf(pod), "");
  return ConditionOf(pod, "PodScheduled").value("message", "");
}

absl::Time TimeIn(const nlohmann::json& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(
      absl::ParseTime(absl::RFC3339_full, text.is_string() ? std::string(text) : "", &time, &error))
      << text << ": " << error;
  return time;
}

// "1950m" or "2".
int64_t CpuOf(const std::string& node) {
  const std::string text = GetJson({"node", node})["status"]["allocatable"]["cpu"];
  absl::string_view digits = text;
  const bool milli = absl::ConsumeSuffix(&digits, "m");
  int64_t amount = 0;
  EXPECT_TRUE(absl::SimpleAtoi(digits, &amount)) << text;
  return milli ? amount : amount * 1000;
}

std::string CpuRequest(int64_t milli, const std::string& more = "") {
  return absl::StrCat("      resources: {requests: {cpu: ", milli, "m}", more, "}\n");
}

TEST_F(SchedulingE2e, Behaviour50_ANodeSelectorLeadsToItsNodeOrLetsThePodWait) {
  CtlOut({"label", "node", "node1", "disk=tape"});
  CtlOut({"label", "node", "node2", "disk=ssd"});
  // Spread alone would not put two and two so.
  const auto pod = [](const std::string& name) {
    const std::string disk = name.substr(0, name.find('-'));
    return PodText{.name = name, .script = kObedient, .extra_spec = Selecting("disk", disk)}.Yaml();
  };
  ApplyAll({pod("tape-1"), pod("tape-2"), pod("ssd-1"), pod("ssd-2"), pod("floppy")});
  for (const char* name : {"tape-1", "tape-2", "ssd-1", "ssd-2"}) {
    ASSERT_TRUE(WaitPhase(name, "Running"));
    EXPECT_EQ(NodeOf(name), absl::StartsWith(name, "tape") ? "node1" : "node2");
  }
  EXPECT_EQ(AwaitUnschedulable("floppy"),
            "0/2 nodes are available: 2 node(s) didn't match the pod's nodeSelector on node1, "
            "node2.");
  EXPECT_THAT(CtlOut({"events", "--for", "pod/floppy"}), HasSubstr("FailedScheduling"));

  CtlOut({"label", "node", "node2", "disk=floppy", "--overwrite"});
  ASSERT_TRUE(WaitPhase("floppy", "Running"));
  EXPECT_EQ(NodeOf("floppy"), "node2");
  EXPECT_FALSE(PodNamed("ssd-1")["metadata"].contains("deletionTimestamp"))
      << "what runs stays where it is";
}

// On node1, on port 80, it says its own name.
std::string PublishedPod(const std::string& name, const std::string& port) {
  return PodText{.name = name,
                 .script = "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www",
                 .extra_container = absl::StrCat(
                     "      ports: [{containerPort: 80, ", port, "}]\n",
                     "      readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}\n"),
                 .extra_spec = OnNode("node1")}
      .Yaml();
}

TEST_F(SchedulingE2e, Behaviour51_HostPortsConflictByPortProtocolAndAddress) {
  const std::string address = GetJson({"node", "node1"})["status"]["addresses"][0]["address"];
  ApplyAll({PodText{.name = "client",
                    .script = kObedient,
                    .extra_spec = absl::StrCat("  hostNetwork: true\n", OnNode("node1"))}
                .Yaml(),
            PublishedPod("first", "hostPort: 18080"),
            PublishedPod("inside", "hostPort: 18081, hostIP: 127.0.0.1")});
  for (const char* name : {"client", "first", "inside"}) {
    ASSERT_TRUE(Eventually([&] { return IsReady(PodNamed(name)); })) << name;
  }
  // These do not conflict: another protocol, another address.
  ApplyAll({PublishedPod("datagrams", "hostPort: 18080, protocol: UDP"),
            PublishedPod("outside", absl::StrCat("hostPort: 18081, hostIP: ", address))});
  for (const char* name : {"datagrams", "outside"}) {
    ASSERT_TRUE(Eventually([&] { return IsReady(PodNamed(name)); })) << name;
    EXPECT_EQ(NodeOf(name), "node1");
  }
  // These do: equal, equal where addresses are given, and any address against given ones.
  ApplyAll({PublishedPod("second", "hostPort: 18080"),
            PublishedPod("within", absl::StrCat("hostPort: 18080, hostIP: ", address)),
            PublishedPod("same", "hostPort: 18081, hostIP: 127.0.0.1"),
            PublishedPod("every", "hostPort: 18081, hostIP: 0.0.0.0")});
  for (const char* name : {"second", "within", "same", "every"}) {
    EXPECT_THAT(AwaitUnschedulable(name),
                HasSubstr("1 node(s) didn't have the requested host port "))
        << name;
  }
  EXPECT_THAT(AwaitUnschedulable("second"), HasSubstr("host port 18080/TCP free on node1"));

  const int64_t node = PidOf(PodNamed("client"));
  const auto answer = [node](const std::string& to, uint16_t port) {
    Requests requests(node, to, port, 20);
    return requests.Await(1).said;
  };
  EXPECT_THAT(answer(address, 18080), ElementsAre(Key("first")));
  EXPECT_THAT(answer(address, 18081), ElementsAre(Key("outside")));
  EXPECT_THAT(answer("127.0.0.1", 18081), ElementsAre(Key("inside")));

  Delete("pod", "first");
  EXPECT_TRUE(Eventually([] {
    return Phase(PodNamed("second")) == "Running" || Phase(PodNamed("within")) == "Running";
  })) << "the port is free again";
}

std::string PriorityClassYaml(const std::string& name, int value, const std::string& policy = "") {
  return absl::StrCat("apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: ",
                      name, "}\nvalue: ", value, "\n", policy, "---\n");
}

// Takes so much of a node that no other such pod fits beside it.
std::string RankedPod(const std::string& name, const std::string& priority,
                      const std::string& script) {
  return absl::StrReplaceAll(
      PodText{.name = name,
              .script = script,
              .extra_container = CpuRequest(CpuOf("node1") * 6 / 10),
              .extra_spec = absl::StrCat("  priorityClassName: ", priority, "\n")}
          .Yaml(),
      {{"terminationGracePeriodSeconds: 1\n", "terminationGracePeriodSeconds: 60\n"}});
}

TEST_F(SchedulingE2e, Behaviour52_AHigherPodTakesTheRoomOfTheLowestWhenThatHasEnded) {
  Apply(absl::StrCat(PriorityClassYaml("low", 10), PriorityClassYaml("middle", 100),
                     PriorityClassYaml("high", 1000),
                     PriorityClassYaml("polite", 1000, "preemptionPolicy: Never\n")));
  Apply(RankedPod("least", "low", kHeldUp));
  ASSERT_TRUE(WaitPhase("least", "Running"));
  Apply(RankedPod("other", "middle", kObedient));
  ASSERT_TRUE(WaitPhase("other", "Running"));
  EXPECT_FALSE(PodNamed("least")["metadata"].contains("deletionTimestamp"))
      << "nobody ends where there is room";
  Apply(RankedPod("waits", "polite", kObedient));
  EXPECT_THAT(AwaitUnschedulable("waits"), HasSubstr("2 Insufficient cpu"));
  EXPECT_FALSE(PodNamed("least")["metadata"].contains("deletionTimestamp"))
      << "its class ends nobody";
  const std::string node = NodeOf("least");
  RunningCtl log({"logs", "-f", "least"});
  log.AwaitOut("up\n");

  Apply(RankedPod("urgent", "high", kObedient));
  ASSERT_TRUE(
      Eventually([] { return PodNamed("least")["metadata"].contains("deletionTimestamp"); }));
  log.AwaitOut("asked\n");
  const nlohmann::json target = ConditionOf("least", "DisruptionTarget");
  ASSERT_TRUE(target.is_object()) << PodNamed("least");
  EXPECT_EQ(target["status"], "True");
  EXPECT_EQ(target["reason"], "PreemptionByScheduler");
  const nlohmann::json least = PodNamed("least");
  EXPECT_EQ(least["metadata"].value("deletionGracePeriodSeconds", 0), 60);
  EXPECT_TRUE(least["status"]["containerStatuses"][0]["state"].contains("running"));
  // Its room is promised, and not yet given.
  ASSERT_TRUE(Eventually(
      [&] { return PodNamed("urgent")["status"].value("nominatedNodeName", "") == node; }));
  EXPECT_THAT(AwaitUnschedulable("urgent"),
              HasSubstr("waiting for pods of less priority to end on " + node));
  EXPECT_THAT(CtlOut({"why", "urgent"}),
              HasSubstr("It waits for pods of less priority to end on " + node));
  EXPECT_FALSE(PodNamed("other")["metadata"].contains("deletionTimestamp")) << "one is enough";

  CtlOut({"exec", "least", "--", "touch", "/tmp/go"});
  EXPECT_EQ(log.AwaitOut("gone\n"), "up\nasked\ngone\n") << "it ended by itself";
  ASSERT_TRUE(WaitPhase("urgent", "Running"));
  EXPECT_EQ(NodeOf("urgent"), node);
  EXPECT_EQ(Ctl({"get", "pod", "least"}).exit_code, 1);
  EXPECT_EQ(Phase(PodNamed("waits")), "Pending");
  EXPECT_THAT(CtlOut({"events", "--for", "pod/least"}), HasSubstr("Preempted by pod"));
}

std::string PinnedPod(const std::string& name, const std::string& node) {
  return PodText{.name = name, .script = kObedient, .extra_spec = OnNode(node)}.Yaml();
}

// Of seconds "" it tolerates the taint for ever.
std::string ToleratingPod(const std::string& name, const std::string& node,
                          const std::string& seconds) {
  return PodText{.name = name,
                 .script = kObedient,
                 .extra_spec = absl::StrCat(
                     OnNode(node), "  tolerations: [{key: e2e/broken, operator: Exists, effect: ",
                     "NoExecute", seconds.empty() ? "" : ", tolerationSeconds: ", seconds, "}]\n")}
      .Yaml();
}

bool IsGone(const std::string& pod) { return Ctl({"get", "pod", pod}).exit_code == 1; }

// When the pod was told to leave.
absl::Time EvictedAt(const std::string& pod) {
  const nlohmann::json events = GetJson({"events"});
  for (const auto& event : events["items"]) {
    if (event["reason"] == "TaintManagerEviction" && event["involvedObject"]["name"] == pod) {
      return TimeIn(event["lastTimestamp"]);
    }
  }
  ADD_FAILURE() << pod << " left for another reason: " << CtlOut({"events"});
  return absl::InfinitePast();
}

TEST_F(SchedulingE2e, Behaviour53_ANoExecuteTaintEndsEachPodAfterItsOwnTime) {
  ApplyAll({PinnedPod("at-once", "node1"), ToleratingPod("short", "node1", "2"),
            ToleratingPod("long", "node1", "5"), ToleratingPod("for-ever", "node1", ""),
            PinnedPod("elsewhere", "node2")});
  for (const char* name : {"at-once", "short", "long", "for-ever", "elsewhere"}) {
    ASSERT_TRUE(WaitPhase(name, "Running"));
  }
  Taint("node1");
  for (const char* name : {"at-once", "short", "long"}) {
    ASSERT_TRUE(Eventually([&] { return IsGone(name); })) << name;
  }
  const absl::Time tainted = TimeIn(GetJson({"node", "node1"})["spec"]["taints"][0]["timeAdded"]);
  EXPECT_LT(EvictedAt("at-once"), EvictedAt("short"));
  EXPECT_GE(EvictedAt("short"), tainted + absl::Seconds(2));
  EXPECT_LT(EvictedAt("short"), EvictedAt("long"));
  EXPECT_GE(EvictedAt("long"), tainted + absl::Seconds(5));
  for (const char* name : {"for-ever", "elsewhere"}) {
    EXPECT_EQ(Phase(PodNamed(name)), "Running");
    EXPECT_FALSE(PodNamed(name)["metadata"].contains("deletionTimestamp"));
  }
}

TEST_F(SchedulingE2e, Behaviour53_ATaintThatIsTakenAwayInTimeEndsNobody) {
  ApplyAll({PinnedPod("at-once", "node1"), ToleratingPod("saved", "node1", "15"),
            ToleratingPod("later", "node2", "16")});
  for (const char* name : {"at-once", "saved", "later"}) ASSERT_TRUE(WaitPhase(name, "Running"));
  const int64_t pid = PidOf(PodNamed("saved"));
  Taint("node1");
  ASSERT_TRUE(Eventually([] { return IsGone("at-once"); })) << "the taint counts";
  CtlOut({"taint", "node", "node1", "e2e/broken-"});
  EXPECT_FALSE(PodNamed("saved")["metadata"].contains("deletionTimestamp"));
  // Its time is surely over when one is whose time is longer and began later.
  Taint("node2");
  ASSERT_TRUE(Eventually([] { return IsGone("later"); }));
  EXPECT_FALSE(PodNamed("saved")["metadata"].contains("deletionTimestamp"));
  EXPECT_EQ(PidOf(PodNamed("saved")), pid);
  EXPECT_EQ(RestartCount(PodNamed("saved")), 0);
}

// What `why` says of a node: from its name to the next empty line.
std::string VerdictOf(const std::string& why, const std::string& node) {
  const size_t from = why.find("\n\n" + node);
  if (from == std::string::npos) return "";
  const size_t to = why.find("\n\n", from + 2);
  return why.substr(from + 2, to == std::string::npos ? to : to - from - 2);
}

TEST_F(SchedulingE2e, WhySaysOfEveryNodeWhatFailedAndHowMuchLacks) {
  CtlOut({"label", "node", "node2", "disk=ssd"});
  CtlOut({"cordon", "node1"});
  Apply(PodText{.name = "placed", .script = kObedient, .extra_container = CpuRequest(100)}.Yaml());
  Apply(PodText{
      .name = "huge",
      .extra_container = CpuRequest(CpuOf("node1") + 500, ", limits: {example.com/dongle: 3}"),
      .extra_spec = Selecting("disk", "ssd")}
            .Yaml());
  ASSERT_TRUE(WaitPhase("placed", "Running"));
  AwaitUnschedulable("huge");
  const std::string why = CtlOut({"why", "huge"});
  EXPECT_THAT(why, StartsWith("pod/huge: 0/2 nodes are available: "));
  EXPECT_EQ(VerdictOf(why, "node1"),
            "node1\n"
            "  node(s) were unschedulable\n"
            "    would help: clusterctl uncordon node1\n"
            "  node(s) didn't match the pod's nodeSelector\n"
            "    would help: give the node the labels of the nodeSelector\n"
            "  Insufficient cpu (500m lacking)\n"
            "    would help: free 500m of cpu on the node, or lower the request by as much\n"
            "  Insufficient example.com/dongle (3 lacking)\n"
            "    would help: free 3 of example.com/dongle on the node, or lower the request by as "
            "much");
  // The pod that runs there has a tenth.
  EXPECT_EQ(VerdictOf(why, "node2"),
            "node2\n"
            "  Insufficient cpu (600m lacking)\n"
            "    would help: free 600m of cpu on the node, or lower the request by as much\n"
            "  Insufficient example.com/dongle (3 lacking)\n"
            "    would help: free 3 of example.com/dongle on the node, or lower the request by as "
            "much");
  const std::string placed = CtlOut({"why", "placed"});
  EXPECT_THAT(placed, StartsWith("pod/placed: node2 is the only node that fits.\n"));
  EXPECT_THAT(VerdictOf(placed, "node2"), StartsWith("node2 (here)\n  score: "));
  EXPECT_THAT(VerdictOf(placed, "node1"), HasSubstr("  node(s) were unschedulable"));
  CtlOut({"uncordon", "node1"});
  EXPECT_THAT(CtlOut({"why", "placed"}),
              HasSubstr("It runs on node2; today node1 would win, ahead by"));
}

// By node, those of the app.
std::map<std::string, int> PlacesOf(const std::string& app) {
  std::map<std::string, int> places;
  for (const auto& pod : PodsOf(app)) ++places[pod["spec"]["nodeName"]];
  return places;
}

// Every object that a plan could have made or changed. Statuses may still be on their way.
std::string EverythingWanted() {
  return CtlOut({"get", "deployments,replicasets,pods,configmaps", "-o",
                 "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} "
                 "{.metadata.generation} {.metadata.deletionTimestamp}{\"\\n\"}{end}"});
}

TEST_F(SchedulingE2e, PlanSaysWhatAnApplyWouldDoAndChangesNothing) {
  DeploymentText web{.name = "web", .replicas = 2, .script = kObedient};
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("web", 2));
  CtlOut({"rollout", "status", "deploy/web", "--timeout", "60s"});
  const std::string before = EverythingWanted();
  EXPECT_THAT(before, HasSubstr("Deployment/web"));
  web.replicas = 4;
  web.image = "busybox:2";
  const std::string files = absl::StrCat(
      "{apiVersion: v1, kind: ConfigMap, metadata: {name: new}, data: {a: b}}\n---\n", web.Yaml(),
      "---\n", DeploymentText{.name = "api", .replicas = 3, .script = kObedient}.Yaml(), "---\n",
      PodText{.name = "huge", .extra_container = CpuRequest(CpuOf("node1") + 500)}.Yaml());
  const std::string plan = CtlOut({"plan", "-"}, files);
  EXPECT_THAT(plan, HasSubstr("configmap/new created\n"));
  EXPECT_THAT(plan, HasSubstr("deployment/web configured: spec.replicas, "
                              "spec.template.spec.containers[0].image\n"));
  EXPECT_THAT(plan, HasSubstr("deployment/api created\n"));
  EXPECT_THAT(plan, HasSubstr("pod/huge in default:\n  starts 1 pod that would wait: 0/2 nodes are "
                              "available: 2 Insufficient cpu"));
  EXPECT_THAT(plan, HasSubstr("deployment/web in default:\n  starts 4 pods: 2 on node1, 2 on "
                              "node2\n  ends 2 pods\n"));
  EXPECT_EQ(EverythingWanted(), before) << "nothing is changed by it";

  Apply(files);
  ASSERT_TRUE(WaitReady("api", 3));
  CtlOut({"rollout", "status", "deploy/web", "--timeout", "60s"});
  ASSERT_TRUE(WaitReady("web", 4));
  const std::map<std::string, int> places = PlacesOf("api");
  EXPECT_THAT(plan, HasSubstr(absl::StrCat(
                        "deployment/api in default:\n  starts 3 pods: ", places.at("node1"),
                        " on node1, ", places.at("node2"), " on node2\n")))
      << "they went where it said";
  EXPECT_EQ(CtlOut({"plan", "-"}, web.Yaml()),
            "deployment/web unchanged\nNo pod would be started, restarted or ended.");
}

std::string BudgetYaml(int unavailable) {
  return absl::StrCat("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, ",
                      "spec: {maxUnavailable: ", unavailable,
                      ", selector: {matchLabels: {app: web}}}}");
}

// Waits until the budget allows so many.
bool WaitAllowed(int disruptions) {
  return Eventually([&] {
    const nlohmann::json budget = GetJson({"poddisruptionbudget", "web"});
    return budget.contains("status") &&
           budget["status"].value("disruptionsAllowed", 0) == disruptions &&
           budget["status"].value("observedGeneration", 0) == budget["metadata"]["generation"];
  });
}

TEST_F(SchedulingE2e, RebalanceBringsPodsToANodeThatIsBackAsFastAsTheBudgetAllows) {
  CtlOut({"cordon", "node2"});
  ApplyAll(
      {DeploymentText{.name = "web", .replicas = 4, .script = kObedient}.Yaml(), BudgetYaml(0)});
  ASSERT_TRUE(WaitReady("web", 4));
  ASSERT_THAT(PlacesOf("web"), ElementsAre(Pair("node1", 4)));
  EXPECT_EQ(CtlOut({"rebalance", "--plan"}), "No pod would be better off elsewhere.");
  CtlOut({"uncordon", "node2"});
  ASSERT_TRUE(WaitAllowed(0));
  EXPECT_THAT(CtlOut({"rebalance", "--plan"}), HasSubstr("better spread of the workload"));
  const std::string held = CtlOut({"rebalance", "--apply"});
  EXPECT_THAT(held, HasSubstr("held back: budget web allows no more disruptions"));
  EXPECT_THAT(held, HasSubstr("2 moves were held back"));
  EXPECT_THAT(held, Not(HasSubstr("evicted")));
  EXPECT_THAT(PlacesOf("web"), ElementsAre(Pair("node1", 4))) << "all there, none leaving";

  Apply(BudgetYaml(1));
  ASSERT_TRUE(WaitAllowed(1));
  const std::string plan = CtlOut({"rebalance", "--plan"});
  EXPECT_THAT(PlacesOf("web"), ElementsAre(Pair("node1", 4))) << "a plan moves nobody";
  // The rows of the plan come first: one pod goes, the other move waits for it.
  const std::string first = CtlOut({"rebalance", "--apply"});
  EXPECT_THAT(first, StartsWith(plan));
  EXPECT_THAT(first, HasSubstr("evicted\n1 move was held back"));
  ASSERT_TRUE(WaitReady("web", 4));
  EXPECT_THAT(PlacesOf("web"), ElementsAre(Pair("node1", 3), Pair("node2", 1)));
  ASSERT_TRUE(WaitAllowed(1));
  EXPECT_THAT(CtlOut({"rebalance", "--apply"}), Not(HasSubstr("held back")));
  ASSERT_TRUE(WaitReady("web", 4));
  EXPECT_THAT(PlacesOf("web"), ElementsAre(Pair("node1", 2), Pair("node2", 2)));
  EXPECT_EQ(CtlOut({"rebalance", "--plan"}), "No pod would be better off elsewhere.");
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-sched", 2)
