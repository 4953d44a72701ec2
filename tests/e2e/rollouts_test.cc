// How Deployments get from one template to the next, and back (behaviours 34, 36 and 37).
#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class RolloutsE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override { CtlOut({"delete", "deployments,pods", "--all", "--timeout", "60s"}); }
};

// Ends as soon as it is asked to.
constexpr char kPrompt[] = "trap \"exit 0\" TERM; sleep 100000 & wait";
// Ends once it is asked to and /tmp/go is there.
constexpr char kReluctant[] =
    "trap : TERM; echo > /tmp/ready; sleep 100000 & wait; "
    "while [ ! -e /tmp/go ]; do sleep 0.1; done";

// Ready once /tmp/ready is there.
constexpr char kReadyOnDemand[] =
    "          readinessProbe: {exec: {command: [cat, /tmp/ready]}, periodSeconds: 1}\n";

// All of the app, also those that are ending.
std::vector<nlohmann::json> AllPodsOf(const std::string& app) {
  const nlohmann::json list = GetJson({"pods", "-l", "app=" + app});
  return {list["items"].begin(), list["items"].end()};
}

bool IsEnding(const nlohmann::json& pod) { return pod["metadata"].contains("deletionTimestamp"); }

std::string ImageIn(const nlohmann::json& pod) { return pod["spec"]["containers"][0]["image"]; }

nlohmann::json DeploymentCondition(const std::string& name, const std::string& type) {
  const nlohmann::json deployment = GetJson({"deployment", name});
  const auto at = "/status/conditions"_json_pointer;
  if (!deployment.contains(at)) return nlohmann::json::object();
  for (const auto& condition : deployment[at]) {
    if (condition["type"] == type) return condition;
  }
  return nlohmann::json::object();
}

std::string ProgressOf(const std::string& name) {
  return DeploymentCondition(name, "Progressing").value("message", "");
}

// The sizes that its sets shall have, by image.
std::map<std::string, int> SizesOf(const std::string& app) {
  std::map<std::string, int> sizes;
  const nlohmann::json list = GetJson({"replicasets", "-l", "app=" + app});
  for (const auto& set : list["items"]) {
    sizes[ImageIn(set["spec"]["template"])] += set["spec"].value("replicas", 0);
  }
  return sizes;
}

std::string RevisionOf(const std::string& name) {
  return GetJson({"deployment", name})
      .value("/metadata/annotations/deployment.kubernetes.io~1revision"_json_pointer, "");
}

int AvailableOf(const std::string& name) {
  return GetJson({"deployment", name}).value("/status/availableReplicas"_json_pointer, 0);
}

// Waits until there are pods of these numbers by image, none of them ending.
bool WaitPods(const std::string& app, const std::map<std::string, int>& wanted) {
  std::map<std::string, int> pods;
  const auto count = [&] {
    pods.clear();
    for (const auto& pod : AllPodsOf(app)) ++pods[ImageIn(pod)];
    return pods == wanted;
  };
  if (Eventually(count)) return true;
  ADD_FAILURE() << testing::PrintToString(pods) << Ctl({"describe", "deploy", app}).out;
  return false;
}

TEST_F(RolloutsE2e, Behaviour34_RecreateStartsNothingNewBeforeAllThatIsOldIsGone) {
  DeploymentText web{.name = "again", .replicas = 3, .script = kReluctant};
  web.extra_spec = "  strategy: {type: Recreate}\n";
  web.mounts = kReadyOnDemand;
  web.volumes = "      terminationGracePeriodSeconds: 60\n";
  const auto yaml = [&web] {
    return absl::StrReplaceAll(web.Yaml(), {{"      terminationGracePeriodSeconds: 1\n", ""}});
  };
  Apply(yaml());
  ASSERT_TRUE(WaitReady("again", 3));
  const std::vector<nlohmann::json> old = PodsOf("again");
  RunningCtl watch(
      {"get", "pods", "-w", "-o",
       "jsonpath={.metadata.name} {.status.phase} {.spec.containers[0].image}{\"\\n\"}"});
  for (const auto& pod : old) watch.AwaitOut(std::string(pod["metadata"]["name"]) + " Running");
  web.image = "busybox:2";
  web.mounts = "";
  web.script = kPrompt;
  Apply(yaml());
  ASSERT_TRUE(Eventually([] {
    const std::vector<nlohmann::json> pods = AllPodsOf("again");
    return std::count_if(pods.begin(), pods.end(), IsEnding) == 3;
  }));
  ASSERT_TRUE(Eventually([] {
    return absl::StrContains(ProgressOf("again"), "waiting for 3 old pod(s)");
  })) << ProgressOf("again");
  EXPECT_THAT(SizesOf("again"), ElementsAre(Pair("busybox:1", 0))) << "there is no new set";

  for (const size_t i : {0, 1}) {
    CtlOut({"exec", old[i]["metadata"]["name"], "--", "touch", "/tmp/go"});
  }
  ASSERT_TRUE(WaitPods("again", {{"busybox:1", 1}}));
  EXPECT_THAT(SizesOf("again"), ElementsAre(Pair("busybox:1", 0)));
  EXPECT_TRUE(Eventually([] {
    return absl::StrContains(ProgressOf("again"), "waiting for 1 old pod(s)");
  })) << ProgressOf("again");

  CtlOut({"exec", old[2]["metadata"]["name"], "--", "touch", "/tmp/go"});
  ASSERT_TRUE(WaitReady("again", 3));
  ASSERT_TRUE(WaitPods("again", {{"busybox:2", 3}}));
  // The watch has seen everything when it sees this.
  Apply(PodText{.name = "last", .script = kPrompt}.Yaml());
  const std::string seen = watch.AwaitOut("last ");
  const size_t first_new = seen.find("busybox:2");
  ASSERT_NE(first_new, std::string::npos) << seen;
  for (const auto& pod : old) {
    const std::string name = pod["metadata"]["name"];
    EXPECT_LT(seen.rfind(name + " Running"), first_new) << "it ran when a new one came:\n" << seen;
  }
}

