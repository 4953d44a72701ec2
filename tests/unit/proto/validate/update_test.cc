#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/reader.h"
#include "proto/validate/validate.h"

namespace cluster {
namespace {

v1::Object Read(const std::string& text) {
  ReadResult result = ReadManifests(text, "test.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  if (result.documents.empty()) return {};
  v1::Object object = result.documents[0].object;
  SetDefaults(&object);
  return object;
}

// The findings as "field: message", joined.
std::string Refusal(const v1::Object& before, const v1::Object& after) {
  std::string text;
  for (const FieldError& error : ValidateUpdate(before, after)) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", error.field, ": ", error.message);
  }
  return text;
}

v1::Object Pod(const std::string& spec) {
  return Read("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n" + spec);
}

constexpr char kFixed[] =
    ": this cannot change while the pod exists, only images, cpu and memory, an earlier "
    "activeDeadlineSeconds and added tolerations can; delete the pod and create it anew";

TEST(Update, APodKeepsAllButImagesAndTolerations) {
  const v1::Object before =
      Pod("  tolerations: [{key: a, operator: Exists}]\n"
          "  containers: [{name: main, image: app:1, command: [a, b]}]\n");
  EXPECT_EQ(Refusal(before, before), "");
  EXPECT_EQ(Refusal(before, Pod("  tolerations: [{key: b, operator: Exists}, {key: a, operator: "
                                "Exists}]\n"
                                "  containers: [{name: main, image: app, command: [a, b]}]\n")),
            "");
  EXPECT_EQ(Refusal(before, Pod("  tolerations: [{key: a, operator: Exists}]\n"
                                "  containers: [{name: main, image: app:1, command: [a]}]\n")),
            absl::StrCat("spec.containers[0].command", kFixed));
  EXPECT_EQ(Refusal(before, Pod("  containers: [{name: main, image: app:1, command: [a, b]}]\n")),
            "spec.tolerations: a toleration of a pod can be added, not removed or changed; put the "
            "old ones back");
  EXPECT_EQ(
      Refusal(before, Pod("  tolerations: [{key: a, operator: Exists}]\n"
                          "  containers: [{name: main, image: app:1, command: [a, b]}, {name: x, "
                          "image: b}]\n")),
      absl::StrCat("spec.containers", kFixed));
}

TEST(Update, AnInitContainersImageMayChangeAndNothingElseOfIt) {
  const v1::Object before = Pod(
      "  initContainers: [{name: one, image: app:1}]\n  containers: [{name: main, image: a}]\n");
  EXPECT_EQ(Refusal(before, Pod("  initContainers: [{name: one, image: app:2}]\n"
                                "  containers: [{name: main, image: a}]\n")),
            "");
  EXPECT_EQ(Refusal(before, Pod("  initContainers: [{name: one, image: app:1, args: [x]}]\n"
                                "  containers: [{name: main, image: a}]\n")),
            absl::StrCat("spec.initContainers[0].args", kFixed));
}

TEST(Update, Behaviour9_ADeadlineMayComeEarlierAndNotLater) {
  const std::string rest = "  containers: [{name: main, image: a}]\n";
  const v1::Object none = Pod(rest);
  const v1::Object hour = Pod("  activeDeadlineSeconds: 3600\n" + rest);
  const v1::Object minute = Pod("  activeDeadlineSeconds: 60\n" + rest);
  EXPECT_EQ(Refusal(none, hour), "");
  EXPECT_EQ(Refusal(hour, minute), "");
  const std::string refusal =
      "spec.activeDeadlineSeconds: a deadline can be lowered, not raised or removed; it is ";
  EXPECT_EQ(Refusal(minute, hour), refusal + "60");
  EXPECT_EQ(Refusal(hour, none), refusal + "3600");
}

TEST(Update, EphemeralContainersDoNotChangeByManifest) {
  const std::string rest = "  containers: [{name: main, image: a}]\n";
  const v1::Object none = Pod(rest);
  const v1::Object one = Pod("  ephemeralContainers: [{name: look, image: a}]\n" + rest);
  EXPECT_EQ(
      Refusal(none, one),
      "spec.ephemeralContainers: these are added with clusterctl debug, and stay as they are");
  EXPECT_NE(Refusal(one, none), "");
  EXPECT_EQ(Refusal(one, one), "");
}

TEST(Update, NestedFieldsAreNamed) {
  const auto pod = [](const std::string& disk) {
    return Pod(absl::StrCat(
        "  containers: [{name: main, image: a, resources: {limits: {ephemeral-storage: ", disk,
        "}}}]\n"));
  };
  EXPECT_EQ(Refusal(pod("1Gi"), pod("2Gi")),
            absl::StrCat("spec.containers[0].resources.limits", kFixed));
}

v1::Object WithResources(const std::string& resources, const std::string& more = "") {
  return Pod(absl::StrCat("  containers: [{name: main, image: a, resources: {", resources, "}",
                          more, "}]\n"));
}

TEST(Update, CpuAndMemoryOfARunningPodMayChangeWithinItsClass) {
  const v1::Object before = WithResources("limits: {cpu: 1, memory: 64Mi}");
  EXPECT_EQ(Refusal(before, WithResources("limits: {cpu: 2, memory: 32Mi}")), "");
  EXPECT_EQ(Refusal(before, WithResources("limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 500m}")),
            "spec: a running pod keeps its QoS class Guaranteed, and these resources make it "
            "Burstable; delete the pod and create it anew");
  EXPECT_EQ(Refusal(before, WithResources("limits: {cpu: 2, memory: 64Mi}", ", args: [x]")),
            absl::StrCat("spec.containers[0].args", kFixed));
  const v1::Object burstable = WithResources("requests: {cpu: 1}");
  EXPECT_EQ(Refusal(burstable, WithResources("requests: {cpu: 2, memory: 1Mi}, limits: {cpu: 3}")),
            "")
      << "what was not there may be added";
  EXPECT_EQ(Refusal(burstable, WithResources("requests: {memory: 1Mi}")),
            "spec.containers[0].resources.requests[cpu]: what a running pod has of cpu can be "
            "changed, not taken away; set it");
}

TEST(Update, SidecarsAreResizedAndInitContainersAreNot) {
  const auto pod = [](const std::string& cpu, const std::string& policy) {
    return Pod(absl::StrCat("  initContainers: [{name: one, image: a, ", policy,
                            "resources: {requests: {cpu: ", cpu,
                            "}}}]\n  containers: [{name: main, image: a}]\n"));
  };
  EXPECT_EQ(Refusal(pod("1", "restartPolicy: Always, "), pod("2", "restartPolicy: Always, ")), "");
  EXPECT_EQ(Refusal(pod("1", ""), pod("2", "")),
            absl::StrCat("spec.initContainers[0].resources.requests", kFixed));
}

TEST(Update, ASelectorStays) {
  const auto deployment = [](const std::string& labels, const std::string& image) {
    return Read(absl::StrCat(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    "
        "metadata: {labels: ",
        labels, "}\n    spec: {containers: [{name: main, image: ", image, "}]}\n"));
  };
  const v1::Object before = deployment("{app: web}", "app:1");
  EXPECT_EQ(Refusal(before, deployment("{app: web}", "app:2")), "");
  EXPECT_EQ(Refusal(before, deployment("{app: db}", "app:1")),
            "spec.selector: the selector cannot change; delete the object and create it anew");
}

TEST(Update, ImmutableDataStays) {
  const std::string head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n";
  const v1::Object before = Read(head + "immutable: true\ndata: {a: b}\n");
  EXPECT_EQ(Refusal(before, before), "");
  EXPECT_EQ(Refusal(before, Read(head + "immutable: true\ndata: {a: c}\n")),
            "data: the object is immutable; create one with another name, or delete it first");
  EXPECT_EQ(Refusal(before, Read(head + "data: {a: b}\n")),
            "immutable: what is immutable stays so; delete the object and create it anew");
  const v1::Object relabeled = Read(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {x: z}}\nimmutable: "
      "true\ndata: {a: b}\n");
  EXPECT_EQ(Refusal(before, relabeled), "");
}

TEST(Update, ASecretKeepsItsType) {
  const std::string head = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
  EXPECT_EQ(Refusal(Read(head), Read(head + "type: example.com/other\n")),
            "type: the type of a secret cannot change; it is \"Opaque\", delete it first");
}

TEST(Update, AnotherUidIsAnotherObject) {
  v1::Object before = Read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n");
  v1::Object after = before;
  before.mutable_config_map()->mutable_metadata()->set_uid("one");
  after.mutable_config_map()->mutable_metadata()->set_uid("two");
  EXPECT_EQ(Refusal(before, after),
            "metadata.uid: this is another object, its uid is one; remove metadata.uid to change "
            "it");
}

v1::Object Set(const std::string& kind, const std::string& spec) {
  return Read("apiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: s}\nspec:\n" + spec +
              "  template:\n    metadata: {labels: {app: a, tier: b}}\n"
              "    spec: {containers: [{name: main, image: app:1}]}\n");
}

constexpr char kForbidden[] =
    ": updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
    "'minReadySeconds' are forbidden; delete the set with --cascade=orphan and create it anew to "
    "keep its pods";

TEST(Update, AStatefulSetKeepsWhatItsPodsStandOn) {
  const v1::Object before = Set("StatefulSet", "  serviceName: db\n");
  EXPECT_EQ(Refusal(before, before), "");
  const v1::Object after =
      Set("StatefulSet",
          "  serviceName: db\n  replicas: 3\n  ordinals: {start: 2}\n  minReadySeconds: 4\n"
          "  revisionHistoryLimit: 2\n  updateStrategy: {type: OnDelete}\n"
          "  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete}\n");
  EXPECT_EQ(Refusal(before, after), "");
  EXPECT_EQ(Refusal(after, before), "");
  EXPECT_EQ(Refusal(before, Set("StatefulSet", "  serviceName: other\n")),
            absl::StrCat("spec.serviceName", kForbidden));
  EXPECT_EQ(
      Refusal(before, Set("StatefulSet", "  serviceName: db\n  podManagementPolicy: Parallel\n")),
      absl::StrCat("spec.podManagementPolicy", kForbidden));
  EXPECT_EQ(Refusal(before,
                    Set("StatefulSet", "  serviceName: db\n  selector: {matchLabels: {app: a}}\n")),
            absl::StrCat("spec.selector.matchLabels", kForbidden));
  EXPECT_EQ(
      Refusal(before,
              Set("StatefulSet",
                  "  serviceName: db\n  volumeClaimTemplates: [{metadata: {name: data}, spec: "
                  "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]\n")),
      absl::StrCat("spec.volumeClaimTemplates", kForbidden));
}

TEST(Update, ADaemonSetKeepsItsSelector) {
  const v1::Object before = Set("DaemonSet", "  minReadySeconds: 1\n");
  EXPECT_EQ(Refusal(before, Set("DaemonSet", "  updateStrategy: {type: OnDelete}\n")), "");
  EXPECT_EQ(Refusal(before, Set("DaemonSet", "  selector: {matchLabels: {app: a}}\n")),
            "spec.selector: the selector cannot change; delete the object and create it anew");
}

TEST(Update, WhatARevisionKeepsStays) {
  v1::Object before;
  before.mutable_controller_revision()->mutable_metadata()->set_name("s-1");
  before.mutable_controller_revision()->set_revision(1);
  v1::Object after = before;
  after.mutable_controller_revision()->set_revision(2);
  EXPECT_EQ(Refusal(before, after), "");
  after.mutable_controller_revision()->mutable_data()->mutable_spec()->set_hostname("h");
  EXPECT_EQ(Refusal(before, after),
            "data: what a revision keeps cannot change; create another one");
}

}  // namespace
}  // namespace cluster
