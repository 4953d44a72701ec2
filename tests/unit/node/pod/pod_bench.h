// A bench for one pod: a pretended machine, a clock that only moves when told to, records on a real
// disk, and a worker that the test turns by hand.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

#include "node/pod/pod_worker.h"
#include "node/pod/record_store.h"
#include "node/runtime/fake_runtime.h"

namespace cluster::node {

// Of the pod "web".
inline constexpr char kUid[] = "uid-web";

// "web" in namespace "default" with one container "web" of image "nginx", unless changed.
class PodBuilder {
 public:
  explicit PodBuilder(const std::string& name = "web") {
    v1::Pod& pod = *assignment_.mutable_pod();
    pod.mutable_metadata()->set_name(name);
    pod.mutable_metadata()->set_namespace_("default");
    pod.mutable_metadata()->set_uid("uid-" + name);
    pod.mutable_spec()->set_restart_policy(v1::RESTART_POLICY_ALWAYS);
    assignment_.set_epoch(1);
    Container(name);
  }
  PodBuilder& Container(const std::string& name, const std::string& image = "nginx") {
    v1::Container* container = assignment_.mutable_pod()->mutable_spec()->add_containers();
    container->set_name(name);
    container->set_image(image);
    return *this;
  }
  // Runs before the others; `stays` makes it a sidecar.
  PodBuilder& Init(const std::string& name, bool stays = false) {
    v1::Container* container = assignment_.mutable_pod()->mutable_spec()->add_init_containers();
    container->set_name(name);
    container->set_image("nginx");
    if (stays) container->set_restart_policy(v1::CONTAINER_RESTART_POLICY_ALWAYS);
    return *this;
  }
  PodBuilder& Ephemeral(const std::string& name) {
    v1::EphemeralContainer* container =
        assignment_.mutable_pod()->mutable_spec()->add_ephemeral_containers();
    container->set_name(name);
    container->set_image("nginx");
    assignment_.set_epoch(assignment_.epoch() + 1);
    return *this;
  }
  PodBuilder& Restart(v1::RestartPolicy policy) {
    assignment_.mutable_pod()->mutable_spec()->set_restart_policy(policy);
    return *this;
  }
  PodBuilder& Grace(int64_t seconds) {
    assignment_.mutable_pod()->mutable_spec()->set_termination_grace_period_seconds(seconds);
    return *this;
  }
  PodBuilder& Epoch(int64_t epoch) {
    assignment_.set_epoch(epoch);
    return *this;
  }
  PodBuilder& Deleted(int64_t grace) {
    v1::ObjectMeta* meta = assignment_.mutable_pod()->mutable_metadata();
    meta->mutable_deletion_timestamp()->set_seconds(1'700'000'000);
    meta->set_deletion_grace_period_seconds(grace);
    assignment_.set_epoch(assignment_.epoch() + 1);
    return *this;
  }
  v1::Container& First() {
    return *assignment_.mutable_pod()->mutable_spec()->mutable_containers(0);
  }
  v1::Assignment& Get() { return assignment_; }

 private:
  v1::Assignment assignment_;
};

class PodBench : public testing::Test {
 protected:
  PodBench() : machine_(&clock_, MakeDirectory() + "/logs"), runtime_(&machine_) {
    clock_.Advance(absl::Hours(1));
    ImageRecord& nginx = images_["nginx"];
    nginx.digest = "sha256:abc";
    nginx.config.cmd = {"nginx"};
    nginx.layers = {"/layers/1"};
    records_ = RecordStore::Open(directory_ + "/agent").value();
    world_.runtime = &runtime_;
    world_.records = records_.get();
    world_.clock = &clock_;
    world_.boot_id = "boot-1";
    world_.node_name = "node1";
    world_.host_ip = "10.99.0.1";
    world_.find_image = [this](const std::string& name) -> absl::StatusOr<ImageRecord> {
      const auto image = images_.find(name);
      if (image == images_.end()) {
        return absl::NotFoundError(absl::StrCat("image ", name, " is not on this node"));
      }
      return image->second;
    };
    world_.resolv_conf = [] { return "nameserver 192.0.2.53\n"; };
    world_.name_server = [] { return "10.64.0.1"; };
    world_.publish = [this](v1::PodStatusUpdate update) { updates_.push_back(std::move(update)); };
    world_.emit = [this](v1::Event event) { events_.push_back(std::move(event)); };
    world_.probe = [this](const std::string&, std::vector<ProbeTarget> targets) {
      targets_ = std::move(targets);
      std::map<std::string, Health> kept;
      for (const ProbeTarget& target : targets_) {
        Health health;
        health.container = target.container;
        health.attempt = target.attempt;
        health.started = target.started;
        health.ready = target.ready;
        const auto known = health_.find(target.container);
        const bool same = known != health_.end() && known->second.attempt == target.attempt;
        kept[target.container] = same ? known->second : health;
      }
      health_ = std::move(kept);
    };
    world_.take_probe_news = [this](const std::string&) {
      ProbeNews news;
      for (const auto& [name, health] : health_) news.health.push_back(health);
      news.reports.swap(reports_);
      return news;
    };
    world_.run_hook = [this](HookRun run, std::function<void(absl::Status)> done) {
      hooks_.push_back({std::move(run), std::move(done)});
    };
    world_.look_again = [](const std::string&) {};
  }
  ~PodBench() override {
    worker_.reset();
    records_.reset();
    std::filesystem::remove_all(directory_);
  }