// A Deployment of `replicas` that may have two more, all of which serve meanwhile.
DeploymentText Surging(const std::string& name, int replicas) {
  DeploymentText web{.name = name, .replicas = replicas, .script = kPrompt};
  web.extra_spec = "  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}\n";
  return web;
}

TEST_F(RolloutsE2e, Behaviour36_ARolloutBlockedByItsImageIsScaledInProportion) {
  DeploymentText web = Surging("blocked", 4);
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("blocked", 4));
  web.image = "absent:1";
  Apply(web.Yaml());
  ASSERT_TRUE(WaitPods("blocked", {{"busybox:1", 4}, {"absent:1", 2}}));
  CtlOut({"scale", "deploy/blocked", "--replicas", "8"});
  // 8 and the surge of 2 are 10, of which 4 of 6 are old: 6.67 and 3.33.
  ASSERT_TRUE(WaitPods("blocked", {{"busybox:1", 7}, {"absent:1", 3}}));
  EXPECT_THAT(SizesOf("blocked"), ElementsAre(Pair("absent:1", 3), Pair("busybox:1", 7)));
  ASSERT_TRUE(Eventually([] {
    const std::vector<nlohmann::json> pods = PodsOf("blocked");
    return std::count_if(pods.begin(), pods.end(), IsReady) == 7;
  })) << "what is old serves";
  EXPECT_EQ(DeploymentCondition("blocked", "Available").value("status", ""), "False")
      << "8 are wanted and 7 serve";
}

TEST_F(RolloutsE2e, Behaviour36_APausedRolloutIsScaledInProportionAndGoesOnLater) {
  DeploymentText web = Surging("paused", 4);
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("paused", 4));
  web.image = "busybox:2";
  web.mounts = kReadyOnDemand;
  Apply(web.Yaml());
  ASSERT_TRUE(WaitPods("paused", {{"busybox:1", 4}, {"busybox:2", 2}}));
  CtlOut({"rollout", "pause", "deploy/paused"});
  const auto let_be_ready = [] {
    for (const auto& pod : PodsOf("paused")) {
      const bool may_be = ImageIn(pod) == "busybox:2" && Phase(pod) == "Running" && !IsReady(pod);
      if (may_be) Ctl({"exec", pod["metadata"]["name"], "--", "touch", "/tmp/ready"});
    }
  };
  // Two more that serve: without the pause two old ones would go.
  ASSERT_TRUE(Eventually([&] {
    let_be_ready();
    return AvailableOf("paused") == 6;
  }));
  EXPECT_EQ(DeploymentCondition("paused", "Progressing").value("reason", ""), "DeploymentPaused");
  EXPECT_THAT(SizesOf("paused"), ElementsAre(Pair("busybox:1", 4), Pair("busybox:2", 2)));

  CtlOut({"scale", "deploy/paused", "--replicas", "8"});
  ASSERT_TRUE(WaitPods("paused", {{"busybox:1", 7}, {"busybox:2", 3}}));
  EXPECT_THAT(SizesOf("paused"), ElementsAre(Pair("busybox:1", 7), Pair("busybox:2", 3)));
  ASSERT_TRUE(Eventually([&] {
    let_be_ready();
    return AvailableOf("paused") == 10;
  }));
  EXPECT_THAT(SizesOf("paused"), ElementsAre(Pair("busybox:1", 7), Pair("busybox:2", 3)));

  CtlOut({"rollout", "resume", "deploy/paused"});
  ASSERT_TRUE(Eventually([&] {
    let_be_ready();
    return SizesOf("paused") == std::map<std::string, int>{{"busybox:1", 0}, {"busybox:2", 8}};
  }));
  EXPECT_TRUE(WaitPods("paused", {{"busybox:2", 8}}));
}

