// Every bad manifest of bad_manifests.txt is refused with exactly these positions and sentences, by
// the reader or, where the reader has nothing against it, by the validation.
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "proto/schema/reader.h"
#include "proto/validate/validate.h"

namespace cluster {
namespace {

struct BadManifest {
  std::string name;
  std::string text;
  std::string errors;
};

std::vector<BadManifest> ReadTable() {
  const auto table = ReadFile(absl::StrCat(std::getenv("CLUSTER_SOURCE_DIR"),
                                           "/tests/unit/proto/validate/bad_manifests.txt"));
  EXPECT_TRUE(table.ok()) << table.status();
  std::vector<BadManifest> cases;
  for (const absl::string_view part : absl::StrSplit(table.value_or(""), "### ")) {
    const std::vector<absl::string_view> sides = absl::StrSplit(part, "=>\n");
    if (sides.size() != 2) continue;  // the introduction
    const std::pair<absl::string_view, absl::string_view> head =
        absl::StrSplit(sides[0], absl::MaxSplits('\n', 1));
    cases.push_back({std::string(head.first), std::string(head.second), std::string(sides[1])});
  }
  return cases;
}

// One error per line, as a user sees them.
std::string ErrorsOf(const std::string& text) {
  ReadResult result = ReadManifests(text, "bad.yaml");
  std::string lines;
  for (const ReadError& error : result.errors) absl::StrAppend(&lines, error.ToString(), "\n");
  if (!result.ok()) return lines;
  for (Document& document : result.documents) {
    SetDefaults(&document.object);
    for (const FieldError& error : Validate(document.object)) {
      const Position at = FindPosition(document, error.field);
      absl::StrAppend(&lines, document.file, ":", at.line, ":", at.column, ": ", error.field, ": ",
                      error.message, "\n");
    }
  }
  return lines;
}

TEST(BadManifests, Law7AreRefusedWhereAndWhy) {
  const std::vector<BadManifest> cases = ReadTable();
  EXPECT_GE(cases.size(), 100u);
  for (const BadManifest& each : cases) {
    ASSERT_FALSE(each.errors.empty()) << each.name;
    EXPECT_EQ(ErrorsOf(each.text), each.errors) << each.name;
  }
}

TEST(BadManifests, AGoodOneIsNotRefused) {
  EXPECT_EQ(ErrorsOf(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app.kubernetes.io/name: web}}
spec:
  replicas: 3
  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 50%}}
  template:
    metadata: {labels: {app: web, tier: ""}}
    spec:
      nodeSelector: {disk: ssd}
      tolerations: [{operator: Exists}, {key: a, value: b, effect: NoExecute, tolerationSeconds: 5}]
      hostAliases: [{ip: "::1", hostnames: [db.local]}]
      dnsPolicy: None
      dnsConfig: {nameservers: [1.1.1.1], searches: [a.b.], options: [{name: ndots, value: "2"}]}
      containers:
      - name: main
        image: registry.example.com:5000/team/app-1:v1.2_3
        command: [server, ""]
        workingDir: /srv
        ports: [{name: http, containerPort: 80, hostPort: 80}, {containerPort: 53, protocol: UDP}]
        env:
        - {name: A.B-c_1, value: ""}
        - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['a/b']"}}}
        - {name: KEY, valueFrom: {secretKeyRef: {name: s, key: .k}}}
        envFrom: [{prefix: P_, configMapRef: {name: c}}]
        resources: {limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 500m}}
)"),
            "");
}

}  // namespace
}  // namespace cluster
