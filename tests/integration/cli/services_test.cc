// Services through clusterctl: get, describe, expose, delete, wait, port-forward.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

#include "command_run.h"

namespace cluster::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class ServicesTest : public CommandTest {
 protected:
  ServicesTest() {
    Put("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, labels: {tier: front}}\n"
        "spec:\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: "
        "main, image: app:1, ports: [{name: http, containerPort: 8080}, {name: dns, "
        "containerPort: 53, protocol: UDP}]}]}\n");
  }
  v1::Service Stored(const std::string& name) {
    return cluster_.Stored("services/default/" + name).service();
  }
  void PutPod(const std::string& name, const std::string& address, bool ready) {
    PutWithStatus(absl::StrCat("apiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
                               ", labels: {app: web}}\nspec: {containers: [{name: main, image: "
                               "app:1, ports: [{name: http, containerPort: 8080}]}]}\n"),
                  absl::StrCat("phase: POD_PHASE_RUNNING pod_ip: '", address,
                               "' conditions { type: 'Ready' status: CONDITION_STATUS_",
                               ready ? "TRUE" : "FALSE", " }"));
  }
};

TEST_F(ServicesTest, AreListedByTheirShortNameAndAmongAll) {
  Put("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  type: NodePort\n"
      "  clusterIP: 10.60.0.7\n  selector: {app: web}\n"
      "  ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 53, protocol: UDP, "
      "nodePort: 30053}]\n");
  EXPECT_EQ(Run({"get", "svc", "-o", "wide"}).out,
            "NAME   TYPE       CLUSTER-IP   EXTERNAL-IP   PORT(S)                     AGE   "
            "SELECTOR\n"
            "web    NodePort   10.60.0.7    <none>        80:30080/TCP,53:30053/UDP   3m    "
            "app=web\n");
  EXPECT_THAT(Run({"get", "all"}).out, HasSubstr("service/web"));
  EXPECT_THAT(Run({"api-resources"}).out, HasSubstr("services"));
  EXPECT_THAT(Run({"explain", "service.spec.sessionAffinity"}).out, HasSubstr("ClientIP"));
}

TEST_F(ServicesTest, Behaviour57_DescribeShowsWhoIsReadyAndLeavesTheOthersOut) {
  Put("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  clusterIP: 10.60.0.7\n"
      "  selector: {app: web}\n  ports: [{name: http, port: 80, targetPort: http}]\n");
  EXPECT_THAT(Run({"describe", "svc", "web"}).out, HasSubstr("<none>\nSession Affinity"));
  for (const char* name : {"a", "b", "c", "d"}) {
    PutPod(name, absl::StrCat("10.64.0.", 1 + name[0] - 'a'), /*ready=*/true);
  }
  PutPod("unready", "10.64.0.9", /*ready=*/false);
  const std::string out = Run({"describe", "svc", "web"}).out;
  EXPECT_THAT(out, HasSubstr("10.64.0.1:8080,10.64.0.2:8080,10.64.0.3:8080 + 1 more..."));
  EXPECT_THAT(out, Not(HasSubstr("10.64.0.9")));
  EXPECT_THAT(out, HasSubstr("http  80/TCP"));
  EXPECT_THAT(out, HasSubstr("http/TCP"));
}

TEST_F(ServicesTest, ExposeMakesOneForTheWorkloadsPods) {
  const Outcome outcome = Run({"expose", "deployment", "web", "--port", "80", "--target-port",
                               "http", "--type", "nodeport"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "service/web exposed\n");
  const v1::Service service = Stored("web");
  EXPECT_EQ(service.metadata().labels().at("tier"), "front");
  EXPECT_EQ(service.spec().selector().at("app"), "web");
  EXPECT_EQ(service.spec().type(), v1::SERVICE_TYPE_NODE_PORT);
  ASSERT_EQ(service.spec().ports_size(), 1);
  EXPECT_EQ(service.spec().ports(0).port(), 80);
  EXPECT_EQ(service.spec().ports(0).target_port(), "http");
  const Outcome again = Run({"expose", "deploy/web", "--port", "80"});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("service web exists; delete it or choose another --name"));
}

TEST_F(ServicesTest, ExposeTakesThePortsThatTheContainersName) {
  ASSERT_EQ(Run({"expose", "deploy/web", "--name", "all", "--cluster-ip", "None"}).code, 0);
  const v1::ServiceSpec spec = Stored("all").spec();
  EXPECT_EQ(spec.cluster_ip(), "None");
  ASSERT_EQ(spec.ports_size(), 2);
  EXPECT_EQ(spec.ports(0).name(), "port-1");
  EXPECT_EQ(spec.ports(0).port(), 8080);
  EXPECT_EQ(spec.ports(1).protocol(), v1::PROTOCOL_UDP);
}

TEST_F(ServicesTest, ExposeRefusals) {
  EXPECT_EQ(Run({"expose", "deploy/none", "--port", "80"}).code, 1);
  EXPECT_EQ(Run({"expose", "deploy/web", "--port", "0"}).code, 2);
  EXPECT_EQ(Run({"expose", "deploy/web", "--port", "80", "--type", "Wide"}).code, 2);
  Put("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
  EXPECT_EQ(Run({"expose", "cm/c", "--port", "80"}).code, 2);
}

TEST_F(ServicesTest, AreWaitedForAndDeleted) {
  ASSERT_EQ(Run({"expose", "deploy/web", "--port", "80"}).code, 0);
  const Outcome waited = Run({"wait", "svc/web", "--for=jsonpath={.spec.ports[0].port}=80"});
  EXPECT_EQ(waited.code, 0) << waited.err;
  EXPECT_EQ(Run({"delete", "svc", "web"}).out, "service \"web\" deleted\n");
  EXPECT_FALSE(cluster_.Has("services/default/web"));
}

TEST_F(ServicesTest, APortThatItDoesNotHaveIsNotForwarded) {
  PutPod("a", "10.64.0.1", /*ready=*/true);
  ASSERT_EQ(Run({"expose", "deploy/web", "--port", "80", "--target-port", "http"}).code, 0);
  const Outcome outcome = Run({"port-forward", "svc/web", "8080:81"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("service web has no TCP port 81; it has 80"));
}

}  // namespace
}  // namespace cluster::cli
