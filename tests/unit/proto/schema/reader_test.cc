// Good manifests, and where their fields stand.
#include "proto/schema/reader.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"

namespace cluster {
namespace {

Document ReadOne(const std::string& text) {
  ReadResult result = ReadManifests(text, "f.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  EXPECT_EQ(result.documents.size(), 1u);
  if (result.documents.empty()) result.documents.emplace_back();
  return std::move(result.documents.front());
}

v1::ConfigMap ReadData(const std::string& data) {
  return ReadOne("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n" + data)
      .object.config_map();
}

constexpr char kDeployment[] = R"(apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  creationTimestamp: null
  resourceVersion: "17"
  uid: 0b1c
  labels:
    app: web
spec:
  replicas: 3
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 25%
  template:
    spec:
      containers:
      - name: web
        image: nginx:1.25
        resources:
          limits: {cpu: 0.5, memory: 1024Ki}
        ports:
        - containerPort: 80
        - containerPort: 443
          hostIP: 127.0.0.1
          protocol: TCP
status:
  replicas: 3
  anything: [at, all]
)";

TEST(Reader, ReadsADeployment) {
  const Document document = ReadOne(kDeployment);
  const v1::Deployment& deployment = document.object.deployment();
  EXPECT_EQ(deployment.api_version(), "apps/v1");
  EXPECT_EQ(deployment.kind(), "Deployment");
  EXPECT_EQ(deployment.metadata().labels().at("app"), "web");
  EXPECT_EQ(deployment.spec().replicas(), 3);
  EXPECT_EQ(deployment.spec().strategy().type(), v1::STRATEGY_TYPE_ROLLING_UPDATE);
  EXPECT_EQ(deployment.spec().strategy().rolling_update().max_surge(), "1");
  EXPECT_EQ(deployment.spec().strategy().rolling_update().max_unavailable(), "25%");
  const v1::Container& container = deployment.spec().template_().spec().containers(0);
  EXPECT_EQ(container.resources().limits().at("cpu"), "500m");
  EXPECT_EQ(container.resources().limits().at("memory"), "1Mi");
  EXPECT_EQ(container.ports(1).host_ip(), "127.0.0.1");
  EXPECT_EQ(container.ports(1).protocol(), v1::PROTOCOL_TCP);
}

TEST(Reader, IgnoresStatusAndSystemFieldsButTheRevision) {
  const Document document = ReadOne(kDeployment);
  const v1::Deployment& deployment = document.object.deployment();
  EXPECT_FALSE(deployment.has_status());
  EXPECT_EQ(deployment.metadata().uid(), "");
  EXPECT_FALSE(deployment.metadata().has_creation_timestamp());
  EXPECT_EQ(deployment.metadata().resource_version(), "17");
}

TEST(Reader, KnowsWhereFieldsStand) {
  const Document document = ReadOne(kDeployment);
  const auto at = [&](const char* path) {
    const Position position = FindPosition(document, path);
    return std::make_pair(position.line, position.column);
  };
  const std::string port = "spec.template.spec.containers[0].ports[1].containerPort";
  EXPECT_EQ(document.positions.at(port).key.line, 26);
  EXPECT_EQ(document.positions.at(port).key.column, 11);
  EXPECT_EQ(at(port.c_str()), std::make_pair(26, 26));
  EXPECT_EQ(at("spec.replicas"), std::make_pair(11, 13));
  EXPECT_EQ(at("metadata.labels[app]"), std::make_pair(9, 10));
  EXPECT_EQ(at("spec.template.spec.containers[0]"), std::make_pair(20, 9));
}

TEST(Reader, FindsTheClosestParentOfWhatWasNotWritten) {
  const Document document = ReadOne(kDeployment);
  const auto line = [&](const char* path) { return FindPosition(document, path).line; };
  EXPECT_EQ(line("spec.template.spec.containers[0].ports[0].hostPort"), 25);
  EXPECT_EQ(line("spec.template.spec.containers[7].name"), 19);
  EXPECT_EQ(line("metadata.annotations[a.b/c]"), 3);
  EXPECT_EQ(line("metadata.labels[a.b/c]"), 8);
  EXPECT_EQ(line("other"), 1);
  EXPECT_EQ(line(""), 1);
}

TEST(Reader, ReadsDocumentsListsAndNothing) {
  const ReadResult result = ReadManifests(
      "# nothing\n---\n---\nnull\n---\napiVersion: v1\nkind: List\nmetadata: {}\nitems:\n"
      "- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n"
      "- apiVersion: v1\n  kind: List\n  items: [{apiVersion: v1, kind: Pod, metadata: {name: "
      "b}}]\n"
      "...\n---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: c-}\n",
      "f.yaml");
  ASSERT_TRUE(result.ok()) << ToStatus(result.errors);
  ASSERT_EQ(result.documents.size(), 3u);
  EXPECT_EQ(Meta(result.documents[0].object).name(), "a");
  EXPECT_EQ(Meta(result.documents[1].object).name(), "b");
  EXPECT_EQ(Meta(result.documents[2].object).generate_name(), "c-");
  EXPECT_EQ(result.documents[1].start.line, 13);
}

TEST(Reader, ReadsKyaml) {
  const Document document = ReadOne(R"(---
{
  # comments and trailing commas
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", labels: { "app": "web", }, }, # here too
  spec: {
    containers: [{
      name: "a",
      image: "nginx",
      args: [ "a", 'b', c, ],
      ports: [{ containerPort: 80, },],
    },],
  },
}
)");
  EXPECT_EQ(document.object.pod().spec().containers(0).args_size(), 3);
  EXPECT_EQ(document.positions.at("spec.containers[0].image").key.line, 10);
}

TEST(Reader, ReadsJson) {
  const Document document = ReadOne(
      "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"},\n"
      "\t\"data\":{\"k\":\"a\\u003cb\\/\\n\\\"\",\"e\":\"\"}}");
  EXPECT_EQ(document.object.config_map().data().at("k"), "a<b/\n\"");
  EXPECT_EQ(document.object.config_map().data().at("e"), "");
}

TEST(Reader, ReadsTheSurrogatePairsOfJson) {
  const Document document =
      ReadOne(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},)"
              R"("data":{"k":"\ud83d\ude00 \\ud83d \\\ud83d\ude00 \u00e4"}})");
  EXPECT_EQ(document.object.config_map().data().at("k"), "\U0001F600 \\ud83d \\\U0001F600 \u00e4");
}

