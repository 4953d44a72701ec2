#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "controller/object/object_fields.h"
#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

class Api : public testing::TestWithParam<Backend> {
 protected:
  TestCluster cluster_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Stores, Api, testing::Values(Backend::kMemory, Backend::kSqlite),
                         [](const auto& each) {
                           return each.param == Backend::kMemory ? "Memory" : "Sqlite";
                         });

TEST_P(Api, ApplyCreatesThenLeavesUnchangedThenConfigures) {
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Build()}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_CREATED);
  const v1::ObjectMeta created = Meta(response.results(0).object());
  EXPECT_EQ(created.generation(), 1);
  EXPECT_EQ(created.uid().size(), 36u);
  EXPECT_EQ(created.namespace_(), "default");
  EXPECT_TRUE(created.has_creation_timestamp());

  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Build()}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_UNCHANGED);

  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Image("app:2").Build()}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_CONFIGURED);
  EXPECT_EQ(Meta(response.results(0).object()).generation(), 2);
  EXPECT_EQ(Meta(response.results(0).object()).uid(), created.uid());
}

TEST_P(Api, ApplyOfSeveralChangesNothingWhenOneIsBad) {
  v1::Object bad = MakeConfigMap("Not_A_Name", "k", "v");
  const grpc::Status status = cluster_.Apply({MakeConfigMap("good", "k", "v"), bad});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  v1::Violations violations;
  ASSERT_TRUE(violations.ParseFromString(status.error_details()));
  ASSERT_GE(violations.violations_size(), 1);
  EXPECT_EQ(violations.violations(0).object(), 1);
  EXPECT_EQ(violations.violations(0).field(), "metadata.name");
  v1::Object object;
  EXPECT_EQ(cluster_.Get("ConfigMap", "good", &object).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(Api, ApplyRefusesTheSameObjectTwice) {
  const grpc::Status status =
      cluster_.Apply({MakeConfigMap("a", "k", "1"), MakeConfigMap("a", "k", "2")});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("twice"), std::string::npos);
}

TEST_P(Api, ApplyNeedsItsNamespace) {
  v1::Object object = MakeConfigMap("a", "k", "1");
  MutableMeta(&object)->set_namespace_("team");
  EXPECT_EQ(cluster_.Apply({object}).error_code(), grpc::StatusCode::NOT_FOUND);
  // In one request with its namespace it is fine.
  EXPECT_TRUE(cluster_.Apply({object, MakeNamespace("team")}).ok());
}

TEST_P(Api, ApplyWithResourceVersionWorksOnceOnly) {
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({MakeConfigMap("a", "k", "1")}, &response).ok());
  v1::Object seen = response.results(0).object();
  (*seen.mutable_config_map()->mutable_data())["k"] = "2";
  ASSERT_TRUE(cluster_.Apply({seen}).ok());
  (*seen.mutable_config_map()->mutable_data())["k"] = "3";
  EXPECT_EQ(cluster_.Apply({seen}).error_code(), grpc::StatusCode::ABORTED);
}

TEST_P(Api, ApplyWithTheSameWriteIdIsAppliedOnce) {
  const std::string id = RandomId();
  v1::Object object = MakeConfigMap("", "k", "1");
  MutableMeta(&object)->clear_name();
  MutableMeta(&object)->set_generate_name("made-");
  v1::ApplyResponse first;
  v1::ApplyResponse second;
  ASSERT_TRUE(cluster_.Apply({object}, &first, id).ok());
  ASSERT_TRUE(cluster_.Apply({object}, &second, id).ok());
  EXPECT_EQ(Meta(first.results(0).object()).name(), Meta(second.results(0).object()).name());
  EXPECT_EQ(Meta(first.results(0).object()).uid(), Meta(second.results(0).object()).uid());
  EXPECT_EQ(cluster_.List("ConfigMap").size(), 1u);
}

