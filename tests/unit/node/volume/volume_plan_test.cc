// Manifests in, plan out: volumes with the content of their files, and what a container sees.
#include "node/volume/volume_plan.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/reader.h"

namespace cluster::node {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The first document is the pod, the others are what it refers to.
v1::Assignment Assigned(const std::string& text) {
  ReadResult result = ReadManifests(text, "test.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  v1::Assignment assignment;
  for (const Document& document : result.documents) {
    if (document.object.has_pod()) {
      *assignment.mutable_pod() = document.object.pod();
    } else {
      *assignment.add_references() = document.object;
    }
  }
  return assignment;
}

NodeContext Context() {
  return {"node1", "192.0.2.1", "10.64.0.2", {{"cpu", "3950m"}, {"memory", "2Gi"}}};
}

constexpr char kEverything[] = R"(
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  uid: 5d2c
  labels: {app: web, tier: front}
  annotations: {note: "say \"hi\"\n"}
spec:
  securityContext: {fsGroup: 2000, fsGroupChangePolicy: OnRootMismatch}
  volumes:
  - name: nothing
  - name: cache
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
  - name: host
    hostPath: {path: /var/log, type: DirectoryOrCreate}
  - name: config
    configMap: {name: config}
  - name: picked
    configMap:
      name: config
      defaultMode: 0400
      items: [{key: app.conf, path: etc/app/app.conf}, {key: blob, path: blob, mode: 0755}]
  - name: secret
    secret: {secretName: secret, defaultMode: 0440}
  - name: maybe
    secret: {secretName: absent, optional: true}
  - name: about
    downwardAPI:
      items:
      - {path: labels, fieldRef: {fieldPath: metadata.labels}}
      - {path: annotations, fieldRef: {fieldPath: metadata.annotations}}
      - {path: app, fieldRef: {fieldPath: "metadata.labels['app']"}}
      - {path: cpu, resourceFieldRef: {containerName: main, resource: limits.cpu, divisor: 1m}}
      - {path: memory, resourceFieldRef: {containerName: main, resource: requests.memory, divisor: 1Mi}}
  - name: all
    projected:
      defaultMode: 0600
      sources:
      - configMap: {name: config, items: [{key: app.conf, path: config/app.conf}]}
      - secret: {name: secret}
      - downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}
  - name: data
    persistentVolumeClaim: {claimName: data, readOnly: true}
  containers:
  - name: main
    image: app:1
    resources: {requests: {memory: 100Mi}}
    volumeMounts:
    - {name: nothing, mountPath: /scratch/}
    - {name: nothing, mountPath: /logs, subPath: logs//web/}
    - {name: nothing, mountPath: /mine, subPathExpr: pods/$(POD)}
    - {name: host, mountPath: /host, readOnly: true, recursiveReadOnly: Enabled}
    - {name: host, mountPath: /live, mountPropagation: HostToContainer}
    - {name: data, mountPath: /data}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: shop}
data: {app.conf: "answer=42\n"}
binaryData: {blob: AP8K}
---
apiVersion: v1
kind: Secret
metadata: {name: secret, namespace: shop}
data: {password: aHVudGVyMg==}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop, uid: c1a1}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
)";

v1::Assignment Everything() {
  v1::Assignment assignment = Assigned(kEverything);
  assignment.mutable_pod()->mutable_metadata()->set_uid("5d2c");
  for (v1::Object& object : *assignment.mutable_references()) {
    if (!object.has_persistent_volume_claim()) continue;
    object.mutable_persistent_volume_claim()->mutable_metadata()->set_uid("c1a1");
    object.mutable_persistent_volume_claim()->mutable_status()->set_node_name("node1");
  }
  return assignment;
}

std::string ContentOf(const std::vector<VolumeSpec>& volumes, const std::string& volume,
                      const std::string& path) {
  for (const VolumeSpec& each : volumes) {
    for (const VolumeFile& file : each.files) {
      if (each.name == volume && file.path == path) return file.content;
    }
  }
  ADD_FAILURE() << volume << " has no " << path;
  return "";
}

TEST(PlanVolumes, IsWhatAPodBringsAlong) {
  const auto volumes = PlanVolumes(Everything(), Context());
  ASSERT_TRUE(volumes.ok()) << volumes.status();
  EXPECT_EQ(Describe(*volumes), R"(disk nothing group=2000 on-mismatch
memory cache size=67108864 group=2000 on-mismatch
host-path host /var/log directory-or-create
files config group=2000 on-mismatch
  0644 app.conf 10
  0644 blob 3
files picked group=2000 on-mismatch
  0755 blob 3
  0400 etc/app/app.conf 10
files secret group=2000 on-mismatch
  0440 password 7
files maybe group=2000 on-mismatch
files about group=2000 on-mismatch
  0644 annotations 19
  0644 app 3
  0644 cpu 4
  0644 labels 22
  0644 memory 3
files all group=2000 on-mismatch
  0600 config/app.conf 10
  0600 name 3
  0600 password 7
claim data c1a1 size=1073741824 group=2000 on-mismatch
)");
  EXPECT_EQ(ContentOf(*volumes, "config", "blob"), std::string("\0\xff\n", 3));
  EXPECT_EQ(ContentOf(*volumes, "secret", "password"), "hunter2");
  EXPECT_EQ(ContentOf(*volumes, "about", "labels"), "app=\"web\"\ntier=\"front\"");
  EXPECT_EQ(ContentOf(*volumes, "about", "annotations"), "note=\"say \\\"hi\\\"\\n\"");
  EXPECT_EQ(ContentOf(*volumes, "about", "memory"), "100");
}

