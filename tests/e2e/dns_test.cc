// Names: what pods find each other by, on every node, whoever is down.
#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kServer[] =
    "mkdir -p /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www";

constexpr char kSet[] = R"(apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{name: sql, port: 8080}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: busybox:1
        command: [sh, -c, 'mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www']
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
)";

class DnsE2e : public testing::Test {
 protected:
  void SetUp() override {
    LoadBusybox();
    Apply(PodText{.name = "client"}.Yaml());
    ASSERT_TRUE(WaitPhase("client", "Running"));
  }
  void TearDown() override {
    CtlOut({"delete", "deployments,statefulsets,pods,services", "--all", "--timeout", "60s"});
  }
  // From the pod named client.
  static Outcome Run(const std::string& script) {
    return Ctl({"exec", "client", "--", "sh", "-c", script});
  }
  static std::string Fetch(const std::string& host) {
    return Run(absl::StrCat("wget -qO- http://", host, "/")).out;
  }
  // What nslookup finds, without what it says of the server.
  static std::string Lookup(const std::string& name, const std::string& type = "a") {
    const Outcome outcome = Run(absl::StrCat("nslookup -type=", type, " ", name));
    return outcome.out + outcome.err;
  }
  static std::set<std::string> AddressesOf(const std::string& name) {
    std::set<std::string> addresses;
    const std::string text = Lookup(name);
    bool after_name = false;
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      if (absl::StartsWith(line, "Name:")) after_name = true;
      if (after_name && absl::StartsWith(line, "Address: ")) {
        addresses.emplace(line.substr(9));
      }
    }
    return addresses;
  }
  // In a pod whose process this is, whatever of the cluster is down.
  static std::string InsideOf(int64_t pid, const std::vector<std::string>& command) {
    std::vector<std::string> line = {"nsenter", "-t", absl::StrCat(pid), "-n",
                                     "-m",      "--", "/bin/busybox"};
    line.insert(line.end(), command.begin(), command.end());
    const Outcome outcome = RunProgram(line);
    return outcome.out + outcome.err;
  }
  static std::set<std::string> ReadyPodsOf(const std::string& app) {
    std::set<std::string> addresses;
    for (const auto& pod : PodsOf(app)) {
      if (IsReady(pod)) addresses.insert(pod["status"]["podIP"]);
    }
    return addresses;
  }
};

TEST_F(DnsE2e, Behaviour59_AServiceIsFoundByItsName) {
  Apply(R"({apiVersion: v1, kind: Service, metadata: {name: web},
          spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}})");
  Apply(DeploymentText{.name = "web", .script = kServer}.Yaml());
  ASSERT_TRUE(WaitReady("web", 3));
  EXPECT_THAT(Run("cat /etc/resolv.conf").out,
              HasSubstr("search default.svc.cluster.local svc.cluster.local cluster.local"));
  for (const char* name : {"web", "web.default", "web.default.svc", "web.default.svc.cluster.local",
                           "WEB.Default.svc.cluster.local."}) {
    // A node may hear of a ready pod a moment after clusterctl does.
    EXPECT_TRUE(Eventually([&] { return absl::StartsWith(Fetch(name), "web-"); })) << name;
  }
  const std::string address = GetJson({"service", "web"})["spec"]["clusterIP"];
  EXPECT_EQ(AddressesOf("web.default.svc.cluster.local"), std::set<std::string>{address});
  EXPECT_THAT(Lookup("_http._tcp.web.default.svc.cluster.local", "srv"),
              HasSubstr("web.default.svc.cluster.local"));
  EXPECT_THAT(Run("nslookup " + address).out, HasSubstr("name = web.default.svc.cluster.local"));
  EXPECT_THAT(Lookup("nobody.default.svc.cluster.local"), HasSubstr("NXDOMAIN"));
  // Of another namespace with it.
  Apply("{apiVersion: v1, kind: Namespace, metadata: {name: other}}");
  Apply(
      "{apiVersion: v1, kind: Service, metadata: {name: far, namespace: other},"
      " spec: {ports: [{port: 80}]}}");
  EXPECT_TRUE(Eventually([] { return AddressesOf("far.other.svc.cluster.local").size() == 1; }));
  EXPECT_THAT(Lookup("far.default.svc.cluster.local"), HasSubstr("NXDOMAIN"));
  CtlOut({"delete", "namespace", "other", "--timeout", "60s"});
}