TEST_P(Api, Behaviour76_DryRunChecksAndWritesNothing) {
  grpc::ClientContext context;
  v1::ApplyRequest request;
  *request.add_objects() = MakeConfigMap("a", "k", "1");
  request.set_dry_run(true);
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.api()->Apply(&context, request, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_CREATED);
  EXPECT_TRUE(cluster_.List("ConfigMap").empty());
  grpc::ClientContext again;
  MutableMeta(request.mutable_objects(0))->set_name("No Name");
  const grpc::Status refused = cluster_.api()->Apply(&again, request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << refused.error_message();
}

TEST_P(Api, ApplyWithoutReplicasKeepsWhatScaleHasSet) {
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(1).Build()}).ok());
  grpc::ClientContext context;
  v1::ScaleRequest request;
  request.set_kind("Deployment");
  request.set_name("web");
  request.set_replicas(4);
  v1::ScaleResponse scaled;
  ASSERT_TRUE(cluster_.api()->Scale(&context, request, &scaled).ok());
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Build()}, &response).ok());
  EXPECT_EQ(response.results(0).object().deployment().spec().replicas(), 4);
}

TEST_P(Api, ScaleChecksWhatIsThere) {
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(1).Build()}).ok());
  grpc::ClientContext context;
  v1::ScaleRequest request;
  request.set_kind("deploy");
  request.set_name("web");
  request.set_replicas(4);
  request.set_current_replicas(3);
  v1::ScaleResponse response;
  EXPECT_EQ(cluster_.api()->Scale(&context, request, &response).error_code(),
            grpc::StatusCode::ABORTED);
}

