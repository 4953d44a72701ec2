#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using ApplyTest = CommandTest;

constexpr char kWeb[] = R"(apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: web:1
)";
constexpr char kConfig[] = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}\n";

TEST_F(ApplyTest, SaysWhatBecameOfEachObject) {
  const std::string file = Write("spec.yaml", absl::StrCat(kWeb, "---\n", kConfig));
  Outcome outcome = Run({"apply", file});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "deployment/web created\nconfigmap/c created\n");
  Write("spec.yaml", absl::StrCat(kWeb, "---\n",
                                  "{apiVersion: v1, kind: ConfigMap, metadata: "
                                  "{name: c}, data: {a: other}}"));
  outcome = Run({"apply", "-f", file});
  EXPECT_EQ(outcome.out, "deployment/web unchanged\nconfigmap/c configured\n");
  EXPECT_EQ(outcome.err, "");
}

TEST_F(ApplyTest, Behaviour76_DryRunChangesNothing) {
  const Outcome outcome = Run({"apply", "-f", "-", "--dry-run=server"}, kWeb);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "deployment/web created (server dry run)\n");
  EXPECT_FALSE(cluster_.Has("deployments/default/web"));
  EXPECT_EQ(Run({"apply", "-f", "-", "--dry-run=client"}, kWeb).code, 2);
}

TEST_F(ApplyTest, TakesFoldersInTheOrderOfNames) {
  Write("many/b.yaml", kConfig);
  Write("many/a.yml", kWeb);
  Write("many/c.json", R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}})");
  Write("many/readme.txt", "not a manifest");
  const Outcome outcome = Run({"apply", "-f", folder_ / "many"});
  EXPECT_EQ(outcome.out, "deployment/web created\nconfigmap/c created\nnamespace/shop created\n");
}

TEST_F(ApplyTest, TheNamespaceFlagFillsInAndNeverOverrides) {
  Run({"apply", "-n", "shop", "-f", "-"}, kConfig);
  EXPECT_TRUE(cluster_.Has("configmaps/shop/c"));
  const Outcome outcome =
      Run({"apply", "-n", "shop", "-f", "-"},
          "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: other}}");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err,
            "stdin:1:66: metadata.namespace: is \"other\", but -n says \"shop\"; drop one\n");
}

TEST_F(ApplyTest, ReaderErrorsComeWithTheirPositionsAndNothingIsSent) {
  const std::string file = Write("bad.yaml", absl::StrCat(kConfig, "---\n", R"(apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: main
    imagee: web:1
)"));
  const Outcome outcome = Run({"apply", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat(file, ":9:5: spec.containers[0].imagee: ")));
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"image\"?"));
  EXPECT_EQ(cluster_.writes(), 0);
}

TEST_F(ApplyTest, ViolationsOfTheControllerPointAtTheManifest) {
  const std::string good = Write("good.yaml", kConfig);
  const std::string bad = Write("bad.yaml", R"(apiVersion: v1
kind: Pod
metadata:
  name: Bad_Name
spec:
  containers:
  - name: main
    image: web:1
    ports:
    - containerPort: 99999
)");
  const Outcome outcome = Run({"apply", good, bad});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat(bad, ":4:9: metadata.name: ")));
  EXPECT_THAT(outcome.err,
              HasSubstr(absl::StrCat(bad, ":10:22: spec.containers[0].ports[0].containerPort: ")));
  EXPECT_EQ(cluster_.writes(), 0);
}

TEST_F(ApplyTest, AViolationOfAFieldThatWasNotWrittenPointsAtItsClosestParent) {
  const std::string file = Write("bad.yaml", R"(apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
  - name: main
)");
  const Outcome outcome = Run({"apply", file});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr(absl::StrCat(file, ":6:5: spec.containers[0].image: ")));
}

TEST_F(ApplyTest, AnUnknownOutcomeIsSettledBySendingTheSameWriteAgain) {
  cluster_.LoseNextAnswer();
  const Outcome outcome = Run({"apply", "-f", "-"}, kConfig);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "configmap/c created\n");
  EXPECT_EQ(cluster_.writes(), 1);
}

TEST_F(ApplyTest, WaitEndsWhenTheRolloutDoes) {
  const auto run = Start({"apply", Write("spec.yaml", kWeb), "--wait", "--timeout", "60s"});
  run->out().Await("deployment/web created");
  cluster_.AwaitWatches(1);
  v1::Object web = cluster_.Stored("deployments/default/web");
  v1::DeploymentStatus& status = *web.mutable_deployment()->mutable_status();
  status.set_observed_generation(web.deployment().metadata().generation());
  status.set_replicas(2);
  status.set_updated_replicas(2);
  status.set_ready_replicas(2);
  status.set_available_replicas(2);
  cluster_.Put(web);
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
}

TEST_F(ApplyTest, WaitThatTimesOutSaysWhatHoldsThePodsUp) {
  PutWithStatus(PodManifest("web-x", ""),
                "conditions { type: 'PodScheduled' status: CONDITION_STATUS_FALSE message: '0/1 "
                "nodes are available' }");
  const Outcome outcome = Run({"apply", Write("spec.yaml", kWeb), "--wait", "--timeout", "300ms"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(
      outcome.err,
      "error: timed out waiting for deployment/web: Waiting for deployment \"web\" rollout to "
      "finish: 0 out of 2 new replicas have been updated... (pod/web-x: 0/1 nodes are "
      "available)\n");
}

TEST_F(ApplyTest, WrongUsage) {
  EXPECT_EQ(Run({"apply"}).code, 2);
  EXPECT_EQ(Run({"apply", "x.yaml", "--timeout", "soon"}).code, 2);
  const Outcome missing = Run({"apply", folder_ / "none.yaml"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr("error: there is no file "));
  const Outcome empty = Run({"apply", "-f", "-"}, "# nothing\n");
  EXPECT_EQ(empty.code, 1);
  EXPECT_THAT(empty.err, HasSubstr("there is no object in -"));
}

}  // namespace
}  // namespace cluster::cli
