// Services: one address for whichever pods are ready, from every node, and none lost on the way.
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "tests/e2e/docker_archive.h"
#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"
#include "tests/e2e/requests.h"

namespace cluster::e2e {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Says its pod's name, and ends gracefully (page_server.cc).
constexpr char kServer[] = "exec page_server";

constexpr char kReadiness[] =
    "          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}\n";

constexpr char kService[] = R"(apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
)";

// As web:1 and web:2; once.
void LoadWeb() {
  static bool loaded = false;
  if (loaded) return;
  const auto program =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "page_server";
  for (const char* tag : {"1", "2"}) {
    std::vector<ArchiveFile> files = BusyboxFiles();
    files.push_back({"bin/page_server", ReadFile(program.string()).value(), 0755});
    files.push_back({"etc/version", tag, 0644});
    const std::string path = absl::StrCat("/tmp/cluster-e2e-", getpid(), "-web.tar");
    WriteDockerArchive(path, absl::StrCat("web:", tag), files);
    CtlOut({"image", "load", path});
    std::filesystem::remove(path);
  }
  loaded = true;
}

class ServicesE2e : public testing::Test {
 protected:
  void SetUp() override {
    LoadBusybox();
    LoadWeb();
  }
  void TearDown() override {
    CtlOut({"delete", "deployments,pods,services", "--all", "--timeout", "60s"});
  }
  static std::string AddressOf(const std::string& service) {
    return GetJson({"service", service})["spec"]["clusterIP"];
  }
  // With the grace that Kubernetes gives who does not say.
  static std::string ApplyWeb(const DeploymentText& web) {
    return Apply(
        absl::StrReplaceAll(web.Yaml(), {{"      terminationGracePeriodSeconds: 1\n", ""}}));
  }
  static DeploymentText Web() {
    return {.name = "web", .image = "web:1", .script = kServer, .mounts = kReadiness};
  }
  static std::string Fetch(const std::string& pod, const std::string& url) {
    return Ctl({"exec", pod, "--", "wget", "-qO-", url}).out;
  }
};

TEST_F(ServicesE2e, Behaviour58_EveryNodeReachesEveryReadyPodByTheService) {
  EXPECT_EQ(Apply(kService), "service/web created");
  ApplyWeb(Web());
  ASSERT_TRUE(WaitReady("web", 3));
  EXPECT_THAT(CtlOut({"get", "services"}),
              ContainsRegex("web +ClusterIP +10\\.60\\.[0-9.]+ +<none> +80/TCP +[0-9]+s"));
  EXPECT_THAT(CtlOut({"describe", "service", "web"}), HasSubstr(":8080"));
  const std::string address = AddressOf("web");
  // From each pod, of which there is one on each node; a pod reaches itself too.
  for (const auto& pod : PodsOf("web")) {
    Requests requests(PidOf(pod), address, 80, 500);
    requests.Await(200);
    const RequestTally tally = requests.Stop();
    EXPECT_EQ(tally.lost, 0) << tally.first_loss;
    EXPECT_EQ(tally.said.size(), 3u);
  }
}

TEST_F(ServicesE2e, Behaviour19_PodsFindTheServicesThatWereThereBefore) {
  Apply(kService);
  ApplyWeb(Web());
  ASSERT_TRUE(WaitReady("web", 3));
  Apply(PodText{.name = "client"}.Yaml());
  ASSERT_TRUE(WaitPhase("client", "Running"));
  EXPECT_THAT(CtlOut({"exec", "client", "--", "sh", "-c",
                      "wget -qO- http://$WEB_SERVICE_HOST:$WEB_SERVICE_PORT/"}),
              HasSubstr("web-"));
  const std::string address = AddressOf("web");
  const std::string environment = CtlOut({"exec", "client", "--", "env"});
  EXPECT_THAT(environment, HasSubstr(absl::StrCat("WEB_PORT=tcp://", address, ":80\n")));
  EXPECT_THAT(environment, HasSubstr(absl::StrCat("WEB_PORT_80_TCP_ADDR=", address)));
}