TEST(Reader, FoldsAndKeepsTextAsYamlSays) {
  const auto config = ReadData(
      "  folded: \"one\n    two\\n\n\n    three \\\n    four\"\n"
      "  single: 'it''s\n    here'\n"
      "  literal: |\n    a\n      b\n\n    c\n"
      "  strip: |-\n    a\n"
      "  keep: |+\n    a\n\n"
      "  block: >\n    a\n    b\n\n    c\n"
      "  plain: a\n    b # c\n"
      "  number: \"8080\"\n"
      "  time: 2026-01-31\n"
      "  version: 1.2.3\n");
  EXPECT_EQ(config.data().at("folded"), "one two\n\nthree four");
  EXPECT_EQ(config.data().at("single"), "it's here");
  EXPECT_EQ(config.data().at("literal"), "a\n  b\n\nc\n");
  EXPECT_EQ(config.data().at("strip"), "a");
  EXPECT_EQ(config.data().at("keep"), "a\n\n");
  EXPECT_EQ(config.data().at("block"), "a b\nc\n");
  EXPECT_EQ(config.data().at("plain"), "a b");
  EXPECT_EQ(config.data().at("number"), "8080");
  EXPECT_EQ(config.data().at("time"), "2026-01-31");
  EXPECT_EQ(config.data().at("version"), "1.2.3");
}

TEST(Reader, KeepsTheEndOfTextAsItIs) {
  EXPECT_EQ(ReadData("  k: |\n    x").data().at("k"), "x");
  EXPECT_EQ(ReadData("  k: |\n    x\n").data().at("k"), "x\n");
  EXPECT_EQ(ReadData("  k: |+\n    x\n\n").data().at("k"), "x\n\n");
  EXPECT_EQ(ReadData("  k: |-\n    x\n\n").data().at("k"), "x");
  EXPECT_EQ(ReadData("  k: \"x\"").data().at("k"), "x");
}

TEST(Reader, KnowsEveryEscape) {
  EXPECT_EQ(ReadData("  k: \"\\N\\_\\L\\P\\xe4\\u20ac\\U0001F600\\e\\t\"\n").data().at("k"),
            "\u0085\u00a0\u2028\u2029\u00e4\u20ac\U0001F600\x1b\t");
}