TEST(PlanVolumes, Behaviour18GivesTheNodesAllocatableWhereThereIsNoLimit) {
  const auto volumes = PlanVolumes(Everything(), Context());
  ASSERT_TRUE(volumes.ok()) << volumes.status();
  EXPECT_EQ(ContentOf(*volumes, "about", "cpu"), "3950");
}

TEST(PlanVolumes, NamesWhatIsMissing) {
  v1::Assignment assignment = Everything();
  assignment.mutable_references()->DeleteSubrange(0, 1);
  EXPECT_EQ(PlanVolumes(assignment, Context()).status(),
            absl::FailedPreconditionError(
                "volume \"config\": ConfigMap \"config\" not found in namespace \"shop\"; create "
                "it, or mark the reference optional"));
  assignment = Everything();
  assignment.mutable_references(0)->mutable_config_map()->clear_binary_data();
  EXPECT_THAT(std::string(PlanVolumes(assignment, Context()).status().message()),
              AllOf(HasSubstr("volume \"picked\""), HasSubstr("has no key \"blob\"")));
  assignment = Everything();
  assignment.mutable_references()->RemoveLast();
  EXPECT_THAT(std::string(PlanVolumes(assignment, Context()).status().message()),
              HasSubstr("PersistentVolumeClaim \"data\" not found in namespace \"shop\""));
}

TEST(PlanVolumes, RefusesAClaimWhoseDataIsElsewhere) {
  NodeContext other = Context();
  other.node_name = "node2";
  EXPECT_THAT(std::string(PlanVolumes(Everything(), other).status().message()),
              HasSubstr("the data of PersistentVolumeClaim \"data\" is on node1"));
}

TEST(PlanVolumes, RefusesAFileThatWouldBeADirectory) {
  EXPECT_THAT(std::string(PlanVolumes(Assigned(R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  volumes:
  - name: v
    downwardAPI:
      items:
      - {path: a, fieldRef: {fieldPath: metadata.name}}
      - {path: a-b, fieldRef: {fieldPath: metadata.name}}
      - {path: a/b, fieldRef: {fieldPath: metadata.name}}
  containers: [{name: main, image: app:1}]
)"),
                                      Context())
                              .status()
                              .message()),
              HasSubstr("\"a\" would be a file and the directory of \"a/b\""));
}

TEST(PlanVolumes, Behaviour68FollowsLaterLabels) {
  v1::Assignment assignment = Everything();
  const std::string before = ContentsOf(*PlanVolumes(assignment, Context()));
  EXPECT_EQ(ContentsOf(*PlanVolumes(assignment, Context())), before);
  (*assignment.mutable_pod()->mutable_metadata()->mutable_labels())["tier"] = "back";
  EXPECT_NE(ContentsOf(*PlanVolumes(assignment, Context())), before);
}

TEST(PlanBinds, IsWhatTheContainerSees) {
  const v1::Assignment assignment = Everything();
  const v1::PodSpec& spec = assignment.pod().spec();
  const auto binds = PlanBinds(spec, spec.containers(0).volume_mounts(), {{"POD", "web"}});
  ASSERT_TRUE(binds.ok()) << binds.status();
  EXPECT_EQ(Describe(*binds), R"(/scratch <- nothing
/logs <- nothing/logs/web
/mine <- nothing/pods/web
/host <- host ro recursively
/live <- host slave
/data <- data ro
)");
}

TEST(PlanBinds, Behaviour69RefusesWhatExpandsToNoPathOfTheVolume) {
  const v1::Assignment assignment = Everything();
  const v1::PodSpec& spec = assignment.pod().spec();
  const auto message = [&](const std::map<std::string, std::string>& variables) {
    return std::string(
        PlanBinds(spec, spec.containers(0).volume_mounts(), variables).status().message());
  };
  EXPECT_EQ(message({}),
            "volume \"nothing\": subPathExpr \"pods/$(POD)\": the container has no variable "
            "\"POD\"");
  EXPECT_THAT(message({{"POD", ".."}}), HasSubstr("expands to \"pods/..\", which is no path"));
  EXPECT_THAT(message({{"POD", "/etc"}}), HasSubstr("expands to \"pods//etc\""));
  EXPECT_THAT(message({{"POD", "`id`"}}), HasSubstr("which is no path inside of the volume"));
  EXPECT_THAT(message({{"POD", ""}}), HasSubstr("which is no path inside of the volume"));
}

}  // namespace
}  // namespace cluster::node
