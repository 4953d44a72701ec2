#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"
#include "proto/schema/kinds.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class GetTest : public CommandTest {
 protected:
  GetTest() {
    PutWithStatus(PodManifest("web-1"), absl::StrCat(kReady, " pod_ip: '10.64.0.2'"));
    PutWithStatus(PodManifest("web-2", "node2"), kReady);
    Put(PodManifest("lone", ""));
    Put("{apiVersion: v1, kind: Pod, metadata: {name: far, namespace: shop}, spec: {containers: "
        "[{name: c, image: x}]}}");
  }
};

TEST_F(GetTest, TableOfOneNamespace) {
  const Outcome outcome = Run({"get", "pods"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "NAME    READY   STATUS    RESTARTS   AGE\n"
            "lone    0/1     Pending   0          3m\n"
            "web-1   1/1     Running   0          3m\n"
            "web-2   1/1     Running   0          3m\n");
}

TEST_F(GetTest, AllNamespacesAndSelectors) {
  EXPECT_EQ(Run({"get", "po", "-A", "--no-headers"}).out,
            "default   lone    0/1   Pending   0     3m\n"
            "default   web-1   1/1   Running   0     3m\n"
            "default   web-2   1/1   Running   0     3m\n"
            "shop      far     0/1   Pending   0     3m\n");
  EXPECT_EQ(
      Run({"get", "po", "-o=name", "-l", "app=web", "--field-selector", "spec.nodeName=node2"}).out,
      "pod/web-2\n");
  EXPECT_EQ(Run({"-n", "shop", "get", "pods", "-o", "name"}).out, "pod/far\n");
}

TEST_F(GetTest, SeveralKindsAreSeveralTables) {
  Put("{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}");
  EXPECT_EQ(Run({"get", "cm,pods", "-l", "app!=x"}).out,
            "NAME          DATA   AGE\n"
            "configmap/c   1      3m\n"
            "\n"
            "NAME        READY   STATUS    RESTARTS   AGE\n"
            "pod/lone    0/1     Pending   0          3m\n"
            "pod/web-1   1/1     Running   0          3m\n"
            "pod/web-2   1/1     Running   0          3m\n");
}

TEST_F(GetTest, JsonIsOneObjectOrAList) {
  const Outcome one = Run({"get", "pod", "web-1", "-o", "json"});
  EXPECT_THAT(one.out, HasSubstr("\"kind\": \"Pod\""));
  EXPECT_THAT(one.out, HasSubstr("\"podIP\": \"10.64.0.2\""));
  EXPECT_THAT(one.out, Not(HasSubstr("\"List\"")));
  EXPECT_THAT(Run({"get", "pods", "-l", "app=web", "-o", "json"}).out,
              HasSubstr("\"kind\": \"List\""));
  EXPECT_THAT(Run({"get", "cm", "-o", "json"}).out, HasSubstr("\"items\": []"));
  EXPECT_EQ(Run({"get", "pods", "-o", "jsonpath={.items[*].metadata.name}"}).out,
            "lone web-1 web-2");
  EXPECT_EQ(Run({"get", "pod/web-1", "-o", "jsonpath={.status.podIP}"}).out, "10.64.0.2");
  EXPECT_THAT(Run({"get", "pod", "web-1", "-o", "yaml"}).out, HasSubstr("kind: Pod\n"));
}

TEST_F(GetTest, AMissingNameFailsAfterTheOthersAreShown) {
  const Outcome outcome = Run({"get", "pod", "none", "web-1", "--no-headers"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.out, "web-1   1/1   Running   0     3m\n");
  EXPECT_EQ(outcome.err, "error: pods \"none\" not found\n");
  EXPECT_EQ(Run({"get", "pod", "none", "--ignore-not-found"}).code, 0);
}

TEST_F(GetTest, SaysWhenThereIsNothing) {
  const Outcome outcome = Run({"get", "deploy"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "No resources found in default namespace.\n");
  EXPECT_EQ(Run({"get", "nodes"}).err, "No resources found.\n");
}

TEST_F(GetTest, WatchPrintsWhatIsThereAndEveryChange) {
  const auto run = Start({"get", "pods", "-l", "app=web", "-w"});
  run->out().Await("web-2");
  cluster_.AwaitWatches(1);
  PutWithStatus(PodManifest("web-1"),
                "phase: POD_PHASE_RUNNING container_statuses { restart_count: 1 state { waiting { "
                "reason: 'CrashLoopBackOff' } } }");
  run->out().Await("CrashLoopBackOff");
  cluster_.EndWatches({grpc::StatusCode::PERMISSION_DENIED, "enough"});
  const Outcome outcome = run->Wait();
  EXPECT_EQ(outcome.out,
            "NAME    READY   STATUS    RESTARTS   AGE\n"
            "lone    0/1     Pending   0          3m\n"
            "web-1   1/1     Running   0          3m\n"
            "web-2   1/1     Running   0          3m\n"
            "web-1   0/1     CrashLoopBackOff   1          3m\n");
  EXPECT_EQ(outcome.err, "error: enough\n");
}

TEST_F(GetTest, WatchListsAgainWhenItsRevisionIsGone) {
  const auto run = Start({"get", "pod", "lone", "-w", "-o", "name"});
  run->out().Await("pod/lone\n");
  cluster_.AwaitWatches(1);
  cluster_.EndWatches({grpc::StatusCode::OUT_OF_RANGE, "compacted"});
  cluster_.AwaitWatches(2);
  cluster_.EndWatches({grpc::StatusCode::PERMISSION_DENIED, "enough"});
  EXPECT_EQ(run->Wait().out, "pod/lone\npod/lone\n");
}

TEST_F(GetTest, WatchGoesOnWhereItStoodWhenTheStreamBreaks) {
  const auto run = Start({"get", "pods", "--watch-only", "-o", "name"});
  cluster_.AwaitWatches(1);
  Put(PodManifest("new-1", ""));
  run->out().Await("pod/new-1\n");
  cluster_.EndWatches({grpc::StatusCode::UNAVAILABLE, "going down"});
  cluster_.AwaitWatches(2);
  Put(PodManifest("new-2", ""));
  run->out().Await("pod/new-2\n");
  cluster_.EndWatches({grpc::StatusCode::PERMISSION_DENIED, "enough"});
  EXPECT_EQ(run->Wait().out, "pod/new-1\npod/new-2\n");
}

TEST_F(GetTest, WrongUsage) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"get"},
                                             {"get", "podz"},
                                             {"get", "pods", "-o", "xml"},
                                             {"get", "pods", "-o", "jsonpath={.a"},
                                             {"get", "pods,cm", "-w"},
                                             {"get", "pod", "web-1", "-l", "a=b"},
                                             {"get", "pod", "web-1", "-A"},
                                             {"get", "pods", "--", "x"}}) {
    const Outcome outcome = Run(arguments);
    EXPECT_EQ(outcome.code, 2) << arguments.back() << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  const Outcome selector = Run({"get", "pods", "-l", "a in b"});
  EXPECT_EQ(selector.code, 1);
}

