#include "proto/schema/printer.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"

namespace cluster {
namespace {

v1::Object ConfigMap(const std::string& value) {
  v1::Object object = NewObject(*FindKind("ConfigMap"));
  object.mutable_config_map()->mutable_metadata()->set_name("a");
  (*object.mutable_config_map()->mutable_data())["k"] = value;
  return object;
}

v1::Object Pod() {
  v1::Pod pod;
  pod.mutable_metadata()->set_name("web");
  pod.mutable_metadata()->mutable_creation_timestamp()->set_seconds(1'700'000'000);
  (*pod.mutable_metadata()->mutable_labels())["b"] = "2";
  (*pod.mutable_metadata()->mutable_labels())["a"] = "1";
  pod.mutable_status()->set_phase(v1::POD_PHASE_RUNNING);
  pod.mutable_status()->set_pod_ip("10.64.0.5");
  pod.mutable_spec()->set_termination_grace_period_seconds(0);
  auto* container = pod.mutable_spec()->add_containers();
  container->set_name("a");
  container->add_ports()->set_container_port(80);
  (*container->mutable_resources()->mutable_limits())["cpu"] = "500m";
  return Wrap(pod);
}

TEST(Printer, PrintsKubernetesJson) {
  EXPECT_EQ(
      ToJson(Pod()).dump(),
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","labels":{"a":"1","b":"2"},)"
      R"("creationTimestamp":"2023-11-14T22:13:20Z"},"spec":{"containers":[{"name":"a",)"
      R"("ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"500m"}}}],)"
      R"("terminationGracePeriodSeconds":0},"status":{"phase":"Running","podIP":"10.64.0.5"}})");
}

TEST(Printer, PrintsYamlAsKubectlDoes) {
  EXPECT_EQ(PrintYaml(ToJson(Pod())),
            R"(apiVersion: v1
kind: Pod
metadata:
  name: web
  labels:
    a: "1"
    b: "2"
  creationTimestamp: "2023-11-14T22:13:20Z"
spec:
  containers:
  - name: a
    ports:
    - containerPort: 80
    resources:
      limits:
        cpu: 500m
  terminationGracePeriodSeconds: 0
status:
  phase: Running
  podIP: 10.64.0.5
)");
}

TEST(Printer, PrintsLists) {
  EXPECT_EQ(ToJson(std::vector<v1::Object>()).dump(),
            R"({"apiVersion":"v1","kind":"List","items":[],"metadata":{}})");
  const std::string yaml = PrintYaml(ToJson(std::vector<v1::Object>{ConfigMap("x")}));
  EXPECT_EQ(yaml,
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n"
            "    name: a\n  data:\n    k: x\nmetadata: {}\n");
}

TEST(Printer, PrintsIntOrStringAsWhatItIs) {
  v1::RollingUpdate update;
  update.set_max_surge("1");
  update.set_max_unavailable("25%");
  EXPECT_EQ(ToJson(update).dump(), R"({"maxSurge":1,"maxUnavailable":"25%"})");
  update.set_max_surge("01");
  EXPECT_EQ(ToJson(update)["maxSurge"], "01");
}

TEST(Printer, PrintsBytesAsBase64) {
  v1::Secret secret;
  (*secret.mutable_data())["k"] = std::string("\xff\x00", 2);
  EXPECT_EQ(ToJson(secret)["data"]["k"], "/wA=");
}

TEST(Printer, LeavesOutWhatHasNoWord) {
  v1::PodSpec spec;
  spec.set_restart_policy(v1::RESTART_POLICY_UNSPECIFIED);
  EXPECT_EQ(ToJson(spec).dump(), "{}");
  EXPECT_EQ(PrintYaml(ToJson(spec)), "{}\n");
}

struct Text {
  const char* value;
  const char* yaml;
};

class YamlTextTest : public testing::TestWithParam<Text> {};

TEST_P(YamlTextTest, IsQuotedWhereItCouldBeTakenForSomethingElse) {
  EXPECT_EQ(PrintYaml(Json{{"k", GetParam().value}}), std::string("k: ") + GetParam().yaml + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    Table, YamlTextTest,
    testing::Values(
        Text{"web", "web"}, Text{"", "\"\""}, Text{"8080", "\"8080\""}, Text{"0x1", "\"0x1\""},
        Text{"1e3", "\"1e3\""}, Text{".5", "\".5\""}, Text{"yes", "\"yes\""}, Text{"No", "\"No\""},
        Text{"y", "\"y\""}, Text{"null", "\"null\""}, Text{"~", "\"~\""}, Text{"true", "\"true\""},
        Text{"--port=80", "--port=80"}, Text{"-", "\"-\""}, Text{"- a", "\"- a\""},
        Text{"---", "\"---\""}, Text{"a: b", "\"a: b\""}, Text{"a:", "\"a:\""}, Text{"a:b", "a:b"},
        Text{"a #b", "\"a #b\""}, Text{"a#b", "a#b"}, Text{"#a", "\"#a\""}, Text{" a", "\" a\""},
        Text{"a ", "\"a \""}, Text{"*a", "\"*a\""}, Text{"&a", "\"&a\""}, Text{"!a", "\"!a\""},
        Text{"[a", "\"[a\""}, Text{"{a", "\"{a\""}, Text{"%a", "\"%a\""}, Text{"@a", "\"@a\""},
        Text{"'a", "\"'a\""}, Text{"a\"b", "a\"b"}, Text{"\"a", "\"\\\"a\""}, Text{"<<", "\"<<\""},
        Text{"=", "\"=\""}, Text{"2026-01-31", "\"2026-01-31\""}, Text{"80:80", "\"80:80\""},
        Text{"a\tb", "\"a\\tb\""}, Text{"a\\b", "a\\b"}, Text{"a\x01", "\"a\\x01\""},
        Text{"\u00e4", "\u00e4"}, Text{"a\u2028", "\"a\\L\""}, Text{"\uFEFF", "\"\\uFEFF\""},
        Text{"1.2.3", "1.2.3"}, Text{"10.0.0.1/8", "10.0.0.1/8"}, Text{"a\nb", "|-\n  a\n  b"},
        Text{"a\nb\n", "|\n  a\n  b"}, Text{"a\n\n", "|+\n  a\n"},
        Text{"a\n\n  b\n", "|\n  a\n\n    b"}, Text{"\na", "\"\\na\""}, Text{" a\nb", "\" a\\nb\""},
        Text{"a\n \nb", "\"a\\n \\nb\""}, Text{"a\r\nb", "\"a\\r\\nb\""}));

}  // namespace
}  // namespace cluster
