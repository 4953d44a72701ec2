// Volumes through clusterctl: what a manifest says is what its containers find, and what is kept is
// kept.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/e2e/domain.h"
#include "tests/e2e/local_fixture.h"
#include "tests/e2e/main.h"

namespace cluster::e2e {
namespace {

using ::testing::HasSubstr;

constexpr char kConfig[] = R"(
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {app.conf: "answer=VALUE\n", extra: more}
)";

constexpr char kEverything[] = R"(
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter2}
---
apiVersion: v1
kind: Pod
metadata: {name: all, labels: {tier: front}}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {fsGroup: 2000}
  volumes:
  - {name: scratch, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: config, configMap: {name: settings}}
  - {name: secret, secret: {secretName: keys, defaultMode: 0400}}
  - name: about
    projected:
      sources:
      - configMap: {name: settings, items: [{key: extra, path: config/extra}]}
      - secret: {name: keys}
      - downwardAPI:
          items:
          - {path: labels, fieldRef: {fieldPath: metadata.labels}}
          - {path: memory, resourceFieldRef: {containerName: one, resource: limits.memory, divisor: 1Mi}}
  containers:
  - name: one
    image: busybox:1
    command: [sh, -c, "echo from one > /scratch/note; exec sleep 100000"]
    resources: {limits: {memory: 64Mi}}
    env:
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
    volumeMounts:
    - {name: scratch, mountPath: /scratch}
    - {name: memory, mountPath: /memory}
    - {name: config, mountPath: /etc/app}
    - {name: config, mountPath: /pinned, subPath: app.conf}
    - {name: secret, mountPath: /secret}
    - {name: about, mountPath: /about}
  - name: two
    image: busybox:1
    command: [sleep, "100000"]
    env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
    volumeMounts:
    - {name: scratch, mountPath: /mine, subPathExpr: pods/$(POD)}
    - {name: scratch, mountPath: /scratch, readOnly: true}
)";

constexpr char kClaim[] = R"(
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
)";

std::string PodWithClaim(const std::string& name, const std::string& script) {
  return absl::StrReplaceAll(R"(
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
  containers:
  - name: main
    image: busybox:1
    command: [sh, -c, "SCRIPT; exec sleep 100000"]
    volumeMounts: [{name: data, mountPath: /data}]
)",
                             {{"NAME", name}, {"SCRIPT", script}});
}

std::string ConfigWith(const std::string& value) {
  return absl::StrReplaceAll(kConfig, {{"VALUE", value}});
}

std::string In(const std::string& pod, const std::string& container, const std::string& script) {
  return CtlOut({"exec", pod, "-c", container, "--", "sh", "-c", script});
}

class VolumesE2e : public testing::Test {
 protected:
  void SetUp() override { LoadBusybox(); }
  void TearDown() override {
    CtlOut(
        {"delete", "pods,configmaps,secrets,persistentvolumeclaims", "--all", "--timeout", "60s"});
  }
};

TEST_F(VolumesE2e, APodWaitsForWhatItsVolumesNeedAndSaysSo) {
  Apply(kEverything);
  ASSERT_TRUE(Eventually([] {
    auto pod = PodNamed("all");  // a pod without a status yet is no error
    return absl::StrContains(
        pod["status"]["containerStatuses"].dump(),
        "volume \\\"config\\\": ConfigMap \\\"settings\\\" not found in namespace \\\"default\\\"");
  })) << PodNamed("all").dump(2);
  Apply(ConfigWith("42"));
  EXPECT_TRUE(WaitPhase("all", "Running"));
}