  void Assign(const v1::Assignment& assignment) {
    v1::NodeStateChange change;
    if (worker_ == nullptr) {
      const v1::PodRecord record = NewRecord(assignment, world_.Now());
      *change.add_pods() = WithoutAssignment(record);
      *change.add_assignments() = AssignmentOf(record);
      ASSERT_TRUE(records_->Commit(change).ok());
      worker_ = std::make_unique<PodWorker>(&world_, record);
      return;
    }
    v1::AssignmentRecord* news = change.add_assignments();
    news->set_uid(assignment.pod().metadata().uid());
    news->set_assigned(true);
    *news->mutable_assignment() = assignment;
    ASSERT_TRUE(records_->Commit(change).ok());
    worker_->Tell(*news);
  }
  void Unassign(const std::string& uid) {
    v1::NodeStateChange change;
    change.add_assignments()->set_uid(uid);
    ASSERT_TRUE(records_->Commit(change).ok());
    worker_->Tell(change.assignments(0));
  }
  // Rounds until nothing more is to be done now; returns when the next one is due.
  absl::Duration Settle() {
    for (int rounds = 0; rounds < 1000; ++rounds) {
      const absl::Duration next = worker_->Round();
      if (next > clock_.Monotonic()) return next;
    }
    ADD_FAILURE() << "the worker never comes to rest";
    return absl::InfiniteDuration();
  }
  // Lets time pass, with rounds whenever one is due.
  void Pass(absl::Duration duration) {
    const absl::Duration end = clock_.Monotonic() + duration;
    for (absl::Duration next = Settle(); next <= end; next = Settle()) {
      clock_.Advance(next - clock_.Monotonic());
    }
    clock_.Advance(end - clock_.Monotonic());
    Settle();
  }
  // kill -9 of the agent and the start of another: the machine lives on.
  void RestartAgent() {
    worker_.reset();
    records_.reset();
    records_ = RecordStore::Open(directory_ + "/agent").value();
    world_.records = records_.get();
    const auto pods = records_->Pods();
    ASSERT_EQ(pods.size(), 1u);
    worker_ = std::make_unique<PodWorker>(&world_, pods.begin()->second);
  }
  // Ends the hook that was begun last.
  void EndHook(absl::Status status = absl::OkStatus()) {
    ASSERT_FALSE(hooks_.empty());
    const auto done = hooks_.back().done;
    hooks_.pop_back();
    done(std::move(status));
    Settle();
  }
  std::vector<std::string> EventReasons() const {
    std::vector<std::string> reasons;
    for (const v1::Event& event : events_) reasons.push_back(event.reason());
    return reasons;
  }
  // The verbs that start containers, signal and kill them, in order, as "StartContainer web/0".
  std::vector<std::string> ContainerVerbs() const {
    std::vector<std::string> verbs;
    for (const std::string& verb : machine_.verbs()) {
      const size_t slash = verb.find('/');
      if (slash == std::string::npos) continue;
      verbs.push_back(absl::StrCat(verb.substr(0, verb.find(' ') + 1), verb.substr(slash + 1)));
    }
    return verbs;
  }
  const v1::PodStatus& Status() { return updates_.back().status(); }
  const v1::ContainerStatus& FirstContainer() { return Status().container_statuses(0); }

  FakeClock clock_;
  std::string directory_;
  FakeMachine machine_;
  FakeRuntime runtime_;
  std::map<std::string, ImageRecord> images_;
  std::unique_ptr<RecordStore> records_;
  PodWorld world_;
  std::vector<v1::PodStatusUpdate> updates_;
  std::vector<v1::Event> events_;
  // What the worker wants to be probed, and what it hears of it.
  std::vector<ProbeTarget> targets_;
  std::map<std::string, Health> health_;
  std::vector<ProbeReport> reports_;
  struct RunningHook {
    HookRun run;
    std::function<void(absl::Status)> done;
  };
  std::vector<RunningHook> hooks_;
  std::unique_ptr<PodWorker> worker_;

 private:
  const std::string& MakeDirectory() {
    char path[] = "/tmp/cluster-pod-XXXXXX";
    directory_ = mkdtemp(path);
    return directory_;
  }
};

}  // namespace cluster::node