TEST(Reader, TakesKeysAsKubernetesDoes) {
  const auto config = ReadData("  8080: a\n  \"on\": b\n  ? long\n  : c\n  empty:\n  !!str 7: d\n");
  EXPECT_EQ(config.data().at("8080"), "a");
  EXPECT_EQ(config.data().at("on"), "b");
  EXPECT_EQ(config.data().at("long"), "c");
  EXPECT_EQ(config.data().at("empty"), "");
  EXPECT_EQ(config.data().at("7"), "d");
}

TEST(Reader, MergesAndSharesAnchors) {
  const ReadResult result = ReadManifests(R"(
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata: &meta {name: a, namespace: x, labels: &labels {app: web}}
  spec: &spec
    nodeName: n1
    hostname: h
    containers: [&c {name: c, image: &image nginx}]
- apiVersion: v1
  kind: Pod
  metadata: {<<: *meta, name: b}
  spec:
    <<: [{hostname: first}, *spec]
    nodeName: n2
    containers:
    - *c
    - {name: *image, image: *image}
)",
                                          "f.yaml");
  ASSERT_TRUE(result.ok()) << ToStatus(result.errors);
  const v1::Pod& pod = result.documents.at(1).object.pod();
  EXPECT_EQ(pod.metadata().name(), "b");
  EXPECT_EQ(pod.metadata().namespace_(), "x");
  EXPECT_EQ(pod.metadata().labels().at("app"), "web");
  EXPECT_EQ(pod.spec().hostname(), "first");
  EXPECT_EQ(pod.spec().node_name(), "n2");
  EXPECT_EQ(pod.spec().containers(0).image(), "nginx");
  EXPECT_EQ(pod.spec().containers(1).name(), "nginx");
}

TEST(Reader, TakesNullAsNotWritten) {
  const Document document = ReadOne(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: , annotations: ~}\n"
      "spec:\n  containers: null\n  terminationGracePeriodSeconds:\n  restartPolicy: \"\"\n"
      "  nodeName: \"\"\n");
  const v1::PodSpec& spec = document.object.pod().spec();
  EXPECT_FALSE(spec.has_termination_grace_period_seconds());
  EXPECT_EQ(spec.restart_policy(), v1::RESTART_POLICY_UNSPECIFIED);
}

TEST(Reader, TakesUnsupportedFieldsThatAskForNothing) {
  ReadOne(
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  securityContext: {}\n"
      "  volumes: []\n  affinity: null\n  hostNetwork: false\n  priority: 0\n"
      "  serviceAccountName: \"\"\n");
}

TEST(Reader, KeepsZerosThatWereWritten) {
  const Document document = ReadOne(
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 0\n"
      "  template: {spec: {terminationGracePeriodSeconds: 0x0}}\n");
  EXPECT_TRUE(document.object.deployment().spec().has_replicas());
  const v1::PodSpec& pod = document.object.deployment().spec().template_().spec();
  EXPECT_TRUE(pod.has_termination_grace_period_seconds());
}

TEST(Reader, ReadsSecrets) {
  const Document document = ReadOne(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ntype: Opaque\n"
      "data:\n  p: c2VjcmV0\n  empty:\n  long: |\n    c2Vj\n    cmV0\nstringData: {q: plain}\n");
  const v1::Secret& secret = document.object.secret();
  EXPECT_EQ(secret.data().at("p"), "secret");
  EXPECT_EQ(secret.data().at("empty"), "");
  EXPECT_EQ(secret.data().at("long"), "secret");
  EXPECT_EQ(secret.string_data().at("q"), "plain");
}

TEST(Reader, ReadsEveryWayToWriteANumber) {
  for (const char* text :
       {"16", "0x10", "020", "0o20", "16.0", "1.6e1", "+16", "1_6", "!!int 16"}) {
    const Document document =
        ReadOne(std::string("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: a}\nspec:\n"
                            "  replicas: ") +
                text + "\n");
    EXPECT_EQ(document.object.replica_set().spec().replicas(), 16) << text;
  }
}

TEST(Reader, TakesWindowsLineEndsAndAByteOrderMark) {
  const Document document = ReadOne(
      "\xEF\xBB\xBF"
      "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata:\r\n  name: a\r\ndata:\r\n"
      "  k: |\r\n    x\r\n");
  EXPECT_EQ(document.object.config_map().data().at("k"), "x\n");
  EXPECT_EQ(document.start.column, 1);
}

}  // namespace
}  // namespace cluster
