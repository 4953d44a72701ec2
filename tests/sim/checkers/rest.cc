// Law 3 and I2: whatever was lost on the way, once faults are over everything comes to be as users
// want it, within a bounded time, and then nothing moves any more.
#include "absl/strings/str_cat.h"

#include "tests/domain/invariants.h"
#include "tests/sim/checkers/all.h"
#include "tests/sim/checkers/questions.h"
#include "tests/sim/manifests.h"
#include "tests/sim/world.h"

namespace cluster::sim {
namespace {

// Nothing is written within so long before.
constexpr Nanos kQuiet = kMinute;

class RestChecker : public Checker {
 public:
  using Checker::Checker;
  const char* name() const override { return "convergence (law 3)"; }

  void OnCommit(const Commit& commit) override {
    for (const Change& change : commit.changes) {
      const Entry& entry = change.after != nullptr ? *change.after : *change.before;
      // What a quota keeps from its size says so once more when its deadline is over.
      if (entry.object.has_event() || Meta(entry.object).namespace_() == kGuests) continue;
      last_write_ = world_->now();
      last_key_ = entry.key;
    }
  }

  void OnRest() override {
    unplaced_ = 0;
    for (const auto& [key, entry] : truth().All(v1::Object::kNode)) {
      if (!Holds(entry->object.node().status().conditions(), "Ready")) Fail(key + " is not ready");
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kPod))
      CheckPod(key, entry->object.pod());
    if (truth().All(v1::Object::kNode).size() != world_->nodes().size()) {
      Fail("a node that was deleted does not come back");
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kDeployment)) {
      if (Meta(entry->object).namespace_() == kGuests) continue;  // see namespaces.cc
      CheckDeployment(key, entry->object.deployment());
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kStatefulSet)) {
      CheckStatefulSet(key, entry->object.stateful_set());
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kDaemonSet)) {
      CheckDaemonSet(key, entry->object.daemon_set());
    }
    for (const auto& [key, entry] : truth().All(v1::Object::kJob))
      CheckJob(key, entry->object.job());
    for (const auto& node : world_->nodes()) CheckMachine(*node);
    for (const v1::Object::ObjectCase kind : {v1::Object::kPod, v1::Object::kReplicaSet,
                                              v1::Object::kControllerRevision, v1::Object::kJob}) {
      for (const auto& [key, entry] : truth().All(kind)) CheckOwner(key, Meta(entry->object));
    }
    if (unplaced_ == 0 && world_->now() - last_write_ < kQuiet) {
      Fail(absl::StrCat("it does not come to rest: ", last_key_, " was written ",
                        (world_->now() - last_write_) / kMillisecond, " ms ago"));
    }
  }

 private:
  void CheckPod(const std::string& key, const v1::Pod& pod) {
    if (IsGoing(pod.metadata())) Fail(key + " never goes");
    if (IsOver(pod)) {
      if (OwnerOf(pod.metadata(), "Job") == nullptr) Fail(key + " is over, and is not replaced");
      return;
    }
    if (pod.spec().node_name().empty()) {
      ++unplaced_;
      for (const auto& [name, node] : truth().All(v1::Object::kNode)) {
        if (OwnerOf(pod.metadata(), "StatefulSet") != nullptr) continue;  // its claim has a node
        if (domain::CouldRun(truth(), pod, node->object.node()) &&
            IsPlaceFree(truth(), pod, node->object.node()) &&
            OwnerOf(pod.metadata(), "DaemonSet") == nullptr) {
          Fail(absl::StrCat(key, " could run on ", name, " and is not placed"));
        }
      }
      return;
    }
    // A rollout whose pods find no place leaves old ones as they are.
    const bool stands = Unplaced(AppOf(pod)) > 0 && pod.status().phase() == v1::POD_PHASE_RUNNING;
    if (!stands && (pod.status().phase() != v1::POD_PHASE_RUNNING || !IsReady(pod))) {
      Fail(absl::StrCat(key, " on ", pod.spec().node_name(), " is ",
                        v1::PodPhase_Name(pod.status().phase()),
                        IsReady(pod) ? "" : " and not ready"));
    }
  }

  void CheckOwner(const std::string& key, const v1::ObjectMeta& meta) {
    for (const v1::OwnerReference& owner : meta.owner_references()) {
      if (truth().FindUid(owner.uid()) == nullptr) Fail(key + " is there, and its owner is not");
    }
  }

  int Unplaced(const std::string& app) const {
    int count = 0;
    for (const auto& [key, entry] : truth().All(v1::Object::kPod)) {
      const v1::Pod& pod = entry->object.pod();
      const auto found = pod.metadata().labels().find("app");
      if (found == pod.metadata().labels().end() || found->second != app) continue;
      if (pod.spec().node_name().empty()) ++count;
    }
    return count;
  }

  void CheckDeployment(const std::string& key, const v1::Deployment& deployment) {
    if (Unplaced(deployment.metadata().name()) > 0) return;
    const v1::DeploymentStatus& status = deployment.status();
    const int wanted = deployment.spec().replicas();
    if (status.observed_generation() != deployment.metadata().generation()) {
      Fail(key + " has not been looked at since it was changed");
    }
    if (status.ready_replicas() != wanted || status.updated_replicas() != wanted ||
        status.replicas() != wanted || status.available_replicas() != wanted) {
      Fail(absl::StrCat(key, " is to have ", wanted, " pods, and has ", status.replicas(), ", ",
                        status.updated_replicas(), " of them new, ", status.ready_replicas(),
                        " ready"));
    }
  }

  void CheckStatefulSet(const std::string& key, const v1::StatefulSet& set) {
    const int wanted = set.spec().replicas();
    if (Unplaced(set.metadata().name()) > 0) return;
    const int partition = set.spec().update_strategy().rolling_update().partition();
    if (set.status().ready_replicas() != wanted || set.status().replicas() != wanted ||
        set.status().updated_replicas() < wanted - partition) {
      Fail(absl::StrCat(key, " is to have ", wanted, " pods, and has ", set.status().replicas(),
                        ", ", set.status().updated_replicas(), " of them new, ",
                        set.status().ready_replicas(), " ready"));
    }
    const int pods =
        static_cast<int>(truth().OwnedBy(v1::Object::kPod, set.metadata().uid()).size());
    if (pods != wanted) Fail(absl::StrCat(key, " has ", pods, " pods of ", wanted));
  }

  void CheckDaemonSet(const std::string& key, const v1::DaemonSet& set) {
    if (Unplaced(set.metadata().name()) > 0) return;
    int nodes = 0;
    for (const auto& [name, entry] : truth().All(v1::Object::kNode)) {
      if (!IsTainted(entry->object.node().spec())) ++nodes;
    }
    if (set.status().number_ready() != nodes || set.status().updated_number_scheduled() != nodes) {
      Fail(absl::StrCat(key, " is to run on ", nodes, " nodes, and is ready on ",
                        set.status().number_ready(), ", new on ",
                        set.status().updated_number_scheduled()));
    }
  }

  void CheckJob(const std::string& key, const v1::Job& job) {
    if (IsGoing(job.metadata())) return Fail(key + " never goes");
    if (Unplaced(job.metadata().name()) > 0) return;
    if (!IsFinished(job)) {
      Fail(absl::StrCat(key, " never ends: ", job.status().succeeded(), " of ",
                        job.spec().completions()));
    }
  }

  // What runs on the machine is what is stored to run there, and nothing is left of other pods.
  void CheckMachine(Node& node) {
    for (const auto& [id, running] : node.machine()->running()) {
      const EntryPtr entry = truth().FindUid(id.first);
      if (entry == nullptr || !entry->object.has_pod() || IsOver(entry->object.pod()) ||
          entry->object.pod().spec().node_name() != node.name()) {
        Fail(absl::StrCat(node.name(), " still runs a container of ", running.fact.pod));
      }
    }
    for (const std::string& uid : node.machine()->pods()) {
      const EntryPtr entry = truth().FindUid(uid);
      if (entry == nullptr) Fail(absl::StrCat(node.name(), " still holds something of pod ", uid));
    }
    for (const EntryPtr& entry : truth().PodsOnNode(node.name())) {
      const v1::Pod& pod = entry->object.pod();
      if (IsOver(pod) || node.machine()->running().contains({pod.metadata().uid(), "main"}))
        continue;
      if (!IsReady(pod) && Unplaced(AppOf(pod)) > 0) continue;  // see CheckPod
      Fail(absl::StrCat(entry->key, " is said to run on ", node.name(), ", and does not"));
    }
  }

  Nanos last_write_ = 0;
  std::string last_key_;
  int unplaced_ = 0;
};

}  // namespace

std::unique_ptr<Checker> Rest(World* world) { return std::make_unique<RestChecker>(world); }

}  // namespace cluster::sim