TEST_F(GetTest, Behaviour77_DescribeShowsAPodAndItsEvents) {
  const auto event = [](const std::string& name, const std::string& uid, const std::string& what) {
    return absl::StrCat("{apiVersion: v1, kind: Event, metadata: {name: ", name,
                        "}, involvedObject: {kind: Pod, namespace: default, name: web-1, uid: ",
                        uid, "}, type: Normal, reason: ", what, ", message: m}");
  };
  const std::string uid = Meta(cluster_.Stored("pods/default/web-1")).uid();
  Put(event("e1", uid, "Started"));
  Put(event("e2", "of-an-earlier-pod", "Killing"));
  const Outcome outcome = Run({"describe", "pod", "web-1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char* line :
       {"\nNamespace: +default\n", "\nLabels: +app=web\n", "\nStatus: +Running\n"}) {
    EXPECT_THAT(outcome.out, testing::ContainsRegex(line));
  }
  EXPECT_THAT(outcome.out, testing::StartsWith("Name: "));
  EXPECT_THAT(outcome.out, HasSubstr("Normal  Started"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("Killing")));
  EXPECT_THAT(Run({"describe", "pods", "-l", "app=web"}).out,
              testing::ContainsRegex("Name: +web-1\n(.|\n)*\n\n\nName: +web-2\n"));
  EXPECT_THAT(Run({"describe", "pod", "web"}).out, HasSubstr("web-2"));
  EXPECT_EQ(Run({"describe", "pod", "none"}).err, "error: pods \"none\" not found\n");
}

TEST_F(GetTest, EventsComeOldestFirst) {
  const auto event = [](const std::string& name, int second) {
    return absl::StrCat("{apiVersion: v1, kind: Event, metadata: {name: ", name,
                        "}, involvedObject: {kind: Pod, name: web-1}, type: Normal, reason: R",
                        second, ", message: m, lastTimestamp: '2023-11-14T22:13:0", second, "Z'}");
  };
  Put(event("a", 9));
  Put(event("b", 3));
  EXPECT_EQ(Run({"events", "--for", "pod/web-1"}).out,
            "LAST SEEN   TYPE     REASON   OBJECT      MESSAGE\n"
            "17s         Normal   R3       pod/web-1   m\n"
            "11s         Normal   R9       pod/web-1   m\n");
  EXPECT_EQ(Run({"events", "--for", "pod/lone"}).err, "No events found.\n");
  EXPECT_EQ(Run({"events", "--types", "Loud"}).code, 2);
}

}  // namespace
}  // namespace cluster::cli