// Behaviour80: every object exactly once, whatever changes in between.
TEST_P(Api, Behaviour80_ListInChunksGivesEveryObjectExactlyOnce) {
  std::vector<v1::Object> objects;
  for (int i = 0; i < 25; ++i) objects.push_back(MakeConfigMap(absl::StrCat("c", i), "k", "v"));
  ASSERT_TRUE(cluster_.Apply(objects).ok());
  std::map<std::string, int> seen;
  std::string token;
  int64_t revision = 0;
  do {
    grpc::ClientContext context;
    v1::ListRequest request;
    request.set_kind("ConfigMap");
    request.set_limit(10);
    request.set_continue_token(token);
    v1::ListResponse response;
    const grpc::Status status = cluster_.api()->List(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    if (revision == 0) revision = response.revision();
    EXPECT_EQ(response.revision(), revision);
    for (const v1::Object& object : response.objects()) ++seen[Meta(object).name()];
    token = response.continue_token();
    // New objects and deletions do not disturb the pages.
    ASSERT_TRUE(cluster_.Apply({MakeConfigMap(absl::StrCat("a", seen.size()), "k", "v")}).ok());
    ASSERT_TRUE(cluster_.Delete("ConfigMap", "c9").ok() || token.empty() || seen.size() > 10);
  } while (!token.empty());
  EXPECT_EQ(seen.size(), 25u);
  for (const auto& [name, count] : seen) EXPECT_EQ(count, 1) << name;
}

TEST_P(Api, ListSelectsByLabelsAndFields) {
  v1::Object labelled = MakeConfigMap("a", "k", "v");
  (*MutableMeta(&labelled)->mutable_labels())["tier"] = "web";
  ASSERT_TRUE(cluster_.Apply({labelled, MakeConfigMap("b", "k", "v")}).ok());
  EXPECT_EQ(cluster_.List("ConfigMap", "tier=web").size(), 1u);
  EXPECT_EQ(cluster_.List("ConfigMap", "tier!=web").size(), 1u);
  EXPECT_EQ(cluster_.List("ConfigMap", "", "metadata.name=b").size(), 1u);
}

TEST_P(Api, ApplyHasLimits) {
  std::vector<v1::Object> many;
  for (int i = 0; i < 1001; ++i) many.push_back(MakeConfigMap(absl::StrCat("c", i), "k", "v"));
  EXPECT_EQ(cluster_.Apply(many).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  many.pop_back();
  EXPECT_TRUE(cluster_.Apply(many).ok());
  const v1::Object large = MakeConfigMap("large", "k", std::string(2 << 20, 'x'));
  const grpc::Status status = cluster_.Apply({large});
  EXPECT_FALSE(status.ok());
  v1::Object object;
  EXPECT_EQ(cluster_.Get("ConfigMap", "large", &object).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_P(Api, WritersOfOneObjectDoNotLoseEachOther) {
  ASSERT_TRUE(cluster_.Apply({DeploymentBuilder("web").Replicas(0).Build()}).ok());
  constexpr int kWriters = 8;
  std::vector<std::thread> writers;
  std::atomic<int> created = 0;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      v1::ApplyResponse response;
      // All create the same one and each its own.
      EXPECT_TRUE(cluster_
                      .Apply({MakeConfigMap("shared", "k", "v"),
                              MakeConfigMap(absl::StrCat("own", w), "k", "v")},
                             &response)
                      .ok());
      if (response.results(0).outcome() == v1::APPLY_OUTCOME_CREATED) ++created;
      EXPECT_EQ(response.results(1).outcome(), v1::APPLY_OUTCOME_CREATED);
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(cluster_.List("ConfigMap").size(), 1u + kWriters);
}

TEST_P(Api, AnUnknownKindIsSaidSo) {
  v1::Object object;
  const grpc::Status status = cluster_.Get("Widget", "a", &object);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("Widget"), std::string::npos);
}

TEST_P(Api, DeleteHonoursTheUid) {
  ASSERT_TRUE(cluster_.Apply({MakeConfigMap("a", "k", "v")}).ok());
  grpc::ClientContext context;
  v1::DeleteRequest request;
  request.set_kind("ConfigMap");
  request.set_name("a");
  request.set_uid("00000000-0000-4000-8000-000000000000");
  v1::DeleteResponse response;
  EXPECT_EQ(cluster_.api()->Delete(&context, request, &response).error_code(),
            grpc::StatusCode::ABORTED);
  EXPECT_EQ(cluster_.List("ConfigMap").size(), 1u);
}

TEST_P(Api, DeleteOfAnUnboundPodIsAtOnce) {
  ASSERT_TRUE(cluster_.Apply({MakePod("lonely")}).ok());
  ASSERT_TRUE(cluster_.Delete("Pod", "lonely").ok());
  EXPECT_TRUE(cluster_.List("Pod").empty());
}

TEST_P(Api, DeletingANamespaceEmptiesItFirst) {
  v1::Object object = MakeConfigMap("a", "k", "1");
  MutableMeta(&object)->set_namespace_("team");
  ASSERT_TRUE(cluster_.Apply({MakeNamespace("team"), object}).ok());
  ASSERT_TRUE(cluster_.Delete("Namespace", "team").ok());
  EXPECT_TRUE(cluster_.WaitFor(
      "Namespace", [](const auto& objects) { return !objects.contains("namespaces/team"); }));
  EXPECT_TRUE(cluster_.List("ConfigMap").empty());
  EXPECT_EQ(cluster_.Delete("Namespace", "default").error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
}

// Law 10: a pod that waits says why.
TEST_P(Api, Law10_EveryPendingPodSaysWhy) {
  ASSERT_TRUE(cluster_.Apply({MakePod("lonely")}).ok());
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const auto& objects) {
    const auto found = objects.find("pods/default/lonely");
    if (found == objects.end()) return false;
    for (const v1::Condition& condition : found->second.pod().status().conditions()) {
      if (condition.type() == "PodScheduled" && condition.status() == v1::CONDITION_STATUS_FALSE) {
        return !condition.message().empty() && !condition.reason().empty() &&
               condition.has_last_transition_time();
      }
    }
    return false;
  }));
}

TEST(ApiOverAFullStore, AppliesAreRefusedAndNothingIsHalfDone) {
  TestCluster cluster(Backend::kMemory);
  cluster.memory()->SetFaults([](const store::Txn&) { return store::Fault::kNoSpace; });
  const grpc::Status status =
      cluster.Apply({MakeConfigMap("a", "k", "1"), MakeConfigMap("b", "k", "1")});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message().rfind("the store is full", 0), 0u) << status.error_message();
  EXPECT_TRUE(cluster.List("ConfigMap").empty());
  cluster.memory()->SetFaults(nullptr);
  EXPECT_TRUE(cluster.Apply({MakeConfigMap("a", "k", "1")}).ok());
}

TEST(ApiOverAnUnsureStore, AnUnknownOutcomeIsSettledByTheWriteId) {
  TestCluster cluster(Backend::kMemory);
  int faults = 2;
  cluster.memory()->SetFaults([&faults](const store::Txn& txn) {
    const bool mine = !txn.ops.empty() && txn.ops[0].key == "configmaps/default/a";
    if (!mine || faults-- <= 0) return store::Fault::kNone;
    return faults == 1 ? store::Fault::kUnknownLost : store::Fault::kUnknownApplied;
  });
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster.Apply({MakeConfigMap("a", "k", "1")}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_CREATED);
  EXPECT_EQ(cluster.List("ConfigMap").size(), 1u);
}

}  // namespace
}  // namespace cluster::controller