// "1 3": the revisions that `rollout history` lists.
std::vector<std::string> RevisionsOf(const std::string& deployment) {
  std::vector<std::string> revisions;
  const std::string history = CtlOut({"rollout", "history", "deploy/" + deployment});
  for (const absl::string_view line : absl::StrSplit(history, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (!words.empty() && absl::ascii_isdigit(words[0][0])) revisions.push_back(words[0]);
  }
  return revisions;
}

TEST_F(RolloutsE2e, Behaviour37_AsManyRevisionsAreKeptAsAskedForAndUndoReturnsToThem) {
  DeploymentText web{.name = "kept", .replicas = 1, .script = kPrompt};
  web.extra_spec = "  revisionHistoryLimit: 2\n";
  std::map<std::string, nlohmann::json> templates;  // by revision
  for (int i = 1; i <= 5; ++i) {
    const std::string revision = absl::StrCat(i);
    web.image = revision == "3" ? "busybox:2" : "busybox:1";
    web.mounts = "          env: [{name: REVISION, value: \"" + revision + "\"}]\n";
    Apply(web.Yaml());
    ASSERT_TRUE(Eventually([&] { return RevisionOf("kept") == revision; })) << revision;
    CtlOut({"rollout", "status", "deploy/kept", "--timeout", "60s"});
    templates[revision] = GetJson({"deployment", "kept"})["spec"]["template"];
  }
  ASSERT_TRUE(Eventually([] { return RevisionsOf("kept").size() == 3; }));
  EXPECT_THAT(RevisionsOf("kept"), ElementsAre("3", "4", "5")) << "this one and two old ones";
  EXPECT_EQ(GetJson({"replicasets", "-l", "app=kept"})["items"].size(), 3u);

  const Outcome lost = Ctl({"rollout", "undo", "deploy/kept", "--to-revision", "2"});
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, HasSubstr("deployment \"kept\" has no revision 2"));
  EXPECT_EQ(RevisionOf("kept"), "5");

  CtlOut({"rollout", "undo", "deploy/kept", "--to-revision", "3"});
  ASSERT_TRUE(Eventually([] { return RevisionOf("kept") == "6"; }));
  CtlOut({"rollout", "status", "deploy/kept", "--timeout", "60s"});
  EXPECT_EQ(GetJson({"deployment", "kept"})["spec"]["template"], templates["3"]);
  EXPECT_THAT(RevisionsOf("kept"), ElementsAre("4", "5", "6")) << "the third is the sixth now";
  ASSERT_TRUE(WaitReady("kept", 1));
  const nlohmann::json pod = PodsOf("kept")[0];
  EXPECT_EQ(ImageIn(pod), "busybox:2");
  EXPECT_THAT(CtlOut({"exec", pod["metadata"]["name"], "--", "env"}), HasSubstr("REVISION=3"));
}

TEST_F(RolloutsE2e, ARolloutThatPassesItsDeadlineGoesBackAndItsStatusSaysWhy) {
  DeploymentText web{.name = "late", .replicas = 2, .script = kPrompt};
  Apply(web.Yaml());
  ASSERT_TRUE(WaitReady("late", 2));
  CtlOut({"rollout", "status", "deploy/late", "--timeout", "60s"});
  const nlohmann::json good = GetJson({"deployment", "late"})["spec"]["template"];
  web.extra_spec = "  progressDeadlineSeconds: 3\n";
  web.mounts = kReadyOnDemand;
  Apply(web.Yaml());
  ASSERT_TRUE(Eventually(
      [] { return DeploymentCondition("late", "RolledBack").value("status", "") == "True"; }));
  const std::string why = DeploymentCondition("late", "RolledBack")["message"];
  EXPECT_THAT(why, AllOf(HasSubstr("Revision 2 failed"), HasSubstr("has timed out progressing")));
  EXPECT_EQ(GetJson({"deployment", "late"})["spec"]["template"], good);
  const Outcome told = Ctl({"rollout", "status", "deploy/late", "--timeout", "60s"});
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr(why));
  ASSERT_TRUE(WaitReady("late", 2));
  for (const auto& pod : PodsOf("late")) EXPECT_THAT(pod.dump(), Not(HasSubstr("/tmp/ready")));

  ASSERT_TRUE(Eventually([] {
    return DeploymentCondition("late", "Progressing").value("reason", "") ==
           "NewReplicaSetAvailable";
  }));

  // Whoever does not want that says so.
  Apply(absl::StrReplaceAll(web.Yaml(), {{"  name: late\n",
                                          "  name: late\n  annotations: "
                                          "{cluster.v1/auto-rollback: \"false\"}\n"}}));
  ASSERT_TRUE(Eventually([] {
    return DeploymentCondition("late", "Progressing").value("reason", "") ==
           "ProgressDeadlineExceeded";
  }));
  EXPECT_EQ(DeploymentCondition("late", "RolledBack").value("status", "False"), "False");
  EXPECT_NE(GetJson({"deployment", "late"})["spec"]["template"], good);
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-rollouts", 2)
