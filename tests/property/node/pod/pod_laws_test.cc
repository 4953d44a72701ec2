// Random lives of a pod: whatever happens in whatever order, the laws hold. A failure prints its
// seed.
#include <random>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "node/pod/decide.h"
#include "node/pod/status.h"
#include "tests/unit/node/pod/pod_bench.h"

namespace cluster::node {
namespace {

class PodLaws : public PodBench, public testing::WithParamInterface<int> {
 protected:
  // Everything that was ever reported is held against the laws.
  void CheckNewReports() {
    for (; checked_ < updates_.size(); ++checked_) {
      const v1::PodStatus& status = updates_[checked_].status();
      CheckPhase(status);
      for (const auto* list : {&status.container_statuses(), &status.init_container_statuses()}) {
        for (const v1::ContainerStatus& container : *list) CheckContainer(container);
      }
      if (IsTerminal(status.phase())) CheckNothingRuns(status);
    }
  }

  void CheckNothingRuns(const v1::PodStatus& status) {
    for (const auto* list : {&status.container_statuses(), &status.init_container_statuses()}) {
      for (const v1::ContainerStatus& container : *list) {
        EXPECT_FALSE(container.state().has_running())
            << container.name() << " runs in a pod that has ended";
      }
    }
  }

  // Called before each verb, with the record as it is on the disk.
  void CheckStart(const std::string& uid) {
    const std::vector<std::string> verbs = machine_.verbs();
    const v1::PodRecord record = records_->Pods()[uid];
    const std::vector<std::string> words = absl::StrSplit(verbs.back(), '/');
    const v1::ContainerRecord* starting = FindContainer(record, words[1]);
    ASSERT_NE(starting, nullptr);
    if (starting->kind() == v1::CONTAINER_KIND_APP) {
      EXPECT_TRUE(record.initialized())
          << words[1] << " starts before the init containers are done";
    }
    if (starting->kind() == v1::CONTAINER_KIND_SIDECAR) return;  // comes back at any time
    for (const v1::ContainerRecord& other : record.containers()) {
      if (other.name() == starting->name() || other.kind() != v1::CONTAINER_KIND_INIT) continue;
      EXPECT_NE(StageOf(other), Stage::kRunning) << words[1] << " starts beside " << other.name();
    }
  }

  void CheckPhase(const v1::PodStatus& status) {
    EXPECT_TRUE(MayFollow(phase_, status.phase()))
        << "Law 2: phase " << phase_ << " then " << status.phase();
    phase_ = status.phase();
  }

  void CheckContainer(const v1::ContainerStatus& container) {
    EXPECT_GE(container.restart_count(), restarts_[container.name()]) << "restart counts only grow";
    restarts_[container.name()] = container.restart_count();
    if (container.state().has_waiting()) {
      EXPECT_FALSE(container.state().waiting().reason().empty()) << "Law 10";
      EXPECT_FALSE(container.state().waiting().message().empty()) << "Law 10";
    }
    if (container.state().has_terminated()) {
      const std::string key = absl::StrCat(container.name(), "/", container.restart_count());
      const std::string end = container.state().terminated().SerializeAsString();
      EXPECT_EQ(ends_.emplace(key, end).first->second, end) << "an exit changed: " << key;
    }
  }