TEST_F(DnsE2e, Behaviour59_AHeadlessServiceIsAllOfItsReadyPods) {
  Apply(kSet);
  ASSERT_TRUE(WaitReady("db", 3));
  EXPECT_TRUE(
      Eventually([] { return AddressesOf("db.default.svc.cluster.local") == ReadyPodsOf("db"); }));
  EXPECT_EQ(ReadyPodsOf("db").size(), 3u);
  CtlOut({"scale", "sts/db", "--replicas", "2"});
  EXPECT_TRUE(Eventually([] { return AddressesOf("db.default.svc.cluster.local").size() == 2; }));
  CtlOut({"scale", "sts/db", "--replicas", "0"});
  EXPECT_TRUE(Eventually([] { return AddressesOf("db.default.svc.cluster.local").empty(); }));
  EXPECT_THAT(Lookup("db.default.svc.cluster.local"), Not(HasSubstr("NXDOMAIN")));
  EXPECT_THAT(Lookup("nobody.default.svc.cluster.local"), HasSubstr("NXDOMAIN"));
}

TEST_F(DnsE2e, Behaviour60_APodOfASetIsFoundByItsOwnName) {
  Apply(kSet);
  ASSERT_TRUE(WaitReady("db", 3));
  for (const char* name : {"db-0", "db-1", "db-2"}) {
    ASSERT_TRUE(Eventually([&] {
      return AddressesOf(absl::StrCat(name, ".db.default.svc.cluster.local")).size() == 1;
    }));
    EXPECT_EQ(Fetch(absl::StrCat(name, ".db:8080")), absl::StrCat(name, "\n"));
  }
  // Its own name, as it knows it itself.
  EXPECT_EQ(CtlOut({"exec", "db-1", "--", "hostname", "-f"}), "db-1.db.default.svc.cluster.local");
  EXPECT_EQ(CtlOut({"exec", "db-1", "--", "hostname"}), "db-1");
  const std::string servers = Lookup("_sql._tcp.db.default.svc.cluster.local", "srv");
  EXPECT_THAT(servers, HasSubstr("8080 db-2.db.default.svc.cluster.local"));
  // The pod that takes its place has its name.
  const std::string before = PodNamed("db-1")["status"]["podIP"];
  CtlOut({"delete", "pod", "db-1", "--timeout", "60s"});
  ASSERT_TRUE(WaitReady("db", 3));
  const std::string after = PodNamed("db-1")["status"]["podIP"];
  EXPECT_TRUE(Eventually([&] {
    return AddressesOf("db-1.db.default.svc.cluster.local") == std::set<std::string>{after};
  }));
}

TEST_F(DnsE2e, Behaviour61_AnExternalNameIsAnAliasOfWhatItNames) {
  Apply(R"({apiVersion: v1, kind: Service, metadata: {name: web},
          spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}})");
  Apply(DeploymentText{.name = "web", .replicas = 1, .script = kServer}.Yaml());
  Apply(
      "{apiVersion: v1, kind: Service, metadata: {name: inside}, spec: {type: ExternalName,"
      " externalName: web.default.svc.cluster.local}}");
  Apply(
      "{apiVersion: v1, kind: Service, metadata: {name: outside}, spec: {type: ExternalName,"
      " externalName: www.example.org}}");
  ASSERT_TRUE(WaitReady("web", 1));
  EXPECT_TRUE(Eventually([] { return absl::StartsWith(Fetch("inside"), "web-"); }));
  EXPECT_THAT(Lookup("outside.default.svc.cluster.local", "cname"), HasSubstr("www.example.org"));
  // No way leads out of a local cluster, to whichever servers the machine has.
  EXPECT_THAT(Lookup("outside.default.svc.cluster.local"), HasSubstr("SERVFAIL"));
  // And back to an address.
  Apply(R"({apiVersion: v1, kind: Service, metadata: {name: outside},
          spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}})");
  EXPECT_TRUE(Eventually([] { return absl::StartsWith(Fetch("outside"), "web-"); }));
}

