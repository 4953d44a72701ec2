// Services over the whole API: what they get, keep and give back.
#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "proto/schema/kinds.h"
#include "proto/schema/reader.h"
#include "tests/domain/shared_manifests.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

using testing::HasSubstr;

v1::Object MakeService(const std::string& name, const std::string& spec) {
  const ReadResult result = ReadManifests(
      absl::StrCat("apiVersion: v1\nkind: Service\nmetadata: {name: ", name, "}\nspec: ", spec),
      "s.yaml");
  EXPECT_TRUE(result.ok()) << ToStatus(result.errors);
  return result.documents.at(0).object;
}

class Services : public testing::TestWithParam<Backend> {
 protected:
  // As the answer shows it.
  v1::ServiceSpec Applied(const std::string& name, const std::string& spec,
                          v1::ApplyOutcome outcome) {
    v1::ApplyResponse response;
    const grpc::Status status = cluster_.Apply({MakeService(name, spec)}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) return {};
    EXPECT_EQ(response.results(0).outcome(), outcome);
    return response.results(0).object().service().spec();
  }

  // "field: message" of the one thing that is wrong; "" when nothing is.
  std::string Refusal(const std::string& name, const std::string& spec) {
    const grpc::Status status = cluster_.Apply({MakeService(name, spec)});
    v1::Violations violations;
    if (!violations.ParseFromString(status.error_details()) || violations.violations().empty()) {
      return status.error_message();
    }
    return absl::StrCat(violations.violations(0).field(), ": ", violations.violations(0).message());
  }

  TestCluster cluster_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Stores, Services, testing::Values(Backend::kMemory, Backend::kSqlite),
                         [](const auto& each) {
                           return each.param == Backend::kMemory ? "Memory" : "Sqlite";
                         });

TEST_P(Services, ApplyAnswersWithWhatWasChosenAndKeepsIt) {
  const std::string manifest = "{type: NodePort, selector: {app: web}, ports: [{port: 80}]}";
  const v1::ServiceSpec made = Applied("web", manifest, v1::APPLY_OUTCOME_CREATED);
  EXPECT_THAT(made.cluster_ip(), testing::StartsWith("10.60."));
  EXPECT_GE(made.ports(0).node_port(), 30000);
  EXPECT_LE(made.ports(0).node_port(), 32767);
  const v1::ServiceSpec again = Applied("web", manifest, v1::APPLY_OUTCOME_UNCHANGED);
  EXPECT_EQ(again.cluster_ip(), made.cluster_ip());
  v1::Object stored;
  ASSERT_TRUE(cluster_.Get("svc", "web", &stored).ok());
  EXPECT_EQ(stored.service().spec().SerializeAsString(), again.SerializeAsString());
  EXPECT_EQ(Meta(stored).generation(), 1);
  const v1::ServiceSpec more =
      Applied("web",
              "{type: NodePort, selector: {app: web}, ports: [{name: a, port: 80}, {name: "
              "b, port: 81}]}",
              v1::APPLY_OUTCOME_CONFIGURED);
  EXPECT_EQ(more.cluster_ip(), made.cluster_ip());
  EXPECT_EQ(more.ports(0).node_port(), made.ports(0).node_port());
  EXPECT_NE(more.ports(1).node_port(), more.ports(0).node_port());
}

TEST_P(Services, Behaviour61_ChangingTheTypeBackAndForthTakesAndFrees) {
  const std::string plain = "{ports: [{port: 80}]}";
  const std::string address = Applied("web", plain, v1::APPLY_OUTCOME_CREATED).cluster_ip();
  const int port = Applied("web", "{type: NodePort, ports: [{port: 80, nodePort: 30080}]}",
                           v1::APPLY_OUTCOME_CONFIGURED)
                       .ports(0)
                       .node_port();
  EXPECT_EQ(port, 30080);
  const std::string same_port = "{type: NodePort, ports: [{port: 80, nodePort: 30080}]}";
  EXPECT_EQ(Refusal("other", same_port),
            "spec.ports[0].nodePort: TCP port 30080 of the nodes belongs to service/web in "
            "namespace default; leave it out to get a free one");
  EXPECT_EQ(Applied("web", plain, v1::APPLY_OUTCOME_CONFIGURED).ports(0).node_port(), 0);
  EXPECT_EQ(Refusal("other", same_port), "") << "given back";

  const std::string same_address = absl::StrCat("{clusterIP: ", address, ", ports: [{port: 80}]}");
  EXPECT_THAT(Refusal("third", same_address), HasSubstr("belongs to service/web"));
  const v1::ServiceSpec name =
      Applied("web", "{type: ExternalName, externalName: a.example}", v1::APPLY_OUTCOME_CONFIGURED);
  EXPECT_EQ(name.cluster_ip(), "");
  EXPECT_EQ(Refusal("third", same_address), "") << "given back";
  const std::string anew = Applied("web", plain, v1::APPLY_OUTCOME_CONFIGURED).cluster_ip();
  EXPECT_NE(anew, "");
  EXPECT_NE(anew, address) << "the third has it";
}

TEST_P(Services, TheAddressOfOneThatIsDeletedIsFree) {
  const std::string spec = "{clusterIP: 10.60.0.10, ports: [{port: 80}]}";
  EXPECT_EQ(Refusal("a", spec), "");
  EXPECT_EQ(Refusal("b", spec),
            "spec.clusterIP: 10.60.0.10 belongs to service/a in namespace default; leave it out to "
            "get a free address");
  ASSERT_TRUE(cluster_.Delete("Service", "a").ok());
  EXPECT_EQ(Refusal("b", spec), "");
  EXPECT_THAT(Refusal("b", "{clusterIP: 10.60.0.11, ports: [{port: 80}]}"),
              HasSubstr("spec.clusterIP: this cannot change, it is 10.60.0.10"));
}

