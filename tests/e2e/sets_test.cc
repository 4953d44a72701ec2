// StatefulSets and DaemonSets of real programs: names, claims, order, one pod per node, and law 8.
#include <unistd.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SetsE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    CtlOut(
        {"delete", "statefulsets,daemonsets,persistentvolumeclaims", "--all", "--timeout", "60s"});
  }
};

std::string Set(const std::string& kind, const std::string& name, const std::string& image,
                const std::string& spec = "", const std::string& container = "") {
  return absl::StrCat("{apiVersion: apps/v1, kind: ", kind, ", metadata: {name: ", name,
                      "}, spec: {", spec, "template: {metadata: {labels: {app: ", name,
                      "}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, "
                      "image: '",
                      image, "', command: [sh, -c, 'exec sleep 100000']", container, "}]}}}}");
}

std::vector<std::string> NamesOf(const std::vector<nlohmann::json>& pods) {
  std::vector<std::string> names;
  for (const auto& pod : pods) names.push_back(pod["metadata"]["name"]);
  std::sort(names.begin(), names.end());
  return names;
}

TEST_F(SetsE2e, Behaviour41_PodsHaveNamesHostNamesAndDataOfTheirOwn) {
  Apply(Set("StatefulSet", "db", "busybox:1",
            "serviceName: db, replicas: 2, volumeClaimTemplates: [{metadata: {name: data}, spec: "
            "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}], ",
            ", volumeMounts: [{name: data, mountPath: /data}]"));
  CtlOut({"rollout", "status", "sts/db", "--timeout", "60s"});
  EXPECT_THAT(NamesOf(PodsOf("db")), ElementsAre("db-0", "db-1"));
  EXPECT_EQ(CtlOut({"exec", "db-1", "--", "hostname"}), "db-1");
  CtlOut({"exec", "db-1", "--", "sh", "-c", "echo kept > /data/file"});
  Apply(Set("StatefulSet", "db", "busybox:2",
            "serviceName: db, replicas: 2, volumeClaimTemplates: [{metadata: {name: data}, spec: "
            "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}}], ",
            ", volumeMounts: [{name: data, mountPath: /data}]"));
  EXPECT_THAT(CtlOut({"rollout", "status", "sts/db", "--timeout", "60s"}),
              HasSubstr("partitioned roll out complete: 2 new pods have been updated..."));
  EXPECT_EQ(CtlOut({"exec", "db-1", "--", "cat", "/etc/version"}), "2");
  EXPECT_EQ(CtlOut({"exec", "db-1", "--", "cat", "/data/file"}), "kept");
  EXPECT_EQ(CtlOut({"scale", "sts/db", "--replicas", "1"}), "statefulset/db scaled");
  ASSERT_TRUE(WaitReady("db", 1));
  EXPECT_THAT(NamesOf(PodsOf("db")), ElementsAre("db-0"));
  EXPECT_THAT(CtlOut({"get", "pvc", "-o", "name"}),
              AllOf(HasSubstr("data-db-0"), HasSubstr("data-db-1")));
  EXPECT_THAT(CtlOut({"rollout", "undo", "sts/db"}), HasSubstr("rolled back to revision 1"));
  CtlOut({"rollout", "status", "sts/db", "--timeout", "60s"});
  EXPECT_EQ(CtlOut({"exec", "db-0", "--", "cat", "/etc/version"}), "1");
}

TEST_F(SetsE2e, Behaviour39_ADaemonSetRunsOnEveryNode) {
  EXPECT_EQ(Apply(Set("DaemonSet", "log", "busybox:1")), "daemonset/log created");
  EXPECT_THAT(CtlOut({"rollout", "status", "ds/log", "--timeout", "60s"}),
              HasSubstr("daemon set \"log\" successfully rolled out"));
  std::set<std::string> nodes;
  for (const auto& pod : PodsOf("log")) nodes.insert(pod["spec"]["nodeName"]);
  EXPECT_THAT(nodes, ElementsAre("node1", "node2"));
  EXPECT_EQ(Apply(Set("DaemonSet", "log", "busybox:1")), "daemonset/log unchanged");
}

// Law 8: what exists once has ended where it was before another node may run one of its name.
class Law8E2e : public SetsE2e {
 protected:
  // A pod of its own, and its node after `lose` with nobody there to end it but the node itself.
  void LoseAndMend(const std::string& lose, const std::string& mend) {
    Apply(Set("StatefulSet", "one", "busybox:1"));
    ASSERT_TRUE(WaitReady("one", 1));
    const auto pod = PodNamed("one-0");
    const std::string node = pod["spec"]["nodeName"];
    const std::string uid = pod["metadata"]["uid"];
    const std::string process = absl::StrCat("/proc/", PidOf(pod));
    ASSERT_EQ(access(process.c_str(), F_OK), 0);
    CtlOut({"local", lose, node});
    const bool replaced = Eventually([&] {
      const Outcome now = Ctl({"get", "pod", "one-0", "-o", "jsonpath={.metadata.uid}"});
      return now.exit_code == 0 && now.out != uid;
    });
    // The first look at the new object finds the old process gone.
    EXPECT_NE(access(process.c_str(), F_OK), 0) << "it still runs on " << node;
    CtlOut({"local", mend, node});
    ASSERT_TRUE(replaced);
    ASSERT_TRUE(WaitReady("one", 1));
    ASSERT_TRUE(Eventually([&] {
      return CtlOut({"get", "node", node}).find(" Ready ") != std::string::npos;
    }));
  }
};

TEST_F(Law8E2e, Law8_ACutOffNodeEndsWhatExistsOnce) { LoseAndMend("partition", "heal"); }
TEST_F(Law8E2e, Law8_ANodeWithoutAgentEndsItToo) { LoseAndMend("kill", "start"); }

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-sets", 2)
