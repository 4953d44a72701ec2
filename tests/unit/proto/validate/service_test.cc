// Services: what they leave out, what may change of them, and manifests of the world.
#include <algorithm>
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "proto/schema/reader.h"
#include "proto/validate/validate.h"
#include "tests/domain/shared_manifests.h"

namespace cluster {
namespace {

v1::Object ReadService(const std::string& spec) {
  ReadResult result = ReadManifests(
      absl::StrCat("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: ", spec), "s.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  if (result.documents.empty()) return {};
  v1::Object object = result.documents[0].object;
  SetDefaults(&object);
  v1::Object again = object;
  SetDefaults(&again);
  EXPECT_EQ(again.ShortDebugString(), object.ShortDebugString()) << "not idempotent";
  return object;
}

v1::ServiceSpec ServiceSpecOf(const std::string& spec) {
  return ReadService(spec).service().spec();
}

std::string Joined(const std::vector<FieldError>& errors) {
  std::string text;
  for (const FieldError& error : errors) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", error.field, ": ", error.message);
  }
  return text;
}

std::string ServiceFaults(const std::string& spec) { return Joined(Validate(ReadService(spec))); }

std::string ServiceRefusal(const std::string& before, const std::string& after) {
  return Joined(ValidateUpdate(ReadService(before), ReadService(after)));
}

TEST(Service, WhatItLeavesOut) {
  const v1::ServiceSpec spec =
      ServiceSpecOf("{ports: [{port: 80}, {name: b, port: 53, protocol: UDP}]}");
  EXPECT_EQ(spec.type(), v1::SERVICE_TYPE_CLUSTER_IP);
  EXPECT_EQ(spec.session_affinity(), v1::SESSION_AFFINITY_NONE);
  EXPECT_FALSE(spec.has_session_affinity_config());
  EXPECT_EQ(spec.ports(0).protocol(), v1::PROTOCOL_TCP);
  EXPECT_EQ(spec.ports(0).target_port(), "80");
  EXPECT_EQ(spec.ports(1).protocol(), v1::PROTOCOL_UDP);
  EXPECT_EQ(spec.internal_traffic_policy(), v1::SERVICE_TRAFFIC_POLICY_CLUSTER);
  EXPECT_EQ(spec.external_traffic_policy(), v1::SERVICE_TRAFFIC_POLICY_UNSPECIFIED);
  EXPECT_EQ(spec.ip_families_size(), 1);
  EXPECT_EQ(spec.ip_families(0), "IPv4");
  EXPECT_EQ(spec.ip_family_policy(), "SingleStack");
  EXPECT_EQ(spec.cluster_ips_size(), 0) << "the controller chooses";
}

TEST(Service, WhatItLeavesOutByType) {
  for (const char* type : {"NodePort", "LoadBalancer"}) {
    EXPECT_EQ(ServiceSpecOf(absl::StrCat("{type: ", type, ", ports: [{port: 80}]}"))
                  .external_traffic_policy(),
              v1::SERVICE_TRAFFIC_POLICY_CLUSTER);
  }
  const v1::ServiceSpec sticky = ServiceSpecOf("{sessionAffinity: ClientIP, ports: [{port: 80}]}");
  EXPECT_EQ(sticky.session_affinity_config().client_ip().timeout_seconds(), 10800);
  const v1::ServiceSpec headless = ServiceSpecOf("{clusterIP: None}");
  ASSERT_EQ(headless.cluster_ips_size(), 1);
  EXPECT_EQ(headless.cluster_ips(0), "None");
  const v1::ServiceSpec name = ServiceSpecOf("{type: ExternalName, externalName: a.example}");
  EXPECT_EQ(name.ip_families_size(), 0);
  EXPECT_EQ(name.ip_family_policy(), "");
  EXPECT_EQ(name.internal_traffic_policy(), v1::SERVICE_TRAFFIC_POLICY_UNSPECIFIED);
}

TEST(Service, WhatMayBe) {
  EXPECT_EQ(ServiceFaults("{ports: [{port: 80}]}"), "");
  EXPECT_EQ(ServiceFaults("{clusterIP: None, selector: {app: db}}"), "");
  EXPECT_EQ(ServiceFaults("{clusterIP: 10.60.0.5, clusterIPs: [10.60.0.5], ports: [{port: 80}]}"),
            "");
  EXPECT_EQ(ServiceFaults("{type: ExternalName, externalName: db.example.com.}"), "");
  EXPECT_EQ(
      ServiceFaults("{ipFamilyPolicy: PreferDualStack, ports: [{port: 80, targetPort: http}]}"),
      "");
  EXPECT_EQ(
      ServiceFaults("{type: LoadBalancer, externalTrafficPolicy: Local, sessionAffinity: ClientIP, "
                    "ports: [{port: 80, nodePort: 31000, appProtocol: kubernetes.io/h2c}]}"),
      "");
}

TEST(Service, Behaviour62_OnePortNumberServesTwoProtocols) {
  EXPECT_EQ(
      ServiceFaults("{type: NodePort, ports: [{name: t, port: 53, nodePort: 30053}, {name: u, "
                    "port: 53, nodePort: 30053, protocol: UDP}]}"),
      "");
}

TEST(Service, ItsAddressStaysWhileItsTypeHasOne) {
  const std::string old = "{clusterIP: 10.60.0.5, ports: [{port: 80}]}";
  const std::string refusal =
      "spec.clusterIP: this cannot change, it is 10.60.0.5; leave it out to keep it, or delete the "
      "service and create it anew";
  EXPECT_EQ(ServiceRefusal(old, old), "");
  EXPECT_EQ(ServiceRefusal(old, "{clusterIP: 10.60.0.5, type: NodePort, ports: [{port: 81}]}"), "");
  EXPECT_EQ(ServiceRefusal(old, "{clusterIP: 10.60.0.6, ports: [{port: 80}]}"), refusal);
  EXPECT_EQ(ServiceRefusal(old, "{clusterIP: None, ports: [{port: 80}]}"), refusal);
}

TEST(Service, Behaviour61_AnotherNameOfTheWorldGivesTheAddressUpAndTakesOne) {
  const std::string with = "{clusterIP: 10.60.0.5, ports: [{port: 80}]}";
  const std::string name = "{type: ExternalName, externalName: a.example}";
  EXPECT_EQ(ServiceRefusal(with, name), "");
  EXPECT_EQ(ServiceRefusal(name, with), "");
}

// Real manifests of public projects, where they lie beside the tree.
TEST(Service, SharedManifestsApplyUnchanged) {
  const auto folder = domain::SharedManifests();
  if (folder.empty()) {
    GTEST_SKIP() << domain::kNoSharedManifests;
  }
  int services = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto text = ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok()) << text.status();
    const ReadResult result = ReadManifests(*text, entry.path().filename().string());
    int here = 0;
    for (const Document& document : result.documents) {
      if (!document.object.has_service()) continue;
      ++here;
      v1::Object object = document.object;
      SetDefaults(&object);
      EXPECT_EQ(Joined(Validate(object)), "") << entry.path();
    }
    int written = 0;
    for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
      written += line == "kind: Service" ? 1 : 0;
    }
    EXPECT_EQ(here, written) << entry.path();
    services += here;
  }
  EXPECT_GT(services, 0);
}

}  // namespace
}  // namespace cluster