TEST_F(VolumesE2e, Behaviour65_66_68_AContainerFindsItsVolumes) {
  Apply(ConfigWith("42"));
  Apply(kEverything);
  ASSERT_TRUE(WaitPhase("all", "Running"));
  EXPECT_EQ(In("all", "one", "cat /etc/app/app.conf /etc/app/extra; stat -Lc %a /etc/app/extra"),
            "answer=42\nmore644");
  EXPECT_EQ(In("all", "one",
               "cat /secret/password; stat -Lc ' %a %g' /secret/password; "
               "stat -fc %T /secret"),
            "hunter2 440 2000\ntmpfs");
  EXPECT_EQ(In("all", "one",
               "cat /about/config/extra /about/password; echo; cat /about/labels; "
               "echo; cat /about/memory"),
            "morehunter2\ntier=\"front\"\n64");
  EXPECT_EQ(In("all", "one", "grep ' /memory ' /proc/mounts | cut -d' ' -f3"), "tmpfs");
  EXPECT_EQ(In("all", "one", "stat -c '%a %g' /scratch /memory"), "2777 2000\n2777 2000");
  EXPECT_EQ(In("all", "two", "cat /scratch/note; touch /scratch/x 2>/dev/null || echo read-only"),
            "from one\nread-only");
  In("all", "two", "echo from two > /mine/note");
  EXPECT_EQ(In("all", "one", "cat /scratch/pods/all/note"), "from two");
  EXPECT_GT(std::stoi(In("all", "one", "echo $CPU")), 0) << "Behaviour18: the node's allocatable";
  EXPECT_THAT(CtlOut({"describe", "pod", "all"}),
              HasSubstr("/pinned from config (rw, path=app.conf)"));
}

TEST_F(VolumesE2e, Behaviour67_68_FilesFollowTheirObjectsWithoutARestart) {
  Apply(ConfigWith("42"));
  Apply(kEverything);
  ASSERT_TRUE(WaitPhase("all", "Running"));
  Apply(ConfigWith("43"));
  EXPECT_TRUE(Eventually([] { return In("all", "one", "cat /etc/app/app.conf") == "answer=43"; }));
  EXPECT_EQ(In("all", "one", "cat /pinned"), "answer=42") << "a sub path stays as it was";
  CtlOut({"label", "pod", "all", "tier=back", "--overwrite"});
  EXPECT_TRUE(Eventually([] { return In("all", "one", "cat /about/labels") == "tier=\"back\""; }));
  EXPECT_EQ(RestartCount(PodNamed("all")), 0);
}

TEST_F(VolumesE2e, AClaimKeepsItsDataOverItsPods) {
  EXPECT_EQ(Apply(kClaim), "persistentvolumeclaim/data created");
  EXPECT_THAT(CtlOut({"get", "pvc"}), HasSubstr("Pending"));
  Apply(PodWithClaim("first", "echo kept > /data/note"));
  ASSERT_TRUE(WaitPhase("first", "Running"));
  const std::string node = PodNamed("first")["spec"]["nodeName"];
  EXPECT_EQ(GetJson({"pvc", "data"})["status"]["nodeName"], node);
  EXPECT_THAT(CtlOut({"get", "pvc", "-o", "wide"}),
              ::testing::AllOf(HasSubstr("Bound"), HasSubstr("1Gi"), HasSubstr("RWO"),
                               HasSubstr("local"), HasSubstr(node)));
  EXPECT_THAT(CtlOut({"describe", "pvc", "data"}), HasSubstr("first"));
  ASSERT_TRUE(Eventually([] { return In("first", "main", "cat /data/note") == "kept"; }));
  Delete("pod", "first");

  Apply(PodWithClaim("second", "true"));
  ASSERT_TRUE(WaitPhase("second", "Running"));
  EXPECT_EQ(PodNamed("second")["spec"]["nodeName"], node);
  EXPECT_EQ(In("second", "main", "cat /data/note"), "kept");

  // In use: it waits for the pod, then for the node, and is gone.
  CtlOut({"delete", "pvc", "data", "--wait=false"});
  EXPECT_THAT(CtlOut({"get", "pvc", "data"}), HasSubstr("Terminating"));
  EXPECT_EQ(In("second", "main", "cat /data/note"), "kept");
  Delete("pod", "second");
  EXPECT_TRUE(Eventually([] { return Ctl({"get", "pvc", "data"}).exit_code != 0; }));

  // Another claim of that name is another one.
  Apply(kClaim);
  Apply(PodWithClaim("third", "true"));
  ASSERT_TRUE(WaitPhase("third", "Running"));
  EXPECT_EQ(In("third", "main", "ls /data"), "");
}

}  // namespace
}  // namespace cluster::e2e

CLUSTER_E2E_MAIN("e2e-volumes", 2)