TEST_P(Services, Law9OfManyThatWantOneAddressAtOnceOneGetsIt) {
  constexpr int kWriters = 16;
  std::vector<std::thread> writers;
  std::atomic<int> made = 0;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      const std::string refusal =
          Refusal(absl::StrCat("s", w),
                  "{clusterIP: 10.60.0.10, type: NodePort, ports: [{port: 80, nodePort: 30080}]}");
      if (refusal.empty()) {
        ++made;
      } else {
        EXPECT_THAT(refusal, HasSubstr("10.60.0.10 belongs to service/s"));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(made, 1);
  EXPECT_EQ(cluster_.List("Service").size(), 1u);
}

TEST_P(Services, Law9ManyAtOnceEachHaveTheirOwn) {
  constexpr int kWriters = 8;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      std::vector<v1::Object> objects;
      for (int i = 0; i < 25; ++i) {
        objects.push_back(
            MakeService(absl::StrCat("s", w, "-", i), "{type: NodePort, ports: [{port: 80}]}"));
      }
      const grpc::Status status = cluster_.Apply(objects);
      EXPECT_TRUE(status.ok()) << status.error_message();
    });
  }
  for (std::thread& writer : writers) writer.join();
  std::set<std::string> addresses;
  std::set<int> ports;
  for (const v1::Object& object : cluster_.List("Service")) {
    addresses.insert(object.service().spec().cluster_ip());
    ports.insert(object.service().spec().ports(0).node_port());
  }
  EXPECT_EQ(addresses.size(), 25u * kWriters);
  EXPECT_EQ(ports.size(), 25u * kWriters);
}

TEST_P(Services, ADryRunHoldsNothing) {
  v1::ApplyRequest request;
  *request.add_objects() = MakeService("a", "{clusterIP: 10.60.0.10, ports: [{port: 80}]}");
  request.set_dry_run(true);
  grpc::ClientContext context;
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.api()->Apply(&context, request, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_CREATED);
  EXPECT_EQ(response.results(0).object().service().spec().cluster_ips(0), "10.60.0.10");
  EXPECT_EQ(Refusal("b", "{clusterIP: 10.60.0.10, ports: [{port: 80}]}"), "");
}

TEST_P(Services, APlanSaysWhatWouldChange) {
  Applied("web", "{ports: [{port: 80}]}", v1::APPLY_OUTCOME_CREATED);
  v1::PlanRequest request;
  *request.add_objects() = MakeService("web", "{ports: [{port: 80}]}");
  *request.add_objects() = MakeService("new", "{ports: [{port: 80}]}");
  v1::PlanResponse same;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(cluster_.api()->Plan(&context, request, &same).ok());
  }
  EXPECT_EQ(same.objects(0).outcome(), v1::APPLY_OUTCOME_UNCHANGED);
  EXPECT_EQ(same.objects(1).outcome(), v1::APPLY_OUTCOME_CREATED);
  request.clear_objects();
  *request.add_objects() = MakeService("web", "{ports: [{port: 81}]}");
  v1::PlanResponse other;
  grpc::ClientContext context;
  ASSERT_TRUE(cluster_.api()->Plan(&context, request, &other).ok());
  EXPECT_THAT(other.objects(0).changes(),
              testing::ElementsAre("spec.ports[0].port", "spec.ports[0].targetPort"));
}

TEST_P(Services, GoWithTheirNamespace) {
  v1::Object service = MakeService("web", "{ports: [{port: 80}]}");
  MutableMeta(&service)->set_namespace_("team");
  ASSERT_TRUE(cluster_.Apply({MakeNamespace("team"), service}).ok());
  ASSERT_TRUE(cluster_.Delete("Namespace", "team").ok());
  EXPECT_TRUE(cluster_.WaitFor("Namespace",
                               [](const auto& all) { return !all.contains("namespaces/team"); }));
  v1::Object object;
  EXPECT_EQ(cluster_.Get("Service", "web", &object, "team").error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_P(Services, SharedManifestsApplyUnchanged) {
  const auto folder = domain::SharedManifests();
  if (folder.empty()) {
    GTEST_SKIP() << domain::kNoSharedManifests;
  }
  std::vector<v1::Object> services;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto text = ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok()) << text.status();
    for (Document& document : ReadManifests(*text, entry.path().string()).documents) {
      if (document.object.has_service()) services.push_back(std::move(document.object));
    }
  }
  EXPECT_GT(services.size(), 0u);
  v1::ApplyResponse response;
  const grpc::Status status = cluster_.Apply(services, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_TRUE(cluster_.Apply(services, &response).ok());
  for (const v1::ApplyResult& result : response.results()) {
    EXPECT_EQ(result.outcome(), v1::APPLY_OUTCOME_UNCHANGED);
  }
}

TEST(ServiceRangesAtStart, OnesThatOverlapThePodsAreRefused) {
  ServerOptions options;
  options.service_cidr = "10.96.0.0/16";
  const auto server = Server::Start(store::MemoryStore::Make(), std::move(options));
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(std::string(server.status().message()),
            "--service-cidr 10.96.0.0/16 overlaps the range of pods, --cluster-cidr 10.64.0.0/10: "
            "choose another one");
}

}  // namespace
}  // namespace cluster::controller
