#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using DeleteTest = CommandTest;

constexpr char kConfigMap[] =
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}\n";

TEST_F(DeleteTest, WaitsUntilThePodIsGone) {
  Put(PodManifest("web-1"));
  const auto run = Start({"delete", "pod", "web-1"});
  cluster_.AwaitDeletion("pods/default/web-1");
  run->out().Await("pod \"web-1\" deleted\n");
  cluster_.AwaitWatches(1);
  cluster_.Remove("pods/default/web-1");
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(cluster_.last_delete().has_grace_period_seconds(), false);
}

TEST_F(DeleteTest, ANewPodOfTheSameNameIsNotWaitedFor) {
  Put(PodManifest("web-1"));
  const auto run = Start({"delete", "pod/web-1"});
  cluster_.AwaitDeletion("pods/default/web-1");
  cluster_.Remove("pods/default/web-1");
  Put(PodManifest("web-1"));
  EXPECT_EQ(run->Wait().code, 0);
}

TEST_F(DeleteTest, ATimeoutSaysWhatIsStillThere) {
  Put(PodManifest("web-1"));
  const Outcome outcome = Run({"delete", "pod", "web-1", "--timeout", "200ms"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "error: timed out waiting for pod/web-1: it is still there\n");
}

TEST_F(DeleteTest, GraceAndPropagationArePassedOn) {
  Put(PodManifest("web-1"));
  EXPECT_EQ(Run({"delete", "pod", "web-1", "--grace-period=5", "--wait=false"}).code, 0);
  EXPECT_EQ(cluster_.last_delete().grace_period_seconds(), 5);
  EXPECT_EQ(cluster_.last_delete().propagation(), v1::PROPAGATION_BACKGROUND);
  EXPECT_EQ(Run({"delete", "pod", "web-1", "--now", "--wait=false"}).code, 0);
  EXPECT_EQ(cluster_.last_delete().grace_period_seconds(), 1);
  EXPECT_EQ(Run({"delete", "pod", "web-1", "--cascade=orphan", "--wait=false"}).code, 0);
  EXPECT_EQ(cluster_.last_delete().propagation(), v1::PROPAGATION_ORPHAN);
  const Outcome forced = Run({"delete", "pod", "web-1", "--force"});
  EXPECT_EQ(forced.out, "pod \"web-1\" force deleted\n");
  EXPECT_EQ(cluster_.last_delete().grace_period_seconds(), 0);
}

TEST_F(DeleteTest, FilesSelectorsAndAll) {
  Put(kConfigMap);
  EXPECT_EQ(Run({"delete", "-f", Write("c.yaml", kConfigMap)}).out, "configmap \"c\" deleted\n");
  EXPECT_FALSE(cluster_.Has("configmaps/default/c"));
  Put(PodManifest("a", ""));
  Put(PodManifest("b", ""));
  Put(PodManifest("c", ""));
  EXPECT_EQ(Run({"delete", "pods", "-l", "app=web", "--field-selector", "metadata.name=b"}).out,
            "pod \"b\" deleted\n");
  EXPECT_EQ(Run({"delete", "pods", "--all", "-o", "name"}).out, "pod/a\npod/c\n");
  EXPECT_EQ(Run({"delete", "pods", "--all"}).err, "No resources found.\n");
}

TEST_F(DeleteTest, GoesOnPastWhatIsNotThere) {
  Put(kConfigMap);
  const Outcome outcome = Run({"delete", "cm", "none", "c"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "configmap \"c\" deleted\n");
  EXPECT_EQ(outcome.err, "error: configmaps \"none\" not found\n");
  EXPECT_FALSE(cluster_.Has("configmaps/default/c"));
}

TEST_F(DeleteTest, DryRunDeletesNothing) {
  Put(kConfigMap);
  EXPECT_EQ(Run({"delete", "cm", "c", "--dry-run=server"}).out,
            "configmap \"c\" deleted (server dry run)\n");
  EXPECT_TRUE(cluster_.Has("configmaps/default/c"));
}

TEST_F(DeleteTest, Refusals) {
  EXPECT_EQ(Run({"delete", "pod", "none"}).code, 1);
  EXPECT_EQ(Run({"delete", "pod", "none", "--ignore-not-found"}).code, 0);
  EXPECT_EQ(Run({"delete", "pods"}).code, 2);
  EXPECT_EQ(Run({"delete", "pod", "a", "--all"}).code, 2);
  EXPECT_EQ(Run({"delete", "pod", "a", "--cascade=some"}).code, 2);
  EXPECT_EQ(Run({"delete", "pod", "a", "--now", "--grace-period=3"}).code, 2);
}

}  // namespace
}  // namespace cluster::cli