TEST_F(DnsE2e, Law5_NamesAreFoundWithoutTheController) {
  Apply(kSet);
  Apply("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}");
  ASSERT_TRUE(WaitReady("db", 3));
  const std::string address = GetJson({"service", "web"})["spec"]["clusterIP"];
  const auto pods = ReadyPodsOf("db");
  const auto known = [&] {
    return AddressesOf("db.default.svc.cluster.local") == pods &&
           AddressesOf("web.default.svc.cluster.local") == std::set<std::string>{address};
  };
  ASSERT_TRUE(Eventually(known));
  const int64_t pid = PidOf(PodNamed("client"));
  CtlOut({"local", "kill", "controller"});
  const auto lookup = [pid](const std::string& name) {
    return InsideOf(pid, {"nslookup", "-type=a", name});
  };
  EXPECT_THAT(lookup("web.default.svc.cluster.local"), HasSubstr(address));
  for (const std::string& pod : pods) {
    EXPECT_THAT(lookup("db.default.svc.cluster.local"), HasSubstr(pod));
  }
  CtlOut({"local", "start", "controller"});
  EXPECT_TRUE(Eventually(known));
}

// What the agent did not keep on its disk it is told again, and until then says nothing wrong.
TEST_F(DnsE2e, Law5_NamesAreFoundAfterTheAgentStartedAnew) {
  Apply(kSet);
  ASSERT_TRUE(WaitReady("db", 3));
  const auto pods = ReadyPodsOf("db");
  const auto known = [&] { return AddressesOf("db.default.svc.cluster.local") == pods; };
  ASSERT_TRUE(Eventually(known));
  const auto client = PodNamed("client");
  const std::string node = client["spec"]["nodeName"];
  const int64_t pid = PidOf(client);
  CtlOut({"local", "kill", node});
  CtlOut({"local", "start", node});
  std::string text;
  EXPECT_TRUE(Eventually([&] {
    text = InsideOf(pid, {"nslookup", "-type=a", "db.default.svc.cluster.local"});
    EXPECT_THAT(text, Not(HasSubstr("NXDOMAIN")));
    return std::all_of(pods.begin(), pods.end(),
                       [&text](const std::string& pod) { return absl::StrContains(text, pod); });
  })) << text;
}

// What the disk knew: services by their addresses. Names of the world are asked for at once.
TEST_F(DnsE2e, Law5_AgentStartedWithoutTheControllerAnswersByWhatItKnew) {
  Apply("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}");
  const std::string address = GetJson({"service", "web"})["spec"]["clusterIP"];
  const std::string name = "web.default.svc.cluster.local";
  ASSERT_TRUE(Eventually([&] { return AddressesOf(name) == std::set<std::string>{address}; }));
  const auto client = PodNamed("client");
  const std::string node = client["spec"]["nodeName"];
  const int64_t pid = PidOf(client);
  CtlOut({"local", "kill", "controller"});
  CtlOut({"local", "kill", node});
  CtlOut({"local", "start", node});
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(InsideOf(pid, {"nslookup", "-type=a", name}), address);
  }));
  EXPECT_TRUE(Eventually([&] {
    return absl::StrContains(
        InsideOf(pid, {"nslookup", "-type=a", "nobody.default.svc.cluster.local"}), "NXDOMAIN");
  }));
  EXPECT_THAT(InsideOf(pid, {"nslookup", "-type=a", "www.example.org.default.svc.cluster.local"}),
              HasSubstr("NXDOMAIN"));
  CtlOut({"local", "start", "controller"});
  EXPECT_TRUE(Eventually([&] { return AddressesOf(name) == std::set<std::string>{address}; }));
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-dns", 3)