  // One random thing; returns after the worker has come to rest.
  void Happen(std::mt19937& random) {
    const auto one_of = [&](int n) {
      return static_cast<int>(random() % static_cast<unsigned>(n));
    };
    const char* const names[] = {"web", "side", "setup", "mesh", "tune"};
    const std::string container = names[one_of(5)];
    switch (one_of(17)) {
      case 0:
      case 1:
        machine_.Exit("uid-web", container, one_of(3));
        break;
      case 2:
        machine_.OomKill("uid-web", container);
        break;
      case 3:
        machine_.LoseSandbox("uid-web");
        break;
      case 4:
        RestartAgent();
        break;
      case 5:
        machine_.PowerCycle();
        world_.boot_id = absl::StrCat("boot-", ++boots_);
        RestartAgent();
        break;
      case 6:
        clock_.Jump(absl::Hours(one_of(5) - 2));
        break;
      case 7:
        faulty_ = one_of(2) == 0;
        break;
      case 8:
        if (one_of(4) == 0) Assign(pod_.Deleted(one_of(40)).Get());
        break;
      case 9:
      case 10:
        if (!hooks_.empty()) {
          EndHook(one_of(4) == 0 ? absl::InternalError("a hook failed") : absl::OkStatus());
        }
        break;
      case 11:
      case 12:
        for (auto& [name, health] : health_) {
          health.started = true;
          health.ready = one_of(2) == 0;
        }
        break;
      case 13:
        for (auto& [name, health] : health_) health.failed = ProbeKind::kLiveness;
        break;
      default:
        Pass(absl::Seconds(one_of(90)));
    }
    Settle();
    CheckNewReports();
  }

  // Init containers, sidecars, probes and hooks, in some of the lives.
  void Dress(std::mt19937& random) {
    if (random() % 2 == 0) pod_.Init("setup");
    if (random() % 2 == 0) pod_.Init("mesh", /*stays=*/true);
    if (random() % 2 == 0) pod_.Init("tune");
    v1::Container& web = pod_.First();
    if (random() % 2 == 0) web.mutable_liveness_probe()->mutable_exec()->add_command("check");
    if (random() % 2 == 0) web.mutable_readiness_probe()->mutable_exec()->add_command("check");
    if (random() % 2 == 0) web.mutable_startup_probe()->mutable_exec()->add_command("check");
    v1::Lifecycle* lifecycle = web.mutable_lifecycle();
    if (random() % 2 == 0) lifecycle->mutable_post_start()->mutable_exec()->add_command("hello");
    if (random() % 2 == 0) lifecycle->mutable_pre_stop()->mutable_exec()->add_command("bye");
    if (random() % 4 == 0) {
      pod_.Get().mutable_pod()->mutable_spec()->set_active_deadline_seconds(1800);
    }
  }

  PodBuilder pod_;
  v1::PodPhase phase_ = v1::POD_PHASE_UNSPECIFIED;
  std::map<std::string, int32_t> restarts_;
  std::map<std::string, std::string> ends_;
  size_t checked_ = 0;
  int boots_ = 1;
  bool faulty_ = false;
};

TEST_P(PodLaws, Law2_Law10_HoldForRandomLives) {
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  SCOPED_TRACE(absl::StrCat("seed ", GetParam()));
  const v1::RestartPolicy policies[] = {v1::RESTART_POLICY_ALWAYS, v1::RESTART_POLICY_ON_FAILURE,
                                        v1::RESTART_POLICY_NEVER};
  machine_.IgnoreSignals(random() % 2 == 0);
  machine_.SetFault([this, flaky = std::mt19937(random())](const std::string& verb,
                                                           const std::string& uid) mutable {
    if (verb == "StartContainer") CheckStart(uid);
    return faulty_ && flaky() % 3 == 0 ? absl::UnavailableError("the machine is in a bad mood")
                                       : absl::OkStatus();
  });
  Dress(random);
  Assign(pod_.Container("side").Restart(policies[random() % 3]).Get());
  for (int step = 0; step < 60; ++step) Happen(random);
  // In the end it can always be deleted.
  faulty_ = false;
  Assign(pod_.Deleted(1).Get());
  Pass(absl::Minutes(2));
  CheckNewReports();
  EXPECT_TRUE(updates_.back().gone());
  EXPECT_TRUE(machine_.pods().empty());
}

INSTANTIATE_TEST_SUITE_P(Seeds, PodLaws, testing::Range(0, 60));

}  // namespace
}  // namespace cluster::node
