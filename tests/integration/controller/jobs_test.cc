// Jobs on a real controller, with nodes that do as they are told.
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "proto/schema/kinds.h"
#include "tests/integration/controller/support/test_cluster.h"

namespace cluster::controller {
namespace {

class Jobs : public testing::TestWithParam<Backend> {
 protected:
  using Objects = std::map<std::string, v1::Object>;

  void SetUp() override { AttachNode(); }
  void AttachNode() {
    node_ = cluster_.MakeNode("node1");
    const grpc::Status attached = node_->Attach();
    ASSERT_TRUE(attached.ok()) << attached.error_message();
    ASSERT_TRUE(cluster_.WaitForNode("node1", true));
  }
  static v1::Object Work(int completions, int parallelism) {
    v1::Object job = NewObject(*FindKind("Job"));
    MutableMeta(&job)->set_name("work");
    v1::JobSpec* spec = job.mutable_job()->mutable_spec();
    spec->set_completions(completions);
    spec->set_parallelism(parallelism);
    *spec->mutable_template_()->mutable_spec() = MakePod("x").pod().spec();
    spec->mutable_template_()->mutable_spec()->set_restart_policy(v1::RESTART_POLICY_NEVER);
    return job;
  }
  bool WaitForPods(int running) {
    return cluster_.WaitFor("Pod", [running](const Objects& pods) {
      int count = 0;
      for (const auto& [key, pod] : pods) count += IsAvailable(pod.pod()) ? 1 : 0;
      return count == running;
    });
  }
  bool WaitForJob(const std::function<bool(const v1::Job&)>& condition) {
    return cluster_.WaitFor("Job", [&](const Objects& jobs) {
      const auto found = jobs.find("jobs/default/work");
      return found != jobs.end() && condition(found->second.job());
    });
  }
  // The node says that the pod has ended.
  void End(const v1::Object& pod, v1::PodPhase phase) {
    v1::PodStatusUpdate update;
    update.set_uid(Meta(pod).uid());
    update.set_namespace_("default");
    update.set_name(Meta(pod).name());
    update.set_sequence(1'000'000);
    *update.mutable_status() = pod.pod().status();
    update.mutable_status()->set_phase(phase);
    node_->SendStatus(update);
  }

  TestCluster cluster_{GetParam()};
  std::unique_ptr<FakeNode> node_;
};
INSTANTIATE_TEST_SUITE_P(Stores, Jobs, testing::Values(Backend::kMemory, Backend::kSqlite),
                         [](const auto& each) {
                           return each.param == Backend::kMemory ? "Memory" : "Sqlite";
                         });

TEST_P(Jobs, Behaviour44AJobRunsToItsEnd) {
  ASSERT_TRUE(cluster_.Apply({Work(4, 2)}).ok());
  std::set<std::string> ended;
  // One after another: those that run together need not end, or be followed, together.
  while (ended.size() < 4) {
    v1::Object next;
    ASSERT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& pods) {
      for (const auto& [key, pod] : pods) {
        if (IsAvailable(pod.pod()) && !ended.contains(Meta(pod).uid())) next = pod;
      }
      return next.has_pod();
    }));
    ended.insert(Meta(next).uid());
    End(next, v1::POD_PHASE_SUCCEEDED);
  }
  ASSERT_TRUE(WaitForJob([](const v1::Job& job) { return job.status().has_completion_time(); }));
  v1::Object job;
  ASSERT_TRUE(cluster_.Get("Job", "work", &job).ok());
  EXPECT_EQ(job.job().status().succeeded(), 4);
  EXPECT_EQ(cluster_.List("Pod").size(), 4u);
  for (const v1::Object& pod : cluster_.List("Pod")) EXPECT_TRUE(Meta(pod).finalizers().empty());
}

TEST_P(Jobs, Behaviour45ADeletedPodIsCountedAndGoes) {
  ASSERT_TRUE(cluster_.Apply({Work(1, 1)}).ok());
  ASSERT_TRUE(WaitForPods(1));
  const std::string first = Meta(cluster_.List("Pod")[0]).name();
  ASSERT_TRUE(cluster_.Delete("Pod", first).ok());
  ASSERT_TRUE(WaitForJob([](const v1::Job& job) { return job.status().failed() == 1; }));
  EXPECT_TRUE(cluster_.WaitFor("Pod", [&](const Objects& pods) {
    return pods.size() == 1 && !pods.contains("pods/default/" + first);
  })) << "the node says once more that it is gone";
}

TEST_P(Jobs, Behaviour45DeletingTheJobEndsItsPods) {
  ASSERT_TRUE(cluster_.Apply({Work(3, 3)}).ok());
  ASSERT_TRUE(WaitForPods(3));
  ASSERT_TRUE(cluster_.Delete("Job", "work").ok());
  EXPECT_TRUE(cluster_.WaitFor("Pod", [](const Objects& pods) { return pods.empty(); }));
}