TEST_F(ServicesE2e, Behaviour30_WhatIsNotReadyIsInNoService) {
  Apply(kService);
  DeploymentText web = Web();
  web.mounts =
      "          readinessProbe: {exec: {command: [test, -e, /tmp/ready]}, periodSeconds: 1}\n";
  ApplyWeb(web);
  ASSERT_TRUE(Eventually([] {
    const auto pods = PodsOf("web");
    return pods.size() == 3 && std::all_of(pods.begin(), pods.end(),
                                           [](const auto& pod) { return Phase(pod) == "Running"; });
  }));
  Apply(PodText{.name = "client"}.Yaml());
  ASSERT_TRUE(WaitPhase("client", "Running"));
  const std::string url = absl::StrCat("http://", AddressOf("web"), "/");
  EXPECT_EQ(Fetch("client", url), "");
  const std::string chosen = PodsOf("web")[0]["metadata"]["name"];
  CtlOut({"exec", chosen, "--", "touch", "/tmp/ready"});
  EXPECT_TRUE(Eventually([&] { return Fetch("client", url) == chosen + "\n"; }));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Fetch("client", url), chosen + "\n");
  CtlOut({"exec", chosen, "--", "busybox", "rm", "/tmp/ready"});
  EXPECT_TRUE(Eventually([&] { return Fetch("client", url).empty(); }));
}

TEST_F(ServicesE2e, Behaviour61_ANodePortLeadsThereFromEveryNode) {
  Apply(std::string(kService) + "  type: NodePort\n");
  ApplyWeb(Web());
  ASSERT_TRUE(WaitReady("web", 3));
  const int port = GetJson({"service", "web"})["spec"]["ports"][0]["nodePort"];
  EXPECT_GE(port, 30000);
  const std::string from = PodsOf("web")[0]["metadata"]["name"];
  for (const auto& pod : PodsOf("web")) {
    const std::string host = pod["status"]["hostIP"];
    EXPECT_THAT(Fetch(from, absl::StrCat("http://", host, ":", port, "/")), HasSubstr("web-"));
  }
  Apply(kService);
  EXPECT_FALSE(GetJson({"service", "web"})["spec"]["ports"][0].contains("nodePort"));
}

// Ten rolling updates under a thousand requests a second, each over a connection of its own. The
// manifest has no preStop hook.
TEST_F(ServicesE2e, Behaviour86_TenRollingUpdatesLoseNoRequest) {
  Apply(kService);
  DeploymentText web = Web();
  web.replicas = 6;
  ApplyWeb(web);
  ASSERT_TRUE(WaitReady("web", 6));
  Apply(PodText{.name = "client"}.Yaml());
  ASSERT_TRUE(WaitPhase("client", "Running"));
  Requests requests(PidOf(PodNamed("client")), AddressOf("web"), 80, 1000);
  requests.Await(500);
  for (int update = 0; update < 10; ++update) {
    web.image = web.image == "web:1" ? "web:2" : "web:1";
    ApplyWeb(web);
    CtlOut({"rollout", "status", "deploy/web", "--timeout", "90s"});
    const RequestTally tally = requests.tally();
    ASSERT_EQ(tally.lost, 0) << "update " << update << " after " << tally.answered
                             << " answers: " << tally.first_loss;
  }
  requests.Await(500);
  const RequestTally tally = requests.Stop();
  EXPECT_EQ(tally.lost, 0) << tally.first_loss;
  EXPECT_GE(tally.said.size(), 66u) << "each update has pods of its own";
  RecordProperty("requests", absl::StrCat(tally.answered));
}

// While an agent is away its kernel goes by what it was told: a pod that is to end waits for it.
TEST_F(ServicesE2e, Behaviour86_APodWaitsForTheNodeThatStillSendsItConnections) {
  Apply(kService);
  ApplyWeb(Web());
  ASSERT_TRUE(WaitReady("web", 3));
  Apply(PodText{.name = "client", .extra_spec = "  nodeName: node2\n"}.Yaml());
  ASSERT_TRUE(WaitPhase("client", "Running"));
  std::string chosen;
  for (const auto& pod : PodsOf("web")) {
    if (pod["spec"]["nodeName"] == "node1") chosen = pod["metadata"]["name"];
  }
  ASSERT_FALSE(chosen.empty());
  Requests requests(PidOf(PodNamed("client")), AddressOf("web"), 80, 300);
  requests.Await(100);
  CtlOut({"local", "kill", "node2"});
  CtlOut({"delete", "pod", chosen, "--wait=false"});
  // A third of them go to the pod that is to end.
  requests.Await(300);
  EXPECT_FALSE(PodNamed(chosen).is_null());
  CtlOut({"local", "start", "node2"});
  ASSERT_TRUE(Eventually([&] { return Ctl({"get", "pod", chosen}).exit_code != 0; }));
  requests.Await(100);
  const RequestTally tally = requests.Stop();
  EXPECT_EQ(tally.lost, 0) << tally.first_loss;
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-services", 3)