TEST_P(Jobs, ApplyingTheSameManifestAgainChangesNothing) {
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({Work(3, 1)}, &response).ok());
  const v1::JobSpec& spec = response.results(0).object().job().spec();
  EXPECT_EQ(spec.selector().match_labels().at("batch.kubernetes.io/controller-uid"),
            Meta(response.results(0).object()).uid());
  response.Clear();
  ASSERT_TRUE(cluster_.Apply({Work(3, 1)}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_UNCHANGED);
  const grpc::Status refused = cluster_.Apply({Work(4, 1)});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_P(Jobs, Behaviour44EndsAreCountedOnceOverARestartOfTheController) {
  if (GetParam() == Backend::kMemory) return;  // its store does not outlive the controller
  ASSERT_TRUE(cluster_.Apply({Work(2, 2)}).ok());
  ASSERT_TRUE(WaitForPods(2));
  const v1::Object first = cluster_.List("Pod")[0];
  End(first, v1::POD_PHASE_SUCCEEDED);
  ASSERT_TRUE(node_->WaitFor(
      [](const FakeNode& node) { return node.status_acked() == node.batches_sent(); }));
  cluster_.Restart();
  ASSERT_TRUE(WaitForJob([](const v1::Job& job) { return job.status().succeeded() == 1; }));
  cluster_.Restart();
  v1::Object job;
  ASSERT_TRUE(cluster_.Get("Job", "work", &job).ok());
  EXPECT_EQ(job.job().status().succeeded(), 1);
}

// ---- what a namespace may hold ----

class Policies : public testing::Test {
 protected:
  static v1::Object QuotaOfPods(const std::string& pods) {
    v1::Object quota = NewObject(*FindKind("ResourceQuota"));
    MutableMeta(&quota)->set_name("q");
    (*quota.mutable_resource_quota()->mutable_spec()->mutable_hard())["pods"] = pods;
    return quota;
  }
  std::string Used() {
    v1::Object quota;
    EXPECT_TRUE(cluster_.Get("ResourceQuota", "q", &quota).ok());
    const auto& used = quota.resource_quota().status().used();
    return used.contains("pods") ? used.at("pods") : "";
  }

  TestCluster cluster_;
};

TEST_F(Policies, Behaviour56ACreateOverQuotaIsRefusedAndCountsFollowTheObjects) {
  ASSERT_TRUE(cluster_.Apply({QuotaOfPods("1")}).ok());
  ASSERT_TRUE(cluster_.Apply({MakePod("a")}).ok());
  EXPECT_EQ(Used(), "1") << "with the pod itself";
  const grpc::Status refused = cluster_.Apply({MakePod("b")});
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(refused.error_message(),
            "pods \"b\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: "
            "pods=1");
  ASSERT_TRUE(cluster_.Delete("Pod", "a").ok());
  EXPECT_TRUE(cluster_.WaitFor("ResourceQuota", [](const auto& quotas) {
    const auto& status = quotas.at("resourcequotas/default/q").resource_quota().status();
    return status.used().contains("pods") && status.used().at("pods") == "0";
  }));
  EXPECT_TRUE(cluster_.Apply({MakePod("b")}).ok());
}

TEST_F(Policies, Behaviour56OfManyCreatesAtOnceOnlyTheAllowedAreDone) {
  ASSERT_TRUE(cluster_.Apply({QuotaOfPods("3")}).ok());
  std::vector<std::thread> users;
  std::atomic<int> done = 0;
  for (int i = 0; i < 8; ++i) {
    users.emplace_back([this, i, &done] {
      if (cluster_.Apply({MakePod(absl::StrCat("p", i))}).ok()) ++done;
    });
  }
  for (std::thread& user : users) user.join();
  EXPECT_LE(done, 3);
  EXPECT_GE(done, 1);
  EXPECT_EQ(cluster_.List("Pod").size(), static_cast<size_t>(done));
}

TEST_F(Policies, Behaviour55APodGetsTheNamespacesDefaultsOrIsRefused) {
  v1::Object range = NewObject(*FindKind("LimitRange"));
  MutableMeta(&range)->set_name("limits");
  v1::LimitRangeItem* item = range.mutable_limit_range()->mutable_spec()->add_limits();
  item->set_type(v1::LIMIT_TYPE_CONTAINER);
  (*item->mutable_max())["cpu"] = "1";
  (*item->mutable_default_request())["cpu"] = "100m";
  ASSERT_TRUE(cluster_.Apply({range}).ok());
  v1::ApplyResponse response;
  ASSERT_TRUE(cluster_.Apply({MakePod("a")}, &response).ok());
  const auto& resources = response.results(0).object().pod().spec().containers(0).resources();
  EXPECT_EQ(resources.limits().at("cpu"), "1");
  EXPECT_EQ(resources.requests().at("cpu"), "100m");
  response.Clear();
  ASSERT_TRUE(cluster_.Apply({MakePod("a")}, &response).ok());
  EXPECT_EQ(response.results(0).outcome(), v1::APPLY_OUTCOME_UNCHANGED);
  v1::Object big = MakePod("b");
  v1::Container* container = big.mutable_pod()->mutable_spec()->mutable_containers(0);
  (*container->mutable_resources()->mutable_limits())["cpu"] = "2";
  const grpc::Status refused = cluster_.Apply({big});
  EXPECT_EQ(refused.error_message(),
            "pods \"b\" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, "
            "maximum cpu usage per Container is 1, but request is 2]");
}

}  // namespace
}  // namespace cluster::controller
